//! What `[notify]` says about one alert at one moment: audience, reminders, quiet hours. Pure questions.

use crate::alert::Severity;
use crate::chat::Place;
use crate::chat::access::glob;
use crate::config::NotifyConfig;
use crate::time::Wall;
use std::time::Duration;

/// Who hears of this alert: the first route that matches decides, else `to`.
pub(super) fn audience<'a>(
    config: &'a NotifyConfig,
    name: &str,
    severity: Severity,
) -> &'a [Place] {
    let route = config.routes.iter().find(|route| {
        let severity_fits = route.severity.is_none_or(|only| only == severity);
        severity_fits && route.alert.as_ref().is_none_or(|only| glob(only, name))
    });
    route.map_or(&config.to, |route| &route.to)
}

/// How often people are reminded while it fires; `None` for never.
pub(super) fn repeat(config: &NotifyConfig, severity: Severity) -> Option<Duration> {
    match severity {
        Severity::Critical => config.repeat.critical,
        Severity::Warning => config.repeat.warning,
        Severity::Info => config.repeat.info,
    }
}

/// When the quiet hours end that `wall` lies in; `None` outside of them.
///
/// Start and end are moments of the local calendar, so a night with a clock change is one night: an end that is
/// skipped is the moment after the gap, one that comes twice is the first.
pub(super) fn quiet_until(config: &NotifyConfig, wall: Wall) -> Option<Wall> {
    let (start, end) = config.quiet_hours.filter(|(start, end)| start != end)?;
    let moment = |days, minutes| wall.local_day(&config.timezone, days, minutes);
    let night = |first: i64| {
        let last = first + i64::from(end < start);
        let (from, until) = (moment(first, start)?, moment(last, end)?);
        (from <= wall && wall < until).then_some(until)
    };
    night(0).or_else(|| night(-1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, RouteConfig};
    use crate::time::Zone;

    fn wall(text: &str) -> Wall {
        let timestamp: jiff::Timestamp = text.parse().expect(text);
        Wall(timestamp.as_millisecond())
    }

    #[test]
    fn the_first_route_that_matches_decides() {
        let mut config = Config::empty().notify;
        let address = |text: &str| vec![text.parse::<Place>().expect(text)];
        config.to = address("telegram:1");
        let route = |severity, alert: Option<&str>, to| RouteConfig {
            severity,
            alert: alert.map(str::to_owned),
            to: address(to),
        };
        config.routes = vec![
            route(Some(Severity::Critical), Some("power.*"), "telegram:2"),
            route(None, Some("*:alpha"), "telegram:3"),
            route(Some(Severity::Info), None, "telegram:4"),
        ];
        for (name, severity, want) in [
            ("power.limit:alpha", Severity::Critical, "telegram:2"),
            ("power.limit:alpha", Severity::Warning, "telegram:3"),
            ("power.limit:bravo", Severity::Warning, "telegram:1"),
            ("host.load:cpu", Severity::Info, "telegram:4"),
            ("host.load:cpu", Severity::Critical, "telegram:1"),
        ] {
            assert_eq!(audience(&config, name, severity), address(want), "{name}");
        }
    }

    #[test]
    fn quiet_hours_follow_the_local_calendar() {
        let mut config = Config::empty().notify;
        config.timezone = Zone::named("Europe/Berlin").expect("zone data");
        let night = (22 * 60, 7 * 60);
        let nap = (13 * 60, 14 * 60);
        let odd = (60, 150);
        for (rule, hours, at, want) in [
            ("before the night", night, "2026-11-20T20:59:59Z", None),
            (
                "it starts",
                night,
                "2026-11-20T21:00:00Z",
                Some("2026-11-21T06:00:00Z"),
            ),
            (
                "after midnight",
                night,
                "2026-11-21T03:00:00Z",
                Some("2026-11-21T06:00:00Z"),
            ),
            ("it is over", night, "2026-11-21T06:00:00Z", None),
            (
                "within a day",
                nap,
                "2026-11-20T12:30:00Z",
                Some("2026-11-20T13:00:00Z"),
            ),
            (
                "an hour is skipped",
                night,
                "2026-03-28T23:00:00Z",
                Some("2026-03-29T05:00:00Z"),
            ),
            (
                "an hour comes twice",
                night,
                "2026-10-24T22:00:00Z",
                Some("2026-10-25T06:00:00Z"),
            ),
            (
                "the first 02:29",
                odd,
                "2026-10-25T00:29:00Z",
                Some("2026-10-25T00:30:00Z"),
            ),
            (
                "the second 02:29 is another one",
                odd,
                "2026-10-25T01:29:00Z",
                None,
            ),
            (
                "a skipped end",
                odd,
                "2026-03-29T00:59:00Z",
                Some("2026-03-29T01:30:00Z"),
            ),
        ] {
            config.quiet_hours = Some(hours);
            assert_eq!(quiet_until(&config, wall(at)), want.map(wall), "{rule}");
        }
        config.quiet_hours = None;
        assert_eq!(quiet_until(&config, wall("2026-11-20T23:00:00Z")), None);
    }
}
