//! The audit log on disk: made to agree with the journal at the start, and verified from end to end.

use super::files::read_stored;
use crate::environment::reason;
use rackwarden_base::fault::{Fault, FaultKind};
use rackwarden_core::chat::audit::{self, Head};
use rackwarden_core::effect::LogFile;
use rackwarden_core::journal::{FileKind, Journal, Storage, Stored};
use rackwarden_core::state::Records;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// More of the end of the file is not looked at when the agent starts.
const TAIL_BYTES: u64 = 1 << 20;

/// Makes the end of `audit.log` and the journal agree after a crash: cuts off a torn line, writes again what the file
/// lacks, and takes over what the journal lacks. What was done or cannot be done is in `Records::repairs`.
pub fn reconcile(dir: &Path, records: &mut Records) {
    let path = dir.join(LogFile::Audit.file_name());
    match reconcile_file(&path, records) {
        Ok(repairs) => records.repairs.extend(repairs),
        Err(err) => {
            let why = reason(&err);
            records.repairs.push(format!("{}: {why}", path.display()));
        }
    }
}

fn reconcile_file(path: &Path, records: &mut Records) -> io::Result<Vec<String>> {
    let mut repairs = Vec::new();
    if cut_torn_line(path)? {
        repairs.push("an incomplete line at the end of audit.log has been cut off".to_owned());
    }
    let (_, mut bytes) = tail(path)?;
    if bytes.is_empty() {
        (_, bytes) = tail(&numbered(path, 1))?;
    }
    let text = String::from_utf8_lossy(&bytes);
    let known = audit::newest(records);
    let mut in_state = Head::default();
    if let Some(last) = known.last().and_then(|(_, line)| audit::read(line)) {
        in_state.take(&last);
    }
    let mut on_disk = Head::default();
    if let Some(last) = text.lines().next_back().and_then(audit::read) {
        on_disk.take(&last);
    }
    let strange =
        "audit.log and the state do not belong together; `rackwarden audit verify` says more";
    if on_disk.number > in_state.number {
        let mut head = in_state.clone();
        let newer = text
            .lines()
            .filter_map(|line| Some((audit::read(line)?, line)));
        for (sealed, line) in newer.filter(|(sealed, _)| sealed.number > in_state.number) {
            if known.is_empty() && head.number == 0 {
                head.take(&sealed);
            } else if head.follow(line).is_err() {
                repairs.push(strange.to_owned());
                break;
            }
            let value = serde_json::to_vec(line).unwrap_or_default();
            let key = format!("{}/{}", audit::NAMESPACE, sealed.number);
            records.map.insert(key, value);
        }
    } else if on_disk != in_state {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let (mut count, last) = (0, on_disk.number);
        for (_, line) in known.iter().filter(|(number, _)| *number > last) {
            if on_disk.follow(line).is_err() {
                break;
            }
            file.write_all(format!("{line}\n").as_bytes())?;
            count += 1;
        }
        file.sync_data()?;
        repairs.push(match on_disk == in_state {
            true => format!("{count} lines that audit.log lacked have been written again"),
            false => strange.to_owned(),
        });
    }
    Ok(repairs)
}

/// True when there was one.
fn cut_torn_line(path: &Path) -> io::Result<bool> {
    let (skipped, bytes) = tail(path)?;
    let whole = whole_lines(&bytes).len();
    if whole == bytes.len() {
        return Ok(false);
    }
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(skipped + whole as u64)?;
    file.sync_data()?;
    Ok(true)
}

/// Without what a power cut leaves at the end: half a line, or zeros.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    let end = bytes[..end]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

/// The end of a file, and how many bytes stand before it; nothing when there is no file.
fn tail(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok((0, bytes)),
        Err(err) => return Err(err),
    };
    let skipped = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    file.read_to_end(&mut bytes)?;
    Ok((skipped, bytes))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Verifies the whole audit log of a state directory, old files first, and its end against the journal. The agent may run.
///
/// # Errors
/// `FILE:LINE: what is wrong with it`, of the first line that is.
pub fn verify(dir: &Path) -> Result<String, String> {
    let mut verdict = verify_once(dir);
    // A rotation in between looks like missing lines.
    for _ in 0..2 {
        if verdict.is_err() {
            verdict = verify_once(dir);
        }
    }
    verdict
}

