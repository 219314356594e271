//! The audit log as a chain: each line ends with its number and a hash over itself and the line before (docs/access.md).
//! Where the lines are kept is not known here.

use crate::digest::{digest, hex};
use crate::state::{Pending, Records};
use crate::time::{Now, Zone};
use std::collections::VecDeque;

/// Before the first line.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes of a line without number and hash; more is cut off.
const MAX_TEXT: usize = 1000;
/// The namespace of the newest lines in the journal.
pub const NAMESPACE: &str = "audit";

/// A line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// What it says, with the time.
    pub text: &'a str,
    /// Its number, counted from 1.
    pub number: u64,
    /// Its hash, in hexadecimal.
    pub hash: &'a str,
    /// Text and number: what is hashed after the hash of the line before.
    content: &'a str,
}

/// Takes a line apart: `TEXT #NUMBER HASH`.
pub fn read(line: &str) -> Option<Sealed<'_>> {
    let (content, hash) = line.rsplit_once(' ')?;
    let (text, number) = content.rsplit_once(" #")?;
    let is_hash = hash.len() == GENESIS.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(Sealed {
        text,
        number: number.parse().ok().filter(|_| is_hash)?,
        hash,
        content,
    })
}

/// Where a chain ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the last line; zero before the first.
    pub number: u64,
    /// Its hash.
    pub hash: String,
}

impl Default for Head {
    fn default() -> Head {
        Head {
            number: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

impl Head {
    /// Adds a line and returns it with number and hash.
    pub fn seal(&mut self, text: &str) -> String {
        self.number += 1;
        let content = format!("{text} #{}", self.number);
        self.hash = link(&self.hash, &content);
        format!("{content} {}", self.hash)
    }

    /// Goes on to a line that exists.
    ///
    /// # Errors
    /// Says why the line cannot be the next one; the head stays.
    pub fn follow(&mut self, line: &str) -> Result<(), String> {
        let Some(line) = read(line) else {
            return Err(
                "this is no line of an audit log: number and hash are missing at its end".into(),
            );
        };
        let due = self.number + 1;
        if line.number != due {
            return Err(format!(
                "line #{due} is due, and this is #{}: lines are missing or were added",
                line.number
            ));
        }
        if link(&self.hash, line.content) != line.hash {
            return Err(format!(
                "the hash of #{due} is wrong: this line was changed, or the one before"
            ));
        }
        self.take(&line);
        Ok(())
    }

    /// Begins at a line whose forerunner is not known.
    pub fn take(&mut self, line: &Sealed<'_>) {
        self.number = line.number;
        line.hash.clone_into(&mut self.hash);
    }
}

fn link(before: &str, content: &str) -> String {
    hex(&digest(format!("{before}\n{content}").as_bytes()))
}

/// The newest lines, as the journal has them, oldest first.
pub fn newest(records: &Records) -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, String)> = records
        .all::<String>(NAMESPACE)
        .into_iter()
        .filter_map(|(key, line)| Some((key.parse().ok()?, line)))
        .collect();
    crate::small::sort_by_key(&mut lines, |(number, _)| *number);
    lines
}

/// The last lines of the audit log, and where its chain ends.
#[derive(Debug, Default)]
pub struct AuditTail {
    lines: VecDeque<(u64, String)>,
    head: Head,
}

impl AuditTail {
    /// Lines that are kept.
    pub const CAPACITY: usize = 200;

    /// Takes over the lines from before the restart.
    pub fn restore(records: &Records) -> AuditTail {
        let lines = newest(records);
        let mut head = Head::default();
        if let Some(last) = lines.last().and_then(|(_, line)| read(line)) {
            head.take(&last);
        }
        AuditTail {
            lines: lines.into(),
            head,
        }
    }

    /// Keeps one line, and returns it as it is to be appended to `audit.log`.
    pub fn note(
        &mut self,
        now: Now,
        zone: &Zone,
        who: &str,
        action: &str,
        outcome: &str,
        state: &mut Pending,
    ) -> String {
        let text = format!("{} {who}: {action}: {outcome}", now.wall.local(zone));
        let text = crate::text::clean(text).replace('\n', " ");
        let line = self.head.seal(super::grammar::cut(&text, MAX_TEXT));
        state.put(NAMESPACE, &self.head.number.to_string(), &line);
        self.lines.push_back((self.head.number, line.clone()));
        while self.lines.len() > AuditTail::CAPACITY {
            if let Some((number, _)) = self.lines.pop_front() {
                state.delete(NAMESPACE, &number.to_string());
            }
        }
        line
    }

    /// What the newest `count` lines say, oldest first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &str> {
        let skip = self.lines.len().saturating_sub(count);
        let lines = self.lines.iter().skip(skip);
        lines.map(|(_, line)| read(line).map_or(line.as_str(), |line| line.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Mono, Wall};

    #[test]
    fn the_tail_is_capped_and_its_chain_goes_on_after_a_restart() {
        let (mut tail, mut state, mut records) =
            (AuditTail::default(), Pending::new(0), Records::default());
        let now = Now {
            mono: Mono::ZERO,
            wall: Wall(0),
        };
        let mut check = Head::default();
        for round in 0..AuditTail::CAPACITY + 5 {
            if round == 100 {
                tail = AuditTail::restore(&records);
            }
            let line = tail.note(
                now,
                &Zone::UTC,
                "telegram:1 Ann\nfake",
                "power.reset:alpha",
                &round.to_string(),
                &mut state,
            );
            assert!(!line.contains('\n'));
            assert_eq!(check.follow(&line), Ok(()));
            records.apply(&state.take().expect("changes"));
        }
        let tail = AuditTail::restore(&records);
        assert_eq!(
            (tail.lines.len(), tail.head.number),
            (AuditTail::CAPACITY, 205)
        );
        let last: Vec<&str> = tail.newest(1).collect();
        assert_eq!(
            last,
            ["1970-01-01 00:00:00 telegram:1 Ann fake: power.reset:alpha: 204"]
        );
    }

    #[test]
    fn nothing_can_be_changed_removed_added_or_swapped_unnoticed() {
        let mut head = Head::default();
        let lines: Vec<String> = (1..=9)
            .map(|round| head.seal(&format!("did {round}")))
            .collect();
        let verdict = |lines: &[String]| {
            let mut head = Head::default();
            let bad = lines.iter().position(|line| head.follow(line).is_err());
            (bad, head.number)
        };
        assert_eq!(verdict(&lines), (None, 9));
        for at in 0..9 {
            let mut removed = lines.clone();
            removed.remove(at);
            let want = (at < 8).then_some(at);
            assert_eq!(
                verdict(&removed).0,
                want,
                "a cut at the end is for the journal to notice"
            );
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert_eq!(verdict(&doubled).0, Some(at + 1));
            for place in 0..lines[at].len() {
                let mut bytes = lines[at].clone().into_bytes();
                bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
                let mut changed = lines.clone();
                changed[at] = String::from_utf8(bytes).expect("ASCII");
                assert_eq!(verdict(&changed).0, Some(at), "byte {place} of line {at}");
            }
        }
        let mut swapped = lines.clone();
        swapped.swap(3, 4);
        assert_eq!(verdict(&swapped).0, Some(3));
        assert_eq!(
            lines[0],
            "did 1 #1 ce36d310b3512999099fa03605aebbbe2ef0a8b91a5c787903ae75c84c35b565"
        );
    }
}
