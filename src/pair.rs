//! `pair`: asks the running agent for the code that makes its sender owner.

use crate::failure::{Failure, Outcome, print};
use crate::local;
use serde_json::json;
use std::path::Path;

/// Runs the subcommand.
pub(crate) fn run(config: Option<&Path>) -> Outcome {
    local::converse(config, &json!({"ask": "/pair"}), |answer| {
        let text = answer["text"].as_str().unwrap_or_default();
        if text.starts_with(|ch: char| ch.is_ascii_digit()) {
            print(&format!("{text}\n"))
        } else {
            Err(Failure::operation(format!("pair: {text}")))
        }
    })
}
