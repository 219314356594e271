//! Metrics of the machine, under the names and labels that node_exporter gives to what is the same, where they are clean.

use super::view::Looks;
use crate::host::{CpuTimes, HostSample, HostView, Memory, Network, Space, Temperature, Uplink};
use crate::render::metrics::{Metrics, push_label};

/// `USER_HZ`, which is 100 on everything that Linux runs on today (getconf CLK_TCK).
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn host(metrics: &mut Metrics, host: &HostView, looks: Looks) {
    metrics.results(
        "rackwarden_host_looks_total",
        "Looks at the host by their result.",
        &[
            ("ok", looks.ok),
            ("failed", looks.failed),
            ("overrun", looks.overrun),
        ],
    );
    // Nothing is better than what is over.
    if host.at.is_none() {
        return;
    }
    let sample = &host.sample;
    processor(metrics, host);
    memory(metrics, sample);
    disks(metrics, sample);
    networks(metrics, sample);
    sensors(metrics, sample);
    boot(metrics, host);
}

type Mode = (&'static str, fn(&CpuTimes) -> u64);

const MODES: [Mode; 8] = [
    ("user", |times| times.user),
    ("nice", |times| times.nice),
    ("system", |times| times.system),
    ("idle", |times| times.idle),
    ("iowait", |times| times.iowait),
    ("irq", |times| times.irq),
    ("softirq", |times| times.softirq),
    ("steal", |times| times.steal),
];

fn processor(metrics: &mut Metrics, host: &HostView) {
    let sample = &host.sample;
    if !sample.cores.is_empty() {
        let name = "node_cpu_seconds_total";
        metrics.family(name, "counter", "Seconds the CPUs spent in each mode.");
        for ((core, _), times) in sample.cores.iter().zip(&host.counted) {
            let core = core.to_string();
            for (mode, of) in MODES {
                let seconds = of(times) as f64 / TICKS_PER_SECOND;
                metrics.sample(name, &[("cpu", &core), ("mode", mode)], Some(seconds));
            }
        }
    }
    let names = ["node_load1", "node_load5", "node_load15"];
    let helps = ["1m load average.", "5m load average.", "15m load average."];
    for ((name, help), value) in names
        .into_iter()
        .zip(helps)
        .zip(sample.load.iter().flatten())
    {
        metrics.gauge(name, help, *value);
    }
}

type OfMemory = (&'static str, &'static str, fn(&Memory) -> u64);

/// node_exporter has these in camel case (`node_memory_MemTotal_bytes`), which `promtool check metrics` refuses.
const MEMORY: [OfMemory; 7] = [
    ("memory_total", "MemTotal", |memory| memory.total_bytes),
    ("memory_available", "MemAvailable", |memory| {
        memory.available_bytes
    }),
    ("memory_free", "MemFree", |memory| memory.free_bytes),
    ("memory_buffers", "Buffers", |memory| memory.buffers_bytes),
    ("memory_cached", "Cached", |memory| memory.cached_bytes),
    ("swap_total", "SwapTotal", |memory| memory.swap_total_bytes),
    ("swap_free", "SwapFree", |memory| memory.swap_free_bytes),
];

fn memory(metrics: &mut Metrics, sample: &HostSample) {
    let Some(memory) = &sample.memory else {
        return;
    };
    for (end, field, of) in MEMORY {
        let name = format!("rackwarden_host_{end}_bytes");
        let help = format!("{field} of /proc/meminfo.");
        metrics.gauge(&name, &help, of(memory) as f64);
    }
}

type OfSpace = (&'static str, &'static str, fn(&Space) -> u64);

const SPACE: [OfSpace; 5] = [
    ("size_bytes", "Filesystem size in bytes.", |space| {
        space.size_bytes
    }),
    ("free_bytes", "Filesystem free space in bytes.", |space| {
        space.free_bytes
    }),
    (
        "avail_bytes",
        "Filesystem space available to non-root users in bytes.",
        |space| space.available_bytes,
    ),
    ("files", "Filesystem total file nodes.", |space| {
        space.inodes
    }),
    ("files_free", "Filesystem total free file nodes.", |space| {
        space.inodes_free
    }),
];

fn disks(metrics: &mut Metrics, sample: &HostSample) {
    if sample.file_systems.is_empty() {
        return;
    }
    let labels = sample.file_systems.iter().map(|disk| {
        let mut labels = String::new();
        push_label(&mut labels, "device", &disk.device);
        push_label(&mut labels, "fstype", &disk.kind);
        push_label(&mut labels, "mountpoint", &disk.mount);
        labels
    });
    let rows: Vec<_> = labels.zip(&sample.file_systems).collect();
    for (end, help, of) in SPACE {
        let name = format!("node_filesystem_{end}");
        metrics.family(&name, "gauge", help);
        for (labels, disk) in &rows {
            let value = disk.space.as_ref().map(|space| of(space) as f64);
            metrics.line(&name, labels, value);
        }
    }
    let name = "node_filesystem_readonly";
    metrics.family(name, "gauge", "Filesystem read-only status.");
    for (labels, disk) in &rows {
        let value = disk.space.map(|_| f64::from(u8::from(disk.is_read_only)));
        metrics.line(name, labels, value);
    }
    let name = "node_filesystem_device_error";
    let help = "Whether an error occurred while getting statistics for the given device.";
    metrics.family(name, "gauge", help);
    for (labels, disk) in &rows {
        let value = f64::from(u8::from(disk.space.is_none()));
        metrics.line(name, labels, Some(value));
    }
}

type OfNetwork = (&'static str, fn(&Network) -> u64);

const NETWORK: [OfNetwork; 6] = [
    ("receive_bytes", |network| network.rx_bytes),
    ("receive_packets", |network| network.rx_packets),
    ("receive_errs", |network| network.rx_errors),
    ("transmit_bytes", |network| network.tx_bytes),
    ("transmit_packets", |network| network.tx_packets),
    ("transmit_errs", |network| network.tx_errors),
];

fn networks(metrics: &mut Metrics, sample: &HostSample) {
    if !sample.networks.is_empty() {
        for (field, of) in NETWORK {
            let name = format!("node_network_{field}_total");
            let help = format!("Network device statistic {field}.");
            metrics.family(&name, "counter", &help);
            for network in &sample.networks {
                let value = of(network) as f64;
                metrics.sample(&name, &[("device", &network.name)], Some(value));
            }
        }
        let name = "node_network_carrier";
        metrics.family(name, "gauge", "Whether the network device has a carrier.");
        for network in &sample.networks {
            let value = network.has_carrier.map(|has| f64::from(u8::from(has)));
            metrics.sample(name, &[("device", &network.name)], value);
        }
    }
    let is_up = match sample.uplink {
        Uplink::Unknown => return,
        Uplink::Up => 1.0,
        Uplink::NoRoute | Uplink::NoCarrier => 0.0,
    };
    let help = "1 while there is a default route through an interface with a carrier, else 0.";
    metrics.gauge("rackwarden_host_uplink_up", help, is_up);
}

type OfSensor = fn(&Temperature) -> Option<f64>;

fn sensors(metrics: &mut Metrics, sample: &HostSample) {
    let families: [(&str, &str, OfSensor); 2] = [
        (
            "node_hwmon_temp_celsius",
            "Hardware monitor for temperature (input).",
            |sensor| sensor.celsius,
        ),
        (
            "node_hwmon_temp_crit_celsius",
            "Hardware monitor for temperature (crit).",
            |sensor| sensor.critical_celsius,
        ),
    ];
    for (name, help, of) in families {
        if sample
            .temperatures
            .iter()
            .all(|sensor| of(sensor).is_none())
        {
            continue;
        }
        metrics.family(name, "gauge", help);
        for sensor in &sample.temperatures {
            let (chip, input) = sensor.key.rsplit_once('/').unwrap_or(("", &sensor.key));
            let labels = [("chip", chip), ("sensor", input)];
            metrics.sample(name, &labels, of(sensor));
        }
    }
    if let Some(throttled) = &sample.throttled {
        let help = "1 while a Raspberry Pi is throttled or its supply is too low, else 0.";
        let value = f64::from(u8::from(throttled.is_now()));
        metrics.gauge("rackwarden_host_throttled", help, value);
    }
}

/// Whole seconds, as the kernel tells the time of its start (`btime`).
fn boot(metrics: &mut Metrics, host: &HostView) {
    if let Some(booted) = host.booted() {
        let seconds = booted.unix_seconds() as f64;
        let help = "Node boot time, in unixtime.";
        metrics.gauge("node_boot_time_seconds", help, seconds);
    }
}
