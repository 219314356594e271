//! Sensors of recorded machines.

use super::*;
use crate::host::machines::{Entry, MACHINES, Tree};

/// `name: kind celsius`, with the critical value, ` !` behind those that can say that they are broken, and ` *` behind
/// those that limits are meant for.
fn told(tree: &Tree) -> Vec<String> {
    let found = sensors(tree);
    let names = unique_names(&found, &[]);
    let tell = |(sensor, name): (&Sensor, &Arc<str>)| {
        let text = tree.text(&sensor.path).unwrap_or_default();
        let value = sensor.celsius(text.as_bytes());
        let value = value.map_or("-".to_owned(), |celsius| celsius.to_string());
        let main = if sensor.is_main { " *" } else { "" };
        let critical = sensor
            .critical_celsius
            .map_or(String::new(), |celsius| format!(" of {celsius}"));
        let fault = sensor.fault.as_ref().map_or("", |_| " !");
        format!("{name}: {:?} {value}{critical}{fault}{main}", sensor.kind)
    };
    let mut told: Vec<String> = found.iter().zip(&names).map(tell).collect();
    told.sort();
    told
}

fn check(machine: &str, want: &[&str]) {
    let told = told(&Tree::of(machine));
    assert_eq!(told, want, "{machine}");
}

#[test]
fn raspberry_pis() {
    check("raspberry-pi-3", &["cpu_thermal: Cpu 55.844 of 80 *"]);
    check("raspberry-pi-4", &["cpu_thermal: Cpu 61.342 of 110 *"]);
    check("raspberry-pi-zero-2", &["cpu_thermal: Cpu 58.002 of 110 *"]);
    check(
        "raspberry-pi-5",
        &[
            "cpu_thermal: Cpu 48.8 of 110 *",
            "nvme Samsung SSD 980 500GB Sensor 1: Disk 39.85",
            "nvme Samsung SSD 980 500GB: Disk 39.85 of 84.85 *",
            "rp1_adc: Other 52.1 *",
        ],
    );
}

#[test]
fn intel_machines() {
    check(
        "intel-laptop",
        &[
            "B0D4: Other 51.05 *",
            "acpitz: Other 47 of 128 *",
            "coretemp Core 0: Cpu 51 of 100",
            "coretemp Core 1: Cpu 52 of 100",
            "coretemp Core 2: Cpu 53 of 100",
            "coretemp Core 3: Cpu 50 of 100",
            "coretemp Package id 0: Cpu 53 of 100 *",
            "iwlwifi_1: Other - *",
            "nvme SAMSUNG MZVLB512HAJQ-000L7 Sensor 1: Disk 36.85",
            "nvme SAMSUNG MZVLB512HAJQ-000L7 Sensor 2: Disk 44.85",
            "nvme SAMSUNG MZVLB512HAJQ-000L7: Disk 36.85 of 84.85 *",
            "pch_cannonlake: Other 48.5 *",
            "thinkpad CPU: Cpu 52",
            "thinkpad GPU: Gpu -",
            "thinkpad temp3: Other - *",
        ],
    );
    check(
        "intel-server",
        &[
            "coretemp Core 0 (coretemp.0): Cpu 58 of 95",
            "coretemp Core 0 (coretemp.1): Cpu 58 of 95",
            "coretemp Core 1 (coretemp.0): Cpu 59 of 95",
            "coretemp Core 1 (coretemp.1): Cpu 59 of 95",
            "coretemp Package id 0: Cpu 61 of 95 *",
            "coretemp Package id 1: Cpu 64 of 95 *",
            "drivetemp ST4000NM0035-1V4 (15a2): Disk 31 of 70 *",
            "drivetemp ST4000NM0035-1V4 (7224): Disk 33 of 70 *",
            "i350bb loc1: Other - of 120 *",
            "nct6779 AUXTIN0: Other - *",
            "nct6779 CPUTIN: Other - *",
            "nct6779 PECI Agent 0: Other 60.5 *",
            "nct6779 SYSTIN: Other 36 *",
            "nvme INTEL SSDPE2KX010T8 (0000:18:00.0): Disk 33.85 of 79.85 *",
            "nvme INTEL SSDPE2KX010T8 (0000:19:00.0): Disk 34.85 of 79.85 *",
        ],
    );
}