fn verify_once(dir: &Path) -> Result<String, String> {
    let newest = dir.join(LogFile::Audit.file_name());
    let name = newest.display();
    let journal = Journal::open(ReadOnly(dir)).map_err(|fault| fault.to_string())?;
    let known = audit::newest(journal.records());
    let known = known.last().and_then(|(_, line)| audit::read(line));
    let old = (1..).map(|number| numbered(&newest, number));
    let mut paths: Vec<PathBuf> = old.take_while(|path| path.exists()).collect();
    paths.reverse();
    paths.push(newest.clone());
    let mut head = Head::default();
    let (mut first, mut note, mut is_begun) = (1, "", false);
    for path in paths {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(err) if err.kind() == io::ErrorKind::NotFound => continue,
            Err(err) => {
                let why = reason(&err);
                return Err(format!("{}: cannot be read: {why}", path.display()));
            }
        };
        let whole = match path == newest {
            true => whole_lines(&bytes),
            false => &bytes,
        };
        if whole.len() < bytes.len() {
            note = "; an incomplete line at the end, as a power cut leaves it, does not count";
        }
        for (index, line) in String::from_utf8_lossy(whole).lines().enumerate() {
            let at = |why| format!("{}:{}: {why}", path.display(), index + 1);
            match audit::read(line).filter(|line| !is_begun && line.number > 1) {
                // Older ones were rotated away.
                Some(line) => {
                    first = line.number;
                    head.take(&line);
                }
                None => head.follow(line).map_err(at)?,
            }
            is_begun = true;
            if let Some(known) = known.filter(|known| known.number == head.number) {
                if known.hash != head.hash {
                    return Err(at(format!(
                        "#{} is not the line that the state knows",
                        head.number
                    )));
                }
            }
        }
    }
    if let Some(known) = known.filter(|known| known.number > head.number) {
        let (from, to) = (head.number + 1, known.number);
        return Err(format!(
            "{name}: the lines #{from} to #{to} are missing at its end"
        ));
    }
    Ok(match head.number {
        0 => format!("{name}: ok, nothing was recorded yet"),
        last => format!(
            "{name}: ok, {} lines, #{first} to #{last}{note}",
            last + 1 - first
        ),
    })
}

/// The journal of an agent that may be running.
struct ReadOnly<'a>(&'a Path);

impl ReadOnly<'_> {
    fn refuse<T>(&self) -> Result<T, Fault> {
        Err(Fault::new(FaultKind::Disk, "it is only read"))
    }
}

