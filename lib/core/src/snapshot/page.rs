//! A page under way: our own markup, escaped data, and the pieces that all views share.

use super::Seen;
use crate::chart::{Chart, Episode, Line, Threshold};
use crate::history::{self, Spark, Unit};
use crate::render::draw;
use crate::render::schema::{Object, Schema};
use crate::text::escape_html;
use crate::time::Wall;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A page under way.
#[derive(Debug)]
pub struct Page<'a> {
    /// What is shown.
    pub seen: &'a Seen<'a>,
    html: &'a mut String,
}

impl<'a> Page<'a> {
    /// Points of a sparkline; the highest value of each stretch is kept.
    pub const POINTS: usize = 60;

    /// Goes on at the end of `html`.
    pub fn new(seen: &'a Seen<'a>, html: &'a mut String) -> Page<'a> {
        Page { seen, html }
    }

    /// Adds our own markup.
    pub fn raw(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Adds data: names, summaries, numbers.
    pub fn text(&mut self, data: &str) {
        escape_html(data, self.html);
    }

    /// Adds data between a markup and its end.
    pub fn within(&mut self, open: &str, data: &str, close: &str) {
        self.raw(open);
        self.text(data);
        self.raw(close);
    }

    /// A link to a path that ends in a name.
    pub fn link(&mut self, path: &str, name: &str) {
        let _ = write!(self.html, "<a href=\"{path}");
        for byte in name.bytes() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => {
                    self.html.push(char::from(byte));
                }
                other => drop(write!(self.html, "%{other:02X}")),
            }
        }
        self.within("\">", name, "</a>");
    }

    /// All that a JSON object knows: a table of its members, and one for each list in it.
    pub fn object(&mut self, schema: &Schema, value: &Value) {
        let Some(object) = schema.object() else {
            return;
        };
        self.raw("<div class=facts><table>");
        for member in object
            .members
            .iter()
            .filter(|of| of.schema.object().is_none())
        {
            let words = self.value(&member.schema, &value[member.key()]);
            self.within("<tr><td><code>", member.key(), "</code></td><td>");
            self.text(&words);
            self.within("</td><td class=dim>", member.words(), "</td></tr>");
        }
        self.raw("</table></div>");
        for member in object.members {
            let rows = match &value[member.key()] {
                Value::Array(rows) => rows.as_slice(),
                Value::Object(_) => std::slice::from_ref(&value[member.key()]),
                _ => &[],
            };
            if let Some(object) = member.schema.object().filter(|_| !rows.is_empty()) {
                self.rows(member.key(), object, rows);
            }
        }
    }

    fn rows(&mut self, heading: &str, object: &Object, rows: &[Value]) {
        self.within(
            "<h2>",
            heading,
            "</h2><div class=\"facts rows\"><table><tr>",
        );
        for member in object.members {
            self.within("<th><code>", member.key(), "</code></th>");
        }
        self.raw("</tr>");
        for row in rows {
            self.raw("<tr>");
            for member in object.members {
                let words = self.value(&member.schema, &row[member.key()]);
                self.within("<td>", &words, "</td>");
            }
            self.raw("</tr>");
        }
        self.raw("</table></div>");
    }

    fn value(&self, schema: &Schema, value: &Value) -> String {
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        match (schema.inner(), value) {
            (_, Value::Null) => "–".to_owned(),
            (Schema::Time, Value::String(text)) => match time(text) {
                Some(time) => self.seen.local(Wall(time.as_millisecond())),
                None => text.clone(),
            },
            (_, Value::String(text)) => text.clone(),
            (_, other) => other.to_string(),
        }
    }

    /// A word in the colour of a class.
    pub fn pill(&mut self, class: &str, word: &str) {
        let _ = write!(self.html, "<span class=\"pill {class}\">");
        self.text(word);
        self.raw("</span>");
    }

    /// The drawing of the last minutes of a series.
    pub fn spark(&mut self, series: &str, limit: Option<f64>, points: usize) {
        let known = self.series(series);
        if let Some(svg) = known.and_then(|series| draw::sparkline(series, limit, points)) {
            self.raw(&svg);
        }
    }

    /// How far back such a drawing goes.
    pub fn span_of(&mut self, series: &str) {
        let known = self.series(series).filter(|known| known.values.len() > 1);
        if let Some(span) = known.map(draw::covered) {
            self.raw("<div class=row><small>");
            self.text(&format!("{span} ago"));
            self.raw("</small><small>now</small></div>");
        }
    }

    fn series(&self, name: &str) -> Option<&'a Spark> {
        let mut all = self.seen.snapshot.history.iter();
        all.find(|series| &*series.name == name)
    }

    /// A chart of the last hour of some series, which the history keeps for the page.
    pub fn hour(&self, title: &str, unit: Unit, series: &[&str]) -> Chart {
        let snapshot = self.seen.snapshot;
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

    /// Shades a chart since when alerts fire whose names begin so, and the names of their things.
    pub fn shade(&self, chart: &mut Chart, kind: &str, thing: &str) {
        let alerts = self.seen.snapshot.alerts.iter();
        let fits = |name: &str| {
            let (_, own) = name.split_once(':').unwrap_or_default();
            name.starts_with(kind) && own.starts_with(thing)
        };
        let until = chart.until;
        let firing = alerts.filter(|alert| alert.is_firing() && fits(&alert.name));
        let from = firing.map(|alert| alert.since);
        chart
            .episodes
            .extend(from.map(|from| Episode { from, until }));
    }

    /// Adds a value to compare with.
    pub fn compare(chart: &mut Chart, label: &str, value: Option<f64>) {
        chart.thresholds.extend(value.map(|value| Threshold {
            label: label.to_owned(),
            value,
        }));
    }

    /// A chart, if there is something in it.
    pub fn figure(&mut self, chart: &Chart) {
        if let Some(html) = chart.html() {
            self.raw(&html);
        }
    }
}
