//! `test-alert`: lets the running agent send a test of an alert, and waits for what each transport says.

use crate::failure::{Failure, Outcome, print};
use crate::local;
use serde_json::json;
use std::path::PathBuf;

/// `test-alert`
#[derive(Debug, Default, PartialEq)]
pub(crate) struct TestAlertOptions {
    /// `--config`, which may name the state directory that holds the socket.
    config: Option<PathBuf>,
    /// The rule, such as `power.limit:alpha`.
    name: String,
    /// The made-up value, without white space.
    value: String,
}

impl TestAlertOptions {
    /// `None` when the name or the value is missing.
    pub(crate) fn new(
        config: Option<PathBuf>,
        name: &[String],
        value: &str,
    ) -> Option<TestAlertOptions> {
        let name = name.join(" ");
        let value: String = value.split_whitespace().collect();
        (!name.trim().is_empty() && !value.is_empty()).then_some(TestAlertOptions {
            config,
            name,
            value,
        })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_spaces_and_a_value_a_unit() {
        let words = ["power.limit:Team", "Alpha", "(team)"].map(str::to_owned);
        let options = TestAlertOptions::new(None, &words, "3.5 kW").expect("complete");
        assert_eq!(options.name, "power.limit:Team Alpha (team)");
        assert_eq!(options.value, "3.5kW");
        assert_eq!(TestAlertOptions::new(None, &words, " "), None);
        assert_eq!(TestAlertOptions::new(None, &[], "3500"), None);
    }
}
