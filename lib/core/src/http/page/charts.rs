//! The last hour on the page: the sums of power, and the machine.

use super::Page;
use crate::chart::{Chart, Episode, Line, Threshold};
use crate::config::Metric;
use crate::history::{self, Unit};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

impl Page<'_> {
    /// All PDUs, and the teams where there are some.
    pub(super) fn power_chart(&mut self) {
        let limits = self.view.snapshot.config.power.site;
        let mut chart = self.hour(
            "Power in the last hour",
            Unit::Watts,
            &[history::TOTAL, "power.team/"],
        );
        for (label, limit) in [("soft limit", limits.soft), ("limit", limits.hard)] {
            chart
                .thresholds
                .extend(limit.map(|limit| threshold(label, limit.on_w)));
        }
        self.shade(&mut chart, "power.", "site ");
        self.figure(&chart);
    }

    /// Processor and memory, and temperatures.
    pub(super) fn host_charts(&mut self) {
        self.raw("<div class=charts>");
        let series = ["host.cpu", "host.memory"];
        let mut chart = self.hour("CPU and memory in the last hour", Unit::Percent, &series);
        let on = self.threshold(Metric::Cpu, "host");
        chart.thresholds.extend(on.map(|on| threshold("limit", on)));
        for alert in ["monitor.cpu:", "monitor.memory:"] {
            self.shade(&mut chart, alert, "");
        }
        self.figure(&chart);
        let series = ["host.temperature/"];
        let mut chart = self.hour("Temperatures in the last hour", Unit::Celsius, &series);
        for alert in [
            "monitor.cpu_temperature:",
            "monitor.gpu_temperature:",
            "monitor.disk_temperature:",
        ] {
            self.shade(&mut chart, alert, "");
        }
        self.figure(&chart);
        self.raw("</div>");
    }

    fn hour(&self, title: &str, unit: Unit, series: &[&str]) -> Chart {
        let snapshot = self.view.snapshot;
        let (until, zone) = (snapshot.now.wall, snapshot.config.notify.timezone.clone());
        let mut chart = Chart::new(title.to_owned(), unit, until.minus(HOUR), until, zone);
        let curves = series.iter().flat_map(|wanted| {
            let fits = move |curve: &&history::Curve| match wanted.ends_with('/') {
                true => curve.name.starts_with(wanted),
                false => *curve.name == **wanted,
            };
            snapshot.last_hour.iter().filter(fits)
        });
        let line = |curve: &history::Curve| Line {
            label: history::line_name(&curve.name),
            curve: curve.clone(),
        };
        chart.lines = curves.map(line).collect();
        chart.keep_highest();
        chart
    }

    /// Shades since when such alerts fire.
    fn shade(&self, chart: &mut Chart, kind: &str, thing: &str) {
        let alerts = self
            .view
            .snapshot
            .alerts
            .iter()
            .filter(|alert| alert.is_firing());
        let fits = |name: &str| {
            let (_, own) = name.split_once(':').unwrap_or_default();
            name.starts_with(kind) && own.starts_with(thing)
        };
        let until = chart.until;
        let episodes = alerts
            .filter(|alert| fits(&alert.name))
            .map(|alert| Episode {
                from: alert.since,
                until,
            });
        chart.episodes.extend(episodes);
    }

    fn figure(&mut self, chart: &Chart) {
        if let Some(html) = chart.html() {
            self.raw(&html);
        }
    }
}

fn threshold(label: &str, value: f64) -> Threshold {
    Threshold {
        label: label.to_owned(),
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{View, whole};
    use super::*;
    use crate::history::{Curve, Span};
    use crate::http::sample::{self, Sample};
    use std::sync::Arc;

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
        let html = whole(&View::new(&snapshot, snapshot.now));
        assert!(html.contains("s12<small>") && html.contains("s19<small>"));
        assert!(!html.contains("s11<small>"));
        assert!(html.contains("and 12 more, not drawn"), "{html}");
    }

    #[test]
    fn the_sum_of_all_comes_first_whatever_the_order_of_the_curves() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let curves = Arc::make_mut(&mut snapshot.last_hour);
        crate::small::sort_by_key(curves, |curve| Arc::clone(&curve.name));
        let html = whole(&View::new(&snapshot, snapshot.now));
        let (_, legend) = html.split_once("M1 5h20").expect("a legend");
        assert!(legend.starts_with("\"/></svg>all PDUs<small>"), "{legend}");
    }
}
