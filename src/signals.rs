//! SIGTERM, SIGINT and SIGHUP become calls on threads of their own. Who asks a second time to end, a second after the
//! first, is obeyed at once; what comes sooner is the same wish (`timeout` and some supervisors send it to the process
//! and to its group).

use rackwarden_io::environment::reason;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, Builder};
use std::time::Duration;

/// From the first wish to end to the one that is obeyed at once.
const GRACE: Duration = Duration::from_secs(1);
/// A reload reads and checks a configuration.
const STACK_BYTES: usize = 256 << 10;

/// Calls `end` at SIGTERM and SIGINT and `reload` at SIGHUP from now on.
///
/// # Errors
/// When the handlers cannot be installed or the thread cannot be started.
pub(crate) fn spawn(
    end: impl Fn() + Send + 'static,
    reload: impl FnMut() + Send + 'static,
) -> io::Result<()> {
    let is_ending = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, 1, is_ending.clone())?;
    }
    let reload = Arc::new(Mutex::new(reload));
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let watch = move || {
        for signal in signals.forever() {
            if signal == SIGHUP {
                start(&reload);
                continue;
            }
            end();
            thread::sleep(GRACE);
            is_ending.store(true, Ordering::Relaxed);
        }
    };
    let builder = Builder::new().name("signals".into());
    builder.stack_size(STACK_BYTES).spawn(watch).map(drop)
}

/// A reload may hang on what it reads, and an end does not wait for it.
fn start(reload: &Arc<Mutex<impl FnMut() + Send + 'static>>) {
    let reload = Arc::clone(reload);
    let act = move || {
        if let Ok(mut reload) = reload.lock() {
            reload();
        }
    };
    let builder = Builder::new().name("reload".into());
    if let Err(err) = builder.stack_size(STACK_BYTES).spawn(act) {
        log::error!("the configuration was not reloaded: {}", reason(&err));
    }
}
