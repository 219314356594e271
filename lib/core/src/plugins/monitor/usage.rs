//! Two looks to shares and rates. A counter that goes backwards gives no value.

use crate::host::{CpuTimes, HostSample, HostView, Network, Rates};
use crate::time::Now;
use std::time::Duration;

/// Whether so much time lies between two looks that they say nothing about each other: the machine slept, or looks failed.
pub(super) fn is_gap(before: &HostSample, after: &HostSample, interval: Duration) -> bool {
    let patience = (interval * 3).max(Duration::from_secs(30));
    match (before.taken, after.taken) {
        (Some(before), Some(after)) => after.since(before) > patience,
        _ => false,
    }
}

/// Fills a view with a look and what follows from the view before. The memory of the view is used again.
pub(super) fn fill(view: &mut HostView, last: &HostView, after: HostSample, now: Now) {
    let before = &last.sample;
    let is_first = before.taken.is_none();
    let elapsed = match (before.taken, after.taken) {
        (Some(before), Some(after)) => after.since(before),
        _ => Duration::ZERO,
    };
    view.at = Some(now.wall_of(after.taken.unwrap_or(now.mono)));
    view.cpu_percent = match (&before.cpu, &after.cpu) {
        (Some(before), Some(after)) if !is_first => busy_percent(before, after),
        _ => None,
    };
    view.cores_percent.clear();
    view.counted.clear();
    for (index, (core, times)) in after.cores.iter().enumerate() {
        let is_same = |(number, _): &(u32, CpuTimes)| number == core;
        let at = match before.cores.get(index) {
            Some(own) if is_same(own) => Some(index),
            _ => before.cores.iter().position(is_same),
        };
        let known = at.and_then(|at| before.cores.get(at));
        let percent = known.and_then(|(_, before)| busy_percent(before, times));
        view.cores_percent.push(percent);
        let told = at.and_then(|at| last.counted.get(at));
        let counted = told.map_or(*times, |told| counted(told, times));
        view.counted.push(counted);
    }
    view.rates.clear();
    for (index, network) in after.networks.iter().enumerate() {
        let same = |known: &&Network| known.name == network.name;
        let aligned = before.networks.get(index).filter(same);
        let known = aligned.or_else(|| before.networks.iter().find(same));
        let rates = known.map(|known| Rates {
            rx: rate(known.rx_bytes, network.rx_bytes, elapsed),
            tx: rate(known.tx_bytes, network.tx_bytes, elapsed),
        });
        view.rates.push(rates.unwrap_or_default());
    }
    view.sample = after;
}

/// What falls by more ticks than this begins anew: the core was away, or the machine is another one.
const ANEW: u64 = 300;

/// The times as counters. The kernel estimates how long a core idles and what it waits for, and takes back some of it;
/// who computes rates would take that for a start from 0.
fn counted(told: &CpuTimes, after: &CpuTimes) -> CpuTimes {
    let fell = |of: fn(&CpuTimes) -> u64| of(told).saturating_sub(of(after)) > ANEW;
    if fell(|times| times.idle) || fell(|times| times.user) || fell(|times| times.system) {
        return *after;
    }
    CpuTimes {
        user: told.user.max(after.user),
        nice: told.nice.max(after.nice),
        system: told.system.max(after.system),
        idle: told.idle.max(after.idle),
        iowait: told.iowait.max(after.iowait),
        irq: told.irq.max(after.irq),
        softirq: told.softirq.max(after.softirq),
        steal: told.steal.max(after.steal),
    }
}

/// How busy a processor was between two looks, 0 to 100.
fn busy_percent(before: &CpuTimes, after: &CpuTimes) -> Option<f64> {
    let busy = |times: &CpuTimes| {
        let user = times.user.saturating_add(times.nice);
        let kernel = times.system.saturating_add(times.irq);
        let other = times.softirq.saturating_add(times.steal);
        user.saturating_add(kernel).saturating_add(other)
    };
    let busy = busy(after).checked_sub(busy(before))?;
    // proc_stat(5): iowait may go backwards. What it loses is counted as idle, and the other way round.
    let idle = |times: &CpuTimes| times.idle.saturating_add(times.iowait);
    let idle = idle(after).checked_sub(idle(before))?;
    let whole = busy.checked_add(idle)?;
    (whole > 0).then(|| busy as f64 * 100.0 / whole as f64)
}

