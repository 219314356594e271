//! The page at `/`: every PDU and team with its power against its limit, for a phone that lies on the desk.
//!
//! Complete without scripts (it then reloads as a whole); with them it fetches its changing part. Everything
//! comes from here: no outside script, font or picture, and the content policy forbids them. Bars and
//! sparklines are inline SVG. What people or devices named is escaped wherever it stands.

mod charts;
mod host;
mod words;

use super::json::{VERSION, limit_w, problems, sum_headroom};
use super::write::push_number;
use super::{View, draw};
use crate::digest;

use crate::config::{Limits, PduConfig, TeamConfig};
use crate::history;
use crate::snapshot::{AlertView, PduState, PduView, Series, SumView};
use crate::text::escape_html;
use crate::time::{Human, Wall};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;
use words::{age_words, breaker_words, headroom_words, limit_in_words, members_words};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// PDUs that fit on the page; of more, the worst are shown.
const MOST_PDUS: usize = 200;
/// Points of a sparkline; the highest value of each stretch is kept.
const POINTS: usize = 60;

/// The header lines that pages come with.
pub(super) fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| digest::base64(&digest::digest(text.as_bytes()));
        format!(
            "Content-Security-Policy: default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; \
             img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n",
            hash(STYLE),
            hash(SCRIPT)
        )
    })
}

/// Opens a page: everything up to and including `<body>`.
pub(super) fn open(html: &mut String, name: &str, what: &str) {
    html.push_str(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\
         <link rel=icon href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
         %3Crect width='16' height='16' rx='4' fill='%232b6cdf'/%3E\
         %3Cpath d='M9 2 4 9h3l-1 5 6-7H8z' fill='%23fff'/%3E%3C/svg%3E\"><title>",
    );
    escape_html(name, html);
    html.push_str(": ");
    escape_html(what, html);
    html.push_str("</title><style>");
    html.push_str(STYLE);
    html.push_str("</style>");
    if what == STATUS {
        html.push_str("<noscript><meta http-equiv=refresh content=5></noscript>");
    }
    html.push_str("</head><body>");
}

const STATUS: &str = "status";

/// The whole page.
pub(super) fn whole(view: &View<'_>) -> String {
    let mut html = String::with_capacity(32 * 1024);
    open(&mut html, &view.snapshot.config.name, STATUS);
    html.push_str("<div id=gone class=gone role=alert hidden></div><main id=live>");
    Page {
        view,
        html: &mut html,
    }
    .live();
    html.push_str("</main><script>");
    html.push_str(SCRIPT);
    html.push_str("</script></body></html>");
    html
}

/// Its changing part.
pub(super) fn fragment(view: &View<'_>) -> String {
    let mut html = String::with_capacity(16 * 1024);
    Page {
        view,
        html: &mut html,
    }
    .live();
    html
}

/// The page that asks for the token.
pub(super) fn login(view: &View<'_>, complaint: &str) -> String {
    let mut html = String::with_capacity(8 * 1024);
    open(&mut html, &view.snapshot.config.name, "log in");
    html.push_str("<main class=login><div class=card><h1>");
    escape_html(&view.snapshot.config.name, &mut html);
    html.push_str("</h1><p class=dim>The token is in the file that <code>token_file</code> in the agent's configuration names.</p>");
    if !complaint.is_empty() {
        html.push_str("<p role=alert><b>");
        escape_html(complaint, &mut html);
        html.push_str("</b></p>");
    }
    html.push_str(
        "<form method=post action=\"/\"><input type=password name=token aria-label=Token placeholder=Token \
         autocomplete=current-password required autofocus><button>Log in</button></form></div></main></body></html>",
    );
    html
}

struct Page<'a> {
    view: &'a View<'a>,
    html: &'a mut String,
}

