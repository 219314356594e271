//! The machine on the page: a card for each of processor, memory, file systems, temperatures and interfaces.

use super::view::MonitorView;
use crate::history::Unit;
use crate::host::{Bytes, FileSystem, HostView, Network, Rates, SensorKind, Temperature, Uplink};
use crate::plugins::monitor::Metric;
use crate::plugins::monitor::settings;
use crate::render::{draw, number::number};
use crate::snapshot::Page;
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

/// The section under way.
struct Section<'p, 'a> {
    view: &'p MonitorView,
    page: &'p mut Page<'a>,
}

/// Writes the section.
pub(super) fn section(view: &MonitorView, host: &HostView, page: &mut Page<'_>) {
    page.within("<small>", &facts(host).join(" · "), "</small>");
    let mut section = Section { view, page };
    section.charts();
    section.cards(host);
}

impl Section<'_, '_> {
    /// Processor and memory, and temperatures.
    fn charts(&mut self) {
        self.page.raw("<div class=charts>");
        let series = ["host.cpu", "host.memory"];
        let title = "CPU and memory in the last hour";
        let mut chart = self.page.hour(title, Unit::Percent, &series);
        Page::compare(&mut chart, "limit", self.threshold(Metric::Cpu, "host"));
        for alert in ["monitor.cpu:", "monitor.memory:"] {
            self.page.shade(&mut chart, alert, "");
        }
        self.page.figure(&chart);
        let title = "Temperatures in the last hour";
        let series = ["host.temperature/"];
        let mut chart = self.page.hour(title, Unit::Celsius, &series);
        for alert in [
            "monitor.cpu_temperature:",
            "monitor.gpu_temperature:",
            "monitor.disk_temperature:",
        ] {
            self.page.shade(&mut chart, alert, "");
        }
        self.page.figure(&chart);
        self.page.raw("</div>");
    }

    fn cards(&mut self, host: &HostView) {
        self.page.raw("<div class=grid>");
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
        self.page.raw("</div>");
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

    fn threshold(&self, metric: Metric, thing: &str) -> Option<f64> {
        let thresholds = settings(&self.view.config).of(metric);
        thresholds.of(&[thing]).map(|own| own.rule.on)
    }

    fn card(&mut self, card: &Card<'_>) {
        let class = card.class;
        self.page.raw(&format!(
            "<article class=\"card pdu {class}\"><div class=row><h3>"
        ));
        self.page.text(card.name);
        self.page.raw("</h3>");
        self.page.pill(class, card.word);
        self.page.raw("</div><div class=row><span class=watts>");
        match &card.value {
            Some(value) => {
                self.page.text(value);
                self.page.raw(&format!("<small> {}</small>", card.unit));
            }
            None => self.page.raw("<span class=none>–</span>"),
        }
        self.page.raw("</span><div class=half>");
        let on = card.share.and_then(|(_, on)| on);
        self.page.spark(&card.series, on, Page::POINTS);
        self.page.raw("</div></div>");
        if let Some((value, Some(on))) = card.share {
            self.page.raw(&draw::bar(Some(value), None, Some(on)));
        }
        self.page.raw("<small>");
        self.page.text(&card.note);
        self.page.raw("</small></article>");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Curve, Span};
    use crate::sim::sample::{self, Sample};
    use crate::snapshot::{Seen, Snapshot, View};
    use std::sync::Arc;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The section alone.
    fn shown(snapshot: &Snapshot) -> String {
        let seen = Seen::new(snapshot, snapshot.now);
        let mut html = String::new();
        let view = crate::plugins::monitor::view(snapshot);
        view.section(&mut Page::new(&seen, &mut html));
        html
    }

    #[test]
    fn of_many_sensors_the_hottest_are_drawn() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let sensor = |number: u16| Curve {
            name: format!("host.temperature/s{number:02}").into(),
            unit: Unit::Celsius,
            start: snapshot.now.wall.minus(HOUR),
            step: Duration::from_secs(600),
            points: vec![
                Some(Span {
                    min: 20.0,
                    avg: 30.0,
                    max: f32::from(30 + number),
                });
                6
            ],
            ..Curve::default()
        };
        snapshot.last_hour = Arc::new((0..20).map(sensor).collect());
        let html = shown(&snapshot);
        assert!(html.contains("s12<small>") && html.contains("s19<small>"));
        assert!(!html.contains("s11<small>"));
        assert!(html.contains("and 12 more, not drawn"), "{html}");
    }
}
