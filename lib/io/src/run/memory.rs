//! The memory of a process group, from `/proc`.

use rustix::process::Pid;

/// Resident bytes of all processes of a group, shared pages counted in each.
pub(super) fn resident_bytes(group: Pid) -> u64 {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let group = group.as_raw_nonzero().get();
    let pages: u64 = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
        })
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| resident_pages(&stat, group))
        .sum();
    pages.saturating_mul(rustix::param::page_size() as u64)
}

/// Field 24 of a process whose field 5 is this group (proc_pid_stat(5)). A name in parentheses may hold anything.
fn resident_pages(stat: &str, group: i32) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(2);
    if fields.next()?.parse() != Ok(group) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_of_its_group_whatever_its_name() {
        let stat = "77 (a) 1 2 3) S 1 55 55 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 99 1000000 321 18446744073709551615";
        assert_eq!(resident_pages(stat, 55), Some(321));
        assert_eq!(resident_pages(stat, 3), None);
        assert_eq!(resident_pages("", 55), None);
    }

    #[test]
    fn this_group_has_memory() {
        let group = rustix::process::getpgrp();
        assert!(resident_bytes(group) > 1_000_000);
    }
}
