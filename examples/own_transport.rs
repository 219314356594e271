//! Answering a chat command from your own transport: lines come from anywhere, replies go anywhere.
//!
//! Here the lines stand in a list and the replies are printed; a real transport would read and write a socket. Rights
//! are checked inside: the second person has none, so there is nothing but a refusal for them.

use rackwarden_core::chat::{Asked, SessionId, sessions};
use rackwarden_core::config::Config;
use rackwarden_core::core::{Core, Past, Start};
use rackwarden_core::effect::{Effect, Effects};
use rackwarden_core::event::Event;
use rackwarden_core::state::Records;
use rackwarden_core::time::{Mono, Now, Wall};
use std::sync::Arc;

fn main() {
    let now = Now {
        mono: Mono::ZERO,
        wall: Wall(1_795_205_700_000),
    };
    let start = Start {
        config: Arc::new(Config::empty()),
        records: Records::default(),
        now,
        seed: 1,
        holds_lines: false,
        past: Past::default(),
        keeps_history: false,
    };
    let mut effects = Effects::new();
    let mut core = Core::new(start, &mut effects);

    let lines = [
        (1000, true, "/version"),
        (1000, true, "/help mute"),
        (1001, false, "/alerts"),
    ];
    for (number, (uid, is_owner, line)) in lines.into_iter().enumerate() {
        let asked = Asked {
            session: SessionId(number as u64 + 1),
            who: sessions::local(uid),
            is_owner,
            line: line.to_owned(),
        };
        println!("{uid} asks {line}");
        core.step(now, Event::Asked(asked), &mut effects);
        perform(&mut core, now, &mut effects);
    }
}

/// Does what the core wants done: the replies, and a store that keeps nothing.
fn perform(core: &mut Core, now: Now, effects: &mut Effects) {
    while !effects.is_empty() {
        for effect in std::mem::take(effects) {
            match effect {
                Effect::Reply(reply) => println!("{}", reply.text),
                Effect::Store(turn) => {
                    let seq = turn.seq;
                    core.step(
                        now,
                        Event::Stored {
                            seq,
                            result: Ok(()),
                        },
                        effects,
                    );
                }
                _ => {}
            }
        }
    }
}
