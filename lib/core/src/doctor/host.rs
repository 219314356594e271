//! What `doctor` makes of a look at the machine.

use super::Finding;
use crate::config::Config;
use crate::config::monitor;
use crate::config::monitor::Metric;
use crate::fault::Fault;
use crate::host::{Bytes, FileSystem, HostSample, SensorKind, Temperature, Uplink};
use crate::time::Human;

/// The machine as it is watched, and what is wrong with it at present.
pub fn host(config: &Config, looked: &Result<Box<HostSample>, Fault>) -> Vec<Finding> {
    let sample = match looked {
        Ok(sample) => sample,
        Err(fault) => {
            let fix = "see whether /proc is mounted and may be read";
            return vec![Finding::fail("host", fault.to_string(), fix)];
        }
    };
    let mut findings = vec![Finding::ok("host", words(sample))];
    findings.extend(
        sample
            .file_systems
            .iter()
            .filter_map(|disk| of_disk(config, disk)),
    );
    findings.extend(
        sample
            .temperatures
            .iter()
            .filter_map(|sensor| of_sensor(config, sensor)),
    );
    if let Some(throttled) = sample
        .throttled
        .filter(|throttled| throttled.is_since_boot())
    {
        let fix = "use a stronger supply and a shorter cable, or cool it better";
        findings.push(Finding::warn("host: supply", throttled.sentence(), fix));
    }
    let (says, fix) = match sample.uplink {
        Uplink::Unknown | Uplink::Up => return findings,
        Uplink::NoRoute => ("no default route", "check the network's configuration"),
        Uplink::NoCarrier => ("no carrier on the way out", "check the cable"),
    };
    findings.push(Finding::warn("host: network", says, fix));
    findings
}

fn words(sample: &HostSample) -> String {
    let mut parts = vec![count(sample.cores.len(), "core")];
    if let Some(memory) = &sample.memory {
        let (free, total) = (Bytes(memory.available_bytes), Bytes(memory.total_bytes));
        parts.push(format!("{free} of {total} memory available"));
    }
    parts.push(count(sample.file_systems.len(), "file system"));
    parts.push(count(sample.temperatures.len(), "temperature sensor"));
    parts.join(", ")
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn of_disk(config: &Config, disk: &FileSystem) -> Option<Finding> {
    let what = format!("host: {}", disk.mount);
    if !monitor::settings(config).mounts.has(&disk.mount) {
        return None;
    }
    if let Some(span) = disk.hangs_for {
        let says = format!("does not answer for {}", Human(span));
        return Some(Finding::warn(
            what,
            says,
            "see whether its server can be reached",
        ));
    }
    let used = disk.used_percent()?;
    let on = monitor::settings(config)
        .of(Metric::Disk)
        .of(&[&disk.mount])?
        .rule
        .on;
    let is_full = used > on && !disk.is_read_only;
    let says = || format!("{used:.0} % used, which is above its threshold of {on} %");
    is_full.then(|| Finding::warn(what, says(), "make room, or set another threshold for it"))
}

fn of_sensor(config: &Config, sensor: &Temperature) -> Option<Finding> {
    let metric = match sensor.kind {
        SensorKind::Cpu => Metric::CpuTemperature,
        SensorKind::Gpu => Metric::GpuTemperature,
        SensorKind::Disk => Metric::DiskTemperature,
        SensorKind::Other => return None,
    };
    let names = [&*sensor.name, &*sensor.key];
    let on = monitor::settings(config).of(metric).of(&names)?.rule.on;
    let celsius = sensor
        .celsius
        .filter(|celsius| sensor.is_main && *celsius > on)?;
    let says = format!("{celsius:.1} °C, which is above its threshold of {on} °C");
    let what = format!("host: {}", sensor.name);
    Some(Finding::warn(
        what,
        says,
        "cool it, or set another threshold for it",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultKind;
    use crate::host::{Memory, Space};
    use std::time::Duration;

    fn lines(sample: HostSample) -> Vec<String> {
        let findings = host(&Config::empty(), &Ok(Box::new(sample)));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_machine_that_is_well_is_one_line() {
        let sample = HostSample {
            cores: vec![(0, Default::default())],
            memory: Some(Memory {
                total_bytes: 4 << 30,
                available_bytes: 3 << 30,
                ..Memory::default()
            }),
            uplink: Uplink::Up,
            ..HostSample::default()
        };
        assert_eq!(
            lines(sample),
            [
                "ok    host: 1 core, 3 GiB of 4 GiB memory available, 0 file systems, 0 temperature sensors"
            ]
        );
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_fix() {
        let disk = |mount: &str, available_bytes| FileSystem {
            mount: mount.into(),
            space: Some(Space {
                size_bytes: 100,
                free_bytes: available_bytes,
                available_bytes,
                ..Space::default()
            }),
            ..FileSystem::default()
        };
        let mut nas = disk("/mnt/nas", 50);
        (nas.space, nas.hangs_for) = (None, Some(Duration::from_secs(75)));
        let mut rom = disk("/cdrom", 0);
        rom.is_read_only = true;
        let sample = HostSample {
            file_systems: vec![disk("/", 50), disk("/var", 4), nas, rom],
            temperatures: vec![Temperature {
                key: "k".into(),
                name: "cpu_thermal".into(),
                kind: SensorKind::Cpu,
                is_main: true,
                celsius: Some(91.0),
                critical_celsius: None,
            }],
            uplink: Uplink::NoCarrier,
            ..HostSample::default()
        };
        assert_eq!(
            lines(sample)[1..],
            [
                "warn  host: /var: 96 % used, which is above its threshold of 80 %; make room, or set another threshold for it",
                "warn  host: /mnt/nas: does not answer for 75 s; see whether its server can be reached",
                "warn  host: cpu_thermal: 91.0 °C, which is above its threshold of 85 °C; cool it, or set another threshold for it",
                "warn  host: network: no carrier on the way out; check the cable",
            ]
        );
        let fault = Err(Fault::new(FaultKind::Disk, "permission denied"));
        let found = host(&Config::empty(), &fault);
        assert_eq!(found[0].grade, super::super::Grade::Fail);
    }
}
