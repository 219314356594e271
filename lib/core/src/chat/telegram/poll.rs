//! Where the long poll stands: which update comes next, when to ask again, and which updates were seen.

use super::numbers::Numbers;
use super::replies::Refusal;
use super::updates::{self, Update};
use super::{UNREACHABLE_WAITS, wait};
use crate::chat::Age;
use crate::chat::hub::ChatEnv;
use crate::chat::transport::{Received, TransportEvent};
use crate::fault::{Fault, FaultKind};
use crate::state::Records;
use crate::time::{Mono, RELEASED, Wall};
use serde_json::Value;
use std::time::Duration;

/// The disk may take this long before the next poll goes on without it.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// A poll that comes back empty sooner than this did not wait, so we do (an emulator, an odd proxy).
const QUICK: Duration = Duration::from_secs(1);
const QUICK_WAIT: Duration = Duration::from_millis(500);
/// Nothing but what was seen before came: an emulator that confirms nothing is not asked faster than this.
const STALE_WAIT: Duration = Duration::from_secs(3);
/// What has waited at the service comes at once, even over a slow link; what takes longer happened during the poll.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Without the service's clock, what happened since somebody listened last is new if that is not longer ago: a whole
/// poll and the pause after it.
const LISTENING: Duration = Duration::from_secs(65);
/// Updates that are asked for at once.
const BATCH: u32 = 100;
/// Waits when the service answers with an error.
const TROUBLE_WAITS: [Duration; 4] = [
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
];
/// Waits when another program polls with the same token: never as fast as it.
const CONFLICT_WAITS: [Duration; 3] = [
    Duration::from_secs(6),
    Duration::from_secs(15),
    Duration::from_secs(30),
];
/// Waits when the token is refused.
const DENIED_WAITS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(600),
];

/// The state of the poll.
#[derive(Debug, Default)]
pub(super) struct Poll {
    numbers: Numbers,
    stage: Stage,
    failures: u32,
    /// After a broken answer less is asked for at once.
    was_broken: bool,
    /// The next poll names no number: what the service holds comes from its beginning.
    asks_anew: bool,
    /// When everything that waited had been heard.
    heard: Option<Mono>,
    counters: Received,
}

/// An answer to the poll.
pub(super) struct Batch<'a> {
    /// When it was asked for.
    pub(super) since: Mono,
    /// The service's clock, in seconds since the epoch, when it is known.
    pub(super) service_time: Option<i64>,
    pub(super) updates: &'a [Value],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// A call is under way.
    #[default]
    Asking,
    /// The number of the next update is on its way to the disk.
    Storing { seq: u64, since: Mono },
    /// Waits.
    Waiting { until: Mono },
}

impl Poll {
    pub(super) fn restore(&mut self, records: &Records) {
        self.numbers = records.get("telegram", "offset").unwrap_or_default();
    }

    /// Update numbers are each bot's own.
    pub(super) fn belongs_to(&mut self, bot: i64) {
        if self.numbers.bot != bot {
            self.numbers = Numbers::default();
            self.numbers.bot = bot;
        }
    }

    pub(super) fn begin_greeting(&mut self) {
        self.stage = Stage::Asking;
    }

    /// The number to ask for, and how many updates at once.
    pub(super) fn begin(&mut self) -> (i64, u32) {
        self.stage = Stage::Asking;
        let next = match std::mem::take(&mut self.asks_anew) {
            true => 0,
            false => self.numbers.next,
        };
        (next, if self.was_broken { 1 } else { BATCH })
    }

    /// Updates wait that no poll has brought: the next one names no number.
    pub(super) fn ask_anew(&mut self) {
        self.asks_anew = true;
    }

    pub(super) fn counters(&mut self) -> &mut Received {
        &mut self.counters
    }

    pub(super) fn received(&self) -> Received {
        self.counters
    }

    pub(super) fn restart(&mut self, now: Mono) {
        self.failures = 0;
        self.stage = Stage::Waiting { until: now };
    }

    pub(super) fn reset_failures(&mut self) {
        self.failures = 0;
        self.was_broken = false;
    }

    pub(super) fn is_stored(&self, stored: u64) -> bool {
        matches!(self.stage, Stage::Storing { seq, .. } if seq <= stored)
    }

    pub(super) fn may_go_on(&self) -> bool {
        self.stage == Stage::Asking
    }

    pub(super) fn wakes_at(&self) -> Option<Mono> {
        match self.stage {
            Stage::Asking => None,
            Stage::Storing { since, .. } => Some(since + STORE_PATIENCE),
            Stage::Waiting { until } => Some(until),
        }
    }

