//! The profiles that are known: those that come with the agent, and those that its users wrote. Of the former only
//! the heads are read, until a device needs more.

use super::profile::{Head, Profile};
use crate::read;
use std::sync::{Arc, OnceLock};

/// Those that come with the agent, the specific before the generic. A new one is one file, one line here, and
/// `docs/devices.md` written anew (`lib/pdu/tests/it/devices.rs`).
const BUILTIN: &[&str] = &[
    include_str!("../profiles/apc-rpdu2.toml"),
    include_str!("../profiles/apc-rpdu.toml"),
    include_str!("../profiles/apc-epdu.toml"),
    include_str!("../profiles/apc-epdu-text.toml"),
    include_str!("../profiles/apc-cpdu.toml"),
    include_str!("../profiles/apc-xpdu.toml"),
    include_str!("../profiles/apc-ats.toml"),
    include_str!("../profiles/cyberpower-epdu.toml"),
    include_str!("../profiles/cyberpower-ats.toml"),
    include_str!("../profiles/hpe-mapdu3.toml"),
    include_str!("../profiles/hpe-mapdu2.toml"),
    include_str!("../profiles/hp-pdumm.toml"),
    include_str!("../profiles/hpe-hpdu.toml"),
    include_str!("../profiles/dell-rpdu.toml"),
    include_str!("../profiles/enlogic.toml"),
    include_str!("../profiles/panduit-g5.toml"),
    include_str!("../profiles/tripplite-tlp.toml"),
    include_str!("../profiles/aten-pe.toml"),
    include_str!("../profiles/iboot-pdu.toml"),
    include_str!("../profiles/wti-power.toml"),
    include_str!("../profiles/hp-ipdu.toml"),
    include_str!("../profiles/ipoman2.toml"),
    include_str!("../profiles/digipdu.toml"),
    include_str!("../profiles/fs-net-pdu.toml"),
    include_str!("../profiles/bladeshelter-sps.toml"),
    include_str!("../profiles/e3meter.toml"),
    include_str!("../profiles/baytech.toml"),
    include_str!("../profiles/infrapower.toml"),
    include_str!("../profiles/netio.toml"),
    include_str!("../profiles/hawk-i2.toml"),
    include_str!("../profiles/ibm-pdu.toml"),
    include_str!("../profiles/entity-sensor.toml"),
    include_str!("../profiles/ups-mib.toml"),
    include_str!("../profiles/raritan-px2.toml"),
    include_str!("../profiles/raritan-px1.toml"),
    include_str!("../profiles/sentry4.toml"),
    include_str!("../profiles/sentry3.toml"),
    include_str!("../profiles/eaton-epdu.toml"),
    include_str!("../profiles/eaton-epdu-ma.toml"),
    include_str!("../profiles/eaton-nlogic.toml"),
    include_str!("../profiles/eaton-pulizzi.toml"),
    include_str!("../profiles/eaton-genesis2.toml"),
    include_str!("../profiles/geist-v5.toml"),
    include_str!("../profiles/geist-v3.toml"),
    include_str!("../profiles/liebert-mph2.toml"),
    include_str!("../profiles/liebert-fpc.toml"),
    include_str!("../profiles/avocent-pm.toml"),
    include_str!("../profiles/schleifenbauer-databus.toml"),
    include_str!("../profiles/schleifenbauer-device.toml"),
    include_str!("../profiles/rittal-cmc3-pdu.toml"),
    include_str!("../profiles/rnx-updu.toml"),
    include_str!("../profiles/cpi-econnect.toml"),
    include_str!("../profiles/ict-dc.toml"),
    include_str!("../profiles/digipower.toml"),
    include_str!("../profiles/gude-epc.toml"),
];

/// Bases that a `*` stands for and that a profile is kept for. Further ones are read each time.
const MOST_STARS: usize = 16;

/// A list of profiles. Clones share it.
#[derive(Clone, Debug)]
pub struct Profiles(Arc<[Arc<Source>]>);

/// A profile as it was written.
#[derive(Debug)]
pub struct Source {
    head: Arc<Head>,
    /// The text, where it stands alone; a profile within a configuration has been read for each of its bases.
    text: Option<Box<str>>,
    /// Profiles read for a base, in the order of reading. A slot is written once, so readers share it without a lock.
    read: Box<[Slot]>,
}

/// A base and what was read for it.
type Slot = OnceLock<(Box<str>, Arc<Profile>)>;

impl Profiles {
    /// Those that come with the agent.
    pub fn builtin() -> Profiles {
        static BUILTIN_PROFILES: OnceLock<Profiles> = OnceLock::new();
        let read = || {
            Profiles(
                BUILTIN
                    .iter()
                    .filter_map(|text| Source::builtin(text))
                    .collect(),
            )
        };
        BUILTIN_PROFILES.get_or_init(read).clone()
    }

    /// With these as well, which go first. One with the name of another replaces it.
    #[must_use]
    pub fn with(&self, more: Vec<Arc<Source>>) -> Profiles {
        let is_replaced =
            |known: &&Arc<Source>| more.iter().any(|new| new.head.name == known.head.name);
        let rest: Vec<Arc<Source>> = self
            .0
            .iter()
            .filter(|known| !is_replaced(known))
            .cloned()
            .collect();
        Profiles(more.into_iter().chain(rest).collect())
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Source>> {
        self.0.iter()
    }

    /// The one with this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Source>> {
        self.0.iter().find(|source| *source.head.name == *name)
    }
}

