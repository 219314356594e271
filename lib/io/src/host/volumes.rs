//! Mounted file systems: the list is read again when the kernel says that it changed; local ones are asked at once,
//! those behind a network or a program by `slow`.

use super::kept::{Kept, Root};
use super::slow::{Answer, Known, Slow};
use rackwarden_core::host::mounts::{self, MAX_FILE_SYSTEMS, Mounted};
use rackwarden_core::host::{FileSystem, Space};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

/// One that may hang is asked with each sample, at most so often.
const ASK_EVERY: Duration = Duration::from_millis(1500);
/// Of the list of mounts.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Asks a file system how full it is. Tests have their own.
pub type AskSpace = Arc<dyn Fn(&CStr) -> Option<Space> + Send + Sync>;

/// statvfs(3).
pub(super) fn ask_space(path: &CStr) -> Option<Space> {
    let found = retry_on_intr(|| rustix::fs::statvfs(path)).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Space {
        size_bytes: bytes(found.f_blocks),
        free_bytes: bytes(found.f_bfree),
        available_bytes: bytes(found.f_bavail),
        inodes: found.f_files,
        inodes_free: found.f_ffree,
    })
}

pub(super) struct Volumes {
    mountinfo: Kept,
    ask: AskSpace,
    list: Vec<Volume>,
    is_known: bool,
}

struct Volume {
    own: Mounted,
    path: CString,
    /// The question about one that may hang.
    question: Option<u64>,
}

impl Volumes {
    pub(super) fn new(root: &Root, ask: AskSpace) -> Volumes {
        Volumes {
            mountinfo: root.keep("proc/self/mountinfo"),
            ask,
            list: Vec::new(),
            is_known: false,
        }
    }

    /// The list is read again, whatever the kernel says.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Reads the list again if it changed.
    pub(super) fn refresh(&mut self, buffer: &mut Vec<u8>, slow: &mut Slow) {
        self.notice();
        if self.is_known {
            return;
        }
        // A line has all layers of an overlay in it.
        let Ok(text) = self.mountinfo.read_to_end(buffer, MAX_BYTES) else {
            return;
        };
        self.is_known = true;
        let found = mounts::file_systems(text);
        // A large list is rare, and its memory is not kept.
        buffer.truncate(16 * 1024);
        buffer.shrink_to_fit();
        if self.list.iter().map(|volume| &volume.own).eq(&found) {
            return;
        }
        if found.len() == MAX_FILE_SYSTEMS {
            log::warn!(
                "more than {MAX_FILE_SYSTEMS} file systems are mounted; only the first are watched"
            );
        }
        let mut before = std::mem::take(&mut self.list);
        for own in found {
            // One that hangs goes on to do so.
            let same = before.iter().position(|volume| volume.own == own);
            let kept = same.map(|at| before.swap_remove(at));
            self.list.extend(kept.or_else(|| self.watch(own, slow)));
        }
        for question in before.iter().filter_map(|volume| volume.question) {
            slow.remove(question);
        }
    }

    fn watch(&self, own: Mounted, slow: &mut Slow) -> Option<Volume> {
        let path = CString::new(&*own.path).ok()?;
        let question = own.may_hang.then(|| {
            let (ask, path) = (Arc::clone(&self.ask), path.clone());
            slow.add(ASK_EVERY, Box::new(move || Answer::Space(ask(&path))))
        });
        Some(Volume {
            own,
            path,
            question,
        })
    }

    /// What is known of each. What is unmounted while it is asked would answer for the folder that it was in: then all
    /// are asked again.
    pub(super) fn tell(&mut self, buffer: &mut Vec<u8>, slow: &mut Slow) -> Vec<FileSystem> {
        let found = self.look(slow);
        self.notice();
        if self.is_known {
            return found;
        }
        self.refresh(buffer, slow);
        self.look(slow)
    }

    fn look(&self, slow: &Slow) -> Vec<FileSystem> {
        let mut found = Vec::with_capacity(self.list.len());
        for volume in &self.list {
            let known = match volume.question {
                Some(question) => slow.known(question),
                None => Known::Answer(Some(Answer::Space((self.ask)(&volume.path)))),
            };
            let (space, hangs_for) = match known {
                Known::Answer(Some(Answer::Space(space))) => (space, None),
                Known::Hangs(hangs_for) => (None, Some(hangs_for)),
                _ => (None, None),
            };
            // What has no size cannot fill up.
            if space.is_some_and(|space| space.size_bytes == 0) {
                continue;
            }
            found.push(FileSystem {
                mount: Arc::clone(&volume.own.mount),
                device: Arc::clone(&volume.own.device),
                kind: Arc::clone(&volume.own.kind),
                space,
                hangs_for,
                is_read_only: volume.own.is_read_only,
            });
        }
        found
    }

    /// Whether the list is still the one that was read. proc_pid_mountinfo(5): its file has an exceptional condition when
    /// a mount came or went; the kernel says so once.
    fn notice(&mut self) {
        let Some(file) = self.mountinfo.file() else {
            self.is_known = false;
            return;
        };
        let mut watched = [PollFd::new(file, PollFlags::PRI)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let changed = PollFlags::PRI | PollFlags::ERR;
        let is_told = poll(&mut watched, Some(&at_once)).is_ok();
        if is_told && watched[0].revents().intersects(changed) {
            self.is_known = false;
        }
    }
}
