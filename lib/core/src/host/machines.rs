//! Machines as trees of `/proc` and `/sys`, for tests: a file for each in `lib/core/tests/machines`.
//!
//! A line is a path, a tab and what stands there, with `\n`, `\t`, `\0` and `\\`; or `-> ` and the target of a link.
//! Values are made up, paths and names are as these boards and drivers have them.

use super::Files;
use std::collections::BTreeMap;

macro_rules! machine {
    ($name:literal) => {
        (
            $name,
            include_str!(concat!("../../tests/machines/", $name, ".tree")),
        )
    };
}
/// By name.
pub(crate) const MACHINES: &[(&str, &str)] = &[
    machine!("raspberry-pi-3"),
    machine!("raspberry-pi-4"),
    machine!("raspberry-pi-5"),
    machine!("intel-laptop"),
    machine!("intel-server"),
    machine!("amd-desktop"),
    machine!("threadripper"),
    machine!("rk3588"),
    machine!("allwinner-h616"),
    machine!("mixed-arm"),
    machine!("raspberry-pi-zero-2"),
    machine!("vendor-kernels"),
];

/// A folder has no entry of its own.
#[derive(Clone, Default)]
pub(crate) struct Tree {
    pub(crate) entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    File(String),
    Link(String),
}

impl Tree {
    /// One of `MACHINES`.
    pub(crate) fn of(name: &str) -> Tree {
        let machine = MACHINES.iter().find(|(known, _)| *known == name);
        let (_, text) = machine.expect("a machine of the table");
        let mut tree = Tree::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (path, content) = line.split_once('\t').expect("a path and a content");
            let entry = match content.strip_prefix("-> ") {
                Some(target) => Entry::Link(target.to_owned()),
                None => Entry::File(unescape(content)),
            };
            tree.entries.insert(path.to_owned(), entry);
        }
        tree
    }

    fn is_there(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.entries.contains_key(path) || self.entries.keys().any(|own| own.starts_with(&below))
    }
}

impl Files for Tree {
    fn names(&self, folder: &str) -> Vec<String> {
        let Some(real) = self.real(folder) else {
            return Vec::new();
        };
        let below = format!("{real}/");
        let rest = self
            .entries
            .keys()
            .filter_map(|path| path.strip_prefix(&below));
        let mut names: Vec<String> = rest
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        names.dedup();
        // As a folder gives them: in no order.
        names.reverse();
        names
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.entries.get(&self.real(path)?)? {
            Entry::File(text) => Some(text.clone()),
            Entry::Link(_) => None,
        }
    }

    fn real(&self, path: &str) -> Option<String> {
        let mut real: Vec<String> = Vec::new();
        let mut rest: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        while let Some(part) = rest.pop() {
            if part == ".." {
                real.pop();
                continue;
            }
            real.push(part);
            if let Some(Entry::Link(target)) = self.entries.get(&real.join("/")) {
                real.pop();
                rest.extend(target.split('/').rev().map(str::to_owned));
            }
        }
        let real = real.join("/");
        self.is_there(&real).then_some(real)
    }
}

fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        plain.push(match sign {
            '\\' => match signs.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('0') => '\0',
                _ => '\\',
            },
            sign => sign,
        });
    }
    plain
}
