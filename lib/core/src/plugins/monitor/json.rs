//! `/api/host`: what the last look at the machine found. What is not known is null, and so is all of it while looks fail.

use crate::host::{self, FileSystem, HostView, Rates, SensorKind, Temperature};
use crate::render::{List, Num, Time, num};
use crate::time::Now;
use crate::{shape, words};
use std::time::Duration;

words! {
    /// Things that sensors sit on.
    pub(super) struct Kind = "cpu" | "gpu" | "disk" | "other";
    /// Sources of what is known of the supply.
    pub(super) struct Source = "hwmon" | "firmware";
}

shape! {
    /// The machine.
    pub(super) struct Host<'a> {
        /// when it was looked at; null, like everything else, without the monitor and while looks fail
        time: Option<Time>,
        /// seconds since then
        age_s: Option<Num>,
        /// how busy it was since the look before, 0 to 100
        cpu_percent: Option<Num>,
        /// those that are online
        cores: Vec<Core>,
        /// load averages over 1, 5 and 15 minutes
        load: Option<Vec<Num>>,
        /// main memory
        memory: Option<Memory>,
        /// swap
        swap: Option<Swap>,
        /// mounted file systems that hold data
        disks: List<'a, FileSystem, Disk<'a>>,
        /// temperature sensors
        temperatures: List<'a, Temperature, TemperatureSensor<'a>>,
        /// interfaces, without the loopback
        networks: Vec<Network<'a>>,
        /// seconds since the machine started
        uptime_s: Option<Num>,
        /// what a Raspberry Pi says of its supply and heat; null elsewhere
        throttled: Option<Throttled>,
    }

    /// A core of the processor.
    pub(super) struct Core {
        /// its number
        index: u32,
        /// how busy it was since the look before, 0 to 100
        cpu_percent: Option<Num>,
    }

    /// Main memory.
    pub(super) struct Memory {
        /// size
        total_bytes: u64,
        /// what is not available
        used_bytes: u64,
        /// what programs can have without swapping
        available_bytes: u64,
        /// used by nothing at all
        free_bytes: u64,
        /// buffers of the kernel
        buffers_bytes: u64,
        /// files in memory
        cached_bytes: u64,
        /// 0 to 100
        used_percent: Option<Num>,
    }

    /// Swap.
    pub(super) struct Swap {
        /// size
        total_bytes: u64,
        /// in use
        used_bytes: u64,
        /// used by nothing at all
        free_bytes: u64,
        /// 0 to 100
        used_percent: Option<Num>,
    }

    /// A file system.
    pub(super) struct Disk<'a> {
        /// where it is mounted
        mount: &'a str,
        /// what is mounted
        device: &'a str,
        /// ext4, nfs4 and so on
        r#type: &'a str,
        /// mounted read-only
        is_read_only: bool,
        /// size; like all figures null while it does not answer
        total_bytes: Option<Num>,
        /// in use
        used_bytes: Option<Num>,
        /// free for root
        free_bytes: Option<Num>,
        /// free for everybody
        available_bytes: Option<Num>,
        /// in use of what everybody can have, as df counts it
        used_percent: Option<Num>,
        /// inodes in all; 0 where there are none to run out of
        inodes: Option<Num>,
        /// free inodes
        inodes_free: Option<Num>,
        /// inodes in use, 0 to 100
        inodes_used_percent: Option<Num>,
        /// seconds for which it has not answered; null while it does
        hangs_for_s: Option<Num>,
    }

    /// A temperature sensor.
    pub(super) struct TemperatureSensor<'a> {
        /// its name, the same across boots
        name: &'a str,
        /// the one of a device's sensors that limits are meant for
        is_main: bool,
        /// what it sits on
        kind: Kind,
        /// degrees Celsius
        temperature_celsius: Option<Num>,
        /// the device's own limit
        critical_celsius: Option<Num>,
    }

    /// An interface.
    pub(super) struct Network<'a> {
        /// its name
        name: &'a str,
        /// a bridge, a tunnel or the end of a container
        is_virtual: bool,
        /// null while it is down
        has_carrier: Option<bool>,
        /// since the look before
        receive_bytes_per_s: Option<Num>,
        /// since the look before
        transmit_bytes_per_s: Option<Num>,
        /// since it came up
        receive_bytes: u64,
        /// since it came up
        transmit_bytes: u64,
        /// since it came up
        receive_packets: u64,
        /// since it came up
        transmit_packets: u64,
        /// since it came up
        receive_errors: u64,
        /// since it came up
        transmit_errors: u64,
    }

    /// The supply of a Raspberry Pi.
    pub(super) struct Throttled {
        /// something is wrong at present
        is_now: bool,
        /// something was wrong since the start of the machine
        is_since_boot: bool,
        /// the firmware's word (vcgencmd get_throttled)
        bits: u32,
        /// the bits of it that could be read
        known_bits: u32,
        /// who says so
        source: Source,
        /// the same for people
        sentence: String,
    }
}