impl Page<'_> {
    fn live(&mut self) {
        let snapshot = self.view.snapshot;
        let (class, headline) = self.headline();
        let total = snapshot.site.as_ref().and_then(|site| site.power_w);
        let every = if snapshot.pdus.len() > 50 { 5 } else { 2 };
        let mut title = match class {
            "ok" => String::new(),
            _ => format!("{headline} · "),
        };
        title.push_str(&snapshot.config.name);
        if let Some(watts) = total {
            let _ = write!(title, " · {} W", whole_watts(watts));
        }
        self.raw(&format!(
            "<header class=\"row top\" data-every={every} data-title=\""
        ));
        self.text(&title);
        self.raw("\"><div><h1>");
        self.text(&snapshot.config.name);
        self.raw("</h1><small>");
        let time = self.local(snapshot.now.wall);
        self.text(&time);
        let age = self.view.now.mono.since(snapshot.now.mono);
        if age >= Duration::from_secs(5) {
            self.text(&format!(", {} ago", Human(age)));
        }
        self.raw("</small></div>");
        self.pill(class, &headline);
        self.raw("</header>");
        for problem in problems(self.view) {
            self.raw("<p class=note role=alert>");
            self.text(&problem);
            self.raw("</p>");
        }
        self.site();
        self.alerts();
        self.power_chart();
        self.groups();
        self.host();
        self.footer();
    }

    /// The worst that there is to say, in a word and a colour.
    fn headline(&self) -> (&'static str, String) {
        let snapshot = self.view.snapshot;
        let count = |state| {
            snapshot
                .pdus
                .iter()
                .filter(|pdu| pdu.state == state)
                .count()
        };
        let sums = snapshot.teams.iter().chain(&snapshot.site);
        let sums_over = sums.filter(|sum| sum.state == PduState::OverLimit).count();
        if !problems(self.view).is_empty() {
            return ("critical", "agent needs help".into());
        }
        let over = count(PduState::OverLimit) + sums_over;
        if over > 0 {
            return ("over_limit", format!("{over} over limit"));
        }
        for state in [PduState::Unreachable, PduState::Stale, PduState::Unknown] {
            let number = count(state);
            if number > 0 {
                return (state.name(), format!("{number} {}", word(state)));
            }
        }
        let firing = snapshot.alerts.iter().filter(|alert| alert.is_firing());
        let of_host = firing.filter(|alert| alert.name.starts_with("monitor."));
        if let Some(worst) = of_host.clone().map(|alert| alert.severity).max() {
            return (worst.name(), alerts_word(of_host.count()));
        }
        if snapshot.pdus.is_empty() && snapshot.host.is_none() {
            return ("unknown", "nothing to watch".into());
        }
        ("ok", "all well".into())
    }

    fn site(&mut self) {
        let snapshot = self.view.snapshot;
        let Some(site) = &snapshot.site else {
            self.raw(
                "<section class=\"card site\"><div><h2>No PDU is configured</h2><p class=dim>Add a <code>[[pdu]]</code> \
                 table to the configuration; <code>rackwarden probe HOST</code> shows what a device says.</p></div></section>",
            );
            return;
        };
        let limits = snapshot.config.power.site;
        let total = snapshot.pdus.len();
        self.raw("<section class=\"card site\"><div><div class=\"row base\"><span class=dim>All PDUs</span>");
        if site.state != PduState::Ok {
            self.pill(site.state.name(), sum_word(site));
        }
        self.raw("</div><div class=big>");
        self.sum_watts(site);
        self.raw("</div>");
        self.bar(site.power_w, &limits);
        self.raw("<div class=dim>");
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
                self.clock(time)
            ));
        }
        self.text(&facts.join(" · "));
        self.raw("</div></div><div>");
        self.spark(history::TOTAL, limit_w(&limits), 2 * POINTS);
        self.span_of(history::TOTAL);
        self.raw("</div></section>");
    }

    fn alerts(&mut self) {
        const MOST: usize = 30;
        let snapshot = self.view.snapshot;
        let firing: Vec<&AlertView> = snapshot.alerts.iter().filter(|a| a.is_firing()).collect();
        if firing.is_empty() {
            return;
        }
        self.raw("<section class=alerts aria-label=Alerts>");
        for alert in firing.iter().take(MOST) {
            self.alert(alert);
        }
        if firing.len() > MOST {
            self.raw("<p class=dim>");
            self.text(&format!("and {} more alerts", firing.len() - MOST));
            self.raw("</p>");
        }
        self.raw("</section>");
    }

    fn alert(&mut self, alert: &AlertView) {
        let class = alert.severity.name();
        self.raw(&format!(
            "<div class=\"card alert {class}\"><div class=row><b>"
        ));
        self.text(&alert.summary);
        self.raw("</b>");
        self.pill(class, class);
        self.raw("</div><small>");
        let lasts = Human(self.view.now.wall.since(alert.since));
        let mut facts = vec![format!(
            "#{} since {} ({lasts})",
            alert.number,
            self.clock(alert.since)
        )];
        if let Some(worst) = alert.worst {
            facts.push(format!("worst {} {}", number(worst), alert.unit));
        }
        if let Some(by) = &alert.acknowledged_by {
            facts.push(format!("acknowledged by {by}"));
        }
        facts.extend(alert.is_flapping.then(|| "flapping".to_owned()));
        if let Some(source) = &alert.inhibited_by {
            facts.push(format!("inhibited by {source}"));
        }
        if let Some(until) = alert.muted_until {
            facts.push(format!("muted until {}", self.clock(until)));
        }
        self.text(&facts.join(" · "));
        self.raw("</small></div>");
    }

    /// Teams with their PDUs; with too many PDUs for one page, teams alone and then the worst PDUs.
    fn groups(&mut self) {
        let config = &self.view.snapshot.config;
        let total = config.pdus.len();
        let is_crowded = total > MOST_PDUS;
        self.raw("<div class=teams>");
        for (index, team) in config.teams.iter().enumerate().take(MOST_PDUS) {
            self.raw("<section class=team>");
            self.team(index, team);
            if !is_crowded {
                self.grid(team.members.iter().map(|member| *member as usize));
            }
            self.raw("</section>");
        }
        let (heading, rest) = if is_crowded {
            let heading = format!("The {MOST_PDUS} PDUs that need a look first, of {total}");
            (heading, worst(self.view))
        } else {
            let lonely = (0..total).filter(|index| config.pdus[*index].team.is_none());
            ("Without a team".to_owned(), lonely.collect())
        };
        if !rest.is_empty() {
            self.raw("<section class=\"team wide\">");
            if !config.teams.is_empty() {
                self.raw("<h2>");
                self.text(&heading);
                self.raw("</h2>");
            }
            self.grid(rest.into_iter());
            self.raw("</section>");
        }
        self.raw("</div>");
    }

    fn team(&mut self, index: usize, team: &TeamConfig) {
        let Some(sum) = self.view.snapshot.teams.get(index) else {
            return;
        };
        let limit = limit_w(&team.limits);
        self.raw("<div class=\"row base\"><h2>");
        self.text(&team.name);
        self.raw("</h2>");
        self.pill(sum.state.name(), sum_word(sum));
        self.raw("</div><div class=row><span class=watts>");
        self.sum_watts(sum);
        self.raw("</span><div class=half>");
        self.spark(&history::of_team(&team.name), limit, POINTS);
        self.raw("</div></div>");
        self.bar(sum.power_w, &team.limits);
        self.raw("<small>");
        let headroom = limit.map(|limit| headroom_words(sum_headroom(sum, Some(limit)), limit));
        let facts = headroom
            .into_iter()
            .chain(sum.limit_in_s.map(limit_in_words))
            .chain([members_words(sum, team.members.len())]);
        self.text(&facts.collect::<Vec<_>>().join(" · "));
        self.raw("</small>");
    }

    fn grid(&mut self, pdus: impl Iterator<Item = usize>) {
        let snapshot = self.view.snapshot;
        self.raw("<div class=grid>");
        for index in pdus {
            if let (Some(pdu), Some(config)) =
                (snapshot.pdus.get(index), snapshot.config.pdus.get(index))
            {
                self.pdu(pdu, config);
            }
        }
        self.raw("</div>");
    }

    fn pdu(&mut self, pdu: &PduView, config: &PduConfig) {
        let state = pdu.state.name();
        let limits = pdu.limits(config);
        let limit = limit_w(&limits);
        let power = pdu.live(pdu.power_w);
        self.raw(&format!(
            "<article class=\"card pdu {state}\"><div class=row><h3>"
        ));
        self.text(&config.name);
        self.raw("</h3>");
        self.pill(state, word(pdu.state));
        self.raw("</div><div class=row><span class=watts>");
        match power {
            Some(watts) => self.raw(&format!("{}<small> W</small>", whole_watts(watts))),
            None => self.raw("<span class=none>–</span>"),
        }
        self.raw("</span><div class=half>");
        self.spark(&history::of_pdu(&config.name), limit, POINTS);
        self.raw("</div></div>");
        self.bar(power, &limits);
        self.raw("<div class=\"row base\"><small>");
        match (power, limit) {
            (Some(watts), Some(limit)) => {
                let mut words = headroom_words(Some(limit - watts), limit);
                if config.device_limit {
                    words += ", the device's own limit";
                }
                if let Some(seconds) = pdu.limit_in_s {
                    words = format!("{words} · {}", limit_in_words(seconds));
                }
                self.text(&words);
            }
            (None, _) => {
                let last = self.last_words(pdu);
                self.text(&last);
            }
            (Some(_), None) => self.raw("no limit"),
        }
        self.text(&breaker_words(pdu, limit));
        self.raw("</small><small>");
        let inlet = [
            (pdu.live(pdu.current_a), "A"),
            (pdu.live(pdu.voltage_v), "V"),
        ];
        let inlet = inlet
            .iter()
            .filter_map(|(value, unit)| Some(format!("{} {unit}", number((*value)?))));
        self.text(&inlet.collect::<Vec<_>>().join(" · "));
        self.raw("</small></div><div class=\"row base foot\"><small>");
        if let Some(peak) = pdu.peak_w {
            self.text(&format!("peak {} W", whole_watts(peak)));
            if let Some(time) = pdu.peak_time {
                let time = self.clock(time);
                self.text(&format!(" at {time}"));
            }
        }
        self.raw("</small><small>");
        if let Some(age) = self.view.age_s(pdu) {
            self.text(&format!("{} ago", age_words(age)));
        }
        self.raw("</small></div></article>");
    }

    /// What there is to say of a PDU without a current value.
    fn last_words(&self, pdu: &PduView) -> String {
        let reason = pdu.reason.as_deref();
        match (pdu.power_w, self.view.age_s(pdu)) {
            (Some(watts), Some(_)) => {
                let reason = reason.map_or(String::new(), |reason| format!("{reason}; "));
                format!("{reason}last {} W", whole_watts(watts))
            }
            _ => reason.unwrap_or("not read yet").to_owned(),
        }
    }

    fn footer(&mut self) {
        let snapshot = self.view.snapshot;
        let up = Human(self.view.now.wall.since(snapshot.started));
        let polls = snapshot.counters.polls_ok;
        self.raw("<footer>rackwarden ");
        self.raw(VERSION);
        self.text(&format!(" · up {up} · {polls} readings · "));
        self.raw("<a href=/docs>HTTP interface</a> · <a href=/metrics>metrics</a></footer>");
    }

    fn sum_watts(&mut self, sum: &SumView) {
        let bound = if sum.missing.is_empty() { "" } else { "≥ " };
        match sum.power_w {
            Some(watts) => self.raw(&format!("{bound}{}<small> W</small>", whole_watts(watts))),
            None => self.raw("<span class=none>–</span>"),
        }
    }

    fn bar(&mut self, power: Option<f64>, limits: &Limits) {
        let svg = draw::bar(power, limits);
        self.raw(&svg);
    }

    fn spark(&mut self, name: &str, limit: Option<f64>, points: usize) {
        let svg = self
            .series(name)
            .and_then(|series| draw::sparkline(series, limit, points));
        if let Some(svg) = svg {
            self.raw(&svg);
        }
    }

    /// Says how far back a sparkline goes.
    fn span_of(&mut self, name: &str) {
        let series = self.series(name).filter(|series| series.values.len() > 1);
        if let Some(span) = series.map(draw::covered) {
            self.raw("<div class=row><small>");
            self.text(&format!("{span} ago"));
            self.raw("</small><small>now</small></div>");
        }
    }

    fn series(&self, name: &str) -> Option<&Series> {
        let mut history = self.view.snapshot.history.iter();
        history.find(|series| &*series.name == name)
    }

    fn pill(&mut self, class: &str, word: &str) {
        self.raw(&format!("<span class=\"pill {class}\">"));
        self.text(word);
        self.raw("</span>");
    }

    fn local(&self, time: Wall) -> String {
        time.local(&self.view.snapshot.config.notify.timezone)
    }

    /// The time alone when it is of the last half day, else with its date.
    fn clock(&self, time: Wall) -> String {
        const RECENT: Duration = Duration::from_secs(12 * 3600);
        if self.view.now.wall.since(time) < RECENT {
            time.local_time(&self.view.snapshot.config.notify.timezone)
        } else {
            self.local(time)
        }
    }

    /// Adds our own markup.
    fn raw(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Adds data: names, summaries, numbers.
    fn text(&mut self, data: &str) {
        escape_html(data, self.html);
    }
}

