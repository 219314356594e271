//! A simulated world for tests and examples.
