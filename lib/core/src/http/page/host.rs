//! The machine on the page: a card for each of processor, memory, file systems, temperatures and interfaces.

use super::{POINTS, Page, number};
use crate::config::{Limit, Limits, Metric};
use crate::host::{Bytes, FileSystem, HostView, Network, Rates, SensorKind, Temperature, Uplink};
use crate::time::Human;

/// Cards of one kind; the fullest, hottest and first of more are shown.
const MOST: usize = 8;

/// One card.
struct Card<'a> {
    name: &'a str,
    class: &'a str,
    word: &'a str,
    value: Option<String>,
    unit: &'a str,
    /// The value and its threshold, for the bar.
    share: Option<(f64, Option<f64>)>,
    series: String,
    note: String,
}

impl Page<'_> {
    pub(super) fn host(&mut self) {
        let view = self.view;
        let Some(host) = view
            .snapshot
            .host
            .as_deref()
            .filter(|host| host.at.is_some())
        else {
            return;
        };
        self.raw("<div class=teams><section class=\"team wide\"><div class=\"row base\"><h2>Host</h2><small>");
        self.text(&facts(host).join(" · "));
        self.raw("</small></div>");
        self.host_charts();
        self.raw("<div class=grid>");
        self.processor(host);
        let mut disks: Vec<&FileSystem> = host.sample.file_systems.iter().collect();
        let rank = |disk: &&FileSystem| {
            let used = disk.used_percent().map(|used| -(used * 10.0) as i64);
            (disk.is_read_only, used)
        };
        crate::small::sort_by_key(&mut disks, rank);
        for disk in disks.into_iter().take(MOST) {
            self.disk(disk);
        }
        let heat = host.sample.temperatures.iter();
        let heat = heat.filter(|sensor| sensor.is_main && sensor.kind != SensorKind::Other);
        for sensor in heat.take(MOST) {
            self.temperature(sensor);
        }
        let networks = host.sample.networks.iter().zip(&host.rates);
        let real = networks.filter(|(network, _)| !network.is_virtual);
        for (network, rates) in real.take(MOST) {
            self.network(network, rates);
        }
        self.raw("</div></section></div>");
    }

    fn processor(&mut self, host: &HostView) {
        let sample = &host.sample;
        let load = sample.load.map(|[one, five, fifteen]| {
            let cores = sample.cores.len();
            format!("load {one:.2} {five:.2} {fifteen:.2} · {cores} cores")
        });
        self.percent(
            "CPU",
            host.cpu_percent,
            (Metric::Cpu, "host"),
            "host.cpu",
            load,
        );
        let Some(memory) = &sample.memory else {
            return;
        };
        let (used, total) = (Bytes(memory.used_bytes()), Bytes(memory.total_bytes));
        let mut note = format!("{used} of {total}");
        if let Some(swap) = memory.swap_used_percent() {
            note += &format!(" · swap {swap:.0} %");
        }
        let of = (Metric::Memory, "host");
        self.percent(
            "Memory",
            memory.used_percent(),
            of,
            "host.memory",
            Some(note),
        );
    }

    fn disk(&mut self, disk: &FileSystem) {
        let note = match (&disk.space, disk.hangs_for) {
            (Some(space), _) => {
                let (free, size) = (Bytes(space.available_bytes), Bytes(space.size_bytes));
                let note = if disk.is_read_only {
                    " · read-only"
                } else {
                    ""
                };
                format!("{free} of {size} free{note}")
            }
            (None, Some(span)) => format!("does not answer for {}", Human(span)),
            (None, None) => "not known".to_owned(),
        };
        let series = format!("host.disk/{}", disk.mount);
        let of = (Metric::Disk, &*disk.mount);
        self.percent(&disk.mount, disk.used_percent(), of, &series, Some(note));
    }

    fn percent(
        &mut self,
        name: &str,
        value: Option<f64>,
        (metric, thing): (Metric, &str),
        series: &str,
        note: Option<String>,
    ) {
        let on = self.threshold(metric, thing);
        self.card(&Card {
            name,
            class: class(value, on),
            word: word(value, on),
            value: value.map(|value| format!("{value:.0}")),
            unit: "%",
            share: value.map(|value| (value, on)),
            series: series.to_owned(),
            note: note.unwrap_or_default(),
        });
    }

    fn temperature(&mut self, sensor: &Temperature) {
        let metric = match sensor.kind {
            SensorKind::Gpu => Metric::GpuTemperature,
            SensorKind::Disk => Metric::DiskTemperature,
            SensorKind::Cpu | SensorKind::Other => Metric::CpuTemperature,
        };
        let on = self.threshold(metric, &sensor.name);
        let critical = sensor.critical_celsius;
        self.card(&Card {
            name: &sensor.name,
            class: class(sensor.celsius, on),
            word: word(sensor.celsius, on),
            value: sensor.celsius.map(number),
            unit: "°C",
            share: sensor.celsius.map(|celsius| (celsius, on)),
            series: format!("host.temperature/{}", sensor.name),
            note: critical.map_or(String::new(), |celsius| format!("critical {celsius:.0} °C")),
        });
    }

    fn network(&mut self, network: &Network, rates: &Rates) {
        let rate = |rate: Option<f64>| rate.map(|rate| Bytes(rate.max(0.0).round() as u64));
        let shown =
            |bytes: Option<Bytes>| bytes.map_or("–".to_owned(), |bytes| format!("{bytes}/s"));
        let (class, word) = match network.has_carrier {
            Some(true) => ("ok", "up"),
            Some(false) => ("unreachable", "no carrier"),
            None => ("unknown", "down"),
        };
        self.card(&Card {
            name: &network.name,
            class,
            word,
            value: rate(rates.rx).map(|bytes| bytes.to_string()),
            unit: "/s in",
            share: None,
            series: format!("host.network_receive/{}", network.name),
            note: format!("out {}", shown(rate(rates.tx))),
        });
    }

    pub(super) fn threshold(&self, metric: Metric, thing: &str) -> Option<f64> {
        let thresholds = self.view.snapshot.config.monitor.of(metric);
        thresholds.of(&[thing]).map(|own| own.rule.on)
    }

    fn card(&mut self, card: &Card<'_>) {
        let class = card.class;
        self.raw(&format!(
            "<article class=\"card pdu {class}\"><div class=row><h3>"
        ));
        self.text(card.name);
        self.raw("</h3>");
        self.pill(class, card.word);
        self.raw("</div><div class=row><span class=watts>");
        match &card.value {
            Some(value) => {
                self.text(value);
                self.raw(&format!("<small> {}</small>", card.unit));
            }
            None => self.raw("<span class=none>–</span>"),
        }
        self.raw("</span><div class=half>");
        let on = card.share.and_then(|(_, on)| on);
        self.spark(&card.series, on, POINTS);
        self.raw("</div></div>");
        if let Some((value, Some(on_w))) = card.share {
            let limits = Limits {
                soft: None,
                hard: Some(Limit { on_w, off_w: on_w }),
            };
            self.bar(Some(value), &limits);
        }
        self.raw("<small>");
        self.text(&card.note);
        self.raw("</small></article>");
    }
}

/// What is said of the machine as a whole.
fn facts(host: &HostView) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(
        host.sample
            .uptime
            .map(|uptime| format!("up {}", Human(uptime))),
    );
    facts.extend(host.sample.throttled.map(|throttled| throttled.sentence()));
    match host.sample.uplink {
        Uplink::Unknown | Uplink::Up => {}
        Uplink::NoRoute => facts.push("no way out: no default route".to_owned()),
        Uplink::NoCarrier => facts.push("no way out: no carrier".to_owned()),
    }
    facts
}

fn class(value: Option<f64>, on: Option<f64>) -> &'static str {
    match (value, on) {
        (None, _) => "unknown",
        (Some(value), Some(on)) if value > on => "over_limit",
        (Some(_), _) => "ok",
    }
}

fn word(value: Option<f64>, on: Option<f64>) -> &'static str {
    match class(value, on) {
        "over_limit" => "over limit",
        class => class,
    }
}