impl Default for Profiles {
    fn default() -> Profiles {
        Profiles::builtin()
    }
}

impl Source {
    fn builtin(text: &str) -> Option<Arc<Source>> {
        let head = text.split_once("\n[").map_or(text, |(head, _)| head);
        let head = read::head(head, "profile").ok()?;
        Some(Arc::new(Source::new(head, Some(text.into()))))
    }

    /// A profile of this text, or none yet.
    pub(crate) fn new(head: Head, text: Option<Box<str>>) -> Source {
        let has_star = head.bases.iter().any(|base| base.contains('*'));
        let slots = head.bases.len() + if has_star { MOST_STARS } else { 0 };
        Source {
            head: Arc::new(head),
            text,
            read: (0..slots).map(|_| OnceLock::new()).collect(),
        }
    }

    /// How its devices are recognised.
    pub fn head(&self) -> &Arc<Head> {
        &self.head
    }

    /// As it was written; `None` for one that stands within a configuration.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Keeps what was read for a base, while there is room.
    pub(crate) fn keep(&self, base: &str, profile: Arc<Profile>) {
        let mut read = Some((base.into(), profile));
        for slot in &self.read {
            let known = slot.get_or_init(|| read.take().expect("a slot takes it once"));
            if read.is_none() || *known.0 == *base {
                return;
            }
        }
    }

    /// The profile for devices whose objects stand below this base.
    pub fn profile(&self, base: &str) -> Option<Arc<Profile>> {
        let mut kept = self.read.iter().map_while(OnceLock::get);
        if let Some((_, known)) = kept.find(|(known, _)| **known == *base) {
            return Some(Arc::clone(known));
        }
        let profile = match self.head.like.as_deref() {
            Some(other) => {
                let other = Profiles::builtin().named(other)?.clone();
                let text = other.text.as_deref()?;
                read::profile_like(Arc::clone(&self.head), text, base)
            }
            None => read::profile(self.text.as_deref()?, "profile", base),
        };
        let profile = profile.ok()?;
        self.keep(base, Arc::clone(&profile));
        Some(profile)
    }

    /// The profile for its first base, which is an example of all of them.
    pub fn example(&self) -> Option<Arc<Profile>> {
        let base = self.head.bases.first().map_or("", |base| base);
        self.profile(&base.replace('*', "1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_can_be_read_for_all_its_bases_and_has_a_name_of_its_own() {
        let mut names: Vec<&str> = Vec::new();
        for text in BUILTIN {
            let source = read::file(text, text.lines().next().unwrap_or_default());
            let source = source.unwrap_or_else(|errors| panic!("{errors:?}"));
            for base in &source.head().bases {
                assert!(source.profile(&base.replace('*', "7")).is_some());
            }
            let profiles = Profiles::builtin();
            let known = profiles
                .named(&source.head().name)
                .expect("its head stands first");
            assert_eq!(
                format!("{:?}", known.head()),
                format!("{:?}", source.head())
            );
            assert!(!names.contains(&&*known.head().name));
            names.push(&text[8..8 + known.head().name.len()]);
        }
    }

    #[test]
    fn a_profile_of_the_user_replaces_one_of_the_same_name() {
        let text = BUILTIN[0].replace("vendor = \"APC\"", "vendor = \"Mine\"");
        let profiles = Profiles::builtin().with(vec![read::file(&text, "own").expect("a profile")]);
        assert_eq!(profiles.iter().count(), BUILTIN.len());
        let own = profiles.named("apc-rpdu2").expect("it is there");
        assert_eq!(&*own.head().vendor, "Mine");
    }

    #[test]
    fn a_number_of_the_sysobjectid_completes_a_base() {
        let text = "name = \"x\"\nvendor = \"X\"\ntitle = \"x\"\nbase = \"1.3.6.1.4.1.99.*\"\ndecides = [\".1\"]\n[device]\npower_w = \".1.0\"\n";
        let source = read::file(text, "own").expect("a profile");
        let bases = source.head().bases_for(Some("1.3.6.1.4.1.99.43"));
        assert_eq!(bases, ["1.3.6.1.4.1.99.43"]);
        assert!(source.head().bases_for(Some("1.3.6.1.4.1.9.43")).is_empty());
        let profile = source.profile(&bases[0]).expect("it can be read");
        assert_eq!(profile.device[0].2.oid.to_string(), "1.3.6.1.4.1.99.43.1.0");
    }

    #[test]
    fn a_profile_is_read_once_for_a_base_and_without_end_for_others() {
        let profiles = Profiles::builtin();
        let source = profiles.named("gude-epc").expect("a profile with a star");
        let read = |number: usize| {
            let profile = source.profile(&format!("1.3.6.1.4.1.28507.{number}"));
            profile.expect("it can be read")
        };
        let first = read(1);
        for number in 2..2 * MOST_STARS {
            assert!(!Arc::ptr_eq(&first, &read(number)));
        }
        assert!(Arc::ptr_eq(&first, &read(1)));
    }
}
