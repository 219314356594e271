//! What waits for the disk, or for 250 ms: replies to the terminal and the local socket that say that something
//! durable was done (and those behind them), and what a command does outside, so that its mark is there before.

use crate::effect::{Effect, Effects, Ticket};
use crate::state::Turn;
use crate::time::Mono;
use std::collections::VecDeque;
use std::time::Duration;

/// A disk that takes longer keeps nobody waiting.
const STORE_PATIENCE: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Replies {
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    /// The journal record that it waits for.
    seq: u64,
    until: Mono,
    effect: Effect,
}

impl Replies {
    /// Holds back the replies of a turn that has to be stored first.
    pub(super) fn hold(&mut self, now: Mono, turn: Option<&Turn>, effects: &mut Effects) {
        let seq = match (turn, self.held.back()) {
            (Some(turn), _) if turn.durable => turn.seq,
            (_, Some(last)) => last.seq,
            _ => return,
        };
        let until = now + STORE_PATIENCE;
        for effect in std::mem::take(effects) {
            match &effect {
                Effect::Reply(_) => self.held.push_back(Held { seq, until, effect }),
                _ if self.holds_start_of(&effect) => {
                    self.held.push_back(Held { seq, until, effect });
                }
                _ => effects.push(effect),
            }
        }
    }

    /// Its stream or program waits here to be started. An operation that overtook the start would be lost.
    fn holds_start_of(&self, effect: &Effect) -> bool {
        let ticket = lasting_ticket(effect);
        let mut held = self.held.iter();
        ticket.is_some() && held.any(|held| lasting_ticket(&held.effect) == ticket)
    }

    /// Holds back what a command does outside until the record `seq`, which has its mark, is stored.
    pub(super) fn hold_command(
        &mut self,
        now: Mono,
        seq: u64,
        own: Effects,
        effects: &mut Effects,
    ) {
        let until = now + STORE_PATIENCE;
        for effect in own {
            match effect.is_outward() {
                true => self.held.push_back(Held { seq, until, effect }),
                false => effects.push(effect),
            }
        }
    }

    /// Lets go what is stored up to `stored`, and what has waited for long enough.
    pub(super) fn release(&mut self, now: Mono, stored: u64, effects: &mut Effects) {
        while let Some(first) = self.held.front() {
            if first.seq > stored && first.until > now {
                return;
            }
            effects.extend(self.held.pop_front().map(|held| held.effect));
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Mono> {
        self.held.front().map(|held| held.until)
    }
}

/// The ticket of a stream or a program, which several effects have in common.
fn lasting_ticket(effect: &Effect) -> Option<Ticket> {
    match effect {
        Effect::Stream(op) => Some(op.ticket),
        Effect::Run(op) => Some(op.ticket),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::SessionId;
    use crate::config::{MailConfig, MailSecurity};
    use crate::effect::{Job, LogFile, MailRequest, SessionReply};
    use crate::event::Reply;
    use crate::run::{RunAction, RunOp};
    use crate::stream::{StreamAction, StreamOp};
    use std::sync::Arc;

    fn reply(text: &str) -> Effect {
        Effect::Reply(SessionReply {
            session: SessionId(1),
            text: text.to_owned(),
            document: None,
            last: true,
        })
    }

    fn turn(seq: u64, durable: bool) -> Turn {
        Turn {
            seq,
            durable,
            changes: Vec::new(),
        }
    }

    fn stream(action: StreamAction) -> Effect {
        let ticket = Ticket(1);
        Effect::Stream(StreamOp { ticket, action })
    }

    fn texts(effects: &Effects) -> Vec<&str> {
        effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Reply(reply) => Some(reply.text.as_str()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_reply_to_a_durable_change_waits_and_none_overtakes_it() {
        let mut replies = Replies::default();
        let mut effects = vec![reply("granted")];
        replies.hold(Mono::ZERO, Some(&turn(7, true)), &mut effects);
        effects.push(reply("later"));
        replies.hold(Mono::ZERO, None, &mut effects);
        replies.release(Mono::ZERO, 6, &mut effects);
        assert_eq!(texts(&effects), Vec::<&str>::new());
        replies.release(Mono::ZERO, 7, &mut effects);
        assert_eq!(texts(&effects), ["granted", "later"]);
        assert_eq!(replies.poll_timeout(), None);
    }

    #[test]
    fn everything_outward_of_a_command_waits_for_its_mark_and_nothing_else_does() {
        let ticket = Ticket(1);
        let server = Arc::new(MailConfig {
            host: String::new(),
            port: 25,
            security: MailSecurity::None,
            login: None,
            from_name: String::new(),
            from: String::new(),
            ca_file: None,
            fallback_after: Duration::ZERO,
            fallback_to: Vec::new(),
        });
        let own = || {
            vec![
                Effect::Snmp(Vec::new()),
                Effect::Mail(MailRequest {
                    ticket,
                    server: Arc::clone(&server),
                    to: String::new(),
                    message: Vec::new(),
                    timeout: Duration::ZERO,
                }),
                Effect::Resolve {
                    ticket,
                    host: String::new(),
                    port: 0,
                },
                stream(StreamAction::End),
                Effect::Run(RunOp {
                    ticket,
                    action: RunAction::Kill,
                }),
                Effect::Append {
                    file: LogFile::Audit,
                    line: String::new(),
                },
                Effect::Work {
                    ticket,
                    job: Job::new(Reply::Mail, || ()),
                },
            ]
        };
        let mut replies = Replies::default();
        let mut effects = Effects::new();
        replies.hold_command(Mono::ZERO, 7, own(), &mut effects);
        replies.release(Mono::ZERO, 6, &mut effects);
        assert!(effects.iter().all(|effect| !effect.is_outward()));
        assert_eq!(effects.len(), 2);
        effects.clear();
        replies.release(Mono::ZERO, 7, &mut effects);
        assert!(effects.iter().all(Effect::is_outward));
        assert_eq!(effects.len(), 5);
    }

    #[test]
    fn nothing_overtakes_the_start_of_its_stream() {
        let mut replies = Replies::default();
        let mut effects = Effects::new();
        let start = vec![stream(StreamAction::Credit(1))];
        replies.hold_command(Mono::ZERO, 7, start, &mut effects);
        let other = Effect::Stream(StreamOp {
            ticket: Ticket(2),
            action: StreamAction::Close,
        });
        effects.extend([stream(StreamAction::Close), other]);
        replies.hold(Mono::ZERO, None, &mut effects);
        assert_eq!(effects.len(), 1, "{effects:?}");
        replies.release(Mono::ZERO, 7, &mut effects);
        let last = format!("{:?}", effects.last());
        assert!(effects.len() == 3 && last.contains("Close"), "{last}");
    }

    #[test]
    fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
        let mut replies = Replies::default();
        let mut effects = vec![reply("granted")];
        replies.hold(Mono::ZERO, Some(&turn(7, true)), &mut effects);
        let until = replies.poll_timeout().expect("it waits");
        replies.release(until, 0, &mut effects);
        assert_eq!(texts(&effects), ["granted"]);
    }

    #[test]
    fn a_reply_without_a_durable_change_leaves_at_once() {
        let mut replies = Replies::default();
        let mut effects = vec![reply("2310 W")];
        replies.hold(Mono::ZERO, Some(&turn(7, false)), &mut effects);
        assert_eq!(texts(&effects), ["2310 W"]);
    }
}