#[test]
fn amd_machines() {
    check(
        "amd-desktop",
        &[
            "amdgpu edge: Gpu 54 of 100 *",
            "amdgpu junction: Gpu 61 of 110",
            "amdgpu mem: Gpu 58 of 100",
            "drivetemp WDC WD40EFRX-68N: Disk 38 of 60 *",
            "it8688 temp1: Other 39 *",
            "it8688 temp2: Other 127 *",
            "it8688 temp3: Other 62 *",
            "k10temp Tccd1: Cpu 59.75",
            "k10temp Tccd2: Cpu 57.25",
            "k10temp Tctl: Cpu 62.375 *",
            "nvme Samsung SSD 980 PRO 1TB Sensor 1: Disk 41.85",
            "nvme Samsung SSD 980 PRO 1TB Sensor 2: Disk 50.85",
            "nvme Samsung SSD 980 PRO 1TB: Disk 41.85 of 84.85 *",
        ],
    );
    check(
        "threadripper",
        &[
            "k10temp Tctl (0000:00:18.3): Cpu 72",
            "k10temp Tctl (0000:00:19.3): Cpu 72.001",
            "k10temp Tdie (0000:00:18.3): Cpu 45 *",
            "k10temp Tdie (0000:00:19.3): Cpu 45.001 *",
        ],
    );
}

#[test]
fn arm_boards() {
    check(
        "rk3588",
        &[
            "bigcore0_thermal: Cpu 46.23 *",
            "bigcore1_thermal: Cpu 47.153 *",
            "center_thermal: Other 44.384 *",
            "gpu_thermal: Gpu 43.461 *",
            "littlecore_thermal: Cpu 45.307 *",
            "npu_thermal: Other 43.461 *",
            "soc_thermal: Cpu 46.23 of 115 *",
        ],
    );
    check(
        "allwinner-h616",
        &[
            "cpu-thermal: Cpu 51.234 of 100 *",
            "ddr-thermal: Other 50.64 *",
            "gpu-thermal: Gpu 50.112 *",
            "ve-thermal: Other 49.87 *",
        ],
    );
    check(
        "mixed-arm",
        &[
            "AO-therm: Other 45 *",
            "CPU-therm: Cpu 43 *",
            "GPU-therm: Gpu 44 *",
            "aml_thermal: Cpu 42 *",
            "ap-cpu0-thermal: Cpu 50 *",
            "cpu-thermal0: Cpu 41 *",
            "cpuss0-thermal: Cpu 47 *",
            "exynos-therm: Cpu 46 *",
            "gpuss-0-thermal: Gpu 48 *",
            "imx_thermal_zone: Cpu 40 *",
            "lm75: Other 27.5 of 80 *",
            "pm8998-thermal: Other 49 *",
            "scpi_sensors aml_thermal: Cpu 58 *",
            "sun4i_ts SoC temperature: Cpu 39.5 *",
            "w1_slave_temp (28-000005e2fdc3): Other - *",
            "w1_slave_temp (28-000005e2fdd4): Other 21.437 *",
        ],
    );
}

#[test]
fn kernels_of_vendors_and_of_long_ago() {
    check(
        "vendor-kernels",
        &[
            "Tboard_tegra: Other 37 *",
            "adt7461 temp1: Other 33 *",
            "adt7461 temp2: Other 127.75 ! *",
            "adt7461 temp3: Other 41 ! *",
            "ap-thermal-ic: Cpu 61 *",
            "core-cluster-thermal: Cpu 52 *",
            "coretemp Core 0: Cpu 61",
            "coretemp Physical id 0: Cpu 63 of 100 *",
            "cpu_thermal_zone: Cpu 45 of 115 *",
            "gpu_thermal_zone: Gpu - *",
            "main0-thermal: Cpu 48 *",
            "ufs: Disk 39 *",
        ],
    );
}

