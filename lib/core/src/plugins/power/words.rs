//! What the page says of figures.

use super::page::whole_watts;
use super::view::{PduView, SumView};
use crate::time::{About, Human};
use std::time::Duration;

pub(super) fn headroom_words(headroom: Option<f64>, limit: f64) -> String {
    let limit = whole_watts(limit);
    match headroom {
        Some(left) if left < 0.0 => format!("{}\u{a0}W above {limit}\u{a0}W", whole_watts(-left)),
        Some(left) => format!("{}\u{a0}W left of {limit}\u{a0}W", whole_watts(left)),
        None => format!("limit {limit}\u{a0}W"),
    }
}

pub(super) fn limit_in_words(seconds: f32) -> String {
    let about = About(Duration::from_secs_f32(seconds));
    format!("limit in about {about} at this trend")
}

/// What is left to a breaker, when it is nearer than the limit.
pub(super) fn breaker_words(pdu: &PduView, limit_w: Option<f64>) -> String {
    match (pdu.power_w, pdu.live_rated()) {
        (Some(power_w), Some(rated)) if rated.is_nearer_than(power_w, limit_w) => {
            format!(" · {rated}")
        }
        _ => String::new(),
    }
}

pub(super) fn members_words(sum: &SumView, members: usize) -> String {
    let plural = if members == 1 { "" } else { "s" };
    match sum.missing.len() {
        0 => format!("{members} PDU{plural}"),
        missing => format!(
            "{} of {members} PDU{plural}",
            members.saturating_sub(missing)
        ),
    }
}

pub(super) fn age_words(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.1} s")
    } else {
        Human(Duration::from_secs_f64(seconds.min(1e12))).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::{Rated, RatedPart};
    use crate::plugins::power::PduState;

    #[test]
    fn a_breaker_is_told_when_it_is_nearer_than_the_limit() {
        let mut pdu = PduView {
            state: PduState::Ok,
            power_w: Some(2900.0),
            nearest_rated: Some(Rated {
                part: RatedPart::Phase(2),
                rating_a: 16.0,
                current_a: 12.9,
            }),
            ..PduView::default()
        };
        let told = " · breaker 16 A: 3.1 A left on phase 2";
        assert_eq!(breaker_words(&pdu, Some(6000.0)), told);
        assert_eq!(breaker_words(&pdu, None), told);
        assert_eq!(breaker_words(&pdu, Some(3000.0)), "");
        pdu.state = PduState::Unreachable;
        assert_eq!(breaker_words(&pdu, None), "");
    }
}
