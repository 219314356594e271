//! The judge. It knows the limits, sees the readings that the agent took and the cuts in them, and what people saw in
//! chat; nothing of the agent's own state. It says what is missing, repeated, late or out of order.

use rackwarden_core::sim::telegram::Sight;
use rackwarden_core::time::{Mono, Now, Wall, Zone};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a thing that has a limit is called in messages, and the limit in watts.
pub(crate) const THINGS: [(&str, f64); 4] = [
    ("Team Alpha (alpha)", 3000.0),
    ("Team Alpha (bravo)", 3000.0),
    ("(charlie)", 3000.0),
    ("Team Alpha (team)", 5000.0),
];

/// What happened to the agent's readings.
#[derive(Clone, Debug)]
pub(crate) enum Tape {
    /// It took this reading of a thing, in watts. A sum has parts, each of which alone may be above the limit; a
    /// PDU has the peak that it has seen itself.
    Reading(usize, Now, f64, Vec<f64>),
    /// It began again with what it had decided until the first moment; it had gone on to the second.
    Cut(Mono, Mono),
}

#[derive(Clone, Debug, Default)]
struct Rule {
    /// Values of the excess that goes on.
    excess: Option<Vec<f64>>,
}

/// Something that people have to be told: the beginning of an excess, or its end.
#[derive(Clone, Debug)]
struct Transition {
    thing: usize,
    is_end: bool,
    /// Values that may stand in the message.
    values: Vec<f64>,
    /// Those that came while it went on, which stand in reminders.
    later: Vec<f64>,
    at: Now,
}

/// One telling in a message.
struct Telling<'a> {
    thing: usize,
    is_end: bool,
    value: f64,
    is_reminder: bool,
    /// How it ended, beside the beginning; or in a reminder.
    is_remark: bool,
    sight: &'a Sight,
}

/// What is wrong, one line each.
pub(crate) fn judge(tape: &[Tape], sights: &[Sight], checks_repeats: bool) -> Vec<String> {
    let (told, doubtful) = transitions(tape);
    let tellings: Vec<Telling> = sights.iter().flat_map(tellings).collect();
    let mut wrong = Vec::new();
    for chat in [-100, 1] {
        let here: Vec<&Telling> = tellings
            .iter()
            .filter(|telling| (telling.sight.message.chat == 1) == (chat == 1))
            .collect();
        for thing in 0..THINGS.len() {
            let own: Vec<&Transition> = told.iter().filter(|one| one.thing == thing).collect();
            let of: Vec<&Telling> = here
                .iter()
                .filter(|one| one.thing == thing)
                .copied()
                .collect();
            judge_one(chat, &own, &of, tape, &mut wrong);
        }
        if checks_repeats {
            wrong.extend(repeats(chat, &here, tape, told.iter().chain(&doubtful)));
        }
    }
    wrong
}

/// By the rule: it begins above the limit and ends at 3 % below it. What was decided after the moment that a cut goes
/// back to never counted; it may have been told nevertheless.
fn transitions(tape: &[Tape]) -> (Vec<Transition>, Vec<Transition>) {
    let (mut all, mut doubtful): (Vec<Transition>, Vec<Transition>) = Default::default();
    let mut rules: Vec<Vec<(Mono, Rule)>> = vec![vec![(Mono::ZERO, Rule::default())]; THINGS.len()];
    for entry in tape {
        match entry {
            Tape::Cut(kept, _) => {
                let (stay, go) = all.drain(..).partition(|one| one.at.mono < *kept);
                all = stay;
                doubtful.extend::<Vec<Transition>>(go);
                for states in &mut rules {
                    states.retain(|(at, _)| at < kept || *at == Mono::ZERO);
                }
            }
            Tape::Reading(thing, at, watts, parts) => {
                let (thing, at, watts) = (*thing, *at, *watts);
                // Of a PDU it is the peak that the device has seen itself, which its end may tell.
                let members = if thing < 3 { &[][..] } else { &parts[..] };
                let all_values =
                    || -> Vec<f64> { members.iter().copied().chain([watts]).collect() };
                let limit = THINGS[thing].1;
                let mut rule = rules[thing]
                    .last()
                    .map(|(_, rule)| rule.clone())
                    .unwrap_or_default();
                let transition = |is_end, values| Transition {
                    thing,
                    is_end,
                    values,
                    later: Vec::new(),
                    at,
                };
                match &mut rule.excess {
                    None if watts > limit => {
                        all.push(transition(false, all_values()));
                        rule.excess = Some(all_values());
                    }
                    Some(values) if watts <= limit * 0.97 => {
                        let mut seen = values.clone();
                        seen.extend(parts.iter().filter(|_| thing < 3));
                        all.push(transition(true, seen));
                        rule.excess = None;
                    }
                    Some(values) if !values.contains(&watts) => {
                        values.extend(all_values());
                        let begun = all.iter_mut().rev().find(|one| one.thing == thing);
                        if let Some(begun) = begun {
                            begun.later.push(watts);
                        }
                    }
                    _ => continue,
                }
                rules[thing].push((at.mono, rule));
            }
        }
    }
    (all, doubtful)
}

