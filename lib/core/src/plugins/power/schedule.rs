//! When which device is polled: at a fixed rate, in few bursts. Up to 64 devices go out as one burst a cycle;
//! more are spread over slots, 20 ms or more apart. Members of a team share a slot, so that their sum is of one moment.

use crate::config::Config;
use crate::plugins::power::settings;
use crate::time::Mono;
use std::time::Duration;

/// Devices that one burst takes before a second slot is opened.
const BURST: usize = 64;
/// Slots are at least so far apart.
const SLOT: Duration = Duration::from_millis(20);
/// A slot never holds more devices than that, unless a team is larger.
const MAX_BURST: usize = 256;

/// The order of polls.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    interval: Duration,
    /// When the cycle `first` began.
    origin: Mono,
    first: u64,
    slots: Vec<Vec<u32>>,
    cycle: u64,
    slot: usize,
}

/// A slot that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Which cycle, counted from 0.
    pub(super) cycle: u64,
    /// Which slot.
    pub(super) slot: usize,
    /// Cycles that were left out because the agent came too late for them.
    pub(super) skipped: u64,
}

impl Schedule {
    /// The schedule of a configuration, beginning at `origin` with this cycle.
    pub(super) fn new(config: &Config, origin: Mono, cycle: u64) -> Schedule {
        let interval = settings(config).interval.max(SLOT);
        Schedule {
            interval,
            origin,
            first: cycle,
            slots: spread(config, interval),
            cycle,
            slot: 0,
        }
    }

    /// Devices of a slot.
    pub(super) fn devices(&self, slot: usize) -> &[u32] {
        self.slots.get(slot).map_or(&[], Vec::as_slice)
    }

    /// When the next slot is due.
    pub(super) fn next(&self) -> Option<Mono> {
        (!self.slots.is_empty()).then(|| self.time_of(self.cycle, self.slot))
    }

    /// The cycle that comes next.
    pub(super) fn cycle(&self) -> u64 {
        self.cycle
    }

    /// The next slot if it is due. Cycles that have passed as a whole are skipped.
    pub(super) fn pop(&mut self, now: Mono) -> Option<Due> {
        let due = self.next()?;
        if now < due {
            return None;
        }
        let late = now.since(due).as_nanos() / self.interval.as_nanos().max(1);
        let skipped = u64::try_from(late).unwrap_or(u64::MAX);
        self.cycle += skipped;
        let popped = Due {
            cycle: self.cycle,
            slot: self.slot,
            skipped,
        };
        self.slot += 1;
        if self.slot == self.slots.len() {
            self.slot = 0;
            self.cycle += 1;
        }
        Some(popped)
    }

    fn time_of(&self, cycle: u64, slot: usize) -> Mono {
        let nanos = self.interval.as_nanos();
        let into = nanos * slot as u128 / self.slots.len().max(1) as u128;
        let total = nanos * u128::from(cycle - self.first) + into;
        self.origin + Duration::from_nanos(u64::try_from(total).unwrap_or(u64::MAX))
    }
}

fn spread(config: &Config, interval: Duration) -> Vec<Vec<u32>> {
    let count = settings(config).pdus.len();
    if count == 0 {
        return Vec::new();
    }
    let most = (interval.as_nanos() / SLOT.as_nanos()).max(1) as usize;
    let wanted = count.div_ceil(BURST).min(most);
    let mut slots: Vec<Vec<u32>> = vec![Vec::new(); wanted];
    let mut placed = 0usize;
    for group in groups(config) {
        // The middle of the group decides, so that the slots fill evenly.
        let mut at = ((placed + group.len() / 2) * wanted / count).min(wanted - 1);
        while slots[at].len() + group.len() > MAX_BURST && at + 1 < wanted {
            at += 1;
        }
        slots[at].extend(&group);
        placed += group.len();
    }
    slots.retain(|slot| !slot.is_empty());
    slots
}

/// Teams as they stand, and every other device alone, in the order of the configuration.
fn groups(config: &Config) -> Vec<Vec<u32>> {
    let mut groups = Vec::new();
    let mut team_done = vec![false; settings(config).teams.len()];
    for (index, pdu) in (0u32..).zip(&settings(config).pdus) {
        let team = pdu.team.and_then(|team| {
            let members = &settings(config).teams.get(team as usize)?.members;
            Some((team as usize, members))
        });
        match team {
            Some((team, members)) if !team_done[team] => {
                team_done[team] = true;
                groups.push(members.clone());
            }
            Some(_) => {}
            None => groups.push(vec![index]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    fn at(ms: u64) -> Mono {
        Mono::new(Duration::from_millis(ms))
    }

    #[test]
    fn up_to_64_devices_are_one_burst_and_more_are_spread() {
        for (devices, slots, largest) in [
            (1, 1, 1),
            (64, 1, 64),
            (100, 2, 50),
            (1000, 16, 63),
            (10_000, 100, 100),
        ] {
            let schedule = Schedule::new(&config(devices, 0), at(0), 0);
            assert_eq!(schedule.slots.len(), slots, "{devices} devices");
            let most = schedule.slots.iter().map(Vec::len).max();
            assert_eq!(most, Some(largest), "{devices} devices");
            let all: usize = schedule.slots.iter().map(Vec::len).sum();
            assert_eq!(all, devices);
        }
    }

    #[test]
    fn members_of_a_team_share_a_slot() {
        let config = config(1000, 7);
        let schedule = Schedule::new(&config, at(0), 0);
        for team in &settings(&config).teams {
            let slot = schedule
                .slots
                .iter()
                .find(|slot| slot.contains(&team.members[0]));
            let slot = slot.expect("every device has a slot");
            assert!(team.members.iter().all(|member| slot.contains(member)));
        }
    }

    #[test]
    fn the_rate_is_fixed_and_missed_cycles_are_skipped() {
        let mut schedule = Schedule::new(&config(2, 0), at(500), 0);
        let due = |cycle, skipped| {
            Some(Due {
                cycle,
                slot: 0,
                skipped,
            })
        };
        assert_eq!(schedule.pop(at(499)), None);
        assert_eq!(schedule.pop(at(500)), due(0, 0));
        assert_eq!(schedule.next(), Some(at(2500)));
        assert_eq!(
            schedule.pop(at(2900)),
            due(1, 0),
            "late, but the next is in time"
        );
        assert_eq!(schedule.next(), Some(at(4500)));
        assert_eq!(schedule.pop(at(11_000)), due(5, 3));
        assert_eq!(schedule.next(), Some(at(12_500)));
    }

    #[test]
    fn a_new_schedule_goes_on_with_the_cycle() {
        let schedule = Schedule::new(&config(2, 0), at(60_000), 7);
        assert_eq!(schedule.next(), Some(at(60_000)));
        assert_eq!(schedule.cycle(), 7);
    }
}
