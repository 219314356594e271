//! Where the long poll stands: which update comes next, when to ask again, and which updates were seen.

use super::replies::Refusal;
use super::updates::{self, Update};
use super::{UNREACHABLE_WAITS, wait};
use crate::chat::hub::ChatEnv;
use crate::chat::transport::Happening;
use crate::chat::{Incoming, IncomingKind};
use crate::state::Records;
use crate::time::Mono;
use serde_json::Value;
use std::time::Duration;

/// The disk may take this long before the next poll goes on without it.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// A poll that comes back empty sooner than this did not wait, so we do (an emulator, an odd proxy).
const QUICK: Duration = Duration::from_secs(1);
const QUICK_WAIT: Duration = Duration::from_millis(500);
/// When nobody listened for this long, presses may be old; their time is not told.
const DEAF: Duration = Duration::from_secs(120);
/// What has waited at the service comes at once, even over a slow link; what takes longer happened during the poll.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Telegram: after a quiet week update numbers begin anew anywhere. Numbers that lie further back than this
/// are new ones; nearer ones were seen.
const RENUMBERED: i64 = 100_000;
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
    /// The bot that `next` belongs to.
    bot: i64,
    /// The number to ask for; zero before the first update.
    next: i64,
    stage: Stage,
    failures: u32,
    /// After a broken answer less is asked for at once.
    was_broken: bool,
    last_answer: Option<Mono>,
    ignored: u64,
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

/// What is on disk.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    bot: i64,
    next: i64,
}

impl Poll {
    pub(super) fn restore(&mut self, records: &Records) {
        if let Some(saved) = records.get::<Saved>("telegram", "offset") {
            self.bot = saved.bot;
            self.next = saved.next;
        }
    }

    /// Update numbers are each bot's own.
    pub(super) fn belongs_to(&mut self, bot: i64) {
        if self.bot != bot {
            self.bot = bot;
            self.next = 0;
        }
    }

    pub(super) fn begin_greeting(&mut self) {
        self.stage = Stage::Asking;
    }

    /// The number to ask for, and how many updates at once.
    pub(super) fn begin(&mut self) -> (i64, u32) {
        self.stage = Stage::Asking;
        (self.next, if self.was_broken { 1 } else { 100 })
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
    pub(super) fn take(
        &mut self,
        env: &mut ChatEnv<'_>,
        since: Mono,
        date: Option<i64>,
        updates: &[Value],
    ) -> Vec<Happening> {
        let now = env.now;
        let was_deaf = now.mono.since(since) < AT_ONCE
            && self.last_answer.is_none_or(|at| now.mono.since(at) > DEAF);
        self.last_answer = Some(now.mono);
        // The service's clock less ours; a message's age is judged by the difference.
        let ahead = date.map_or(0, |date| date - now.wall.unix_seconds());
        let mut read: Vec<(i64, Update)> = updates
            .iter()
            .filter_map(|update| {
                let (id, update) = updates::read(update);
                Some((id?, update))
            })
            .filter(|(id, _)| !self.was_seen(*id))
            .collect();
        crate::small::sort_by_key(&mut read, |(id, _)| *id);
        read.dedup_by_key(|(id, _)| *id);
        let Some(last) = read.last().map(|(id, _)| *id) else {
            let is_quick = now.mono.since(since) < QUICK;
            self.stage = match is_quick {
                true => Stage::Waiting {
                    until: now.mono + QUICK_WAIT,
                },
                false => Stage::Asking,
            };
            return Vec::new();
        };
        self.next = last.saturating_add(1);
        let saved = Saved {
            bot: self.bot,
            next: self.next,
        };
        env.state.put_durable("telegram", "offset", &saved);
        self.stage = Stage::Storing {
            seq: env.state.seq(),
            since: now.mono,
        };
        let mut happenings = Vec::new();
        for (_, update) in read {
            match update {
                Update::Incoming(incoming) => {
                    happenings.push(Happening::Incoming(timed(incoming, ahead, was_deaf)));
                }
                Update::Moved { old, new } => happenings.push(Happening::Moved { old, new }),
                Update::Ignored(why) => self.ignore(why),
                Update::Unknown => self.ignore("of an unknown kind"),
            }
        }
        happenings
    }

    /// Says how long to wait after a failure.
    pub(super) fn back_off(&mut self, env: &mut ChatEnv<'_>, refusal: &Refusal) -> Duration {
        let waits: &[Duration] = match refusal {
            Refusal::Fault(_) => &UNREACHABLE_WAITS,
            Refusal::Api { code: 409, .. } => &CONFLICT_WAITS,
            _ if refusal.is_denied() => &DENIED_WAITS,
            _ => &TROUBLE_WAITS,
        };
        let mut span = wait(waits, self.failures, env);
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
                | Refusal::Fault(crate::fault::Fault {
                    kind: crate::fault::FaultKind::Malformed,
                    ..
                })
        );
        self.stage = Stage::Waiting {
            until: env.now.mono + span,
        };
        span
    }

    fn was_seen(&self, id: i64) -> bool {
        id < self.next && self.next.saturating_sub(id) <= RENUMBERED
    }

    fn ignore(&mut self, why: &str) {
        self.ignored += 1;
        log::debug!(
            "telegram: ignored an update {why} ({} so far)",
            self.ignored
        );
    }
}

/// The time of a message by our own clock. A press has none: it is new, unless nobody listened for a while.
fn timed(mut incoming: Incoming, ahead: i64, was_deaf: bool) -> Incoming {
    incoming.sent_unix_seconds = match (&incoming.kind, incoming.sent_unix_seconds) {
        (IncomingKind::Press { .. }, _) => was_deaf.then_some(0),
        (_, sent) => sent.map(|sent| sent.saturating_sub(ahead)),
    };
    incoming
}

/// What is wrong with the poll, and what to do about it.
pub(super) fn remedy(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Api { code: 409, text, .. } if text.contains("webhook") => {
            "a webhook is set for this bot, so nothing can be received; remove it with the Bot API's deleteWebhook"
                .to_owned()
        }
        Refusal::Api { code: 409, .. } => {
            "another program receives with the same token; stop it, or give this agent a bot of its own"
                .to_owned()
        }
        refusal if refusal.is_denied() => {
            format!("the token is refused: {}; ask @BotFather for the current one", refusal.in_words())
        }
        refusal => format!("receiving fails: {}", refusal.in_words()),
    }
}
