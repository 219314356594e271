//! What a chart says in words, and the same in block characters where a picture cannot go.

use super::scale::{self, Scale};
use super::{Chart, Line, Summary};
use crate::history::Unit;
use crate::text::Text;

/// Characters of a sparkline.
const WIDTH: usize = 48;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Longer names are cut in the middle: what tells them apart is more often at the end.
const MOST_NAME: usize = 24;

impl Chart {
    /// What goes with the picture: what it is about, and smallest, mean and highest of each line.
    pub fn caption(&self) -> Text {
        let mut text = self.heading();
        for (line, summary) in self.summaries() {
            text = text.plain("\n");
            if self.is_named(line) {
                text = text.plain(format!("{}: ", line.label));
            }
            text = text.plain(Chart::numbers(self.unit, summary));
        }
        self.remarks(text)
    }

    /// The whole chart in block characters, for terminals and mail.
    pub fn to_text(&self) -> Text {
        let mut text = self.heading();
        let cut = |line: &Line| cut_middle(&line.label, MOST_NAME);
        let names = self.drawn().iter().map(|line| cut(line).chars().count());
        let widest = names.max().unwrap_or(0);
        for (line, summary) in self.summaries() {
            let name = match self.is_named(line) {
                true => format!("{:widest$} ", cut(line)),
                false => String::new(),
            };
            let sparkline = match summary {
                Some(_) => self.sparkline(line) + " ",
                None => String::new(),
            };
            let numbers = Chart::numbers(self.unit, summary);
            text = text.plain(format!("\n{name}{sparkline}{numbers}"));
        }
        self.remarks(text)
    }

    /// One line in block characters, the highest of each stretch; a space where nothing was measured.
    pub fn sparkline(&self, line: &Line) -> String {
        let span_ms = (self.until.0 as f64 - self.from.0 as f64).max(1.0);
        let mut bins = [None::<f32>; WIDTH];
        let half_ms = line.curve.step.as_secs_f64() * 500.0;
        for (index, point) in line.curve.within(self.from, self.until) {
            let middle_ms = line.curve.middle_ms(index) - self.from.0 as f64;
            let place = |at_ms: f64| (at_ms / span_ms * WIDTH as f64).max(0.0);
            let first = (place(middle_ms - half_ms) as usize).min(WIDTH - 1);
            let end = (place(middle_ms + half_ms).round() as usize).min(WIDTH);
            for bin in &mut bins[first..end.max(first + 1)] {
                *bin = Some(bin.map_or(point.max, |high| high.max(point.max)));
            }
        }
        let known = || bins.iter().flatten().map(|value| f64::from(*value));
        let low = known().fold(f64::MAX, f64::min);
        let high = known().fold(f64::MIN, f64::max);
        let (low, high) = match self.unit {
            Unit::Percent => (0.0, high.max(100.0)),
            unit => scale::spread(unit, low, high),
        };
        let block = |value: &Option<f32>| {
            value.map_or(' ', |value| {
                let share = (f64::from(value) - low) / (high - low);
                BLOCKS[((share * 8.0) as usize).min(7)]
            })
        };
        bins.iter().map(block).collect()
    }

    fn heading(&self) -> Text {
        let span = scale::span_text(self.from, self.until, &self.zone);
        Text::new().bold(&*self.title).plain(format!(", {span}"))
    }

    fn summaries(&self) -> impl Iterator<Item = (&Line, Option<Summary>)> {
        self.drawn().iter().map(|line| (line, self.summary(line)))
    }

    /// A line alone needs no name when the heading says it.
    fn is_named(&self, line: &Line) -> bool {
        let heading = self.title.to_lowercase();
        self.lines.len() > 1 || !heading.contains(&line.label.to_lowercase())
    }

    pub(super) fn numbers(unit: Unit, summary: Option<Summary>) -> String {
        let Some(summary) = summary else {
            return "no data in this period".to_owned();
        };
        let highest = summary.max.abs().max(summary.min.abs());
        let scale = Scale::of(unit, highest);
        let decimals = scale::common_digits(scale, highest);
        let number = |value| scale.number(value, decimals);
        format!(
            "min {}, avg {}, max {}, last {}",
            number(summary.min),
            number(summary.avg),
            number(summary.max),
            scale.with_unit(&number(summary.last))
        )
    }

