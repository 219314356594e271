//! Temperature sensors: which there are, what they sit on, and how they stay the same ones across boots.
//!
//! The kernel numbers `hwmonN`, `thermal_zoneN`, `nvmeN` and `hostN` as they come up, so no number of that kind is part
//! of a key: it is made of the device's path, and for a disk behind SCSI of what the disk says that it is.

use super::SensorKind;
use super::procfs::number;
use crate::digest::{digest, hex};
use crate::small::sort_by_key;
use std::sync::Arc;

/// What sensors are found by: folders and files below the root, named without the slash in front.
pub trait Files {
    /// Names in a folder, in any order; none when it cannot be read.
    fn names(&self, folder: &str) -> Vec<String>;
    /// What stands in a file.
    fn text(&self, path: &str) -> Option<String>;
    /// The path without links.
    fn real(&self, path: &str) -> Option<String>;
}

/// A sensor that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// The same across boots.
    pub key: String,
    /// For people; not yet unique.
    pub name: String,
    /// Tells this device from another one of the same kind: `0000:03:00.0`.
    pub place: String,
    /// What it sits on.
    pub kind: SensorKind,
    /// Whether limits are meant for it (`Temperature::is_main`).
    pub is_main: bool,
    /// The device's own critical temperature, degrees Celsius.
    pub critical_celsius: Option<f64>,
    /// The file with thousandths of a degree.
    pub path: String,
    /// The file that says 1 while nothing is connected or the wire is broken (`temp*_fault`); few have one.
    pub fault: Option<String>,
    /// What its values may mean beside themselves.
    pub quirk: Option<Quirk>,
}

/// A value that is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quirk {
    /// DS18B20 and its kin say 85 °C when they have not measured yet.
    StartsAt85,
    /// Thermal zones of vendors' old kernels are in whole degrees: 45, where others say 45000.
    MayBeWhole,
}

impl Sensor {
    /// Reads the file's text; `None` for what no sensor means.
    pub fn celsius(&self, text: &[u8]) -> Option<f64> {
        match (self.quirk, celsius(text)?) {
            (Some(Quirk::StartsAt85), 85.0) => None,
            (Some(Quirk::MayBeWhole), own) => Some(degrees(own)),
            (_, own) => Some(own),
        }
    }

    /// Whether reading it goes over a bus that may be slow or hang; a processor's own is a register.
    pub fn may_hang(&self) -> bool {
        self.kind != SensorKind::Cpu
    }
}

/// Finds all of them: those of hwmon, and the thermal zones that hwmon does not show; by key.
pub fn sensors(files: &dyn Files) -> Vec<Sensor> {
    let mut found = Vec::new();
    let mut chips = Vec::new();
    for folder in numbered(files, HWMON, "hwmon") {
        // By its own path: what a link's number stands for may change between two looks.
        let folder = files.real(&folder).unwrap_or(folder);
        if let Some(chip) = Chip::read(files, folder) {
            chip.sensors(files, &mut found);
            chips.push(chip.name);
        }
    }
    for folder in numbered(files, THERMAL, "thermal_zone") {
        zone(files, &folder, &chips, &mut found);
    }
    sort_by_key(&mut found, |sensor| sensor.key.clone());
    // Equal ones stay several; their order is that of the kernel.
    for at in 1..found.len() {
        let is_taken = |key: &str| found[..at].iter().any(|own| own.key == *key);
        if !is_taken(&found[at].key) {
            continue;
        }
        let free = |count: &u32| {
            let key = format!("{}#{count}", found[at].key);
            !found.iter().any(|own| own.key == key)
        };
        let count = (2..).find(free).unwrap_or(u32::MAX);
        let own = &mut found[at];
        own.key.push_str(&format!("#{count}"));
        own.place = format!("{} {count}", own.place).trim_start().to_owned();
    }
    found
}

