//! `ask`: one chat command against the running agent.
//!
//! The text of the reply goes to standard output. When the reply brings a file and standard output is not a
//! terminal, the file alone goes there, so that `rackwarden ask "/exceedings csv" > excesses.csv` does what it
//! looks like, and the text goes to standard error.

use crate::args::AskOptions;
use crate::failure::{Failure, Outcome, print, print_bytes, report};
use crate::local;
use serde_json::{Value, json};
use std::io::IsTerminal;

/// Runs the subcommand.
pub(crate) fn run(options: &AskOptions) -> Outcome {
    let is_terminal = std::io::stdout().is_terminal();
    local::converse(
        options.config.as_deref(),
        &json!({"ask": options.line}),
        |answer| {
            let text = answer["text"].as_str().unwrap_or_default();
            match &answer["document"] {
                Value::Null => say(text),
                document => {
                    let bytes = document["hex"].as_str().and_then(unhex).ok_or_else(|| {
                        Failure::operation("the agent: sent a broken file; use the same version")
                    })?;
                    if is_terminal {
                        say(text)?;
                        show(document, &bytes)
                    } else {
                        if !text.is_empty() {
                            report(&text);
                        }
                        print_bytes(&bytes)
                    }
                }
            }
        },
    )
}

fn say(text: &str) -> Outcome {
    if text.is_empty() {
        return Ok(());
    }
    print(&format!("{}\n", text.trim_end()))
}

/// On a terminal a text file is shown; another one is only announced.
fn show(document: &Value, bytes: &[u8]) -> Outcome {
    let is_text = document["mime"]
        .as_str()
        .is_some_and(|mime| mime.starts_with("text/"));
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text => print(text),
        _ => print(&format!(
            "{} ({} bytes): redirect the output into a file to keep it\n",
            document["name"].as_str().unwrap_or("file"),
            bytes.len()
        )),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .map(|ch| ch.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_decoded_or_refused() {
        assert_eq!(unhex("00ff41"), Some(vec![0, 255, 65]));
        assert_eq!(unhex(""), Some(Vec::new()));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("0g"), None);
    }
}
