//! What a look at this machine finds, beside what others find in the same run.

use crate::support::{Agent, Process, Scratch, free_tcp_port, http_get, wait_for};
use rackwarden_core::host::{CpuTimes, HostSample};
use rackwarden_io::clock::Clock;
use rackwarden_io::host::{Place, Sampler};
use std::process::Command;
use std::time::{Duration, Instant};

fn sampler() -> Sampler {
    Sampler::new(Clock::start(), Place::here())
}

fn sample(sampler: &mut Sampler) -> HostSample {
    *sampler.sample().expect("/proc is here")
}

/// What an exporter prints: `name{label="value"} number`.
struct Exposition(String);

impl Exposition {
    /// The number of a metric whose labels hold all of these.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let line = self.0.lines().find(|line| {
            let rest = line.strip_prefix(name);
            let is_it = rest.is_some_and(|rest| rest.starts_with(['{', ' ']));
            is_it && wanted.iter().all(|label| line.contains(label.as_str()))
        });
        line?.rsplit_once(' ')?.1.parse().ok()
    }
}

/// A number of ours before and after theirs.
fn check(
    what: &str,
    before: f64,
    theirs: Option<f64>,
    after: f64,
    slack: f64,
) -> Result<(), String> {
    let theirs = theirs.ok_or_else(|| format!("{what}: they say nothing"))?;
    let (low, high) = (before.min(after) - slack, before.max(after) + slack);
    match (low..=high).contains(&theirs) {
        true => Ok(()),
        false => Err(format!("{what}: {before} and {after}, they say {theirs}")),
    }
}

