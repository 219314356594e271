//! `status`: what the running agent sees, as text or as JSON.

use crate::args::StatusOptions;
use crate::failure::{Outcome, print};
use crate::local;
use serde_json::{Value, json};

/// Runs the subcommand. `--json` prints one object with `status`, `alerts` and a member for each capability, each as the
/// HTTP interface has it.
pub(crate) fn run(options: &StatusOptions) -> Outcome {
    local::converse(
        options.config.as_deref(),
        &json!({"status": true}),
        |answer| match options.json {
            true => {
                let mut parts = answer.as_object().cloned().unwrap_or_default();
                parts.retain(|key, _| !matches!(key.as_str(), "text" | "last"));
                print(&format!("{:#}\n", Value::Object(parts)))
            }
            false => print(answer["text"].as_str().unwrap_or_default()),
        },
    )
}