    /// Takes the updates of one answer: each new one once, in order. Then the poll waits for the disk, for a
    /// moment, or for nothing.
    pub(super) fn take(&mut self, env: &mut ChatEnv<'_>, batch: Batch<'_>) -> Vec<TransportEvent> {
        let now = env.now;
        let since_asked = now.mono.since(batch.since);
        let since_heard = match since_asked < AT_ONCE {
            true => self.heard.map(|at| now.mono.since(at)),
            false => Some(since_asked),
        };
        if batch.updates.len() < BATCH as usize {
            self.heard = Some(now.mono);
        }
        let today = batch.service_time.unwrap_or(now.wall.unix_seconds());
        let read = batch.updates.iter().map(updates::read);
        let mut read: Vec<(i64, Update)> = read
            .filter_map(|(id, update)| Some((id?, update)))
            .collect();
        self.counters.unknown += (batch.updates.len() - read.len()) as u64;
        crate::small::sort_by_key(&mut read, |(id, _)| *id);
        let before = read.len();
        read.retain(|(id, _)| self.numbers.take(*id, today));
        self.counters.repeated += (before - read.len()) as u64;
        if read.is_empty() {
            let pause = match batch.updates.is_empty() {
                true => QUICK_WAIT,
                false => STALE_WAIT,
            };
            self.stage = match since_asked < QUICK {
                true => Stage::Waiting {
                    until: now.mono + pause,
                },
                false => Stage::Asking,
            };
            return Vec::new();
        }
        env.state.put_durable("telegram", "offset", &self.numbers);
        self.stage = Stage::Storing {
            seq: env.state.seq(),
            since: now.mono,
        };
        let mut events = Vec::new();
        for (_, update) in read {
            match update {
                Update::Incoming(mut incoming, sent) => {
                    let sent_ago = batch
                        .service_time
                        .zip(sent)
                        .map(|(now, sent)| now.saturating_sub(sent));
                    incoming.age = age(sent_ago, since_heard);
                    self.counters.taken += 1;
                    events.push(TransportEvent::Incoming(incoming));
                }
                Update::Moved { old, new } => events.push(TransportEvent::Moved {
                    old: super::place(old, None),
                    new: super::place(new, None),
                }),
                Update::Ignored(why) => {
                    self.counters.ignored += 1;
                    log::debug!("telegram: ignored an update: {why}");
                }
                Update::Unknown => self.counters.unknown += 1,
            }
        }
        events
    }

    /// Says how long to wait after a failure.
    pub(super) fn back_off(&mut self, env: &mut ChatEnv<'_>, refusal: &Refusal) -> Duration {
        let waits: &[Duration] = match refusal {
            Refusal::Fault(_) => &UNREACHABLE_WAITS,
            Refusal::Api { code: 409, .. } => &CONFLICT_WAITS,
            _ => &TROUBLE_WAITS,
        };
        // With a refused token not a second sooner: the service counts.
        let mut span = match refusal.is_denied() {
            true => DENIED_WAITS[(self.failures as usize).min(DENIED_WAITS.len() - 1)],
            false => wait(waits, self.failures, env),
        };
        if let Refusal::Api {
            retry_after: Some(asked),
            ..
        } = refusal
        {
            span = span.max(*asked);
        }
        self.failures += 1;
        self.was_broken = matches!(
            refusal,
            Refusal::Garbled(_)
                | Refusal::Fault(Fault {
                    kind: FaultKind::Malformed,
                    ..
                })
        );
        self.stage = Stage::Waiting {
            until: env.now.mono + span,
        };
        span
    }
}

/// How old a message is: by the service's clock, else by when somebody listened last. A press has no time.
fn age(sent_ago: Option<i64>, since_heard: Option<Duration>) -> Age {
    match (sent_ago.map(u64::try_from), since_heard) {
        (Some(Ok(seconds)), _) => Age::Known(Duration::from_secs(seconds)),
        // From the future: a second or two is rounding.
        (Some(Err(_)), _) if sent_ago > Some(-60) => Age::Live,
        (Some(Err(_)), _) => Age::Unknown,
        (None, Some(span)) if span <= LISTENING => Age::Live,
        (None, _) => Age::Unknown,
    }
}

/// What is wrong with the poll, and what to do about it.
pub(super) fn remedy(refusal: &Refusal, wall: Wall) -> String {
    match refusal {
        Refusal::Api { code: 409, text, .. } if text.contains("webhook") => {
            "a webhook is set for this bot; stop the program that uses it, then open https://api.telegram.org/bot<token>/deleteWebhook in a browser"
                .to_owned()
        }
        Refusal::Api { code: 409, .. } => {
            "another program receives with the same token; stop it, or give this agent a bot of its own"
                .to_owned()
        }
        refusal if refusal.is_denied() => {
            format!("the token is refused: {}; ask @BotFather for the current one", refusal.in_words())
        }
        Refusal::Fault(Fault { kind: FaultKind::Tls, .. }) if wall < RELEASED => {
            format!("waiting for the clock: it says {}, and no certificate is valid then", wall.rfc3339())
        }
        refusal => format!("receiving fails: {}", refusal.in_words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_16_a_certificate_before_the_clock_is_set_waits_for_the_clock() {
        let fault = Fault::new(FaultKind::Tls, "certificate not valid yet");
        let refusal = Refusal::Fault(fault);
        let at_boot = remedy(&refusal, Wall(40_000));
        assert!(
            at_boot.starts_with("waiting for the clock: it says 1970-01-01T00:00:40Z"),
            "{at_boot}"
        );
        let later = remedy(&refusal, RELEASED);
        assert_eq!(later, "receiving fails: certificate not valid yet");
    }

    #[test]
    fn ages_come_from_the_services_clock_or_from_listening() {
        let span = |seconds| Some(Duration::from_secs(seconds));
        let known = |seconds| Age::Known(Duration::from_secs(seconds));
        for (rule, sent_ago, since_heard, want) in [
            ("by_the_clock", Some(75), span(1), known(75)),
            ("rounded", Some(-1), None, Age::Live),
            ("from_the_future", Some(-61), span(1), Age::Unknown),
            ("heard_live", None, span(51), Age::Live),
            ("nobody_listened", None, span(66), Age::Unknown),
            ("the_first_poll", None, None, Age::Unknown),
        ] {
            assert_eq!(age(sent_ago, since_heard), want, "{rule}");
        }
    }
}
