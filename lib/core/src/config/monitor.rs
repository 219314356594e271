//! Reads `[monitor]`: how often the host is looked at, which values are too high, and who hears of it how often.

use crate::alert::{Rule, Severity};
use crate::chat::access::glob;
use crate::config::effective::Writer;
use crate::config::parse::between;
use crate::config::reader::{Item, Reader, quoted};
use crate::config::{Config, NotifyConfig, Section, Tables, people, units};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// The table of this plugin.
pub const SECTION: Section = Section {
    name: "monitor",
    tables: &["monitor"],
    long: &[],
    on_by_default: true,
    read: Some(|tables| Arc::new(read(tables))),
};

/// `[monitor]`
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Time from one look at the host to the next.
    pub interval: Duration,
    /// `[monitor.thresholds]`, in the order of `Metric::ALL`.
    pub thresholds: [Thresholds; Metric::ALL.len()],
    /// Which file systems are judged.
    pub mounts: Mounts,
    /// Who hears of the monitor's alerts, and how often: `[notify]` with what `[monitor.notifications]` says otherwise;
    /// `None` when it says nothing otherwise.
    pub notify: Option<Box<NotifyConfig>>,
    /// A sampler that failed is started again so often in a row, `retry_interval` apart; after that once a minute.
    pub retry_attempts: u32,
    /// From one such attempt to the next.
    pub retry_interval: Duration,
}

/// What a threshold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// All cores together.
    Cpu,
    /// Memory that programs cannot have.
    Memory,
    /// Space of each file system.
    Disk,
    /// Inodes of each file system.
    Inodes,
    /// Each sensor of the processor.
    CpuTemperature,
    /// Each sensor of a graphics processor.
    GpuTemperature,
    /// Each sensor of a disk.
    DiskTemperature,
}

impl Metric {
    /// Every metric, as the configuration lists them.
    pub const ALL: [Metric; 7] = [
        Metric::Cpu,
        Metric::Memory,
        Metric::Disk,
        Metric::Inodes,
        Metric::CpuTemperature,
        Metric::GpuTemperature,
        Metric::DiskTemperature,
    ];

    /// As configuration and alerts spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::Cpu => "cpu",
            Metric::Memory => "memory",
            Metric::Disk => "disk",
            Metric::Inodes => "inodes",
            Metric::CpuTemperature => "cpu_temperature",
            Metric::GpuTemperature => "gpu_temperature",
            Metric::DiskTemperature => "disk_temperature",
        }
    }

    /// Unit of its values.
    pub const fn unit(self) -> &'static str {
        match self.is_temperature() {
            true => "°C",
            false => "%",
        }
    }

    const fn is_temperature(self) -> bool {
        matches!(
            self,
            Metric::CpuTemperature | Metric::GpuTemperature | Metric::DiskTemperature
        )
    }

    /// The key below which single things have thresholds of their own.
    const fn things(self) -> Option<&'static str> {
        match self {
            Metric::Cpu | Metric::Memory => None,
            Metric::Disk | Metric::Inodes => Some("mount"),
            _ => Some("sensor"),
        }
    }

    const fn default_on(self) -> f64 {
        match self {
            Metric::Cpu | Metric::Memory | Metric::Disk => 80.0,
            Metric::Inodes => 90.0,
            Metric::CpuTemperature => 85.0,
            Metric::GpuTemperature => 90.0,
            Metric::DiskTemperature => 60.0,
        }
    }

    fn read(self, item: &Item<'_>) -> Option<f64> {
        match self.is_temperature() {
            true => item.read(units::temperature_celsius),
            false => item.read(units::share_percent),
        }
    }

    fn shown(self, value: f64) -> String {
        match self.is_temperature() {
            true => units::format_temperature(value),
            false => units::format_share(value),
        }
    }

    /// 5 below; of a small share a tenth below.
    fn default_off(self, on: f64) -> f64 {
        match self.is_temperature() {
            true => on - 5.0,
            false => (on - 5.0).max(on * 0.9),
        }
    }
}

/// The thresholds of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    /// Of everything that has none of its own; `None` is off.
    pub general: Option<Threshold>,
    /// Of single mounts or sensors, by name or pattern.
    pub single: Vec<(String, Option<Threshold>)>,
}

/// When an alert fires, and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Values in the metric's unit.
    pub rule: Rule,
    /// Severity.
    pub severity: Severity,
}

/// `mounts`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts {
    /// Only these, unless empty.
    pub include: Vec<String>,
    /// None of these.
    pub exclude: Vec<String>,
}

impl Thresholds {
    /// What holds for a thing that goes by these names. An exact name goes before patterns, of several patterns the longest.
    pub fn of(&self, names: &[&str]) -> Option<&Threshold> {
        let fits = |pattern: &str| names.iter().any(|name| glob(pattern, name));
        let is_exact = |pattern: &str| names.contains(&pattern);
        self.single
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .max_by_key(|(pattern, _)| (is_exact(pattern), pattern.len()))
            .map_or(self.general.as_ref(), |(_, threshold)| threshold.as_ref())
    }

