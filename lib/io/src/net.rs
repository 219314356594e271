//! The net thread: one epoll loop that serves SNMP, the status server and the local socket.
//!
//! smol's reactor wakes a helper thread on every event (docs/measurements.md has the figures), so this loop
//! drives epoll itself; smol serves the simulator, where nobody counts wake-ups.

use rackwarden_base::small::SmallMap;
use rustix::event::epoll;
use rustix::event::{EventfdFlags, Timespec, eventfd};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Reading will not block (or will report the end or an error).
    pub readable: bool,
    /// Writing will not block.
    pub writable: bool,
}

/// What a service waits for on a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Nothing for now.
    None,
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        match self {
            Interest::Read => epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
            Interest::Write => epoll::EventFlags::OUT,
            Interest::None => epoll::EventFlags::empty(),
        }
    }
}

/// Something that lives on the net thread. Its methods must not block.
pub trait Service: Send {
    /// A descriptor that it registered under `token` is ready.
    fn handle_ready(&mut self, registry: &Registry<'_>, token: u32, ready: Ready);

    /// Somebody called `Waker::wake`.
    fn handle_wake(&mut self, _registry: &Registry<'_>) {}

    /// When it wants to act again.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// That moment has come (or another service's; look before acting).
    fn handle_timeout(&mut self, _registry: &Registry<'_>, _now: Instant) {}

    /// Called once on the net thread before anything else.
    ///
    /// # Errors
    /// Returns the error of the operating system when a descriptor cannot be registered.
    fn start(&mut self, _registry: &Registry<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Registers descriptors of one service.
pub struct Registry<'a> {
    epoll: &'a OwnedFd,
    service: u32,
}

impl Registry<'_> {
    /// Starts to watch a descriptor. Closing it ends the watch.
    ///
    /// # Errors
    /// Returns the operating system's error (out of memory or watches).
    pub fn add(&self, source: impl AsFd, token: u32, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            self.epoll,
            source,
            self.data(token),
            interest.flags(),
        )?)
    }

    /// Changes what is waited for.
    ///
    /// # Errors
    /// Returns the operating system's error (the descriptor was not added).
    pub fn modify(&self, source: impl AsFd, token: u32, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            self.epoll,
            source,
            self.data(token),
            interest.flags(),
        )?)
    }

    /// Stops to watch a descriptor that stays open.
    ///
    /// # Errors
    /// Returns the operating system's error (the descriptor was not added).
    pub fn delete(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(self.epoll, source)?)
    }

    fn data(&self, token: u32) -> epoll::EventData {
        epoll::EventData::new_u64(u64::from(self.service) << 32 | u64::from(token))
    }
}

/// Wakes the net thread from another one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Makes every service's `handle_wake` run soon. Calls before that are one.
    pub fn wake(&self) {
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

const WAKE: u64 = u64::MAX;

/// The loop, before it runs.
pub struct Net {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
    services: SmallMap<u32, Box<dyn Service>>,
}

impl Net {
    /// Makes an empty loop.
    ///
    /// # Errors
    /// Returns the operating system's error (no descriptors left).
    pub fn new() -> io::Result<Net> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(
            &epoll,
            &*wake,
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN,
        )?;
        Ok(Net {
            epoll,
            wake,
            services: SmallMap::new(),
        })
    }

    /// What wakes the loop.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Adds a service.
    pub fn add(&mut self, service: Box<dyn Service>) {
        let id = self.services.len() as u32;
        self.services.insert(id, service);
    }

    /// Runs until `is_stopping` says so (looked at after each wake-up).
    ///
    /// # Errors
    /// Returns the error of a service that could not start, or of epoll itself.
    pub fn run(mut self, is_stopping: impl Fn() -> bool) -> io::Result<()> {
        for (&service, handler) in &mut self.services {
            handler.start(&Registry {
                epoll: &self.epoll,
                service,
            })?;
        }
        let mut events = Vec::with_capacity(64);
        while !is_stopping() {
            let deadline = self
                .services
                .values()
                .filter_map(|service| service.poll_timeout())
                .min();
            let timeout = deadline.map(|at| timespec(at.saturating_duration_since(Instant::now())));
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(err) => return Err(err.into()),
            }
            for event in &events {
                self.dispatch(event);
            }
            if deadline.is_some_and(|at| at <= Instant::now()) {
                let now = Instant::now();
                for (&service, handler) in &mut self.services {
                    handler.handle_timeout(
                        &Registry {
                            epoll: &self.epoll,
                            service,
                        },
                        now,
                    );
                }
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, event: &epoll::Event) {
        let data = event.data.u64();
        if data == WAKE {
            let _ = rustix::io::read(&*self.wake, &mut [0u8; 8]);
            for (&service, handler) in &mut self.services {
                handler.handle_wake(&Registry {
                    epoll: &self.epoll,
                    service,
                });
            }
            return;
        }
        let flags = event.flags;
        let ended = epoll::EventFlags::HUP | epoll::EventFlags::ERR | epoll::EventFlags::RDHUP;
        let ready = Ready {
            readable: flags.intersects(epoll::EventFlags::IN | ended),
            writable: flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::ERR),
        };
        let service = (data >> 32) as u32;
        if let Some(handler) = self.services.get_mut(&service) {
            handler.handle_ready(
                &Registry {
                    epoll: &self.epoll,
                    service,
                },
                data as u32,
                ready,
            );
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
