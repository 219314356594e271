//! A made-up machine: a Raspberry Pi with a network mount that may hang.

use super::Sample;
use crate::host::{
    CpuTimes, FileSystem, HostSample, HostView, Memory, Network, Rates, SensorKind, Space,
    Temperature, Throttled, ThrottledSource, Uplink,
};
use crate::time::Now;
use std::time::Duration;

pub(super) fn view(now: Now, sample: Sample) -> HostView {
    let is_bad = sample == Sample::Unreachable;
    let name = |name: &str| match sample {
        Sample::Hostile => format!("<b>\"{name}\"\n\\").into(),
        _ => name.into(),
    };
    let times = |core: u64| CpuTimes {
        user: 900_000 + core * 1000,
        nice: 12,
        system: 400_000,
        idle: 7_600_000,
        iowait: 5_000,
        irq: 0,
        softirq: 900,
        steal: 0,
    };
    let disk = |mount: &str, device: &str, kind: &str, used: u64| FileSystem {
        mount: name(mount),
        device: name(device),
        kind: kind.into(),
        space: Some(Space {
            size_bytes: 32_000_000_000,
            free_bytes: 32_000_000_000 - used,
            available_bytes: 30_000_000_000_u64.saturating_sub(used),
            inodes: 1_900_000,
            inodes_free: 1_700_000,
        }),
        ..FileSystem::default()
    };
    let mut nas = disk("/mnt/nas", "nas:/export", "nfs4", 12_000_000_000);
    if is_bad {
        nas.space = None;
        nas.hangs_for = Some(Duration::from_secs(75));
    }
    let sensor = |key: &str, own: &str, kind, celsius| Temperature {
        key: key.into(),
        name: name(own),
        kind,
        is_main: true,
        celsius,
        critical_celsius: Some(110.0).filter(|_| kind == SensorKind::Cpu),
    };
    HostView {
        at: Some(now.wall),
        sample: HostSample {
            taken: Some(now.mono),
            cpu: Some(times(0)),
            cores: (0..4).zip((0..4).map(times)).collect(),
            load: Some([0.42, 0.37, 0.31]),
            memory: Some(Memory {
                total_bytes: 4 << 30,
                available_bytes: 2_900 << 20,
                free_bytes: 1_100 << 20,
                buffers_bytes: 90 << 20,
                cached_bytes: 1_700 << 20,
                swap_total_bytes: 512 << 20,
                swap_free_bytes: 500 << 20,
            }),
            networks: vec![Network {
                name: name("eth0"),
                rx_bytes: 5_000_000_000,
                tx_bytes: 700_000_000,
                rx_packets: 6_000_000,
                tx_packets: 2_000_000,
                has_carrier: Some(!is_bad),
                ..Network::default()
            }],
            uplink: if is_bad {
                Uplink::NoCarrier
            } else {
                Uplink::Up
            },
            temperatures: vec![
                sensor(
                    "thermal/cpu_thermal/temp1",
                    "cpu_thermal",
                    SensorKind::Cpu,
                    Some(51.2),
                ),
                sensor(
                    "pci/nvme/Composite",
                    "nvme Samsung SSD 980",
                    SensorKind::Disk,
                    None,
                ),
            ],
            file_systems: vec![disk("/", "/dev/mmcblk0p2", "ext4", 17_000_000_000), nas],
            throttled: Some(Throttled {
                bits: if is_bad { 0x50005 } else { 0 },
                known: Throttled::ALL,
                source: ThrottledSource::Firmware,
            }),
            uptime: Some(Duration::from_millis(1_234_567_890)),
            booted: None,
        },
        cpu_percent: Some(12.34567),
        cores_percent: vec![Some(11.0), Some(14.5), None, Some(9.0)],
        counted: (0..4).map(times).collect(),
        rates: vec![Rates {
            rx: Some(20_480.5),
            tx: None,
        }],
    }
}
