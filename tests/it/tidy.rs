//! The layering and the house rules that no lint of the compiler checks. A finding names file, line and rule.

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

/// No file of code is longer than this.
const MAX_LINES: usize = 700;

/// What code outside `io` may not even name. Clippy refuses the calls; this refuses the imports.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "Instant::now",
    "SystemTime::now",
    "println!",
    "eprintln!",
    "rackwarden_io",
    "rustix::",
    "ureq::",
    "Mutex",
    "RwLock",
    "smol::",
    "sysinfo::",
];

/// The crates that do no I/O.
const PURE: &[&str] = &["base", "snmp", "pdu", "core"];

/// Crates that no pure crate may depend on.
const IMPURE_CRATES: &[&str] = &[
    "rackwarden-io",
    "rustix",
    "libc",
    "nix",
    "ureq",
    "rustls",
    "smol",
    "tokio",
    "signal-hook",
    "sysinfo",
    "tiny_http",
    "tungstenite",
];

struct Source {
    /// Relative to the root of the repository.
    path: String,
    text: String,
}

impl Source {
    /// A file of tests, which stands outside of the module that it tests because that is long.
    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs")
    }

    /// Lines of code before the tests, without comments, numbered from 1.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(index, line)| (index + 1, line.split(" // ").next().unwrap_or(line)))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str) -> Vec<Source> {
    let mut folders = vec![root().join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                sources.push(read(path));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn read(path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).expect("a source file is readable UTF-8");
    let path = path.strip_prefix(root()).expect("below the root");
    Source {
        path: path.display().to_string(),
        text,
    }
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_default()
}

fn pure_sources() -> Vec<Source> {
    let mut sources: Vec<Source> = PURE
        .iter()
        .flat_map(|name| sources(&format!("lib/{name}/src")))
        .collect();
    sources.retain(|source| !source.is_test());
    sources
}

/// Every crate path that a line names (`crate::a::b`, also behind `use crate::{…}`), from `crate::` on.
fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::")
        .map(|(start, word)| &line[start + word.len()..])
}

fn complain(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn pure_modules_name_nothing_of_the_outside_world() {
    let sources = pure_sources();
    assert!(!sources.is_empty());
    let mut findings = Vec::new();
    for source in &sources {
        for (number, line) in source.code() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: `{word}` belongs to io", source.path));
            }
        }
    }
    complain(findings);
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    let mut findings = Vec::new();
    for name in PURE {
        let path = format!("lib/{name}/Cargo.toml");
        let manifest: toml::Table = document(&path).parse().expect("a manifest");
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        for word in IMPURE_CRATES
            .iter()
            .filter(|word| dependencies.contains_key(**word))
        {
            findings.push(format!("{path}: `{word}` belongs to rackwarden-io"));
        }
    }
    complain(findings);
}

fn starts_with_path(path: &str, wanted: &str) -> bool {
    path.strip_prefix(wanted)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

#[test]
fn plugins_do_not_import_each_other() {
    let mut findings = Vec::new();
    for source in sources("lib/core/src/plugins") {
        let own = source.path["lib/core/src/plugins/".len()..]
            .split(['/', '.'])
            .next()
            .unwrap_or_default();
        for (number, line) in source.code().filter(|_| own != "mod") {
            for path in crate_paths(line) {
                let Some(rest) = path.strip_prefix("plugins::") else {
                    continue;
                };
                // The trait and its types stand in plugins/mod.rs and begin with a capital.
                let other = rest.chars().next().is_some_and(char::is_lowercase);
                if other && !starts_with_path(rest, own) {
                    findings.push(format!(
                        "{}:{number}: `{own}` imports `{path}`",
                        source.path
                    ));
                }
            }
        }
    }
    complain(findings);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut findings = Vec::new();
    let mut modules = pure_sources();
    modules.extend(sources("lib/io/src"));
    modules.extend(sources("src"));
    for source in modules.iter().filter(|source| !source.is_test()) {
        let says = source
            .text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("//! "))
            .is_some_and(|words| words.len() >= 15);
        if !says {
            findings.push(format!("{}: no module documentation", source.path));
        }
    }
    complain(findings);
}

#[test]
fn architecture_names_every_room() {
    let architecture = document("ARCHITECTURE.md");
    let words: Vec<&str> = architecture
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .collect();
    let mut findings = Vec::new();
    let mut folders: Vec<String> = PURE.iter().map(|name| format!("lib/{name}/src")).collect();
    folders.push("src".to_owned());
    for folder in folders {
        for entry in fs::read_dir(root().join(&folder))
            .expect("folders of code")
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().replace(".rs", "");
            if !["lib", "main", "mod"].contains(&name.as_str()) && !words.contains(&name.as_str()) {
                findings.push(format!("ARCHITECTURE.md does not name {folder}/{name}"));
            }
        }
    }
    complain(findings);
}

#[test]
fn files_have_one_subject() {
    let folders = ["lib", "src", "tests", "examples", "benches", "fuzz"];
    let long = folders
        .iter()
        .flat_map(|folder| sources(folder))
        .filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > MAX_LINES)
                .then(|| format!("{}: {lines} lines, at most {MAX_LINES}", source.path))
        });
    complain(long.collect());
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!(", "dbg!("];
    let mut findings = Vec::new();
    for source in ["lib", "src", "examples", "benches"]
        .iter()
        .flat_map(|folder| sources(folder))
    {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                findings.push(format!("{}:{}: {mark}", source.path, index + 1));
            }
        }
    }
    complain(findings);
}

#[test]
fn readme_names_the_two_commands() {
    let readme = document("README.md");
    for command in ["cargo run --release -- demo", "tests/run"] {
        assert!(
            readme.contains(command),
            "README.md does not name `{command}`"
        );
    }
}

#[test]
fn every_example_and_every_fuzz_target_is_listed() {
    let readme = document("README.md");
    let mut findings = Vec::new();
    for source in sources("examples") {
        let name = source.path["examples/".len()..]
            .trim_end_matches(".rs")
            .to_owned();
        if !readme.contains(&name) {
            findings.push(format!("README.md does not list the example {name}"));
        }
    }
    let manifest = document("fuzz/Cargo.toml");
    for source in sources("fuzz/fuzz_targets") {
        let name = source.path["fuzz/fuzz_targets/".len()..]
            .trim_end_matches(".rs")
            .to_owned();
        if !manifest.contains(&format!("name = \"{name}\"")) {
            findings.push(format!("fuzz/Cargo.toml does not list the target {name}"));
        }
    }
    complain(findings);
}
