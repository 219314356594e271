//! The graph of imports: no cycle among the crates or among the modules of a crate, and a kernel that names no guest.

use super::{Source, complain, document, sources};
use std::collections::{BTreeMap, BTreeSet};

/// The crates of the library and the agent, with the folder of their code.
const CRATES: &[(&str, &str)] = &[
    ("base", "lib/base/src"),
    ("snmp", "lib/snmp/src"),
    ("pdu", "lib/pdu/src"),
    ("core", "lib/core/src"),
    ("io", "lib/io/src"),
    ("rackwarden", "src"),
];

/// The modules of the core from the leaves up. A module imports only what stands before it.
const LAYERS: &[&str] = &[
    "state", "endpoint", "smtp", "host", "run", "stream", "journal", "history", "config",
    "payload", "event", "effect", "render", "chart", "snapshot", "chat", "alert", "ctx", "doctor",
    "http", "plugins", "house", "liveness", "core", "sim",
];

/// Imports against `LAYERS`. The list only becomes shorter: whoever ends one takes its line away.
const AGAINST_LAYERS: &[(&str, &str)] = &[
    ("chat", "alert"),
    ("chat", "ctx"),
    ("config", "alert"),
    ("config", "chat"),
    ("event", "chat"),
    ("payload", "chat"),
    ("snapshot", "alert"),
    ("snapshot", "chat"),
];

/// The kernel, which serves whatever is in the tables of plugins and transports.
const KERNEL: &[&str] = &["core", "core/turn", "ctx", "plugins/mod", "effect", "event"];

/// What the kernel does not name.
const GUESTS: &[&str] = &["power", "pdu", "monitor", "telegram", "chat::mail"];

/// Names of guests in the kernel. The list only becomes shorter, as the other one.
const NAMED_GUESTS: &[(&str, &str)] = &[("plugins/mod", "monitor"), ("plugins/mod", "power")];

/// Edges of a graph: who imports whom, and where.
type Graph = BTreeMap<(String, String), String>;

/// The modules at the top of a crate that each of its modules imports.
fn modules(folder: &str) -> Graph {
    let sources = sources(folder);
    let path = |source: &Source| -> Vec<String> {
        let inner = &source.path[folder.len() + 1..];
        let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
        inner.split('/').map(str::to_owned).collect()
    };
    let tops: BTreeSet<String> = sources
        .iter()
        .map(|source| path(source).remove(0))
        .collect();
    let mut graph = Graph::new();
    for source in sources
        .iter()
        .filter(|source| !source.is_test() && !source.path.contains("/tests/"))
    {
        let own = path(source);
        if ["lib", "main"].contains(&own[0].as_str()) {
            continue;
        }
        for (target, line) in imports(source, own.len()) {
            if tops.contains(&target) && target != own[0] {
                let place = format!("{}:{line}", source.path);
                graph.entry((own[0].clone(), target)).or_insert(place);
            }
        }
    }
    graph
}

/// First names below the root of the crate in `crate::…` and in `super::…` that leads there, with their lines.
fn imports(source: &Source, depth: usize) -> Vec<(String, usize)> {
    let lines: Vec<(usize, &str)> = source.code().collect();
    let code: String = lines.iter().flat_map(|(_, line)| [*line, "\n"]).collect();
    let mut found = Vec::new();
    for root in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&root) {
            let is_whole = !code[..at]
                .ends_with(|before: char| before.is_alphanumeric() || ":_".contains(before));
            let line = lines[code[..at].matches('\n').count()].0;
            if is_whole {
                found.extend(first_names(&code[at + root.len()..]).map(|name| (name, line)));
            }
        }
    }
    found
}

/// The name at the start of a path, or those of a group in braces.
fn first_names(path: &str) -> impl Iterator<Item = String> {
    let mut names = vec![String::new()];
    let mut depth = 0;
    let mut is_first = true;
    for ch in path.chars() {
        match ch {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                names.push(String::new());
                is_first = true;
            }
            ch if is_first && (ch.is_alphanumeric() || ch == '_') => {
                names.last_mut().expect("one at least").push(ch);
                continue;
            }
            ch => is_first &= ch.is_whitespace() && depth > 0,
        }
        if depth <= 0 {
            break;
        }
    }
    names.into_iter()
}

