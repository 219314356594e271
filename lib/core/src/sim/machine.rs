//! The machine that a simulated agent runs on.

use super::Sim;
use super::world::{MACHINE, Out, World};
use crate::effect::Effect;
use crate::event::Reply;
use crate::fault::Fault;
use crate::host::{
    CpuTimes, FileSystem, HostSample, Look, Memory, Network, Processes, SensorKind, Space,
    Temperature, Uplink,
};
use crate::time::{Mono, Now};
use std::time::Duration;

/// Ticks in a second (`USER_HZ`).
const HZ: f64 = 100.0;

/// What the next looks find. Counters go on by themselves, at the rates that stand here.
pub struct Machine {
    /// Everything else is found as it stands here: change it, empty it, fill it up.
    pub sample: HostSample,
    /// How busy each core is, 0 to 100, since the look before.
    pub cpu_percent: f64,
    /// Bytes that each interface receives in a second.
    pub rx_bytes_per_second: u64,
    /// Bytes that each interface sends in a second.
    pub tx_bytes_per_second: u64,
    /// What a look at the processes finds.
    pub processes: Processes,
    /// Every look fails like this.
    pub fault: Option<Fault>,
    /// Looks are not answered at all, as if the sampler hung.
    pub is_silent: bool,
    /// How many looks were asked for.
    pub looks: u64,
    looked: Mono,
    /// Ticks of one core since the start, with the fractions that counters do not show; the busy ones of them; and
    /// those of these that were counted.
    whole: f64,
    busy: f64,
    counted: u64,
}

impl Default for Machine {
    /// A Raspberry Pi with 4 GiB and little to do.
    fn default() -> Machine {
        let start = CpuTimes {
            user: 6_000,
            system: 2_000,
            idle: 352_000,
            ..CpuTimes::default()
        };
        let mut machine = Machine {
            sample: board(),
            cpu_percent: 5.0,
            rx_bytes_per_second: 2_000,
            tx_bytes_per_second: 1_000,
            processes: Processes::default(),
            fault: None,
            is_silent: false,
            looks: 0,
            looked: Mono::ZERO,
            whole: 0.0,
            busy: 0.0,
            counted: 0,
        };
        machine.sample.cores = (0..4).map(|core| (core, start)).collect();
        machine.sample.cpu = Some(CpuTimes {
            user: 4 * start.user,
            system: 4 * start.system,
            idle: 4 * start.idle,
            ..start
        });
        machine
    }
}

impl World for Machine {
    fn request(&mut self, now: Now, effect: Effect, out: &mut Out) {
        let Effect::Host { ticket, look } = effect else {
            return;
        };
        if let Some((delay, reply)) = self.look(now.mono, look) {
            out.reply(delay, ticket, reply);
        }
    }
}

impl Sim {
    /// The machine that the agent runs on, to change what is found there from now on.
    pub fn machine(&mut self) -> &mut Machine {
        self.world(MACHINE)
    }
}

impl Machine {
    /// The answer to a look, and how long it takes.
    fn look(&mut self, now: Mono, look: Look) -> Option<(Duration, Reply)> {
        self.looks += 1;
        self.advance(now);
        if self.is_silent {
            return None;
        }
        let fault = self.fault.clone();
        Some(match look {
            Look::Sample => {
                self.sample.taken = Some(now);
                let result = fault.map_or_else(|| Ok(Box::new(self.sample.clone())), Err);
                (Duration::from_millis(1), Reply::Host(result))
            }
            Look::Processes(most) => {
                let mut found = self.processes.clone();
                found.by_cpu.truncate(most);
                found.by_memory.truncate(most);
                let result = fault.map_or_else(|| Ok(Box::new(found)), Err);
                let delay = Duration::from_millis(300);
                (delay, Reply::Processes(result))
            }
        })
    }

    fn advance(&mut self, now: Mono) {
        let passed = now.since(self.looked);
        self.looked = now;
        let before = self.whole as u64;
        let ticks = passed.as_secs_f64() * HZ;
        self.whole += ticks;
        self.busy += ticks * self.cpu_percent.clamp(0.0, 100.0) / 100.0;
        let whole = self.whole as u64 - before;
        let busy = (self.busy as u64 - self.counted).min(whole);
        self.counted += busy;
        let idle = whole - busy;
        let count = self.sample.cores.len().max(1) as u64;
        for (_, core) in &mut self.sample.cores {
            core.user += busy;
            core.idle += idle;
        }
        if let Some(cpu) = &mut self.sample.cpu {
            cpu.user += busy * count;
            cpu.idle += idle * count;
        }
        let ms = passed.as_millis() as u64;
        for network in &mut self.sample.networks {
            network.rx_bytes += self.rx_bytes_per_second * ms / 1000;
            network.tx_bytes += self.tx_bytes_per_second * ms / 1000;
        }
        if let Some(uptime) = &mut self.sample.uptime {
            *uptime += passed;
        }
    }
}

fn board() -> HostSample {
    HostSample {
        load: Some([0.1, 0.2, 0.3]),
        memory: Some(Memory {
            total_bytes: 4 << 30,
            available_bytes: 3 << 30,
            free_bytes: 2 << 30,
            cached_bytes: 1 << 30,
            swap_total_bytes: 512 << 20,
            swap_free_bytes: 512 << 20,
            ..Memory::default()
        }),
        networks: vec![Network {
            name: "eth0".into(),
            has_carrier: Some(true),
            ..Network::default()
        }],
        uplink: Uplink::Up,
        temperatures: vec![Temperature {
            key: "thermal/cpu_thermal/temp1".into(),
            name: "cpu_thermal".into(),
            kind: SensorKind::Cpu,
            is_main: true,
            celsius: Some(45.0),
            critical_celsius: Some(110.0),
        }],
        file_systems: vec![FileSystem {
            mount: "/".into(),
            device: "/dev/mmcblk0p2".into(),
            kind: "ext4".into(),
            space: Some(Space {
                size_bytes: 32_000_000_000,
                free_bytes: 20_000_000_000,
                available_bytes: 19_000_000_000,
                inodes: 2_000_000,
                inodes_free: 1_900_000,
            }),
            ..FileSystem::default()
        }],
        uptime: Some(Duration::from_secs(3600)),
        ..HostSample::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One look by one, so that fractions of ticks are not lost in between.
    #[test]
    fn counters_go_on_at_the_rates_that_are_set() {
        let mut machine = Machine::default();
        let first = machine.sample.clone();
        machine.cpu_percent = 37.0;
        for millis in (0..=100_000).step_by(7) {
            machine.advance(Mono::new(Duration::from_millis(millis)));
        }
        let (before, after) = (&first.cores[3].1, &machine.sample.cores[3].1);
        let (user, idle) = (after.user - before.user, after.idle - before.idle);
        assert!((9_998..=10_000).contains(&(user + idle)), "{user} {idle}");
        assert!((3_690..=3_701).contains(&user), "{user}");
        let cpu = machine.sample.cpu.expect("it is there");
        assert_eq!(cpu.user, 4 * after.user);
        let received = machine.sample.networks[0].rx_bytes;
        assert!((190_000..=200_000).contains(&received), "{received}");
    }
}
