//! What readers see of this machine: the last look, and the shares and rates that follow from it and the one before.

use super::{CpuTimes, FileSystem, HostSample, Memory, Space};
use crate::time::Wall;
use std::fmt;

/// The host at one moment.
#[derive(Clone, Debug, Default)]
pub struct HostView {
    /// When it was looked at; `None` before the first look, and while looks fail.
    pub at: Option<Wall>,
    /// The look itself.
    pub sample: HostSample,
    /// How busy all cores together were since the look before, 0 to 100.
    pub cpu_percent: Option<f64>,
    /// The same for each of `sample.cores`, in their order.
    pub cores_percent: Vec<Option<f64>>,
    /// Time of each of `sample.cores`, in their order, to be counted on: what the kernel takes back a little of is held,
    /// only what begins anew falls.
    pub counted: Vec<CpuTimes>,
    /// Rates of each of `sample.networks`, in their order.
    pub rates: Vec<Rates>,
}

impl HostView {
    /// When the machine started: what the kernel says, else what follows from the look.
    pub fn booted(&self) -> Option<Wall> {
        let computed = || Some(self.at?.minus(self.sample.uptime?));
        self.sample.booted.or_else(computed)
    }
}

/// What goes through an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Bytes received in a second.
    pub rx: Option<f64>,
    /// Bytes sent in a second.
    pub tx: Option<f64>,
}

impl Memory {
    /// Share of the memory that programs cannot have, 0 to 100.
    pub fn used_percent(&self) -> Option<f64> {
        share(self.used_bytes(), self.total_bytes)
    }

    /// Swap in use.
    pub fn swap_used_bytes(&self) -> u64 {
        self.swap_total_bytes.saturating_sub(self.swap_free_bytes)
    }

    /// Share of the swap in use, 0 to 100; `None` without swap.
    pub fn swap_used_percent(&self) -> Option<f64> {
        share(self.swap_used_bytes(), self.swap_total_bytes)
    }
}

impl Space {
    /// Bytes in use.
    pub fn used_bytes(&self) -> u64 {
        self.size_bytes.saturating_sub(self.free_bytes)
    }

    /// Share in use of what everybody can have, 0 to 100, as `df` counts it: what is kept back for root is no room.
    pub fn used_percent(&self) -> Option<f64> {
        let used = self.used_bytes();
        share(used, used.saturating_add(self.available_bytes))
    }

    /// Share of the inodes in use, 0 to 100; `None` where they cannot run out.
    pub fn inodes_used_percent(&self) -> Option<f64> {
        share(self.inodes.saturating_sub(self.inodes_free), self.inodes)
    }
}

impl FileSystem {
    /// Share in use, 0 to 100.
    pub fn used_percent(&self) -> Option<f64> {
        self.space.as_ref()?.used_percent()
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

/// Prints a size as people say it: `512 B`, `1.5 GiB`, `32 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut names = units.into_iter();
        let (mut name, mut scale) = (names.next().unwrap_or(""), 1u128);
        let tenths_of = |scale: u128| (u128::from(self.0) * 10 + scale / 2) / scale;
        // What would print as 1024 is one of the next unit.
        while tenths_of(scale) >= 10_240 {
            let Some(next) = names.next() else { break };
            (name, scale) = (next, scale * 1024);
        }
        let tenths = tenths_of(scale);
        let (whole, tenth) = (tenths / 10, tenths % 10);
        match tenth {
            _ if whole >= 100 => write!(f, "{} {name}", (tenths + 5) / 10),
            0 => write!(f, "{whole} {name}"),
            tenth => write!(f, "{whole}.{tenth} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_like_speech() {
        for (bytes, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (104_858, "102 KiB"),
            (1_048_575, "1 MiB"),
            (32_000_000_000, "29.8 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), want, "{bytes}");
        }
    }

    #[test]
    fn shares_are_those_of_df_and_free() {
        let space = Space {
            size_bytes: 100,
            free_bytes: 30,
            available_bytes: 25,
            inodes: 0,
            inodes_free: 0,
        };
        let percent = space.used_percent().expect("it has a size");
        assert!((percent - 73.684).abs() < 1e-3, "{percent}");
        assert_eq!(space.inodes_used_percent(), None);
        let memory = Memory {
            total_bytes: 400,
            available_bytes: 100,
            ..Memory::default()
        };
        assert_eq!(memory.used_percent(), Some(75.0));
        assert_eq!(memory.swap_used_percent(), None);
        assert_eq!(Space::default().used_percent(), None);
    }
}
