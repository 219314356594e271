//! Object identifiers, kept in their BER content encoding.

/// An object identifier.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Oid(Box<[u8]>);
