//! Which outlets somebody means, and what shall be done with them. Pure.

use crate::config::units;
use crate::pdu::OutletReading;
use crate::pdu::plan::PlanSwitch;
use crate::snmp::VarBind;
use std::time::Duration;

/// From one outlet to the next, when nothing is said: what starts draws several times its usual current.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// Outlets in one command.
const MAX_OUTLETS: usize = 64;
/// Names in an answer.
const MAX_NAMES: usize = 12;

/// What shall be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Which outlets, as written.
    pub(super) selection: String,
    pub(super) verb: Verb,
    /// From one to the next.
    pub(super) pause: Duration,
}

/// What can be done with an outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    On,
    Off,
    Cycle,
}

impl Order {
    /// Reads `<pdu> <outlets> on|off|cycle [pause]`.
    pub(super) fn of(args: &[String]) -> Option<Order> {
        let (last, rest) = args.get(1..)?.split_last()?;
        let (verb, names, pause) = match (Verb::named(last), rest.split_last()) {
            (Some(verb), _) => (verb, rest, PAUSE),
            (None, Some((verb, names))) => (Verb::named(verb)?, names, units::duration(last).ok()?),
            (None, None) => return None,
        };
        let selection = names.join(" ");
        let is_whole = !selection.trim().is_empty() && pause <= MAX_PAUSE;
        is_whole.then_some(Order {
            selection,
            verb,
            pause,
        })
    }
}

impl Verb {
    const ALL: [Verb; 3] = [Verb::On, Verb::Off, Verb::Cycle];

    fn named(word: &str) -> Option<Verb> {
        let mut all = Verb::ALL.into_iter();
        all.find(|verb| verb.name().eq_ignore_ascii_case(word))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Verb::On => "on",
            Verb::Off => "off",
            Verb::Cycle => "cycle",
        }
    }

    /// On a button.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Verb::On => "Switch on",
            Verb::Off => "Switch off",
            Verb::Cycle => "Cycle",
        }
    }

    /// While it is done.
    pub(super) const fn doing(self) -> &'static str {
        match self {
            Verb::On => "switching on",
            Verb::Off => "switching off",
            Verb::Cycle => "cycling",
        }
    }

    /// What it means for what hangs on it.
    pub(super) const fn effect(self) -> &'static str {
        match self {
            Verb::On => "Switching on gives power.",
            Verb::Off => "Switching off cuts the power.",
            Verb::Cycle => {
                "Cycling cuts the power and gives it again after the device's own delay."
            }
        }
    }

    pub(super) fn set(self, switch: &PlanSwitch) -> Option<&VarBind> {
        match self {
            Verb::On => Some(&switch.on),
            Verb::Off => Some(&switch.off),
            Verb::Cycle => switch.cycle.as_ref(),
        }
    }
}

/// `outlet 3 (nas)`, or `outlet 3` without a name of its own.
pub(super) fn called(outlet: &OutletReading) -> String {
    match &*outlet.name {
        "" => format!("outlet {}", outlet.index),
        name => format!("outlet {} ({name})", outlet.index),
    }
}

