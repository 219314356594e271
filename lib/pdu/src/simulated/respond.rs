//! What an SNMP agent answers (RFC 1157 section 4.1, RFC 3416 section 4.2).

use super::{Agent, Cell, Writing};
use rackwarden_base::time::Now;
use rackwarden_snmp::{ErrorStatus, Oid, Pdu, PduKind, Value, VarBind, Version};
use std::ops::Bound;

/// Varbinds in one answer; a datagram of 1,500 bytes holds about as many.
const MOST_BINDS: usize = 40;

/// A constant of this module tree as an object identifier.
pub(super) fn oid(text: &'static str) -> Oid {
    text.parse().unwrap_or_else(|_| Oid::from_arcs(&[0, 0]))
}

/// The answer to a question; `None` for what is none.
pub(super) fn respond(
    agent: &mut Agent,
    now: Now,
    version: Version,
    question: &Pdu,
    may_write: bool,
) -> Option<Pdu> {
    let answer = match question.kind {
        PduKind::Get => collect(question, version, |bind| get(agent, version, bind)),
        PduKind::GetNext => collect(question, version, |bind| next(agent, version, &bind.oid)),
        PduKind::GetBulk if version == Version::V2c => Ok(bulk(agent, question)),
        PduKind::Set => set(agent, now, version, question, may_write),
        _ => return None,
    };
    let (status, index, binds) = match answer {
        Ok(binds) => (ErrorStatus(0), 0, binds),
        Err((status, index)) => (status, index, question.binds.clone()),
    };
    Some(Pdu {
        kind: PduKind::Response,
        request_id: question.request_id,
        status: status.0,
        index,
        binds,
    })
}

type Refusal = (ErrorStatus, u32);

/// Looks each varbind up; in v1 a missing one fails the whole question.
fn collect(
    question: &Pdu,
    version: Version,
    look: impl Fn(&VarBind) -> VarBind,
) -> Result<Vec<VarBind>, Refusal> {
    let mut binds = Vec::with_capacity(question.binds.len());
    for (index, bind) in question.binds.iter().enumerate() {
        let found = look(bind);
        if version == Version::V1 && found.value.is_absent() && found.value != Value::Null {
            return Err((ErrorStatus::NO_SUCH_NAME, index as u32 + 1));
        }
        binds.push(found);
    }
    Ok(binds)
}

fn get(agent: &Agent, version: Version, bind: &VarBind) -> VarBind {
    let value = match agent.mib.get(&bind.oid) {
        Some(cell) if fits(version, &cell.value) => cell.value.clone(),
        Some(_) => Value::NoSuchInstance,
        None if has_sibling(agent, &bind.oid) => Value::NoSuchInstance,
        None => Value::NoSuchObject,
    };
    VarBind {
        oid: bind.oid.clone(),
        value,
    }
}

fn next(agent: &Agent, version: Version, after: &Oid) -> VarBind {
    let mut all = agent.mib.iter();
    let mut successors = agent
        .mib
        .range((Bound::Excluded(after.clone()), Bound::Unbounded));
    let fits = |(_, cell): &(&Oid, &Cell)| fits(version, &cell.value);
    let found = match agent.mistakes_order {
        true => (all.by_ref())
            .filter(|(name, _)| name.as_bytes() > after.as_bytes())
            .filter(fits)
            .min_by_key(|(name, _)| name.as_bytes()),
        false => successors.find(fits),
    };
    match found {
        Some((name, cell)) => VarBind {
            oid: name.clone(),
            value: cell.value.clone(),
        },
        None => VarBind {
            oid: after.clone(),
            value: Value::EndOfMibView,
        },
    }
}

/// Counter64 does not exist in v1.
fn fits(version: Version, value: &Value) -> bool {
    version != Version::V1 || !matches!(value, Value::Counter64(_))
}

/// Whether the same column has another instance.
fn has_sibling(agent: &Agent, name: &Oid) -> bool {
    let arcs: Vec<u32> = name.arcs().collect();
    let Some((_, parent)) = arcs.split_last().filter(|(_, parent)| parent.len() >= 2) else {
        return false;
    };
    let parent = Oid::from_arcs(parent);
    agent
        .mib
        .range(parent.clone()..)
        .next()
        .is_some_and(|(found, _)| found.starts_with(&parent))
}