/// `/api/host`.
pub(super) fn host(host: &HostView, now: Now) -> Host<'_> {
    let sample = &host.sample;
    let cores = sample.cores.iter().zip(&host.cores_percent);
    let networks = sample.networks.iter().zip(&host.rates);
    let age = sample.taken.map(|taken| now.mono.since(taken));
    let uptime = sample.uptime.map(|uptime| uptime.as_millis() as f64 / 1e3);
    Host {
        time: host.at.map(Time),
        age_s: age.map(seconds),
        cpu_percent: percent(host.cpu_percent),
        cores: cores
            .map(|((index, _), busy)| Core {
                index: *index,
                cpu_percent: percent(*busy),
            })
            .collect(),
        load: sample.load.map(|load| load.map(Num).into()),
        memory: sample.memory.as_ref().map(memory),
        swap: sample.memory.as_ref().map(swap),
        disks: List::of(&sample.file_systems),
        temperatures: List::of(&sample.temperatures),
        networks: networks
            .map(|(network, rates)| self::network(network, rates))
            .collect(),
        uptime_s: num(uptime),
        throttled: sample.throttled.map(throttled),
    }
}

fn memory(memory: &host::Memory) -> Memory {
    Memory {
        total_bytes: memory.total_bytes,
        used_bytes: memory.used_bytes(),
        available_bytes: memory.available_bytes,
        free_bytes: memory.free_bytes,
        buffers_bytes: memory.buffers_bytes,
        cached_bytes: memory.cached_bytes,
        used_percent: percent(memory.used_percent()),
    }
}

fn swap(memory: &host::Memory) -> Swap {
    Swap {
        total_bytes: memory.swap_total_bytes,
        used_bytes: memory.swap_used_bytes(),
        free_bytes: memory.swap_free_bytes,
        used_percent: percent(memory.swap_used_percent()),
    }
}

impl<'a> From<&'a FileSystem> for Disk<'a> {
    fn from(disk: &'a FileSystem) -> Disk<'a> {
        let space = disk.space.as_ref();
        let count = |of: fn(&host::Space) -> u64| space.map(|space| Num(of(space) as f64));
        Disk {
            mount: &disk.mount,
            device: &disk.device,
            r#type: &disk.kind,
            is_read_only: disk.is_read_only,
            total_bytes: count(|space| space.size_bytes),
            used_bytes: count(|space| space.used_bytes()),
            free_bytes: count(|space| space.free_bytes),
            available_bytes: count(|space| space.available_bytes),
            used_percent: percent(disk.used_percent()),
            inodes: count(|space| space.inodes),
            inodes_free: count(|space| space.inodes_free),
            inodes_used_percent: percent(space.and_then(|space| space.inodes_used_percent())),
            hangs_for_s: disk.hangs_for.map(seconds),
        }
    }
}

impl<'a> From<&'a Temperature> for TemperatureSensor<'a> {
    fn from(sensor: &'a Temperature) -> TemperatureSensor<'a> {
        TemperatureSensor {
            name: &sensor.name,
            is_main: sensor.is_main,
            kind: Kind(match sensor.kind {
                SensorKind::Cpu => "cpu",
                SensorKind::Gpu => "gpu",
                SensorKind::Disk => "disk",
                SensorKind::Other => "other",
            }),
            temperature_celsius: num(sensor.celsius),
            critical_celsius: num(sensor.critical_celsius),
        }
    }
}

fn network<'a>(network: &'a host::Network, rates: &Rates) -> Network<'a> {
    Network {
        name: &network.name,
        is_virtual: network.is_virtual,
        has_carrier: network.has_carrier,
        receive_bytes_per_s: percent(rates.rx),
        transmit_bytes_per_s: percent(rates.tx),
        receive_bytes: network.rx_bytes,
        transmit_bytes: network.tx_bytes,
        receive_packets: network.rx_packets,
        transmit_packets: network.tx_packets,
        receive_errors: network.rx_errors,
        transmit_errors: network.tx_errors,
    }
}

fn throttled(throttled: host::Throttled) -> Throttled {
    Throttled {
        is_now: throttled.is_now(),
        is_since_boot: throttled.is_since_boot(),
        bits: throttled.bits,
        known_bits: throttled.known,
        source: Source(throttled.source.name()),
        sentence: throttled.sentence(),
    }
}

