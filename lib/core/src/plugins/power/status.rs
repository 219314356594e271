//! Power in the lines of `/status`, of `rackwarden status` and of the service manager.

use super::json::limit_w;
use super::view::{PduState, PowerView, SumView};
use crate::text::Text;
use crate::time::{Human, Now};
use std::time::Duration;

/// Adds the lines of `/status`.
pub(super) fn chat(view: &PowerView, mut text: Text) -> Text {
    let Some(site) = &view.site else {
        return text.plain("Power: no PDU is configured\n");
    };
    let settings = view.settings();
    let pdus = &settings.pdus;
    text = text
        .plain("Power: ")
        .bold(sum(site, pdus.len()))
        .plain(format!(" over {}\n", plural(pdus.len(), "PDU")));
    for (team, of_team) in settings.teams.iter().zip(&view.teams) {
        let line = format!("  {}: {}", team.name, sum(of_team, team.members.len()));
        let limit = team.limits.hard.or(team.limits.soft);
        let limit = limit.map_or_else(String::new, |limit| format!(" of {:.0} W", limit.on_w));
        text = text.plain(format!("{line}{limit}\n"));
    }
    let not_ok = pdus
        .iter()
        .zip(&view.pdus)
        .filter(|(_, pdu)| pdu.state != PduState::Ok)
        .map(|(of, pdu)| format!("{} {}", of.name, pdu.state.name().replace('_', " ")));
    let not_ok: Vec<String> = not_ok.collect();
    if not_ok.is_empty() {
        return text;
    }
    const SHOWN: usize = 10;
    let more = match not_ok.len().saturating_sub(SHOWN) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let shown = not_ok[..not_ok.len().min(SHOWN)].join(", ");
    text.plain(format!("  {shown}{more}\n"))
}

fn sum(view: &SumView, members: usize) -> String {
    let present = members.saturating_sub(view.missing.len());
    match view.power_w {
        None => "no reading".to_owned(),
        Some(watts) if view.missing.is_empty() => format!("{watts:.0} W"),
        Some(watts) => format!("≥ {watts:.0} W ({present} of {members})"),
    }
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The sum as the service manager shows it.
pub(super) fn service_words(site: &SumView) -> String {
    let bound = if site.missing.is_empty() { "" } else { "≥ " };
    let watts = site.power_w.map(|watts| format!(", {bound}{watts:.0} W"));
    watts.unwrap_or_default()
}

/// Lines of `rackwarden status`: every PDU, every team, and all of them.
pub(super) fn lines(view: &PowerView, now: Now) -> String {
    let settings = view.settings();
    let names = settings.pdus.iter().map(|pdu| &pdu.name);
    let names = names.chain(settings.teams.iter().map(|team| &team.name));
    let lengths = names.map(|name| name.chars().count());
    let width = lengths.chain([ALL.len()]).max().unwrap_or_default();
    let mut out = String::new();
    for (config, pdu) in settings.pdus.iter().zip(&view.pdus) {
        let mut note = Vec::new();
        note.extend(pdu.reason.as_deref().map(str::to_owned));
        let is_read = matches!(pdu.state, PduState::Ok | PduState::OverLimit);
        if let Some(age) = pdu.age_s(now).filter(|_| !is_read) {
            let age = Human(Duration::from_secs_f64(age.clamp(0.0, 1e12)));
            note.push(format!("last reading {age} ago"));
        }
        let power = watts("", pdu.live(pdu.power_w));
        let row = [&*config.name, &power, &of(limit_w(&pdu.limits(config)))];
        push(&mut out, width, row, pdu.state, &note.join("; "));
    }
    let mut add = |name: &str, sum: &SumView, limit: Option<f64>| {
        let missing = view.missing(sum);
        let (bound, note) = match missing.is_empty() {
            true => ("", String::new()),
            false => ("≥ ", format!("without {}", missing.join(", "))),
        };
        let row = [name, &watts(bound, sum.power_w), &of(limit)];
        push(&mut out, width, row, sum.state, &note);
    };
    for (team, sum) in settings.teams.iter().zip(&view.teams) {
        add(&team.name, sum, limit_w(&team.limits));
    }
    if let Some(site) = &view.site {
        add(ALL, site, limit_w(&settings.site));
    }
    out
}

const ALL: &str = "all PDUs";

fn watts(bound: &str, power_w: Option<f64>) -> String {
    power_w.map_or("-".to_owned(), |watts| format!("{bound}{watts:.0} W"))
}

fn of(limit: Option<f64>) -> String {
    limit.map_or(String::new(), |limit| format!("of {limit:.0} W"))
}

fn push(out: &mut String, width: usize, row: [&str; 3], state: PduState, note: &str) {
    let [name, power, limit] = row;
    let state = state.name().replace('_', " ");
    let line = format!("{name:width$}  {power:>10} {limit:<12} {state:<11} {note}");
    out.push_str(line.trim_end());
    out.push('\n');
}
