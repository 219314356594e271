//! Host names of HTTP calls. A look-up that hangs holds one of two threads, and its call no longer than the deadline.
//! An address that answered as it should serves for an hour more when nothing can be looked up; one to which no
//! connection could be made and verified is never kept.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, NextTimeout};

/// How long a good address serves after it was looked up last.
const GOOD_FOR: Duration = Duration::from_secs(3600);
/// With a good address at hand nobody waits longer for a look-up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Look-ups at the same time; one more fails at once.
const MAX_LOOKUPS: usize = 2;
/// Hosts that are remembered: the service, and perhaps a proxy.
const MAX_HOSTS: usize = 4;

/// What looks a name up. Tests have their own.
type LookUp = fn(&str) -> std::io::Result<Vec<SocketAddr>>;

/// Resolves names; clones share what they know.
#[derive(Clone)]
pub(super) struct Names {
    shared: Arc<Mutex<Shared>>,
    look_up: LookUp,
}

#[derive(Default)]
struct Shared {
    hosts: Vec<Host>,
    under_way: usize,
}

struct Host {
    /// With its port.
    name: String,
    found: Vec<SocketAddr>,
    found_at: Instant,
    good: Vec<SocketAddr>,
    good_at: Instant,
}

impl Names {
    pub(super) fn new() -> Names {
        Names::with(|name| Ok(name.to_socket_addrs()?.collect()))
    }

    fn with(look_up: LookUp) -> Names {
        Names {
            shared: Arc::default(),
            look_up,
        }
    }

    /// A connection was made, and its peer has proven who it is. Behind a proxy it is the proxy's name that was
    /// looked up.
    pub(super) fn confirm(&self, details: &ConnectionDetails<'_>) {
        for host in &mut self.lock().hosts {
            if details.addrs.is_empty() || host.found[..] == details.addrs[..] {
                host.good.clone_from(&host.found);
                host.good_at = host.found_at;
            }
        }
    }

    /// The addresses of a host and its port, for a connection that is not an HTTP call.
    pub(super) fn look_up(&self, name: &str, patience: Duration) -> Option<Vec<SocketAddr>> {
        let limit = NextTimeout {
            after: patience.into(),
            reason: ureq::Timeout::Resolve,
            ..NextTimeout::default()
        };
        self.addresses(name, limit).ok()
    }

