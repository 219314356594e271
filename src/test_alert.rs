//! `test-alert`: lets the running agent send a test of an alert, and waits for what each transport says.

use crate::args::TestAlertOptions;
use crate::failure::{Failure, Outcome, print};
use crate::local;
use serde_json::json;

/// Runs the subcommand.
pub(crate) fn run(options: &TestAlertOptions) -> Outcome {
    let line = format!("/test-alert {} {}", options.value, options.name);
    local::converse(options.config.as_deref(), &json!({"ask": line}), |answer| {
        let text = answer["text"].as_str().unwrap_or_default();
        if let Some(why) = text.strip_prefix("not sent: ") {
            return Err(Failure::operation(format!("test-alert: {why}")));
        }
        print(&format!("{text}\n"))?;
        match text.starts_with("not accepted") {
            true => Err(Failure::operation(
                "test-alert: not everybody was reached; see the reasons above, and /health",
            )),
            false => Ok(()),
        }
    })
}
