//! The terminal of `demo` as a place that alerts are sent to. Answers to its lines go through `sessions`.

use super::hub::ChatEnv;
use super::transport::{Happening, Limits, Outgoing, Readiness, Transport};
use super::{Address, SessionId};
use crate::config::Config;
use crate::effect::{Effect, SessionReply};
use crate::time::Mono;

/// The transport.
#[derive(Debug)]
pub(super) struct Terminal;

/// It is always there: without `demo` nobody has this address.
pub(super) fn make(_config: &Config) -> Option<Box<dyn Transport>> {
    Some(Box::new(Terminal))
}

impl Transport for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn serves(&self, address: &Address) -> bool {
        *address == Address::Terminal
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
    fn send(&mut self, env: &mut ChatEnv<'_>, message: Outgoing) -> Vec<Happening> {
        let sent = Happening::Sent {
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