/// In a GETBULK the two error fields hold non-repeaters and max-repetitions.
fn bulk(agent: &Agent, question: &Pdu) -> Vec<VarBind> {
    let once = (question.status as usize).min(question.binds.len());
    let mut binds: Vec<VarBind> = question.binds[..once]
        .iter()
        .map(|bind| next(agent, Version::V2c, &bind.oid))
        .collect();
    let mut ends: Vec<Oid> = question.binds[once..]
        .iter()
        .map(|bind| bind.oid.clone())
        .collect();
    for _ in 0..question.index {
        if ends.is_empty() || binds.len() + ends.len() > MOST_BINDS {
            break;
        }
        let row: Vec<VarBind> = ends
            .iter()
            .map(|end| next(agent, Version::V2c, end))
            .collect();
        let is_over = row.iter().all(|bind| bind.value == Value::EndOfMibView);
        ends = row.iter().map(|bind| bind.oid.clone()).collect();
        binds.extend(row);
        if is_over {
            break;
        }
    }
    binds
}

/// All varbinds are set, or none.
fn set(
    agent: &mut Agent,
    now: Now,
    version: Version,
    question: &Pdu,
    may_write: bool,
) -> Result<Vec<VarBind>, Refusal> {
    for (index, bind) in question.binds.iter().enumerate() {
        let refuse = |v2: ErrorStatus, v1: ErrorStatus| {
            Err((
                if version == Version::V1 { v1 } else { v2 },
                index as u32 + 1,
            ))
        };
        if !may_write {
            return refuse(ErrorStatus::NO_ACCESS, ErrorStatus::NO_SUCH_NAME);
        }
        if agent.writing == Writing::Refuses {
            return refuse(ErrorStatus::NOT_WRITABLE, ErrorStatus::NO_SUCH_NAME);
        }
        match agent.mib.get(&bind.oid) {
            None => return refuse(NO_CREATION, ErrorStatus::NO_SUCH_NAME),
            Some(cell) if !cell.is_writable => {
                return refuse(ErrorStatus::NOT_WRITABLE, ErrorStatus::NO_SUCH_NAME);
            }
            Some(cell)
                if std::mem::discriminant(&cell.value) != std::mem::discriminant(&bind.value) =>
            {
                return refuse(WRONG_TYPE, BAD_VALUE);
            }
            Some(_) => {}
        }
    }
    agent.sets += 1;
    if agent.writing == Writing::Ignores {
        return Ok(question.binds.clone());
    }
    for bind in &question.binds {
        write(agent, now, bind);
    }
    Ok(question.binds.clone())
}

const BAD_VALUE: ErrorStatus = ErrorStatus(3);
const WRONG_TYPE: ErrorStatus = ErrorStatus(7);
const NO_CREATION: ErrorStatus = ErrorStatus(11);

/// Writing 2 to a reset object resets; the object itself reads 1 again, as on the real ones.
fn write(agent: &mut Agent, now: Now, bind: &VarBind) {
    if let Some(made) = agent.made.as_deref_mut() {
        let resets = made.resets(bind);
        match (resets, agent.model.as_mut()) {
            (Some(0), Some(model)) => return model.reset_peak(now),
            (Some(_), Some(model)) => return model.reset_energy(),
            _ if made.write(now.mono, bind) => return,
            _ => {}
        }
    }
    if super::outlets::write(&mut agent.outlets, now.mono, &bind.oid, &bind.value) {
        return;
    }
    if let Some(model) = agent
        .model
        .as_mut()
        .filter(|model| model.is_energy_reset(&bind.oid))
    {
        if bind.value == Value::Integer(2) {
            model.reset_energy();
        }
        return;
    }
    if let Some(model) = agent
        .model
        .as_mut()
        .filter(|model| model.is_peak_reset(&bind.oid))
    {
        if bind.value == Value::Integer(2) {
            model.reset_peak(now);
        }
        return;
    }
    if let Some(cell) = agent.mib.get_mut(&bind.oid) {
        cell.value = bind.value.clone();
    }
}