/// Modules in a cycle: each is reached from itself.
fn cycles(graph: &Graph) -> Vec<String> {
    let reached = |from: &str| -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            for (_, to) in graph.keys().filter(|(source, _)| source == at) {
                if reached.insert(to.as_str()) {
                    open.push(to);
                }
            }
        }
        reached
    };
    let is_in_one = |(from, to): &&(String, String)| reached(to).contains(from.as_str());
    let told = |edge: &(String, String)| {
        format!(
            "{}: {} imports {} and is imported by it",
            graph[edge], edge.0, edge.1
        )
    };
    graph.keys().filter(is_in_one).map(told).collect()
}

/// Imports that the list lacks, and entries that it no longer needs.
fn compare(found: &Graph, listed: &[(&str, &str)], what: &str) -> Vec<String> {
    let is_listed = |edge: &(String, String)| listed.contains(&(edge.0.as_str(), edge.1.as_str()));
    let new = found.iter().filter(|(edge, _)| !is_listed(edge));
    let new = new.map(|((from, to), place)| format!("{place}: {from} {what} {to}"));
    let old = listed
        .iter()
        .filter(|(from, to)| !found.contains_key(&((*from).to_owned(), (*to).to_owned())));
    let old = old.map(|(from, to)| format!("{from} {what} {to} no longer; take it from the list"));
    new.chain(old).collect()
}

#[test]
fn crates_depend_on_each_other_without_a_cycle() {
    let mut graph = Graph::new();
    for (name, folder) in CRATES {
        let path = format!("{}Cargo.toml", folder.trim_end_matches("src"));
        let manifest: toml::Table = document(&path).parse().expect("a manifest");
        for table in ["dependencies", "dev-dependencies"] {
            let keys = manifest
                .get(table)
                .and_then(|table| table.as_table())
                .into_iter()
                .flat_map(|table| table.keys());
            for other in keys.filter_map(|key| key.strip_prefix("rackwarden-")) {
                graph.insert(((*name).to_owned(), other.to_owned()), path.clone());
            }
        }
    }
    assert!(graph.len() > CRATES.len());
    complain(cycles(&graph));
}

#[test]
fn modules_import_each_other_without_a_cycle() {
    for (name, folder) in CRATES.iter().filter(|(name, _)| *name != "core") {
        let graph = modules(folder);
        assert!(!graph.is_empty(), "{name}");
        complain(cycles(&graph));
    }
}

#[test]
fn modules_of_the_core_import_only_what_is_below() {
    let graph = modules("lib/core/src");
    let place = |name: &String| {
        LAYERS
            .iter()
            .position(|layer| layer == name)
            .unwrap_or_else(|| panic!("{name} has no layer"))
    };
    let upwards = graph
        .into_iter()
        .filter(|((from, to), _)| place(from) <= place(to));
    complain(compare(&upwards.collect(), AGAINST_LAYERS, "imports"));
}

#[test]
fn the_kernel_names_no_plugin_and_no_transport() {
    let mut found = Graph::new();
    for source in sources("lib/core/src") {
        let name = source.path["lib/core/src/".len()..].trim_end_matches(".rs");
        if !KERNEL.contains(&name) {
            continue;
        }
        for (number, line) in source.code() {
            let line = line.to_lowercase();
            for guest in GUESTS.iter().filter(|guest| line.contains(**guest)) {
                let place = format!("{}:{number}", source.path);
                found
                    .entry((name.to_owned(), (*guest).to_owned()))
                    .or_insert(place);
            }
        }
    }
    complain(compare(&found, NAMED_GUESTS, "names"));
}

#[test]
fn an_added_cycle_is_found() {
    let edge = |from: &str, to: &str| ((from.to_owned(), to.to_owned()), "here:1".to_owned());
    let mut graph: Graph = [edge("a", "b"), edge("b", "c"), edge("a", "c")].into();
    assert!(cycles(&graph).is_empty());
    graph.extend([edge("c", "a")]);
    assert_eq!(cycles(&graph).len(), 4);
    let names = |path: &str| first_names(path).collect::<Vec<_>>();
    assert_eq!(names("alert::book::Entry;"), ["alert"]);
    assert_eq!(
        names("{alert::{Book, Rule},\n    chat, text::Text as Words};"),
        ["alert", "chat", "text"]
    );
}
