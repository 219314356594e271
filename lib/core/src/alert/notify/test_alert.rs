//! The message of `rackwarden test-alert`: it goes to whom the alert would go, reads as the alert would read, and is
//! marked as a test. The alert itself, its budget and its messages are left alone.

use super::message::{Message, Title};
use super::told::{Cause, Note, Queued};
use super::{Notifier, NotifyEnv, policy};
use crate::alert::{ChangeKind, Report, book, inhibit};
use crate::chat::Place;
use crate::chat::outbox::{Draft, ItemId};
use crate::text::{Style, Text};

/// What became of a test at once.
#[derive(Debug)]
pub struct TestSent {
    /// To whom the message is on its way.
    pub to: Vec<(Place, ItemId)>,
    /// Why the alert itself would not be told now.
    pub held_because: Option<&'static str>,
}

impl Notifier {
    /// Sends the message of a made-up report.
    pub fn test_alert(&mut self, env: &mut NotifyEnv<'_>, report: &Report) -> TestSent {
        self.look_up(env, None);
        let (name, severity) = (&report.name, report.severity);
        let held_because = match self.obstacle(env, name, severity) {
            Some(cause @ (Cause::Mute | Cause::MuteAll)) => Some(cause),
            other => {
                let inhibitor = inhibit::inhibitor(env.book, name, report.causes.as_deref());
                inhibitor.map(|_| Cause::Inhibited).or(other)
            }
        };
        let change = book::change(report, ChangeKind::Fired, Some(report.at));
        let line = Queued::of(&change, Note::Firing).line(name);
        let mut to = Vec::new();
        for message in Message::several(&Title::Alerts, vec![line]) {
            let agent = &env.config.name;
            let mut text = Text::new();
            text.push(
                Style::Bold,
                format!("🧪 {agent}: TEST of {name}, nothing is wrong. It would read:\n"),
            );
            text.append(message.text(env.config, env.now));
            let audience = policy::audience(env.config.notify_of(name), name, severity);
            let mut topic = message.topic(&mut audience.iter());
            topic.alerts.clear();
            for address in audience {
                let draft = Draft {
                    to: address.clone(),
                    lane: message.lane(),
                    text: text.clone(),
                    buttons: Vec::new(),
                    document: None,
                    edit: None,
                    silent: false,
                    alert: None,
                    topic: Some(topic.clone()),
                };
                let item = env.outbox.post(env.now, env.state, draft);
                to.push((address.clone(), item));
            }
        }
        TestSent {
            to,
            held_because: held_because.map(Cause::words),
        }
    }
}