/// Names for what was found, each once: sensors that are `known` by their key keep the name that they have, those that
/// share one are told apart by their place.
pub fn unique_names(found: &[Sensor], known: &[(Arc<str>, Arc<str>)]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(found.len());
    for (at, sensor) in found.iter().enumerate() {
        let own = known.iter().find(|(key, _)| **key == *sensor.key);
        if let Some((_, name)) = own {
            names.push(Arc::clone(name));
            continue;
        }
        let mut others = found.iter().enumerate().filter(|(other, _)| *other != at);
        let is_shared = others.any(|(_, own)| own.name == sensor.name)
            || known.iter().any(|(_, own)| **own == *sensor.name);
        let mut name = sensor.name.clone();
        if is_shared && !sensor.place.is_empty() {
            name = format!("{name} ({})", sensor.place);
        }
        let is_taken = |name: &str| {
            known.iter().any(|(_, own)| **own == *name) || names.iter().any(|own| **own == *name)
        };
        let mut free = name.clone();
        let mut count = 1;
        while is_taken(&free) {
            count += 1;
            free = format!("{name} {count}");
        }
        names.push(free.into());
    }
    names
}

const HWMON: &str = "sys/class/hwmon";
const THERMAL: &str = "sys/class/thermal";
/// Longer names are cut.
const MAX_NAME_CHARS: usize = 64;

/// Folders of a class by their number.
fn numbered(files: &dyn Files, class: &str, prefix: &str) -> Vec<String> {
    let mut names: Vec<(u64, String)> = files
        .names(class)
        .into_iter()
        .filter_map(|name| {
            let place = number(name.strip_prefix(prefix)?.as_bytes())?;
            Some((place, format!("{class}/{name}")))
        })
        .collect();
    sort_by_key(&mut names, |(place, _)| *place);
    names.into_iter().map(|(_, path)| path).collect()
}

/// One device of hwmon.
struct Chip {
    folder: String,
    name: String,
    /// What the key begins with.
    device: String,
    place: String,
    model: Option<String>,
    /// Number and label of each temperature.
    inputs: Vec<(u64, Option<String>)>,
}

impl Chip {
    fn read(files: &dyn Files, folder: String) -> Option<Chip> {
        let device = files.real(&format!("{folder}/device"));
        let path = device_path(&folder).or_else(|| device.clone());
        let name_in = |folder: &str| clean(&files.text(&format!("{folder}/name"))?);
        // Drivers of old kernels keep their files with the device.
        let (name, folder) = match name_in(&folder) {
            Some(name) => (name, folder),
            None => device.and_then(|device| Some((name_in(&device)?, device)))?,
        };
        let is_disk = kind_of_chip(&name) == SensorKind::Disk;
        let of_device = |file: &str| {
            let text = path
                .as_ref()
                .and_then(|path| files.text(&format!("{path}/{file}")));
            text.filter(|_| is_disk).and_then(|text| clean(&text))
        };
        let (device, place) = match of_device("wwid").filter(|_| name != "nvme") {
            Some(identity) => {
                // It holds a serial number, which is nobody's business.
                let short = hex(&digest(identity.as_bytes()))[..12].to_owned();
                (format!("disk/{short}"), short[..4].to_owned())
            }
            None => stable(path.as_deref(), &name),
        };
        Some(Chip {
            model: of_device("model"),
            inputs: inputs(files, &folder),
            folder,
            name,
            device,
            place,
        })
    }

    fn sensors(&self, files: &dyn Files, found: &mut Vec<Sensor>) {
        let main = self.main();
        for (input, label) in &self.inputs {
            let of_input = |file: &str| format!("{}/temp{input}_{file}", self.folder);
            let fault = of_input("fault");
            let label = label.as_deref();
            let kind = self.kind_of(label);
            let is_sole = kind_of_chip(&self.name) == kind;
            found.push(Sensor {
                key: format!(
                    "{}/{}/{}",
                    self.device,
                    self.name,
                    label.map_or_else(|| format!("temp{input}"), |label| label.replace('/', "_"))
                ),
                name: self.name_of(*input, label),
                place: self.place.clone(),
                kind,
                is_main: is_sole && main.is_none_or(|main| main == *input),
                critical_celsius: files
                    .text(&of_input("crit"))
                    .and_then(|text| celsius(text.as_bytes())),
                path: of_input("input"),
                fault: files.text(&fault).map(|_| fault),
                quirk: Some(Quirk::StartsAt85).filter(|_| self.name.starts_with("w1_")),
            });
        }
    }

    /// The input that speaks for the device, where one of them does.
    fn main(&self) -> Option<u64> {
        let preferred: &[&str] = match &*self.name {
            "coretemp" => &["Package id", "Physical id"],
            "k10temp" | "zenpower" => &["Tdie", "Tctl"],
            "nvme" => &["Composite"],
            "amdgpu" | "radeon" => &["edge"],
            "xe" | "i915" => &["pkg"],
            _ => return None,
        };
        let labelled = preferred.iter().find_map(|wanted| {
            let mut inputs = self.inputs.iter();
            inputs.find(|(_, label)| label.as_deref().is_some_and(|own| own.starts_with(wanted)))
        });
        // Old Atoms have cores and no package.
        let first = self.inputs.first().filter(|_| self.name != "coretemp");
        labelled.or(first).map(|(input, _)| *input)
    }

