//! How a subcommand ends: one line on standard error and an exit code, never a panic.

use rackwarden_io::environment::reason;
use std::fmt;
use std::io::Write;

/// The end of a subcommand that did not succeed. Prints as `<what>: <why>; <what to do>`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// 1: the operation failed. 2: usage or configuration error.
    pub(crate) code: u8,
    /// Without the program's name.
    pub(crate) message: String,
}

/// What every subcommand returns.
pub(crate) type Outcome = Result<(), Failure>;

impl Failure {
    /// The operation failed (a device did not answer, no agent runs): exit code 1.
    pub(crate) fn operation(message: impl Into<String>) -> Failure {
        Failure {
            code: 1,
            message: message.into(),
        }
    }

    /// The command line or the configuration is wrong: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure {
            code: 2,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rackwarden: ")?;
        for ch in self.message.chars() {
            match ch {
                '\n' => f.write_str(" ⏎ ")?,
                ch if ch.is_control() => {}
                ch => write!(f, "{ch}")?,
            }
        }
        Ok(())
    }
}

/// Writes one line to standard error. Nobody is told when that cannot be done.
pub(crate) fn report(line: &dyn fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes to standard output. A reader that went away (`rackwarden profiles | head -1`) is no failure.
pub(crate) fn print(text: &str) -> Outcome {
    print_bytes(text.as_bytes())
}

/// The same with what may be no text.
pub(crate) fn print_bytes(bytes: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::operation(format!(
                "standard output: {}; free some space or write elsewhere",
                reason(&err)
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_without_control_characters() {
        let failure = Failure::operation("alpha: a\u{1b}[31m\nb; wait");
        assert_eq!(failure.to_string(), "rackwarden: alpha: a[31m ⏎ b; wait");
    }
}
