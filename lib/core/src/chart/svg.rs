//! The chart as a figure of a page: lines as inline SVG that stretches with the page, letters that do not. Colours are
//! classes, which the page's style sheet fills for light and dark.

use super::scale::{self, TimeTick, ValueAxis};
use super::{Chart, Line};
use crate::text::escape_html;
use std::fmt::Write as _;

/// The drawing is this wide and high, whatever the page makes of it.
const SIDE: f64 = 1000.0;
/// The share of the height that the drawing has; below it stand the times.
const SHARE: f64 = 0.87;
/// Ticks of both axes.
const VALUE_TICKS: usize = 4;
const TIME_TICKS: usize = 5;
/// More lines than this have no bands.
const MOST_BANDS: usize = 2;

impl Chart {
    /// The figure as HTML; `None` when nothing was measured.
    pub fn html(&self) -> Option<String> {
        let (low, high) = self.extremes()?;
        let (low, high) = scale::with_thresholds(self, low, high);
        let figure = Figure {
            chart: self,
            axis: ValueAxis::of(self.unit, low, high, VALUE_TICKS),
        };
        Some(figure.html())
    }
}

struct Figure<'a> {
    chart: &'a Chart,
    axis: ValueAxis,
}

impl Figure<'_> {
    fn html(&self) -> String {
        let chart = self.chart;
        let mut out = String::with_capacity(8 * 1024);
        out.push_str("<figure class=\"card chart\"><figcaption><b>");
        escape_html(&chart.title, &mut out);
        out.push_str("</b>");
        self.legend(&mut out);
        out.push_str("</figcaption><svg class=plot role=img><title>");
        escape_html(&chart.title, &mut out);
        out.push_str("</title><desc>");
        escape_html(&chart.caption().to_plain(), &mut out);
        let height = SHARE * 100.0;
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "</desc><svg width=100% height={height}% viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=none>"
        );
        let times = scale::time_ticks(chart.from, chart.until, TIME_TICKS, &chart.zone);
        self.shapes(&times, &mut out);
        out.push_str("</svg>");
        self.letters(&times, &mut out);
        out.push_str("</svg></figure>");
        out
    }

    fn legend(&self, out: &mut String) {
        for (index, line) in self.chart.drawn().iter().enumerate() {
            let summary = self.chart.summary(line);
            let _ = write!(
                out,
                "<span><svg class=key width=22 height=10><path class=k{index} d=\"M1 5h20\"/></svg>"
            );
            escape_html(&line.label, out);
            out.push_str("<small> ");
            let numbers = Chart::numbers(self.chart.unit, summary);
            // The unit stays on the line of its number.
            match numbers.rsplit_once(' ') {
                Some((number, unit)) => escape_html(&format!("{number}\u{a0}{unit}"), out),
                None => escape_html(&numbers, out),
            }
            out.push_str("</small></span>");
        }
        let note = self.chart.footnote();
        if !note.is_empty() {
            out.push_str("<small>");
            escape_html(&note, out);
            out.push_str("</small>");
        }
    }

    fn shapes(&self, times: &[TimeTick], out: &mut String) {
        let chart = self.chart;
        for episode in &chart.episodes {
            let from = self.x(episode.from.0 as f64).clamp(0.0, SIDE);
            let until = self.x(episode.until.0 as f64).clamp(0.0, SIDE);
            let width = (until - from).max(2.0);
            let _ = write!(
                out,
                "<rect class=e x={from:.0} width={width:.0} height={SIDE} />"
            );
        }
        out.push_str("<path class=g d=\"");
        for tick in &self.axis.ticks {
            let _ = write!(out, "M0 {:.0}H{SIDE}", self.y(*tick));
        }
        for tick in times {
            let _ = write!(out, "M{:.0} 0V{SIDE}", self.x(tick.at.0 as f64));
        }
        out.push_str("\"/>");
        let lines = chart.drawn();
        for (index, line) in lines.iter().enumerate().rev() {
            if lines.len() <= MOST_BANDS {
                self.band(index, line, out);
            }
            self.line(index, line, out);
        }
        for threshold in &chart.thresholds {
            if (self.axis.low..=self.axis.high).contains(&threshold.value) {
                let y = self.y(threshold.value);
                let _ = write!(out, "<path class=m d=\"M0 {y:.0}H{SIDE}\"/>");
            }
        }
    }

    /// Where a line is, with `true` where it begins anew.
    fn places<'a>(
        &'a self,
        line: &'a Line,
    ) -> impl Iterator<Item = (bool, f64, &'a crate::history::Span)> {
        let mut last = None;
        line.curve
            .within(self.chart.from, self.chart.until)
            .map(move |(index, point)| {
                let begins = last.is_none_or(|last| index > last + 1);
                last = Some(index);
                (begins, self.x(line.curve.middle_ms(index)), point)
            })
    }

    fn line(&self, index: usize, line: &Line, out: &mut String) {
        let _ = write!(out, "<path class=k{index} d=\"");
        let mut dots = String::new();
        let mut places = self.places(line).peekable();
        while let Some((begins, x, point)) = places.next() {
            let y = self.y(f64::from(point.avg));
            let is_alone = begins && places.peek().is_none_or(|(begins, ..)| *begins);
            let _ = match (begins, is_alone) {
                // A line without length has round ends.
                (_, true) => write!(dots, "M{x:.0} {y:.0}h0"),
                (true, _) => write!(out, "M{x:.0} {y:.0}"),
                (false, _) => write!(out, "L{x:.0} {y:.0}"),
            };
        }
        out.push_str("\"/>");
        if !dots.is_empty() {
            let _ = write!(out, "<path class=\"k{index} d\" d=\"{dots}\"/>");
        }
    }

    fn band(&self, index: usize, line: &Line, out: &mut String) {
        let mut back: Vec<(f64, f64)> = Vec::new();
        let _ = write!(out, "<path class=b{index} d=\"");
        let close = |back: &mut Vec<(f64, f64)>, out: &mut String| {
            for (x, y) in back.drain(..).rev() {
                let _ = write!(out, "L{x:.0} {y:.0}");
            }
        };
        for (begins, x, point) in self.places(line) {
            if begins {
                close(&mut back, out);
            }
            let command = if begins { 'M' } else { 'L' };
            let _ = write!(out, "{command}{x:.0} {:.0}", self.y(f64::from(point.max)));
            back.push((x, self.y(f64::from(point.min))));
        }
        close(&mut back, out);
        out.push_str("\"/>");
    }

    fn letters(&self, times: &[TimeTick], out: &mut String) {
        let percent = |y: f64| y / SIDE * 100.0 * SHARE;
        let last = self.axis.ticks.len().saturating_sub(1);
        for (index, tick) in self.axis.ticks.iter().enumerate().skip(1) {
            let label = self.axis.label(*tick);
            let label = match index == last {
                true => self.axis.scale.with_unit(&label),
                false => label,
            };
            // Below its line at the top, above it elsewhere.
            let shift = if index == last { 12 } else { -3 };
            let y = percent(self.y(*tick));
            let _ = write!(out, "<text x=0 y={y:.1}% dy={shift}>{label}</text>");
        }
        for tick in times {
            let x = self.x(tick.at.0 as f64) / SIDE * 100.0;
            let anchor = match x {
                x if x < 4.0 => "start",
                x if x > 96.0 => "end",
                _ => "middle",
            };
            let label = &tick.label;
            let _ = write!(
                out,
                "<text x={x:.1}% y=100% dy=-3 text-anchor={anchor}>{label}</text>"
            );
        }
        let mut free_from = 0.0;
        for threshold in scale::highest_first(&self.chart.thresholds) {
            if (self.axis.low..=self.axis.high).contains(&threshold.value) {
                let y = percent(self.y(threshold.value));
                // Above its line, below it where that is taken. A letter is 8 % of the page's 180 pixels high.
                let top = match y - 9.0 >= free_from {
                    true => y - 9.0,
                    false => y.max(free_from),
                };
                free_from = top + 8.0;
                let shift = ((top - y) * 1.8 + 12.0).round();
                let _ = write!(
                    out,
                    "<text class=t x=100% y={y:.1}% dy={shift} text-anchor=end>"
                );
                escape_html(&scale::threshold_text(self.chart.unit, threshold), out);
                out.push_str("</text>");
            }
        }
    }

    fn x(&self, at_ms: f64) -> f64 {
        let span = (self.chart.until.0 as f64 - self.chart.from.0 as f64).max(1.0);
        (at_ms - self.chart.from.0 as f64) / span * SIDE
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.axis.low) / (self.axis.high - self.axis.low);
        SIDE - share * SIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Threshold;
    use crate::history::{Curve, Span, Unit};
    use crate::time::{Wall, Zone};
    use std::time::Duration;

    #[test]
    fn a_figure_has_gaps_names_and_no_style_of_its_own() {
        let from = Wall(1_795_202_100_000);
        let until = from.plus(Duration::from_secs(3600));
        let mut chart = Chart::new("<b>".into(), Unit::Watts, from, until, Zone::UTC);
        assert_eq!(chart.html(), None);
        let point = |avg: f32| {
            Some(Span {
                min: avg - 5.0,
                avg,
                max: avg + 5.0,
            })
        };
        chart.lines.push(Line {
            label: "\"all\"".into(),
            curve: Curve {
                start: from,
                step: Duration::from_secs(600),
                points: vec![point(100.0), point(110.0), None, point(2000.0), None],
                ..Curve::default()
            },
        });
        for (label, value) in [("soft limit", 2900.0), ("limit", 3000.0)] {
            chart.thresholds.push(Threshold {
                label: label.into(),
                value,
            });
        }
        let html = chart.html().expect("values");
        let line = html.split("class=k0 d=").nth(2).expect("a line");
        let line = line.split("/>").next().expect("its end");
        assert_eq!(line.matches('M').count(), 1, "{line}");
        assert_eq!(line.matches('L').count(), 1, "{line}");
        let dot = html.split("class=\"k0 d\" d=").nth(1).expect("a dot");
        let dot = dot.split("/>").next().expect("its end");
        assert_eq!(dot.matches("h0").count(), 1, "{dot}");
        for wanted in [
            "<title>&lt;b&gt;</title>",
            "<desc>",
            "dy=-4 text-anchor=end>limit 3 kW",
            "dy=12 text-anchor=end>soft limit 2.9 kW",
            "&quot;all&quot;",
        ] {
            assert!(html.contains(wanted), "{wanted}: {html}");
        }
        assert!(!html.contains("style") && !html.contains("http"));
    }
}
