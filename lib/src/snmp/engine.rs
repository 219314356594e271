//! Matches answers to questions: sans-IO, one engine for every device.
