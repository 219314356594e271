//! Power on the page: every PDU and team with its power against its limit, for a phone that lies on the desk.

use super::json::{self, limit_w, sum_headroom};
use super::view::{PduState, PduView, PowerView, SumView};
use super::words::{age_words, breaker_words, headroom_words, limit_in_words, members_words};
use crate::history::{self, Unit};
use crate::plugins::power::{Limits, PduConfig, TeamConfig};
use crate::render::{Shape, draw, number::number};
use crate::snapshot::Page;

/// PDUs that fit on the page; of more, the worst are shown.
const MOST_PDUS: usize = 200;

/// The section under way.
struct Section<'p, 'a> {
    view: &'p PowerView,
    page: &'p mut Page<'a>,
}

/// Writes the section.
pub(super) fn section(view: &PowerView, page: &mut Page<'_>) {
    let mut section = Section { view, page };
    section.site();
    section.chart();
    section.groups();
}

/// Writes the page of one PDU: all that `/api/power/NAME` knows.
pub(super) fn own(view: &PowerView, index: usize, page: &mut Page<'_>) {
    let (Some(pdu), Some(known)) = (view.pdus.get(index), json::pdu(view, page.seen, index)) else {
        return;
    };
    let (name, limit) = (known.name, known.limit_w.map(|limit| limit.0));
    page.within("<div class=\"row top\"><h1>", name, "</h1>");
    page.pill(pdu.state.name(), word(pdu.state));
    page.raw("</div><div class=\"card site\"><div>");
    let power = pdu.live(pdu.power_w);
    let watts = power.map_or("–".to_owned(), |watts| {
        format!("{} W", whole_watts(watts))
    });
    page.within("<div class=big>", &watts, "</div>");
    page.raw(&draw::bar(power, None, limit));
    page.raw("</div><div>");
    page.spark(&history::of_pdu(name), limit, 2 * Page::POINTS);
    page.span_of(&history::of_pdu(name));
    page.raw("</div></div>");
    let value = serde_json::to_value(&known).unwrap_or_default();
    page.object(&json::Pdu::SCHEMA, &value);
}

impl Section<'_, '_> {
    /// All PDUs, and the teams where there are some.
    fn chart(&mut self) {
        let limits = self.view.settings().site;
        let series = [history::TOTAL, "power.team/"];
        let title = "Power in the last hour";
        let mut chart = self.page.hour(title, Unit::Watts, &series);
        for (label, limit) in [("soft limit", limits.soft), ("limit", limits.hard)] {
            Page::compare(&mut chart, label, limit.map(|limit| limit.on_w));
        }
        self.page.shade(&mut chart, "power.", "site ");
        self.page.figure(&chart);
    }

    fn site(&mut self) {
        let Some(site) = &self.view.site else {
            self.page.raw(
                "<section class=\"card site\"><div><h2>No PDU is configured</h2><p class=dim>Add a <code>[[pdu]]</code> \
                 table to the configuration; <code>rackwarden probe HOST</code> shows what a device says.</p></div></section>",
            );
            return;
        };
        let limits = self.view.settings().site;
        let total = self.view.pdus.len();
        self.page.raw("<section class=\"card site\"><div><div class=\"row base\"><span class=dim>All PDUs</span>");
        if site.state != PduState::Ok {
            self.page.pill(site.state.name(), sum_word(site));
        }
        self.page.raw("</div><div class=big>");
        self.sum_watts(site);
        self.page.raw("</div>");
        self.bar(site.power_w, &limits);
        self.page.raw("<div class=dim>");
        let mut facts = Vec::new();
        if let Some(limit) = limit_w(&limits) {
            facts.push(headroom_words(sum_headroom(site, Some(limit)), limit));
        }
        facts.extend(site.limit_in_s.map(limit_in_words));
        if let (Some(soft), Some(_)) = (limits.soft, limits.hard) {
            facts.push(format!("warning at {}\u{a0}W", whole_watts(soft.on_w)));
        }
        facts.push(members_words(site, total));
        if let Some((watts, time)) = site.peak {
            facts.push(format!(
                "peak {}\u{a0}W at {}",
                whole_watts(watts),
                self.page.seen.clock(time)
            ));
        }
        self.page.text(&facts.join(" · "));
        self.page.raw("</div></div><div>");
        self.page
            .spark(history::TOTAL, limit_w(&limits), 2 * Page::POINTS);
        self.page.span_of(history::TOTAL);
        self.page.raw("</div></section>");
    }

