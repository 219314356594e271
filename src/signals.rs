//! SIGTERM, SIGINT and SIGHUP become calls on a thread of their own. A second SIGTERM or SIGINT ends the process at once.

use crate::failure::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{Builder, JoinHandle};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// The thread that waits for signals; ends when dropped.
pub(crate) struct Watch {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// Starts to watch. To be called before any other thread starts.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn watch(on: impl Fn(Signal) + Send + 'static) -> Result<Watch, Failure> {
    let failed = |err: std::io::Error| {
        Failure::operation(format!("signals: {err}; is the system out of resources?"))
    };
    let is_stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // The order matters: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, 128 + signal, is_stopping.clone())
            .map_err(failed)?;
        flag::register(signal, is_stopping.clone()).map_err(failed)?;
    }
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let handle = signals.handle();
    let thread = Builder::new()
        .name("signals".into())
        .stack_size(64 << 10)
        .spawn(move || {
            for signal in signals.forever() {
                on(match signal {
                    SIGHUP => Signal::Reload,
                    _ => Signal::Stop,
                });
            }
        })
        .map_err(failed)?;
    Ok(Watch {
        handle,
        thread: Some(thread),
    })
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A callback that panicked has said so already.
            let _ = thread.join();
        }
    }
}
