//! `rackwarden test-alert`: one rule with a made-up value goes the whole way, from the rule over the notifier and the
//! outbox to each transport, and whoever asked hears what each of them said. Nothing else changes.

use super::{Core, OWNER_PLUGINS};
use crate::alert::notify::TestSent;
use crate::alert::{AlertState, Report};
use crate::chat::outbox::ItemId;
use crate::chat::{Answer, Asked, Place, ReplyTo, Role, Spec};
use crate::config::{suggest, units};
use crate::ctx::{Ctx, Notice};
use crate::effect::Effects;
use crate::history::History;
use crate::state::Pending;
use crate::time::{Human, Mono, Now};
use rackwarden_base::Tickets;
use std::time::Duration;

/// How long the transports have to say something.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the local socket is asked for. In no table: who tests alerts stands at the machine.
const SPEC: Spec = Spec {
    name: "test-alert",
    usage: "<value> <alert>",
    help: "send a test of an alert",
    example: "",
    role: Role::Owner,
    action: None,
    arg: None,
    changes_state: true,
};

/// A test that waits for the transports.
pub(super) struct TestAlert {
    to: ReplyTo,
    began: Mono,
    waits: Vec<(ItemId, Place)>,
    lines: Vec<String>,
    is_refused: bool,
}

impl Core {
    /// Takes the line if it is a test; gives it back otherwise.
    pub(super) fn take_test_alert(&mut self, now: Now, asked: Asked) -> Option<Asked> {
        let line = asked.line.trim().trim_start_matches('/');
        let Some(arguments) = line.strip_prefix(SPEC.name) else {
            return Some(asked);
        };
        let (value, name) = arguments.trim().split_once(' ').unwrap_or_default();
        let caller = asked.caller();
        let to = ReplyTo {
            who: caller.who.clone(),
            address: caller.address.clone(),
            session: Some(asked.session),
            edits: None,
            mark: None,
        };
        let decision = self.chat.access().decide(now.wall, &caller, &SPEC, None);
        let outcome = match decision {
            crate::chat::access::Decision::Refused { because } => Err(format!(
                "you may not do that: {because}; ask as root or as the agent's own user"
            )),
            crate::chat::access::Decision::Allowed { .. } => self.begin(now, value, name.trim()),
        };
        let words = match &outcome {
            Ok(sent) => format!("sent to {} places", sent.to.len()),
            Err(why) => why.clone(),
        };
        self.notices.push(Notice::Audit {
            who: caller.for_audit(),
            action: format!("alert.test:{name}"),
            outcome: words,
        });
        match outcome {
            Ok(sent) => self.wait_for(now, to, sent),
            Err(why) => self.notices.push(Notice::Answer {
                to,
                answer: Answer::text(format!("not sent: {why}")),
            }),
        }
        None
    }

    fn begin(&mut self, now: Now, value: &str, name: &str) -> Result<TestSent, String> {
        let value = number(value).ok_or("the value is not a number; write --value 3500")?;
        let report = self.judge(now, name, value)?;
        let sent = self.with_notifier(now, |notifier, env| notifier.test_alert(env, &report));
        if sent.to.is_empty() {
            return Err(
                "nobody would be told; add chats or mail addresses to [notify] to".to_owned(),
            );
        }
        Ok(sent)
    }

