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

/// Fills a view with a look and what follows from the one before. The memory of the view is used again.
pub(super) fn fill(view: &mut HostView, before: &HostSample, after: HostSample, now: Now) {
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
    for (index, (core, times)) in after.cores.iter().enumerate() {
        let same = |(number, _): &&(u32, CpuTimes)| number == core;
        let aligned = before.cores.get(index).filter(same);
        let known = aligned.or_else(|| before.cores.iter().find(same));
        let percent = known.and_then(|(_, before)| busy_percent(before, times));
        view.cores_percent.push(percent);
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

/// How busy a processor was between two looks, 0 to 100.
fn busy_percent(before: &CpuTimes, after: &CpuTimes) -> Option<f64> {
    let busy = |times: &CpuTimes| {
        let user = times.user.saturating_add(times.nice);
        let kernel = times.system.saturating_add(times.irq);
        let other = times.softirq.saturating_add(times.steal);
        user.saturating_add(kernel).saturating_add(other)
    };
    let busy = busy(after).checked_sub(busy(before))?;
    let idle = after.idle.checked_sub(before.idle)?;
    // proc_stat(5): iowait may go backwards by itself.
    let iowait = after.iowait.saturating_sub(before.iowait);
    let whole = busy.checked_add(idle)?.checked_add(iowait)?;
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
            (times(100, 100, 9), times(125, 175, 5), Some(25.0)),
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
        let mut view = HostView::default();
        fill(&mut view, &before, after, Now::default());
        assert_eq!(view.cores_percent, [Some(25.0), Some(50.0), None]);
        let rx: Vec<Option<f64>> = view.rates.iter().map(|rates| rates.rx).collect();
        assert_eq!(rx, [Some(10.0), None]);
    }
}