fn tellings(sight: &Sight) -> Vec<Telling<'_>> {
    let mut found = Vec::new();
    // An answer to somebody's question is not news.
    let mut is_reminder = false;
    if !sight.message.text.contains(" rack: ") {
        return found;
    }
    for line in sight.message.text.lines() {
        // A message may stand for several, each with a heading of its own.
        if line.contains(" rack: ") {
            is_reminder = line.starts_with("🔁");
        }
        for (thing, (name, _)) in THINGS.iter().enumerate() {
            let Some(at) = line.find(&format!("{name}: ")) else {
                continue;
            };
            let number = |after: &str| -> Option<f64> {
                line[at..]
                    .split_once(after)?
                    .1
                    .split(' ')
                    .next()?
                    .parse()
                    .ok()
            };
            let telling = |is_end, value| Telling {
                thing,
                is_end,
                value,
                is_reminder,
                is_remark: is_reminder || (is_end && line.contains(" — ")),
                sight,
            };
            found.extend(number(": above power limit: ").map(|value| telling(false, value)));
            let is_end = line.contains("back below limit");
            found.extend(
                number("peak ")
                    .filter(|_| is_end)
                    .map(|value| telling(true, value)),
            );
        }
    }
    found
}

/// Each transition is in a message with its own time or between the first and the last of a collapsed one, in order.
fn judge_one(
    chat: i64,
    own: &[&Transition],
    tellings: &[&Telling],
    tape: &[Tape],
    wrong: &mut Vec<String>,
) {
    let matches = |transition: &Transition, telling: &Telling| {
        let is_of_it = transition.values.contains(&telling.value)
            || telling.is_reminder && transition.later.contains(&telling.value);
        telling.is_end == transition.is_end
            && is_of_it
            && telling.sight.at.mono >= transition.at.mono
    };
    let index_of = |telling: &Telling| own.iter().rposition(|one| matches(one, telling));
    let first_of = |telling: &Telling| own.iter().position(|one| matches(one, telling));
    let mut collapsed: BTreeMap<(i64, u32), (usize, usize)> = BTreeMap::new();
    let mut newest = 0;
    for telling in tellings {
        let message = &telling.sight.message;
        let Some(index) = index_of(telling) else {
            continue;
        };
        if message.text.contains(" messages about this waited") {
            // The times beside the first and the last tell equal ones apart.
            let is_told =
                |one: &&&Transition| matches(one, telling) && has_its_time(one, telling.sight);
            let first = own.iter().position(|one| is_told(&one)).unwrap_or(index);
            let last = own.iter().rposition(|one| is_told(&one)).unwrap_or(index);
            let range = collapsed
                .entry((message.id, message.edits))
                .or_insert((first, last));
            *range = (range.0.min(first), range.1.max(last));
        } else if message.edits == 0
            && !telling.is_remark
            && !message.text.contains("(maybe repeated)")
            && !is_forgotten(tape, telling)
        {
            // Sums may come back: it is in order if any of the equal ones is.
            if index + 1 < newest && !message.text.contains(" — ") {
                wrong.push(format!("{chat}: out of order: {}", message.text));
            }
            newest = newest.max(first_of(telling).unwrap_or(index));
        }
    }
    for (index, transition) in own.iter().enumerate() {
        let is_between = collapsed
            .values()
            .any(|(first, last)| (*first..=*last).contains(&index));
        let mut found = tellings
            .iter()
            .filter(|telling| matches(transition, telling))
            .peekable();
        if found.peek().is_none() && !is_between {
            wrong.push(format!("{chat}: lost: {transition:?}"));
        } else if !is_between && !found.any(|telling| has_its_time(transition, telling.sight)) {
            wrong.push(format!("{chat}: without its own time: {transition:?}"));
        }
    }
}

/// Told at once, or with the time of the reading (a message may be written a few seconds after it).
fn has_its_time(transition: &Transition, sight: &Sight) -> bool {
    let is_fresh = sight.at.mono.since(transition.at.mono) < Duration::from_secs(66);
    let clock = |seconds: i64| Wall(transition.at.wall.0 + seconds * 1000).local_time(&Zone::UTC);
    is_fresh || (-1..=6).any(|seconds| sight.message.text.contains(&clock(seconds)))
}

/// What left while the disk took nothing is not known after a cut, and what it was about never counted.
fn is_forgotten(tape: &[Tape], telling: &Telling) -> bool {
    let at = telling.sight.at.mono;
    tape.iter()
        .any(|entry| matches!(entry, Tape::Cut(kept, end) if *kept <= at && at <= *end))
}

/// A new message says the same as an earlier one only where it says so.
fn repeats<'a>(
    chat: i64,
    here: &[&Telling],
    tape: &[Tape],
    due: impl Iterator<Item = &'a Transition>,
) -> Vec<String> {
    let due: Vec<&Transition> = due.collect();
    let mut counts: BTreeMap<(usize, bool, i64), (usize, &str)> = BTreeMap::new();
    for telling in here
        .iter()
        .filter(|telling| telling.sight.message.edits == 0)
    {
        let text = &telling.sight.message.text;
        let is_marked = text.contains("(maybe repeated)") || is_forgotten(tape, telling);
        if !is_marked && !telling.is_remark {
            let count = counts
                .entry((telling.thing, telling.is_end, telling.value as i64))
                .or_default();
            *count = (count.0 + 1, text);
        }
    }
    let too_often = counts
        .into_iter()
        .filter(|((thing, is_end, value), (count, _))| {
            let is_it = |one: &&&Transition| {
                one.thing == *thing
                    && one.is_end == *is_end
                    && one.values.contains(&(*value as f64))
            };
            *count > due.iter().filter(is_it).count().max(1)
        });
    too_often
        .map(|(_, (count, text))| format!("{chat}: told {count} times: {text}"))
        .collect()
}
