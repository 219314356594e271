//! The terminal of `demo` as a place that alerts are sent to. Answers to its lines go through `sessions`.

use super::SessionId;
use super::hub::ChatEnv;
use super::transport::{Limits, Outgoing, People, Readiness, Service, Transport, TransportEvent};
use crate::effect::{Effect, SessionReply};
use crate::time::Mono;

/// Its row. It is always there: without `demo` nobody has this address.
pub(super) const SERVICE: Service = Service {
    name: "terminal",
    title: "the terminal",
    make: |_| Some(Box::new(Terminal)),
    path: nothing,
    people: &[People {
        name: "terminal",
        id: nothing,
        is_owner: |_| true,
        ..People::NONE
    }],
    types_codes: true,
    ..Service::NONE
};

/// There is one, so its name has no more to say.
fn nothing(text: &str) -> Option<String> {
    text.is_empty().then(String::new)
}

/// The transport.
#[derive(Debug)]
pub(super) struct Terminal;

impl Transport for Terminal {
    fn service(&self) -> &'static Service {
        &SERVICE
    }

    fn limits(&self) -> Limits {
        Limits {
            text_units: 65_536,
            caption_units: 65_536,
            pace: None,
        }
    }

    fn readiness(&self, _now: Mono) -> Readiness {
        Readiness::Ready
    }

    /// What was printed cannot be changed, and whoever reads along has seen it: an edit is done at once.
    fn send(&mut self, env: &mut ChatEnv<'_>, message: Outgoing) -> Vec<TransportEvent> {
        let sent = TransportEvent::Sent {
            item: message.item,
            message: i64::try_from(message.item).ok(),
        };
        if message.edit.is_some() {
            return vec![sent];
        }
        let mut text = message.text.to_plain();
        for (label, code) in message.buttons.iter().flatten() {
            text.push_str(&format!("\n  {label}: /press {code}"));
        }
        env.effects.push(Effect::Reply(SessionReply {
            session: SessionId::TERMINAL,
            text,
            document: message.document,
            last: false,
        }));
        vec![sent]
    }
}
