//! What the kernel says in `/proc` (proc(5)), from bytes to values. What is not understood is left out; nothing here fails.

use super::{CpuTimes, Memory};
use crate::time::Wall;
use std::time::Duration;

/// Reads the lines `cpu` and `cpuN` of `/proc/stat`: all cores together, and into `cores` each by its number.
pub fn cpu_times(stat: &[u8], cores: &mut Vec<(u32, CpuTimes)>) -> Option<CpuTimes> {
    cores.clear();
    let mut whole = None;
    for line in lines(stat) {
        // They come first.
        let Some(line) = line.strip_prefix(b"cpu") else {
            break;
        };
        let mut fields = fields(line);
        if line.first() == Some(&b' ') {
            whole = times(fields);
        } else if let Some(number) = fields.next().and_then(number) {
            let times = times(fields).zip(u32::try_from(number).ok());
            cores.extend(times.map(|(times, number)| (number, times)));
        }
    }
    whole
}

/// Reads the line `btime` of `/proc/stat`: when the machine started.
pub fn booted(stat: &[u8]) -> Option<Wall> {
    let seconds = lines(stat).find_map(|line| line.strip_prefix(b"btime "))?;
    let seconds = i64::try_from(number(seconds)?).ok()?;
    seconds.checked_mul(1000).map(Wall)
}

/// Kernels before 2.6.11 have no steal time.
fn times<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<CpuTimes> {
    let mut next = || fields.next().and_then(number);
    Some(CpuTimes {
        user: next()?,
        nice: next()?,
        system: next()?,
        idle: next()?,
        iowait: next().unwrap_or(0),
        irq: next().unwrap_or(0),
        softirq: next().unwrap_or(0),
        steal: next().unwrap_or(0),
    })
}

/// Reads `/proc/meminfo`. A kernel without `MemAvailable` (before 3.14) is helped by what it could free.
pub fn memory(meminfo: &[u8]) -> Option<Memory> {
    let mut memory = Memory::default();
    let (mut total, mut available) = (None, None);
    for line in lines(meminfo) {
        let mut fields = fields(line);
        let key = fields.next().unwrap_or_default();
        let value = |mut fields: Fields<'_>| {
            let kib = fields.next().and_then(number);
            kib.and_then(|kib| kib.checked_mul(1024))
        };
        match key {
            b"MemTotal:" => total = value(fields),
            b"MemAvailable:" => available = value(fields),
            b"MemFree:" => memory.free_bytes = value(fields).unwrap_or(0),
            b"Buffers:" => memory.buffers_bytes = value(fields).unwrap_or(0),
            b"Cached:" => memory.cached_bytes = value(fields).unwrap_or(0),
            b"SwapTotal:" => memory.swap_total_bytes = value(fields).unwrap_or(0),
            b"SwapFree:" => {
                memory.swap_free_bytes = value(fields).unwrap_or(0);
                break;
            }
            _ => {}
        }
    }
    memory.total_bytes = total.filter(|total| *total > 0)?;
    memory.available_bytes = available.unwrap_or_else(|| {
        memory
            .free_bytes
            .saturating_add(memory.buffers_bytes)
            .saturating_add(memory.cached_bytes)
    });
    Some(memory)
}

/// Reads `/proc/loadavg`: averages over 1, 5 and 15 minutes.
pub fn load(loadavg: &[u8]) -> Option<[f64; 3]> {
    let mut fields = fields(loadavg);
    let mut next = || {
        let (whole, hundredths) = hundredths(fields.next()?)?;
        // One division: the double that is nearest to the text.
        Some((whole.checked_mul(100)? + u64::from(hundredths)) as f64 / 100.0)
    };
    Some([next()?, next()?, next()?])
}

/// Reads `/proc/uptime`.
pub fn uptime(uptime: &[u8]) -> Option<Duration> {
    let (seconds, hundredths) = hundredths(fields(uptime).next()?)?;
    Some(Duration::new(seconds, hundredths * 10_000_000))
}

/// `0.07`, always with two digits behind the point.
fn hundredths(field: &[u8]) -> Option<(u64, u32)> {
    let point = field.iter().position(|byte| *byte == b'.')?;
    let fraction = field.get(point + 1..).filter(|digits| digits.len() == 2)?;
    let fraction = u32::try_from(number(fraction)?).ok()?;
    Some((number(&field[..point])?, fraction))
}

/// Counters of an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Packets received with errors.
    pub rx_errors: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets not sent because of errors.
    pub tx_errors: u64,
}

/// Reads `/proc/net/dev`: names of interfaces with their counters, in the kernel's order.
pub fn interfaces(dev: &[u8]) -> impl Iterator<Item = (&str, Traffic)> {
    lines(dev).filter_map(interface)
}

fn interface(line: &[u8]) -> Option<(&str, Traffic)> {
    let colon = line.iter().rposition(|byte| *byte == b':')?;
    let name = std::str::from_utf8(line[..colon].trim_ascii()).ok()?;
    let mut numbers = [0; 16];
    let mut fields = fields(&line[colon + 1..]);
    for place in &mut numbers {
        *place = number(fields.next()?)?;
    }
    let traffic = Traffic {
        rx_bytes: numbers[0],
        rx_packets: numbers[1],
        rx_errors: numbers[2],
        tx_bytes: numbers[8],
        tx_packets: numbers[9],
        tx_errors: numbers[10],
    };
    (!name.is_empty()).then_some((name, traffic))
}

