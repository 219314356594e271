//! Which of the mounted file systems hold data that can fill up, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
//!
//! Left out: what the kernel makes up, memory (`tmpfs`), layers of containers, images that are always full (a loop device
//! that can be written to is none), places that another mount hides, and all but one of the places where the same file system is mounted. What stands at `/` is
//! always kept, unless it is such an image.

use super::procfs::number;
use crate::small::sort_by_key;
use std::borrow::Cow;
use std::sync::Arc;

/// So many file systems are looked at; further ones, by mount point, are left out.
pub const MAX_FILE_SYSTEMS: usize = 200;

/// A file system to be asked how full it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Where it is, as the kernel knows it.
    pub path: Box<[u8]>,
    /// The same to be shown: without control characters.
    pub mount: Arc<str>,
    /// `/dev/mmcblk0p2`, `nas:/export`.
    pub device: Arc<str>,
    /// `ext4`, `nfs4`.
    pub kind: Arc<str>,
    /// The whole file system is read-only, not just this view of it.
    pub is_read_only: bool,
    /// It may take for ever to answer, because a network or a program is behind it or on the way to it.
    pub may_hang: bool,
}

/// One line.
struct Line<'a> {
    id: u64,
    parent: u64,
    /// Major and minor number, as they stand there.
    device: &'a [u8],
    /// What part of the file system is mounted.
    root: &'a [u8],
    path: Cow<'a, [u8]>,
    kind: &'a [u8],
    source: &'a [u8],
    is_read_only: bool,
}

/// Chooses, by mount point.
pub fn file_systems(mountinfo: &[u8]) -> Vec<Mounted> {
    let lines: Vec<Line<'_>> = mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(Line::read)
        .collect();
    let mut chosen: Vec<&Line<'_>> = Vec::new();
    for line in &lines {
        if !line.holds_data() {
            continue;
        }
        let same = chosen.iter_mut().find(|other| other.device == line.device);
        let is_lower = same.as_ref().is_none_or(|other| line.rank() < other.rank());
        // The latter takes long where containers mount thousands of folders.
        if !is_lower || is_hidden(&lines, line) {
            continue;
        }
        match same {
            Some(other) => *other = line,
            None => chosen.push(line),
        }
    }
    sort_by_key(&mut chosen, |line| line.path.clone());
    chosen.truncate(MAX_FILE_SYSTEMS);
    let is_behind = |path: &[u8]| {
        lines
            .iter()
            .any(|line| line.may_hang() && is_within(path, &line.path) && path != &*line.path)
    };
    chosen
        .into_iter()
        .map(|line| Mounted {
            mount: shown(&line.path),
            device: without_password(shown(&unescape(line.source))),
            kind: shown(line.kind),
            is_read_only: line.is_read_only,
            may_hang: line.may_hang() || is_behind(&line.path),
            path: line.path.clone().into(),
        })
        .collect()
}

impl<'a> Line<'a> {
    /// `36 35 98:0 /part /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn read(line: &'a [u8]) -> Option<Line<'a>> {
        let mut fields = line.split(|byte| *byte == b' ');
        let (id, parent) = (number(fields.next()?)?, number(fields.next()?)?);
        let device = fields.next()?;
        let root = fields.next()?;
        let path = unescape(fields.next()?);
        let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
        let (kind, source) = (fields.next()?, fields.next()?);
        let mut options = fields.next()?.split(|byte| *byte == b',');
        path.starts_with(b"/").then(|| Line {
            id,
            parent,
            device,
            root,
            kind,
            source,
            is_read_only: options.any(|option| option == b"ro"),
            path,
        })
    }

    fn holds_data(&self) -> bool {
        if IMAGES.contains(&self.kind) || self.kind == b"rootfs" {
            return false;
        }
        if *self.path == *b"/" {
            return true;
        }
        // A container engine mounts single files of its own disk there.
        if FILES_OF_CONTAINERS.contains(&&*self.path) || self.kind == b"devtmpfs" {
            return false;
        }
        if let Some(program) = self.kind.strip_prefix(b"fuse.") {
            return !FUSE_IMAGES.iter().any(|part| contains(program, part));
        }
        match self.source.strip_prefix(b"/dev/") {
            Some(device) => {
                let is_image = device.starts_with(b"loop") && self.is_read_only;
                !is_image && self.kind != b"tmpfs"
            }
            None => LOCAL.contains(&self.kind) || self.is_remote(),
        }
    }

    fn is_remote(&self) -> bool {
        REMOTE.contains(&self.kind)
    }

    fn may_hang(&self) -> bool {
        self.is_remote() || self.kind.starts_with(b"fuse")
    }

    /// The lowest is shown, of equal ones the first: the whole file system before a part of it, a short path before a
    /// long one.
    fn rank(&self) -> (bool, usize) {
        (self.root != b"/", self.path.len())
    }
}

