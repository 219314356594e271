//! The texts of `--help` and `help COMMAND`, made from the table of subcommands.

use crate::subcommands::{SUBS, Sub};
use std::fmt::Write;

/// The whole help, or that of one subcommand.
pub(crate) fn text(sub: Option<&Sub>) -> String {
    match sub {
        None => all(),
        Some(sub) => one(sub),
    }
}

fn all() -> String {
    let mut text = String::from(
        "rackwarden watches the power of rack PDUs and answers in chat.

Examples:
  rackwarden demo                            try it, nothing to configure
  rackwarden probe 192.168.1.101             what is this, and what does it read
  rackwarden check --config rackwarden.toml  is my configuration right
  rackwarden --config rackwarden.toml        run the agent
  rackwarden ask \"/current\"                  ask the running agent

Usage: rackwarden [COMMAND] [OPTIONS]

Commands:
",
    );
    for sub in SUBS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<12} {}", sub.name, sub.help);
    }
    text.push_str(
        "
Options:
  -c, --config FILE  the configuration (also $RACKWARDEN_CONFIG)
  -h, --help         this help, or that of the command before it
  -V, --version      the version

Exit codes: 0 success, 1 the operation failed, 2 usage or configuration error.
",
    );
    text
}

fn one(sub: &Sub) -> String {
    let mut text = format!(
        "rackwarden {}: {}\n\n{}\n\nExamples:\n",
        sub.name,
        sub.help,
        wrap(sub.about, 78)
    );
    for example in sub.examples {
        let _ = writeln!(text, "  {example}");
    }
    let options = if sub.options.is_empty() {
        ""
    } else {
        " [OPTIONS]"
    };
    let usage = [sub.name, sub.usage].join(" ");
    let _ = writeln!(text, "\nUsage: rackwarden {}{options}", usage.trim_end());
    if !sub.options.is_empty() {
        text.push_str("\nOptions:\n");
    }
    for option in sub.options {
        let flag = format!("--{} {}", option.name, option.value);
        let _ = writeln!(text, "  {:<28} {}", flag.trim_end(), option.help);
    }
    text
}

/// Breaks a paragraph at white space so that no line is longer than `width` unless one word is.
fn wrap(paragraph: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_on_a_screen_and_opens_with_examples() {
        let help = all();
        assert!(help.lines().count() < 40, "{}", help.lines().count());
        assert!(help.lines().all(|line| line.chars().count() <= 80));
        assert!(help.find("Examples:") < help.find("Commands:"));
    }

    #[test]
    fn every_subcommand_has_help_with_an_example() {
        for sub in SUBS {
            let help = one(sub);
            assert!(help.contains("Examples:\n  "), "{help}");
            assert!(help.lines().count() < 40);
        }
    }
}