    /// Teams with their PDUs; with too many PDUs for one page, teams alone and then the worst PDUs.
    fn groups(&mut self) {
        let settings = self.view.settings();
        let total = settings.pdus.len();
        let is_crowded = total > MOST_PDUS;
        self.page.raw("<div class=teams>");
        for (index, team) in settings.teams.iter().enumerate().take(MOST_PDUS) {
            self.page.raw("<section class=team>");
            self.team(index, team);
            if !is_crowded {
                self.grid(team.members.iter().map(|member| *member as usize));
            }
            self.page.raw("</section>");
        }
        let (heading, rest) = if is_crowded {
            let heading = format!("The {MOST_PDUS} PDUs that need a look first, of {total}");
            (heading, worst(self.view))
        } else {
            let lonely = (0..total).filter(|index| settings.pdus[*index].team.is_none());
            ("Without a team".to_owned(), lonely.collect())
        };
        if !rest.is_empty() {
            self.page.raw("<section class=\"team wide\">");
            if !settings.teams.is_empty() {
                self.page.within("<h2>", &heading, "</h2>");
            }
            self.grid(rest.into_iter());
            self.page.raw("</section>");
        }
        self.page.raw("</div>");
    }

    fn team(&mut self, index: usize, team: &TeamConfig) {
        let Some(sum) = self.view.teams.get(index) else {
            return;
        };
        let limit = limit_w(&team.limits);
        self.page
            .within("<div class=\"row base\"><h2>", &team.name, "</h2>");
        self.page.pill(sum.state.name(), sum_word(sum));
        self.page.raw("</div><div class=row><span class=watts>");
        self.sum_watts(sum);
        self.page.raw("</span><div class=half>");
        self.page
            .spark(&history::of_team(&team.name), limit, Page::POINTS);
        self.page.raw("</div></div>");
        self.bar(sum.power_w, &team.limits);
        self.page.raw("<small>");
        let headroom = limit.map(|limit| headroom_words(sum_headroom(sum, Some(limit)), limit));
        let facts = headroom
            .into_iter()
            .chain(sum.limit_in_s.map(limit_in_words))
            .chain([members_words(sum, team.members.len())]);
        self.page.text(&facts.collect::<Vec<_>>().join(" · "));
        self.page.raw("</small>");
    }

    fn grid(&mut self, pdus: impl Iterator<Item = usize>) {
        let view = self.view;
        self.page.raw("<div class=grid>");
        for index in pdus {
            let config = view.settings().pdus.get(index);
            if let (Some(pdu), Some(config)) = (view.pdus.get(index), config) {
                self.pdu(pdu, config);
            }
        }
        self.page.raw("</div>");
    }