/// Without a block device, and with data of their own on this machine.
const LOCAL: &[&[u8]] = &[
    b"zfs",
    b"btrfs",
    b"bcachefs",
    b"ubifs",
    b"jffs2",
    b"yaffs2",
    b"f2fs",
];

/// Behind a network, a hypervisor, or a program.
const REMOTE: &[&[u8]] = &[
    b"nfs",
    b"nfs4",
    b"cifs",
    b"smb3",
    b"smbfs",
    b"9p",
    b"virtiofs",
    b"vboxsf",
    b"vmhgfs",
    b"prl_fs",
    b"drvfs",
    b"glusterfs",
    b"ceph",
    b"lustre",
    b"beegfs",
    b"gpfs",
    b"afs",
    b"coda",
    b"ncpfs",
    b"orangefs",
    b"pvfs2",
    b"ocfs2",
    b"gfs2",
    b"fuse",
    b"fuseblk",
];

/// Always full, or made up.
const IMAGES: &[&[u8]] = &[
    b"squashfs",
    b"erofs",
    b"cramfs",
    b"romfs",
    b"iso9660",
    b"udf",
    b"autofs",
    b"proc",
    b"sysfs",
];

/// Programs behind `fuse` that show images or what is elsewhere anyway.
const FUSE_IMAGES: &[&[u8]] = &[
    b"squash",
    b"snapfuse",
    b"AppImage",
    b"erofs",
    b"dwarfs",
    b"fuseiso",
    b"gvfs",
    b"portal",
    b"lxcfs",
    b"rootlesskit",
    b"archivemount",
    b"overlay",
];

const FILES_OF_CONTAINERS: &[&[u8]] = &[b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf"];

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// True when the way along the path of a mount ends in another one, mounted over it or over a folder on the way.
fn is_hidden(lines: &[Line<'_>], wanted: &Line<'_>) -> bool {
    let is_known = |id: u64| lines.iter().any(|line| line.id == id);
    let Some(mut here) = lines
        .iter()
        .find(|line| *line.path == *b"/" && (line.parent == line.id || !is_known(line.parent)))
    else {
        return false;
    };
    // Each step goes to another mount; without circles there are no more of them than lines.
    for _ in 0..lines.len() {
        let next = lines
            .iter()
            .filter(|line| line.parent == here.id && line.id != here.id)
            .filter(|line| is_within(&wanted.path, &line.path) && is_within(&line.path, &here.path))
            .min_by_key(|line| line.path.len());
        match next {
            Some(next) => here = next,
            None => break,
        }
    }
    here.id != wanted.id
}

/// Whether a path is this folder or below it.
fn is_within(path: &[u8], folder: &[u8]) -> bool {
    match path.strip_prefix(folder) {
        Some(rest) => rest.is_empty() || rest[0] == b'/' || folder == b"/",
        None => false,
    }
}

/// The kernel writes blanks, line feeds and backslashes as three octal digits.
fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(field);
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        plain.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() {
            &after[3..]
        } else {
            after
        };
    }
    Cow::Owned(plain)
}

/// Some programs mount `ftp://user:password@host/` and say so to everybody.
fn without_password(source: Arc<str>) -> Arc<str> {
    let password = || {
        let start = source.find("://")? + "://".len();
        let host = source[start..]
            .find('/')
            .map_or(source.len(), |end| start + end);
        let end = start + source[start..host].rfind('@')?;
        let colon = start + source[start..end].find(':')?;
        Some((colon + 1, end))
    };
    match password() {
        Some((start, end)) => format!("{}***{}", &source[..start], &source[end..]).into(),
        None => source,
    }
}

