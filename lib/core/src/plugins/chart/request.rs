//! What a `/chart` line asks for: metric, period, looks.

use super::metric::{self, Metric};
use crate::chart::Theme;
use crate::chat::Invocation;
use crate::config::units;
use crate::ctx::Ctx;
use crate::time::Wall;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const YEAR: Duration = Duration::from_secs(366 * 86_400);
/// The shortest and the longest period.
const PERIOD: std::ops::RangeInclusive<Duration> = Duration::from_secs(600)..=YEAR;

/// A chart that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) metric: Metric,
    pub(super) from: Wall,
    pub(super) until: Wall,
    pub(super) theme: Theme,
    pub(super) shape: Shape,
}

/// How it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As a picture in the message.
    Picture,
    /// As a file.
    File,
    /// In block characters.
    Words,
}

impl Request {
    /// Reads the arguments.
    ///
    /// # Errors
    /// Says in one line what was not understood, and what there is.
    pub(super) fn read(ctx: &Ctx<'_>, invocation: &Invocation) -> Result<Request, String> {
        let shows_pictures = invocation.reply_to.session.is_none();
        let words: Vec<&str> = invocation.args.iter().map(String::as_str).collect();
        let (name, options) = Options::of(&words);
        let metric =
            metric::find(ctx, &name).map_err(|why| misplaced(ctx, &name).unwrap_or(why))?;
        let until = ctx.now.wall;
        let period = match &options.period {
            Some(text) => read_period(text)?,
            None => own_period(ctx, &metric),
        };
        Ok(Request {
            metric,
            from: until.minus(period),
            until,
            theme: options.theme,
            shape: match (options.is_file, shows_pictures) {
                (true, _) => Shape::File,
                (false, true) => Shape::Picture,
                (false, false) => Shape::Words,
            },
        })
    }
}

/// What stands behind the name.
#[derive(Default)]
struct Options {
    period: Option<String>,
    theme: Theme,
    is_file: bool,
}

impl Options {
    /// Takes options from the end; what is left is the name, of which one word at least remains.
    fn of(words: &[&str]) -> (String, Options) {
        let (mut options, mut left) = (Options::default(), words);
        while let [rest @ .., last] = left {
            if rest.is_empty() {
                break;
            }
            match last.to_lowercase() {
                word if word == "dark" => options.theme = Theme::Dark,
                word if word == "light" => options.theme = Theme::Light,
                word if word == "file" => options.is_file = true,
                word if options.period.is_none() && looks_like_a_period(&word) => {
                    options.period = Some(word);
                }
                _ => break,
            }
            left = rest;
        }
        (left.join(" "), options)
    }
}

/// What to say of a word behind a name that is none of the options.
fn misplaced(ctx: &Ctx<'_>, words: &str) -> Option<String> {
    let (name, word) = words.rsplit_once(' ')?;
    let metric = metric::find(ctx, name).ok()?;
    (!metric.has_things()).then(|| {
        format!(
            "`{word}` is not understood; after `{name}` come a period from 10m to 1y, such as 24h, and `dark` or `file`"
        )
    })
}

fn looks_like_a_period(word: &str) -> bool {
    let unit = word.trim_start_matches(|ch: char| ch.is_ascii_digit() || ch == '.');
    let has_number = unit.len() < word.len();
    has_number && (is_year(unit) || units::duration(word).is_ok())
}

fn is_year(unit: &str) -> bool {
    ["y", "year", "years"].contains(&unit)
}

fn read_period(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|ch: char| ch.is_ascii_digit() || ch == '.');
    let period = match is_year(unit) {
        true => {
            let years: f64 = text[..text.len() - unit.len()].parse().unwrap_or(f64::MAX);
            YEAR.mul_f64(years.min(100.0))
        }
        false => units::duration(text)?,
    };
    match PERIOD.contains(&period) {
        true => Ok(period),
        false => Err(format!(
            "`{text}`: write a period from 10m to 1y, such as 24h"
        )),
    }
}

/// Of an alert: an hour, or all of its episode with what was before. Of all else an hour.
fn own_period(ctx: &Ctx<'_>, metric: &Metric) -> Duration {
    let Some(alert) = &metric.alert else {
        return HOUR;
    };
    let fired = ctx.alerts.get(alert).and_then(|entry| entry.fired);
    let ended = || ctx.alerts.past().filter(|past| past.name == *alert);
    let began = fired.or_else(|| ended().map(|past| past.from).max());
    let span = began.map_or(HOUR, |began| ctx.now.wall.since(began).mul_f64(1.2));
    span.clamp(HOUR, YEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_behind_the_name_in_any_order() {
        for (line, name, period, theme, is_file) in [
            ("power", "power", None, Theme::Light, false),
            ("power 24h", "power", Some("24h"), Theme::Light, false),
            (
                "Team Alpha 7d dark",
                "Team Alpha",
                Some("7d"),
                Theme::Dark,
                false,
            ),
            ("cpu FILE dark 1Y", "cpu", Some("1y"), Theme::Dark, true),
            ("dark", "dark", None, Theme::Light, false),
            ("1h", "1h", None, Theme::Light, false),
            ("rack 3", "rack 3", None, Theme::Light, false),
            ("rack 3 1h 2h", "rack 3 1h", Some("2h"), Theme::Light, false),
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let (read, options) = Options::of(&words);
            assert_eq!(read, name, "{line}");
            assert_eq!(
                (options.period.as_deref(), options.theme, options.is_file),
                (period, theme, is_file)
            );
        }
    }

    #[test]
    fn periods_have_bounds() {
        for (text, want) in [
            ("10m", Some(600)),
            ("1.5h", Some(5400)),
            ("1y", Some(366 * 86_400)),
            ("9m", None),
            ("2y", None),
            ("99999999999y", None),
            ("13w", Some(13 * 604_800)),
        ] {
            let got = read_period(text).ok().map(|period| period.as_secs());
            assert_eq!(got, want, "{text}");
        }
    }
}
