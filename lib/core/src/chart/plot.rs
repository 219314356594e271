//! Lays a chart out and draws it: heading, axes, shaded episodes, bands with their mean lines, thresholds, legend.

use super::canvas::{Align, Canvas, Face, Rgb};
use super::font::{self, Point};
use super::scale::{self, Scale, ValueAxis};
use super::{Chart, Line, Summary, Theme};

/// Sizes of letters.
const TITLE_EM: f32 = 21.0;
const TEXT_EM: f32 = 15.0;
/// Space around everything.
const MARGIN: f32 = 16.0;
/// From one line of the legend to the next.
const ROW: f32 = 22.0;
/// From so many lines on, the legend has two columns.
const TWO_COLUMNS: usize = 4;
/// Space between them.
const GAP: f32 = 28.0;
/// Up to so many lines stay in one column when a name is longer than this: two have no room for it.
const MOST_LONG: usize = 5;
const LONG_NAME: f32 = 120.0;
/// More lines than this hide each other's bands, so they have none.
const MOST_BANDS: usize = 3;
/// Marks along each of several lines.
const MARKS: usize = 5;
/// Thresholds that are drawn.
const MOST_THRESHOLDS: usize = 4;

/// The colours of a theme.
struct Colors {
    background: Rgb,
    text: Rgb,
    dim: Rgb,
    grid: Rgb,
    axis: Rgb,
    alarm: Rgb,
    lines: [Rgb; Chart::MOST_LINES],
}

/// Line colours that people with any kind of colour blindness tell apart (after Okabe and Ito, 2008), darker or
/// lighter where the background asks for it.
const LIGHT: Colors = Colors {
    background: [255, 255, 255],
    text: [20, 24, 31],
    dim: [92, 102, 116],
    grid: [230, 233, 238],
    axis: [150, 158, 170],
    alarm: [201, 37, 45],
    lines: [
        [0, 114, 178],
        [213, 94, 0],
        [0, 138, 102],
        [177, 74, 140],
        [161, 120, 0],
        [40, 150, 210],
        [40, 46, 56],
        [122, 110, 200],
    ],
};
const DARK: Colors = Colors {
    background: [23, 27, 34],
    text: [232, 236, 242],
    dim: [152, 162, 177],
    grid: [43, 49, 60],
    axis: [98, 108, 122],
    alarm: [255, 107, 107],
    lines: [
        [86, 180, 233],
        [240, 150, 60],
        [40, 200, 150],
        [226, 140, 192],
        [240, 228, 66],
        [120, 150, 255],
        [225, 230, 238],
        [200, 160, 110],
    ],
};

/// Draws it, with at most one place of a line in each `bin` pixels.
pub(super) fn draw(chart: &Chart, bin: f32) -> Canvas {
    let colors = match chart.theme {
        Theme::Light => LIGHT,
        Theme::Dark => DARK,
    };
    let (width, height) = (
        usize::from(chart.size.0.clamp(240, 2400)),
        usize::from(chart.size.1.clamp(180, 1600)),
    );
    let mut plot = Plot::new(chart, colors, (width, height), bin);
    plot.heading();
    plot.episodes();
    plot.axes();
    if plot.values.is_some() {
        for index in (0..chart.drawn().len()).rev() {
            plot.line(index);
        }
        plot.marks();
        plot.thresholds();
    } else {
        plot.nothing();
    }
    plot.legend();
    plot.canvas
}

/// A picture that is being drawn.
struct Plot<'a> {
    chart: &'a Chart,
    colors: Colors,
    canvas: Canvas,
    /// `None` when nothing was measured.
    values: Option<ValueAxis>,
    summaries: Vec<Option<Summary>>,
    samples: Vec<Vec<Sample>>,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    bin: f32,
}

/// A place on a line, in pixels from left and in values.
#[derive(Clone, Copy, Debug)]
struct Sample {
    x: f32,
    min: f32,
    avg: f32,
    max: f32,
    /// Nothing was measured between the one before and this one.
    begins: bool,
}