/// Finds outlets by name or number: `nas`, `3`, `1,3-5`, `web,5`. In the order that was written, each once. A number
/// is always the outlet of that number.
///
/// # Errors
/// Says what is not there, or may mean several.
pub(super) fn select(text: &str, outlets: &[OutletReading]) -> Result<Vec<usize>, String> {
    let text = text.trim();
    if text.parse::<u16>().is_err() {
        // A name may have a comma or a dash in it.
        if let [row] = named(text, outlets, str::eq_ignore_ascii_case)[..] {
            return Ok(vec![row]);
        }
    }
    let mut rows: Vec<usize> = Vec::new();
    for word in text.split(',').map(str::trim) {
        for row in one(word, outlets)? {
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    match rows.len() {
        0..=MAX_OUTLETS => Ok(rows),
        _ => Err(format!("name at most {MAX_OUTLETS} outlets at once")),
    }
}

fn one(word: &str, outlets: &[OutletReading]) -> Result<Vec<usize>, String> {
    let number = |text: &str| text.trim().parse::<u16>().ok();
    let range = word
        .split_once('-')
        .and_then(|(from, to)| Some((number(from)?, number(to)?)));
    match range.or_else(|| number(word).map(|number| (number, number))) {
        Some((from, to)) if from <= to => (from..=to).map(|at| numbered(at, outlets)).collect(),
        Some((from, to)) => (to..=from).rev().map(|at| numbered(at, outlets)).collect(),
        None => {
            let exact = named(word, outlets, str::eq_ignore_ascii_case);
            let begins = |name: &str, prefix: &str| {
                let start = name.get(..prefix.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            };
            let found = match exact.is_empty() {
                true => named(word, outlets, begins),
                false => exact,
            };
            match found[..] {
                [row] => Ok(vec![row]),
                [] => Err(format!("there is no outlet `{word}`; /outlets lists them")),
                _ => Err(format!(
                    "`{word}` may be {}; name the number",
                    list(found.iter().filter_map(|row| outlets.get(*row)))
                )),
            }
        }
    }
}

fn numbered(number: u16, outlets: &[OutletReading]) -> Result<usize, String> {
    outlets
        .iter()
        .position(|outlet| outlet.index == number)
        .ok_or_else(|| match (outlets.first(), outlets.last()) {
            (Some(first), Some(last)) => format!(
                "there is no outlet {number}; they are numbered from {} to {}",
                first.index, last.index
            ),
            _ => "the device tells of no outlets".to_owned(),
        })
}

fn named(
    word: &str,
    outlets: &[OutletReading],
    is_like: impl Fn(&str, &str) -> bool,
) -> Vec<usize> {
    (0..)
        .zip(outlets)
        .filter(|(_, outlet)| !word.is_empty() && is_like(&outlet.name, word))
        .map(|(row, _)| row)
        .collect()
}

fn list<'a>(outlets: impl Iterator<Item = &'a OutletReading>) -> String {
    let names: Vec<String> = outlets.take(MAX_NAMES).map(called).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlets() -> Vec<OutletReading> {
        let named = [
            (1, "web"),
            (2, "web-2"),
            (3, "NAS"),
            (4, ""),
            (5, "a,b"),
            (6, "7"),
            (7, "nas"),
        ];
        named
            .into_iter()
            .map(|(index, name)| OutletReading {
                index,
                name: name.into(),
                ..OutletReading::default()
            })
            .collect()
    }

    #[test]
    fn outlets_are_found_as_people_write_them() {
        for (rule, text, want) in [
            ("a_number", "3", "3"),
            ("a_number_before_a_name_of_digits", "7", "7"),
            ("a_range_and_a_number_in_their_order", "6,1-3", "6 1 2 3"),
            ("a_range_backwards", "3-1", "3 2 1"),
            ("each_once", "1,1-2", "1 2"),
            ("an_exact_name_before_a_prefix", "WEB", "1"),
            ("a_name_with_a_dash", "web-2", "2"),
            ("a_name_with_a_comma", "a,b", "5"),
            ("a_unique_prefix", "a", "5"),
            ("names_and_numbers", "web, 4", "1 4"),
            (
                "two_of_one_name",
                "nas",
                "`nas` may be outlet 3 (NAS), outlet 7 (nas); name the number",
            ),
            (
                "a_prefix_of_two",
                "we",
                "`we` may be outlet 1 (web), outlet 2 (web-2); name the number",
            ),
            (
                "no_such_number",
                "9",
                "there is no outlet 9; they are numbered from 1 to 7",
            ),
            (
                "a_range_that_ends_outside",
                "6-8",
                "there is no outlet 8; they are numbered from 1 to 7",
            ),
            (
                "no_such_name",
                "mail",
                "there is no outlet `mail`; /outlets lists them",
            ),
            (
                "nothing_between_commas",
                "1,,2",
                "there is no outlet ``; /outlets lists them",
            ),
        ] {
            let outlets = outlets();
            let got = match select(text, &outlets) {
                Ok(rows) => {
                    let numbers = rows.iter().map(|row| outlets[*row].index.to_string());
                    numbers.collect::<Vec<_>>().join(" ")
                }
                Err(why) => why,
            };
            assert_eq!(got, want, "{rule}");
        }
        assert!(
            select("0-65535", &outlets()).is_err(),
            "ends at the first one"
        );
    }

    #[test]
    fn an_order_is_read_from_its_end() {
        for (line, want) in [
            ("alpha 3 off", Some(("3", Verb::Off, 1))),
            (
                "alpha web server CYCLE",
                Some(("web server", Verb::Cycle, 1)),
            ),
            ("alpha 1,3-5 on 10s", Some(("1,3-5", Verb::On, 10))),
            ("alpha 1 on 2h", None),
            ("alpha 1", None),
            ("alpha on", None),
            ("alpha", None),
            ("", None),
        ] {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let order = Order::of(&args);
            let got = order
                .as_ref()
                .map(|order| (&*order.selection, order.verb, order.pause.as_secs()));
            assert_eq!(got, want, "{line}");
        }
    }
}