/// A name from outside as it may be shown.
fn shown(name: &[u8]) -> Arc<str> {
    let text = String::from_utf8_lossy(name);
    if text.contains(char::is_control) {
        return text.replace(char::is_control, "\u{fffd}").into();
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `mount device kind`, with ` ro` and ` apart` behind.
    fn check(mountinfo: &str, want: &[&str]) {
        let found: Vec<String> = file_systems(mountinfo.as_bytes())
            .iter()
            .map(|own| {
                let read_only = if own.is_read_only { " ro" } else { "" };
                let apart = if own.may_hang { " apart" } else { "" };
                format!(
                    "{} {} {}{read_only}{apart}",
                    own.mount, own.device, own.kind
                )
            })
            .collect();
        assert_eq!(found, want, "{mountinfo}");
    }

    #[test]
    fn what_the_kernel_makes_up_is_left_out() {
        check(
            "22 27 0:21 / /proc rw,relatime - proc proc rw\n\
             23 27 0:22 / /sys rw,relatime - sysfs sysfs rw\n\
             24 27 0:6 / /dev rw,nosuid - devtmpfs /dev/udev rw,size=1k\n\
             25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw\n\
             27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/mmcblk0p2 rw,discard\n\
             28 27 179:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw\n\
             29 27 0:31 / /run rw - tmpfs tmpfs rw\n\
             30 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
             31 27 0:40 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n\
             32 27 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n\
             33 27 7:1 / /mnt/image rw - ext4 /dev/loop1 rw\n\
             38 27 7:2 / /mnt/installer ro - ext4 /dev/loop2 ro\n\
             34 27 0:50 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n\
             35 27 0:4 net:[4026532] /run/docker/netns/x rw - nsfs nsfs rw\n\
             36 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro\n\
             37 27 0:60 / /run/user/1000/doc rw - fuse.portal portal rw\n",
            &[
                "/ /dev/mmcblk0p2 ext4",
                "/boot/firmware /dev/mmcblk0p1 vfat",
                "/mnt/image /dev/loop1 ext4",
            ],
        );
    }

    #[test]
    fn each_device_stands_once_at_the_shortest_place_that_shows_all_of_it() {
        check(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
             2 1 8:2 /x /x rw - ext4 /dev/sda2 rw\n\
             3 1 8:2 / /srv/data rw - ext4 /dev/sda2 rw\n\
             4 1 8:2 / /srv/bind ro - ext4 /dev/sda2 rw\n\
             9 1 8:3 / /opt/new rw - xfs /dev/sda3 rw\n\
             10 1 8:3 / /mnt/new rw - xfs /dev/sda3 rw\n\
             11 1 8:3 / /mnt/old/new rw - xfs /dev/sda3 rw\n\
             5 1 0:31 /@home /home rw - btrfs /dev/sdb1 rw,subvol=/@home\n\
             6 1 0:31 /@log /var/log rw - btrfs /dev/sdb1 rw,subvol=/@log\n\
             7 1 0:40 / /tank rw - zfs tank rw\n\
             8 7 0:41 / /tank/a rw - zfs tank/a ro\n",
            &[
                "/ /dev/sda1 ext4",
                "/home /dev/sdb1 btrfs",
                "/opt/new /dev/sda3 xfs",
                "/srv/data /dev/sda2 ext4",
                "/tank tank zfs",
                "/tank/a tank/a zfs ro",
            ],
        );
    }

    #[test]
    fn a_network_or_a_program_behind_or_on_the_way_may_hang() {
        check(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
             2 1 0:50 / /nas rw - nfs4 nas:/export rw\n\
             3 2 8:5 / /nas/scratch rw - xfs /dev/sda5 rw\n\
             4 1 8:6 / /nasty rw - xfs /dev/sda6 rw\n\
             5 1 0:51 / /mnt/sshfs rw - fuse.sshfs user@host:/ rw\n\
             6 1 0:52 / /mnt/rclone rw - fuse.rclone remote: rw\n\
             7 1 0:53 / /mnt/host rw - 9p share rw\n\
             8 1 0:54 / /mnt/gluster rw - fuse.glusterfs server:/vol rw\n\
             9 1 0:55 / /mnt/win rw - cifs //server/share rw\n\
             10 1 8:7 / /mnt/usb rw - fuseblk /dev/sdb1 rw\n\
             12 1 8:8 / /mnt/stick rw - fuseblk.exfat /dev/sdc1 rw\n\
             11 1 0:56 / /mnt/auto rw - autofs systemd-1 rw\n",
            &[
                "/ /dev/sda1 ext4",
                "/mnt/gluster server:/vol fuse.glusterfs apart",
                "/mnt/host share 9p apart",
                "/mnt/rclone remote: fuse.rclone apart",
                "/mnt/sshfs user@host:/ fuse.sshfs apart",
                "/mnt/stick /dev/sdc1 fuseblk.exfat apart",
                "/mnt/usb /dev/sdb1 fuseblk apart",
                "/mnt/win //server/share cifs apart",
                "/nas nas:/export nfs4 apart",
                "/nas/scratch /dev/sda5 xfs apart",
                "/nasty /dev/sda6 xfs",
            ],
        );
    }

    #[test]
    fn what_another_mount_hides_is_not_asked_in_its_place() {
        check(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
             2 1 8:2 / /home rw - ext4 /dev/sda2 rw\n\
             3 1 8:3 / /data/deep rw - ext4 /dev/sda3 rw\n\
             4 2 0:30 / /home ro - tmpfs tmpfs ro\n\
             5 1 8:4 / /data rw - ext4 /dev/sda4 rw\n\
             6 5 8:5 / /data/deep/er rw - ext4 /dev/sda5 rw\n",
            &[
                "/ /dev/sda1 ext4",
                "/data /dev/sda4 ext4",
                "/data/deep/er /dev/sda5 ext4",
            ],
        );
        // A namespace that was entered by pivot_root(2): the old root is below the new one.
        check(
            "9 9 0:2 / / rw - rootfs rootfs rw\n\
             10 9 8:1 / / rw - ext4 /dev/sda1 rw\n\
             11 10 8:2 / /var rw - ext4 /dev/sda2 rw\n",
            &["/ /dev/sda1 ext4", "/var /dev/sda2 ext4"],
        );
    }

    #[test]
    fn in_a_container_the_root_stands_for_its_disk() {
        check(
            "100 50 0:99 / / rw - overlay overlay rw,lowerdir=/a\n\
             101 100 8:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
             102 100 8:1 /var/lib/docker/containers/x/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw\n\
             103 100 8:1 /srv/volume /data rw - ext4 /dev/sda1 rw\n",
            &["/ overlay overlay", "/data /dev/sda1 ext4"],
        );
    }

    #[test]
    fn names_are_unescaped_and_harmless() {
        let found = file_systems(
            b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
              2 1 8:2 / /mnt/My\\040Disk\\134\\011\\033[31m\xff rw - ext4 /dev/disk/a\\040b rw\n",
        );
        let own = &found[1];
        assert_eq!(&*own.path, b"/mnt/My Disk\\\t\x1b[31m\xff");
        assert_eq!(&*own.mount, "/mnt/My Disk\\\u{fffd}\u{fffd}[31m\u{fffd}");
        assert_eq!(&*own.device, "/dev/disk/a b");
    }

    #[test]
    fn passwords_in_addresses_are_not_told() {
        for (source, want) in [
            (
                "curlftpfs#ftp://anna:pa:ss@nas/x@y",
                "curlftpfs#ftp://anna:***@nas/x@y",
            ),
            ("https://anna:p@ss@cloud", "https://anna:***@cloud"),
            ("https://anna@cloud/dav", "https://anna@cloud/dav"),
            ("https://cloud:8080/a:b@c", "https://cloud:8080/a:b@c"),
            ("anna@host:/srv", "anna@host:/srv"),
            ("[fd00::1]:/export", "[fd00::1]:/export"),
            ("://:@", "://:***@"),
        ] {
            assert_eq!(&*without_password(source.into()), want, "{source}");
        }
    }

    #[test]
    fn lines_that_are_none_are_skipped() {
        for bad in [
            "",
            "1",
            "1 0 8:1 / / rw",
            "1 0 8:1 / / rw -",
            "1 0 8:1 / / rw - ext4",
            "1 0 8:1 / / rw - ext4 /dev/sda1",
            "x 0 8:1 / / rw - ext4 /dev/sda1 rw",
            "1 0 8:1 / relative rw - ext4 /dev/sda1 rw",
        ] {
            check(bad, &[]);
        }
        // Each the parent of the other.
        check(
            "1 2 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / / rw - ext4 /dev/sda2 rw\n",
            &["/ /dev/sda1 ext4", "/ /dev/sda2 ext4"],
        );
    }

    #[test]
    fn there_are_never_more_than_can_be_looked_at() {
        let mut text = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".to_owned();
        for number in 2..1000 {
            text.push_str(&format!(
                "{number} 1 9:{number} / /m/{number} rw - zfs t/{number} rw\n"
            ));
        }
        assert_eq!(file_systems(text.as_bytes()).len(), MAX_FILE_SYSTEMS);
    }
}
