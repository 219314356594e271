//! SNMPv1 and v2c messages (RFC 1157, RFC 1901, RFC 3416).

/// What a PDU wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PduKind {
    /// GET
    Get,
}
/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {}
/// A PDU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {}
/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {}
