//! The commands about the host: `/load /memory /disks /sensors /network /processes /uptime`.

use super::Monitor;
use crate::chat::{Answer, Command, Invocation, Role, Spec};
use crate::config::Config;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::host::{Bytes, HostView, Network, Process, Processes, Rates, SensorKind, Uplink};
use crate::text::Text;
use crate::time::Human;

/// Every command of the plugin.
pub(super) const COMMANDS: &[Command<Monitor>] = &[
    Command {
        spec: spec("load", "how busy the processor is, whole and by core"),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, load),
    },
    Command {
        spec: spec("memory", "memory and swap"),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, memory),
    },
    Command {
        spec: spec("disks", "space and inodes of each file system"),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, disks),
    },
    Command {
        spec: spec(
            "sensors",
            "temperatures, and what a Raspberry Pi says of its supply",
        ),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, sensors),
    },
    Command {
        spec: spec("network", "what goes through each interface"),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, network),
    },
    Command {
        spec: spec("processes", "the programs that use the most"),
        run: Monitor::ask_processes,
    },
    Command {
        spec: spec("uptime", "since when the machine runs"),
        run: |monitor, ctx, invocation| monitor.tell(ctx, invocation, uptime),
    },
];

/// Tells one topic of a look.
pub(super) type Words = fn(&Config, &HostView) -> Text;

/// So many programs stand in each list of `/processes`.
pub(super) const PROCESSES: usize = 10;
/// Rows of one answer; what is beyond is counted.
const MAX_ROWS: usize = 60;

const fn spec(name: &'static str, help: &'static str) -> Spec {
    Spec {
        name,
        usage: "",
        help,
        example: "",
        role: Role::Viewer,
        action: None,
        arg: None,
        changes_state: false,
    }
}

/// Says why there is no answer.
pub(super) fn cannot(ctx: &mut Ctx<'_>, invocation: &Invocation, fault: &Fault) {
    let text = format!("The host cannot be looked at: {fault}");
    ctx.answer(&invocation.reply_to, Answer::text(text));
}

fn load(_config: &Config, view: &HostView) -> Text {
    let load = match view.sample.load {
        Some([one, five, fifteen]) => {
            format!("{one:.2} {five:.2} {fifteen:.2} over 1, 5 and 15 min")
        }
        None => UNKNOWN.to_owned(),
    };
    let cores = view.sample.cores.iter().zip(&view.cores_percent);
    let cores =
        cores.map(|((core, _), percent)| cells([&format!("core {core}"), &share(*percent)]));
    let text = Text::new().bold("Load ").plain(load);
    let text = text.line().bold("CPU ").plain(share(view.cpu_percent));
    text.pre(table(cores.collect(), &[true]))
}

fn memory(_config: &Config, view: &HostView) -> Text {
    let Some(memory) = &view.sample.memory else {
        return Text::new().bold("Memory ").plain(UNKNOWN);
    };
    let row = |name: &str, used: u64, total: u64, percent| {
        cells([
            name,
            &share(percent),
            &Bytes(used).to_string(),
            "of",
            &Bytes(total).to_string(),
        ])
    };
    let mut rows = vec![row(
        "memory",
        memory.used_bytes(),
        memory.total_bytes,
        memory.used_percent(),
    )];
    match memory.swap_total_bytes {
        0 => rows.push(cells(["swap", "none"])),
        total => {
            let percent = memory.swap_used_percent();
            rows.push(row("swap", memory.swap_used_bytes(), total, percent));
        }
    }
    let detail = format!(
        "available {}, free {}, cached {}, buffers {}",
        Bytes(memory.available_bytes),
        Bytes(memory.free_bytes),
        Bytes(memory.cached_bytes),
        Bytes(memory.buffers_bytes)
    );
    let text = Text::new().bold("Memory").plain(format!(": {detail}"));
    text.pre(table(rows, &[true, true, false, true]))
}

fn disks(_config: &Config, view: &HostView) -> Text {
    let rows = view.sample.file_systems.iter().map(|disk| {
        let mount = &*disk.mount;
        let Some(space) = &disk.space else {
            let note = match disk.hangs_for {
                Some(span) => format!("does not answer for {}", Human(span)),
                None => UNKNOWN.to_owned(),
            };
            return cells([mount, "-", &note]);
        };
        let free = format!("{} free", Bytes(space.available_bytes));
        let size = format!("of {}", Bytes(space.size_bytes));
        let inodes = space.inodes_used_percent();
        let inodes = inodes.map_or(String::new(), |percent| {
            format!("inodes {}", share(Some(percent)))
        });
        let note = if disk.is_read_only { "read-only" } else { "" };
        cells([
            mount,
            &share(space.used_percent()),
            &free,
            &size,
            &inodes,
            note,
        ])
    });
    let rows: Vec<Row> = rows.collect();
    match rows.is_empty() {
        true => Text::from("No file system is known."),
        false => Text::new()
            .bold("File systems")
            .pre(table(rows, &[true, true])),
    }
}