    /// What the rule says about the value.
    fn judge(&mut self, now: Now, name: &str, value: f64) -> Result<Report, String> {
        let mut notices = Vec::new();
        let mut is_known = false;
        for (index, plugin) in self.plugins.iter_mut().enumerate() {
            // Whatever the rule does besides reporting is thrown away.
            let mut ctx = Ctx {
                now,
                config: &self.config,
                effects: &mut Effects::new(),
                tickets: Tickets::new(OWNER_PLUGINS + index as u8, &mut self.next_ticket),
                state: &mut Pending::new(0),
                access: self.chat.access(),
                alerts: &self.book,
                history: &mut History::new(now, false),
                notices: &mut notices,
                rng: &mut self.rng,
            };
            is_known |= plugin.test_alert(&mut ctx, name, value);
        }
        let fires = notices.into_iter().find_map(|notice| match notice {
            Notice::Report(report) if report.state == AlertState::Firing => Some(report),
            _ => None,
        });
        if is_known {
            return fires.ok_or_else(|| format!("{name} does not fire at {value}; give more"));
        }
        let names = super::names::rules(&self.plugins, &self.config);
        let near = suggest::nearest(name, names.iter().map(String::as_str));
        let hint = near.or(names.first().map(String::as_str));
        Err(match hint {
            Some(hint) => format!("there is no rule `{name}`; did you mean `{hint}`?"),
            None => format!("there is no rule `{name}`; none is configured"),
        })
    }

    fn wait_for(&mut self, now: Now, to: ReplyTo, sent: TestSent) {
        let places: Vec<String> = sent.to.iter().map(|(to, _)| to.to_string()).collect();
        let mut text = format!("sent as a test to {}", places.join(", "));
        if let Some(why) = sent.held_because {
            text.push_str(&format!("\nthe alert itself would be held back now: {why}"));
        }
        self.notices.push(Notice::Answer {
            to: to.clone(),
            answer: Answer {
                more_follows: true,
                ..Answer::text(text)
            },
        });
        let waits: Vec<(ItemId, Place)> = sent.to.into_iter().map(|(to, id)| (id, to)).collect();
        for (id, _) in &waits {
            self.chat.outbox().watch(*id);
        }
        self.test_alerts.push(TestAlert {
            to,
            began: now.mono,
            waits,
            lines: Vec::new(),
            is_refused: false,
        });
    }

    /// When the first test is given up.
    pub(super) fn test_alert_timeout(&self) -> Option<Mono> {
        self.test_alerts.first().map(|test| test.began + PATIENCE)
    }

    /// Answers the tests that every transport has said something to, or that have waited for long enough.
    pub(super) fn settle_test_alerts(&mut self, now: Now) {
        for mut test in std::mem::take(&mut self.test_alerts) {
            let is_over = test.began + PATIENCE <= now.mono;
            let chat = &mut self.chat;
            let (lines, is_refused) = (&mut test.lines, &mut test.is_refused);
            test.waits.retain(|(id, to)| {
                let outcome = chat.outbox().outcome(*id);
                if outcome == Some(true) {
                    let took = Human(now.mono.since(test.began));
                    lines.push(format!("{to}: accepted after {took}"));
                    return false;
                }
                let is_closed = chat.is_closed(to);
                if outcome.is_none() && !is_over && !is_closed {
                    return true;
                }
                *is_refused = true;
                let why = chat.why_not(to);
                let why = why.unwrap_or_else(|| "no answer yet".to_owned());
                lines.push(format!("{to}: not accepted: {why}"));
                chat.outbox().unwatch(*id);
                false
            });
            if !test.waits.is_empty() {
                self.test_alerts.push(test);
                continue;
            }
            let word = match test.is_refused {
                false => "accepted by all",
                true => "not accepted by all; what waits goes when it can",
            };
            let text = format!("{word}\n{}", test.lines.join("\n"));
            self.notices.push(Notice::Answer {
                to: test.to,
                answer: Answer::text(text),
            });
        }
    }
}

/// A bare number, or one with a unit.
fn number(text: &str) -> Option<f64> {
    let value = text.parse().ok();
    let value = value.or_else(|| units::power_w(text).ok());
    let value = value.or_else(|| Some(units::duration(text).ok()?.as_secs_f64()));
    let value = value.or_else(|| units::share_percent(text).ok());
    let value = value.or_else(|| units::temperature_celsius(text).ok());
    value.filter(|value: &f64| value.is_finite())
}
