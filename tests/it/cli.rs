//! The command line of the real binary: exit codes, what goes to which stream, and that nothing it is given makes it
//! print more than one clear line.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SAMPLE: &str = include_str!("../../systemd/rackwarden.toml");

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("rackwarden-cli-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    /// Writes a file that only its owner may read.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a temporary file");
        set_mode(&path, 0o600);
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rackwarden"));
    command.args(args).stdin(Stdio::null());
    for variable in [
        "RACKWARDEN_CONFIG",
        "RACKWARDEN_TELEGRAM_TOKEN",
        "CREDENTIALS_DIRECTORY",
        "RUST_LOG",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    unpack(command(args).output().expect("the binary runs"))
}

fn unpack(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn help_is_short_and_on_standard_output() {
    for args in [&["--help"][..], &["-h"], &["help"]] {
        let (code, out, err) = run(args);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.lines().count() < 40);
        assert!(
            out.find("Examples:").expect("examples") < out.find("Commands:").expect("commands")
        );
    }
    let (code, out, _) = run(&["help", "probe"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("--snmp-version"));
    assert_eq!(run(&["probe", "--help"]).1, out);
}

#[test]
fn version_is_that_of_the_package() {
    let want = format!("rackwarden {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["--version"]), (Some(0), want, String::new()));
}

#[test]
fn usage_errors_are_one_line_and_end_with_2() {
    for (args, want) in [
        (
            &["chekc"][..],
            "rackwarden: chekc: unknown command; did you mean `check`?\n",
        ),
        (
            &["--confg", "x"],
            "rackwarden: --confg: unknown option; did you mean --config?\n",
        ),
        (
            &["backup"],
            "rackwarden: backup: not in this version; see `rackwarden --help` for what is\n",
        ),
        (
            &["audit"],
            "rackwarden: audit: wrong arguments; write `rackwarden audit verify [DIR]`\n",
        ),
        (
            &["test-alert", "power.limit:alpha"],
            "rackwarden: test-alert: wrong arguments; write `rackwarden test-alert NAME --value V`\n",
        ),
        (
            &["demo", "--listen", "0.0.0.0:0"],
            "rackwarden: --listen 0.0.0.0:0: the demo stays on this machine; write 127.0.0.1:PORT\n",
        ),
        (
            &["check", "--config", "/dev/zero"],
            "rackwarden: /dev/zero: cannot be read: larger than 64 MiB; name the configuration with --config\n",
        ),
        (
            &["a\u{1b}[31m\nb"],
            "rackwarden: a[31m ⏎ b: unknown command; see `rackwarden --help`\n",
        ),
    ] {
        assert_eq!(
            run(args),
            (Some(2), String::new(), want.to_owned()),
            "{args:?}"
        );
    }
}

#[test]
fn check_accepts_the_sample() {
    let folder = Folder::new("sample");
    let path = folder.file("rackwarden.toml", SAMPLE);
    let (code, out, err) = run(&["check", "--config", &path]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("{path}: ok, 0 PDUs, 0 teams\n"));
    // The variable names the file as well.
    let output = command(&["check"]).env("RACKWARDEN_CONFIG", &path).output();
    assert_eq!(unpack(output.expect("runs")).0, Some(0));
}

#[test]
fn check_prints_every_error_and_ends_with_2() {
    let folder = Folder::new("wrong");
    let path = folder.file("r.toml", "[power]\nintervall = \"2s\"\nlimit = 3000\n");
    let (code, out, err) = run(&["check", "--config", &path]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    let want = [
        format!("rackwarden: {path}:2:1: power.intervall: unknown key; did you mean `interval`?"),
        format!("rackwarden: {path}:3:9: power.limit: needs a unit; write \"3000 W\""),
        format!("rackwarden: {path}: 2 errors; correct them and try `rackwarden check` again"),
    ];
    assert_eq!(err.lines().collect::<Vec<_>>(), want);
    let (code, _, err) = run(&["check", "--config", "/nowhere/r.toml"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        err,
        "rackwarden: /nowhere/r.toml: cannot be read: no such file; name the configuration with --config\n"
    );
}

#[test]
fn everything_that_is_wrong_is_said_in_one_run_however_long_the_file() {
    let folder = Folder::new("wrong");
    let token = folder.file("token", "1:abc");
    set_mode(Path::new(&token), 0o644);
    let text = format!(
        "naem = 'rack'\n[telegram]\ntoken_file = '{token}'\n[access]\nowners = ['telegram:1', 'telegram:1']\n\
         [power]\nlimit = '3 kg'\n[monitor.thresholds]\nmemory = {{ on = '80 %', off = '85 %' }}\n\
         [[pdu]]\nname = 'a'\naddress = '10.0.0.1'\nlimit = {{ hard = '3 kW', hard_clear = '3.1 kW' }}\n"
    );
    let places = [
        "1:1: naem",
        "3:14: telegram.token_file",
        "5:25: access.owners[1]",
        "7:9: power.limit",
        "9:31: monitor.thresholds.memory.off",
    ];
    for filler in [0, 1 << 20] {
        let mut text = text.clone();
        text.push_str(&"# a remark\n".repeat(filler / 11));
        text.push_str("[[pdu]]\nname = 'a'\naddress = '10.0.0.2'\n");
        let file = folder.file("wrong.toml", &text);
        for command in ["check", "run"] {
            let (code, out, err) = run(&[command, "--config", &file]);
            assert_eq!((code, out.as_str()), (Some(2), ""), "{command}: {err}");
            for place in places {
                assert!(
                    err.contains(&format!("wrong.toml:{place}: ")),
                    "{command} {place}: {err}"
                );
            }
            assert!(
                err.contains("pdu[1].name: `a` is the name of another PDU"),
                "{err}"
            );
        }
    }
}

#[test]
fn a_person_with_two_roles_is_warned_about() {
    let folder = Folder::new("roles");
    let text = "[[access.grant]]\nwho = 'telegram:2'\nrole = 'viewer'\n[[access.grant]]\nwho = 'telegram:2'\nrole = 'operator'\n";
    let (code, _, err) = run(&["check", "--config", &folder.file("roles.toml", text)]);
    assert_eq!(code, Some(0));
    assert!(
        err.contains("telegram:2 has more than one role; the highest counts"),
        "{err}"
    );
}

#[test]
fn an_audit_log_is_verified_by_its_directory_or_its_configuration() {
    let folder = Folder::new("audit");
    let dir = folder.0.display().to_string();
    let config = folder.file("rackwarden.toml", &format!("state_dir = '{dir}'\n"));
    for args in [
        &["audit", "verify", &dir][..],
        &["audit", "verify", "--config", &config],
    ] {
        let want = format!("{dir}/audit.log: ok, nothing was recorded yet\n");
        assert_eq!(run(args), (Some(0), want, String::new()));
    }
    folder.file(
        "audit.log",
        "2026-11-20 20:15:02 telegram:1: something else\n",
    );
    let (code, out, err) = run(&["audit", "verify", &dir]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.starts_with(&format!(
            "rackwarden: {dir}/audit.log:1: this is no line of an audit log"
        )),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1);
    let (code, _, err) = run(&["audit", "verify", "/nonexistent"]);
    assert_eq!(code, Some(1));
    assert!(err.starts_with("rackwarden: /nonexistent: "), "{err}");
}

#[test]
fn the_effective_configuration_masks_secrets_and_is_accepted() {
    let folder = Folder::new("effective");
    folder.file("token", "12345:s3cr3t\n");
    let path = folder.file(
        "r.toml",
        "[telegram]\ntoken_file = 'token'\nproxy = 'socks5://joe:s3cr3t@127.0.0.1:1080'\n[history]\n\
         [[pdu]]\nname = 'a'\naddress = 'h'\ncommunity = 's3cr3t'\nwrite_community = 's3cr3t'\n",
    );
    let (code, out, err) = run(&["check", "--config", &path, "--effective"]);
    assert_eq!(code, Some(0));
    assert!(!out.contains("s3cr3t"), "{out}");
    assert!(err.lines().count() <= 1, "one warning at most: {err}");
    let again = folder.file("again.toml", &out);
    assert_eq!(run(&["check", "--config", &again, "--effective"]).1, out);
}

#[test]
fn a_secret_that_others_can_read_is_an_error() {
    let folder = Folder::new("exposed");
    let token = folder.file("token", "12345:s3cr3t\n");
    let path = folder.file("r.toml", "[telegram]\ntoken_file = 'token'\n");
    assert_eq!(run(&["check", "--config", &path]).0, Some(0));
    set_mode(Path::new(&token), 0o644);
    let (code, _, err) = run(&["check", "--config", &path]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("2:14: telegram.token_file:") && err.contains("readable by others"),
        "{err}"
    );
    assert!(!err.contains("s3cr3t"), "{err}");
}

#[test]
fn an_iscbot_configuration_is_taken_over() {
    let folder = Folder::new("import");
    let access = folder.file(
        "accesslist.conf",
        "-1001234 rack group\n424242424 Anna\n133742241\n",
    );
    let pdus = folder.file(
        "ips.csv",
        "101,alpha,Team Alpha\n102,bravo,Team Alpha\n103,charlie\n",
    );
    let (code, out, err) = run(&["import", "iscbot", &access, &pdus]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    folder.file("token", "12345:abc\n");
    let filled = out.replace("/etc/rackwarden/telegram.token", "token");
    let filled = filled
        .replace("#[telegram]", "[telegram]")
        .replace("#token_file", "token_file");
    let path = folder.file("r.toml", &filled);
    let (code, out, err) = run(&["check", "--config", &path]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("{path}: ok, 3 PDUs, 1 team\n"));
}

#[test]
fn an_iscbot_line_that_cannot_be_read_is_named() {
    let folder = Folder::new("malformed");
    let access = folder.file("accesslist.conf", "0\n");
    let pdus = folder.file("ips.csv", "101,alpha\nabc,x\n");
    let (code, out, err) = run(&["import", "iscbot", &access, &pdus]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains(&format!("{access}:1: ")) && err.contains(&format!("{pdus}:2: ")),
        "{err}"
    );
}

#[test]
fn a_pytmbot_configuration_is_taken_over() {
    let yaml = "tests/fixtures/import/pytmbot-0.1.yaml";
    let (code, out, err) = run(&["import", "pytmbot", yaml]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains("s3cr3t"), "{out}");
    let folder = Folder::new("pytmbot");
    folder.file("token", "12345:abc\n");
    let filled = out
        .replace("/etc/rackwarden/telegram.token", "token")
        .replace("#[telegram]", "[telegram]")
        .replace("#token_file", "token_file");
    let path = folder.file("r.toml", &filled);
    let (code, _, err) = run(&["check", "--config", &path]);
    assert_eq!(code, Some(0), "{err}");
    let broken = folder.file(
        "broken.yaml",
        "plugins_config:\n  monitor:\n    max_notifications: [0]\n",
    );
    let (code, out, err) = run(&["import", "pytmbot", &broken]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains(&format!("{broken}:3: is out of range")),
        "{err}"
    );
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    for (args, want) in [
        (&["completions", "bash"][..], "complete -F"),
        (&["completions", "zsh"], "#compdef rackwarden"),
        (&["completions", "fish"], "complete -c rackwarden"),
        (&["man"], ".TH RACKWARDEN 1"),
    ] {
        let (code, out, err) = run(args);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        assert!(out.contains(want), "{args:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = command(&["man"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let (code, _, err) = unpack(child.wait_with_output().expect("ends"));
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn what_keeps_the_agent_from_starting_is_one_line_with_what_to_do() {
    let folder = Folder::new("start");
    let at = |name: &str| folder.0.join(name).display().to_string();
    folder.file("file", "");
    fs::create_dir_all(folder.0.join("taken/lock")).expect("a folder");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = busy.local_addr().expect("its address");
    for (text, want) in [
        (
            format!("state_dir = '{}'", at("file/state")),
            format!(
                "{}: cannot create the state directory: not a directory; set state_dir to a place where this user may write",
                at("file/state")
            ),
        ),
        (
            format!("state_dir = '{}'", at("taken")),
            format!(
                "{}: cannot be written: is a directory; let this user write there, or set another state_dir",
                at("taken/lock")
            ),
        ),
        (
            format!("state_dir = '{}'\n[http]\nlisten = '{busy}'", at("state")),
            format!(
                "the status page: {busy} cannot be opened: address already in use; choose another address in [http] listen"
            ),
        ),
        (
            format!(
                "state_dir = '{}'\n[log]\nfile = '{}'",
                at("state"),
                at("taken")
            ),
            format!(
                "{}: cannot open the log file: is a directory; name another in [log] file",
                at("taken")
            ),
        ),
    ] {
        let path = folder.file("r.toml", &text);
        let (code, out, err) = run(&["run", "--config", &path]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert_eq!(err, format!("rackwarden: {want}\n"));
    }
}

#[test]
fn a_standard_output_that_takes_nothing_is_no_panic() {
    for args in [&["demo", "--listen", "127.0.0.1:0"][..], &["profiles"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command(args).stdout(full.expect("Linux has it")).output();
        let (code, _, err) = unpack(output.expect("runs"));
        assert_eq!(code, Some(1), "{err}");
        let want = "rackwarden: standard output: no space left on device; free some space or write elsewhere\n";
        assert_eq!(err, want);
    }
}