    fn pdu(&mut self, pdu: &PduView, config: &PduConfig) {
        let state = pdu.state.name();
        let limits = pdu.limits(config);
        let limit = limit_w(&limits);
        let power = pdu.live(pdu.power_w);
        self.page.raw(&format!(
            "<article class=\"card pdu {state}\"><div class=row><h3>"
        ));
        self.page.link("/power/", &config.name);
        self.page.raw("</h3>");
        self.page.pill(state, word(pdu.state));
        self.page.raw("</div><div class=row><span class=watts>");
        match power {
            Some(watts) => self
                .page
                .raw(&format!("{}<small> W</small>", whole_watts(watts))),
            None => self.page.raw("<span class=none>–</span>"),
        }
        self.page.raw("</span><div class=half>");
        self.page
            .spark(&history::of_pdu(&config.name), limit, Page::POINTS);
        self.page.raw("</div></div>");
        self.bar(power, &limits);
        self.page.raw("<div class=\"row base\"><small>");
        match (power, limit) {
            (Some(watts), Some(limit)) => {
                let mut words = headroom_words(Some(limit - watts), limit);
                if config.device_limit {
                    words += ", the device's own limit";
                }
                if let Some(seconds) = pdu.limit_in_s {
                    words = format!("{words} · {}", limit_in_words(seconds));
                }
                self.page.text(&words);
            }
            (None, _) => {
                let last = self.last_words(pdu);
                self.page.text(&last);
            }
            (Some(_), None) => self.page.raw("no limit"),
        }
        self.page.text(&breaker_words(pdu, limit));
        self.page.raw("</small><small>");
        let inlet = [
            (pdu.live(pdu.current_a), "A"),
            (pdu.live(pdu.voltage_v), "V"),
        ];
        let inlet = inlet
            .iter()
            .filter_map(|(value, unit)| Some(format!("{} {unit}", number((*value)?))));
        self.page.text(&inlet.collect::<Vec<_>>().join(" · "));
        self.page
            .raw("</small></div><div class=\"row base foot\"><small>");
        if let Some(peak) = pdu.peak_w {
            self.page.text(&format!("peak {} W", whole_watts(peak)));
            if let Some(time) = pdu.peak_time {
                let time = self.page.seen.clock(time);
                self.page.text(&format!(" at {time}"));
            }
        }
        self.page.raw("</small><small>");
        if let Some(age) = pdu.age_s(self.page.seen.now) {
            self.page.text(&format!("{} ago", age_words(age)));
        }
        self.page.raw("</small></div></article>");
    }

    /// What there is to say of a PDU without a current value.
    fn last_words(&self, pdu: &PduView) -> String {
        let reason = pdu.reason.as_deref();
        match (pdu.power_w, pdu.age_s(self.page.seen.now)) {
            (Some(watts), Some(_)) => {
                let reason = reason.map_or(String::new(), |reason| format!("{reason}; "));
                format!("{reason}last {} W", whole_watts(watts))
            }
            _ => reason.unwrap_or("not read yet").to_owned(),
        }
    }

    fn sum_watts(&mut self, sum: &SumView) {
        let bound = if sum.missing.is_empty() { "" } else { "≥ " };
        match sum.power_w {
            Some(watts) => self
                .page
                .raw(&format!("{bound}{}<small> W</small>", whole_watts(watts))),
            None => self.page.raw("<span class=none>–</span>"),
        }
    }

    fn bar(&mut self, power: Option<f64>, limits: &Limits) {
        let [soft, hard] = [limits.soft, limits.hard].map(|limit| limit.map(|limit| limit.on_w));
        self.page.raw(&draw::bar(power, soft, hard));
    }
}

/// The PDUs that fit on the page: above a limit, silent, unknown, then by the share of their limit.
fn worst(view: &PowerView) -> Vec<usize> {
    let settings = view.settings();
    let rank = |index: &usize| {
        let pdu = &view.pdus[*index];
        let by_state = match pdu.state {
            PduState::OverLimit => 0,
            PduState::Unreachable => 1,
            PduState::Stale => 2,
            PduState::Unknown => 3,
            PduState::Ok => 4,
        };
        let config = settings.pdus.get(*index);
        let limit = config.and_then(|config| limit_w(&pdu.limits(config)));
        let share = pdu.power_w.unwrap_or(0.0)
            / limit.filter(|limit| *limit > 0.0).unwrap_or(f64::INFINITY);
        (by_state, -(share * 1e6) as i64, *index)
    };
    let mut all: Vec<usize> = (0..view.pdus.len()).collect();
    crate::small::sort_by_key(&mut all, rank);
    all.truncate(MOST_PDUS);
    all
}

