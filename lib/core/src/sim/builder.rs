//! Puts a simulated world together.

use super::disk::Disk;
use super::heartbeat::Watcher;
use super::machine::Machine;
use super::mail::PostOffice;
use super::pdus::Pdus;
use super::service::Chat;
use super::world::{HEARTBEAT, MACHINE, MAIL, PDUS, Routes, TELEGRAM, World};
use super::{BEGIN, Sim, start};
use crate::config::Config;
use crate::core::Core;
use crate::effect::Effects;
use crate::history::{Archive, MemoryStorage};
use crate::plugins::Make;
use crate::state::Records;
use crate::time::{Mono, Now};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parts of a simulated world.
pub struct Builder {
    config: Config,
    plugins: Vec<Make>,
    worlds: BTreeMap<String, Box<dyn World>>,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder {
            config: Sim::config(&[]),
            plugins: Vec::new(),
            worlds: BTreeMap::new(),
        }
    }
}

impl Builder {
    /// The configuration of the agent. Every PDU in it is a simulated single-phase APC unit that draws 1 kW.
    pub fn config(mut self, config: Config) -> Builder {
        self.config = config;
        self
    }

    /// Plugins of your own, beside those of the agent. They are there again after a restart.
    pub fn plugins(mut self, plugins: &[Make]) -> Builder {
        self.plugins.extend(plugins);
        self
    }

    /// A peer for an endpoint or a program, by its name; it takes the place of one of the same name.
    pub fn world(mut self, name: &str, world: impl World) -> Builder {
        self.worlds.insert(name.to_owned(), Box::new(world));
        self
    }

    /// Starts the agent.
    pub fn build(self) -> Sim {
        let config = Arc::new(self.config);
        let mut worlds: BTreeMap<String, Box<dyn World>> = BTreeMap::new();
        worlds.insert(PDUS.to_owned(), Box::new(Pdus::new(&config)));
        worlds.insert(MACHINE.to_owned(), Box::new(Machine::default()));
        worlds.insert(MAIL.to_owned(), Box::new(PostOffice::default()));
        worlds.insert(TELEGRAM.to_owned(), Box::new(Chat::default()));
        worlds.insert(HEARTBEAT.to_owned(), Box::new(Watcher::default()));
        worlds.extend(self.worlds);
        let now = Now {
            mono: Mono::ZERO,
            wall: BEGIN,
        };
        let mut effects = Effects::new();
        let records = Records::default();
        let start = start(&config, records, now, 0);
        let core = Core::with_plugins(start, &self.plugins, &mut effects);
        let mut sim = Sim {
            core,
            plugins: self.plugins,
            config,
            now,
            worlds,
            routes: Routes::default(),
            queue: BTreeMap::new(),
            queued: 0,
            disk: Disk::default(),
            archive: Archive::new(MemoryStorage::default()),
            skew_ms: 0,
            is_dead: false,
            restarts: 0,
            logs: BTreeMap::new(),
            transcript: Vec::new(),
            snapshot: None,
            steps: 0,
            around_steps: None,
        };
        sim.perform(effects);
        sim
    }
}
