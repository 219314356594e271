//! Recordings in the `.snmprec` format of snmpsim: `OID|TAG|VALUE`, one object a line.

use super::{Cell, Mib};
use rackwarden_base::time::Mono;
use rackwarden_snmp::{Oid, Value};

/// A value that moves (`TAG:numeric`).
#[derive(Clone, Debug)]
pub(super) struct Moving {
    name: Oid,
    /// `min..=max` of the result.
    range: (f64, f64),
    shape: Shape,
}

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// offset + scale × sin(rate × seconds)
    Sine { rate: f64, scale: f64, offset: f64 },
    /// initial + rate × seconds
    Growing { rate: f64, initial: f64 },
}

impl Moving {
    pub(super) fn name(&self) -> &Oid {
        &self.name
    }

    /// The value now, of the type that the object has.
    pub(super) fn value(&self, now: Mono, like: &Value) -> Value {
        let seconds = now.since_start().as_secs_f64();
        let number = match self.shape {
            Shape::Sine {
                rate,
                scale,
                offset,
            } => offset + scale * (rate * seconds).sin(),
            Shape::Growing { rate, initial } => initial + rate * seconds,
        };
        let number = number
            .clamp(self.range.0, self.range.1.max(self.range.0))
            .round();
        match like {
            Value::Counter32(_) => Value::Counter32(number as u64 as u32),
            Value::Gauge32(_) => Value::Gauge32(number as u32),
            Value::TimeTicks(_) => Value::TimeTicks(number as u32),
            Value::Counter64(_) => Value::Counter64(number as u64),
            _ => Value::Integer(number as i64),
        }
    }
}

/// Reads a recording. A line feed inside a value continues it on the next line; lines may stand in any order.
pub(super) fn parse(bytes: &[u8]) -> Result<(Mib, Vec<Moving>), String> {
    let mut mib = Mib::new();
    let mut moving = Vec::new();
    for (number, record) in records(bytes) {
        let parsed = parse_record(record).map_err(|why| format!("line {number}: {why}"))?;
        mib.insert(parsed.name.clone(), Cell::writable(parsed.value));
        if let Some((shape, range)) = parsed.shape {
            moving.push(Moving {
                name: parsed.name,
                range,
                shape,
            });
        }
    }
    if mib.is_empty() {
        Err("it holds no record; expected lines of OID|TAG|VALUE".to_owned())
    } else {
        Ok((mib, moving))
    }
}

/// Splits into records, each with the number of its first line.
fn records(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut starts: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if starts_record(line)
            || starts.is_empty()
                && !line.iter().all(u8::is_ascii_whitespace)
                && !line.starts_with(b"#")
        {
            starts.push((index + 1, at));
        }
        at += line.len() + 1;
    }
    let ends = starts
        .iter()
        .skip(1)
        .map(|(_, at)| at - 1)
        .chain([bytes.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|((number, from), to)| (*number, bytes.get(*from..to).unwrap_or_default()))
        .collect()
}

/// `.1.3.6.1|4x|`: what only the first line of a record looks like.
fn starts_record(line: &[u8]) -> bool {
    let mut parts = line.splitn(3, |byte| *byte == b'|');
    let (Some(name), Some(tag), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    name.contains(&b'.')
        && name
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && tag.first().is_some_and(u8::is_ascii_digit)
}

struct Parsed {
    name: Oid,
    value: Value,
    shape: Option<(Shape, (f64, f64))>,
}

fn parse_record(record: &[u8]) -> Result<Parsed, String> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let mut parts = record.splitn(3, |byte| *byte == b'|');
    let (Some(name), Some(tag), Some(raw)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("expected OID|TAG|VALUE".to_owned());
    };
    let name = text(name)?
        .parse::<Oid>()
        .map_err(|err| format!("not an object identifier: {err}"))?;
    let tag = text(tag)?;
    let (tag, module) = tag
        .split_once(':')
        .map_or((tag, None), |(tag, module)| (tag, Some(module)));
    let (tag, is_hex) = tag
        .strip_suffix('x')
        .map_or((tag, false), |tag| (tag, true));
    let (tag, is_escaped) = tag
        .strip_suffix('e')
        .map_or((tag, false), |tag| (tag, true));
    let mut shape = None;
    let raw: Vec<u8> = match module {
        None if is_escaped => unescape(text(raw)?)?,
        None if is_hex => unhex(text(raw)?)?,
        None => raw.to_vec(),
        Some("writecache") => option(text(raw)?, "value")
            .unwrap_or_default()
            .as_bytes()
            .to_vec(),
        Some("numeric") => {
            shape = Some(numeric(text(raw)?)?);
            b"0".to_vec()
        }
        Some(other) => {
            return Err(format!(
                "the variation module {other:?} is not known; numeric and writecache are"
            ));
        }
    };
    Ok(Parsed {
        name,
        value: value(tag, &raw)?,
        shape,
    })
}

