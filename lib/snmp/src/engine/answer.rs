//! Reads the varbinds of a response against what was asked. A response that holds other objects, or the
//! right ones in another order, answers something else. A value that nobody can read is none, and spoils no other.

use crate::message::{RawBind, RawPdu};
use crate::{ErrorStatus, Oid, SnmpAnswer, SnmpAsk, Value, VarBind, Version};
use std::cmp::Ordering;

/// The answer in a response, or `None` when it does not answer this.
pub(super) fn read(ask: &SnmpAsk, version: Version, pdu: &RawPdu<'_>) -> Option<SnmpAnswer> {
    if pdu.status != 0 {
        return read_error(ask, pdu);
    }
    match ask {
        SnmpAsk::Get(oids) => read_values(oids.iter(), pdu),
        SnmpAsk::Set(binds) => read_values(binds.iter().map(|bind| &bind.oid), pdu),
        SnmpAsk::GetNext(oids) => read_next(oids, pdu),
        SnmpAsk::GetBulk { oids, .. } if version == Version::V1 => read_next(oids, pdu),
        SnmpAsk::GetBulk {
            non_repeaters,
            max_repetitions,
            oids,
        } => read_bulk(
            oids,
            usize::from(*non_repeaters),
            usize::from(*max_repetitions),
            pdu,
        ),
    }
}

/// An error repeats the names of the question; tooBig, and some firmware with any error, leaves them out.
fn read_error(ask: &SnmpAsk, pdu: &RawPdu<'_>) -> Option<SnmpAnswer> {
    let mut asked = names(ask);
    for bind in pdu.binds() {
        if bind.ok()?.name != asked.next()?.as_bytes() {
            return None;
        }
    }
    Some(SnmpAnswer::Error {
        status: ErrorStatus(pdu.status),
        index: pdu.index,
    })
}

fn names(ask: &SnmpAsk) -> Box<dyn Iterator<Item = &Oid> + '_> {
    match ask {
        SnmpAsk::Get(oids) | SnmpAsk::GetNext(oids) | SnmpAsk::GetBulk { oids, .. } => {
            Box::new(oids.iter())
        }
        SnmpAsk::Set(binds) => Box::new(binds.iter().map(|bind| &bind.oid)),
    }
}

fn read_values<'a>(
    asked: impl ExactSizeIterator<Item = &'a Oid>,
    pdu: &RawPdu<'_>,
) -> Option<SnmpAnswer> {
    let mut values: Vec<Value> = Vec::with_capacity(asked.len());
    let mut binds = pdu.binds();
    for oid in asked {
        let bind = binds.next()?.ok()?;
        if bind.name != oid.as_bytes() {
            return None;
        }
        values.push(bind.value().unwrap_or(Value::Null));
    }
    if binds.next().is_some() {
        return None;
    }
    Some(SnmpAnswer::Values(values.into_boxed_slice()))
}

fn read_next(asked: &[Oid], pdu: &RawPdu<'_>) -> Option<SnmpAnswer> {
    let mut found = Vec::with_capacity(asked.len());
    let mut binds = pdu.binds();
    for oid in asked {
        let bind = binds.next()?.ok()?;
        // Some firmware mistakes the order of objects, and where it has nothing behind one answers with one in front of it, or
        // with itself.
        found.push(if Oid::from_bytes(bind.name).ok()? <= *oid {
            VarBind {
                oid: oid.clone(),
                value: Value::EndOfMibView,
            }
        } else {
            successor(&bind, oid)?
        });
    }
    if binds.next().is_some() {
        return None;
    }
    Some(SnmpAnswer::Binds(found.into_boxed_slice()))
}

/// RFC 3416 section 4.2.3: first the non-repeaters, then rows of one successor for each other object. An
/// agent may stop anywhere.
fn read_bulk(
    asked: &[Oid],
    non_repeaters: usize,
    max_repetitions: usize,
    pdu: &RawPdu<'_>,
) -> Option<SnmpAnswer> {
    let singles = non_repeaters.min(asked.len());
    let columns = asked.len() - singles;
    let most = singles + columns * max_repetitions;
    let mut found: Vec<VarBind> = Vec::new();
    for bind in pdu.binds() {
        let bind = bind.ok()?;
        if found.len() == most {
            return None;
        }
        let before = match found.len().checked_sub(asked.len()) {
            Some(_) => &found[found.len() - columns].oid,
            None => &asked[found.len()],
        };
        found.push(successor(&bind, before)?);
    }
    Some(SnmpAnswer::Binds(found.into_boxed_slice()))
}

/// The bind, if it lies behind `before`, or says at `before` that nothing does.
fn successor(bind: &RawBind<'_>, before: &Oid) -> Option<VarBind> {
    let oid = Oid::from_bytes(bind.name).ok()?;
    let value = bind.value().unwrap_or(Value::Null);
    let is_behind = match oid.cmp(before) {
        Ordering::Greater => true,
        Ordering::Equal => value == Value::EndOfMibView,
        Ordering::Less => false,
    };
    is_behind.then_some(VarBind { oid, value })
}
