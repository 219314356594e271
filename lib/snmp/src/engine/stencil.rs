//! The datagram of the last GET. Devices of one kind are asked the same, one after the other: then only the
//! request id differs.

use crate::message::encode_request;
use crate::{Oid, SnmpAsk, Version};
use rackwarden_base::secret::Secret;
use std::fmt;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Stencil {
    question: Option<Question>,
    datagram: Vec<u8>,
    /// Where the two bytes of the id stand.
    id_at: usize,
}

struct Question {
    version: Version,
    community: Secret<Arc<str>>,
    oids: Arc<[Oid]>,
}

impl Stencil {
    /// Appends the datagram that asks this.
    pub(super) fn write(
        &mut self,
        out: &mut Vec<u8>,
        version: Version,
        community: &Secret<Arc<str>>,
        id: u16,
        ask: &SnmpAsk,
    ) {
        let start = out.len();
        let bytes = id.to_be_bytes();
        let has_two_bytes = bytes[0] != 0;
        match (ask, &self.question) {
            (SnmpAsk::Get(oids), Some(known))
                if has_two_bytes
                    && Arc::ptr_eq(&known.oids, oids)
                    && known.version == version
                    && known.community == *community =>
            {
                out.extend_from_slice(&self.datagram);
                let id_at = start + self.id_at;
                out[id_at..id_at + 2].copy_from_slice(&bytes);
                return;
            }
            _ => {}
        }
        let secret = community.expose().as_bytes();
        let id_end = encode_request(out, version, secret, i32::from(id), ask);
        if let (SnmpAsk::Get(oids), true) = (ask, has_two_bytes) {
            self.question = Some(Question {
                version,
                community: community.clone(),
                oids: Arc::clone(oids),
            });
            self.datagram.clear();
            self.datagram.extend_from_slice(&out[start..]);
            self.id_at = id_end - start - 2;
        }
    }
}

impl fmt::Debug for Stencil {
    /// Without the community.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stencil")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackwarden_base::rng::Rng;

    #[test]
    fn a_copy_is_what_would_have_been_written() {
        let oids = |rows: &[u32]| -> Arc<[Oid]> {
            let oid = |row: &u32| Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 318, *row]);
            rows.iter().map(oid).collect()
        };
        let lists = [oids(&[1, 2]), oids(&[1, 2]), oids(&[3])];
        let communities = ["public", "other", &"long".repeat(40)];
        let communities = communities.map(|community| Secret::new(Arc::from(community)));
        let mut rng = Rng::new(5);
        let mut stencil = Stencil::default();
        for _ in 0..3000 {
            let mut any = |count: u64| rng.below(count) as usize;
            let version = [Version::V1, Version::V2c][any(2)];
            let list = Arc::clone(&lists[any(3)]);
            let ask = match any(8) {
                0 => SnmpAsk::GetNext(list),
                _ => SnmpAsk::Get(list),
            };
            let community = &communities[any(3)];
            let id = [1, 127, 128, 255, 256, 32_767][any(6)];
            let (mut copied, mut written) = (vec![7], vec![7]);
            stencil.write(&mut copied, version, community, id, &ask);
            let secret = community.expose().as_bytes();
            encode_request(&mut written, version, secret, i32::from(id), &ask);
            assert_eq!(copied, written);
        }
        assert_eq!(format!("{stencil:?}"), "Stencil");
    }
}
