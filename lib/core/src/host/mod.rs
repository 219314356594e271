//! What one look at this machine finds, as values: counters as the kernel counts them, capacities, temperatures.
//!
//! `procfs`, `mounts`, `sensors` and `throttled` make them of bytes. Reading files is `io::host`; shares and rates, which need two looks, are made in `plugins::monitor`. What could not be
//! read is `None` or absent, never 0.

#[cfg(test)]
pub(crate) mod machines;
pub mod mounts;
pub mod procfs;
pub mod sensors;
pub mod throttled;
mod view;

pub use view::{Bytes, HostView, Rates};

use crate::time::{Mono, Wall};
#[cfg(test)]
use sensors::Files;
use std::sync::Arc;
use std::time::Duration;

/// What to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Everything that a `HostSample` holds; answered at once.
    Sample,
    /// The programs that use the most, so many of each list; answered within a second, since shares need two looks.
    Processes(usize),
}

/// One look at the machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSample {
    /// When it was taken; `None` before the first.
    pub taken: Option<Mono>,
    /// Time that all cores together spent (`/proc/stat`, line `cpu`).
    pub cpu: Option<CpuTimes>,
    /// The same for each core that is online, by its number.
    pub cores: Vec<(u32, CpuTimes)>,
    /// Load averages over 1, 5 and 15 minutes (`/proc/loadavg`).
    pub load: Option<[f64; 3]>,
    /// Memory and swap (`/proc/meminfo`).
    pub memory: Option<Memory>,
    /// Interfaces (`/proc/net/dev`), the loopback left out, in the kernel's order.
    pub networks: Vec<Network>,
    /// The way out of this machine.
    pub uplink: Uplink,
    /// Temperature sensors, by key.
    pub temperatures: Vec<Temperature>,
    /// Mounted file systems that hold data, each device once, by mount point.
    pub file_systems: Vec<FileSystem>,
    /// What a Raspberry Pi says about its supply and its heat; `None` on other machines.
    pub throttled: Option<Throttled>,
    /// Time since boot (`/proc/uptime`).
    pub uptime: Option<Duration>,
    /// When that was, in whole seconds (`/proc/stat`, line `btime`); looked at now and then.
    pub booted: Option<Wall>,
}

/// Time spent since boot, in ticks of `USER_HZ` (proc_stat(5)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// In user mode, guests included.
    pub user: u64,
    /// In user mode with low priority.
    pub nice: u64,
    /// In the kernel.
    pub system: u64,
    /// Idle.
    pub idle: u64,
    /// Idle while input or output was under way.
    pub iowait: u64,
    /// Serving interrupts.
    pub irq: u64,
    /// Serving soft interrupts.
    pub softirq: u64,
    /// Taken by the hypervisor for other machines.
    pub steal: u64,
}

/// Bytes, from `/proc/meminfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// `MemTotal`.
    pub total_bytes: u64,
    /// `MemAvailable`: what programs can have without swapping.
    pub available_bytes: u64,
    /// `MemFree`.
    pub free_bytes: u64,
    /// `Buffers`.
    pub buffers_bytes: u64,
    /// `Cached`.
    pub cached_bytes: u64,
    /// `SwapTotal`; 0 without swap.
    pub swap_total_bytes: u64,
    /// `SwapFree`.
    pub swap_free_bytes: u64,
}

impl Memory {
    /// What is not available.
    pub fn used_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.available_bytes)
    }
}

/// Counters of one interface since it came up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// `eth0`.
    pub name: Arc<str>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Packets not sent because of errors.
    pub tx_errors: u64,
    /// Whether there is a carrier (`/sys/class/net/*/carrier`); `None` while it is down.
    pub has_carrier: Option<bool>,
    /// True for bridges, tunnels and the ends of containers (no `device` in `/sys/class/net`), but within a container not
    /// for the way out.
    pub is_virtual: bool,
}

/// Whether anything beyond this machine can be reached at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Uplink {
    /// It could not be found out.
    #[default]
    Unknown,
    /// There is a default route (IPv4 or IPv6) through an interface with a carrier.
    Up,
    /// No default route.
    NoRoute,
    /// Every interface of a default route is without a carrier.
    NoCarrier,
}

/// What a sensor sits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SensorKind {
    /// The processor, or the chip that it is part of.
    Cpu,
    /// A graphics processor of its own.
    Gpu,
    /// A disk (hwmon `nvme`, `drivetemp`).
    Disk,
    /// Everything else: board, chipset, network card, battery.
    Other,
}

/// One temperature sensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Temperature {
    /// Stable across boots: made of the device's path and the sensor's label, never of `hwmonN`.
    pub key: Arc<str>,
    /// For people: `nvme Samsung SSD 980`, `cpu_thermal`, `coretemp Package id 0`.
    pub name: Arc<str>,
    /// What it sits on.
    pub kind: SensorKind,
    /// True for the one of a device's sensors that limits are meant for: `Package id 0` but not `Core 3`, `Composite`
    /// but not `Sensor 2`, `edge` but not `junction`.
    pub is_main: bool,
    /// Degrees Celsius; `None` when it could not be read or the value is impossible.
    pub celsius: Option<f64>,
    /// The device's own critical temperature (`temp*_crit`), degrees Celsius.
    pub critical_celsius: Option<f64>,
}

/// One mounted file system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileSystem {
    /// Where it is mounted; of several places the shortest that shows the whole of it.
    pub mount: Arc<str>,
    /// `/dev/mmcblk0p2`, `nas:/export`.
    pub device: Arc<str>,
    /// `ext4`, `nfs4`.
    pub kind: Arc<str>,
    /// Its figures; `None` when it did not answer in time or could not be asked.
    pub space: Option<Space>,
    /// How long it has not answered, when it hangs.
    pub hangs_for: Option<Duration>,
    /// Mounted read-only.
    pub is_read_only: bool,
}

/// What statvfs(3) says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Free in bytes, for root.
    pub free_bytes: u64,
    /// Free in bytes, for everybody.
    pub available_bytes: u64,
    /// Inodes; 0 where there are none to run out of.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
}

/// What the firmware of a Raspberry Pi reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Bits 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit; 16 to 19 the same since boot.
    pub bits: u32,
    /// Which of the bits the source can tell: all of them, or bit 0 alone.
    pub known: u32,
    /// Who says so.
    pub source: ThrottledSource,
}

/// Where the word of a Raspberry Pi comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottledSource {
    /// hwmon `rpi_volt`, `in0_lcrit_alarm`: under-voltage alone.
    Hwmon,
    /// The firmware's own word (`get_throttled`).
    Firmware,
}

/// The programs that use the most.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Processes {
    /// How many there are in all, threads not counted.
    pub count: usize,
    /// Those that compute the most, the busiest first; idle ones are left out.
    pub by_cpu: Vec<Process>,
    /// Those that hold the most memory, the largest first; those of the kernel hold none and are left out.
    pub by_memory: Vec<Process>,
}

/// One program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name without path and arguments, which may hold secrets: `postgres`.
    pub name: Arc<str>,
    /// Share of one core over the time between the looks: 250 % keeps two and a half cores busy.
    pub cpu_percent: f64,
    /// Resident memory in bytes, with what it shares with others.
    pub memory_bytes: u64,
}
