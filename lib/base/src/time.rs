//! Time as a value: a monotonic instant for deadlines, a wall clock for text and calendars.
//! Nothing in here reads a clock; `io::clock` does, once for each turn of the loop.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point on the monotonic clock, counted from the start of the process (or of a scenario).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(Duration);

impl Mono {
    /// The origin of the clock.
    pub const ZERO: Mono = Mono(Duration::ZERO);

    /// The instant that lies `since_start` after the origin.
    pub const fn new(since_start: Duration) -> Mono {
        Mono(since_start)
    }

    /// Time since the origin.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time from `earlier` to `self`, zero if `earlier` is later.
    pub fn since(self, earlier: Mono) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, rhs: Duration) -> Mono {
        Mono(self.0.saturating_add(rhs))
    }
}

impl AddAssign<Duration> for Mono {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Mono {
    type Output = Duration;
    fn sub(self, rhs: Mono) -> Duration {
        self.since(rhs)
    }
}

/// Wall-clock time in milliseconds since the UNIX epoch. It may jump; never subtract two of them to
/// find out whether a deadline has passed.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// Seconds since the UNIX epoch, rounded down.
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `self` moved into the future by `by`.
    pub fn plus(self, by: Duration) -> Wall {
        Wall(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// `self` moved into the past by `by`.
    pub fn minus(self, by: Duration) -> Wall {
        Wall(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// The clock has been set, `by_ms` later than it was: what it said before is brought to the same scale.
    pub fn correct(&mut self, by_ms: i64) {
        if *self < RELEASED {
            self.0 = self.0.saturating_add(by_ms);
        }
    }

    /// Time from `earlier` to `self`, zero if the clock went backwards.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with whole seconds, as the HTTP interface prints it.
    pub fn rfc3339(self) -> String {
        let utc = self.zoned(&Zone::UTC).datetime();
        format!("{}T{}Z", Day(utc.date()), Clock(utc.time()))
    }

    /// `2026-11-20 20:15:02` in the given zone, as messages and `exceedings.log` print it.
    pub fn local(self, zone: &Zone) -> String {
        let local = self.zoned(zone).datetime();
        format!("{} {}", Day(local.date()), Clock(local.time()))
    }

    /// `20:15:02` in the given zone.
    pub fn local_time(self, zone: &Zone) -> String {
        Clock(self.zoned(zone).time()).to_string()
    }

    /// Reads a day (`2027-01-01`, its beginning) or a moment (`2027-01-01T12:00`, with or without seconds), local to
    /// the zone unless it ends in `Z` or an offset (RFC 3339).
    pub fn parse(text: &str, zone: &Zone) -> Option<Wall> {
        let date = text.get(..10)?;
        let [year, month, day] = numbers(date, '-')?;
        let rest = &text[10..];
        let (time, offset_s) = match rest.strip_prefix(['T', ' ']) {
            None if rest.is_empty() => ("00:00:00", None),
            None => return None,
            Some(rest) => split_offset(rest)?,
        };
        let [hour, minute, second] = match time.len() {
            5 => numbers(&format!("{time}:00"), ':')?,
            _ => numbers(time, ':')?,
        };
        let civil = civil([year, month, day, hour, minute, second])?;
        let Some(offset_s) = offset_s else {
            let zoned = civil.to_zoned(zone.0.clone()).ok()?;
            return Some(Wall(zoned.timestamp().as_millisecond()));
        };
        let utc = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        Some(Wall((utc.as_second() - offset_s) * 1000))
    }

    /// The `Date` field's form of a time (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn http_date(self) -> String {
        self.with_weekday(&Zone::UTC, "GMT")
    }

    /// The `Date` field's form of a time in a mail (RFC 5322 section 3.3): `Sun, 06 Nov 1994 09:49:37 +0100`.
    pub fn mail_date(self, zone: &Zone) -> String {
        let offset_min = self.zoned(zone).offset().seconds() / 60;
        let sign = if offset_min < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset_min.abs() / 60, offset_min.abs() % 60);
        self.with_weekday(zone, &format!("{sign}{hours:02}{minutes:02}"))
    }

    fn with_weekday(self, zone: &Zone, offset: &str) -> String {
        let local = self.zoned(zone).datetime();
        let weekday = WEEKDAYS[usize::from(local.weekday().to_monday_zero_offset() as u8)];
        let month = MONTHS[usize::from(local.month() as u8 - 1)];
        let (day, year, clock) = (local.day(), local.year(), Clock(local.time()));
        format!("{weekday}, {day:02} {month} {year:04} {clock} {offset}")
    }

    /// Reads what `http_date` writes.
    pub fn parse_http_date(text: &str) -> Option<Wall> {
        let mut words = text.split_ascii_whitespace().skip(1);
        let day = words.next()?.parse().ok()?;
        let month = words.next()?;
        let month = MONTHS.iter().position(|name| *name == month)? as i16 + 1;
        let year = words.next()?.parse().ok()?;
        let [hour, minute, second] = numbers(words.next()?, ':')?;
        let utc = civil([year, month, day, hour, minute, second])?;
        let utc = utc.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        (words.next() == Some("GMT")).then(|| Wall(utc.timestamp().as_millisecond()))
    }

    /// Calendar view of this moment in the given zone.
    pub fn zoned(self, zone: &Zone) -> jiff::Zoned {
        self.timestamp().to_zoned(zone.0.clone())
    }

    /// This many minutes after midnight, on the local day that lies `days` after this moment's. A time that a clock
    /// change skips is the moment after the gap, one that comes twice is the first.
    pub fn local_day(self, zone: &Zone, days: i64, minutes: u16) -> Option<Wall> {
        let mut date = self.zoned(zone).date();
        for _ in 0..days.unsigned_abs() {
            date = if days > 0 {
                date.tomorrow().ok()?
            } else {
                date.yesterday().ok()?
            };
        }
        let (hour, minute) = ((minutes / 60 % 24) as i8, (minutes % 60) as i8);
        let zoned = date.at(hour, minute, 0, 0).to_zoned(zone.0.clone());
        Some(Wall(zoned.ok()?.timestamp().as_millisecond()))
    }

    /// When the local month of this moment began.
    pub fn local_month(self, zone: &Zone) -> Option<Wall> {
        let first = self.zoned(zone).date().first_of_month();
        let zoned = first.at(0, 0, 0, 0).to_zoned(zone.0.clone()).ok()?;
        Some(Wall(zoned.timestamp().as_millisecond()))
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `2026-11-20`.
struct Day(jiff::civil::Date);

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = (self.0.year(), self.0.month(), self.0.day());
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// `20:15:02`.
struct Clock(jiff::civil::Time);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hour, minute, second) = (self.0.hour(), self.0.minute(), self.0.second());
        write!(f, "{hour:02}:{minute:02}:{second:02}")
    }
}

/// Three numbers of two digits, the first of four in a date.
fn numbers(text: &str, separator: char) -> Option<[i16; 3]> {
    let mut parts = text.split(separator);
    let mut next = |len: usize| {
        let digits = parts.next().filter(|part| part.len() == len)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let first = next(if separator == '-' { 4 } else { 2 })?;
    let all = [first, next(2)?, next(2)?];
    parts.next().is_none().then_some(all)
}

/// Year, month, day, hour, minute, second.
fn civil(numbers: [i16; 6]) -> Option<jiff::civil::DateTime> {
    let small = |index: usize| i8::try_from(numbers[index]).ok();
    let (month, day) = (small(1)?, small(2)?);
    let (hour, minute, second) = (small(3)?, small(4)?, small(5)?);
    jiff::civil::DateTime::new(numbers[0], month, day, hour, minute, second, 0).ok()
}

/// `12:00Z`, `12:00+01:00` or `12:00`: the time, and the seconds east of UTC if it says so. Fractions are dropped.
fn split_offset(text: &str) -> Option<(&str, Option<i64>)> {
    let (time, offset_s) = match text.find(['Z', '+', '-']) {
        None => (text, None),
        Some(at) if &text[at..] == "Z" => (&text[..at], Some(0)),
        Some(at) => {
            let [hours, minutes, _] = numbers(&format!("{}:00", &text[at + 1..]), ':')?;
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            let is_west = text[at..].starts_with('-');
            (&text[..at], Some(if is_west { -seconds } else { seconds }))
        }
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((time, offset_s))
}

/// 2026-11-01: no copy of this version existed before. A wall clock that says less has not been set yet (a board
/// without a battery begins in 1970). Moved on with each release, by hand, so that a build repeats to the bit.
pub const RELEASED: Wall = Wall(1_793_491_200_000);

/// A time zone, by default the system's.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(jiff::tz::TimeZone::UTC);

    /// Looks a zone up by its IANA name (`Europe/Berlin`).
    ///
    /// # Errors
    /// Returns the reason when the system's zone data does not know the name.
    pub fn named(name: &str) -> Result<Zone, String> {
        jiff::tz::TimeZone::get(name)
            .map(Zone)
            .map_err(|_| "is no time zone that this system knows".to_owned())
    }

    /// The system's zone; UTC when it has none. Reads the system's configuration, so it is called by the
    /// shell only.
    pub fn system() -> Zone {
        Zone(jiff::tz::TimeZone::try_system().unwrap_or(jiff::tz::TimeZone::UTC))
    }

    /// The jiff zone behind this one.
    pub fn inner(&self) -> &jiff::tz::TimeZone {
        &self.0
    }
}

/// Both clocks, read together once for each turn of the loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For text, timestamps and calendars.
    pub wall: Wall,
}

impl Now {
    /// The wall time of a monotonic moment that is not in the future.
    pub fn wall_of(&self, mono: Mono) -> Wall {
        self.wall.minus(self.mono.since(mono))
    }
}

/// A span that is known roughly: `40 s`, `4 min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About(pub Duration);

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0..=114 => write!(f, "{} s", (self.0.as_secs() / 10 * 10).max(10)),
            seconds => write!(f, "{} min", (seconds + 30) / 60),
        }
    }
}

