//! The word in which a Raspberry Pi tells of its supply and its heat (`vcgencmd get_throttled`), in words.

use super::sensors::Files;
use super::{Throttled, ThrottledSource};

/// Bits 0 to 3 say what is now; the same 16 places up, what was since boot.
const NOW: u32 = 0xF;
const SINCE_BOOT: u32 = 16;

/// By bit.
const WORDS: [&str; 4] = [
    "under-voltage (the supply is below 4.63 V)",
    "frequency capped",
    "throttled",
    "at the soft temperature limit",
];
const PAST_WORDS: [&str; 4] = [
    "under-voltage (the supply was below 4.63 V)",
    WORDS[1],
    WORDS[2],
    WORDS[3],
];

impl Throttled {
    /// Everything that the firmware can tell.
    pub const ALL: u32 = NOW | NOW << SINCE_BOOT;
    /// Under-voltage now: all that hwmon tells.
    pub const UNDER_VOLTAGE: u32 = 1;

    /// Puts together what hwmon and the firmware say, on a board that has the detector of its supply or has not.
    /// Firmware that does not see what hwmon sees always says 0, as some kernels have it, and is not believed.
    pub fn from_sources(
        alarm: Option<bool>,
        firmware: Option<u32>,
        has_detector: bool,
    ) -> Option<Throttled> {
        let alarm = alarm.filter(|_| has_detector);
        let supply = Throttled::UNDER_VOLTAGE | Throttled::UNDER_VOLTAGE << SINCE_BOOT;
        let known = match has_detector {
            true => Throttled::ALL,
            false => Throttled::ALL & !supply,
        };
        match (alarm, firmware) {
            (Some(true), None | Some(0)) | (Some(_), None) => Some(Throttled {
                bits: u32::from(alarm == Some(true)),
                known: Throttled::UNDER_VOLTAGE,
                source: ThrottledSource::Hwmon,
            }),
            (alarm, Some(word)) => Some(Throttled {
                bits: (word | u32::from(alarm == Some(true))) & known,
                known,
                source: ThrottledSource::Firmware,
            }),
            (None, None) => None,
        }
    }

    /// True while anything slows the machine down or may make it fail.
    pub fn is_now(&self) -> bool {
        self.bits & self.known & NOW != 0
    }

    /// True when anything did so since boot.
    pub fn is_since_boot(&self) -> bool {
        let bits = self.bits & self.known;
        (bits | bits >> SINCE_BOOT) & NOW != 0
    }

    /// One sentence without its point: `now under-voltage (the supply is below 4.63 V); since boot also throttled`.
    pub fn sentence(&self) -> String {
        let bits = self.bits & self.known;
        let now = bits & NOW;
        let before = bits >> SINCE_BOOT & NOW & !now;
        let tells_past = self.known >> SINCE_BOOT != 0;
        let what = match self.known & Throttled::UNDER_VOLTAGE {
            0 => "throttling",
            _ if self.known == Throttled::UNDER_VOLTAGE => "under-voltage",
            _ => "under-voltage or throttling",
        };
        match (now, before) {
            (0, 0) if tells_past => format!("no {what} since boot"),
            (0, 0) => format!("no {what} now"),
            (0, _) => format!("nothing now; since boot {}", words(before, &PAST_WORDS)),
            (_, 0) => format!("now {}", words(now, &WORDS)),
            _ => format!(
                "now {}; since boot also {}",
                words(now, &WORDS),
                words(before, &PAST_WORDS)
            ),
        }
    }
}

impl ThrottledSource {
    /// As it is told to people.
    pub const fn name(self) -> &'static str {
        match self {
            ThrottledSource::Hwmon => "hwmon",
            ThrottledSource::Firmware => "firmware",
        }
    }
}

/// Where a board's word comes from: files below the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// `in0_lcrit_alarm` of hwmon's `rpi_volt`.
    pub alarm: Option<String>,
    /// `get_throttled` of the firmware's driver.
    pub firmware: Option<String>,
    /// Whether the board can tell at all that its supply is too low.
    pub has_detector: bool,
}

impl Supply {
    /// Looks for both; neither is there on another machine than a Raspberry Pi.
    pub fn find(files: &dyn Files) -> Supply {
        let model = files.text("sys/firmware/devicetree/base/model");
        let model = model.unwrap_or_default();
        if !model.starts_with(BOARDS) {
            return Supply::default();
        }
        let chips = files.names("sys/class/hwmon").into_iter();
        let mut chips = chips.map(|name| format!("sys/class/hwmon/{name}"));
        let chip = chips.find(|chip| {
            let name = files.text(&format!("{chip}/name"));
            name.is_some_and(|name| name.trim() == "rpi_volt")
        });
        Supply {
            alarm: chip.map(|chip| format!("{chip}/in0_lcrit_alarm")),
            firmware: firmware_node(files),
            has_detector: has_detector(model.trim_end_matches('\0')),
        }
    }
}

/// `soc/soc:firmware`, on a Raspberry Pi 5 `soc@107c000000/soc@107c000000:firmware`.
fn firmware_node(files: &dyn Files) -> Option<String> {
    const PLATFORM: &str = "sys/devices/platform";
    let mut names = files.names(PLATFORM).into_iter();
    names.find_map(|name| {
        let node = format!("{PLATFORM}/{name}/{name}:firmware/get_throttled");
        (name.starts_with("soc") && files.text(&node).is_some()).then_some(node)
    })
}

const BOARDS: &str = "Raspberry Pi ";

