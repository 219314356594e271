//! Values on the wire (RFC 3416 section 3), as the standard writes them and as firmware sends them.

use super::ber::{self, Malformed};
use super::{Oid, Value};

impl Value {
    /// Reads a value from its tag and content. A number without digits is `Null`: some firmware sends it
    /// for "not there", and it must not be taken for 0.
    ///
    /// # Errors
    /// When the tag is none of SNMP's, or the content does not fit it.
    pub fn read(tag: u8, content: &[u8]) -> Result<Value, Malformed> {
        match tag {
            ber::INTEGER
            | ber::COUNTER32
            | ber::GAUGE32
            | ber::UINTEGER32
            | ber::TIME_TICKS
            | ber::COUNTER64
                if content.is_empty() =>
            {
                Ok(Value::Null)
            }
            ber::INTEGER => ber::signed(content).map(Value::Integer),
            ber::OCTET_STRING => Ok(Value::OctetString(content.into())),
            ber::NULL => Ok(Value::Null),
            ber::OBJECT_ID => Oid::from_bytes(content).map(Value::ObjectId),
            ber::IP_ADDRESS => <[u8; 4]>::try_from(content)
                .map(Value::IpAddress)
                .map_err(|_| Malformed("an IpAddress that has not four bytes")),
            ber::COUNTER32 => ber::unsigned32(content).map(Value::Counter32),
            ber::GAUGE32 | ber::UINTEGER32 => ber::unsigned32(content).map(Value::Gauge32),
            ber::TIME_TICKS => ber::unsigned32(content).map(Value::TimeTicks),
            ber::OPAQUE => Ok(Value::Opaque(content.into())),
            ber::COUNTER64 => ber::unsigned64(content).map(Value::Counter64),
            ber::NO_SUCH_OBJECT => Ok(Value::NoSuchObject),
            ber::NO_SUCH_INSTANCE => Ok(Value::NoSuchInstance),
            ber::END_OF_MIB_VIEW => Ok(Value::EndOfMibView),
            _ => Err(Malformed("a value of a type that SNMP does not have")),
        }
    }

    /// Bytes that it takes on the wire, with its header.
    pub(super) fn wire_len(&self) -> usize {
        let content = self.content_len();
        ber::header_len(content) + content
    }

    fn content_len(&self) -> usize {
        match self {
            Value::Integer(value) => ber::signed_len(*value),
            Value::OctetString(bytes) => bytes.len(),
            Value::Opaque(bytes) => bytes.len(),
            Value::ObjectId(oid) => oid.as_bytes().len(),
            Value::IpAddress(_) => 4,
            Value::Counter32(value) | Value::Gauge32(value) | Value::TimeTicks(value) => {
                ber::unsigned_len(u64::from(*value))
            }
            Value::Counter64(value) => ber::unsigned_len(*value),
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => 0,
        }
    }

    /// Appends it with its header.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Value::Integer(value) => ber::put_signed(out, ber::INTEGER, *value),
            Value::OctetString(bytes) => put_bytes(out, ber::OCTET_STRING, bytes),
            Value::Null => ber::put_header(out, ber::NULL, 0),
            Value::ObjectId(oid) => put_bytes(out, ber::OBJECT_ID, oid.as_bytes()),
            Value::IpAddress(octets) => put_bytes(out, ber::IP_ADDRESS, octets),
            Value::Counter32(value) => {
                ber::put_unsigned(out, ber::COUNTER32, u64::from(*value));
            }
            Value::Gauge32(value) => ber::put_unsigned(out, ber::GAUGE32, u64::from(*value)),
            Value::TimeTicks(value) => {
                ber::put_unsigned(out, ber::TIME_TICKS, u64::from(*value));
            }
            Value::Opaque(bytes) => put_bytes(out, ber::OPAQUE, bytes),
            Value::Counter64(value) => ber::put_unsigned(out, ber::COUNTER64, *value),
            Value::NoSuchObject => ber::put_header(out, ber::NO_SUCH_OBJECT, 0),
            Value::NoSuchInstance => ber::put_header(out, ber::NO_SUCH_INSTANCE, 0),
            Value::EndOfMibView => ber::put_header(out, ber::END_OF_MIB_VIEW, 0),
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    ber::put_header(out, tag, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_as_it_went_out() {
        let oid = Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318]);
        for value in [
            Value::Integer(-1),
            Value::Integer(i64::from(i32::MIN)),
            Value::OctetString(vec![0xff; 300].into()),
            Value::OctetString([].into()),
            Value::Null,
            Value::ObjectId(oid),
            Value::IpAddress([192, 0, 2, 1]),
            Value::Counter32(u32::MAX),
            Value::Gauge32(0x8000_0000),
            Value::TimeTicks(0),
            Value::Opaque([0x9f, 0x78, 4, 0, 0, 0, 0].into()),
            Value::Counter64(u64::MAX),
            Value::NoSuchObject,
            Value::NoSuchInstance,
            Value::EndOfMibView,
        ] {
            let mut out = Vec::new();
            value.put(&mut out);
            assert_eq!(out.len(), value.wire_len());
            let (tag, content) = ber::Reader::new(&out).read().unwrap();
            assert_eq!(Value::read(tag, content), Ok(value));
        }
    }

    #[test]
    fn a_number_without_digits_is_no_number() {
        for tag in [0x02, 0x41, 0x42, 0x43, 0x46] {
            assert_eq!(Value::read(tag, &[]), Ok(Value::Null));
        }
    }

    #[test]
    fn types_that_snmp_does_not_have_are_refused() {
        for tag in [0x00, 0x01, 0x03, 0x30, 0x45, 0x48, 0x83, 0xa0, 0xff] {
            assert!(Value::read(tag, &[1, 2, 3, 4]).is_err(), "{tag:#x}");
        }
        assert!(Value::read(0x40, &[1, 2, 3]).is_err());
    }
}