    /// Laptops whose controller watches several things say by label what each is.
    fn kind_of(&self, label: Option<&str>) -> SensorKind {
        match (&*self.name, label) {
            ("dell_smm" | "thinkpad", Some(label)) if label.starts_with("CPU") => SensorKind::Cpu,
            ("dell_smm" | "thinkpad", Some(label)) if label.starts_with("GPU") => SensorKind::Gpu,
            (name, _) => kind_of_chip(name),
        }
    }

    fn name_of(&self, input: u64, label: Option<&str>) -> String {
        let mut name = self.name.clone();
        if let Some(model) = &self.model {
            name.push(' ');
            name.push_str(model);
        }
        match label {
            Some("Composite") => {}
            Some(label) => {
                name.push(' ');
                name.push_str(label);
            }
            None if self.inputs.len() > 1 => name.push_str(&format!(" temp{input}")),
            None => {}
        }
        cut(name)
    }
}

/// Number and label of each temperature in a folder of hwmon.
fn inputs(files: &dyn Files, folder: &str) -> Vec<(u64, Option<String>)> {
    let names = files.names(folder);
    let inputs = names.iter().filter_map(|file| {
        let input = file.strip_prefix("temp")?.strip_suffix("_input")?;
        let label = files.text(&format!("{folder}/temp{input}_label"));
        let label = label.and_then(|text| clean(&text));
        Some((number(input.as_bytes())?, label))
    });
    let mut inputs: Vec<(u64, Option<String>)> = inputs.collect();
    sort_by_key(&mut inputs, |(number, _)| *number);
    inputs
}

/// A thermal zone, unless hwmon shows the same.
fn zone(files: &dyn Files, folder: &str, chips: &[String], found: &mut Vec<Sensor>) {
    let Some(name) = files
        .text(&format!("{folder}/type"))
        .and_then(|text| clean(&text))
    else {
        return;
    };
    // hwmon writes a zone's name with underscores; what Intel's driver calls `INT3400 Thermal` measures nothing.
    let chip = name.replace('-', "_");
    let is_shown = |own: &String| *own == chip || (name == "x86_pkg_temp" && own == "coretemp");
    if chips.iter().any(is_shown) || name == "INT3400 Thermal" {
        return;
    }
    found.push(Sensor {
        key: format!("thermal/{chip}/temp1"),
        place: String::new(),
        kind: kind_of_chip(&chip),
        is_main: true,
        critical_celsius: critical_trip(files, folder).map(degrees),
        path: format!("{folder}/temp"),
        fault: None,
        quirk: Some(Quirk::MayBeWhole),
        name: cut(name),
    });
}

fn critical_trip(files: &dyn Files, folder: &str) -> Option<f64> {
    let names = files.names(folder);
    let trips = names.iter().filter_map(|file| file.strip_suffix("_type"));
    let trip = trips
        .filter(|trip| trip.starts_with("trip_point_"))
        .find(|trip| {
            let text = files.text(&format!("{folder}/{trip}_type"));
            text.is_some_and(|text| text.trim() == "critical")
        });
    let text = files.text(&format!("{folder}/{}_temp", trip?))?;
    celsius(text.as_bytes())
}

/// Where the device is that a folder of hwmon stands for.
fn device_path(folder: &str) -> Option<String> {
    let (device, _) = folder.rsplit_once('/')?;
    if device == HWMON {
        return None;
    }
    Some(device.strip_suffix("/hwmon").unwrap_or(device).to_owned())
}