/// Reads `get_throttled` of sysfs: hexadecimal digits, with or without `0x`.
pub fn word(text: &[u8]) -> Option<u32> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    super::procfs::hex(digits).and_then(|word| u32::try_from(word).ok())
}

/// Whether a board can tell that its supply is too low: those of the Zero family and the first ones cannot.
pub fn has_detector(model: &str) -> bool {
    let Some(board) = model.strip_prefix(BOARDS) else {
        return false;
    };
    let is_first = board.starts_with("Model A Rev") || board.starts_with("Model B Rev");
    !(is_first || board.starts_with("Zero") || board.starts_with("Compute Module Rev"))
}

fn words(bits: u32, all: &[&str; 4]) -> String {
    let set: Vec<&str> = (0..4)
        .filter(|bit| bits >> bit & 1 != 0)
        .map(|bit| all[bit])
        .collect();
    match set.as_slice() {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        one => one.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::machines::Tree;

    fn firmware(bits: u32) -> Throttled {
        Throttled {
            bits,
            known: Throttled::ALL,
            source: ThrottledSource::Firmware,
        }
    }

    #[test]
    fn each_word_is_a_sentence() {
        for (bits, want) in [
            (0, "no under-voltage or throttling since boot"),
            (0x1, "now under-voltage (the supply is below 4.63 V)"),
            (
                0x50005,
                "now under-voltage (the supply is below 4.63 V) and throttled",
            ),
            (
                0x50000,
                "nothing now; since boot under-voltage (the supply was below 4.63 V) and throttled",
            ),
            (
                0xE0008,
                "now at the soft temperature limit; since boot also frequency capped and throttled",
            ),
            (
                0xF0000,
                "nothing now; since boot under-voltage (the supply was below 4.63 V), frequency capped, throttled and at the soft temperature limit",
            ),
            (0xFFF0_FFF0, "no under-voltage or throttling since boot"),
        ] {
            assert_eq!(firmware(bits).sentence(), want, "{bits:#x}");
        }
        let hwmon = |alarm| Throttled::from_sources(Some(alarm), None, true).expect("known");
        assert_eq!(hwmon(false).sentence(), "no under-voltage now");
        assert_eq!(
            hwmon(true).sentence(),
            "now under-voltage (the supply is below 4.63 V)"
        );
        assert!(hwmon(true).is_now() && !hwmon(false).is_since_boot());
        assert!(firmware(0x40000).is_since_boot() && !firmware(0x40000).is_now());
    }

    #[test]
    fn the_source_that_tells_more_is_taken_unless_it_is_wrong() {
        use ThrottledSource::{Firmware, Hwmon};
        let (all, supply) = (Throttled::ALL, Throttled::UNDER_VOLTAGE);
        for (alarm, word, has_detector, want) in [
            (None, None, true, None),
            (Some(false), None, true, Some((0, supply, Hwmon))),
            (Some(true), None, true, Some((1, supply, Hwmon))),
            (
                Some(false),
                Some(0x50000),
                true,
                Some((0x50000, all, Firmware)),
            ),
            (
                Some(true),
                Some(0x50000),
                true,
                Some((0x50001, all, Firmware)),
            ),
            // raspberrypi/linux: a node that always reads 0.
            (Some(true), Some(0), true, Some((1, supply, Hwmon))),
            (None, Some(0x4), true, Some((4, all, Firmware))),
            (Some(false), None, false, None),
            (
                Some(false),
                Some(0x10005),
                false,
                Some((4, all & !0x10001, Firmware)),
            ),
        ] {
            let found = Throttled::from_sources(alarm, word, has_detector);
            let found = found.map(|own| (own.bits, own.known, own.source));
            assert_eq!(found, want, "{alarm:?} {word:?} {has_detector}");
        }
    }

    #[test]
    fn each_board_has_its_sources() {
        let node = |soc: &str| {
            Some(format!(
                "sys/devices/platform/{soc}/{soc}:firmware/get_throttled"
            ))
        };
        for (machine, alarm, firmware, has_detector) in [
            ("raspberry-pi-3", Some(1), node("soc"), true),
            ("raspberry-pi-4", Some(1), None, true),
            ("raspberry-pi-5", Some(4), node("soc@107c000000"), true),
            ("raspberry-pi-zero-2", None, node("soc"), false),
            ("rk3588", None, None, false),
            ("intel-server", None, None, false),
        ] {
            let want = Supply {
                alarm: alarm.map(|chip| format!("sys/class/hwmon/hwmon{chip}/in0_lcrit_alarm")),
                firmware,
                has_detector,
            };
            assert_eq!(Supply::find(&Tree::of(machine)), want, "{machine}");
        }
    }

    #[test]
    fn words_are_hexadecimal() {
        for (text, want) in [
            ("50005\n", Some(0x50005)),
            ("0x0\n", Some(0)),
            ("", None),
            ("0x", None),
            ("-1", None),
            ("100000000", None),
        ] {
            assert_eq!(word(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn boards_without_the_detector_are_known() {
        for (model, want) in [
            ("Raspberry Pi 5 Model B Rev 1.0", true),
            ("Raspberry Pi 3 Model B Plus Rev 1.3", true),
            ("Raspberry Pi Model B Plus Rev 1.2", true),
            ("Raspberry Pi Model B Rev 2", false),
            ("Raspberry Pi Zero 2 W Rev 1.0", false),
            ("Radxa ROCK 5B", false),
            ("", false),
        ] {
            assert_eq!(has_detector(model), want, "{model}");
        }
    }
}