/// linux/route.h: the route is usable.
const RTF_UP: u64 = 0x1;
/// linux/route.h: the route says that there is none.
const RTF_REJECT: u64 = 0x200;

/// Reads `/proc/net/route`: interfaces of the default routes of IPv4.
pub fn default_routes(route: &[u8]) -> impl Iterator<Item = &str> {
    lines(route).filter_map(|line| {
        // Iface Destination Gateway Flags RefCnt Use Metric Mask …
        let mut fields = fields(line);
        let name = fields.next()?;
        let is_default = hex(fields.next()?)? == 0;
        let flags = hex(fields.nth(1)?)?;
        let has_no_mask = hex(fields.nth(3)?)? == 0;
        usable(name, is_default && has_no_mask, flags)
    })
}

/// Reads `/proc/net/ipv6_route`: interfaces of the default routes of IPv6.
pub fn default_routes_v6(route: &[u8]) -> impl Iterator<Item = &str> {
    lines(route).filter_map(|line| {
        // Destination length source length next-hop metric references use flags name
        let mut fields = fields(line);
        let is_zero = fields.next()?.iter().all(|byte| *byte == b'0');
        let has_no_length = hex(fields.next()?)? == 0;
        let flags = hex(fields.nth(6)?)?;
        usable(fields.next()?, is_zero && has_no_length, flags)
    })
}

fn usable(name: &[u8], is_default: bool, flags: u64) -> Option<&str> {
    let is_usable = is_default && flags & RTF_UP != 0 && flags & RTF_REJECT == 0;
    is_usable.then(|| std::str::from_utf8(name).ok()).flatten()
}

/// What `/proc/PID/stat` says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat<'a> {
    /// Its name, at most 15 bytes of it.
    pub name: &'a [u8],
    /// Time in user mode and in the kernel, in ticks.
    pub ticks: u64,
    /// When it started, in ticks since boot: tells it from a later one with the same number.
    pub started: u64,
    /// Resident memory in pages.
    pub resident_pages: u64,
}

/// Reads `/proc/PID/stat`. A name may hold anything, blanks and parentheses too.
pub fn process(stat: &[u8]) -> Option<ProcessStat<'_>> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let name = stat.get(open + 1..close)?;
    // The field behind the name is the third.
    let mut fields = fields(&stat[close + 1..]);
    let user = number(fields.nth(14 - 3)?)?;
    let system = number(fields.next()?)?;
    let started = number(fields.nth(22 - 16)?)?;
    let resident_pages = number(fields.nth(24 - 23)?)?;
    Some(ProcessStat {
        name,
        ticks: user.checked_add(system)?,
        started,
        resident_pages,
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

/// What stands between blanks.
fn fields(line: &[u8]) -> Fields<'_> {
    Fields(line)
}

struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
        let start = self.0.iter().position(|byte| !is_blank(byte))?;
        let rest = &self.0[start..];
        let end = rest.iter().position(is_blank).unwrap_or(rest.len());
        self.0 = &rest[end..];
        Some(&rest[..end])
    }
}

/// A number of digits alone that fits.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    field.iter().try_fold(0u64, |number, byte| {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        let next = number.checked_mul(10)?.checked_add(digit);
        next.filter(|_| digit < 10)
    })
}