impl<'a> Plot<'a> {
    fn new(
        chart: &'a Chart,
        colors: Colors,
        (width, height): (usize, usize),
        bin: f32,
    ) -> Plot<'a> {
        let plain = [
            colors.text,
            colors.dim,
            colors.grid,
            colors.axis,
            colors.alarm,
        ];
        let mut exact = vec![colors.background];
        exact.extend(plain);
        exact.extend(colors.lines.iter().take(chart.drawn().len()));
        let canvas = Canvas::new(width, height, exact);
        let rows = legend_rows(chart);
        let bottom = height as f32 - MARGIN - rows as f32 * ROW - 36.0;
        let top = MARGIN + TITLE_EM + 30.0;
        let wanted = ((bottom - top) / 46.0).max(1.0) as usize;
        let extremes = chart.extremes();
        let values = extremes.map(|(low, high)| {
            let (low, high) = scale::with_thresholds(chart, low, high);
            ValueAxis::of(chart.unit, low, high, wanted)
        });
        let labels = values.iter().flat_map(|axis| {
            let ticks = axis.ticks.iter().map(|tick| axis.label(*tick));
            ticks.chain([axis.scale.symbol()])
        });
        let widest = labels
            .map(|label| font::width(&label, TEXT_EM))
            .fold(0.0, f32::max);
        let mut plot = Plot {
            chart,
            colors,
            canvas,
            values,
            summaries: chart
                .drawn()
                .iter()
                .map(|line| chart.summary(line))
                .collect(),
            samples: Vec::new(),
            left: MARGIN + widest + 10.0,
            top,
            right: width as f32 - MARGIN - 6.0,
            bottom,
            bin,
        };
        plot.samples = chart
            .drawn()
            .iter()
            .map(|line| plot.sampled(line))
            .collect();
        plot
    }

    fn face(&self, color: Rgb) -> Face {
        Face {
            em: TEXT_EM,
            is_bold: false,
            color,
        }
    }

    fn x(&self, at_ms: f64) -> f32 {
        let span = (self.chart.until.0 as f64 - self.chart.from.0 as f64).max(1.0);
        let share = (at_ms - self.chart.from.0 as f64) / span;
        self.left + share as f32 * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f32 {
        let Some(axis) = &self.values else {
            return self.bottom;
        };
        let share = ((value - axis.low) / (axis.high - axis.low)).clamp(-0.1, 1.1);
        self.bottom - share as f32 * (self.bottom - self.top)
    }

    fn heading(&mut self) {
        let chart = self.chart;
        let span = scale::span_text(chart.from, chart.until, &chart.zone);
        let (edge, baseline) = (self.canvas.width as f32 - MARGIN, MARGIN + TITLE_EM * 0.75);
        let dim = self.face(self.colors.dim);
        let taken = self.canvas.text(&span, (edge, baseline), Align::Right, dim);
        let title = font::elide(&chart.title, TITLE_EM, edge - taken - 2.0 * MARGIN);
        let face = Face {
            em: TITLE_EM,
            is_bold: true,
            color: self.colors.text,
        };
        self.canvas
            .text(&title, (MARGIN, baseline), Align::Left, face);
    }

    fn episodes(&mut self) {
        for episode in &self.chart.episodes {
            let from = self.x(episode.from.0 as f64).max(self.left);
            let until = self.x(episode.until.0 as f64).min(self.right);
            if until < self.left || from > self.right {
                continue;
            }
            let until = until.max(from + 2.0);
            self.canvas.rectangle([from, self.top, until, self.bottom]);
            self.canvas.paint(self.colors.alarm, 0.13);
            self.canvas
                .rectangle([from, self.top - 4.0, until, self.top]);
            self.canvas.paint(self.colors.alarm, 1.0);
        }
    }

    fn axes(&mut self) {
        let dim = self.face(self.colors.dim);
        let middle = font::capital(TEXT_EM) / 2.0;
        if let Some(axis) = self.values.take() {
            for tick in &axis.ticks {
                let y = self.bottom
                    - ((tick - axis.low) / (axis.high - axis.low)) as f32
                        * (self.bottom - self.top);
                self.rule([self.left, y, self.right, y], self.colors.grid);
                let at = (self.left - 9.0, y + middle);
                self.canvas.text(&axis.label(*tick), at, Align::Right, dim);
            }
            let at = (self.left - 9.0, self.top - 14.0);
            self.canvas
                .text(&axis.scale.symbol(), at, Align::Right, dim);
            self.values = Some(axis);
        }
        let chart = self.chart;
        let wanted = ((self.right - self.left) / 78.0).max(1.0) as usize;
        let mut taken = f32::MIN;
        for tick in scale::time_ticks(chart.from, chart.until, wanted, &chart.zone) {
            let x = self.x(tick.at.0 as f64);
            let (line, color) = match tick.is_major {
                true => (self.colors.axis, self.colors.text),
                false => (self.colors.grid, self.colors.dim),
            };
            self.rule([x, self.top, x, self.bottom + 5.0], line);
            let half = font::width(&tick.label, TEXT_EM) / 2.0;
            let middle = x.clamp(half + 2.0, self.canvas.width as f32 - half - 4.0);
            if middle - half < taken + 8.0 {
                continue;
            }
            taken = middle + half;
            let at = (middle, self.bottom + 10.0 + font::capital(TEXT_EM));
            let face = self.face(color);
            self.canvas.text(&tick.label, at, Align::Center, face);
        }
        self.rule(
            [self.left, self.bottom, self.right, self.bottom],
            self.colors.axis,
        );
    }

    /// A line of one pixel along an axis: left, top, right, bottom.
    fn rule(&mut self, [left, top, right, bottom]: [f32; 4], color: Rgb) {
        let (left, top) = (left.round(), top.round());
        let sides = match top == bottom.round() {
            true => [left, top, right.round(), top + 1.0],
            false => [left, top, left + 1.0, bottom.round()],
        };
        self.canvas.rectangle(sides);
        self.canvas.paint(color, 1.0);
    }

    /// The places of a line: its points, or one for each bin where the points are closer than that.
    fn sampled(&self, line: &Line) -> Vec<Sample> {
        let curve = &line.curve;
        let mut samples: Vec<Sample> = Vec::new();
        let per_pixel = curve.step.as_secs_f64() * 1000.0 * f64::from(self.right - self.left)
            / (self.chart.until.0 as f64 - self.chart.from.0 as f64).max(1.0);
        let is_dense = per_pixel < 0.9 * f64::from(self.bin);
        let (mut last, mut count) = (None::<usize>, 1.0f32);
        for (index, point) in curve.within(self.chart.from, self.chart.until) {
            let x = self.x(curve.middle_ms(index));
            let x = if is_dense {
                ((x / self.bin).floor() + 0.5) * self.bin
            } else {
                x
            };
            let begins = match last {
                None => true,
                Some(last) if is_dense => {
                    (index - last) as f64 * per_pixel > 1.5 * f64::from(self.bin)
                }
                Some(last) => index - last > 1,
            };
            last = Some(index);
            if let Some(same) = samples.last_mut().filter(|same| is_dense && same.x == x) {
                count += 1.0;
                same.min = same.min.min(point.min);
                same.max = same.max.max(point.max);
                same.avg += (point.avg - same.avg) / count;
                continue;
            }
            count = 1.0;
            samples.push(Sample {
                x,
                min: point.min,
                avg: point.avg,
                max: point.max,
                begins,
            });
        }
        samples
    }

    fn line(&mut self, index: usize) {
        let samples = std::mem::take(&mut self.samples[index]);
        let color = self.colors.lines[index];
        let few = self.samples.len() <= MOST_BANDS;
        if few {
            self.band(&samples);
            self.canvas.paint(color, 0.28);
        }
        let half = if few { 1.15 } else { 0.95 };
        let mut last: Option<Point> = None;
        for (place, sample) in samples.iter().enumerate() {
            let at = (sample.x, self.y(f64::from(sample.avg)));
            let is_alone = || samples.get(place + 1).is_none_or(|next| next.begins);
            match last.filter(|_| !sample.begins) {
                Some(from) => self.canvas.stroke(from, at, half),
                None if is_alone() => self.canvas.stroke(at, at, 2.4),
                None => self.canvas.stroke(at, at, half + 0.4),
            }
            last = Some(at);
        }
        self.canvas.paint(color, 1.0);
        self.samples[index] = samples;
    }

    fn band(&mut self, samples: &[Sample]) {
        let mut last: Option<(f32, f32, f32)> = None;
        for sample in samples {
            let high = self.y(f64::from(sample.max));
            let low = self.y(f64::from(sample.min));
            let (from_x, from_high, from_low) = match last.filter(|_| !sample.begins) {
                Some(last) => last,
                None => (sample.x - 1.0, high, low),
            };
            let (from, to) = (from_x.max(0.0) as usize, sample.x.max(0.0) as usize);
            for x in from + 1..=to {
                let share = (x as f32 + 0.5 - from_x) / (sample.x - from_x).max(0.01);
                let share = share.clamp(0.0, 1.0);
                let top = from_high + (high - from_high) * share;
                let bottom = from_low + (low - from_low) * share;
                if bottom - top > 0.3 {
                    self.canvas.column(x, top, bottom);
                }
            }
            last = Some((sample.x, high, low));
        }
    }

    /// Marks along the lines, each at its own places, so that a colour is never all that tells them apart.
    fn marks(&mut self) {
        let count = self.samples.len();
        if count < 2 {
            return;
        }
        for index in 0..count {
            let mut has_mark = false;
            for mark in 0..MARKS {
                let share = (mark as f32 + (index as f32 + 0.5) / count as f32) / MARKS as f32;
                let wanted = self.left + share * (self.right - self.left);
                let reach = (self.right - self.left) / (MARKS * count) as f32 * 0.7;
                let apart = |sample: &&Sample| (sample.x - wanted).abs();
                let near = self.samples[index]
                    .iter()
                    .min_by(|a, b| apart(a).total_cmp(&apart(b)));
                // What is too short for any of its places has a mark all the same.
                let is_last = mark + 1 == MARKS && !has_mark;
                if let Some(sample) = near.filter(|sample| apart(sample) <= reach || is_last) {
                    has_mark = true;
                    let at = (sample.x, self.y(f64::from(sample.avg)));
                    self.mark(index, at);
                }
            }
        }
    }

    fn mark(&mut self, index: usize, at: Point) {
        shape(&mut self.canvas, index, at, 6.6);
        self.canvas.paint(self.colors.background, 1.0);
        shape(&mut self.canvas, index, at, 5.0);
        self.canvas.paint(self.colors.lines[index], 1.0);
        if index >= 5 {
            shape(&mut self.canvas, index, at, 2.6);
            self.canvas.paint(self.colors.background, 1.0);
        }
    }

    fn thresholds(&mut self) {
        let Some(axis) = self.values.clone() else {
            return;
        };
        let is_shown = |value: f64| (axis.low..=axis.high).contains(&value);
        let mut all = scale::highest_first(&self.chart.thresholds);
        all.truncate(MOST_THRESHOLDS);
        let shown = || all.iter().filter(|threshold| is_shown(threshold.value));
        let lines: Vec<f32> = shown().map(|threshold| self.y(threshold.value)).collect();
        for y in &lines {
            let mut x = self.left;
            while x < self.right {
                let end = (x + 7.0).min(self.right);
                self.canvas.stroke((x, *y), (end, *y), 0.8);
                x += 13.0;
            }
        }
        self.canvas.paint(self.colors.alarm, 1.0);
        let alarm = self.face(self.colors.alarm);
        let mut taken: Vec<(f32, bool)> = Vec::new();
        let mut off_scale = self.top + 8.0 + font::capital(TEXT_EM);
        for threshold in &all {
            let label = scale::threshold_text(self.chart.unit, threshold);
            if is_shown(threshold.value) {
                let y = self.y(threshold.value);
                let (baseline, on_left) = self.free_place(y, &lines, &taken);
                taken.push((baseline, on_left));
                let (x, align) = match on_left {
                    true => (self.left + 6.0, Align::Left),
                    false => (self.right - 6.0, Align::Right),
                };
                self.label(&label, (x, baseline), align, alarm);
            } else {
                let sign = if threshold.value > axis.high {
                    '▲'
                } else {
                    '▼'
                };
                let at = (self.right - 6.0, off_scale);
                self.label(&format!("{sign} {label}"), at, Align::Right, alarm);
                off_scale += ROW;
            }
        }
    }

    /// A baseline for the label of a threshold, and whether it is on the left: above its line or below it, where no
    /// other line and no other label is.
    fn free_place(&self, y: f32, lines: &[f32], taken: &[(f32, bool)]) -> (f32, bool) {
        let height = font::capital(TEXT_EM);
        let (above, below) = (y - 6.0, y + 7.0 + height);
        let places = [(above, false), (below, false), (above, true), (below, true)];
        let is_free = |(baseline, on_left): &(f32, bool)| {
            let (top, bottom) = (baseline - height - 3.0, baseline + 3.0);
            let is_inside = top >= self.top - 2.0 && bottom <= self.bottom;
            let is_crossed = lines.iter().any(|line| (top..=bottom).contains(line));
            let is_taken = |(other, side): &(f32, bool)| {
                side == on_left && (other - baseline).abs() < height + 6.0
            };
            is_inside && !is_crossed && !taken.iter().any(is_taken)
        };
        let free = places.iter().find(|place| is_free(place));
        *free.unwrap_or(&places[0])
    }

    /// A text on a ground of its own, so that no line crosses it.
    fn label(&mut self, text: &str, at: Point, align: Align, face: Face) {
        let width = font::width(text, face.em);
        let left = if align == Align::Left {
            at.0
        } else {
            at.0 - width
        };
        let sides = [
            left - 3.0,
            at.1 - font::capital(face.em) - 3.0,
            left + width + 3.0,
            at.1 + 3.5,
        ];
        self.canvas.rectangle(sides);
        self.canvas.paint(self.colors.background, 0.82);
        self.canvas.text(text, at, align, face);
    }

    fn nothing(&mut self) {
        let at = (
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        );
        let face = Face {
            em: TITLE_EM,
            ..self.face(self.colors.dim)
        };
        self.canvas
            .text("no data in this period", at, Align::Center, face);
    }

    fn legend(&mut self) {
        let lines = self.chart.drawn();
        let columns = legend_columns(self.chart);
        let rows = lines.len().div_ceil(columns);
        let edge = self.canvas.width as f32 - MARGIN;
        let column_width = (edge - MARGIN - GAP * (columns - 1) as f32) / columns as f32;
        let top = self.bottom + 36.0;
        let cells = self.cells(columns == 1 && self.canvas.width >= 640);
        let widest: Vec<f32> = (0..cells.first().map_or(0, Vec::len))
            .map(|cell| {
                let widths = cells.iter().map(|row| font::width(&row[cell].1, TEXT_EM));
                widths.fold(0.0, f32::max)
            })
            .collect();
        for (index, line) in lines.iter().enumerate() {
            let left = MARGIN + (index / rows) as f32 * (column_width + GAP);
            let baseline = top + (index % rows) as f32 * ROW + 16.0;
            let right = self.numbers(&cells[index], &widest, (left + column_width, baseline));
            self.swatch(index, (left, baseline - font::capital(TEXT_EM) / 2.0));
            let label = font::elide(&line.label, TEXT_EM, right - left - 44.0);
            let face = self.face(self.colors.text);
            self.canvas
                .text(&label, (left + 34.0, baseline), Align::Left, face);
        }
        let note = self.chart.footnote();
        if !note.is_empty() {
            let at = (MARGIN, top + rows as f32 * ROW + 16.0);
            let face = self.face(self.colors.dim);
            let note = font::elide(&note, TEXT_EM, edge - MARGIN);
            self.canvas.text(&note, at, Align::Left, face);
        }
    }

    /// What the legend says of each line: words and numbers.
    fn cells(&self, has_last: bool) -> Vec<Vec<(&'static str, String)>> {
        let cells = |summary: &Option<Summary>| {
            let highest = summary.map_or(0.0, |summary| summary.max.abs().max(summary.min.abs()));
            let scale = Scale::of(self.chart.unit, highest);
            let decimals = scale::common_digits(scale, highest);
            let number = |value: fn(&Summary) -> f64| match summary {
                Some(summary) => scale.number(value(summary), decimals),
                None => "–".to_owned(),
            };
            let mut cells = vec![
                ("min ", number(|summary| summary.min)),
                ("avg ", number(|summary| summary.avg)),
                ("max ", number(|summary| summary.max)),
            ];
            if has_last {
                cells.push(("last ", number(|summary| summary.last)));
            }
            if let (Some((_, last)), Some(_)) = (cells.last_mut(), summary) {
                *last = scale.with_unit(last);
            }
            cells
        };
        self.summaries.iter().map(cells).collect()
    }

    /// Writes the numbers of a line up to a right end, in columns; returns where they begin.
    fn numbers(
        &mut self,
        cells: &[(&str, String)],
        widest: &[f32],
        (right, baseline): Point,
    ) -> f32 {
        let mut x = right;
        for ((word, number), width) in cells.iter().zip(widest).rev() {
            let face = self.face(self.colors.text);
            self.canvas.text(number, (x, baseline), Align::Right, face);
            x -= width + 1.0;
            let dim = self.face(self.colors.dim);
            self.canvas
                .text(word, (x - 4.0, baseline), Align::Right, dim);
            x -= font::width(word, TEXT_EM) + 16.0;
        }
        x
    }

    fn swatch(&mut self, index: usize, (left, middle): Point) {
        self.canvas
            .stroke((left + 2.0, middle), (left + 24.0, middle), 1.3);
        self.canvas.paint(self.colors.lines[index], 1.0);
        if self.samples.len() > 1 {
            self.mark(index, (left + 13.0, middle));
        }
    }
}

