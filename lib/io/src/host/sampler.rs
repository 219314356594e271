//! One look at this machine: files that stay open, read from their beginning each time.

use super::kept::{Kept, Root};
use super::sensed::Sensed;
use super::slow::{Answer, Known, Slow};
use super::volumes::{AskSpace, Volumes};
use crate::clock::Clock;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_base::time::Wall;
use rackwarden_core::host::sensors::Files;
use rackwarden_core::host::{HostSample, Network, Throttled, Uplink, procfs, throttled};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often sensors and the like are looked for anew.
const RESCAN: Duration = Duration::from_secs(30);
/// How often the firmware is asked, which answers through a mailbox.
const WORD_EVERY: Duration = Duration::from_secs(10);
/// How long the first sample waits for what is asked apart.
const PATIENCE: Duration = Duration::from_millis(50);
/// A router may have a million routes; the way out stands in front of them.
const MAX_ROUTE_BYTES: usize = 16 * 1024;
/// No other file is read beyond this.
const MAX_BYTES: usize = 1024 * 1024;

/// What a sampler looks at.
#[derive(Clone)]
pub struct Place {
    /// Where `proc` and `sys` are: `/`.
    pub root: PathBuf,
    /// Asks a file system how full it is: statvfs(3).
    pub ask_space: AskSpace,
    /// What has not answered by then hangs.
    pub hangs_after: Duration,
}

/// Takes samples.
pub struct Sampler {
    clock: Clock,
    root: Root,
    buffer: Vec<u8>,
    stat: Kept,
    meminfo: Kept,
    loadavg: Kept,
    uptime: Kept,
    dev: Kept,
    route: Kept,
    route_v6: Kept,
    /// As many as there were.
    cores: usize,
    interfaces: Vec<Interface>,
    volumes: Volumes,
    sensed: Sensed,
    supply: Supply,
    slow: Slow,
    scanned: Option<Instant>,
    is_due: bool,
    booted: Option<Wall>,
}

/// An interface that was seen before.
struct Interface {
    name: Arc<str>,
    is_virtual: bool,
    /// A default route goes through it.
    is_uplink: bool,
    carrier: Kept,
    has_carrier: Option<bool>,
}

/// A Raspberry Pi's.
#[derive(Default)]
struct Supply {
    found: throttled::Supply,
    alarm: Option<Kept>,
    word: Option<u64>,
    /// The firmware's node says 0 whatever happens.
    is_wrong: bool,
}

impl Sampler {
    /// Nothing is read before the first sample.
    pub fn new(clock: Clock, place: Place) -> Sampler {
        let root = Root(place.root);
        Sampler {
            clock,
            buffer: Vec::new(),
            stat: root.keep("proc/stat"),
            meminfo: root.keep("proc/meminfo"),
            loadavg: root.keep("proc/loadavg"),
            uptime: root.keep("proc/uptime"),
            dev: root.keep("proc/net/dev"),
            route: root.keep("proc/net/route"),
            route_v6: root.keep("proc/net/ipv6_route"),
            cores: 0,
            interfaces: Vec::new(),
            volumes: Volumes::new(&root, place.ask_space),
            sensed: Sensed::default(),
            supply: Supply::default(),
            slow: Slow::new(place.hangs_after),
            scanned: None,
            is_due: false,
            booted: None,
            root,
        }
    }

    /// One look.
    ///
    /// # Errors
    /// `FaultKind::Disk` when neither processors nor memory can be read: then `/proc` is not there.
    pub fn sample(&mut self) -> Result<Box<HostSample>, Fault> {
        let is_first = self.scanned.is_none();
        self.rescan();
        let mut sample = Box::new(HostSample {
            taken: Some(self.clock.mono()),
            booted: self.booted,
            ..HostSample::default()
        });
        let stat = self.stat.read_head(&mut self.buffer, b"cpu", MAX_BYTES);
        if let Ok(stat) = &stat {
            sample.cores.reserve(self.cores);
            sample.cpu = procfs::cpu_times(stat, &mut sample.cores);
            self.cores = sample.cores.len();
        }
        let stat = stat.map(drop);
        let meminfo = self.meminfo.read_all(&mut self.buffer, MAX_BYTES);
        sample.memory = meminfo.ok().and_then(procfs::memory);
        if let (None, None, Err(err)) = (&sample.cpu, &sample.memory, stat) {
            let detail = format!("cannot read /proc/stat: {err}");
            return Err(Fault::new(FaultKind::Disk, detail));
        }
        let mut small = [0; 128];
        sample.load = self.loadavg.read(&mut small).ok().and_then(procfs::load);
        sample.uptime = self.uptime.read(&mut small).ok().and_then(procfs::uptime);
        sample.networks = self.networks();
        sample.uplink = self.uplink();
        self.mark_real(&mut sample.networks);
        self.volumes.refresh(&mut self.buffer, &mut self.slow);
        self.slow.ask();
        if is_first {
            self.slow.settle(PATIENCE);
        }
        sample.file_systems = self.volumes.tell(&mut self.buffer, &mut self.slow);
        sample.temperatures = self.sensed.tell(&self.slow);
        sample.throttled = self.supply.tell(&self.slow);
        Ok(sample)
    }

    /// From now on the next sample looks for what came and went, as it does every half minute.
    pub fn forget(&mut self) {
        self.is_due = true;
    }