/// Prints a duration as people say it: `38 s`, `12 min`, `2 h 5 min`, `3 d 4 h`.
#[derive(Clone, Copy, Debug)]
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let pair =
            |f: &mut fmt::Formatter<'_>, big: u64, big_unit: &str, small: u64, small_unit: &str| {
                if small == 0 {
                    write!(f, "{big} {big_unit}")
                } else {
                    write!(f, "{big} {big_unit} {small} {small_unit}")
                }
            };
        match seconds {
            0 if self.0.as_millis() > 0 => write!(f, "{} ms", self.0.as_millis()),
            0..=119 => write!(f, "{seconds} s"),
            120..=3599 => pair(
                f,
                seconds / 60,
                "min",
                if seconds < 600 { seconds % 60 } else { 0 },
                "s",
            ),
            3600..=86399 => pair(f, seconds / 3600, "h", seconds % 3600 / 60, "min"),
            _ => pair(f, seconds / 86400, "d", seconds % 86400 / 3600, "h"),
        }
    }
}

/// The earlier of two optional deadlines.
pub fn earlier(a: Option<Mono>, b: Option<Mono>) -> Option<Mono> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who makes a new version comes by here, and moves `RELEASED` on together with these.
    #[test]
    fn the_day_of_the_release_belongs_to_the_version() {
        let released = RELEASED.rfc3339();
        let day = released.split('T').next();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!((version, day), ("0.1.0", Some("2026-11-01")));
    }

    #[test]
    fn durations_read_like_speech() {
        for (seconds, want) in [
            (0, "0 s"),
            (38, "38 s"),
            (119, "119 s"),
            (130, "2 min 10 s"),
            (720, "12 min"),
            (7500, "2 h 5 min"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(Human(Duration::from_secs(seconds)).to_string(), want);
        }
        assert_eq!(Human(Duration::from_millis(250)).to_string(), "250 ms");
    }

    #[test]
    fn wall_prints_in_its_zone() {
        let wall = Wall(1_795_205_702_000);
        assert_eq!(wall.rfc3339(), "2026-11-20T20:15:02Z");
        assert_eq!(wall.local(&Zone::UTC), "2026-11-20 20:15:02");
        assert_eq!(wall.local_time(&Zone::UTC), "20:15:02");
        assert_eq!(wall.http_date(), "Fri, 20 Nov 2026 20:15:02 GMT");
        assert_eq!(Wall(0).http_date(), "Thu, 01 Jan 1970 00:00:00 GMT");
        let west = jiff::tz::Offset::from_seconds(-(5 * 3600 + 1800)).expect("half past five");
        let west = Zone(jiff::tz::TimeZone::fixed(west));
        assert_eq!(wall.mail_date(&west), "Fri, 20 Nov 2026 14:45:02 -0530");
        assert_eq!(
            wall.mail_date(&Zone::UTC),
            "Fri, 20 Nov 2026 20:15:02 +0000"
        );
    }

    #[test]
    fn moments_are_read_in_the_zone_that_they_name() {
        let east = Zone(jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(2)));
        for (text, want) in [
            ("2026-11-20", Some("2026-11-19T22:00:00Z")),
            ("2026-11-20T20:15", Some("2026-11-20T18:15:00Z")),
            ("2026-11-20 20:15:02", Some("2026-11-20T18:15:02Z")),
            ("2026-11-20T20:15:02Z", Some("2026-11-20T20:15:02Z")),
            ("2026-11-20T20:15:02.5Z", Some("2026-11-20T20:15:02Z")),
            ("2026-11-20T20:15:02-05:30", Some("2026-11-21T01:45:02Z")),
            ("2024-02-29", Some("2024-02-28T22:00:00Z")),
            ("2026-02-29", None),
            ("2026-11-20T", None),
            ("2026-11-20T25:00", None),
            ("2026-11-20T20:15x", None),
            ("2026-11-20T20:15+1", None),
            ("2026-11-20T20:15.Z", None),
            ("26-11-20", None),
            ("2026-1-20", None),
            ("+026-11-20", None),
            ("é026-11-2", None),
            ("", None),
        ] {
            let read = Wall::parse(text, &east).map(Wall::rfc3339);
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn http_dates_are_read_as_they_are_written() {
        for at in [0, 784_111_777_000, 1_795_205_702_000, 4_102_444_800_000] {
            assert_eq!(Wall::parse_http_date(&Wall(at).http_date()), Some(Wall(at)));
        }
        for bad in [
            "",
            "Sun,",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 31 Feb 1994 08:49:37 GMT",
        ] {
            assert_eq!(Wall::parse_http_date(bad), None, "{bad}");
        }
    }
}
