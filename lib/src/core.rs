//! The core: one step for each event.