pub(super) fn word(state: PduState) -> &'static str {
    match state {
        PduState::OverLimit => "over limit",
        other => other.name(),
    }
}

/// A sum that is below its limit without some of its members is not known, but not nothing either.
fn sum_word(sum: &SumView) -> &'static str {
    match (sum.state, sum.power_w) {
        (PduState::Unknown, Some(_)) => "incomplete",
        (state, _) => word(state),
    }
}

/// Whole watts with narrow spaces between thousands.
pub(super) fn whole_watts(watts: f64) -> String {
    let digits = format!("{:.0}", watts.abs());
    let mut out = String::with_capacity(digits.len() + 4);
    if watts <= -0.5 {
        out.push('−');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::power;
    use crate::render::schema::Member;
    use crate::sim::sample::{self, Sample};
    use crate::snapshot::{Seen, Snapshot, View};
    use std::sync::Arc;

    /// The section alone.
    fn shown(snapshot: &Snapshot) -> String {
        let seen = Seen::new(snapshot, snapshot.now);
        let mut html = String::new();
        let view = power::view(snapshot);
        view.section(&mut Page::new(&seen, &mut html));
        html
    }

    #[test]
    fn the_page_of_many_stays_small() {
        let snapshot = sample::snapshot(Sample::Many);
        let html = shown(&snapshot);
        assert!(html.matches("<article").count() == MOST_PDUS);
        assert!(html.len() < 512 * 1024, "{}", html.len());
    }

    #[test]
    fn the_worst_come_first() {
        let mut view = power::view(&sample::snapshot(Sample::Many)).clone();
        view.pdus[250].state = PduState::Unreachable;
        view.pdus[7].state = PduState::OverLimit;
        let worst = worst(&view);
        assert_eq!(worst[..2], [7, 250]);
        let power = |place: usize| view.pdus[worst[place]].power_w;
        assert!(power(2) >= power(3) && power(3) >= power(199));
    }

    #[test]
    fn a_pdu_has_a_page_with_all_that_its_json_knows() {
        let snapshot = sample::snapshot(Sample::Hostile);
        let seen = Seen::new(&snapshot, snapshot.now);
        let view = power::view(&snapshot);
        let mut html = String::new();
        let name = &view.settings().pdus[0].name;
        view.page(&mut Page::new(&seen, &mut html), "/power/{name}", name)
            .expect("it is there");
        let Some(pdu) = json::Pdu::SCHEMA.object() else {
            panic!("it is an object");
        };
        let is_single = |of: &&Member| of.schema.object().is_none() || of.name == "phases";
        for member in pdu.members.iter().filter(is_single) {
            assert!(html.contains(member.key()), "{} in {html}", member.key());
        }
        assert!(!html.contains("<script>alert"), "{html}");
        let page = shown(&snapshot);
        assert!(
            page.contains("<a href=\"/power/%22%3E%3Cscript%3E"),
            "{page}"
        );
        assert!(page.contains("<a href=\"/power/a%5Cb%22c%7D\">"), "{page}");
    }

    #[test]
    fn watts_read_well() {
        for (watts, want) in [
            (270.0, "270"),
            (1967.7, "1\u{202f}968"),
            (1_234_567.0, "1\u{202f}234\u{202f}567"),
            (-12.0, "−12"),
            (-0.2, "0"),
        ] {
            assert_eq!(whole_watts(watts), want);
        }
    }

    #[test]
    fn the_sum_of_all_comes_first_whatever_the_order_of_the_curves() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let curves = Arc::make_mut(&mut snapshot.last_hour);
        crate::small::sort_by_key(curves, |curve| Arc::clone(&curve.name));
        let html = shown(&snapshot);
        let (_, legend) = html.split_once("M1 5h20").expect("a legend");
        assert!(legend.starts_with("\"/></svg>all PDUs<small>"), "{legend}");
    }
}