    fn remarks(&self, text: Text) -> Text {
        let thresholds = self.thresholds.iter();
        let mut remarks: Vec<String> = thresholds
            .filter(|threshold| threshold.value.is_finite())
            .map(|threshold| scale::threshold_text(self.unit, threshold))
            .collect();
        remarks.extend(Some(self.footnote()).filter(|note| !note.is_empty()));
        match remarks.is_empty() {
            true => text,
            false => text.italic(format!("\n{}", remarks.join(" · "))),
        }
    }
}

/// The text itself when it is no longer than this, else its beginning and its end around a `…`.
pub(super) fn cut_middle(text: &str, length: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= length {
        return text.to_owned();
    }
    let kept = length.saturating_sub(1);
    let (head, tail) = (&chars[..kept.div_ceil(2)], &chars[chars.len() - kept / 2..]);
    let text = |part: &[char]| part.iter().collect::<String>();
    format!("{}…{}", text(head).trim_end(), text(tail).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::Threshold;
    use crate::history::{Curve, Span};
    use crate::time::{Wall, Zone};
    use std::time::Duration;

    fn chart(values: &[Option<f32>]) -> Chart {
        let from = Wall(1_795_202_100_000);
        let step = Duration::from_secs(3600 / values.len() as u64);
        let point = |value: &Option<f32>| {
            value.map(|avg| Span {
                min: avg - 1.0,
                avg,
                max: avg + 1.0,
            })
        };
        let mut chart = Chart::new(
            "Power of alpha".into(),
            Unit::Watts,
            from,
            from.plus(Duration::from_secs(3600)),
            Zone::UTC,
        );
        chart.lines.push(Line {
            label: "alpha".into(),
            curve: Curve {
                start: from,
                step,
                points: values.iter().map(point).collect(),
                ..Curve::default()
            },
        });
        chart
    }

    #[test]
    fn a_line_of_blocks_has_gaps_where_there_was_no_reading() {
        let values = [
            Some(0.0),
            Some(250.0),
            None,
            Some(500.0),
            Some(750.0),
            Some(1000.0),
        ];
        let chart = chart(&values);
        assert_eq!(
            chart.sparkline(&chart.lines[0]),
            "▁▁▁▁▁▁▁▁▃▃▃▃▃▃▃▃        ▅▅▅▅▅▅▅▅▇▇▇▇▇▇▇▇████████"
        );
    }

    #[test]
    fn a_share_is_drawn_of_the_whole() {
        let mut chart = chart(&[Some(62.0), Some(12.0)]);
        chart.unit = Unit::Percent;
        let want = "▆".repeat(24) + &"▂".repeat(24);
        assert_eq!(chart.sparkline(&chart.lines[0]), want);
    }

    #[test]
    fn long_names_that_differ_at_their_ends_stay_apart() {
        for (length, want) in [
            (37, "rack-17-left-front-upper-row-b-feed-a"),
            (24, "rack-17-left…ow-b-feed-a"),
            (2, "r…"),
            (1, "…"),
            (0, "…"),
        ] {
            let name = "rack-17-left-front-upper-row-b-feed-a";
            assert_eq!(cut_middle(name, length), want);
        }
    }

    #[test]
    fn words_tell_what_the_picture_shows() {
        let mut chart = chart(&[Some(2312.0), None, Some(3100.0)]);
        chart.thresholds.push(Threshold {
            label: "limit".into(),
            value: 3000.0,
        });
        chart.note = "shaded: above the limit".into();
        let caption = "Power of alpha, 20 Nov 2026, 19:15–20:15 UTC\n\
             min 2.31, avg 2.71, max 3.10, last 3.10 kW\n\
             limit 3 kW · shaded: above the limit";
        assert_eq!(chart.caption().to_plain(), caption);
        assert!(chart.to_text().to_plain().contains("█ min 2.31, avg"));
        chart.lines.push(Line {
            label: "bravo".into(),
            ..Line::default()
        });
        let caption = chart.caption().to_plain();
        assert!(
            caption.contains("\nbravo: no data in this period\n"),
            "{caption}"
        );
    }
}
