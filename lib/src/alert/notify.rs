//! Who is told what, and when.

/// Decides which messages leave.
#[derive(Debug, Default)]
pub struct Notifier {}
