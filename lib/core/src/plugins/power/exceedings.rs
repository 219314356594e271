//! `/exceedings`: the excesses of the past and those under way, as text or as a file.

use super::excess::{Episode, Excess, Level, SavedExcess, Subject, Watts};
use super::{Power, Purpose, commands};
use crate::chat::{Answer, Invocation, ReplyTo};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::effect::{Document, Effect, Job};
use crate::event::Reply;
use crate::fault::Fault;
use crate::plugins::power::settings;
use crate::text::Text;
use crate::time::{Human, Wall, Zone};
use std::fmt::Write as _;
use std::time::Duration;

/// Excesses in one message.
const MAX_LINES: usize = 20;

/// Renders excesses as CSV.
#[derive(Debug)]
pub struct CsvJob {
    /// What to render, oldest first.
    pub episodes: Vec<Episode>,
    /// Of the times.
    pub zone: Zone,
}

impl CsvJob {
    /// Does it: one line for each excess, with a heading; fields that need it are quoted (RFC 4180).
    pub fn run(self) -> Document {
        let mut out =
            String::from("began,subject,what,seconds,peak_w,limit_w,energy_above_kwh,cut_off\r\n");
        for episode in &self.episodes {
            let energy = episode
                .energy_kwh
                .map_or(String::new(), |kwh| format!("{kwh:.4}"));
            let _ = write!(
                out,
                "{},{},{},{:.1},{:.1},{:.1},{energy},{}\r\n",
                episode.began.local(&self.zone),
                field(&episode.subject),
                field(&episode.what),
                episode.seconds,
                episode.peak_w,
                episode.limit_w,
                episode.cut_off,
            );
        }
        Document {
            name: "exceedings.csv".into(),
            mime: "text/csv",
            bytes: out.into_bytes().into(),
            is_picture: false,
        }
    }
}