impl Storage for ReadOnly<'_> {
    fn read(&mut self) -> Result<Stored, Fault> {
        let mut stored = read_stored(self.0)?;
        match stored.unreadable.pop() {
            Some((_, fault)) => Err(fault),
            None => Ok(stored),
        }
    }

    fn append(&mut self, _: &[u8]) -> Result<(), Fault> {
        self.refuse()
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.refuse()
    }

    fn replace(&mut self, _: FileKind, _: &[u8]) -> Result<(), Fault> {
        self.refuse()
    }

    fn set_aside(&mut self, _: FileKind) -> Result<String, Fault> {
        self.refuse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FileStorage, LogFiles, StateDir};
    use rackwarden_core::state::{Change, Turn};

    /// A state directory with so many lines, written through rotating files, of which the journal knows the newest.
    struct Trail {
        dir: PathBuf,
        lines: Vec<String>,
    }

    impl Trail {
        fn new(name: &str, count: usize) -> Trail {
            let dir = std::env::temp_dir()
                .join(format!("rackwarden-trail-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            let mut journal =
                Journal::open(FileStorage::new(StateDir::lock(&dir).expect("lock"))).expect("open");
            let mut logs = LogFiles::new(dir.clone(), 1000, 3);
            let mut head = Head::default();
            let lines: Vec<String> = (0..count)
                .map(|round| head.seal(&format!("did {round}")))
                .collect();
            for (index, line) in lines.iter().enumerate() {
                logs.append(LogFile::Audit, line).expect("append");
                let change = Change {
                    key: format!("audit/{}", index + 1),
                    value: Some(serde_json::to_vec(line).expect("JSON")),
                };
                journal.push(&Turn {
                    seq: index as u64 + 1,
                    durable: true,
                    changes: vec![change],
                });
            }
            journal.commit().expect("commit");
            Trail { dir, lines }
        }

        fn path(&self) -> PathBuf {
            self.dir.join("audit.log")
        }

        fn text(&self) -> String {
            fs::read_to_string(self.path()).expect("read")
        }

        /// What the agent does at its start; its repairs.
        fn start(&self) -> Vec<String> {
            let mut records = Journal::open(ReadOnly(&self.dir))
                .expect("open")
                .records()
                .clone();
            records.repairs.clear();
            reconcile(&self.dir, &mut records);
            assert_eq!(
                audit::newest(&records).last().expect("lines").1,
                *self.lines.last().expect("lines")
            );
            records.repairs
        }
    }

    impl Drop for Trail {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }

    #[test]
    fn an_untouched_log_is_fine_over_rotations() {
        let trail = Trail::new("fine", 60);
        let verdict = verify(&trail.dir).expect("fine");
        assert!(verdict.contains("to #60"), "{verdict}");
        assert!(
            !verdict.contains("#1 to"),
            "the oldest file was rotated away: {verdict}"
        );
        assert!(trail.start().is_empty());
        let short = Trail::new("short", 5);
        assert!(
            verify(&short.dir)
                .expect("fine")
                .ends_with("ok, 5 lines, #1 to #5")
        );
    }

    #[test]
    fn what_a_crash_leaves_is_mended_and_told_and_no_forgery() {
        type Damage = fn(&Trail);
        for (rule, damage, repair) in [
            (
                "torn",
                (|trail| {
                    fs::write(trail.path(), &trail.text()[..trail.text().len() - 9]).expect("write")
                }) as Damage,
                "incomplete line",
            ),
            (
                "zeros",
                |trail| fs::write(trail.path(), trail.text() + "\0\0\0\0").expect("write"),
                "incomplete line",
            ),
            (
                "not_written",
                |trail| fs::write(trail.path(), trail.lines[..3].join("\n") + "\n").expect("write"),
                "2 lines that audit.log lacked",
            ),
            (
                "gone",
                |trail| fs::remove_file(trail.path()).expect("remove"),
                "5 lines that",
            ),
        ] {
            let trail = Trail::new(rule, 5);
            damage(&trail);
            let repairs = trail.start();
            assert!(
                repairs.iter().any(|text| text.contains(repair)),
                "{rule}: {repairs:?}"
            );
            assert_eq!(trail.text(), trail.lines.join("\n") + "\n", "{rule}");
            assert!(verify(&trail.dir).is_ok(), "{rule}");
            assert!(trail.start().is_empty(), "{rule}: told once");
        }
    }

    #[test]
    fn lines_that_the_journal_had_no_time_for_are_taken_over() {
        let mut trail = Trail::new("ahead", 5);
        let mut head = Head::default();
        head.take(&audit::read(&trail.lines[4]).expect("sealed"));
        trail.lines.push(head.seal("did it in the last minute"));
        fs::write(trail.path(), trail.lines.join("\n") + "\n").expect("write");
        assert!(trail.start().is_empty());
        assert!(verify(&trail.dir).expect("fine").ends_with("#1 to #6"));
    }

    #[test]
    fn the_first_bad_line_is_named() {
        type Damage = fn(&Trail);
        for (rule, damage, want) in [
            (
                "changed",
                (|trail| {
                    fs::write(trail.path(), trail.text().replace("did 2", "did 9")).expect("write")
                }) as Damage,
                "audit.log:3: the hash of #3 is wrong",
            ),
            (
                "removed",
                |trail| {
                    fs::write(
                        trail.path(),
                        trail.text().replace(&format!("{}\n", trail.lines[1]), ""),
                    )
                    .expect("write")
                },
                "audit.log:2: line #2 is due, and this is #3",
            ),
            (
                "cut_at_the_end",
                |trail| fs::write(trail.path(), trail.lines[..3].join("\n") + "\n").expect("write"),
                "audit.log: the lines #4 to #5 are missing at its end",
            ),
            (
                "written_anew",
                |trail| {
                    let mut head = Head::default();
                    let forged: String = (0..5)
                        .map(|_| head.seal("nothing happened") + "\n")
                        .collect();
                    fs::write(trail.path(), forged).expect("write");
                },
                "audit.log:5: #5 is not the line that the state knows",
            ),
            (
                "foreign",
                |trail| fs::write(trail.path(), trail.text() + "hello\n").expect("write"),
                "audit.log:6: this is no line of an audit log",
            ),
            (
                "gone",
                |trail| fs::remove_file(trail.path()).expect("remove"),
                "#1 to #5 are missing",
            ),
        ] {
            let trail = Trail::new(&format!("second {rule}"), 5);
            damage(&trail);
            let verdict = verify(&trail.dir).expect_err(rule);
            assert!(verdict.contains(want), "{rule}: {verdict}");
        }
    }
}