    /// True when a thing of this name is meant by name and not only by a pattern.
    pub fn names(&self, name: &str) -> bool {
        self.single.iter().any(|(pattern, _)| pattern == name)
    }
}

impl Mounts {
    /// Whether a file system is judged.
    pub fn has(&self, mount: &str) -> bool {
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| glob(pattern, mount));
        (self.include.is_empty() || fits(&self.include)) && !fits(&self.exclude)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            interval: Duration::from_secs(2),
            thresholds: Metric::ALL.map(|metric| Thresholds {
                general: Some(threshold(metric, metric.default_on())),
                single: Vec::new(),
            }),
            mounts: Mounts::default(),
            notify: None,
            retry_attempts: 3,
            retry_interval: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// The thresholds of a metric.
    pub fn of(&self, metric: Metric) -> &Thresholds {
        &self.thresholds[metric as usize]
    }
}

fn threshold(metric: Metric, on: f64) -> Threshold {
    let span = Duration::from_secs(10);
    Threshold {
        rule: Rule {
            on,
            off: metric.default_off(on),
            for_: span,
            clear_for: span,
        },
        severity: Severity::Warning,
    }
}

/// The settings of this plugin in a configuration.
pub fn settings(config: &Config) -> &Settings {
    static DEFAULT: LazyLock<Settings> = LazyLock::new(Settings::default);
    config.of().unwrap_or_else(|| &*DEFAULT)
}

/// The same, to be changed.
pub fn settings_mut(config: &mut Config) -> &mut Settings {
    config.of_mut()
}

impl crate::config::Settings for Settings {
    fn name(&self) -> &'static str {
        SECTION.name
    }

    fn print(&self, house: &Config, writer: &mut Writer) {
        print(self, &house.notify, writer);
    }

    fn notify(&self) -> Option<&NotifyConfig> {
        self.notify.as_deref()
    }
}

/// Takes `[monitor]` with its sub-tables.
fn read(tables: &mut Tables<'_, '_>) -> Settings {
    let mut settings = Settings::default();
    let Some(mut reader) = tables.table("monitor") else {
        return settings;
    };
    let config = &mut settings;
    let interval = reader.get("interval");
    let interval = interval.and_then(|item| item.read(|text| between(text, "100ms", "1h")));
    config.interval = interval.unwrap_or(config.interval);
    if let Some(mut reader) = reader.table("thresholds") {
        let mut mounts_at = None;
        for metric in Metric::ALL {
            if let Some(item) = reader.get(metric.name()) {
                thresholds(config, metric, &item, &mut mounts_at);
            }
        }
        if let Some(item) = reader.get("mounts") {
            mounts(config, &item, &mut mounts_at);
        }
        reader.finish();
    }
    if let Some(reader) = reader.table("notifications") {
        notifications(config, &tables.house.notify, reader);
    }
    reader.finish();
    settings
}

fn thresholds(
    config: &mut Settings,
    metric: Metric,
    item: &Item<'_>,
    mounts_at: &mut Option<usize>,
) {
    let thresholds = &mut config.thresholds[metric as usize];
    if !item.is_table() {
        if let Some(on) = on(item, metric) {
            thresholds.general = on.map(|on| threshold(metric, on));
        }
        return;
    }
    let Some(mut reader) = item.table() else {
        return;
    };
    // Single things of a metric that is off in general still have its durations and severity.
    let base = in_table(&mut reader, metric, &threshold(metric, metric.default_on()));
    if let Some((base, is_on)) = base {
        thresholds.general = is_on.then_some(base);
        let single = metric.things().and_then(|things| reader.get(things));
        thresholds.single = single.map_or_else(Vec::new, |item| self::single(metric, &base, &item));
    }
    if metric == Metric::Disk {
        if let Some(item) = reader.get("mounts") {
            mounts(config, &item, mounts_at);
        }
    }
    reader.finish();
}

/// The thresholds of single mounts or sensors.
fn single(metric: Metric, base: &Threshold, item: &Item<'_>) -> Vec<(String, Option<Threshold>)> {
    let mut list = Vec::new();
    for (name, item) in item.entries() {
        let own = if item.is_table() {
            item.table().and_then(|mut reader| {
                let own = in_table(&mut reader, metric, base);
                reader.finish();
                own.map(|(own, is_on)| is_on.then_some(own))
            })
        } else {
            on(&item, metric).map(|on| {
                on.map(|on| Threshold {
                    rule: Rule {
                        on,
                        off: metric.default_off(on),
                        ..base.rule
                    },
                    ..*base
                })
            })
        };
        list.extend(own.map(|own| (name.to_owned(), own)));
    }
    list
}