/// A number of hexadecimal digits alone that fits.
pub(super) fn hex(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let is_bare = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_bare
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &[u8] = b"cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 55 66\n\
        cpu0 1393280 32966 572056 13343292 6130 0 17875 23933 0 0\n\
        cpu3 1335685 31922 540156 11151253 4130 0 2120 20933\n\
        intr 1462898 0 0\nctxt 115315\nbtime 769041601\n";

    #[test]
    fn time_of_cores_stands_under_their_numbers() {
        let mut cores = vec![(9, CpuTimes::default())];
        let whole = cpu_times(STAT, &mut cores).expect("a line cpu");
        let want = CpuTimes {
            user: 10_132_153,
            nice: 290_696,
            system: 3_084_719,
            idle: 46_828_483,
            iowait: 16_683,
            irq: 0,
            softirq: 25_195,
            steal: 175_628,
        };
        assert_eq!(whole, want);
        let numbers: Vec<u32> = cores.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 3], "cores 1 and 2 are offline");
        assert_eq!(cores[1].1.steal, 20_933);
        for bad in [&b""[..], b"cpu", b"cpu 1 2 3", b"cpux 1 2 3 4\nintr"] {
            assert_eq!(cpu_times(bad, &mut cores), None, "{bad:?}");
            assert!(cores.is_empty());
        }
        assert_eq!(booted(STAT), Some(Wall(769_041_601_000)));
        assert_eq!(booted(b"btime x\n"), None);
        assert_eq!(booted(b"btime 9999999999999999999\n"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let text = b"MemTotal:        3884376 kB\nMemFree:          191516 kB\nMemAvailable:    2899280 kB\nBuffers:          186196 kB\n\
            Cached:          2430356 kB\nSwapCached:         4 kB\nSwapTotal:        102396 kB\nSwapFree:         101884 kB\n";
        let read = memory(text).expect("readable");
        assert_eq!(read.total_bytes, 3_884_376 * 1024);
        assert_eq!(read.available_bytes, 2_899_280 * 1024);
        assert_eq!(read.cached_bytes, 2_430_356 * 1024);
        assert_eq!(read.swap_total_bytes, 102_396 * 1024);
        assert_eq!(read.swap_free_bytes, 101_884 * 1024);
        assert_eq!(read.used_bytes(), (3_884_376 - 2_899_280) * 1024);
        let old = memory(b"MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 20 kB\n");
        assert_eq!(old.map(|memory| memory.available_bytes), Some(35 * 1024));
        for bad in [
            &b""[..],
            b"MemFree: 5 kB\n",
            b"MemTotal: 0 kB\n",
            b"MemTotal: x\n",
        ] {
            assert_eq!(memory(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn averages_and_uptime_have_two_digits() {
        assert_eq!(
            load(b"0.07 12.50 3.01 1/123 4567\n"),
            Some([0.07, 12.5, 3.01])
        );
        for text in (0..2_000).map(|load| format!("{}.{:02}", load / 100, load % 100)) {
            let nearest = text.parse().expect("a number");
            let read = load(format!("{text} {text} {text} 1/1 1\n").as_bytes());
            assert_eq!(read, Some([nearest; 3]), "{text}");
        }
        assert_eq!(load(b"0.07 12.50\n"), None);
        assert_eq!(load(b"0.7 12.50 1.00 \n"), None);
        assert_eq!(
            uptime(b"350735.47 234388.90\n"),
            Some(Duration::from_millis(350_735_470))
        );
        assert_eq!(uptime(b"350735\n"), None);
        assert_eq!(uptime(b".47"), None);
    }

    #[test]
    fn interfaces_are_told_by_the_last_colon() {
        let text =
            b"Inter-|   Receive                                                |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    \
            lo: 2776770   11307    0    0    0     0          0         0  2776770   11307    0    0    0     0       0          0\n  \
            eth0:18446744073709551615 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\nwlan0.5: 1 2 3\n: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
        let read: Vec<_> = interfaces(text).collect();
        let names: Vec<&str> = read.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["lo", "eth0"]);
        let want = Traffic {
            rx_bytes: u64::MAX,
            rx_packets: 1,
            rx_errors: 2,
            tx_bytes: 8,
            tx_packets: 9,
            tx_errors: 10,
        };
        assert_eq!(read[1].1, want);
    }

    #[test]
    fn only_routes_to_everywhere_that_work_are_the_way_out() {
        let head =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let rest = "\t0\t0\t100\t00000000\t0\t0\t0\n";
        let v4 = [
            (
                format!("eth0\t00000000\t0101A8C0\t0003{rest}"),
                Some("eth0"),
            ),
            (format!("*\t00000000\t00000000\t0200{rest}"), None),
            (format!("eth0\t00000000\t0101A8C0\t0002{rest}"), None),
            (
                "tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n".to_owned(),
                None,
            ),
            (
                "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n".to_owned(),
                None,
            ),
            ("eth0\t00000000\n".to_owned(), None),
        ];
        for (line, want) in v4 {
            let text = format!("{head}{line}");
            let found = default_routes(text.as_bytes()).next();
            assert_eq!(found, want, "{line}");
        }
        let (zero, more) = ("0".repeat(32), "00000400 00000003 00000000");
        let v6 = [
            (
                format!(
                    "{zero} 00 {zero} 00 fe80000000000000021122fffe334455 {more} 00450003     wlan0"
                ),
                Some("wlan0"),
            ),
            (
                format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo"),
                None,
            ),
            (
                format!(
                    "fd{} 40 {zero} 00 {zero} {more} 00000001     eth0",
                    "0".repeat(30)
                ),
                None,
            ),
            (
                format!("{zero} 03 {zero} 00 {zero} {more} 00000001     eth0"),
                None,
            ),
        ];
        for (line, want) in v6 {
            assert_eq!(default_routes_v6(line.as_bytes()).next(), want, "{line}");
        }
    }

    #[test]
    fn names_of_processes_may_hold_anything() {
        let rest = "S 1 2 3 0 -1 4194560 5 6 7 8 100 23 0 0 20 0 1 0 4711 10000 642 18446744073709551615 1 1";
        for name in ["init", "a b", ") S 1 (", "(sd-pam)", "\u{1b}[31m", ""] {
            let text = format!("42 ({name}) {rest}");
            let stat = process(text.as_bytes()).expect(name);
            assert_eq!(stat.name, name.as_bytes());
            assert_eq!(
                (stat.ticks, stat.started, stat.resident_pages),
                (123, 4711, 642)
            );
        }
        for bad in ["", "42", "42 (x", "42 )x(", "42 (x) S 1 2"] {
            assert_eq!(process(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