fn rate(before: u64, after: u64, elapsed: Duration) -> Option<f64> {
    let bytes = after.checked_sub(before)?;
    (!elapsed.is_zero()).then(|| bytes as f64 / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Mono;

    fn times(user: u64, idle: u64, iowait: u64) -> CpuTimes {
        CpuTimes {
            user,
            idle,
            iowait,
            ..CpuTimes::default()
        }
    }

    #[test]
    fn a_counter_that_goes_backwards_gives_no_value() {
        for (before, after, want) in [
            (times(100, 100, 0), times(150, 150, 0), Some(50.0)),
            (times(100, 100, 0), times(200, 100, 0), Some(100.0)),
            (times(100, 100, 0), times(100, 100, 0), None),
            (times(100, 100, 0), times(50, 200, 0), None),
            (times(100, 100, 0), times(150, 50, 0), None),
            // Waiting is idling, and may be counted back a little.
            (times(100, 100, 9), times(125, 150, 34), Some(25.0)),
            (times(100, 100, 9), times(125, 179, 5), Some(25.0)),
            (times(100, 100, 9), times(125, 90, 94), Some(25.0)),
            (times(u64::MAX, 0, 0), times(0, 0, 0), None),
        ] {
            assert_eq!(busy_percent(&before, &after), want, "{before:?} {after:?}");
        }
        assert_eq!(rate(5, 4, Duration::from_secs(2)), None);
        assert_eq!(rate(4, 5, Duration::ZERO), None);
        assert_eq!(rate(4, 8, Duration::from_secs(2)), Some(2.0));
    }

    #[test]
    fn cores_and_interfaces_that_come_and_go_are_told_by_name() {
        let sample = |at: u64, cores: &[(u32, u64)], networks: &[(&str, u64)]| HostSample {
            taken: Some(Mono::new(Duration::from_secs(at))),
            cores: cores
                .iter()
                .map(|(core, user)| (*core, times(*user, at * 100 - user, 0)))
                .collect(),
            networks: networks
                .iter()
                .map(|(name, rx_bytes)| Network {
                    name: (*name).into(),
                    rx_bytes: *rx_bytes,
                    ..Network::default()
                })
                .collect(),
            ..HostSample::default()
        };
        let before = sample(
            10,
            &[(0, 0), (1, 0), (3, 0)],
            &[("eth0", 100), ("usb0", 50)],
        );
        let after = sample(
            12,
            &[(0, 50), (3, 100), (7, 10)],
            &[("usb0", 70), ("wg0", 1)],
        );
        let last = HostView {
            sample: before,
            ..HostView::default()
        };
        let mut view = HostView::default();
        fill(&mut view, &last, after, Now::default());
        assert_eq!(view.cores_percent, [Some(25.0), Some(50.0), None]);
        let rx: Vec<Option<f64>> = view.rates.iter().map(|rates| rates.rx).collect();
        assert_eq!(rx, [Some(10.0), None]);
    }

    #[test]
    fn counters_never_fall_a_little() {
        let mut views = [HostView::default(), HostView::default()];
        for (look, (now, want)) in [
            (times(1000, 5000, 900), times(1000, 5000, 900)),
            (times(1001, 5010, 890), times(1001, 5010, 900)),
            (times(1002, 4990, 915), times(1002, 5010, 915)),
            // So far back only a core that was offline.
            (times(1003, 4000, 915), times(1003, 4000, 915)),
            (times(1004, 4020, 10), times(1004, 4020, 915)),
            // A container that started anew.
            (times(3, 4021, 0), times(3, 4021, 0)),
        ]
        .into_iter()
        .enumerate()
        {
            let sample = HostSample {
                taken: Some(Mono::new(Duration::from_secs(look as u64))),
                cores: vec![(4, now)],
                ..HostSample::default()
            };
            let [last, next] = &mut views;
            fill(next, last, sample, Now::default());
            assert_eq!(next.counted, [want], "look {look}");
            assert_eq!(next.sample.cores, [(4, now)], "what was found stays");
            views.reverse();
        }
    }
}