/// Two decimals.
fn percent(value: Option<f64>) -> Option<Num> {
    value.map(|value| Num((value * 100.0).round() / 100.0))
}

fn seconds(span: Duration) -> Num {
    Num((span.as_secs_f64() * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use crate::plugins::monitor::MonitorView;
    use crate::sim::sample::{self, Sample};
    use crate::snapshot::{Seen, View};

    fn rendered(sample: Sample) -> serde_json::Value {
        let snapshot = sample::snapshot(sample);
        let seen = Seen::new(&snapshot, snapshot.now);
        let view = snapshot.of::<MonitorView>().expect("a view");
        let text = view.body(&seen, "/api/host", "").expect("a body");
        serde_json::from_str(&text).expect("JSON")
    }

    /// The members of the text, in order.
    #[test]
    fn the_host_stands_in_it_as_it_was_found() {
        let host = rendered(Sample::Normal);
        let want = serde_json::json!({
            "time": "2026-11-20T20:15:02Z",
            "age_s": 0,
            "cpu_percent": 12.35,
            "cores": [
                {"index": 0, "cpu_percent": 11},
                {"index": 1, "cpu_percent": 14.5},
                {"index": 2, "cpu_percent": null},
                {"index": 3, "cpu_percent": 9}
            ],
            "load": [0.42, 0.37, 0.31],
            "memory": {
                "total_bytes": 4_294_967_296_u64, "used_bytes": 1_254_096_896, "available_bytes": 3_040_870_400_u64,
                "free_bytes": 1_153_433_600, "buffers_bytes": 94_371_840, "cached_bytes": 1_782_579_200, "used_percent": 29.2
            },
            "swap": {"total_bytes": 536_870_912, "used_bytes": 12_582_912, "free_bytes": 524_288_000, "used_percent": 2.34},
            "disks": [
                {
                    "mount": "/", "device": "/dev/mmcblk0p2", "type": "ext4", "is_read_only": false,
                    "total_bytes": 32_000_000_000_u64, "used_bytes": 17_000_000_000_u64, "free_bytes": 15_000_000_000_u64,
                    "available_bytes": 13_000_000_000_u64, "used_percent": 56.67, "inodes": 1_900_000,
                    "inodes_free": 1_700_000, "inodes_used_percent": 10.53, "hangs_for_s": null
                },
                {
                    "mount": "/mnt/nas", "device": "nas:/export", "type": "nfs4", "is_read_only": false,
                    "total_bytes": 32_000_000_000_u64, "used_bytes": 12_000_000_000_u64, "free_bytes": 20_000_000_000_u64,
                    "available_bytes": 18_000_000_000_u64, "used_percent": 40, "inodes": 1_900_000,
                    "inodes_free": 1_700_000, "inodes_used_percent": 10.53, "hangs_for_s": null
                }
            ],
            "temperatures": [
                {"name": "cpu_thermal", "is_main": true, "kind": "cpu", "temperature_celsius": 51.2, "critical_celsius": 110},
                {"name": "nvme Samsung SSD 980", "is_main": true, "kind": "disk", "temperature_celsius": null, "critical_celsius": null}
            ],
            "networks": [{
                "name": "eth0", "is_virtual": false, "has_carrier": true, "receive_bytes_per_s": 20480.5,
                "transmit_bytes_per_s": null, "receive_bytes": 5_000_000_000_u64, "transmit_bytes": 700_000_000,
                "receive_packets": 6_000_000, "transmit_packets": 2_000_000, "receive_errors": 0, "transmit_errors": 0
            }],
            "uptime_s": 1_234_567.89,
            "throttled": {
                "is_now": false, "is_since_boot": false, "bits": 0, "known_bits": 983_055, "source": "firmware",
                "sentence": "no under-voltage or throttling since boot"
            }
        });
        assert_eq!(host, want, "{host:#}");
    }

    #[test]
    fn what_is_not_known_is_null() {
        let host = rendered(Sample::Empty);
        for key in [
            "time",
            "cpu_percent",
            "load",
            "memory",
            "swap",
            "uptime_s",
            "throttled",
        ] {
            assert!(host[key].is_null(), "{key}");
        }
        for key in ["cores", "disks", "temperatures", "networks"] {
            assert_eq!(host[key], serde_json::json!([]), "{key}");
        }
        let hanging = &rendered(Sample::Unreachable)["disks"][1];
        assert!(hanging["used_percent"].is_null() && hanging["total_bytes"].is_null());
        assert_eq!(hanging["hangs_for_s"], 75);
    }
}
