//! The curve P-256 for TLS: signatures of certificates and handshakes, and key exchange (SEC 1, FIPS 186-5). By the `p256`
//! crate, since ring's faster one carries a table of 150 kB for a handshake that happens a few times a day.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{EncodedPoint, FieldBytes, PublicKey, SecretKey};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};

/// ECDSA with SHA-256.
pub(super) static ECDSA_SHA256: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    id: alg_id::ECDSA_SHA256,
    digest: &digest::SHA256,
};
/// ECDSA with SHA-384, which TLS 1.2 allows for this curve too.
pub(super) static ECDSA_SHA384: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    id: alg_id::ECDSA_SHA384,
    digest: &digest::SHA384,
};
/// Ephemeral Diffie-Hellman.
pub(super) static KEY_EXCHANGE: &dyn SupportedKxGroup = &Group;

#[derive(Debug)]
struct Ecdsa {
    id: AlgorithmIdentifier,
    digest: &'static digest::Algorithm,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.id
    }

    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        let hash = digest::digest(self.digest, message);
        key.verify_prehash(hash.as_ref(), &signature)
            .map_err(|_| InvalidSignature)
    }
}

#[derive(Debug)]
struct Group;

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = random_secret()?;
        let public = secret.public_key().to_encoded_point(false);
        Ok(Box::new(Exchange { secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

/// A number from 1 to the group's order less 1; nearly every 256 random bits are one.
fn random_secret() -> Result<SecretKey, GetRandomFailed> {
    loop {
        let mut bytes = FieldBytes::default();
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| GetRandomFailed)?;
        if let Ok(secret) = SecretKey::from_bytes(&bytes) {
            return Ok(secret);
        }
    }
}

struct Exchange {
    secret: SecretKey,
    public: EncodedPoint,
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // RFC 8446 section 4.2.8.2: uncompressed points only.
        let peer = match peer.first() {
            Some(4) => PublicKey::from_sec1_bytes(peer).ok(),
            _ => None,
        };
        let peer = peer.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let scalar = self.secret.to_nonzero_scalar();
        let secret = p256::ecdh::diffie_hellman(scalar, peer.as_affine());
        Ok(SharedSecret::from(&secret.raw_secret_bytes()[..]))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp256r1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    /// What ours and ring's say of the same signature.
    fn verdicts(key: &[u8], message: &[u8], signature: &[u8]) -> (bool, bool) {
        let ring = webpki::ring::ECDSA_P256_SHA256;
        (
            ECDSA_SHA256
                .verify_signature(key, message, signature)
                .is_ok(),
            ring.verify_signature(key, message, signature).is_ok(),
        )
    }

    #[test]
    fn signatures_are_judged_as_ring_judges_them() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .expect("a key pair");
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
                .expect("the same pair");
        let key = pair.public_key().as_ref();
        for round in 0..20u8 {
            let message = [round; 40];
            let signature = pair.sign(&random, &message).expect("a signature");
            assert_eq!(verdicts(key, &message, signature.as_ref()), (true, true));
            for index in 0..signature.as_ref().len() {
                let mut broken = signature.as_ref().to_vec();
                broken[index] ^= 1 << (round % 8);
                let (ours, rings) = verdicts(key, &message, &broken);
                assert_eq!((ours, rings), (false, false), "byte {index} of {broken:?}");
            }
            assert_eq!(
                verdicts(key, &[round; 41], signature.as_ref()),
                (false, false)
            );
        }
        assert_eq!(verdicts(&[], b"", b""), (false, false));
        assert_eq!(verdicts(&[4; 65], b"", &[0x30, 0]), (false, false));
    }

    #[test]
    fn sha_384_takes_the_left_half_of_the_hash() {
        use p256::ecdsa::signature::hazmat::PrehashSigner;
        let secret = random_secret().expect("random bytes");
        let hash = digest::digest(&digest::SHA384, b"message");
        let signing = p256::ecdsa::SigningKey::from(&secret);
        let signature: Signature = signing.sign_prehash(hash.as_ref()).expect("a signature");
        let (key, der) = (
            secret.public_key().to_encoded_point(false),
            signature.to_der(),
        );
        for algorithm in [ECDSA_SHA384, webpki::ring::ECDSA_P256_SHA384] {
            let check =
                |message| algorithm.verify_signature(key.as_bytes(), message, der.as_bytes());
            assert!(check(b"message").is_ok() && check(b"another").is_err());
        }
    }

    #[test]
    fn both_ends_agree_on_a_secret_and_bad_points_are_refused() {
        let random = SystemRandom::new();
        let theirs =
            EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random).expect("a private key");
        let their_public = theirs.compute_public_key().expect("a public key");
        let ours = KEY_EXCHANGE.start().expect("random bytes");
        let our_public = UnparsedPublicKey::new(&agreement::ECDH_P256, ours.pub_key().to_vec());
        let our_secret = ours
            .complete(their_public.as_ref())
            .expect("a point of the curve");
        agreement::agree_ephemeral(theirs, &our_public, |secret| {
            assert_eq!(secret, our_secret.secret_bytes());
        })
        .expect("a point of the curve");
        for bad in [&[][..], &[4; 65], &[0], &[2; 33], &[4; 64]] {
            let ours = KEY_EXCHANGE.start().expect("random bytes");
            assert!(ours.complete(bad).is_err(), "{bad:?}");
        }
    }
}
