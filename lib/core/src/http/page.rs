//! The page at `/`: the state of the agent, its alerts, and a section of every view, for a phone that lies on the desk.
//!
//! Complete without scripts (it then reloads as a whole); with them it fetches its changing part. Everything
//! comes from here: no outside script, font or picture, and the content policy forbids them. Bars and
//! sparklines are inline SVG. What people or devices named is escaped wherever it stands.

use super::json::VERSION;
use crate::digest;
use crate::render::number::number;
use crate::snapshot::{AlertView, Headline, Page, Seen, View};
use crate::text::escape_html;
use crate::time::Human;
use std::sync::OnceLock;
use std::time::Duration;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// Pages with more to watch than this are fetched less often.
const LARGE: usize = 50;
/// Pages with more sections than this begin with an index of them.
const MOST_WITHOUT_INDEX: usize = 2;

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
pub fn whole(seen: &Seen<'_>) -> String {
    let mut html = String::with_capacity(32 * 1024);
    open(&mut html, &seen.snapshot.config.name, STATUS);
    html.push_str("<div id=gone class=gone role=alert hidden></div><main id=live>");
    live(seen, &mut html);
    html.push_str("</main><script>");
    html.push_str(SCRIPT);
    html.push_str("</script></body></html>");
    html
}

/// Its changing part.
pub(super) fn fragment(seen: &Seen<'_>) -> String {
    let mut html = String::with_capacity(16 * 1024);
    live(seen, &mut html);
    html
}

/// A page of a view: what it has written, with the way back.
pub(super) fn own(seen: &Seen<'_>, title: &str, body: &str) -> String {
    let mut html = String::with_capacity(body.len() + 16 * 1024);
    open(&mut html, &seen.snapshot.config.name, title);
    html.push_str("<main><p><a href=\"/\">");
    escape_html(&seen.snapshot.config.name, &mut html);
    html.push_str("</a></p>");
    html.push_str(body);
    html.push_str("</main></body></html>");
    html
}

/// The page that asks for the token.
pub(super) fn login(seen: &Seen<'_>, complaint: &str) -> String {
    let mut html = String::with_capacity(8 * 1024);
    open(&mut html, &seen.snapshot.config.name, "log in");
    html.push_str("<main class=login><div class=card><h1>");
    escape_html(&seen.snapshot.config.name, &mut html);
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

fn live(seen: &Seen<'_>, html: &mut String) {
    let page = Page::new(seen, html);
    Frame { page }.live();
}

/// The page of the house.
struct Frame<'a> {
    page: Page<'a>,
}