/// What of a device's path is the same after the next boot, and the last part of that.
fn stable(path: Option<&str>, name: &str) -> (String, String) {
    let path = path.and_then(|path| path.strip_prefix("sys/devices/"));
    let Some(path) = path.filter(|path| !path.starts_with("virtual")) else {
        return ("thermal".to_owned(), String::new());
    };
    let mut kept = Vec::new();
    for part in path.split('/') {
        let is_numbered = |prefix: &str| {
            let rest = part.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        let is_volatile = part == "nvme"
            || part == "hwmon"
            || is_numbered("nvme")
            || is_numbered("hwmon")
            || is_numbered("host")
            || is_numbered("target")
            || is_numbered("i2c-")
            || part.split(':').count() == 4
                && part
                    .bytes()
                    .all(|byte| byte == b':' || byte.is_ascii_digit());
        // A bus of I2C has a number that changes, a device on it an address that does not.
        match part.split_once('-') {
            Some((bus, address)) if address.len() == 4 && number(bus.as_bytes()).is_some() => {
                kept.push(address);
            }
            _ if is_volatile => {}
            _ => kept.push(part),
        }
    }
    let place = kept.last().copied().unwrap_or(name);
    (kept.join("/"), place.to_owned())
}

/// What a driver's sensors sit on, by its name or by that of a thermal zone.
pub(crate) fn kind_of_chip(name: &str) -> SensorKind {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let is = |names: &[&str]| names.contains(&&*name);
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if is(DISKS) {
        SensorKind::Disk
    } else if is(GPUS) || begins(GPU_PREFIXES) {
        SensorKind::Gpu
    } else if is(CPUS) || begins(CPU_PREFIXES) {
        SensorKind::Cpu
    } else {
        SensorKind::Other
    }
}

const DISKS: &[&str] = &["nvme", "drivetemp", "ufs"];
const GPUS: &[&str] = &[
    "amdgpu", "radeon", "nouveau", "i915", "xe", "nvidia", "mali",
];
/// Rockchip, Allwinner, Tegra, i.MX and Qualcomm name their zones so.
const GPU_PREFIXES: &[&str] = &["gpu"];
const CPUS: &[&str] = &[
    // x86
    "coretemp",
    "k10temp",
    "k8temp",
    "zenpower",
    "via_cputemp",
    "x86_pkg_temp",
    // Raspberry Pi before its zones had names of their own
    "bcm2835_thermal",
    "bcm2711_thermal",
    // Rockchip
    "package_thermal",
    "rockchip_thermal",
    // Allwinner
    "sun4i_ts",
    "sun8i_thermal",
    // Amlogic
    "scpi_sensors",
    "aml_thermal",
    "amlogic_thermal",
    "pll_thermal",
    // i.MX
    "imx_thermal_zone",
    "imx_thermal",
    // Tegra
    "tj_thermal",
    "tdiode_tegra",
    "bcpu_therm",
    "mcpu_therm",
    // Exynos, Marvell, HiSilicon, MediaTek, StarFive, Ampere, Power
    "exynos_therm",
    "armada_thermal",
    "hisi_thermal",
    "mtktscpu",
    "sfctemp",
    "jh7110_temp",
    "smpro_hwmon",
    "apm_xgene",
];
const CPU_PREFIXES: &[&str] = &[
    "cpu",
    "soc",
    // TI and NXP
    "core_",
    "main0_",
    "main1_",
    "ap_thermal",
    "bigcore",
    "big_core",
    "littlecore",
    "little_core",
    "midcore",
    "cluster",
    "ap_cpu",
    "mpu_thermal",
];

/// What drivers say that have nothing to say: as thousandths of a degree, none of them is one that a sensor tells.
const NOTHINGS: &[i64] = &[0, -1, 0xFFFF];

/// Thousandths of a degree. What no sensor means is nothing: `NOTHINGS`, below -40 and above 150 °C.
fn celsius(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let thousandths = i64::try_from(number(digits)?).ok()?;
    let thousandths = if is_negative {
        -thousandths
    } else {
        thousandths
    };
    let is_possible =
        (-40_000..=150_000).contains(&thousandths) && !NOTHINGS.contains(&thousandths);
    is_possible.then_some(thousandths as f64 / 1000.0)
}

/// What stood there in whole degrees was read as thousandths; no chip is so close to freezing.
fn degrees(celsius: f64) -> f64 {
    match celsius {
        0.001..=0.15 => (celsius * 1000.0).round(),
        celsius => celsius,
    }
}

/// A name from a device: on one line, with single blanks; `None` when nothing is left.
fn clean(text: &str) -> Option<String> {
    let plain = text.replace(|sign: char| sign.is_control(), " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    (!words.is_empty()).then(|| cut(words.join(" ")))
}

fn cut(name: String) -> String {
    match name.char_indices().nth(MAX_NAME_CHARS) {
        Some((end, _)) => name[..end].to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests;