    /// Looks for what came and went, at once when something went.
    fn rescan(&mut self) {
        let is_old = self.scanned.is_none_or(|at| at.elapsed() >= RESCAN);
        if !is_old && !self.is_due && !self.sensed.has_lost() {
            return;
        }
        self.is_due = false;
        self.scanned = Some(Instant::now());
        for interface in &mut self.interfaces {
            interface.carrier.close();
            interface.read_carrier();
        }
        self.supply.alarm.iter_mut().for_each(Kept::close);
        // It changes when the clock is set, and stands behind the interrupts, which are many.
        let stat = self.stat.read_all(&mut self.buffer, MAX_BYTES);
        self.booted = stat.ok().and_then(procfs::booted);
        self.volumes.forget();
        if self.sensed.scan(&self.root, &mut self.slow) {
            self.supply.scan(&self.root, &mut self.slow);
        }
    }

    /// Interfaces in the kernel's order, which hardly ever changes.
    fn networks(&mut self) -> Vec<Network> {
        let mut networks = Vec::with_capacity(self.interfaces.len());
        let Ok(dev) = self.dev.read_all(&mut self.buffer, MAX_BYTES) else {
            return networks;
        };
        for (name, traffic) in procfs::interfaces(dev).filter(|(name, _)| *name != "lo") {
            let count = networks.len();
            let later = &self.interfaces[count..];
            match later.iter().position(|own| *own.name == *name) {
                // What stood in between is gone.
                Some(gone) => drop(self.interfaces.drain(count..count + gone)),
                None => self
                    .interfaces
                    .insert(count, Interface::new(&self.root, name)),
            }
            let own = &mut self.interfaces[count];
            if own.is_uplink || !own.is_virtual {
                own.read_carrier();
            }
            networks.push(Network {
                name: Arc::clone(&own.name),
                rx_bytes: traffic.rx_bytes,
                tx_bytes: traffic.tx_bytes,
                rx_packets: traffic.rx_packets,
                tx_packets: traffic.tx_packets,
                rx_errors: traffic.rx_errors,
                tx_errors: traffic.tx_errors,
                has_carrier: own.has_carrier,
                is_virtual: own.is_virtual,
            });
        }
        self.interfaces.truncate(networks.len());
        networks
    }

    /// In a container nothing has a device; there the way out is what counts.
    fn mark_real(&self, networks: &mut [Network]) {
        if networks.iter().all(|network| network.is_virtual) {
            for (network, interface) in networks.iter_mut().zip(&self.interfaces) {
                network.is_virtual = !interface.is_uplink;
            }
        }
    }

    /// Whether there is a way out; IPv6 is looked at when IPv4 has none.
    fn uplink(&mut self) -> Uplink {
        for interface in &mut self.interfaces {
            interface.is_uplink = false;
        }
        let text = self.route.read_all(&mut self.buffer, MAX_ROUTE_BYTES);
        let v4 = text.map(|text| way(&mut self.interfaces, &mut procfs::default_routes(text)));
        if v4.as_ref().is_ok_and(|way| *way == Uplink::Up) {
            return Uplink::Up;
        }
        let text = self.route_v6.read_all(&mut self.buffer, MAX_ROUTE_BYTES);
        let v6 = text.map(|text| way(&mut self.interfaces, &mut procfs::default_routes_v6(text)));
        match (v4, v6) {
            (_, Ok(Uplink::Up)) => Uplink::Up,
            (Ok(Uplink::NoCarrier), _) | (_, Ok(Uplink::NoCarrier)) => Uplink::NoCarrier,
            (Err(_), Err(_)) => Uplink::Unknown,
            _ => Uplink::NoRoute,
        }
    }
}

/// What the interfaces of default routes say.
fn way(interfaces: &mut [Interface], names: &mut dyn Iterator<Item = &str>) -> Uplink {
    let mut found = Uplink::NoRoute;
    for name in names {
        let Some(interface) = interfaces.iter_mut().find(|own| *own.name == *name) else {
            continue;
        };
        interface.is_uplink = true;
        if interface.is_virtual {
            interface.read_carrier();
        }
        match interface.has_carrier {
            Some(false) => found = Uplink::NoCarrier,
            _ => return Uplink::Up,
        }
    }
    found
}

impl Interface {
    fn new(root: &Root, name: &str) -> Interface {
        let mut interface = Interface {
            name: name.into(),
            is_virtual: root.real(&format!("sys/class/net/{name}/device")).is_none(),
            is_uplink: false,
            carrier: root.keep(&format!("sys/class/net/{name}/carrier")),
            has_carrier: None,
        };
        interface.read_carrier();
        interface
    }

    /// It cannot be read while the interface is down.
    fn read_carrier(&mut self) {
        self.has_carrier = self.carrier.read_flag();
    }
}

impl Supply {
    fn scan(&mut self, root: &Root, slow: &mut Slow) {
        let found = throttled::Supply::find(root);
        if found == self.found {
            return;
        }
        if let Some(word) = self.word.take() {
            slow.remove(word);
        }
        self.alarm = found.alarm.as_ref().map(|path| root.keep(path));
        self.word = found.firmware.as_ref().map(|path| {
            let mut node = root.keep(path);
            let ask = move || {
                let mut text = [0; 32];
                Answer::Word(node.read(&mut text).ok().and_then(throttled::word))
            };
            slow.add(WORD_EVERY, Box::new(ask))
        });
        self.found = found;
    }

    fn tell(&mut self, slow: &Slow) -> Option<Throttled> {
        let alarm = self.alarm.as_mut().and_then(Kept::read_flag);
        let word = match self.word.map(|word| slow.known(word)) {
            Some(Known::Answer(Some(Answer::Word(word)))) => word,
            _ => None,
        };
        // Without a word the moment the alarm is up, it is a wrong one for good.
        self.is_wrong |= alarm == Some(true) && word == Some(0);
        let word = word.filter(|_| !self.is_wrong);
        Throttled::from_sources(alarm, word, self.found.has_detector)
    }
}
