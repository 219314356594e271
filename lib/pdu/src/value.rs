//! Reads one SNMP value as a family's table says: numbers, text with units, times, switches.

use super::DeviceTime;
use rackwarden_snmp::Value;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// A number (or its digits as text), times this factor.
    Number(f64),
    /// A number in a temperature scale that starts at 32, times this factor.
    Fahrenheit(f64),
    /// Text that begins with a number; the unit behind it (`W`, `kW`, `A`, `mA`, …) gives the factor.
    WithUnit,
    /// A switch: these numbers mean on, those off.
    Switch {
        /// Numbers that mean on.
        on: Few,
        /// Numbers that mean off.
        off: Few,
    },
    /// A time by the device's clock, as text or in UNIX seconds.
    Time,
    /// Text.
    Text,
    /// One element of a list with commas, counted from 0, times this factor.
    NumberOfList(u16, f64),
    /// One element of a list with commas, counted from 0.
    SwitchOfList {
        /// Which element.
        at: u16,
        /// Numbers that mean on.
        on: Few,
        /// Numbers that mean off.
        off: Few,
    },
}

impl Form {
    /// The same for one element of a list.
    #[must_use]
    pub const fn of_list(self, at: u16) -> Form {
        match self {
            Form::Number(factor) => Form::NumberOfList(at, factor),
            Form::Switch { on, off } => Form::SwitchOfList { at, on, off },
            other => other,
        }
    }
}

/// A few numbers, at most `Few::MOST`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Few {
    numbers: [i64; Few::MOST],
    count: u8,
}

impl Few {
    /// So many fit.
    pub const MOST: usize = 4;
    /// None at all.
    pub const NONE: Few = Few {
        numbers: [0; Few::MOST],
        count: 0,
    };

    /// The numbers; `None` when there are too many.
    pub fn new(numbers: &[i64]) -> Option<Few> {
        let mut few = Few::default();
        few.numbers
            .get_mut(..numbers.len())?
            .copy_from_slice(numbers);
        few.count = numbers.len() as u8;
        Some(few)
    }

    /// As a slice.
    pub fn as_slice(&self) -> &[i64] {
        &self.numbers[..usize::from(self.count).min(Few::MOST)]
    }

    /// True when this number is one of them.
    pub fn contains(&self, number: i64) -> bool {
        self.as_slice().contains(&number)
    }
}

/// The number in a value, in the unit that the table gives it. `None` for a sentinel, for text that holds no
/// number, and for a value that is not there.
pub fn number(value: &Value, form: Form, absent: Few) -> Option<f64> {
    match form {
        Form::Number(factor) => plain(value, absent).map(|raw| tidy(raw * factor)),
        Form::Fahrenheit(factor) => {
            plain(value, absent).map(|raw| tidy((raw * factor - 32.0) / 1.8))
        }
        Form::WithUnit => with_unit(&value.as_text()?),
        Form::NumberOfList(at, factor) => {
            let element = element(value, at)?;
            plain(&element, absent).map(|raw| tidy(raw * factor))
        }
        Form::Switch { .. } | Form::SwitchOfList { .. } | Form::Time | Form::Text => None,
    }
}

/// Whether a switch is on; `None` when the value is neither.
pub fn switch(value: &Value, form: Form) -> Option<bool> {
    let (raw, on, off) = match form {
        Form::Switch { on, off } => (whole(value)?, on, off),
        Form::SwitchOfList { at, on, off } => (whole(&element(value, at)?)?, on, off),
        _ => return None,
    };
    if on.contains(raw) {
        return Some(true);
    }
    off.contains(raw).then_some(false)
}

/// A whole number, or its digits as text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value.as_i64() {
        Some(raw) => Some(raw),
        None => value.as_text()?.trim().parse().ok(),
    }
}

/// Whether a bit of BITS of one or two bytes is set; the first is bit 0. Two bytes that are both letters or digits are
/// what somebody wrote of one.
pub(super) fn bit(value: &Value, bit: u8) -> bool {
    let Value::OctetString(octets) = value else {
        return false;
    };
    match octets[..] {
        [byte] => byte & (0x80 >> bit.min(7)) != 0,
        [first, second] if !(first.is_ascii_graphic() && second.is_ascii_graphic()) => {
            first & (0x80 >> bit.min(7)) != 0
        }
        _ => false,
    }
}

