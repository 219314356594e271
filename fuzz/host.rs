//! What the kernel and the drivers of a machine say.

use rackwarden_core::host::mounts::{self, MAX_FILE_SYSTEMS};
use rackwarden_core::host::sensors::{self, Files};
use rackwarden_core::host::throttled;
use rackwarden_core::host::{Throttled, procfs};
use std::cell::Cell;

/// Files of `/proc` and `/sys`: read, or left out, as each parser sees fit.
pub fn host(data: &[u8]) {
    let mut cores = Vec::new();
    let _ = procfs::cpu_times(data, &mut cores);
    if let Some(memory) = procfs::memory(data) {
        assert!(memory.total_bytes > 0 && memory.used_bytes() <= memory.total_bytes);
    }
    if let Some(load) = procfs::load(data) {
        assert!(load.iter().all(|value| value.is_finite() && *value >= 0.0));
    }
    let _ = procfs::uptime(data);
    let names = procfs::interfaces(data).map(|(name, _)| name);
    let names = names.chain(procfs::default_routes(data));
    for name in names.chain(procfs::default_routes_v6(data)) {
        assert!(!name.is_empty() && !name.contains('\n'));
    }
    let _ = procfs::process(data);
    let chosen = mounts::file_systems(data);
    assert!(chosen.len() <= MAX_FILE_SYSTEMS);
    for own in &chosen {
        assert!(own.path.starts_with(b"/") && !own.mount.contains(char::is_control));
    }
    if let Some(bits) = throttled::word(data) {
        for alarm in [None, Some(false), Some(true)] {
            let own = Throttled::from_sources(alarm, Some(bits), true).expect("a source");
            assert!(!own.sentence().is_empty() && (own.is_since_boot() || !own.is_now()));
        }
    }
    let bytes = Bytes {
        data,
        at: Cell::new(0),
    };
    let found = sensors::sensors(&bytes);
    let names = sensors::unique_names(&found, &[]);
    for (at, sensor) in found.iter().enumerate() {
        let value = sensor.celsius(data);
        assert!(value.is_none_or(|celsius| (-40.0..=150.0).contains(&celsius)));
        assert!(!names[..at].contains(&names[at]), "{} twice", names[at]);
        assert!(!found[..at].iter().any(|other| other.key == sensor.key));
    }
}

/// A tree in which every folder has a few of the names that are looked for, and every file a line of the bytes.
struct Bytes<'a> {
    data: &'a [u8],
    at: Cell<usize>,
}

impl Bytes<'_> {
    fn line(&self) -> String {
        let turn = self.at.get();
        self.at.set(turn + 1);
        let lines = self.data.split(|byte| *byte == b'\n').count();
        let mut all = self.data.split(|byte| *byte == b'\n');
        let line = all.nth(turn % lines.max(1)).unwrap_or_default();
        String::from_utf8_lossy(line).into_owned()
    }
}

impl Files for Bytes<'_> {
    fn names(&self, folder: &str) -> Vec<String> {
        let names: &[&str] = match folder.rsplit('/').next() {
            Some("hwmon") => &["hwmon0", "hwmon3", "hwmon", "hwmon1x"],
            Some("thermal") => &["thermal_zone0", "thermal_zone1", "cooling_device0"],
            _ => &[
                "temp1_input",
                "temp2_input",
                "temp_input",
                "trip_point_0_type",
            ],
        };
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.push(self.line());
        names
    }

    fn text(&self, _: &str) -> Option<String> {
        Some(self.line())
    }

    fn real(&self, path: &str) -> Option<String> {
        let line = self.line();
        (!line.is_empty()).then(|| format!("sys/devices/{line}/{path}"))
    }
}

pub fn host_seeds() -> Vec<Vec<u8>> {
    [
        "cpu  10132153 290696 3084719 46828483 16683 0 25195 175628 0 0\ncpu0 1393280 32966 572056 13343292 6130 0 17875 23933 0 0\nintr 1\n",
        "MemTotal:        3884376 kB\nMemFree:          191516 kB\nMemAvailable:    2899280 kB\nBuffers: 1 kB\nCached: 2 kB\nSwapTotal: 3 kB\nSwapFree: 1 kB\n",
        "0.07 12.50 3.01 1/123 4567\n",
        "350735.47 234388.90\n",
        "Inter-| Receive\n face |bytes\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n wlan0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
        "Iface\tDestination\tGateway\teth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe80000000000000021122fffe334455 00000400 00000003 00000000 00450003     wlan0\n",
        "42 (a) b) S 1 2 3 0 -1 4194560 5 6 7 8 100 23 0 0 20 0 1 0 4711 10000 642 18446744073709551615 1 1\n",
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /mnt/My\\040Disk rw shared:1 - xfs /dev/sda2 ro\n3 2 0:9 / /mnt/My\\040Disk/x rw - fuse.sshfs a@b:/ rw\n4 1 8:2 /y /y rw - xfs /dev/sda2 rw\n",
        "50005\n",
        "nvme\ncpu-thermal\npci0000:00/0000:01:00.0/nvme/nvme0\nComposite\n45123\nSamsung SSD 980\n-12500\ncritical\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect()
}