fn value(tag: &str, raw: &[u8]) -> Result<Value, String> {
    let number = || {
        let text = text(raw)?.trim();
        text.parse::<i128>()
            .map_err(|_| format!("{text:?} is not a whole number"))
    };
    // Some recordings hold 32-bit values with a sign; they are taken as the bits they are.
    let unsigned = || number().map(|number| number as u32);
    Ok(match tag {
        "2" => Value::Integer(number()? as i64),
        "4" => Value::OctetString(raw.into()),
        "5" => Value::Null,
        "6" => Value::ObjectId(
            text(raw)?
                .trim()
                .parse()
                .map_err(|err| format!("not an object identifier: {err}"))?,
        ),
        "64" => Value::IpAddress(address(raw)?),
        "65" => Value::Counter32(unsigned()?),
        "66" => Value::Gauge32(unsigned()?),
        "67" => Value::TimeTicks(unsigned()?),
        "68" => Value::Opaque(raw.into()),
        "70" => Value::Counter64(number()? as u64),
        other => return Err(format!("the tag {other:?} is not known")),
    })
}

/// Text in which `\\xNN` stands for a byte, and a doubled backslash for itself.
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = match after.as_bytes() {
            [b'x', ..] => {
                let digits = after.get(1..3).unwrap_or_default();
                let byte = u8::from_str_radix(digits, 16);
                bytes.push(byte.map_err(|_| format!("\\x{digits} is not a byte"))?);
                &after[3..]
            }
            [b'\\', ..] => {
                bytes.push(b'\\');
                &after[1..]
            }
            _ => return Err("a backslash that escapes nothing".to_owned()),
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Four bytes, or four numbers with dots.
fn address(raw: &[u8]) -> Result<[u8; 4], String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(raw) {
        return Ok(bytes);
    }
    let address: std::net::Ipv4Addr = text(raw)?
        .trim()
        .parse()
        .map_err(|_| "not an IPv4 address".to_owned())?;
    Ok(address.octets())
}

fn numeric(options: &str) -> Result<(Shape, (f64, f64)), String> {
    let number = |key: &str, default: f64| match option(options, key) {
        Some(text) => text
            .parse::<f64>()
            .map_err(|_| format!("{key}={text} is not a number")),
        None => Ok(default),
    };
    let range = (
        number("min", f64::from(i32::MIN))?,
        number("max", f64::from(u32::MAX))?,
    );
    let shape = match option(options, "function") {
        Some("sin") => Shape::Sine {
            rate: number("rate", 1.0)?,
            scale: number("scale", 1.0)?,
            offset: number("offset", 0.0)?,
        },
        Some(other) => return Err(format!("the function {other:?} is not known; sin is")),
        None if option(options, "cumulative") == Some("1") => Shape::Growing {
            rate: number("rate", 1.0)?,
            initial: number("initial", 0.0)?,
        },
        None => Shape::Sine {
            rate: 0.0,
            scale: 0.0,
            offset: number("initial", number("offset", 0.0)?)?,
        },
    };
    Ok((shape, range))
}

fn option<'a>(options: &'a str, key: &str) -> Option<&'a str> {
    options
        .split(',')
        .find_map(|pair| pair.trim().strip_prefix(key)?.strip_prefix('='))
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())
}

fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text
        .trim()
        .chars()
        .map(|ch| ch.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()
        .ok_or("not hexadecimal")?;
    if digits.len() % 2 == 1 {
        return Err("an odd number of hexadecimal digits".to_owned());
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_bytes_are_read() {
        let record = parse_record(b"1.3.6.1.4.1.17420.0.103.0|64e|\\xc0\\xa8\\x00\\x01");
        assert_eq!(
            record.map(|parsed| parsed.value),
            Ok(Value::IpAddress([192, 168, 0, 1]))
        );
        assert_eq!(unescape("a\\\\b\\x0a"), Ok(b"a\\b\n".to_vec()));
        for broken in ["\\", "\\q", "\\x", "\\x1", "\\xzz", "\\xé"] {
            assert!(unescape(broken).is_err(), "{broken}");
        }
    }
}
