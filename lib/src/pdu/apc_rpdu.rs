//! APC rack PDUs of the first generation (PowerNet-MIB, branches rPDU and sPDU): AP7xxx, MasterSwitch.
//! Newer cards of this generation answer rPDU2 objects with −1 for what they cannot measure.

use super::vendor::{
    Column, Evidence, Field, Form, Keep, Model, Part, Quantity, RowKind, Rows, Table, Vendor,
};

/// A model that does not support an object answers −1.
const UNSUPPORTED: &[i64] = &[-1];

/// The table of the family. Replies are those of an AP7900B (firmware 6.8.2).
pub(super) const APC_RPDU: Vendor = Vendor {
    profile: "apc-rpdu",
    vendor: "APC",
    title: "Rack PDU, first generation (rPDU), and MasterSwitch (sPDU)",
    models: &["AP7900B", "AP7820", "AP78xx", "AP79xx", "AP9606"],
    evidence: Evidence::Recorded(&["apc_ap7900b", "apc_metered-rack", "apc_masterswitch"]),
    // sysObjectID.0 = 1.3.6.1.4.1.318.1.3.4.8  (rPDUB); .5 is masterSwitchrPDU, .2 masterSwitchV2
    sys_object_ids: &[
        "1.3.6.1.4.1.318.1.3.4.2",
        "1.3.6.1.4.1.318.1.3.4.4",
        "1.3.6.1.4.1.318.1.3.4.5",
        "1.3.6.1.4.1.318.1.3.4.7",
        "1.3.6.1.4.1.318.1.3.4.8",
        "1.3.6.1.4.1.318",
    ],
    sys_descrs: &["_rpdu_", "Switched Rack PDU", "Metered Rack PDU"],
    decisive: &[
        Column::host(
            "1.3.6.1.4.1.318.1.1.12.1.16",
            &[0],
            Form::Number(1.0),
            UNSUPPORTED,
        ),
        Column::unit(
            "1.3.6.1.4.1.318.1.1.12.2.3.1.1.2",
            Form::Number(0.1),
            UNSUPPORTED,
        ),
        Column::unit(
            "1.3.6.1.4.1.318.1.1.4.4.2.1.3",
            Form::Number(1.0),
            UNSUPPORTED,
        ),
    ],
    model: &[
        Model::Object("1.3.6.1.4.1.318.1.1.12.1.5.0"), // rPDUIdentModelNumber.0 = "AP7900B"
        Model::Object("1.3.6.1.4.1.318.1.1.4.1.4.0"),  // sPDUIdentModelNumber.0 = "AP7900B"
        Model::Descr("MN:", " "),
        Model::Words("Switched Rack PDU"),
        Model::Words("Metered Rack PDU"),
    ],
    units: None,
    device: &[
        // rPDUIdentDevicePowerWatts.0 = 312, computed by the unit from its current and the set voltage
        (
            Quantity::Power,
            Column::host(
                "1.3.6.1.4.1.318.1.1.12.1.16",
                &[0],
                Form::Number(1.0),
                UNSUPPORTED,
            ),
        ),
    ],
    tables: &[super::apc_rpdu2::PHASES, LOADS, BANKS, OUTLETS],
    peak_reset: None,
    max_oids: 20,
};

/// rPDULoadStatusTable, the rows of phases: .4 phase number, .5 bank number, which is 0 for them.
const LOADS: Table = Table {
    kind: RowKind::Phase,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.12.2.3.1.1.2",
        shape: &[Part::Row],
    },
    cap: 48,
    unit: None,
    number: Some("1.3.6.1.4.1.318.1.1.12.2.3.1.1.4"),
    keep: Some(Keep {
        oid: "1.3.6.1.4.1.318.1.1.12.2.3.1.1.5",
        keep: true,
        values: &[0],
    }),
    blank_name_is_padding: false,
    columns: &[
        // rPDULoadStatusLoad.1 = 28  (tenths of an ampere)
        (
            Field::Current,
            Form::Number(0.1),
            "1.3.6.1.4.1.318.1.1.12.2.3.1.1.2",
            UNSUPPORTED,
        ),
    ],
};

/// The same table, the rows of banks.
const BANKS: Table = Table {
    kind: RowKind::Bank,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.12.2.3.1.1.5",
        shape: &[Part::Row],
    },
    cap: 48,
    unit: None,
    number: Some("1.3.6.1.4.1.318.1.1.12.2.3.1.1.5"),
    keep: Some(Keep {
        oid: "1.3.6.1.4.1.318.1.1.12.2.3.1.1.5",
        keep: false,
        values: &[0],
    }),
    blank_name_is_padding: false,
    columns: &[(
        Field::Current,
        Form::Number(0.1),
        "1.3.6.1.4.1.318.1.1.12.2.3.1.1.2",
        UNSUPPORTED,
    )],
};

/// sPDUOutletControlTable: on is 1 and off is 2.
pub(super) const OUTLETS: Table = Table {
    kind: RowKind::Outlet,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.4.4.2.1.3",
        shape: &[Part::Row],
    },
    cap: 64,
    unit: None,
    number: None,
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        // sPDUOutletCtl.1 = 1
        (
            Field::On,
            Form::Switch {
                on: &[1],
                off: &[2],
            },
            "1.3.6.1.4.1.318.1.1.4.4.2.1.3",
            UNSUPPORTED,
        ),
        // sPDUOutletCtlName.1 = "NAS PSU"
        (
            Field::Name,
            Form::Text,
            "1.3.6.1.4.1.318.1.1.4.4.2.1.4",
            &[],
        ),
    ],
};