fn sensors(_config: &Config, view: &HostView) -> Text {
    let mut text = Text::new();
    if let Some(throttled) = &view.sample.throttled {
        let sentence = throttled.sentence();
        let source = throttled.source.name();
        text = text
            .bold("Supply and heat")
            .plain(format!(": {sentence} (by {source})\n"));
    }
    let rows = view.sample.temperatures.iter().map(|sensor| {
        let kind = match sensor.kind {
            SensorKind::Cpu => "CPU",
            SensorKind::Gpu => "GPU",
            SensorKind::Disk => "disk",
            SensorKind::Other => "",
        };
        let value = sensor
            .celsius
            .map_or("-".to_owned(), |celsius| format!("{celsius:.1} °C"));
        let critical = sensor.critical_celsius;
        let critical =
            critical.map_or(String::new(), |celsius| format!("critical {celsius:.0} °C"));
        cells([&sensor.name, &value, kind, &critical])
    });
    let rows: Vec<Row> = rows.collect();
    let text = text.bold("Temperatures");
    match rows.is_empty() {
        true => text.plain(": this machine tells none"),
        false => text.pre(table(rows, &[true])),
    }
}

fn network(_config: &Config, view: &HostView) -> Text {
    let row = |(network, rates): (&Network, &Rates)| {
        let (rx, tx) = (network.rx_bytes, network.tx_bytes);
        let mut notes = Vec::new();
        if network.has_carrier == Some(false) {
            notes.push("no carrier".to_owned());
        } else if network.has_carrier.is_none() {
            notes.push("down".to_owned());
        }
        let errors = network.rx_errors + network.tx_errors;
        if errors > 0 {
            notes.push(format!("{errors} errors"));
        }
        cells([
            &network.name,
            "in",
            &rate(rates.rx),
            &format!("({})", Bytes(rx)),
            "out",
            &rate(rates.tx),
            &format!("({})", Bytes(tx)),
            &notes.join(", "),
        ])
    };
    // Bridges and the ends of containers come last.
    let of = |is_virtual: bool| {
        let all = view.sample.networks.iter().zip(&view.rates);
        all.filter(move |(network, _)| network.is_virtual == is_virtual)
    };
    let rows: Vec<Row> = of(false).chain(of(true)).map(row).collect();
    let uplink = match view.sample.uplink {
        Uplink::Unknown => UNKNOWN,
        Uplink::Up => "up",
        Uplink::NoRoute => "no default route",
        Uplink::NoCarrier => "no carrier",
    };
    let text = Text::new()
        .bold("Network")
        .plain(format!(", way out: {uplink}"));
    match rows.is_empty() {
        true => text,
        false => text.pre(table(rows, &[false, true, true, false, true, true])),
    }
}

fn uptime(config: &Config, view: &HostView) -> Text {
    let Some(uptime) = view.sample.uptime else {
        return Text::new().bold("Up ").plain(UNKNOWN);
    };
    let text = Text::new().bold(format!("Up {}", Human(uptime)));
    let Some(booted) = view.booted() else {
        return text;
    };
    let since = booted.local(&config.notify.timezone);
    text.plain(format!(", since {since}"))
}

/// Answers `/processes`.
pub(super) fn processes(
    ctx: &mut Ctx<'_>,
    invocation: &Invocation,
    result: Result<Box<Processes>, Fault>,
) {
    let found = match result {
        Ok(found) => found,
        Err(fault) => return cannot(ctx, invocation, &fault),
    };
    let row = |process: &Process| {
        cells([
            &format!("{:.0} %", process.cpu_percent),
            &Bytes(process.memory_bytes).to_string(),
            &process.pid.to_string(),
            &process.name,
        ])
    };
    let list = |text: Text, title: &str, list: &[Process]| match list.is_empty() {
        true => text,
        false => {
            let rows = list.iter().map(row).collect();
            let right = [true, true, true, false];
            text.bold(title).pre(table_right(rows, &right))
        }
    };
    let mut text = Text::new().plain(format!(
        "{} processes. CPU is the share of one core.\n",
        found.count
    ));
    text = list(text, "Most CPU", &found.by_cpu);
    text = list(text, "\nMost memory", &found.by_memory);
    ctx.answer(&invocation.reply_to, Answer::text(text));
}

const UNKNOWN: &str = "not known";

fn share(percent: Option<f64>) -> String {
    percent.map_or("-".to_owned(), |percent| format!("{percent:.0} %"))
}

fn rate(bytes_per_second: Option<f64>) -> String {
    match bytes_per_second {
        Some(rate) => format!("{}/s", Bytes(rate.max(0.0).round() as u64)),
        None => "-".to_owned(),
    }
}

type Row = Vec<String>;

fn cells<const N: usize>(cells: [&str; N]) -> Row {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Aligns rows; after the first column, those that `right` says are aligned to the right.
fn table(rows: Vec<Row>, right: &[bool]) -> String {
    let mut all = vec![false];
    all.extend_from_slice(right);
    table_right(rows, &all)
}

fn table_right(mut rows: Vec<Row>, right: &[bool]) -> String {
    let more = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        // The last words of a short row may reach into the columns that it does not have.
        let has_room = |row: &&Row| column + 1 == row.len() && row.len() < columns;
        let cells = rows.iter().filter(|row| !has_room(row));
        let cells = cells.filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let start = out.len();
        for (column, cell) in row.iter().enumerate() {
            let pad = widths[column].saturating_sub(cell.chars().count());
            let is_right = right.get(column).copied().unwrap_or(false);
            let (before, after) = if is_right { (pad, 0) } else { (0, pad) };
            let gap = if column == 0 { "" } else { "  " };
            out.push_str(gap);
            out.extend(std::iter::repeat_n(' ', before));
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', after));
        }
        out.truncate(start + out[start..].trim_end().len());
        out.push('\n');
    }
    match more {
        0 => drop(out.pop()),
        more => out.push_str(&format!("and {more} more")),
    }
    out
}
