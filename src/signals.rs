//! SIGTERM, SIGINT and SIGHUP become calls on a thread of their own. A second SIGTERM or SIGINT ends the process at once,
//! whatever that thread is doing.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::Builder;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

/// Calls `act` for each signal from now on.
///
/// # Errors
/// When the handlers cannot be installed or the thread cannot be started.
pub(crate) fn spawn(mut act: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let is_ending = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The order matters: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, 1, is_ending.clone())?;
        flag::register(signal, is_ending.clone())?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    Builder::new()
        .name("signals".into())
        .stack_size(256 << 10)
        .spawn(move || {
            for signal in signals.forever() {
                act(match signal {
                    SIGHUP => Signal::Reload,
                    _ => Signal::End,
                });
            }
        })?;
    Ok(())
}
