//! APC rack PDUs of the second generation (PowerNet-MIB, branch rPDU2): AP8xxx, APDU9xxx.

use super::vendor::{
    Column, Evidence, Field, Form, Model, Part, Quantity, Reset, RowKind, Rows, Scope, Table,
    Vendor,
};

/// A model that does not support an object answers −1 in this branch.
const UNSUPPORTED: &[i64] = &[-1];

/// The table of the family. Replies are those of an AP8959EU3 (firmware 6.4.0) unless said otherwise.
pub(super) const APC_RPDU2: Vendor = Vendor {
    profile: "apc-rpdu2",
    vendor: "APC",
    title: "Rack PDU 2G, metered and switched (rPDU2)",
    models: &[
        "AP8853",
        "AP8959EU3",
        "APDU9959EU3",
        "AP86xx",
        "AP88xx",
        "AP89xx",
    ],
    evidence: Evidence::Recorded(&["apc_ap8959eu3"]),
    // sysObjectID.0 = 1.3.6.1.4.1.318.1.3.4.6  (masterSwitchrPDU2)
    sys_object_ids: &["1.3.6.1.4.1.318.1.3.4.6", "1.3.6.1.4.1.318.1.3.4"],
    // sysDescr.0 = "APC Web/SNMP Management Card (… AN1:apc_hw05_rpdu2g_640.bin MN:AP8959EU3 …)"
    sys_descrs: &["_rpdu2g_"],
    decisive: &[
        Column::unit(
            "1.3.6.1.4.1.318.1.1.26.4.3.1.5",
            Form::Number(10.0),
            UNSUPPORTED,
        ),
        Column::unit(
            "1.3.6.1.4.1.318.1.1.26.6.3.1.7",
            Form::Number(10.0),
            UNSUPPORTED,
        ),
    ],
    model: &[
        Model::Object("1.3.6.1.4.1.318.1.1.26.2.1.8.1"), // rPDU2IdentModelNumber.1
        Model::Object("1.3.6.1.4.1.318.1.1.12.1.5.0"),   // rPDUIdentModelNumber.0 = "AP8959EU3"
        Model::Descr("MN:", " "),
    ],
    units: Some(Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.4.3.1.5",
        shape: &[Part::Unit],
    }),
    device: &[
        // rPDU2DeviceStatusPower.1 = 27  (hundredths of a kilowatt)
        (
            Quantity::Power,
            Column::unit(
                "1.3.6.1.4.1.318.1.1.26.4.3.1.5",
                Form::Number(10.0),
                UNSUPPORTED,
            ),
        ),
        // rPDUIdentDevicePowerWatts.0 = 270
        (
            Quantity::Power,
            Column::host(
                "1.3.6.1.4.1.318.1.1.12.1.16",
                &[0],
                Form::Number(1.0),
                UNSUPPORTED,
            ),
        ),
        // rPDU2DeviceStatusPeakPower.1 = 62  (hundredths of a kilowatt)
        (
            Quantity::Peak,
            Column::unit(
                "1.3.6.1.4.1.318.1.1.26.4.3.1.6",
                Form::Number(10.0),
                UNSUPPORTED,
            ),
        ),
        // rPDU2DeviceStatusPeakPowerTimestamp.1 = "08/16/2022 16:01:25"; "notsupported" on an AP7900B
        (
            Quantity::PeakAt,
            Column::unit("1.3.6.1.4.1.318.1.1.26.4.3.1.7", Form::Time, &[]),
        ),
        // rPDU2DeviceStatusPeakPowerStartTime.1 = "08/16/2022 15:37:56"
        (
            Quantity::PeakSince,
            Column::unit("1.3.6.1.4.1.318.1.1.26.4.3.1.8", Form::Time, &[]),
        ),
        // rPDU2DeviceStatusEnergy.1 = 19677  (tenths of a kilowatt-hour)
        (
            Quantity::Energy,
            Column::unit(
                "1.3.6.1.4.1.318.1.1.26.4.3.1.9",
                Form::Number(0.1),
                UNSUPPORTED,
            ),
        ),
        // rPDU2DeviceStatusApparentPower.1 = 30  (hundredths of a kilovolt-ampere)
        (
            Quantity::Apparent,
            Column::unit(
                "1.3.6.1.4.1.318.1.1.26.4.3.1.16",
                Form::Number(10.0),
                UNSUPPORTED,
            ),
        ),
    ],
    tables: &[
        PHASES,
        BANKS,
        SWITCHED_OUTLETS,
        METERED_OUTLETS,
        super::apc_rpdu::OUTLETS,
        PROBES,
    ],
    // rPDU2DeviceConfigDevicePeakPowerReset: reads noOperation (1) or notSupported (3), reset is 2.
    peak_reset: Some(Reset {
        oid: "1.3.6.1.4.1.318.1.1.26.4.1.1.10",
        scope: Scope::Unit(&[Part::Unit]),
        value: 2,
        unsupported: &[3],
    }),
    max_oids: 20,
};

