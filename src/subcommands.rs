//! The table of subcommands and options, from which parsing, help, completions and the manual page are made.

/// A row of the table of subcommands.
#[derive(Debug, PartialEq)]
pub(crate) struct Sub {
    /// As it is typed.
    pub(crate) name: &'static str,
    /// Positional arguments.
    pub(crate) usage: &'static str,
    /// One line, lower case, without a full stop.
    pub(crate) help: &'static str,
    /// A paragraph for `help SUB` and the manual page.
    pub(crate) about: &'static str,
    /// Its options.
    pub(crate) options: &'static [Opt],
    /// Words that the first positional argument can be, for completions.
    pub(crate) words: &'static [&'static str],
    /// Whole lines to copy.
    pub(crate) examples: &'static [&'static str],
}

/// A row of a subcommand's table of options.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Opt {
    /// Without the dashes.
    pub(crate) name: &'static str,
    /// What follows it; empty for a switch.
    pub(crate) value: &'static str,
    /// One line, with the default.
    pub(crate) help: &'static str,
}

const fn opt(name: &'static str, value: &'static str, help: &'static str) -> Opt {
    Opt { name, value, help }
}

const CONFIG: Opt = opt(
    "config",
    "FILE",
    "the configuration (default: /etc/rackwarden/rackwarden.toml, else ~/.config/rackwarden/rackwarden.toml)",
);

/// Who asks in SNMPv3.
const V3: [Opt; 7] = [
    opt("v3-user", "NAME", "SNMPv3: user"),
    opt(
        "v3-level",
        "LEVEL",
        "SNMPv3: noAuthNoPriv, authNoPriv or authPriv (default: what is given below)",
    ),
    opt(
        "v3-auth",
        "NAME",
        "SNMPv3: MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512",
    ),
    opt("v3-auth-password-file", "FILE", "SNMPv3: its password"),
    opt(
        "v3-priv",
        "NAME",
        "SNMPv3: DES, AES-128, AES-192, AES-256, AES-192-C or AES-256-C",
    ),
    opt("v3-priv-password-file", "FILE", "SNMPv3: its password"),
    opt("v3-context", "NAME", "SNMPv3: context (default: none)"),
];

/// A subcommand's own options, and behind them those of SNMPv3.
const fn with_v3<const OWN: usize, const ALL: usize>(own: [Opt; OWN]) -> [Opt; ALL] {
    assert!(OWN + V3.len() == ALL, "count them");
    let mut all = [CONFIG; ALL];
    let mut at = 0;
    while at < ALL {
        all[at] = if at < OWN { own[at] } else { V3[at - OWN] };
        at += 1;
    }
    all
}