    fn addresses(&self, name: &str, limit: NextTimeout) -> Result<Vec<SocketAddr>, ureq::Error> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let good = self.good(name);
        let patience = match good.is_some() {
            true => PATIENCE.min(*limit.after),
            false => *limit.after,
        };
        let found = self.start(name).map(|answer| answer.recv_timeout(patience));
        let err = match found {
            Some(Ok(Ok(found))) if !found.is_empty() => {
                self.note(name, &found);
                return Ok(found);
            }
            Some(Ok(_) | Err(RecvTimeoutError::Disconnected)) => ureq::Error::HostNotFound,
            Some(Err(RecvTimeoutError::Timeout)) | None => ureq::Error::Timeout(limit.reason),
        };
        match good {
            Some(good) => {
                log::debug!("a name cannot be looked up ({err}); its last good address serves");
                Ok(good)
            }
            None => Err(err),
        }
    }

    /// Begins a look-up; `None` while too many hang.
    fn start(
        &self,
        name: &str,
    ) -> Option<std::sync::mpsc::Receiver<std::io::Result<Vec<SocketAddr>>>> {
        let mut shared = self.lock();
        if shared.under_way >= MAX_LOOKUPS {
            return None;
        }
        let (sender, receiver) = sync_channel(1);
        let (names, name) = (self.clone(), name.to_owned());
        let spawned = thread::Builder::new()
            .name("names".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || names.run(&name, &sender));
        shared.under_way += usize::from(spawned.is_ok());
        spawned.ok().map(|_| receiver)
    }

    fn run(&self, name: &str, answer: &SyncSender<std::io::Result<Vec<SocketAddr>>>) {
        let found = (self.look_up)(name);
        self.lock().under_way -= 1;
        // Nobody waits any longer for one that took too long.
        let _ = answer.send(found);
    }

    fn note(&self, name: &str, found: &[SocketAddr]) {
        let now = Instant::now();
        let mut shared = self.lock();
        if let Some(host) = shared.hosts.iter_mut().find(|host| host.name == name) {
            host.found = found.to_vec();
            host.found_at = now;
            return;
        }
        if shared.hosts.len() >= MAX_HOSTS {
            shared.hosts.remove(0);
        }
        shared.hosts.push(Host {
            name: name.to_owned(),
            found: found.to_vec(),
            found_at: now,
            good: Vec::new(),
            good_at: now,
        });
    }

    fn good(&self, name: &str) -> Option<Vec<SocketAddr>> {
        let shared = self.lock();
        let host = shared.hosts.iter().find(|host| host.name == name)?;
        let serves = !host.good.is_empty() && host.good_at.elapsed() < GOOD_FOR;
        serves.then(|| host.good.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let name = uri
            .scheme()
            .zip(uri.authority())
            .and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let mut resolved = self.empty();
        for address in self.addresses(&name.ok_or(ureq::Error::HostNotFound)?, timeout)? {
            if resolved.len() < 16 {
                resolved.push(address);
            }
        }
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NAME: &str = "api.example:443";
    const ADDRESS: ([u8; 4], u16) = ([192, 0, 2, 7], 443);

    fn limit(after: Duration) -> NextTimeout {
        NextTimeout {
            after: after.into(),
            reason: ureq::Timeout::Resolve,
            ..NextTimeout::default()
        }
    }

    fn look_up(names: &Names) -> Result<Vec<SocketAddr>, ureq::Error> {
        names.addresses(NAME, limit(Duration::from_millis(50)))
    }

    /// What `confirm` does for a host.
    fn confirm(names: &Names) {
        for host in &mut names.lock().hosts {
            host.good.clone_from(&host.found);
            host.good_at = host.found_at;
        }
    }

    #[test]
    fn row_2_the_last_good_address_serves_for_an_hour_when_nothing_is_found() {
        let mut names = Names::with(|_| Ok(vec![ADDRESS.into()]));
        assert_eq!(look_up(&names).expect("found"), [ADDRESS.into()]);
        names.look_up = |_| Err(std::io::Error::other("no such name"));
        let err = look_up(&names).expect_err("it was never used");
        assert!(matches!(err, ureq::Error::HostNotFound), "{err}");
        confirm(&names);
        assert_eq!(look_up(&names).expect("good"), [ADDRESS.into()]);
        let Some(an_hour_ago) = Instant::now().checked_sub(GOOD_FOR) else {
            return;
        };
        names.lock().hosts[0].good_at = an_hour_ago;
        look_up(&names).expect_err("an hour has passed");
    }

    #[test]
    fn row_2_a_wrong_address_does_not_take_the_place_of_a_good_one() {
        let mut names = Names::with(|_| Ok(vec![ADDRESS.into()]));
        look_up(&names).expect("found");
        confirm(&names);
        let wrong = SocketAddr::from(([198, 51, 100, 66], 443));
        names.look_up = |_| Ok(vec![([198, 51, 100, 66], 443).into()]);
        assert_eq!(look_up(&names).expect("found"), [wrong]);
        names.look_up = |_| Ok(Vec::new());
        assert_eq!(look_up(&names).expect("good"), [ADDRESS.into()]);
    }

    #[test]
    fn row_2_look_ups_that_hang_hold_two_threads_and_no_call() {
        static HANGING: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        static GATE: Mutex<()> = Mutex::new(());
        let closed = GATE.lock().unwrap_or_else(PoisonError::into_inner);
        let names = Names::with(|_| {
            let hanging = HANGING.fetch_add(1, Ordering::SeqCst) + 1;
            MOST.fetch_max(hanging, Ordering::SeqCst);
            drop(GATE.lock());
            HANGING.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![ADDRESS.into()])
        });
        let begun = Instant::now();
        for _ in 0..20 {
            let err = look_up(&names).expect_err("it hangs");
            assert!(matches!(err, ureq::Error::Timeout(_)), "{err}");
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert_eq!(names.lock().under_way, MAX_LOOKUPS);
        drop(closed);
        let deadline = Instant::now() + Duration::from_secs(20);
        while names.lock().under_way > 0 {
            assert!(Instant::now() < deadline, "the threads end");
            thread::yield_now();
        }
        assert_eq!(MOST.load(Ordering::SeqCst), MAX_LOOKUPS);
        let found = names.addresses(NAME, limit(Duration::from_secs(20)));
        assert_eq!(found.expect("it works again"), [ADDRESS.into()]);
    }

    #[test]
    fn numbers_need_no_look_up() {
        let names = Names::with(|_| Err(std::io::Error::other("not to be asked")));
        for text in ["127.0.0.1:80", "[::1]:443"] {
            let found = names.addresses(text, limit(Duration::ZERO));
            assert_eq!(found.expect(text)[0].to_string(), text);
        }
    }
}
