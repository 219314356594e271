//! The shapes of the JSON answers: what OpenAPI and the documentation page say about `json`.

use super::schema::{Member, NUMBER, Object, Schema, TEXT, TIME, member};

const STATES: &[&str] = &["ok", "over_limit", "stale", "unreachable", "unknown"];
const SUM_STATES: &[&str] = &["ok", "over_limit", "unknown"];

/// Shape of `/health`.
pub const HEALTH: Schema = Schema::Object(&Object {
    name: "Health",
    members: &[member("status", Schema::OneOf(&["ok"]), "always ok")],
});

/// Shape of `/health` when it is 503.
pub const FAILING: Schema = Schema::Object(&Object {
    name: "Failing",
    members: &[
        member("status", Schema::OneOf(&["failing"]), "always failing"),
        REASONS,
    ],
});

const REASONS: Member = member(
    "reasons",
    Schema::List(&Schema::Text),
    "what is wrong, a sentence each",
);

/// Shape of an error.
pub const ERROR: Schema = Schema::Object(&Object {
    name: "Error",
    members: &[member(
        "error",
        Schema::Object(&Object {
            name: "ErrorDetail",
            members: &[
                member("code", Schema::Text, "a stable word for programs"),
                member("message", Schema::Text, "a sentence for people"),
            ],
        }),
        "what went wrong",
    )],
});

/// Shape of `/api/status`.
pub const STATUS: Schema = Schema::Object(&Object {
    name: "Status",
    members: &[
        member("name", Schema::Text, "the agent's name"),
        member("version", Schema::Text, "the agent's version"),
        member("time", Schema::Time, "now"),
        member("started_at", Schema::Time, "when the agent started"),
        member("uptime_s", Schema::Integer, "seconds since then"),
        member(
            "plugins",
            Schema::List(&Schema::Text),
            "the plugins that run",
        ),
        member(
            "health",
            Schema::Object(&Object {
                name: "HealthDetail",
                members: &[
                    member(
                        "status",
                        Schema::OneOf(&["ok", "failing"]),
                        "as /health says",
                    ),
                    REASONS,
                ],
            }),
            "the agent's own condition",
        ),
        member(
            "counts",
            Schema::Object(&COUNTS),
            "PDUs by state, and what happened since the start",
        ),
    ],
});

const COUNTS: Object = Object {
    name: "Counts",
    members: &[
        member("pdus", Schema::Integer, "configured PDUs"),
        member("pdus_ok", Schema::Integer, "read and below their limits"),
        member("pdus_over_limit", Schema::Integer, "above a limit"),
        member("pdus_stale", Schema::Integer, "last answer is late"),
        member("pdus_unreachable", Schema::Integer, "do not answer"),
        member(
            "pdus_unknown",
            Schema::Integer,
            "never read, or without power",
        ),
        member("teams", Schema::Integer, "configured teams"),
        member("alerts_firing", Schema::Integer, "alerts that fire"),
        member("polls_ok", Schema::Integer, "polls that were answered"),
        member("polls_failed", Schema::Integer, "polls without an answer"),
        member(
            "polls_overrun",
            Schema::Integer,
            "polls left out because the one before ran",
        ),
        member("messages_sent", Schema::Integer, "messages delivered"),
        member("messages_failed", Schema::Integer, "failed attempts"),
        member("messages_queued", Schema::Integer, "messages waiting"),
        member("commands", Schema::Integer, "commands run"),
        member("commands_refused", Schema::Integer, "commands refused"),
        member(
            "journal_records",
            Schema::Integer,
            "records written to the journal",
        ),
    ],
};

/// Shape of `/api/power`.
pub const POWER: Schema = Schema::Object(&Object {
    name: "Power",
    members: &[
        member("time", Schema::Time, "when this was put together"),
        member(
            "total_power_w",
            NUMBER,
            "sum over all PDUs in watts; a lower bound while site.missing is not empty",
        ),
        member("pdus", Schema::List(&PDU), "in the configuration's order"),
        member("teams", Schema::List(&TEAM), "in the configuration's order"),
        member("site", SITE, "all PDUs together"),
    ],
});