/// A field of a CSV line. A leading sign or `=` would be taken for a formula by some programs.
fn field(text: &str) -> String {
    let text = match text.chars().next() {
        Some('=' | '+' | '-' | '@') => format!("'{text}"),
        _ => text.to_owned(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Query {
    /// PDUs and teams whose subject must be named; empty for all.
    subjects: Vec<String>,
    since: Option<Wall>,
    csv: bool,
}

impl Power {
    pub(super) fn exceedings(&mut self, ctx: &mut Ctx<'_>, invocation: &Invocation) {
        let Some(query) = read_query(ctx.config, &invocation.args, ctx.now.wall) else {
            return commands::usage(ctx, invocation);
        };
        let mut episodes: Vec<Episode> = self
            .episodes
            .list
            .iter()
            .map(|(_, episode)| episode.clone())
            .collect();
        let under_way = self.under_way(ctx.config);
        let first_open = episodes.len();
        episodes.extend(under_way);
        let is_open: Vec<bool> = (0..episodes.len()).map(|at| at >= first_open).collect();
        let mut chosen: Vec<(Episode, bool)> = episodes
            .into_iter()
            .zip(is_open)
            .filter(|(episode, _)| query.wants(episode))
            .collect();
        crate::small::sort_by_key(&mut chosen, |(episode, _)| episode.began);
        if query.csv {
            let ticket = ctx.tickets.issue();
            self.jobs
                .insert(ticket, Purpose::Csv(invocation.reply_to.clone()));
            let job = CsvJob {
                episodes: chosen.into_iter().map(|(episode, _)| episode).collect(),
                zone: ctx.config.notify.timezone.clone(),
            };
            ctx.effects.push(Effect::Work {
                ticket,
                job: Job::new(Reply::Document, move || job.run()),
            });
            return;
        }
        let text = tell(&chosen, &ctx.config.notify.timezone);
        ctx.answer(&invocation.reply_to, Answer::text(text));
    }

    fn under_way(&self, config: &Config) -> Vec<Episode> {
        let of = |subject, level, excess: Option<&Excess>| {
            excess.map(|excess| Episode::of(SavedExcess::of(excess, config, subject, level), false))
        };
        let mut all = Vec::new();
        for (index, device) in (0u32..).zip(&self.devices) {
            let subject = Subject::Pdu(index);
            let hard = device
                .hard
                .as_ref()
                .and_then(|watch| watch.excess.as_deref());
            let soft = device
                .soft
                .as_ref()
                .and_then(|watch| watch.excess.as_deref());
            all.extend(of(subject, Level::Hard, hard));
            all.extend(of(subject, Level::Soft, soft));
        }
        let sums = (0u32..)
            .map(Subject::Team)
            .zip(&self.teams)
            .chain([(Subject::Site, &self.site)]);
        for (subject, sum) in sums {
            let hard = sum.hard.as_ref().and_then(|watch| watch.excess.as_deref());
            let soft = sum.soft.as_ref().and_then(|watch| watch.excess.as_deref());
            all.extend(of(subject, Level::Hard, hard));
            all.extend(of(subject, Level::Soft, soft));
        }
        all
    }
}

impl Query {
    fn wants(&self, episode: &Episode) -> bool {
        let is_named = self.subjects.is_empty() || self.subjects.contains(&episode.subject);
        is_named && self.since.is_none_or(|since| episode.began >= since)
    }
}

/// Reads `[name] [since] [csv]`, in any order; `None` when a word is none of them.
fn read_query(config: &Config, args: &[String], now: Wall) -> Option<Query> {
    let mut query = Query::default();
    let mut name: Vec<&str> = Vec::new();
    for arg in args {
        let since = read_since(arg, now, &config.notify.timezone);
        if arg.eq_ignore_ascii_case("csv") {
            query.csv = true;
        } else if since.is_some() && query.since.is_none() {
            query.since = since;
        } else {
            name.push(arg);
        }
    }
    if !name.is_empty() {
        query.subjects = subjects(config, &name.join(" "))?;
    }
    Some(query)
}

/// The subjects that a name stands for: a PDU as messages call it, or a team with all its PDUs.
fn subjects(config: &Config, name: &str) -> Option<Vec<String>> {
    let mut names = commands::complete(commands::pdus_and_teams(config), name);
    if names.is_empty() && "site".starts_with(&name.to_lowercase()) {
        return Some(vec!["site (soft)".into(), "site (hard)".into()]);
    }
    if names.len() != 1 {
        return None;
    }
    let name = names.remove(0);
    let of_pdu = |index: u32| super::excess::pdu_words(config, index);
    if let Some(index) = settings(config)
        .pdus
        .iter()
        .position(|pdu| *pdu.name == *name)
    {
        return Some(vec![of_pdu(index as u32)]);
    }
    let team = settings(config)
        .teams
        .iter()
        .find(|team| *team.name == *name)?;
    let mut all: Vec<String> = team.members.iter().map(|index| of_pdu(*index)).collect();
    all.push(format!("{name} (team)"));
    Some(all)
}

/// A span before now (`90m`, `24h`, `7d`) or a date (`2026-11-20`), with or without a time.
fn read_since(text: &str, now: Wall, zone: &Zone) -> Option<Wall> {
    if let Some(moment) = Wall::parse(text, zone) {
        return Some(moment);
    }
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(now.minus(Duration::from_secs(count.saturating_mul(seconds))))
}

fn tell(episodes: &[(Episode, bool)], zone: &Zone) -> Text {
    if episodes.is_empty() {
        return Text::from("No excess is known.");
    }
    let mut text = Text::new().bold(match episodes.len() {
        1 => "One excess".to_owned(),
        count if count > MAX_LINES => format!("The last {MAX_LINES} of {count} excesses"),
        count => format!("{count} excesses"),
    });
    let shown = episodes.len().saturating_sub(MAX_LINES);
    for (episode, is_open) in &episodes[shown..] {
        let mut line = format!("\n{} {}: ", episode.began.local(zone), episode.subject);
        let seconds = Human(Duration::from_secs_f64(episode.seconds.max(0.0).round()));
        let _ = match episode.energy_kwh {
            None => write!(
                line,
                "peak between readings {} > {}",
                Watts(episode.peak_w),
                Watts(episode.limit_w)
            ),
            Some(kwh) => write!(
                line,
                "above {} for {seconds}{}, peak {}, {kwh:.4} kWh above",
                Watts(episode.limit_w),
                match (is_open, episode.cut_off) {
                    (true, _) => " so far",
                    (false, true) => " at least",
                    (false, false) => "",
                },
                Watts(episode.peak_w)
            ),
        };
        text = text.plain(line);
    }
    text
}

/// Hands the file to who asked for it.
pub(super) fn answer_csv(ctx: &mut Ctx<'_>, to: &ReplyTo, result: Result<Document, Fault>) {
    let answer = match result {
        Ok(document) => Answer {
            text: "The excesses as a table".into(),
            document: Some(document),
            ..Answer::default()
        },
        Err(fault) => Answer::text(format!("The file could not be made: {fault}")),
    };
    ctx.answer(to, answer);
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const NOW: Wall = Wall(1_795_205_702_000);

    #[test]
    fn a_query_takes_name_since_and_csv_in_any_order() {
        let config = testing::named(&[("alpha", "Team Alpha"), ("bravo", "")]);
        let query = |line: &str| {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            read_query(&config, &args, NOW)
        };
        let all = Query::default();
        assert_eq!(query(""), Some(all));
        let want = Query {
            subjects: vec!["Team Alpha (alpha)".into()],
            since: Some(NOW.minus(Duration::from_secs(86_400))),
            csv: true,
        };
        assert_eq!(query("al 24h csv"), Some(want));
        assert_eq!(query("nobody"), None);
        assert_eq!(
            query("bravo 2026-11-20").and_then(|query| query.since),
            Some(Wall(1_795_132_800_000))
        );
        let team = query("csv team al").map(|query| query.subjects);
        let both = vec![
            "Team Alpha (alpha)".to_owned(),
            "Team Alpha (team)".to_owned(),
        ];
        assert_eq!(team, Some(both));
    }

    #[test]
    fn the_file_quotes_what_needs_it() {
        let job = CsvJob {
            episodes: vec![Episode {
                subject: "=Team \"A\", (alpha)".into(),
                what: "power limit".into(),
                began: NOW,
                seconds: 38.0,
                peak_w: 3310.0,
                limit_w: 3000.0,
                energy_kwh: Some(0.0021),
                cut_off: false,
            }],
            zone: Zone::UTC,
        };
        let document = job.run();
        let text = String::from_utf8_lossy(&document.bytes).into_owned();
        assert_eq!(
            text.lines().nth(1),
            Some(
                "2026-11-20 20:15:02,\"'=Team \"\"A\"\", (alpha)\",power limit,38.0,3310.0,3000.0,0.0021,false"
            )
        );
    }
}
