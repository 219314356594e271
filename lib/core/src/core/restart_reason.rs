//! Why the agent was restarted, for its owners: told once, without a ring. What one run leaves behind in the state, the
//! boot of the machine and the service manager's word on how the last run ended say it together.

use crate::state::{Pending, Records};
use crate::time::{Human, Mono, Now, RELEASED, Wall, Zone};
use std::time::Duration;

/// A sign of life is written this often where nothing else is …
const ALONE_EVERY: Duration = Duration::from_secs(300);
/// … and this often together with something else.
const ALONG_EVERY: Duration = Duration::from_secs(60);
/// A clean stop that was shorter is what somebody wanted, and nothing to tell.
const SHORT_STOP: Duration = Duration::from_secs(300);
/// So many restarts are told in an hour.
const MOST_TOLD: u8 = 3;
const TOLD_SPAN: Duration = Duration::from_secs(3600);

/// What is known of the run before this one, besides the state that it left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Identity of this boot of the machine; empty when unknown.
    pub boot: String,
    /// How the run ended as the service manager saw it (`signal KILL`, `watchdog ABRT`, `oom-kill KILL`), and when.
    pub ended: Option<(String, Wall)>,
}

/// The record `agent/life`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct RestartReason {
    version: String,
    #[serde(default)]
    boot: String,
    /// The last sign of life.
    alive: Wall,
    /// True after a clean stop.
    #[serde(default)]
    is_over: bool,
    /// Since when restarts are counted, and how many were told.
    #[serde(default)]
    told_since: Wall,
    #[serde(default)]
    told: u8,
    #[serde(skip)]
    saved: Mono,
}

impl RestartReason {
    /// Begins a new life, and says what is to be told of the end of the last one.
    pub(super) fn begin(
        now: Now,
        records: &Records,
        past: &Past,
        zone: &Zone,
        state: &mut Pending,
    ) -> (RestartReason, Option<String>) {
        let mut life = RestartReason {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: past.boot.clone(),
            alive: now.wall,
            ..RestartReason::default()
        };
        let text = records
            .get::<RestartReason>("agent", "life")
            .and_then(|last| {
                (life.told_since, life.told) = (last.told_since, last.told);
                let text = sentence(&last, &life, now.wall, past, zone)?;
                life.tell(now.wall, text)
            });
        state.require_durable();
        life.save(now, state);
        (life, text)
    }

    fn tell(&mut self, now: Wall, mut sentence: String) -> Option<String> {
        log::warn!("{sentence}");
        if now < self.told_since || now.since(self.told_since) > TOLD_SPAN {
            (self.told_since, self.told) = (now, 0);
        }
        self.told = self.told.saturating_add(1);
        if self.told == MOST_TOLD {
            sentence.push_str("; the third time within an hour, further ones are in the log");
        }
        (self.told <= MOST_TOLD).then_some(sentence)
    }

    /// The end of a turn: a sign of life from time to time, best with what is written anyway.
    pub(super) fn sign(&mut self, now: Now, state: &mut Pending) {
        let every = if state.is_empty() {
            ALONE_EVERY
        } else {
            ALONG_EVERY
        };
        if !self.is_over && now.mono.since(self.saved) >= every {
            self.save(now, state);
        }
    }

    /// A clean stop.
    pub(super) fn end(&mut self, now: Now, state: &mut Pending) {
        self.is_over = true;
        self.save(now, state);
    }

    fn save(&mut self, now: Now, state: &mut Pending) {
        (self.alive, self.saved) = (now.wall, now.mono);
        state.put("agent", "life", self);
    }
}

fn sentence(
    last: &RestartReason,
    life: &RestartReason,
    now: Wall,
    past: &Past,
    zone: &Zone,
) -> Option<String> {
    // A word from before the last sign of life is about another run.
    let ended = past.ended.as_ref().filter(|(_, at)| *at >= last.alive);
    let (word, at) = ended.map_or(("", last.alive), |(word, at)| (word, *at));
    // A clock that was not set yet says nothing about how long ago that was.
    let away = (at >= RELEASED).then(|| now.since(at));
    let why = match why(last, life, word) {
        Some(why) => why,
        None if away.is_none_or(|away| away < SHORT_STOP) => return None,
        None => "it was stopped".to_owned(),
    };
    let Some(away) = away else {
        return Some(format!(
            "restarted: {why}; its clock was not set, so when is not known"
        ));
    };
    // The last sign of life of an idle agent is minutes old.
    let (what, most) = match ended.is_some() || last.is_over {
        true => ("ended", ""),
        false => ("ended at some time since", "at most "),
    };
    let mut text = format!("restarted: {why}; {what} {}", at.local(zone));
    if now > at {
        text.push_str(&format!(", {most}{} away", Human(away)));
    }
    Some(text)
}