/// Every subcommand of this version, in the order of the help. The first is what runs without a name.
pub(crate) const SUBS: &[Sub] = &[
    Sub {
        name: "run",
        usage: "",
        help: "run the agent in the foreground (the default)",
        about: "Runs the agent until SIGTERM or SIGINT. SIGHUP reads the configuration again; an invalid one is reported and the old one stays.",
        options: &[
            CONFIG,
            opt(
                "plugins",
                "A,B",
                "start only these plugins; may be given twice or space separated",
            ),
        ],
        words: &[],
        examples: &[
            "rackwarden run --config ./rackwarden.toml",
            "rackwarden --plugins power",
        ],
    },
    Sub {
        name: "demo",
        usage: "",
        help: "try everything with simulated PDUs; needs no configuration",
        about: "Starts the whole product on loopback: simulated PDUs that answer real SNMP, the terminal as the chat, and the status page. Ends at /quit, Ctrl-C or end of input. Writes nothing to disk.",
        options: &[opt(
            "listen",
            "ADDR",
            "where the status page stands (default: 127.0.0.1:8093)",
        )],
        words: &[],
        examples: &["rackwarden demo", "echo /current | rackwarden demo"],
    },
    Sub {
        name: "check",
        usage: "",
        help: "validate the configuration and print every error",
        about: "Prints each error with its file, line, column and what is accepted, and ends with 2 if there is one. Warnings do not fail.",
        options: &[
            CONFIG,
            opt(
                "effective",
                "",
                "print the full configuration with defaults, secrets masked",
            ),
        ],
        words: &[],
        examples: &[
            "rackwarden check",
            "rackwarden check --config new.toml --effective",
        ],
    },
    Sub {
        name: "doctor",
        usage: "",
        help: "look whether everything that is configured is there and answers",
        about: "Asks the chat service for its bot and its chats, each PDU, the mail server, the heartbeat's host, the disk and the clock, and prints one line each: ok, warn or fail, and what to do. Sends nothing to anybody and leaves a running agent alone. Ends within 10 s, with 1 if something fails.",
        options: &[CONFIG],
        words: &[],
        examples: &["sudo rackwarden doctor"],
    },
    Sub {
        name: "probe",
        usage: "HOST[:PORT]",
        help: "identify one device and print its readings",
        about: "Asks one device over SNMP what it is, and reads it once. Ends with 1 if it does not answer.",
        options: &with_v3::<7, 14>([
            opt("community", "C", "read community (default: public)"),
            opt("snmp-version", "1|2c|3", "protocol version (default: 2c)"),
            opt(
                "profile",
                "NAME",
                "use this profile, or this file with one (default: by what it answers)",
            ),
            opt("json", "", "print one JSON object"),
            opt(
                "record",
                "FILE",
                "write what it answers to a .snmprec file, without what is private",
            ),
            opt("timeout", "TIME", "wait for one request (default: 1s)"),
            opt("retries", "N", "send it so often again (default: 2)"),
        ]),
        words: &[],
        examples: &[
            "rackwarden probe 192.168.1.101",
            "rackwarden probe pdu-7:1161 --community secret --json",
            "rackwarden probe 192.168.1.103 --record unknown.snmprec",
            "rackwarden probe pdu-8 --v3-user apc --v3-auth SHA-256 --v3-auth-password-file apc.auth --v3-priv AES-128 --v3-priv-password-file apc.priv",
        ],
    },
    Sub {
        name: "discover",
        usage: "CIDR",
        help: "find the PDUs in a network, ready to paste",
        about: "Asks every address of a network (at most an IPv4 /16) for SNMP, in version 2c and 1, and who answers what it is; prints a [[pdu]] table for each PDU, by address. What else was found stands on standard error. Ctrl-C ends the search and prints what was found until then.",
        options: &with_v3::<4, 11>([
            opt(
                "community",
                "C",
                "read community; may be given more than once (default: public)",
            ),
            opt("port", "N", "UDP port (default: 161)"),
            opt("rate", "N", "questions a second (default: 100)"),
            opt("timeout", "TIME", "wait for an answer (default: 1s)"),
        ]),
        words: &[],
        examples: &[
            "rackwarden discover 192.168.1.0/24 >> rackwarden.toml",
            "rackwarden discover 10.7.0.0/16 --community public --community racks --rate 500",
        ],
    },
    Sub {
        name: "profiles",
        usage: "[show NAME]",
        help: "list the known device profiles, or print one",
        about: "Lists the device families that are known; `show` prints what one of them reads and writes.",
        options: &[],
        words: &["show"],
        examples: &["rackwarden profiles", "rackwarden profiles show apc-rpdu2"],
    },
    Sub {
        name: "simulate",
        usage: "",
        help: "answer SNMP as one or many PDUs",
        about: "Answers until it is ended. Values vary over time and SETs work. Up to 1,000 devices stand on consecutive ports; above that each has an address of its own, counted up from the one given.",
        options: &with_v3::<6, 13>([
            opt(
                "listen",
                "ADDR",
                "of the first device (default: 127.0.0.1:16100)",
            ),
            opt("count", "N", "how many devices (default: 1)"),
            opt(
                "profile",
                "NAME",
                "what they are, as in `rackwarden profiles` (default: apc-rpdu2)",
            ),
            opt("recording", "FILE", "answer with this .snmprec file"),
            opt("community", "C", "read community (default: public)"),
            opt("write-community", "C", "write community (default: private)"),
        ]),
        words: &[],
        examples: &["rackwarden simulate --count 4 --profile apc-rpdu2"],
    },
    Sub {
        name: "import",
        usage: "iscbot ACCESSLIST IPS | pytmbot FILE",
        help: "turn a predecessor's configuration into ours",
        about: "Prints a configuration on standard output. Lines that cannot be read are reported with file and line and end it with 1.",
        options: &[],
        words: &["iscbot", "pytmbot"],
        examples: &[
            "rackwarden import iscbot accesslist.conf ips.csv > rackwarden.toml",
            "rackwarden import pytmbot pytmbot.yaml > rackwarden.toml",
        ],
    },
    Sub {
        name: "ask",
        usage: "COMMAND",
        help: "run one chat command against the running agent",
        about: "Sends one chat command over the agent's local socket and prints the reply. Buttons are numbered lines; `ask \"/press CODE\"` presses one.",
        options: &[CONFIG],
        words: &[],
        examples: &["rackwarden ask \"/current\""],
    },
    Sub {
        name: "status",
        usage: "",
        help: "print what the running agent sees",
        about: "Prints the running agent's readings and alerts as text. Ends with 1 if no agent runs.",
        options: &[CONFIG, opt("json", "", "print JSON")],
        words: &[],
        examples: &["rackwarden status --json"],
    },
    Sub {
        name: "pair",
        usage: "",
        help: "print a one-time code; who sends it to the bot becomes owner",
        about: "Asks the running agent for a code of eight digits and prints it. Whoever sends it to the bot in a private chat first becomes owner; it dies after 10 minutes, after five wrong tries of everybody together, and when the agent ends. Only root and the agent's own user may ask, with or without owners.",
        options: &[CONFIG],
        words: &[],
        examples: &["sudo rackwarden pair"],
    },
    Sub {
        name: "test-alert",
        usage: "NAME --value V",
        help: "send a test of an alert the whole way",
        about: "Runs one rule of the running agent with a made-up value, and sends its message, marked as a test, to everybody who would get it. Prints where it went and what each transport said, and ends with 1 if one did not accept it within 30 seconds. The alert itself, its budget and exceedings.log stay as they are. Only root, the agent's own user and owners may ask.",
        options: &[
            CONFIG,
            opt(
                "value",
                "V",
                "what the rule is to judge, such as 3500 or \"3.5 kW\"",
            ),
        ],
        words: &[],
        examples: &["rackwarden test-alert power.limit:alpha --value 3500"],
    },
    Sub {
        name: "audit",
        usage: "verify [DIR]",
        help: "check the hash chain of the audit log",
        about: "Checks every line of audit.log and of its older files in the state directory against its hash and the line before, and the end against the journal. Ends with 1 and names the first bad line. The agent may run meanwhile. DIR is the state directory (default: that of the configuration, else /var/lib/rackwarden).",
        options: &[CONFIG],
        words: &["verify"],
        examples: &["sudo rackwarden audit verify"],
    },
    Sub {
        name: "completions",
        usage: "bash|zsh|fish",
        help: "print shell completions",
        about: "Prints a completion script for the shell on standard output.",
        options: &[],
        words: &["bash", "zsh", "fish"],
        examples: &["rackwarden completions bash > /etc/bash_completion.d/rackwarden"],
    },
    Sub {
        name: "man",
        usage: "",
        help: "print the manual page",
        about: "Prints the manual page in roff on standard output.",
        options: &[],
        words: &[],
        examples: &["rackwarden man | man -l -"],
    },
    Sub {
        name: "help",
        usage: "[COMMAND]",
        help: "print help, of one command with its name",
        about: "Prints the list of commands, or one command with its options and examples.",
        options: &[],
        words: &[],
        examples: &["rackwarden help probe"],
    },
];

/// Finds a subcommand by its full name.
pub(crate) fn sub(name: &str) -> Option<&'static Sub> {
    SUBS.iter().find(|sub| sub.name == name)
}
