//! What the page says of figures.

use super::whole_watts;
use crate::snapshot::SumView;
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
