//! What objects must say so that others hold something, gathered from a profile.

use crate::profile::{Keep, Says};
use rackwarden_base::small::SmallMap;
use rackwarden_snmp::{Oid, Value};

/// Conditions on objects, by name.
#[derive(Default)]
pub(super) struct Conditions(SmallMap<Oid, Condition>);

#[derive(Clone, Default)]
struct Condition {
    /// One of these, where there are any.
    is: Vec<Say>,
    is_not: Vec<Say>,
    bits: Vec<u8>,
}

#[derive(Clone, PartialEq)]
enum Say {
    Number(i64),
    Text(Box<str>),
}

impl Conditions {
    /// True when something is asked of this object.
    pub(super) fn has(&self, name: &Oid) -> bool {
        self.0.contains_key(name)
    }

    /// Whether this can hold beside all that holds already.
    pub(super) fn allow(&self, name: &Oid, keep: &Keep) -> bool {
        self.with(name, &of_keep(keep)).value().is_some()
    }

    /// From now on this holds too.
    pub(super) fn keep(&mut self, name: Oid, keep: &Keep) {
        let both = self.with(&name, &of_keep(keep));
        self.0.insert(name, both);
    }

    /// Whether an object can say this.
    pub(super) fn can_say(&self, name: &Oid, says: &Says) -> bool {
        self.with(name, &of_says(says)).value().is_some()
    }

    /// From now on an object says this.
    pub(super) fn say(&mut self, name: Oid, says: &Says) {
        let both = self.with(&name, &of_says(says));
        self.0.insert(name, both);
    }

    /// A value for each of them that fulfils all that is asked of it.
    pub(super) fn values(&self) -> Vec<(Oid, Value)> {
        let values = self.0.iter();
        let value =
            |(name, condition): (&Oid, &Condition)| Some((name.clone(), condition.value()?));
        values.filter_map(value).collect()
    }

    fn with(&self, name: &Oid, more: &Condition) -> Condition {
        let mut both = self.0.get(name).cloned().unwrap_or_default();
        if both.is.is_empty() {
            both.is.clone_from(&more.is);
        } else if !more.is.is_empty() {
            both.is.retain(|say| more.is.contains(say));
            // Nothing is left: it stands for what cannot be.
            if both.is.is_empty() {
                both.is_not.push(NEVER);
                both.is.push(NEVER);
            }
        }
        both.is_not.extend(more.is_not.iter().cloned());
        both.bits.extend(&more.bits);
        both
    }
}

const NEVER: Say = Say::Number(i64::MIN);

impl Condition {
    fn value(&self) -> Option<Value> {
        if !self.bits.is_empty() {
            let byte = self.bits.iter().fold(0u8, |byte, bit| byte | 0x80 >> bit);
            return Some(Value::OctetString([byte].into()));
        }
        let is_fine = |say: &&Say| !self.is_not.contains(say);
        let says_text = |say: &Say| matches!(say, Say::Text(_));
        let say = match self.is.is_empty() {
            false => self.is.iter().find(is_fine)?.clone(),
            // Names are not blank, and what is counted is not 0.
            true if self.is_not.iter().any(says_text) => Say::Text("row".into()),
            true => (1..)
                .map(Say::Number)
                .find(|say| !self.is_not.contains(say))?,
        };
        Some(match say {
            Say::Number(number) => Value::Integer(number),
            Say::Text(text) => Value::OctetString(text.as_bytes().into()),
        })
    }
}

fn of_keep(keep: &Keep) -> Condition {
    let numbers = keep.numbers.as_slice().iter().copied().map(Say::Number);
    let says = numbers.chain(keep.texts.iter().cloned().map(Say::Text));
    let mut condition = Condition::default();
    match (keep.bit, keep.keep) {
        (Some(bit), _) => condition.bits.push(bit),
        (None, true) => condition.is.extend(says),
        (None, false) => condition.is_not.extend(says),
    }
    condition
}

fn of_says(says: &Says) -> Condition {
    let numbers = |few: &crate::profile::Few| -> Vec<Say> {
        few.as_slice().iter().copied().map(Say::Number).collect()
    };
    let mut condition = Condition::default();
    match says {
        Says::ValidIf(few) => condition.is = numbers(few),
        Says::ValidIfNot(few) | Says::Fahrenheit(few) => condition.is_not = numbers(few),
        Says::ValidIfBit(bit) => condition.bits.push(*bit),
        Says::Digits | Says::Ratio => {}
    }
    condition
}