/// Shape of a PDU.
pub const PDU: Schema = Schema::Object(&Object {
    name: "Pdu",
    members: &[
        member("name", Schema::Text, "its name"),
        member("team", TEXT, "its team"),
        member("address", Schema::Text, "host, with a port other than 161"),
        member("profile", TEXT, "the device profile in use"),
        member("state", Schema::OneOf(STATES), "its state"),
        member("reason", TEXT, "why it is in that state"),
        member("time", TIME, "when it was last read"),
        member("age_s", NUMBER, "seconds since then"),
        member("restarted_at", TIME, "when it last restarted"),
        member(
            "power_w",
            NUMBER,
            "watts; like all current values null while it does not answer",
        ),
        member("apparent_va", NUMBER, "volt-amperes"),
        FACTOR,
        member("current_a", NUMBER, "amperes of its single inlet"),
        member("voltage_v", NUMBER, "volts of its single inlet"),
        member("limit_w", NUMBER, "power limit in watts"),
        member(
            "limit_source",
            Schema::OrNull(&Schema::OneOf(&["configuration", "device"])),
            "who sets it; device: nothing is configured, and it has a threshold of its own",
        ),
        member(
            "headroom_w",
            NUMBER,
            "watts left to the limit, negative above it",
        ),
        member("rating_w", NUMBER, "watts that the device is rated for"),
        member(
            "breaker",
            Schema::OrNull(&BREAKER),
            "the inlet, phase or breaker that is nearest to what it is rated for; null where the device tells no rating",
        ),
        LIMIT_IN,
        member(
            "peak_w",
            NUMBER,
            "highest power since the last reset in watts",
        ),
        member("peak_time", TIME, "when that was"),
        member("energy_kwh", NUMBER, "kilowatt-hours"),
        member("phases", Schema::List(&PHASE), "in the device's order"),
        member("outlets", Schema::List(&OUTLET), "where the device has any"),
        member("temperatures", Schema::List(&PROBE), "attached probes"),
    ],
});

const PHASE: Schema = Schema::Object(&Object {
    name: "Phase",
    members: &[
        member("index", Schema::Integer, "counted from 1"),
        member("power_w", NUMBER, "watts"),
        member("current_a", NUMBER, "amperes"),
        member("voltage_v", NUMBER, "volts"),
        member("apparent_va", NUMBER, "volt-amperes"),
        member("energy_kwh", NUMBER, "kilowatt-hours"),
        FACTOR,
        member("rating_a", NUMBER, "amperes that it is rated for"),
    ],
});

const BREAKER: Schema = Schema::Object(&Object {
    name: "Breaker",
    members: &[
        member(
            "part",
            Schema::OneOf(&["inlet", "phase", "bank"]),
            "what it is",
        ),
        member("index", NUMBER, "its number; null for the inlet"),
        member("rating_a", Schema::Number, "amperes that it is rated for"),
        member("current_a", Schema::Number, "amperes that it carries"),
        member("left_a", Schema::Number, "amperes left, negative above"),
    ],
});

const OUTLET: Schema = Schema::Object(&Object {
    name: "Outlet",
    members: &[
        member("index", Schema::Integer, "as the device counts"),
        member("name", TEXT, "its name on the device"),
        member(
            "state",
            Schema::OrNull(&Schema::OneOf(&["on", "off"])),
            "switched on or off",
        ),
        member("power_w", NUMBER, "watts"),
        member("current_a", NUMBER, "amperes"),
        FACTOR,
        member("energy_kwh", NUMBER, "kilowatt-hours"),
    ],
});

const PROBE: Schema = Schema::Object(&Object {
    name: "TemperatureProbe",
    members: &[
        member("name", Schema::Text, "its name on the device"),
        member("temperature_celsius", NUMBER, "degrees Celsius"),
    ],
});

const TEAM: Schema = Schema::Object(&Object {
    name: "Team",
    members: &[
        member("name", Schema::Text, "its name"),
        member(
            "power_w",
            NUMBER,
            "watts; a lower bound while members are missing",
        ),
        member("limit_w", NUMBER, "power limit in watts"),
        SUM_HEADROOM,
        LIMIT_IN,
        member("state", Schema::OneOf(SUM_STATES), "its state"),
        MISSING,
    ],
});

