//! Pictures of what values were over time: PNG for chats, SVG for the status page, block characters where neither
//! goes. Drawn by the agent itself: no browser, no font of the system, no clock. Where the values come from is
//! decided elsewhere.

mod canvas;
mod font;
mod plot;
mod png;
mod scale;
mod svg;
mod words;

use crate::history::{Curve, Unit};
use crate::time::{Wall, Zone};

/// Everything that a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it is about.
    pub title: String,
    /// The left edge.
    pub from: Wall,
    /// The right edge.
    pub until: Wall,
    /// Of all values.
    pub unit: Unit,
    /// What is drawn; at most `Chart::MOST_LINES`, the rest is counted.
    pub lines: Vec<Line>,
    /// Lines that exist besides and are not drawn.
    pub more: usize,
    /// Values to compare with.
    pub thresholds: Vec<Threshold>,
    /// Stretches of time to look at.
    pub episodes: Vec<Episode>,
    /// What else there is to say, below the legend; empty for nothing.
    pub note: String,
    /// Of all times.
    pub zone: Zone,
    /// Light or dark.
    pub theme: Theme,
    /// Width and height in pixels.
    pub size: (u16, u16),
}

/// One curve under its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// As the legend names it.
    pub label: String,
    /// Its values.
    pub curve: Curve,
}

/// A value to compare with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Threshold {
    /// What it is: `limit`.
    pub label: String,
    /// In the unit of the chart.
    pub value: f64,
}

/// A stretch of time to look at, such as that of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Episode {
    /// Its beginning.
    pub from: Wall,
    /// Its end, or the present.
    pub until: Wall,
}

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Dark on white.
    #[default]
    Light,
    /// Light on a dark blue.
    Dark,
}

/// What a line was as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Smallest.
    pub min: f64,
    /// Mean over the points.
    pub avg: f64,
    /// Highest.
    pub max: f64,
    /// The mean of the latest point.
    pub last: f64,
}

/// A picture of more noise than this holds is drawn again with fewer places on each line.
const MOST_BYTES: usize = 40_000;

impl Chart {
    /// Lines that a picture holds.
    pub const MOST_LINES: usize = 8;
    /// Width and height of a picture for a chat.
    pub const SIZE: (u16, u16) = (800, 480);

    /// A chart without anything in it yet, of the usual size.
    pub fn new(title: String, unit: Unit, from: Wall, until: Wall, zone: Zone) -> Chart {
        Chart {
            title,
            from,
            until,
            unit,
            lines: Vec::new(),
            more: 0,
            thresholds: Vec::new(),
            episodes: Vec::new(),
            note: String::new(),
            zone,
            theme: Theme::default(),
            size: Chart::SIZE,
        }
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for bin in [1.0, 3.0, 6.0] {
            file = png::encode(&plot::draw(self, bin));
            if file.len() <= MOST_BYTES {
                break;
            }
        }
        file
    }

    /// Leaves as many lines as a picture holds: those that reach the highest, in their order. The rest is counted.
    pub fn keep_highest(&mut self) {
        let highest = |line: &Line| self.summary(line).map_or(f64::MIN, |summary| summary.max);
        let highest: Vec<f64> = self.lines.iter().map(highest).collect();
        let mut ranked: Vec<usize> = (0..highest.len()).collect();
        crate::small::sort_by_key(&mut ranked, |place| (-highest[*place] * 1000.0) as i64);
        ranked.truncate(Chart::MOST_LINES);
        self.more += highest.len() - ranked.len();
        let mut places = 0..;
        self.lines
            .retain(|_| places.next().is_some_and(|place| ranked.contains(&place)));
    }

    /// The lines that are drawn.
    fn drawn(&self) -> &[Line] {
        &self.lines[..self.lines.len().min(Chart::MOST_LINES)]
    }

    /// The lines that are not drawn.
    fn left_out(&self) -> usize {
        self.more + self.lines.len() - self.drawn().len()
    }

    /// What stands below the legend.
    fn footnote(&self) -> String {
        let mut note = self.note.clone();
        if self.left_out() > 0 {
            if !note.is_empty() {
                note.push_str(" · ");
            }
            note.push_str(&format!("and {} more, not drawn", self.left_out()));
        }
        note
    }

    /// Smallest and highest of what is drawn.
    fn extremes(&self) -> Option<(f64, f64)> {
        let all = self.drawn().iter().filter_map(|line| self.summary(line));
        all.map(|summary| (summary.min, summary.max))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// What a line was between the edges; `None` when nothing was measured.
    pub fn summary(&self, line: &Line) -> Option<Summary> {
        let mut points = line.curve.within(self.from, self.until);
        let (_, first) = points.next()?;
        let (mut min, mut max, mut last) = (first.min, first.max, first.avg);
        let (mut sum, mut count) = (f64::from(first.avg), 1.0);
        for (_, point) in points {
            (min, max, last) = (min.min(point.min), max.max(point.max), point.avg);
            sum += f64::from(point.avg);
            count += 1.0;
        }
        Some(Summary {
            min: f64::from(min),
            avg: sum / count,
            max: f64::from(max),
            last: f64::from(last),
        })
    }
}

impl Curve {
    /// Places of the points whose middles lie between two moments, with what was measured there.
    fn within(
        &self,
        from: Wall,
        until: Wall,
    ) -> impl Iterator<Item = (usize, &crate::history::Span)> {
        (0..).zip(&self.points).filter_map(move |(index, point)| {
            let middle = self.middle_ms(index);
            let is_inside = middle >= from.0 as f64 && middle <= until.0 as f64;
            let point = point.as_ref()?;
            let is_number = point.min.is_finite() && point.avg.is_finite() && point.max.is_finite();
            (is_inside && is_number).then_some((index, point))
        })
    }

    /// The middle of a point, in milliseconds since the UNIX epoch.
    fn middle_ms(&self, index: usize) -> f64 {
        self.start.0 as f64 + self.step.as_secs_f64() * 1000.0 * (index as f64 + 0.5)
    }
}