fn modes(times: &CpuTimes) -> [(&'static str, u64); 8] {
    [
        ("user", times.user),
        ("nice", times.nice),
        ("system", times.system),
        ("idle", times.idle),
        ("iowait", times.iowait),
        ("irq", times.irq),
        ("softirq", times.softirq),
        ("steal", times.steal),
    ]
}

/// Everything that both tell.
fn compare(before: &HostSample, theirs: &Exposition, after: &HostSample) -> Result<(), String> {
    for ((number, first), (_, last)) in before.cores.iter().zip(&after.cores) {
        let core = number.to_string();
        for ((mode, first), (_, last)) in modes(first).into_iter().zip(modes(last)) {
            let labels = [("cpu", &*core), ("mode", mode)];
            let seconds = theirs.value("node_cpu_seconds_total", &labels);
            // They are counted in hundredths; those that the kernel estimates may go back.
            let slack = if mode == "idle" || mode == "iowait" {
                0.5
            } else {
                0.01
            };
            let what = format!("cpu {core} {mode}");
            check(
                &what,
                first as f64 / 100.0,
                seconds,
                last as f64 / 100.0,
                slack,
            )?;
        }
    }
    let (first, last) = (before.memory.expect("read"), after.memory.expect("read"));
    for (name, first, last) in [
        ("MemTotal", first.total_bytes, last.total_bytes),
        ("MemAvailable", first.available_bytes, last.available_bytes),
        ("MemFree", first.free_bytes, last.free_bytes),
        ("Buffers", first.buffers_bytes, last.buffers_bytes),
        ("Cached", first.cached_bytes, last.cached_bytes),
        ("SwapTotal", first.swap_total_bytes, last.swap_total_bytes),
        ("SwapFree", first.swap_free_bytes, last.swap_free_bytes),
    ] {
        let bytes = theirs.value(&format!("node_memory_{name}_bytes"), &[]);
        // Others on the machine take and give back meanwhile.
        let slack = if name.ends_with("Total") { 0.0 } else { 4e6 };
        check(name, first as f64, bytes, last as f64, slack)?;
    }
    let (first, last) = (before.load.expect("read"), after.load.expect("read"));
    for (place, name) in ["node_load1", "node_load5", "node_load15"]
        .iter()
        .enumerate()
    {
        check(
            name,
            first[place],
            theirs.value(name, &[]),
            last[place],
            0.0,
        )?;
    }
    for (first, last) in before.networks.iter().zip(&after.networks) {
        let device = [("device", &*first.name)];
        for (name, first, last) in [
            ("receive_bytes", first.rx_bytes, last.rx_bytes),
            ("transmit_bytes", first.tx_bytes, last.tx_bytes),
            ("receive_packets", first.rx_packets, last.rx_packets),
            ("transmit_packets", first.tx_packets, last.tx_packets),
            ("receive_errs", first.rx_errors, last.rx_errors),
            ("transmit_errs", first.tx_errors, last.tx_errors),
        ] {
            let name = format!("node_network_{name}_total");
            check(
                &name,
                first as f64,
                theirs.value(&name, &device),
                last as f64,
                0.0,
            )?;
        }
    }
    let volumes = before.file_systems.iter().zip(&after.file_systems);
    for (first, last) in volumes.filter(|(own, _)| own.space.is_some()) {
        let labels = [("mountpoint", &*first.mount), ("device", &*first.device)];
        let (Some(one), Some(two)) = (first.space, last.space) else {
            continue;
        };
        for (name, one, two, slack) in [
            ("size_bytes", one.size_bytes, two.size_bytes, 0.0),
            ("free_bytes", one.free_bytes, two.free_bytes, 4e6),
            ("avail_bytes", one.available_bytes, two.available_bytes, 4e6),
            ("files", one.inodes, two.inodes, 0.0),
            ("files_free", one.inodes_free, two.inodes_free, 100.0),
        ] {
            let name = format!("node_filesystem_{name}");
            check(
                &name,
                one as f64,
                theirs.value(&name, &labels),
                two as f64,
                slack,
            )?;
        }
    }
    Ok(())
}

/// A node_exporter, and what it says.
struct Exporter {
    _process: Process,
    url: String,
}

impl Exporter {
    fn start(scratch: &Scratch) -> Exporter {
        let port = free_tcp_port();
        let mut command = Command::new("prometheus-node-exporter");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg("--web.disable-exporter-metrics");
        let exporter = Exporter {
            _process: Process::start(command, scratch, "node_exporter"),
            url: format!("http://127.0.0.1:{port}/metrics"),
        };
        wait_for("the first answer of node_exporter", || exporter.scrape());
        exporter
    }

    fn scrape(&self) -> Option<Exposition> {
        let output = Command::new("curl")
            .args(["-sf", &self.url])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then_some(Exposition(text))
    }
}

#[test]
#[ignore = "needs prometheus-node-exporter and curl: tests/run installs them"]
fn node_exporter_finds_the_same() {
    let scratch = Scratch::new();
    let exporter = Exporter::start(&scratch);
    let scrape = || exporter.scrape();
    let mut sampler = sampler();
    sample(&mut sampler);
    // What takes memory or averages the load in between makes another attempt.
    let mut wrong = String::new();
    for _ in 0..20 {
        let before = sample(&mut sampler);
        let theirs = scrape().expect("it answered before");
        let after = sample(&mut sampler);
        assert!(
            !before.cores.is_empty() && before.file_systems.iter().any(|own| own.space.is_some())
        );
        match compare(&before, &theirs, &after) {
            Ok(()) => return,
            Err(found) => wrong = found,
        }
    }
    panic!("{wrong}");
}

type Labels<'a> = Vec<(&'a str, &'a str)>;

/// `name{label="value"} number`, without quotes in the values.
fn series(line: &str) -> Option<(&str, Labels<'_>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels
        .strip_suffix('}')?
        .split("\",")
        .filter(|label| !label.is_empty());
    let labels = labels.map(|label| label.trim_end_matches('"').split_once("=\""));
    Some((name, labels.collect::<Option<_>>()?, value.parse().ok()?))
}

#[test]
#[ignore = "needs prometheus-node-exporter and curl: tests/run installs them"]
fn metrics_say_what_node_exporter_says() {
    let agent = Agent::start("");
    let exporter = Exporter::start(&agent.scratch);
    let looks = |text: &str| {
        let ours = Exposition(text.to_owned());
        ours.value("rackwarden_host_looks_total", &[("result", "ok")])
    };
    let ours = || {
        let (_, text) = http_get(agent.http, "/metrics").filter(|(status, _)| *status == 200)?;
        looks(&text).is_some().then_some(text)
    };
    let mut wrong = String::new();
    for _ in 0..10 {
        let first = exporter.scrape().expect("it answered before");
        let before = looks(&wait_for("our metrics", ours));
        // One that began after theirs.
        let text = wait_for("two looks", || {
            ours().filter(|text| looks(text) >= before.map(|own| own + 2.0))
        });
        let last = exporter.scrape().expect("it answered before");
        let mut compared = 0;
        let found = text
            .lines()
            .filter(|line| line.starts_with("node_"))
            .find_map(|line| {
                let (name, labels, value) = series(line).expect(line);
                // Identities, where they have numbers.
                if name.starts_with("node_hwmon") {
                    return None;
                }
                compared += 1;
                let [one, two] = [&first, &last].map(|theirs| theirs.value(name, &labels));
                let slack = match name {
                    "node_cpu_seconds_total" => 0.5,
                    _ if name.ends_with("_bytes") => 8e6,
                    _ if name.ends_with("_files_free") => 500.0,
                    _ => 0.0,
                };
                let (Some(one), Some(two)) = (one, two) else {
                    return Some(format!("they have no {line}"));
                };
                check(line, one, Some(value), two, slack).err()
            });
        match found {
            None if compared > 30 => return,
            None => wrong = format!("only {compared} series are the same: {text}"),
            Some(found) => wrong = found,
        }
    }
    panic!("{wrong}");
}

#[test]
fn an_independent_library_finds_the_same() {
    let mut system = sysinfo::System::new();
    let mut sampler = sampler();
    let mut attempts = 0;
    loop {
        let before = sample(&mut sampler);
        system.refresh_memory();
        let load = sysinfo::System::load_average();
        let uptime_s = sysinfo::System::uptime();
        let after = sample(&mut sampler);
        let (first, last) = (before.memory.expect("read"), after.memory.expect("read"));
        assert_eq!(first.total_bytes, system.total_memory());
        assert_eq!(first.swap_total_bytes, system.total_swap());
        let uptimes = [&before, &after].map(|own| own.uptime.expect("read").as_secs());
        assert!(
            (uptimes[0]..=uptimes[1]).contains(&uptime_s),
            "{uptime_s} {uptimes:?}"
        );
        let theirs = system.available_memory() as f64;
        let moving = [
            check(
                "available",
                first.available_bytes as f64,
                Some(theirs),
                last.available_bytes as f64,
                4e6,
            ),
            check(
                "load",
                before.load.expect("read")[0],
                Some(load.one),
                after.load.expect("read")[0],
                0.0,
            ),
        ];
        attempts += 1;
        match moving.into_iter().find_map(Result::err) {
            None => return,
            Some(wrong) => assert!(attempts < 20, "{wrong}"),
        }
    }
}

/// Names the hung mount to a test that was started beside it.
const HUNG: &str = "RACKWARDEN_TEST_HUNG_MOUNT";

#[test]
fn a_mount_behind_which_nobody_answers_delays_nothing() {
    beside_mounts("host::beside_a_hung_mount", "");
}

/// The kernel gives a line that does not fit into a page with the next read.
#[test]
fn a_mount_behind_one_of_many_layers_is_found() {
    let script = "mount -t tmpfs none \"$1\" || exit 77
        layer=$(printf '%0200d' 0)
        cd \"$1\" && mkdir hung upper work merged && mkdir $(seq -f \"$layer%g\" 17) || exit 77
        layers=$(ls -d 0* | paste -sd :)
        mount -t overlay -o \"lowerdir=$layers,upperdir=upper,workdir=work\" none merged || exit 77
        set -- \"$1/hung\" \"$2\"; export RACKWARDEN_TEST_HUNG_MOUNT=\"$1\"";
    beside_mounts("host::beside_many_layers", script);
}

/// Mounts a file system behind which nobody answers, in a namespace of its own, after what `script` mounts at `$1`, and
/// starts the inner half of a test there. Without the right to do so there is nothing to see.
fn beside_mounts(inner: &str, script: &str) {
    let scratch = Scratch::new();
    let folder = scratch.path("hung");
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    let script = format!(
        "{script}
        exec 3<>/dev/fuse || exit 77
        mount -i -t fuse.hung -o fd=3,rootmode=40000,user_id=0,group_id=0 hung \"$1\" || exit 77
        exec \"$2\" --exact {inner} --nocapture"
    );
    let this = std::env::current_exe().expect("a test has a program");
    let output = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", &script, "sh"])
        .args([&folder, &this])
        .env(HUNG, &folder)
        .output();
    let Some(output) = output
        .ok()
        .filter(|output| output.status.code() != Some(77))
    else {
        eprintln!("a file system cannot be mounted here; nothing was tested");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("unshare failed") {
        eprintln!("there is no right to a namespace here; nothing was tested");
        return;
    }
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}");
}

/// An inner half.
#[test]
fn beside_many_layers() {
    let Some(folder) = std::env::var_os(HUNG) else {
        return;
    };
    let list = std::fs::read_to_string("/proc/self/mountinfo").expect("Linux has it");
    assert!(list.lines().any(|line| line.len() > 3000), "{list}");
    let found = sample(&mut sampler());
    let mut mounts = found.file_systems.iter().map(|own| &*own.mount);
    assert!(
        mounts.any(|mount| *mount == *folder.to_string_lossy()),
        "{found:?}"
    );
}

/// An inner half.
#[test]
fn beside_a_hung_mount() {
    let Some(folder) = std::env::var_os(HUNG) else {
        return;
    };
    let place = Place {
        hangs_after: Duration::from_millis(200),
        ..Place::here()
    };
    let mut sampler = Sampler::new(Clock::start(), place);
    let hung = |sample: &HostSample| {
        let own = sample
            .file_systems
            .iter()
            .find(|own| *own.mount == *folder.to_string_lossy());
        let own = own.expect("it is mounted");
        assert_eq!((&*own.kind, own.space), ("fuse.hung", None));
        own.hangs_for
    };
    sample(&mut sampler);
    wait_for("the mount to hang", || hung(&sample(&mut sampler)));
    let mut looks = || {
        let mut took: Vec<Duration> = Vec::new();
        for _ in 0..300 {
            let begun = Instant::now();
            let found = sample(&mut sampler);
            took.push(begun.elapsed());
            assert!(hung(&found).is_some());
            let others = found.file_systems.iter().filter(|own| own.space.is_some());
            assert!(others.count() > 0, "{found:?}");
        }
        took.sort();
        took.split_off(290)
    };
    // What else keeps the processors busy makes another attempt.
    let mut slowest = looks();
    for _ in 0..20 {
        if slowest[7] >= Duration::from_millis(50) {
            slowest = looks();
        }
    }
    assert!(slowest[7] < Duration::from_millis(50), "{slowest:?}");
    // The kernel says at once that it is gone, although it still hangs.
    let status = Command::new("umount").arg("-l").arg(&folder).status();
    assert!(status.expect("umount is there").success());
    let found = sample(&mut sampler);
    let mut mounts = found.file_systems.iter().map(|own| &*own.mount);
    assert!(
        mounts.all(|mount| *mount != *folder.to_string_lossy()),
        "{found:?}"
    );
}