/// The same machine after a boot that numbers everything else.
fn renumbered(tree: &Tree) -> Tree {
    let mut text: Vec<(String, Entry)> = tree.entries.clone().into_iter().collect();
    let turned = |text: &str| {
        let mut text = text.to_owned();
        for class in ["hwmon", "nvme", "host", "target", "thermal_zone", "i2c-"] {
            for number in 0..10 {
                text = text.replace(&format!("{class}{number}"), &format!("{class}<{number}>"));
            }
            for number in 0..10 {
                text = text.replace(
                    &format!("{class}<{number}>"),
                    &format!("{class}{}", 10 + (number * 7 + 3) % 10),
                );
            }
        }
        text.replace("/1-0048", "/9-0048")
    };
    for (path, entry) in &mut text {
        *path = turned(path);
        if let Entry::Link(target) = entry {
            *target = turned(target);
        }
    }
    Tree {
        entries: text.into_iter().collect(),
    }
}

#[test]
fn identities_outlive_numbers() {
    let keys = |tree: &Tree| -> Vec<(String, Option<String>)> {
        let found = sensors(tree);
        let value = |sensor: &Sensor| (sensor.key.clone(), tree.text(&sensor.path));
        found.iter().map(value).collect()
    };
    for (name, _) in MACHINES {
        let tree = Tree::of(name);
        let before = keys(&tree);
        assert!(!before.is_empty(), "{name}");
        assert_eq!(keys(&renumbered(&tree)), before, "{name}");
        for (at, (key, _)) in before.iter().enumerate() {
            assert!(!key.contains("hwmon1"), "{key}");
            assert!(
                before[at + 1..].iter().all(|(other, _)| other != key),
                "{key} twice"
            );
        }
        let names = unique_names(&sensors(&tree), &[]);
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{names:?}");
    }
}

#[test]
fn a_name_stays_with_its_device_when_another_one_comes_or_goes() {
    let both = sensors(&Tree::of("intel-server"));
    let one: Vec<Sensor> = both
        .iter()
        .filter(|sensor| !sensor.key.contains("0000:19"))
        .cloned()
        .collect();
    let names = unique_names(&one, &[]);
    assert!(
        names
            .iter()
            .any(|name| **name == *"nvme INTEL SSDPE2KX010T8"),
        "{names:?}"
    );
    let known: Vec<(Arc<str>, Arc<str>)> = one
        .iter()
        .map(|sensor| sensor.key.as_str().into())
        .zip(names)
        .collect();
    let names = unique_names(&both, &known);
    let of = |part: &str| {
        let at = both.iter().position(|sensor| sensor.key.contains(part));
        at.map(|at| names[at].to_string()).expect("it is there")
    };
    assert_eq!(of("0000:18"), "nvme INTEL SSDPE2KX010T8");
    assert_eq!(of("0000:19"), "nvme INTEL SSDPE2KX010T8 (0000:19:00.0)");
    // The first is pulled: nobody takes its name.
    let other: Vec<Sensor> = both
        .iter()
        .filter(|sensor| sensor.key.contains("0000:19"))
        .cloned()
        .collect();
    let names = unique_names(&other, &known);
    assert_eq!(&*names[0], "nvme INTEL SSDPE2KX010T8 (0000:19:00.0)");
}

#[test]
fn what_no_sensor_means_is_nothing() {
    for (text, want) in [
        ("45123\n", Some(45.123)),
        ("-12500\n", Some(-12.5)),
        ("-40000\n", Some(-40.0)),
        ("150000\n", Some(150.0)),
        ("0\n", None),
        ("-0\n", None),
        ("-1\n", None),
        ("65535\n", None),
        ("65536\n", Some(65.536)),
        ("-40001\n", None),
        ("150001\n", None),
        ("-274000\n", None),
        ("65261850\n", None),
        ("", None),
        ("nan\n", None),
        ("4 5\n", None),
        ("--5000\n", None),
        ("99999999999999999999\n", None),
    ] {
        assert_eq!(celsius(text.as_bytes()), want, "{text:?}");
    }
}

#[test]
fn serial_numbers_are_no_part_of_what_is_told() {
    for sensor in sensors(&Tree::of("intel-server")) {
        let text = format!("{sensor:?}");
        assert!(!text.contains("5000c500"), "{text}");
    }
}