/// An element of a list with commas.
fn element(value: &Value, at: u16) -> Option<Value> {
    let text = value.as_text()?;
    let element = text.split(',').nth(at.into())?.trim();
    Some(Value::OctetString(element.as_bytes().into()))
}

/// Text without blanks around it; `None` when nothing is left.
pub fn text(value: &Value) -> Option<String> {
    let text = rackwarden_base::text::clean(value.as_text()?);
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A time by the device's clock: `MM/DD/YYYY hh:mm:ss`, `YYYY/MM/DD hh:mm:ss`, or UNIX seconds.
pub fn time(value: &Value) -> Option<DeviceTime> {
    match value.as_i64() {
        Some(seconds) => (seconds > 0).then_some(DeviceTime(seconds)),
        None => parse_time(&value.as_text()?),
    }
}

/// True when the value says something: not absent, and not a sentinel of the table.
pub fn is_valid(value: &Value, form: Form, absent: Few) -> bool {
    match form {
        Form::Number(_) | Form::Fahrenheit(_) | Form::WithUnit | Form::NumberOfList(..) => {
            number(value, form, absent).is_some()
        }
        Form::Switch { .. } | Form::SwitchOfList { .. } => switch(value, form).is_some(),
        Form::Time => time(value).is_some(),
        Form::Text => text(value).is_some(),
    }
}

/// Whether a number is one of those that mean "not available": one of the family's, which looks large in an unsigned
/// type, or the first or last that its type holds.
pub(super) fn is_sentinel(value: &Value, absent: Few) -> bool {
    const LAST: i64 = i32::MAX as i64;
    let signed = match *value {
        Value::Integer(raw) if raw == LAST || raw == i64::from(i32::MIN) => return true,
        Value::Integer(raw) => raw,
        Value::Gauge32(u32::MAX) | Value::Counter64(u64::MAX) => return true,
        Value::Gauge32(raw) if i64::from(raw) == LAST => return true,
        Value::Gauge32(raw) | Value::Counter32(raw) => i64::from(raw as i32),
        Value::Counter64(raw) => raw as i64,
        _ => return false,
    };
    absent.contains(signed) || value.as_i64().is_some_and(|raw| absent.contains(raw))
}

fn plain(value: &Value, absent: Few) -> Option<f64> {
    match value.as_i64() {
        _ if is_sentinel(value, absent) => None,
        Some(raw) => Some(raw as f64),
        None => {
            let raw: f64 = value.as_text()?.trim().parse().ok()?;
            let is_absent = absent
                .as_slice()
                .iter()
                .any(|sentinel| *sentinel as f64 == raw);
            (raw.is_finite() && !is_absent).then_some(raw)
        }
    }
}

/// Takes off what binary fractions add to decimal ones: 19677 × 0.1 is 1967.7.
pub(super) fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn with_unit(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text
        .find(|ch: char| !(ch.is_ascii_digit() || matches!(ch, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let raw: f64 = text[..end].parse().ok()?;
    let factor = match text[end..].trim() {
        "" | "W" | "VA" | "A" | "V" | "kWh" | "C" | "°C" | "%" | "%RH" | "Hz" => 1.0,
        "kW" | "kVA" | "MWh" => 1000.0,
        "mA" | "mV" | "mW" | "Wh" => 0.001,
        _ => return None,
    };
    Some(tidy(raw * factor))
}

fn parse_time(text: &str) -> Option<DeviceTime> {
    let mut numbers = [None; 6];
    let mut place = 0;
    for byte in text.bytes() {
        let Some(number) = numbers.get_mut(place) else {
            break;
        };
        match byte {
            b'0'..=b'9' => {
                let shifted = number.unwrap_or(0i16).checked_mul(10)?;
                *number = Some(shifted.checked_add(i16::from(byte - b'0'))?);
            }
            b'/' | b' ' | b':' | b'-' => place += usize::from(number.is_some()),
            _ => return None,
        }
    }
    let [first, second, third, hour, minute, seconds] = numbers;
    let (first, second, third) = (first?, second?, third?);
    let (year, month, day) = if first > 31 {
        (first, second, third)
    } else {
        (third, first, second)
    };
    let small = |number: i16| i8::try_from(number).ok();
    let civil = jiff::civil::DateTime::new(
        year,
        small(month)?,
        small(day)?,
        small(hour?)?,
        small(minute?)?,
        small(seconds?)?,
        0,
    )
    .ok()?;
    let timestamp = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    Some(DeviceTime(timestamp.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few(numbers: &[i64]) -> Few {
        Few::new(numbers).expect("a few")
    }

    fn octets(text: &str) -> Value {
        Value::OctetString(text.as_bytes().into())
    }

    #[test]
    fn numbers_are_scaled_and_sentinels_are_nothing() {
        for (name, value, form, want) in [
            (
                "hundredths of a kilowatt",
                Value::Integer(27),
                Form::Number(10.0),
                Some(270.0),
            ),
            (
                "tenths do not grow digits",
                Value::Integer(19677),
                Form::Number(0.1),
                Some(1967.7),
            ),
            (
                "minus one is a sentinel",
                Value::Integer(-1),
                Form::Number(1.0),
                None,
            ),
            (
                "a negative value is a value",
                Value::Integer(-31),
                Form::Number(0.1),
                Some(-3.1),
            ),
            (
                "a large gauge stays positive",
                Value::Gauge32(3_000_000_000),
                Form::Number(1.0),
                Some(3e9),
            ),
            (
                "minus one in an unsigned type",
                Value::Gauge32(u32::MAX),
                Form::Number(10.0),
                None,
            ),
            (
                "the last of its type",
                Value::Integer(2_147_483_647),
                Form::Number(0.01),
                None,
            ),
            (
                "minus one in 64 unsigned bits",
                Value::Counter64(u64::MAX),
                Form::Number(1.0),
                None,
            ),
            (
                "digits as text",
                octets(" -1.9 "),
                Form::Number(1.0),
                Some(-1.9),
            ),
            ("a sentinel as text", octets("-1"), Form::Number(1.0), None),
            ("a word", octets("NULL"), Form::Number(1.0), None),
            (
                "nothing there",
                Value::NoSuchInstance,
                Form::Number(1.0),
                None,
            ),
            (
                "a zero-length integer",
                Value::Null,
                Form::Number(1.0),
                None,
            ),
            ("not a number", octets("nan"), Form::Number(1.0), None),
            (
                "kilowatts as text",
                octets("0.061kW"),
                Form::WithUnit,
                Some(61.0),
            ),
            (
                "volts as text",
                octets("232.6V"),
                Form::WithUnit,
                Some(232.6),
            ),
            (
                "kilowatt-hours as text",
                octets("2.28kWh"),
                Form::WithUnit,
                Some(2.28),
            ),
            (
                "watts with a blank",
                octets("2747 W"),
                Form::WithUnit,
                Some(2747.0),
            ),
            ("a dash", octets("-"), Form::WithUnit, None),
            (
                "an unknown unit",
                octets("3 furlongs"),
                Form::WithUnit,
                None,
            ),
            (
                "an element of a list",
                octets("12, 34"),
                Form::NumberOfList(1, 0.1),
                Some(3.4),
            ),
            (
                "no such element",
                octets("12, 34"),
                Form::NumberOfList(2, 0.1),
                None,
            ),
            (
                "freezing point",
                Value::Integer(320),
                Form::Fahrenheit(0.1),
                Some(0.0),
            ),
        ] {
            assert_eq!(number(&value, form, few(&[-1])), want, "{name}");
        }
    }

    #[test]
    fn times_of_both_spellings_are_read_and_words_are_not() {
        for (value, want) in [
            (octets("08/16/2022 16:01:25"), Some(1_660_665_685)),
            (octets("2010/01/01 00:34:36"), Some(1_262_306_076)),
            (Value::Integer(1_660_665_685), Some(1_660_665_685)),
            (octets("notsupported "), None),
            (octets("13/45/2022 16:01:25"), None),
            (octets("08/16/2022"), None),
            (octets("99999/01/01 00:34:36"), None),
            (Value::Integer(0), None),
        ] {
            assert_eq!(time(&value), want.map(DeviceTime), "{value:?}");
        }
    }

    #[test]
    fn a_switch_is_on_off_or_neither() {
        let (on, off) = (few(&[1]), few(&[2]));
        let form = Form::Switch { on, off };
        assert_eq!(switch(&octets(" 1"), form), Some(true));
        let second = form.of_list(1);
        assert_eq!(switch(&octets("1,2,1"), second), Some(false));
        assert_eq!(switch(&octets("1"), second), None);
        assert_eq!(switch(&Value::Integer(1), form), Some(true));
        assert_eq!(switch(&Value::Integer(2), form), Some(false));
        assert_eq!(switch(&Value::Integer(4), form), None);
    }
}