const SITE: Schema = Schema::Object(&Object {
    name: "Site",
    members: &[
        member(
            "power_w",
            NUMBER,
            "watts; a lower bound while members are missing",
        ),
        member("soft_limit_w", NUMBER, "limit that warns, in watts"),
        member("soft_headroom_w", NUMBER, "watts left to it"),
        member("hard_limit_w", NUMBER, "limit that alarms, in watts"),
        member("hard_headroom_w", NUMBER, "watts left to it"),
        SUM_HEADROOM,
        LIMIT_IN,
        member("state", Schema::OneOf(SUM_STATES), "its state"),
        MISSING,
    ],
});

const FACTOR: Member = member(
    "power_factor",
    NUMBER,
    "real by apparent power, above 0 and at most 1; null unless the device tells it",
);

const LIMIT_IN: Member = member(
    "limit_in_s",
    NUMBER,
    "seconds until the (hard) limit is reached at the present trend; null when there is no rising one within an hour",
);

const SUM_HEADROOM: Member = member(
    "headroom_w",
    NUMBER,
    "watts left to the (hard) limit, negative above it; null below it while members are missing",
);

const MISSING: Member = member(
    "missing",
    Schema::List(&Schema::Text),
    "members that were not read and are not in the sum",
);

/// Shape of `/api/host`.
pub const HOST: Schema = Schema::Object(&Object {
    name: "Host",
    members: &[
        member(
            "time",
            TIME,
            "when it was looked at; null, like everything else, without the monitor and while looks fail",
        ),
        member("age_s", NUMBER, "seconds since then"),
        CPU_PERCENT,
        member("cores", Schema::List(&CORE), "those that are online"),
        member(
            "load",
            Schema::OrNull(&Schema::List(&Schema::Number)),
            "load averages over 1, 5 and 15 minutes",
        ),
        member("memory", Schema::OrNull(&MEMORY), "main memory"),
        member("swap", Schema::OrNull(&SWAP), "swap"),
        member(
            "disks",
            Schema::List(&DISK),
            "mounted file systems that hold data",
        ),
        member("temperatures", Schema::List(&SENSOR), "temperature sensors"),
        member(
            "networks",
            Schema::List(&NETWORK),
            "interfaces, without the loopback",
        ),
        member("uptime_s", NUMBER, "seconds since the machine started"),
        member(
            "throttled",
            Schema::OrNull(&THROTTLED),
            "what a Raspberry Pi says of its supply and heat; null elsewhere",
        ),
    ],
});

const CPU_PERCENT: Member = member(
    "cpu_percent",
    NUMBER,
    "how busy it was since the look before, 0 to 100",
);
const USED_PERCENT: Member = member("used_percent", NUMBER, "0 to 100");
const TOTAL_BYTES: Member = member("total_bytes", Schema::Integer, "size");
const FREE_BYTES: Member = member("free_bytes", Schema::Integer, "used by nothing at all");

const CORE: Schema = Schema::Object(&Object {
    name: "Core",
    members: &[member("index", Schema::Integer, "its number"), CPU_PERCENT],
});

const MEMORY: Schema = Schema::Object(&Object {
    name: "Memory",
    members: &[
        TOTAL_BYTES,
        member("used_bytes", Schema::Integer, "what is not available"),
        member(
            "available_bytes",
            Schema::Integer,
            "what programs can have without swapping",
        ),
        FREE_BYTES,
        member("buffers_bytes", Schema::Integer, "buffers of the kernel"),
        member("cached_bytes", Schema::Integer, "files in memory"),
        USED_PERCENT,
    ],
});

const SWAP: Schema = Schema::Object(&Object {
    name: "Swap",
    members: &[
        TOTAL_BYTES,
        member("used_bytes", Schema::Integer, "in use"),
        FREE_BYTES,
        USED_PERCENT,
    ],
});

