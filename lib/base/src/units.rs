//! Quantities as people write them: `"2s"`, `"1h 30m"`, `"1.5 kW"`, `"10 GiB"`, `"80 %"`, `"85 °C"`. Each kind has a
//! reader and a writer of the shortest exact form. A number without its unit is an error that shows the right form.

use std::time::Duration;

/// Reads a duration: one or more numbers with `ms`, `s`, `m`, `h` or `d` (also `min`, `sec`, `hour`, `days`, …).
///
/// # Errors
/// Says what is accepted, for `"2"`: `needs a unit; write "2s"`.
///
/// # Examples
/// ```
/// use rackwarden_base::units::duration;
/// use std::time::Duration;
/// assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
/// assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
/// assert!(duration("5").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut total_ms = 0.0;
    let mut last_unit_ms = f64::INFINITY;
    while !rest.is_empty() {
        let (number, unit, after) =
            take_quantity(rest, r#"a duration, such as "2s", "5m" or "1h 30m""#)?;
        let unit_ms = match unit {
            "" => return Err(no_unit(text, "s")),
            "ms" | "msec" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 60e3,
            "h" | "hour" | "hours" => 3600e3,
            "d" | "day" | "days" => 86400e3,
            "w" | "week" | "weeks" => 7.0 * 86400e3,
            _ => return Err(wrong_unit(unit, "ms, s, m, h or d", "5m")),
        };
        if unit_ms >= last_unit_ms {
            return Err("write the parts of a duration from the largest to the smallest, such as \"1h 30m\"".to_owned());
        }
        last_unit_ms = unit_ms;
        total_ms += number * unit_ms;
        rest = after.trim_start();
    }
    if last_unit_ms.is_infinite() {
        return Err(r#"is empty; write a duration, such as "2s""#.to_owned());
    }
    if total_ms > MAX_DURATION_MS {
        return Err("is longer than 1000 years".to_owned());
    }
    Ok(Duration::from_millis(total_ms.round() as u64))
}

const MAX_DURATION_MS: f64 = 1000.0 * 365.0 * 86400e3;

/// Reads a power in watts: `W`, `kW` or `MW`.
///
/// # Errors
/// Says what is accepted.
pub fn power_w(text: &str) -> Result<f64, String> {
    let (number, unit) = one_quantity(text, r#"a power, such as "1.5 kW" or "800 W""#)?;
    let factor = match unit {
        "" => return Err(no_unit(text, " W")),
        "W" | "w" => 1.0,
        "kW" | "KW" | "kw" => 1e3,
        "MW" => 1e6,
        "mW" | "mw" => return Err(r#"`mW` are milliwatts; write "MW" for megawatts"#.to_owned()),
        _ => return Err(wrong_unit(unit, "W, kW or MW", "1.5 kW")),
    };
    // One thousandth of a watt is finer than any device measures; rounding makes 2.9 kW exactly 2900 W.
    Ok((number * factor * 1e3).round() / 1e3)
}

/// Reads a size in bytes: `B`, binary (`KiB`, `MiB`, `GiB`, `TiB`) or decimal units (`kB`, `MB`, `GB`, `TB`).
///
/// # Errors
/// Says what is accepted.
pub fn size_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = one_quantity(text, r#"a size, such as "1 MiB" or "10 GB""#)?;
    let factor = match unit {
        "" => return Err(no_unit(text, " MiB")),
        "B" | "bytes" | "byte" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1048576.0,
        "GiB" => 1073741824.0,
        "TiB" => 1099511627776.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return Err(wrong_unit(unit, "B, KiB, MiB, GiB, kB, MB or GB", "1 MiB")),
    };
    let bytes = number * factor;
    if bytes > 9e18 {
        return Err("is too large".to_owned());
    }
    Ok(bytes.round() as u64)
}

/// Reads a share in percent, from 0 to 100.
///
/// # Errors
/// Says what is accepted.
pub fn share_percent(text: &str) -> Result<f64, String> {
    let (number, unit) = one_quantity(text, r#"a share, such as "80 %""#)?;
    match unit {
        "%" if number <= 100.0 => Ok(number),
        "%" => Err("is above 100 %".to_owned()),
        "" => Err(no_unit(text, " %")),
        _ => Err(wrong_unit(unit, "%", "80 %")),
    }
}

/// Reads a temperature in degrees Celsius.
///
/// # Errors
/// Says what is accepted.
pub fn temperature_celsius(text: &str) -> Result<f64, String> {
    let trimmed = text.trim();
    let (sign, magnitude) = match trimmed.strip_prefix(['-', '\u{2212}']) {
        Some(magnitude) => (-1.0, magnitude),
        None => (1.0, trimmed),
    };
    let (number, unit) = one_quantity(magnitude, r#"a temperature, such as "85 °C""#)?;
    match unit {
        "°C" | "C" | "℃" | "celsius" if number <= 1000.0 => Ok(sign * number),
        "°C" | "C" | "℃" | "celsius" => Err("is above 1000 °C".to_owned()),
        "°" | "" => Err(no_unit(text, " °C")),
        "°F" | "F" | "K" => Err(format!(
            "`{unit}` is not accepted; write degrees Celsius, such as \"85 °C\""
        )),
        _ => Err(wrong_unit(unit, "°C", "85 °C")),
    }
}

/// Reads a price of energy: `0.32 EUR/kWh`, `28 ct/kWh`, `0.30 €/kWh`. The currency is any short word without digits.
///
/// # Errors
/// Says what is accepted.
///
/// # Examples
/// ```
/// use rackwarden_base::units::energy_price;
/// let price = energy_price("0.32 EUR/kWh").expect("a price");
/// assert_eq!(price.of_kwh(100.0), "32.00 EUR");
/// assert!(energy_price("0.32").is_err());
/// ```
pub fn energy_price(text: &str) -> Result<EnergyPrice, String> {
    const FORM: &str = r#"a price of energy, such as "0.32 EUR/kWh""#;
    let (number, unit) = one_quantity(text, FORM)?;
    let Some((currency, per)) = unit.split_once('/') else {
        return match unit {
            "" => Err(no_unit(text, " EUR/kWh")),
            _ => Err(format!("is not {FORM}")),
        };
    };
    let per_kwh = match per {
        "kWh" | "kwh" => number,
        "MWh" => number / 1e3,
        _ => {
            return Err(wrong_unit(
                per,
                "kWh or MWh behind the slash",
                "0.32 EUR/kWh",
            ));
        }
    };
    let is_word = !currency.is_empty()
        && currency.chars().count() <= 8
        && !currency.chars().any(|ch| ch.is_control() || ch == '"');
    match is_word {
        true => Ok(EnergyPrice {
            per_kwh,
            currency: currency.into(),
        }),
        false => Err(format!("is not {FORM}")),
    }
}

/// What a kilowatt-hour costs.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyPrice {
    /// In the currency.
    pub per_kwh: f64,
    /// As it was written.
    pub currency: Box<str>,
}

impl EnergyPrice {
    /// What so much energy costs, with two decimals.
    pub fn of_kwh(&self, kwh: f64) -> String {
        format!("{:.2} {}", self.per_kwh * kwh, self.currency)
    }

    /// As `energy_price` reads it.
    pub fn written(&self) -> String {
        format!("{} {}/kWh", self.per_kwh, self.currency)
    }
}

/// Writes a duration as `duration` reads it: `1h 30m`, `2s`, `1s 500ms`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, unit_ms) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ] {
        if rest >= unit_ms {
            parts.push(format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}

/// Writes a power as `power_w` reads it, to the milliwatt: `1.5 kW`, `800 W`.
pub fn format_power(watts: f64) -> String {
    let (number, unit, decimals) = match watts {
        watts if watts >= 1e6 => (watts / 1e6, "MW", 9),
        watts if watts >= 1e3 => (watts / 1e3, "kW", 6),
        watts => (watts, "W", 3),
    };
    let number = format!("{number:.decimals$}");
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{number} {unit}")
}

/// Writes a size as `size_bytes` reads it, in the largest unit that is exact: `1 MiB`, `1500 B`.
pub fn format_size(bytes: u64) -> String {
    for (unit, factor) in [
        ("TiB", 1u64 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1000),
    ] {
        if bytes >= factor && bytes % factor == 0 {
            return format!("{} {unit}", bytes / factor);
        }
    }
    format!("{bytes} B")
}

/// Writes a share as `share_percent` reads it: `80 %`.
pub fn format_share(percent: f64) -> String {
    format!("{percent} %")
}

/// Writes a temperature as `temperature_celsius` reads it: `85 °C`.
pub fn format_temperature(celsius: f64) -> String {
    format!("{celsius} °C")
}

fn one_quantity<'a>(text: &'a str, expected: &str) -> Result<(f64, &'a str), String> {
    let (number, unit, rest) = take_quantity(text.trim(), expected)?;
    if rest.is_empty() {
        Ok((number, unit))
    } else {
        Err(format!("is not {expected}"))
    }
}

/// Splits `1.5 kW rest` into the number, the unit, and what follows.
fn take_quantity<'a>(text: &'a str, expected: &str) -> Result<(f64, &'a str, &'a str), String> {
    let digits = text
        .find(|ch: char| !ch.is_ascii_digit() && ch != '.')
        .unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let number = number
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite() && digits <= 18)
        .ok_or_else(|| match text.find(',') {
            Some(at) if at == digits && at > 0 => "has a comma; write a decimal point".to_owned(),
            _ if text.starts_with('-') => format!("is negative; write {expected}"),
            _ => format!("is not {expected}"),
        })?;
    if rest.starts_with(',') {
        return Err("has a comma; write a decimal point".to_owned());
    }
    let rest = rest.trim_start();
    let end = rest
        .find(|ch: char| ch.is_ascii_digit() || ch.is_whitespace() || ch == '.')
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    Ok((number, unit, rest))
}

fn no_unit(text: &str, unit: &str) -> String {
    let number = text.trim().trim_end_matches('°').trim_end();
    format!("needs a unit; write \"{number}{unit}\"")
}

fn wrong_unit(unit: &str, known: &str, example: &str) -> String {
    let unit: String = unit
        .chars()
        .filter(|ch| !ch.is_control())
        .take(16)
        .collect();
    format!("`{unit}` is not a unit of it; write {known}, such as \"{example}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> Result<u64, String> {
        duration(text).map(|duration| duration.as_millis() as u64)
    }

    #[test]
    fn a_price_of_energy_has_a_currency_and_reads_back() {
        for (text, want) in [
            ("0.32 EUR/kWh", "32.00 EUR"),
            ("0.3€/kWh", "30.00 €"),
            ("320 CHF/MWh", "32.00 CHF"),
            ("28 ct/kWh", "2800.00 ct"),
            ("0 EUR/kWh", "0.00 EUR"),
        ] {
            let price = energy_price(text).expect("a price");
            assert_eq!(price.of_kwh(100.0), want, "{text}");
            assert_eq!(energy_price(&price.written()), Ok(price), "{text}");
        }
        for (text, want) in [
            ("0.32", r#"needs a unit; write "0.32 EUR/kWh""#),
            ("0,32 EUR/kWh", "has a comma; write a decimal point"),
            (
                "0.32 EUR",
                r#"is not a price of energy, such as "0.32 EUR/kWh""#,
            ),
            (
                "0.32 /kWh",
                r#"is not a price of energy, such as "0.32 EUR/kWh""#,
            ),
            (
                "-1 EUR/kWh",
                r#"is negative; write a price of energy, such as "0.32 EUR/kWh""#,
            ),
        ] {
            assert_eq!(energy_price(text), Err(want.to_owned()), "{text}");
        }
        assert!(energy_price("0.32 EUR/day").is_err());
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, want) in [
            ("2s", 2000),
            ("2 s", 2000),
            (" 250ms ", 250),
            ("5m", 300_000),
            ("5 min", 300_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("1d 2h 3m 4s 5ms", 93_784_005),
            ("0s", 0),
            ("2 weeks", 1_209_600_000),
        ] {
            assert_eq!(ms(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn wrong_durations_say_what_is_accepted() {
        for (text, want) in [
            ("2", r#"needs a unit; write "2s""#),
            ("", r#"is empty; write a duration, such as "2s""#),
            (
                "2x",
                r#"`x` is not a unit of it; write ms, s, m, h or d, such as "5m""#,
            ),
            (
                "30m 1h",
                r#"write the parts of a duration from the largest to the smallest, such as "1h 30m""#,
            ),
            ("1,5s", "has a comma; write a decimal point"),
            (
                "-2s",
                r#"is negative; write a duration, such as "2s", "5m" or "1h 30m""#,
            ),
            (
                "soon",
                r#"is not a duration, such as "2s", "5m" or "1h 30m""#,
            ),
            (
                "1.2.3s",
                r#"is not a duration, such as "2s", "5m" or "1h 30m""#,
            ),
            ("99999999999999999d", "is longer than 1000 years"),
        ] {
            assert_eq!(ms(text), Err(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn powers_are_in_watts() {
        for (text, want) in [
            ("1.5 kW", 1500.0),
            ("1.5kW", 1500.0),
            ("2.9 kW", 2900.0),
            ("800W", 800.0),
            ("2 MW", 2e6),
            ("0 W", 0.0),
        ] {
            assert_eq!(power_w(text), Ok(want), "{text}");
        }
        for (text, want) in [
            ("3000", r#"needs a unit; write "3000 W""#),
            (
                "3 kVA",
                r#"`kVA` is not a unit of it; write W, kW or MW, such as "1.5 kW""#,
            ),
            ("3 kW 2 W", r#"is not a power, such as "1.5 kW" or "800 W""#),
            ("5 mW", r#"`mW` are milliwatts; write "MW" for megawatts"#),
        ] {
            assert_eq!(power_w(text), Err(want.to_owned()), "{text}");
        }
    }

    #[test]
    fn sizes_know_binary_and_decimal_units() {
        for (text, want) in [
            ("1 MiB", 1 << 20),
            ("10GB", 10_000_000_000),
            ("1.5 KiB", 1536),
            ("17 B", 17),
        ] {
            assert_eq!(size_bytes(text), Ok(want), "{text}");
        }
        assert_eq!(
            size_bytes("1"),
            Err(r#"needs a unit; write "1 MiB""#.to_owned())
        );
        assert!(size_bytes("1 M").is_err());
        assert!(size_bytes("99999999999 TB").is_err());
    }

    #[test]
    fn shares_and_temperatures() {
        assert_eq!(share_percent("80 %"), Ok(80.0));
        assert_eq!(share_percent("80%"), Ok(80.0));
        assert_eq!(
            share_percent("80"),
            Err(r#"needs a unit; write "80 %""#.to_owned())
        );
        assert!(share_percent("101 %").is_err());
        assert_eq!(temperature_celsius("85 °C"), Ok(85.0));
        assert_eq!(temperature_celsius("85C"), Ok(85.0));
        assert_eq!(temperature_celsius("-5 °C"), Ok(-5.0));
        assert_eq!(
            temperature_celsius("85"),
            Err(r#"needs a unit; write "85 °C""#.to_owned())
        );
        assert!(temperature_celsius("185 °F").is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        for millis in [0, 1, 250, 2000, 90_000, 5_400_000, 93_784_005] {
            let text = format_duration(Duration::from_millis(millis));
            assert_eq!(ms(&text), Ok(millis), "{text}");
        }
        for watts in [
            0.0,
            0.5,
            800.0,
            2910.0,
            16_433.333,
            3000.0,
            17_000.0,
            1_500_000.0,
        ] {
            assert_eq!(power_w(&format_power(watts)), Ok(watts), "{watts}");
        }
        for bytes in [0, 1, 1023, 1024, 1500, 1 << 20, 10_000_000, 5 << 30] {
            assert_eq!(size_bytes(&format_size(bytes)), Ok(bytes), "{bytes}");
        }
        assert_eq!(format_power(2910.0), "2.91 kW");
        assert_eq!(format_duration(Duration::from_secs(5400)), "1h 30m");
        assert_eq!(format_size(1 << 20), "1 MiB");
    }
}
