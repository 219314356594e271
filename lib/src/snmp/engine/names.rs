//! The objects of the GET that was written last, as they go on the wire. Devices of one kind are asked the same,
//! one after the other.

use crate::snmp::Oid;
use crate::snmp::message::put_names;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Names {
    oids: Option<Arc<[Oid]>>,
    written: Vec<u8>,
}

impl Names {
    /// These objects as varbinds.
    pub(super) fn written(&mut self, oids: &Arc<[Oid]>) -> &[u8] {
        let known = self.oids.as_ref();
        if !known.is_some_and(|known| Arc::ptr_eq(known, oids)) {
            self.written.clear();
            put_names(&mut self.written, oids);
            self.oids = Some(Arc::clone(oids));
        }
        &self.written
    }
}