impl Frame<'_> {
    fn live(&mut self) {
        self.header();
        for problem in self.page.seen.problems() {
            self.page
                .within("<p class=note role=alert>", &problem, "</p>");
        }
        let views = &self.page.seen.snapshot.views;
        let shown = views
            .iter()
            .filter_map(|view| Some((&**view, view.title()?)));
        let shown: Vec<(&dyn View, &str)> = shown.collect();
        if shown.len() > MOST_WITHOUT_INDEX {
            self.index(&shown);
        }
        self.alerts();
        for (view, title) in shown {
            self.section(view, title);
        }
        self.footer();
    }

    fn header(&mut self) {
        let seen = self.page.seen;
        let snapshot = seen.snapshot;
        let (class, headline) = headline(seen);
        let summaries = || snapshot.views.iter().map(|view| view.summary());
        let things: usize = summaries().map(|summary| summary.things).sum();
        let every = if things > LARGE { 5 } else { 2 };
        let mut title: Vec<String> = Vec::new();
        title.extend((class != "ok").then(|| headline.clone()));
        title.push(snapshot.config.name.to_string());
        title.extend(summaries().filter_map(|summary| summary.figure));
        let open = format!("<header class=\"row top\" data-every={every} data-title=\"");
        self.page.within(&open, &title.join(" · "), "\"><div>");
        self.page
            .within("<h1>", &snapshot.config.name, "</h1><small>");
        self.page.text(&seen.local(snapshot.now.wall));
        let age = seen.now.mono.since(snapshot.now.mono);
        if age >= Duration::from_secs(5) {
            self.page.text(&format!(", {} ago", Human(age)));
        }
        self.page.raw("</small></div>");
        self.page.pill(class, &headline);
        self.page.raw("</header>");
    }

    fn index(&mut self, shown: &[(&dyn View, &str)]) {
        self.page.raw("<nav class=index>");
        for (view, title) in shown {
            let open = format!("<a href=\"#{}\">", view.plugin());
            self.page.within(&open, title, "</a>");
        }
        self.page.raw("</nav>");
    }

    /// A view, folded by the browser alone; the script keeps what is folded over a refresh.
    fn section(&mut self, view: &dyn View, title: &str) {
        let open = format!("<details id=\"{}\" open><summary><h2>", view.plugin());
        self.page.within(&open, title, "</h2></summary>");
        view.section(&mut self.page);
        self.page.raw("</details>");
    }

    fn alerts(&mut self) {
        const MOST: usize = 30;
        let snapshot = self.page.seen.snapshot;
        let firing: Vec<&AlertView> = snapshot.alerts.iter().filter(|a| a.is_firing()).collect();
        if firing.is_empty() {
            return;
        }
        self.page.raw("<section class=alerts aria-label=Alerts>");
        for alert in firing.iter().take(MOST) {
            self.alert(alert);
        }
        if firing.len() > MOST {
            self.page.raw("<p class=dim>");
            self.page
                .text(&format!("and {} more alerts", firing.len() - MOST));
            self.page.raw("</p>");
        }
        self.page.raw("</section>");
    }

    fn alert(&mut self, alert: &AlertView) {
        let class = alert.severity.name();
        self.page.raw(&format!(
            "<div class=\"card alert {class}\"><div class=row><b>"
        ));
        self.page.text(&alert.summary);
        self.page.raw("</b>");
        self.page.pill(class, class);
        self.page.raw("</div><small>");
        let lasts = Human(self.page.seen.now.wall.since(alert.since));
        let mut facts = vec![format!(
            "#{} since {} ({lasts})",
            alert.number,
            self.page.seen.clock(alert.since)
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
            facts.push(format!("muted until {}", self.page.seen.clock(until)));
        }
        self.page.text(&facts.join(" · "));
        self.page.raw("</small></div>");
    }

    fn footer(&mut self) {
        let seen = self.page.seen;
        let snapshot = seen.snapshot;
        let up = Human(seen.now.wall.since(snapshot.started));
        self.page.raw("<footer>rackwarden ");
        self.page.raw(VERSION);
        self.page.text(&format!(" · up {up} · "));
        for done in snapshot.views.iter().filter_map(|view| view.summary().done) {
            self.page.text(&format!("{done} · "));
        }
        self.page
            .raw("<a href=/docs>HTTP interface</a> · <a href=/metrics>metrics</a></footer>");
    }
}

/// The worst that there is to say, in a word and a colour.
fn headline(seen: &Seen<'_>) -> Headline {
    let views = &seen.snapshot.views;
    if !seen.problems().is_empty() {
        return ("critical", "agent needs help".into());
    }
    if let Some(headline) = views.iter().find_map(|view| view.headline(seen)) {
        return headline;
    }
    match views.iter().all(|view| view.summary().things == 0) {
        true => ("unknown", "nothing to watch".into()),
        false => ("ok", "all well".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::sample::{self, Sample};

    fn page(kind: Sample) -> String {
        let snapshot = sample::snapshot(kind);
        whole(&Seen::new(&snapshot, snapshot.now))
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

    #[derive(Debug)]
    struct Guest;

    impl View for Guest {
        fn plugin(&self) -> &'static str {
            "guest"
        }

        fn title(&self) -> Option<&'static str> {
            Some("Guests & more")
        }

        fn section(&self, page: &mut Page<'_>) {
            page.text("a word of its own");
        }
    }

    #[test]
    fn sections_fold_and_many_have_an_index() {
        let mut snapshot = sample::snapshot(Sample::Normal);
        let html = whole(&Seen::new(&snapshot, snapshot.now));
        assert!(html.contains("<details id=\"power\" open><summary><h2>Power</h2></summary>"));
        assert!(!html.contains("<nav"), "two sections need no index");
        snapshot.views.push(std::sync::Arc::new(Guest));
        let html = whole(&Seen::new(&snapshot, snapshot.now));
        assert!(
            html.contains("<a href=\"#guest\">Guests &amp; more</a></nav>"),
            "{html}"
        );
        let section = "<details id=\"guest\" open><summary><h2>Guests &amp; more</h2></summary>a word of its own";
        assert!(html.contains(section), "{html}");
    }
}
