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

    /// Time from `earlier` to `self`, zero if the clock went backwards.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with whole seconds, as the HTTP interface prints it.
    pub fn rfc3339(self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2026-11-20 20:15:02` in the given zone, as messages and `exceedings.log` print it.
    pub fn local(self, zone: &Zone) -> String {
        self.zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// `20:15:02` in the given zone.
    pub fn local_time(self, zone: &Zone) -> String {
        self.zoned(zone).strftime("%H:%M:%S").to_string()
    }

    /// Calendar view of this moment in the given zone.
    pub fn zoned(self, zone: &Zone) -> jiff::Zoned {
        self.timestamp().to_zoned(zone.0.clone())
    }

    fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
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
            .map_err(|err| err.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

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
    }
}
