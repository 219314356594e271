//! Reports: what an engine says about a message that it did not take (RFC 3414 section 3.2, RFC 3412 section 7.1).

use crate::{Oid, Value, VarBind};

/// usmStats, snmpMPDStats, snmpTargetMIB: the counters that stand in reports.
const USM_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 1];
const MPD_STATS: &[u32] = &[1, 3, 6, 1, 6, 3, 11, 2, 1];
const TARGET_OBJECTS: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1];

/// Which counter a report holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// usmStatsUnsupportedSecLevels
    UnsupportedLevel,
    /// usmStatsNotInTimeWindows
    NotInTimeWindow,
    /// usmStatsUnknownUserNames
    UnknownUser,
    /// usmStatsUnknownEngineIDs
    UnknownEngine,
    /// usmStatsWrongDigests
    WrongDigest,
    /// usmStatsDecryptionErrors
    DecryptionError,
    /// snmpUnknownSecurityModels
    UnknownModel,
    /// snmpInvalidMsgs
    InvalidMessage,
    /// snmpUnknownPDUHandlers
    UnknownPdu,
    /// snmpUnavailableContexts, snmpUnknownContexts
    UnknownContext,
}

const PLACES: [(&[u32], u32, Report); 11] = [
    (USM_STATS, 1, Report::UnsupportedLevel),
    (USM_STATS, 2, Report::NotInTimeWindow),
    (USM_STATS, 3, Report::UnknownUser),
    (USM_STATS, 4, Report::UnknownEngine),
    (USM_STATS, 5, Report::WrongDigest),
    (USM_STATS, 6, Report::DecryptionError),
    (MPD_STATS, 1, Report::UnknownModel),
    (MPD_STATS, 2, Report::InvalidMessage),
    (MPD_STATS, 3, Report::UnknownPdu),
    (TARGET_OBJECTS, 5, Report::UnknownContext),
    (TARGET_OBJECTS, 4, Report::UnknownContext),
];

impl Report {
    /// The report with this object; some firmware leaves the instance out.
    pub fn of_name(name: &[u8]) -> Option<Report> {
        let name = Oid::from_bytes(name).ok()?;
        let arcs: Vec<u32> = name.arcs().collect();
        let arcs = arcs.strip_suffix(&[0]).unwrap_or(&arcs);
        let (last, group) = arcs.split_last()?;
        let found = PLACES
            .iter()
            .find(|(known, number, _)| *known == group && number == last);
        found.map(|(_, _, report)| *report)
    }
}

/// The varbind that an engine reports with.
pub fn report_bind(report: Report, count: u32) -> VarBind {
    let place = PLACES.iter().find(|(_, _, known)| *known == report);
    let (group, number) = place.map_or((USM_STATS, 4), |(group, number, _)| (*group, *number));
    VarBind {
        oid: Oid::from_arcs(&[group, &[number, 0]].concat()),
        value: Value::Counter32(count),
    }
}