/// The PDUs that fit on the page: above a limit, silent, unknown, then by the share of their limit.
fn worst(view: &View<'_>) -> Vec<usize> {
    let snapshot = view.snapshot;
    let rank = |index: &usize| {
        let pdu = &snapshot.pdus[*index];
        let by_state = match pdu.state {
            PduState::OverLimit => 0,
            PduState::Unreachable => 1,
            PduState::Stale => 2,
            PduState::Unknown => 3,
            PduState::Ok => 4,
        };
        let limit = snapshot
            .config
            .pdus
            .get(*index)
            .and_then(|config| limit_w(&pdu.limits(config)));
        let share = pdu.power_w.unwrap_or(0.0)
            / limit.filter(|limit| *limit > 0.0).unwrap_or(f64::INFINITY);
        (by_state, -(share * 1e6) as i64, *index)
    };
    let mut all: Vec<usize> = (0..snapshot.pdus.len()).collect();
    crate::small::sort_by_key(&mut all, rank);
    all.truncate(MOST_PDUS);
    all
}

fn alerts_word(count: usize) -> String {
    match count {
        1 => "1 alert".to_owned(),
        count => format!("{count} alerts"),
    }
}

fn word(state: PduState) -> &'static str {
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
fn whole_watts(watts: f64) -> String {
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

fn number(value: f64) -> String {
    let mut out = String::new();
    push_number(&mut out, (value * 100.0).round() / 100.0);
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Sample};
    use super::*;

    fn page(kind: Sample) -> String {
        let snapshot = sample::snapshot(kind);
        whole(&View::new(&snapshot, snapshot.now))
    }

    #[test]
    fn the_page_says_what_there_is_to_say() {
        for (kind, wanted) in [
            (
                Sample::Normal,
                &[
                    "<title>Power in the last hour</title>",
                    "all well",
                    "alpha",
                    "1\u{202f}968",
                    "1\u{202f}032\u{a0}W left of 3\u{202f}000\u{a0}W",
                    "Team Bravo",
                    "class=spark",
                ][..],
            ),
            (
                Sample::OverLimit,
                &[
                    "over_limit",
                    "310\u{a0}W above 3\u{202f}000\u{a0}W",
                    "critical",
                    "2 over limit",
                ],
            ),
            (
                Sample::Unreachable,
                &[
                    "1 unreachable",
                    "≥ ",
                    "last 2\u{202f}312 W",
                    "1 of 2 PDUs",
                    "unknown user apc",
                    "acknowledged by Ann",
                ],
            ),
            (Sample::Empty, &["No PDU is configured", "nothing to watch"]),
            (
                Sample::Many,
                &["The 200 PDUs that need a look first, of 300"],
            ),
        ] {
            let html = page(kind);
            for text in wanted {
                assert!(html.contains(text), "{kind:?} lacks {text}");
            }
        }
    }

    #[test]
    fn no_name_becomes_markup() {
        let html = page(Sample::Hostile);
        assert!(!html.contains("<script>alert"));
        assert!(html.contains("&lt;script&gt;alert(1)"));
        assert!(!html.contains("<b>\"Team\""));
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for kind in Sample::ALL {
            let html = page(kind);
            // The namespace of the icon is a name, not an address that is fetched.
            let html = html.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !html.contains("http:") && !html.contains("https:") && !html.contains("style=")
            );
        }
    }

    #[test]
    fn the_page_of_many_stays_small() {
        let html = page(Sample::Many);
        assert!(html.matches("<article").count() == MOST_PDUS);
        assert!(html.len() < 512 * 1024, "{}", html.len());
    }

    #[test]
    fn the_worst_come_first() {
        let mut snapshot = sample::snapshot(Sample::Many);
        snapshot.pdus[250].state = PduState::Unreachable;
        snapshot.pdus[7].state = PduState::OverLimit;
        let worst = worst(&View::new(&snapshot, snapshot.now));
        assert_eq!(worst[..2], [7, 250]);
        let power = |place: usize| snapshot.pdus[worst[place]].power_w;
        assert!(power(2) >= power(3) && power(3) >= power(199));
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
}
