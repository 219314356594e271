//! File systems that do not answer.

use super::*;

#[test]
fn a_hung_mount_is_told_and_delays_nothing() {
    let folder = Folder::of("raspberry-pi-4");
    let gate = Gate::default();
    let at = gate.clone();
    let place = folder.place(move |path| {
        if path == "/mnt/nas" {
            at.pass();
        }
        Some(some_space())
    });
    let mut sampler = Sampler::new(Clock::start(), place);
    let found = until(&mut sampler, |found| {
        volume(found, "/mnt/nas").hangs_for.is_some() && volume(found, "/mnt/usb").space.is_some()
    });
    let nas = volume(&found, "/mnt/nas");
    assert_eq!(nas.space, None, "no value instead of an old one");
    for mount in ["/", "/boot/firmware", "/mnt/usb"] {
        assert_eq!(volume(&found, mount).space, Some(some_space()), "{mount}");
        assert_eq!(volume(&found, mount).hangs_for, None);
    }
    let longer = until(&mut sampler, |later| {
        volume(later, "/mnt/nas").hangs_for > nas.hangs_for
    });
    assert_eq!(volume(&longer, "/mnt/nas").space, None);
    gate.open();
    let back = until(&mut sampler, |found| {
        volume(found, "/mnt/nas").space.is_some()
    });
    assert_eq!(volume(&back, "/mnt/nas").hangs_for, None);
}

#[test]
fn samples_come_at_their_rate_while_a_mount_hangs() {
    let folder = Folder::of("raspberry-pi-4");
    let gate = Gate::default();
    let at = gate.clone();
    let inbox = Inbox::new();
    let place = folder.place(move |path| {
        if path.starts_with("/mnt") {
            at.pass();
        }
        Some(some_space())
    });
    let host = HostHandle::at(place, Clock::start(), inbox.clone());
    let mut numbers = 0..;
    let mut looks = || {
        let mut late: Vec<Duration> = Vec::new();
        for number in numbers.by_ref().take(300) {
            let asked = Instant::now();
            host.look(Ticket(number), Look::Sample);
            let Event::Done {
                ticket,
                reply: Reply::Host(result),
            } = receive(&inbox)
            else {
                panic!("a sample");
            };
            late.push(asked.elapsed());
            assert!(ticket == Ticket(number) && result.is_ok());
        }
        late.sort();
        late.split_off(290)
    };
    // The first one waits for answers, but not for long. What else keeps the processors busy makes another attempt.
    let mut latest = looks();
    for _ in 0..20 {
        if latest[7] >= Duration::from_millis(50) {
            latest = looks();
        }
    }
    assert!(latest[7] < Duration::from_millis(50), "{latest:?}");
}

#[test]
fn hung_mounts_hide_none_that_answers() {
    let folder = Folder::empty("mounts");
    folder.write("proc/stat", "cpu  1 2 3 4\n");
    let mut mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n".to_owned();
    for number in 10..15 {
        mounts.push_str(&format!(
            "{number} 1 0:{number} / /hangs/{number} rw - nfs4 nas:/{number} rw\n"
        ));
    }
    mounts.push_str("90 1 0:90 / /projects rw - nfs4 other:/ rw\n");
    folder.write("proc/self/mountinfo", &mounts);
    let gate = Gate::default();
    let at = gate.clone();
    let place = folder.place(move |path| {
        if path.starts_with("/hangs") {
            at.pass();
        }
        Some(some_space())
    });
    let mut sampler = Sampler::new(Clock::start(), place);
    let found = until(&mut sampler, |found| {
        let mut hanging = found
            .file_systems
            .iter()
            .filter(|own| own.mount.starts_with("/hangs"));
        hanging.all(|own| own.hangs_for.is_some()) && volume(found, "/projects").space.is_some()
    });
    assert_eq!(found.file_systems.len(), 7);
    // What is unmounted while it hangs is forgotten, and what takes its place is asked.
    let mounts = mounts.replace("/hangs/10", "/instead/10");
    folder.write("proc/self/mountinfo", &mounts);
    sampler.forget();
    let found = until(&mut sampler, |found| {
        let mut volumes = found.file_systems.iter();
        volumes.any(|own| &*own.mount == "/instead/10" && own.space.is_some())
    });
    assert!(
        found
            .file_systems
            .iter()
            .all(|own| &*own.mount != "/hangs/10")
    );
}
