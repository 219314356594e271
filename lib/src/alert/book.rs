//! The book of alerts: state, numbers, mutes and acknowledgements.

/// Every alert that is not `ok`, and every mute.
#[derive(Debug, Default)]
pub struct AlertBook {}
