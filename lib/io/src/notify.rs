//! What the service manager is told: sd_notify(3), a datagram to the socket that the environment names.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager that started this process with `Type=notify`.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Manager {
    /// The socket in `$NOTIFY_SOCKET`; `None` when there is none.
    pub fn of_environment() -> Option<Manager> {
        Manager::at(&std::env::var_os("NOTIFY_SOCKET")?)
    }

    /// A path, or with `@` in front an abstract name.
    fn at(name: &OsStr) -> Option<Manager> {
        let to = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok()?,
            _ => SocketAddr::from_pathname(name).ok()?,
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Manager { socket, to })
    }

    /// Tells it one or more `NAME=value` lines. A manager that does not listen changes nothing.
    pub fn tell(&self, lines: &str) {
        if let Err(err) = self.socket.send_to_addr(lines.as_bytes(), &self.to) {
            log::debug!("the service manager was not told: {err}");
        }
    }

    /// Tells it that a reload begins, and when.
    pub fn tell_reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let usec = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }
}

/// How often the manager's watchdog has to be fed, if it has one for this process.
pub fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC")
        .filter(|usec| is_ours && *usec > 0)
        .map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_abstract_names_are_reached() {
        let path = std::env::temp_dir().join(format!("rackwarden-notify-{}", std::process::id()));
        let name = format!("rackwarden-notify-{}", std::process::id());
        let abstract_addr = SocketAddr::from_abstract_name(&name).expect("a name");
        for (manager, listener) in [
            (path.clone().into_os_string(), UnixDatagram::bind(&path)),
            (
                format!("@{name}").into(),
                UnixDatagram::bind_addr(&abstract_addr),
            ),
        ] {
            let listener = listener.expect("a socket");
            Manager::at(&manager)
                .expect("an address")
                .tell("READY=1\nSTATUS=ok");
            let mut buffer = [0; 64];
            let len = listener.recv(&mut buffer).expect("a datagram");
            assert_eq!(&buffer[..len], b"READY=1\nSTATUS=ok");
        }
        std::fs::remove_file(path).expect("clean up");
    }

    #[test]
    fn nobody_there_is_no_failure() {
        let manager = Manager::at(OsStr::new("/nowhere/notify")).expect("an address");
        manager.tell("READY=1");
        assert!(Manager::at(OsStr::new(&"x".repeat(200))).is_none());
    }
}