/// rPDU2PhaseStatusTable: .2 module, .3 number.
pub(super) const PHASES: Table = Table {
    kind: RowKind::Phase,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.6.3.1.5",
        shape: &[Part::Row],
    },
    cap: 48,
    unit: Some("1.3.6.1.4.1.318.1.1.26.6.3.1.2"),
    number: Some("1.3.6.1.4.1.318.1.1.26.6.3.1.3"),
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        // rPDU2PhaseStatusPower.1 = 25  (hundredths of a kilowatt)
        (
            Field::Power,
            Form::Number(10.0),
            "1.3.6.1.4.1.318.1.1.26.6.3.1.7",
            UNSUPPORTED,
        ),
        // rPDU2PhaseStatusCurrent.1 = 13  (tenths of an ampere)
        (
            Field::Current,
            Form::Number(0.1),
            "1.3.6.1.4.1.318.1.1.26.6.3.1.5",
            UNSUPPORTED,
        ),
        // rPDU2PhaseStatusVoltage.1 = 231  (volts)
        (
            Field::Voltage,
            Form::Number(1.0),
            "1.3.6.1.4.1.318.1.1.26.6.3.1.6",
            UNSUPPORTED,
        ),
    ],
};

/// rPDU2BankStatusTable: .2 module, .3 number. From the MIB; no recording holds a bank.
const BANKS: Table = Table {
    kind: RowKind::Bank,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.8.3.1.5",
        shape: &[Part::Row],
    },
    cap: 96,
    unit: Some("1.3.6.1.4.1.318.1.1.26.8.3.1.2"),
    number: Some("1.3.6.1.4.1.318.1.1.26.8.3.1.3"),
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        // rPDU2BankStatusCurrent, tenths of an ampere
        (
            Field::Current,
            Form::Number(0.1),
            "1.3.6.1.4.1.318.1.1.26.8.3.1.5",
            UNSUPPORTED,
        ),
    ],
};

/// rPDU2OutletSwitchedStatusTable: .2 module, .3 name, .4 number, .5 state. From the MIB, where off is 1
/// and on is 2: the opposite of the older table.
const SWITCHED_OUTLETS: Table = Table {
    kind: RowKind::Outlet,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5",
        shape: &[Part::Row],
    },
    cap: 192,
    unit: Some("1.3.6.1.4.1.318.1.1.26.9.2.3.1.2"),
    number: Some("1.3.6.1.4.1.318.1.1.26.9.2.3.1.4"),
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        (
            Field::On,
            Form::Switch {
                on: &[2],
                off: &[1],
            },
            "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5",
            UNSUPPORTED,
        ),
        (
            Field::Name,
            Form::Text,
            "1.3.6.1.4.1.318.1.1.26.9.2.3.1.3",
            &[],
        ),
    ],
};

/// rPDU2OutletMeteredStatusTable: .2 module, .3 name, .4 number. From the MIB.
const METERED_OUTLETS: Table = Table {
    kind: RowKind::Outlet,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7",
        shape: &[Part::Row],
    },
    cap: 192,
    unit: Some("1.3.6.1.4.1.318.1.1.26.9.4.3.1.2"),
    number: Some("1.3.6.1.4.1.318.1.1.26.9.4.3.1.4"),
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        // rPDU2OutletMeteredStatusPower, watts
        (
            Field::Power,
            Form::Number(1.0),
            "1.3.6.1.4.1.318.1.1.26.9.4.3.1.7",
            UNSUPPORTED,
        ),
        // rPDU2OutletMeteredStatusCurrent, tenths of an ampere
        (
            Field::Current,
            Form::Number(0.1),
            "1.3.6.1.4.1.318.1.1.26.9.4.3.1.6",
            UNSUPPORTED,
        ),
        (
            Field::Name,
            Form::Text,
            "1.3.6.1.4.1.318.1.1.26.9.4.3.1.3",
            &[],
        ),
    ],
};

/// rPDU2SensorTempHumidityStatusTable: .2 module, .3 name.
const PROBES: Table = Table {
    kind: RowKind::Probe,
    rows: Rows {
        oid: "1.3.6.1.4.1.318.1.1.26.10.2.2.1.8",
        shape: &[Part::Row],
    },
    cap: 16,
    unit: Some("1.3.6.1.4.1.318.1.1.26.10.2.2.1.2"),
    number: None,
    keep: None,
    blank_name_is_padding: false,
    columns: &[
        // rPDU2SensorTempHumidityStatusTempC.1 = -1  (tenths of a degree; −1: no probe)
        (
            Field::Temperature,
            Form::Number(0.1),
            "1.3.6.1.4.1.318.1.1.26.10.2.2.1.8",
            UNSUPPORTED,
        ),
        // rPDU2SensorTempHumidityStatusRelativeHumidity.1 = -1
        (
            Field::Humidity,
            Form::Number(1.0),
            "1.3.6.1.4.1.318.1.1.26.10.2.2.1.10",
            UNSUPPORTED,
        ),
        // rPDU2SensorTempHumidityStatusName.1 = ""
        (
            Field::Name,
            Form::Text,
            "1.3.6.1.4.1.318.1.1.26.10.2.2.1.3",
            &[],
        ),
    ],
};
