//! The one function that decides who may do what.

/// The rights in force: the configuration's, and those granted in chat.
#[derive(Debug, Default)]
pub struct Access {}
