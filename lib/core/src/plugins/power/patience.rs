//! How long a device is waited for before it is asked again: from its own answers, as TCP does it (RFC 6298).

use std::time::Duration;

/// Smoothed round-trip time of a device and its variation, in milliseconds. Nothing until the first answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    smoothed_ms: f32,
    variation_ms: f32,
}

impl Patience {
    /// Takes the time that an answer took.
    pub(super) fn take(&mut self, round_trip: Duration) {
        let now = round_trip.as_secs_f32() * 1000.0;
        if self.variation_ms == 0.0 {
            (self.smoothed_ms, self.variation_ms) = (now, now.max(1.0) / 2.0);
            return;
        }
        let off = (self.smoothed_ms - now).abs();
        self.variation_ms = (self.variation_ms * 0.75 + off * 0.25).max(0.01);
        self.smoothed_ms = self.smoothed_ms * 0.875 + now * 0.125;
    }

    /// The wait before the first repetition. One that answers slowly is not asked in vain, and after a quick one's
    /// lost datagram half of `configured` is enough; a device that has not answered yet gets all of it.
    pub(super) fn timeout(&self, configured: Duration) -> Duration {
        if self.variation_ms == 0.0 {
            return configured;
        }
        // A steady device leaves no variation, and still may be a little later next time.
        let margin = (4.0 * self.variation_ms).max(self.smoothed_ms / 4.0);
        let own = (self.smoothed_ms + margin).min(60_000.0);
        Duration::from_millis(own as u64).max(configured / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURED: Duration = Duration::from_millis(500);

    fn after(answers_ms: &[u64]) -> Duration {
        let mut patience = Patience::default();
        for ms in answers_ms {
            patience.take(Duration::from_millis(*ms));
        }
        patience.timeout(CONFIGURED)
    }

    #[test]
    fn it_follows_the_device_between_half_of_what_is_configured_and_what_it_takes() {
        assert_eq!(after(&[]), CONFIGURED);
        assert_eq!(after(&[0, 0, 0]), CONFIGURED / 2);
        assert_eq!(after(&[5; 20]), CONFIGURED / 2);
        assert!(after(&[1200]) > Duration::from_millis(1200));
        let steady = after(&[1200; 40]);
        assert!((1450..1550).contains(&steady.as_millis()), "{steady:?}");
        let hiccup = after(&[20, 20, 20, 20, 20, 20, 20, 900]);
        assert!(hiccup > Duration::from_millis(900), "{hiccup:?}");
    }
}
