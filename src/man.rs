//! The manual page in roff, made from the table of subcommands.

use crate::subcommands::SUBS;
use std::fmt::Write;

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = String::from(".TH RACKWARDEN 1 \"\" \"rackwarden ");
    page += env!("CARGO_PKG_VERSION");
    page += "\" \"User Commands\"
.SH NAME
rackwarden \\- watch the power of rack PDUs and answer in chat
.SH SYNOPSIS
.B rackwarden
[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]
.SH DESCRIPTION
Polls PDUs over SNMP, tells people in chat when a limit is crossed or a device is gone, answers their questions, and shows
readings on a status page. Without a command it runs the agent.
.SH COMMANDS
";
    for sub in SUBS {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            ".SS {} {}\n{}",
            escape(sub.name),
            escape(sub.usage),
            escape(sub.about)
        );
        for option in sub.options {
            let _ = writeln!(
                page,
                ".TP\n.B \\-\\-{} \\fI{}\\fR\n{}",
                escape(option.name),
                escape(option.value),
                escape(option.help)
            );
        }
        for example in sub.examples {
            let _ = writeln!(page, ".PP\n.EX\n{}\n.EE", escape(example));
        }
    }
    page += ".SH FILES
.TP
.I /etc/rackwarden/rackwarden.toml
The configuration; else \\fIrackwarden/rackwarden.toml\\fR in $XDG_CONFIG_HOME or ~/.config.
.TP
.I /var/lib/rackwarden
State, where systemd gives $STATE_DIRECTORY; else \\fIrackwarden\\fR in $XDG_STATE_HOME or ~/.local/state.
.SH ENVIRONMENT
.TP
.B RACKWARDEN_CONFIG
The configuration file.
.TP
.B RACKWARDEN_TELEGRAM_TOKEN
The bot token, when the configuration names none.
.TP
.B RUST_LOG
Log levels, before those of the configuration: \\fIdebug\\fR, or \\fIinfo,rackwarden_core::plugins=debug\\fR.
.SH SIGNALS
SIGTERM and SIGINT end the agent, a second one at once. SIGHUP reads the configuration again.
.SH EXIT STATUS
0 success, 1 the operation failed, 2 usage or configuration error.
";
    page
}

/// Text for roff: a backslash, a dash, and a dot or quote at the beginning of a line mean something to it.
fn escape(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    match escaped.chars().next() {
        Some('.' | '\'') => format!("\\&{escaped}"),
        _ => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_subcommand_and_no_line_that_roff_takes_for_a_request() {
        let page = page();
        for sub in SUBS {
            assert!(page.contains(&format!(".SS {}", escape(sub.name))));
        }
        const REQUESTS: [&str; 8] = [".TH", ".SH", ".SS", ".TP", ".PP", ".EX", ".EE", ".B"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            let request = line.split(' ').next().unwrap_or("");
            assert!(REQUESTS.contains(&request) || request == ".I", "{line}");
        }
    }
}