/// Two for many lines, unless their names would be cut and there is room for them one below the other.
fn legend_columns(chart: &Chart) -> usize {
    let lines = chart.drawn();
    let is_long = |line: &Line| font::width(&line.label, TEXT_EM) > LONG_NAME;
    match lines.len() {
        ..TWO_COLUMNS => 1,
        ..=MOST_LONG if lines.iter().any(is_long) => 1,
        _ => 2,
    }
}

fn legend_rows(chart: &Chart) -> usize {
    chart.drawn().len().div_ceil(legend_columns(chart)) + usize::from(!chart.footnote().is_empty())
}

/// Adds the mark of a line to the mask.
fn shape(canvas: &mut Canvas, index: usize, (x, y): Point, radius: f32) {
    let square = radius * 0.86;
    let corners: Vec<Point> = match index % 5 {
        0 => return canvas.stroke((x, y), (x, y), radius - 0.4),
        1 => vec![
            (-square, -square),
            (square, -square),
            (square, square),
            (-square, square),
        ],
        2 => vec![
            (0.0, -radius * 1.15),
            (radius * 1.1, radius * 0.8),
            (-radius * 1.1, radius * 0.8),
        ],
        3 => vec![
            (0.0, -radius * 1.2),
            (radius * 1.2, 0.0),
            (0.0, radius * 1.2),
            (-radius * 1.2, 0.0),
        ],
        _ => vec![
            (-radius * 1.1, -radius * 0.8),
            (radius * 1.1, -radius * 0.8),
            (0.0, radius * 1.15),
        ],
    };
    let corners: Vec<Point> = corners
        .into_iter()
        .map(|(dx, dy)| (x + dx, y + dy))
        .collect();
    canvas.polygon(&corners);
}