const DISK: Schema = Schema::Object(&Object {
    name: "Disk",
    members: &[
        member("mount", Schema::Text, "where it is mounted"),
        member("device", Schema::Text, "what is mounted"),
        member("type", Schema::Text, "ext4, nfs4 and so on"),
        member("is_read_only", Schema::Boolean, "mounted read-only"),
        member(
            "total_bytes",
            NUMBER,
            "size; like all figures null while it does not answer",
        ),
        member("used_bytes", NUMBER, "in use"),
        member("free_bytes", NUMBER, "free for root"),
        member("available_bytes", NUMBER, "free for everybody"),
        member(
            "used_percent",
            NUMBER,
            "in use of what everybody can have, as df counts it",
        ),
        member(
            "inodes",
            NUMBER,
            "inodes in all; 0 where there are none to run out of",
        ),
        member("inodes_free", NUMBER, "free inodes"),
        member("inodes_used_percent", NUMBER, "inodes in use, 0 to 100"),
        member(
            "hangs_for_s",
            NUMBER,
            "seconds for which it has not answered; null while it does",
        ),
    ],
});

const SENSOR: Schema = Schema::Object(&Object {
    name: "TemperatureSensor",
    members: &[
        member("name", Schema::Text, "its name, the same across boots"),
        member(
            "is_main",
            Schema::Boolean,
            "the one of a device's sensors that limits are meant for",
        ),
        member(
            "kind",
            Schema::OneOf(&["cpu", "gpu", "disk", "other"]),
            "what it sits on",
        ),
        member("temperature_celsius", NUMBER, "degrees Celsius"),
        member("critical_celsius", NUMBER, "the device's own limit"),
    ],
});

const NETWORK: Schema = Schema::Object(&Object {
    name: "Network",
    members: &[
        member("name", Schema::Text, "its name"),
        member(
            "is_virtual",
            Schema::Boolean,
            "a bridge, a tunnel or the end of a container",
        ),
        member(
            "has_carrier",
            Schema::OrNull(&Schema::Boolean),
            "null while it is down",
        ),
        member("receive_bytes_per_s", NUMBER, "since the look before"),
        member("transmit_bytes_per_s", NUMBER, "since the look before"),
        member("receive_bytes", Schema::Integer, "since it came up"),
        member("transmit_bytes", Schema::Integer, "since it came up"),
        member("receive_packets", Schema::Integer, "since it came up"),
        member("transmit_packets", Schema::Integer, "since it came up"),
        member("receive_errors", Schema::Integer, "since it came up"),
        member("transmit_errors", Schema::Integer, "since it came up"),
    ],
});

const THROTTLED: Schema = Schema::Object(&Object {
    name: "Throttled",
    members: &[
        member("is_now", Schema::Boolean, "something is wrong at present"),
        member(
            "is_since_boot",
            Schema::Boolean,
            "something was wrong since the start of the machine",
        ),
        member(
            "bits",
            Schema::Integer,
            "the firmware's word (vcgencmd get_throttled)",
        ),
        member(
            "known_bits",
            Schema::Integer,
            "the bits of it that could be read",
        ),
        member(
            "source",
            Schema::OneOf(&["hwmon", "firmware"]),
            "who says so",
        ),
        member("sentence", Schema::Text, "the same for people"),
    ],
});

/// Shape of `/api/alerts`.
pub const ALERTS: Schema = Schema::Object(&Object {
    name: "Alerts",
    members: &[
        member("time", Schema::Time, "when this was put together"),
        member("alerts", Schema::List(&ALERT), "every alert that is not ok"),
    ],
});

const ALERT: Schema = Schema::Object(&Object {
    name: "Alert",
    members: &[
        member(
            "number",
            Schema::Integer,
            "short number, for /ack and /mute in the chat",
        ),
        member(
            "name",
            Schema::Text,
            "plugin, rule and thing: power.limit:alpha",
        ),
        member(
            "state",
            Schema::OneOf(&["ok", "pending", "firing", "unknown"]),
            "its state",
        ),
        member(
            "severity",
            Schema::OneOf(&["info", "warning", "critical"]),
            "how bad it is",
        ),
        member("summary", Schema::Text, "one line for people"),
        member("since", Schema::Time, "since when it is in this state"),
        member("value", NUMBER, "last value"),
        member("worst", NUMBER, "worst value since it fired"),
        member("unit", Schema::Text, "unit of both"),
        member("muted_until", TIME, "end of its mute"),
        member("acknowledged_by", TEXT, "who acknowledged it"),
        member(
            "flapping",
            Schema::Boolean,
            "it changes all the time, which one message says in place of each change",
        ),
        member(
            "inhibited_by",
            TEXT,
            "the alert that hides this one, or because of which nothing is known of it",
        ),
    ],
});
