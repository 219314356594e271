//! `/api/host`: what the last look at the machine found. What is not known is null, and so is all of it while looks fail.

use super::View;
use super::write::Writer;
use crate::host::{
    FileSystem, HostSample, HostView, Memory, Network, Rates, SensorKind, Temperature,
};

/// `/api/host`.
pub fn host(view: &View<'_>) -> String {
    let none = HostView::default();
    let host = view.snapshot.host.as_deref().unwrap_or(&none);
    let sample = &host.sample;
    let mut json = Writer::new(2048);
    json.object(|json| {
        json.key("time").time(host.at);
        let age = sample.taken.map(|taken| view.now.mono.since(taken));
        json.key("age_s")
            .number(age.map(|age| rounded(age.as_secs_f64())));
        percent(json, "cpu_percent", host.cpu_percent);
        json.key("cores").array(|json| {
            for ((core, _), busy) in sample.cores.iter().zip(&host.cores_percent) {
                json.object(|json| {
                    json.key("index").integer(u64::from(*core));
                    percent(json, "cpu_percent", *busy);
                });
            }
        });
        match sample.load {
            Some(load) => json.key("load").array(|json| {
                for value in load {
                    json.number(Some(value));
                }
            }),
            None => json.key("load").null(),
        }
        memory(json, sample.memory.as_ref());
        json.key("disks").array(|json| {
            for disk in &sample.file_systems {
                json.object(|json| self::disk(json, disk));
            }
        });
        json.key("temperatures").array(|json| {
            for sensor in &sample.temperatures {
                json.object(|json| temperature(json, sensor));
            }
        });
        json.key("networks").array(|json| {
            for (network, rates) in sample.networks.iter().zip(&host.rates) {
                json.object(|json| self::network(json, network, rates));
            }
        });
        json.key("uptime_s")
            .number(sample.uptime.map(|uptime| uptime.as_millis() as f64 / 1e3));
        throttled(json, sample);
    });
    json.finish()
}

fn memory(json: &mut Writer, memory: Option<&Memory>) {
    let Some(memory) = memory else {
        json.key("memory").null();
        return json.key("swap").null();
    };
    json.key("memory").object(|json| {
        json.key("total_bytes").integer(memory.total_bytes);
        json.key("used_bytes").integer(memory.used_bytes());
        json.key("available_bytes").integer(memory.available_bytes);
        json.key("free_bytes").integer(memory.free_bytes);
        json.key("buffers_bytes").integer(memory.buffers_bytes);
        json.key("cached_bytes").integer(memory.cached_bytes);
        percent(json, "used_percent", memory.used_percent());
    });
    json.key("swap").object(|json| {
        json.key("total_bytes").integer(memory.swap_total_bytes);
        json.key("used_bytes").integer(memory.swap_used_bytes());
        json.key("free_bytes").integer(memory.swap_free_bytes);
        percent(json, "used_percent", memory.swap_used_percent());
    });
}

fn disk(json: &mut Writer, disk: &FileSystem) {
    let space = disk.space.as_ref();
    json.key("mount").text(&disk.mount);
    json.key("device").text(&disk.device);
    json.key("type").text(&disk.kind);
    json.key("is_read_only").boolean(disk.is_read_only);
    let bytes = |json: &mut Writer, key: &str, value: Option<u64>| match value {
        Some(value) => json.key(key).integer(value),
        None => json.key(key).null(),
    };
    bytes(json, "total_bytes", space.map(|space| space.size_bytes));
    bytes(json, "used_bytes", space.map(|space| space.used_bytes()));
    bytes(json, "free_bytes", space.map(|space| space.free_bytes));
    bytes(
        json,
        "available_bytes",
        space.map(|space| space.available_bytes),
    );
    percent(json, "used_percent", disk.used_percent());
    bytes(json, "inodes", space.map(|space| space.inodes));
    bytes(json, "inodes_free", space.map(|space| space.inodes_free));
    let inodes = space.and_then(|space| space.inodes_used_percent());
    percent(json, "inodes_used_percent", inodes);
    let hangs_for = disk.hangs_for.map(|span| rounded(span.as_secs_f64()));
    json.key("hangs_for_s").number(hangs_for);
}

fn temperature(json: &mut Writer, sensor: &Temperature) {
    json.key("name").text(&sensor.name);
    json.key("is_main").boolean(sensor.is_main);
    json.key("kind").text(match sensor.kind {
        SensorKind::Cpu => "cpu",
        SensorKind::Gpu => "gpu",
        SensorKind::Disk => "disk",
        SensorKind::Other => "other",
    });
    json.key("temperature_celsius").number(sensor.celsius);
    json.key("critical_celsius").number(sensor.critical_celsius);
}

fn network(json: &mut Writer, network: &Network, rates: &Rates) {
    json.key("name").text(&network.name);
    json.key("is_virtual").boolean(network.is_virtual);
    match network.has_carrier {
        Some(has_carrier) => json.key("has_carrier").boolean(has_carrier),
        None => json.key("has_carrier").null(),
    }
    json.key("receive_bytes_per_s")
        .number(rates.rx.map(rounded));
    json.key("transmit_bytes_per_s")
        .number(rates.tx.map(rounded));
    for (key, value) in [
        ("receive_bytes", network.rx_bytes),
        ("transmit_bytes", network.tx_bytes),
        ("receive_packets", network.rx_packets),
        ("transmit_packets", network.tx_packets),
        ("receive_errors", network.rx_errors),
        ("transmit_errors", network.tx_errors),
    ] {
        json.key(key).integer(value);
    }
}

fn throttled(json: &mut Writer, sample: &HostSample) {
    let Some(throttled) = &sample.throttled else {
        return json.key("throttled").null();
    };
    json.key("throttled").object(|json| {
        json.key("is_now").boolean(throttled.is_now());
        json.key("is_since_boot").boolean(throttled.is_since_boot());
        json.key("bits").integer(u64::from(throttled.bits));
        json.key("known_bits").integer(u64::from(throttled.known));
        json.key("source").text(throttled.source.name());
        json.key("sentence").text(&throttled.sentence());
    });
}

fn percent(json: &mut Writer, key: &str, value: Option<f64>) {
    json.key(key).number(value.map(rounded));
}

/// Two decimals.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::*;

    fn rendered(sample: Sample) -> serde_json::Value {
        let snapshot = sample::snapshot(sample);
        let text = host(&View::new(&snapshot, snapshot.now));
        serde_json::from_str(&text).expect("JSON")
    }

    /// What stands in the text, member by member.
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
