//! Ends and beginnings of the simulated agent, and what its disk keeps over them.

use super::world::Routes;
use super::{Delivery, Sim, start};
use crate::core::Core;
use crate::effect::{Effect, Effects};
use crate::event::{Event, Reply};
use crate::history::{Archive, Curve, MemoryStorage, Outcome, Query};
use crate::rng::Rng;
use crate::time::Mono;

impl Sim {
    /// Ends the agent as the service manager does; everything is written.
    pub fn stop(&mut self) {
        self.step(Event::Stop);
        let _ = self.disk.commit(self.now.mono);
        self.kill();
    }

    /// Ends the agent without any warning. What it gave to the operating system stays.
    pub fn kill(&mut self) {
        self.is_dead = true;
        self.queue
            .retain(|_, delivery| matches!(delivery, Delivery::Action(_)));
        for world in self.worlds.values_mut() {
            world.forget_agent();
        }
        self.routes = Routes::default();
    }

    /// Ends it by a power cut: of what was not synced any part may have been written. `seed` decides which.
    pub fn cut_power(&mut self, seed: u64) {
        self.kill();
        let rng = &mut Rng::new(seed);
        self.disk.cut_power(rng);
        self.archive.storage().power_cut_torn(rng);
    }

    /// Starts it again from what was stored. Returns the moment until which everything that it had decided is kept.
    pub fn restart(&mut self) -> Mono {
        self.is_dead = false;
        let kept = self.disk.reopen(self.now.mono);
        let archive = Archive::new(MemoryStorage::default());
        let archive = std::mem::replace(&mut self.archive, archive);
        self.archive = Archive::new(archive.into_storage());
        self.restarts += 1;
        let records = self.disk.journal.records().clone();
        let mut effects = Effects::new();
        self.core = Core::with_plugins(
            start(&self.config, records, self.now, self.restarts),
            &self.plugins,
            &mut effects,
        );
        self.perform(effects);
        kept
    }

    /// The files of the long history, to look at and to break.
    pub fn history_storage(&mut self) -> &mut MemoryStorage {
        self.archive.storage()
    }

    /// What a series was, read as a plugin would: from memory, else from disk.
    pub fn recall(&mut self, query: &Query) -> Vec<Curve> {
        let mut effects = Effects::new();
        self.core.ask_what_was(self.now, query, &mut effects);
        let answers = effects.into_iter().filter_map(|effect| match effect {
            Effect::Work { job, .. } => match job.run() {
                Reply::History(result) => result.ok(),
                _ => None,
            },
            Effect::History(op) => match self.archive.handle(op)? {
                Outcome::Recalled { result, .. } => result.ok(),
                _ => None,
            },
            _ => None,
        });
        answers.flatten().collect()
    }
}
