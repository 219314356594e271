//! APC Easy PDUs: the numeric tables of the PowerNet-MIB, and a firmware that answers text outside of any MIB.

use super::vendor::{
    Column, Evidence, Field, Form, Model, Part, Quantity, RowKind, Rows, Scope, Table, Vendor,
};

/// A model that does not support an object answers −1.
const UNSUPPORTED: &[i64] = &[-1];

/// Easy PDU with numbers (branch 30). From the MIB; no recording holds it.
pub(super) const APC_EPDU: Vendor = Vendor {
    profile: "apc-epdu",
    vendor: "APC",
    title: "Easy PDU (ePDU)",
    models: &["EPDU1xxxM", "EPDU1xxxB", "EPDU1xxxS"],
    evidence: Evidence::Mib,
    sys_object_ids: &["1.3.6.1.4.1.318.1.3.4.9"],
    sys_descrs: &["Easy Rack PDU", "Easy PDU"],
    decisive: &[
        Column::unit(
            "1.3.6.1.4.1.318.1.1.30.4.2.1.6",
            Form::Number(1.0),
            UNSUPPORTED,
        ),
        Column::unit(
            "1.3.6.1.4.1.318.1.1.30.4.2.1.5",
            Form::Number(0.01),
            UNSUPPORTED,
        ),
    ],
    model: &[Model::Descr("MN:", " ")],
    units: Some(Rows {
        oid: "1.3.6.1.4.1.318.1.1.30.4.2.1.5",
        shape: &[Part::Row],
    }),
    device: &[
        // Watt-hours stand in each phase; the device's energy is their sum.
        (
            Quantity::Energy,
            Column {
                oid: "1.3.6.1.4.1.318.1.1.30.4.2.1.10",
                scope: Scope::Unit(&[Part::Row]),
                form: Form::Number(0.001),
                absent: UNSUPPORTED,
            },
        ),
    ],
    tables: &[Table {
        kind: RowKind::Phase,
        rows: Rows {
            oid: "1.3.6.1.4.1.318.1.1.30.4.2.1.5",
            shape: &[Part::Row],
        },
        cap: 12,
        unit: None,
        number: None,
        keep: None,
        blank_name_is_padding: false,
        columns: &[
            // ePDUPhaseStatusActivePower, watts
            (
                Field::Power,
                Form::Number(1.0),
                "1.3.6.1.4.1.318.1.1.30.4.2.1.6",
                UNSUPPORTED,
            ),
            // ePDUPhaseStatusCurrent, hundredths of an ampere
            (
                Field::Current,
                Form::Number(0.01),
                "1.3.6.1.4.1.318.1.1.30.4.2.1.5",
                UNSUPPORTED,
            ),
            // ePDUPhaseStatusVoltage, tenths of a volt
            (
                Field::Voltage,
                Form::Number(0.1),
                "1.3.6.1.4.1.318.1.1.30.4.2.1.4",
                UNSUPPORTED,
            ),
        ],
    }],
    peak_reset: None,
    max_oids: 20,
};

/// Easy PDU whose firmware answers text with units. Replies are those of an EPDU1132M.
pub(super) const APC_EPDU_TEXT: Vendor = Vendor {
    profile: "apc-epdu-text",
    vendor: "APC",
    title: "Easy PDU with values as text",
    models: &["EPDU1132M"],
    evidence: Evidence::Recorded(&["apc-epdu_epdu1132m"]),
    // sysObjectID.0 = 1.3.6.1.4.1.0, sysDescr.0 = ""
    sys_object_ids: &["1.3.6.1.4.1.0"],
    sys_descrs: &[],
    decisive: &[Column::whole_row("1.3.6.1.4.1.1.1.3")],
    model: &[],
    units: None,
    device: &[
        // 1.3.6.1.4.1.1.1.3.1 = "0.061kW"
        (Quantity::Power, Column::whole_row("1.3.6.1.4.1.1.1.3")),
        // 1.3.6.1.4.1.1.1.7.1 = "2.28kWh"
        (Quantity::Energy, Column::whole_row("1.3.6.1.4.1.1.1.7")),
        // 1.3.6.1.4.1.1.1.2.1 = "0.30A"
        (Quantity::Current, Column::whole_row("1.3.6.1.4.1.1.1.2")),
        // 1.3.6.1.4.1.1.1.1.1 = "232.6V"
        (Quantity::Voltage, Column::whole_row("1.3.6.1.4.1.1.1.1")),
    ],
    tables: &[],
    peak_reset: None,
    max_oids: 20,
};

impl Column {
    /// Text with a unit in the only row of this firmware's table.
    const fn whole_row(oid: &'static str) -> Column {
        Column {
            oid,
            scope: Scope::Whole(&[1]),
            form: Form::WithUnit,
            absent: UNSUPPORTED,
        }
    }
}