/// `{ on, off, for, clear_for, severity }`, with what `base` says where a key is missing; and whether it is on.
fn in_table(
    reader: &mut Reader<'_>,
    metric: Metric,
    base: &Threshold,
) -> Option<(Threshold, bool)> {
    let on_item = reader.get("on");
    let on = match &on_item {
        Some(item) => Some(on(item, metric)?),
        None => None,
    };
    let (on, is_on) = match on {
        Some(Some(on)) => (on, true),
        Some(None) => (base.rule.on, false),
        None => (base.rule.on, true),
    };
    let off = reader.get("off");
    let off = match off {
        Some(item) => match metric.read(&item)? {
            off if off < on => off,
            _ => {
                item.error("is not below `on`");
                return None;
            }
        },
        None if on == base.rule.on => base.rule.off,
        None => metric.default_off(on),
    };
    let mut span = |key, default| match reader.get(key) {
        Some(item) => item.read(|text| between(text, "0s", "7d")),
        None => Some(default),
    };
    let (for_, clear_for) = (
        span("for", base.rule.for_),
        span("clear_for", base.rule.clear_for),
    );
    let severity = match reader.get("severity") {
        Some(item) => item.read(people::severity),
        None => Some(base.severity),
    };
    let rule = Rule {
        on,
        off,
        for_: for_?,
        clear_for: clear_for?,
    };
    let severity = severity?;
    Some((Threshold { rule, severity }, is_on))
}

/// A value or `"off"`. `None` is an error that has been reported.
fn on(item: &Item<'_>, metric: Metric) -> Option<Option<f64>> {
    if item.is_text() && item.text() == Some("off") {
        return Some(None);
    }
    metric.read(item).map(Some)
}

/// `{ include = ["/", "/srv/*"], exclude = ["/mnt/*"] }`
fn mounts(config: &mut Settings, item: &Item<'_>, at: &mut Option<usize>) {
    if at.replace(item.at).is_some() {
        item.error("stands here and in `disk`; give one of them");
        return;
    }
    let Some(mut reader) = item.table() else {
        return;
    };
    let mut patterns = |key| {
        let items = reader.get(key).map(|item| item.items());
        let items = items.unwrap_or_default();
        let lines = items.iter().filter_map(Item::line);
        lines.map(str::to_owned).collect::<Vec<String>>()
    };
    config.mounts = Mounts {
        include: patterns("include"),
        exclude: patterns("exclude"),
    };
    reader.finish();
}

fn notifications(config: &mut Settings, general: &NotifyConfig, mut reader: Reader<'_>) {
    let mut own = general.clone();
    people::shared(&mut own, &mut reader);
    if let Some(item) = reader.get("to") {
        own.to = people::addresses(&item);
    }
    config.notify = (own != *general).then(|| Box::new(own));
    let attempts = reader.get("retry_attempts");
    let attempts = attempts.and_then(|item| item.integer(0, 1000));
    config.retry_attempts = attempts.unwrap_or(config.retry_attempts);
    let interval = reader.get("retry_interval");
    let interval = interval.and_then(|item| item.read(|text| between(text, "1s", "1d")));
    config.retry_interval = interval.unwrap_or(config.retry_interval);
    reader.finish();
}

/// Writes `[monitor]` out in full.
fn print(config: &Settings, general: &NotifyConfig, writer: &mut Writer) {
    writer.begin("monitor");
    writer.text("interval", Some(&units::format_duration(config.interval)));
    writer.begin("monitor.thresholds");
    for metric in Metric::ALL {
        writer.raw(metric.name(), &of_metric(metric, config.of(metric)));
    }
    let list = |patterns: &[String]| {
        let quoted: Vec<String> = patterns.iter().map(|pattern| quoted(pattern)).collect();
        quoted.join(", ")
    };
    let (include, exclude) = (list(&config.mounts.include), list(&config.mounts.exclude));
    writer.raw(
        "mounts",
        &format!("{{ include = [{include}], exclude = [{exclude}] }}"),
    );
    writer.begin("monitor.notifications");
    let own = config.notify.as_deref().unwrap_or(general);
    if own.to != general.to {
        writer.list("to", own.to.iter().map(ToString::to_string));
    }
    writer.notify(own);
    writer.number("retry_attempts", Some(config.retry_attempts));
    let interval = units::format_duration(config.retry_interval);
    writer.text("retry_interval", Some(&interval));
}

fn of_metric(metric: Metric, thresholds: &Thresholds) -> String {
    let mut parts = parts(metric, thresholds.general.as_ref());
    if let (Some(things), false) = (metric.things(), thresholds.single.is_empty()) {
        let single: Vec<String> = thresholds
            .single
            .iter()
            .map(|(name, own)| {
                let own = self::parts(metric, own.as_ref());
                format!("{} = {{ {own} }}", quoted(name))
            })
            .collect();
        parts += &format!(", {things} = {{ {} }}", single.join(", "));
    }
    format!("{{ {parts} }}")
}

fn parts(metric: Metric, threshold: Option<&Threshold>) -> String {
    let Some(Threshold { rule, severity }) = threshold else {
        return "on = \"off\"".to_owned();
    };
    let mut writer = Writer::inline();
    writer.text("on", Some(&metric.shown(rule.on)));
    writer.text("off", Some(&metric.shown(rule.off)));
    writer.text("for", Some(&units::format_duration(rule.for_)));
    writer.text("clear_for", Some(&units::format_duration(rule.clear_for)));
    writer.text("severity", Some(severity.name()));
    writer.finish()
}