/// The reason; `None` for a clean stop that nothing else explains.
fn why(last: &RestartReason, life: &RestartReason, word: &str) -> Option<String> {
    let is_other_boot = !last.boot.is_empty() && !life.boot.is_empty() && last.boot != life.boot;
    let mut words = word.split_whitespace();
    let (result, status) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    // Where systemd sees no memory kills, the unit adds the kernel's count of them.
    let has_kills = words.next() == Some("oom_kill") && words.next() != Some("0");
    Some(match result {
        _ if last.version != life.version => {
            format!("updated from {} to {}", last.version, life.version)
        }
        _ if is_other_boot && last.is_over => "the machine was restarted".to_owned(),
        _ if is_other_boot => "the machine went down without warning (power loss?)".to_owned(),
        _ if last.is_over => return None,
        "oom-kill" => "killed for memory".to_owned(),
        _ if has_kills => "killed for memory".to_owned(),
        "watchdog" => "it hung, and the watchdog ended it".to_owned(),
        "signal" | "core-dump" => format!("killed by signal {status}"),
        "exit-code" => format!("ended with exit code {status}"),
        "timeout" => "it did not end in time and was killed".to_owned(),
        _ => "killed or crashed".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIED: Wall = Wall(1_795_205_702_000);

    fn past(boot: &str, word: &str) -> Past {
        Past {
            boot: boot.to_owned(),
            ended: (!word.is_empty()).then(|| (word.to_owned(), DIED.plus(Duration::from_secs(8)))),
        }
    }

    fn at(seconds: u64) -> Now {
        Now {
            mono: Mono::ZERO,
            wall: DIED.plus(Duration::from_secs(seconds)),
        }
    }

    /// What is told at a start `away` seconds after the last sign of life.
    fn told(last: &RestartReason, past: &Past, away: u64) -> Option<String> {
        let mut state = Pending::new(0);
        state.put("agent", "life", last);
        let mut records = Records::default();
        records.apply(&state.take().expect("a record"));
        RestartReason::begin(at(away), &records, past, &Zone::UTC, &mut state).1
    }

    fn life() -> RestartReason {
        RestartReason {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: "one".to_owned(),
            alive: DIED,
            ..RestartReason::default()
        }
    }

    #[test]
    fn the_reason_is_as_exact_as_what_is_known() {
        let (ran, stopped) = (
            life(),
            RestartReason {
                is_over: true,
                ..life()
            },
        );
        let old = RestartReason {
            version: "0.0.9".to_owned(),
            ..stopped.clone()
        };
        let known = "ended 2026-11-20 20:15:10, 2 s away";
        let unknown = "ended at some time since 2026-11-20 20:15:02, at most 10 s away";
        for (last, past, want) in [
            (
                &ran,
                past("one", "oom-kill KILL"),
                format!("restarted: killed for memory; {known}"),
            ),
            (
                &ran,
                past("one", "signal KILL oom_kill 1"),
                format!("restarted: killed for memory; {known}"),
            ),
            (
                &ran,
                past("one", "signal KILL oom_kill 0"),
                format!("restarted: killed by signal KILL; {known}"),
            ),
            (
                &ran,
                past("one", "watchdog ABRT"),
                format!("restarted: it hung, and the watchdog ended it; {known}"),
            ),
            (
                &ran,
                past("one", "exit-code 1"),
                format!("restarted: ended with exit code 1; {known}"),
            ),
            (
                &ran,
                past("one", ""),
                format!("restarted: killed or crashed; {unknown}"),
            ),
            (
                &ran,
                past("", ""),
                format!("restarted: killed or crashed; {unknown}"),
            ),
            (
                &ran,
                past("two", ""),
                format!(
                    "restarted: the machine went down without warning (power loss?); {unknown}"
                ),
            ),
            (
                &stopped,
                past("two", ""),
                "restarted: the machine was restarted; ended 2026-11-20 20:15:02, 10 s away"
                    .to_owned(),
            ),
            (
                &old,
                past("one", "success 0"),
                format!(
                    "restarted: updated from 0.0.9 to {}; {known}",
                    env!("CARGO_PKG_VERSION")
                ),
            ),
        ] {
            assert_eq!(told(last, &past, 10), Some(want), "{past:?}");
        }
    }

    #[test]
    fn a_run_whose_clock_was_not_set_ended_nobody_knows_when() {
        let ran = RestartReason {
            alive: Wall(10_000),
            ..life()
        };
        let stopped = RestartReason {
            is_over: true,
            ..ran.clone()
        };
        assert_eq!(told(&stopped, &past("one", ""), 7200), None);
        assert_eq!(
            told(&ran, &past("one", ""), 10).as_deref(),
            Some("restarted: killed or crashed; its clock was not set, so when is not known")
        );
    }

    #[test]
    fn a_stop_that_somebody_wanted_is_told_when_it_was_long() {
        let stopped = RestartReason {
            is_over: true,
            ..life()
        };
        assert_eq!(told(&stopped, &past("one", "success 0"), 60), None);
        let told = told(&stopped, &past("one", ""), 7200);
        assert_eq!(
            told.as_deref(),
            Some("restarted: it was stopped; ended 2026-11-20 20:15:02, 2 h away")
        );
    }

    #[test]
    fn a_word_about_an_earlier_run_says_nothing() {
        let mut past = past("one", "watchdog ABRT");
        past.ended = past
            .ended
            .map(|(word, _)| (word, DIED.minus(Duration::from_secs(1))));
        let told = told(&life(), &past, 5).expect("a reason");
        assert!(told.contains("killed or crashed"), "{told}");
    }

    #[test]
    fn a_clock_that_was_not_set_yet_tells_no_nonsense() {
        let told = told(&life(), &past("one", ""), 0).expect("a reason");
        assert!(!told.contains("away"), "{told}");
    }

    #[test]
    fn restarts_in_a_row_are_told_three_times_an_hour() {
        let mut records = Records::default();
        let mut told = Vec::new();
        for round in 0..30 {
            let mut state = Pending::new(records.seq);
            let (_, text) = RestartReason::begin(
                at(round * 200),
                &records,
                &past("", ""),
                &Zone::UTC,
                &mut state,
            );
            told.push(text.is_some());
            records.apply(&state.take().expect("a record"));
        }
        let when: Vec<usize> = (0..30).filter(|round| told[*round]).collect();
        // The first start has nothing to tell; the span ends an hour after the first that was told.
        assert_eq!(when, [1, 2, 3, 20, 21, 22]);
    }
}
