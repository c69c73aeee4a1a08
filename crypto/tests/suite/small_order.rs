//! ZIP 215 (<https://zips.z.cash/zip-0215>): which signatures are good, and that keys of small order are refused all the same.

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::keyed_hash::Code;
use rossby_crypto::signing::{Signature, VerificationKey, VerificationKeyError};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::ids::{DeviceId, RegistrationId};
use sha2::{Digest as _, Sha512};

/// The 14 encodings of points of small order in ZIP 215's test vectors: the 8 canonical ones, and 6 that are not.
fn small_order() -> Vec<[u8; 32]> {
    let with = |first: u8, between: u8, last: u8| {
        let mut octets = [between; 32];
        (octets[0], octets[31]) = (first, last);
        octets
    };
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes());
    canonical
        .chain([
            with(0x01, 0, 0x80),    // y = 1, the sign bit of x = 0 set
            with(0xec, 0xff, 0xff), // y = -1, the sign bit of x = 0 set
            with(0xee, 0xff, 0x7f), // y = p + 1
            with(0xee, 0xff, 0xff), // y = p + 1, the sign bit set
            with(0xed, 0xff, 0x7f), // y = p
            with(0xed, 0xff, 0xff), // y = p, the sign bit set
        ])
        .collect()
}

#[test]
fn keys_of_small_order_are_refused() {
    let encodings = small_order();
    assert_eq!(encodings.len(), 14);
    for octets in encodings {
        assert_eq!(
            VerificationKey::from_bytes(octets),
            Err(VerificationKeyError::SmallOrder),
            "{}",
            hex::encode(octets)
        );
    }
}

#[test]
fn octets_that_are_no_point_are_refused() {
    let mut octets = [0; 32];
    octets[0] = 2;
    assert_eq!(VerificationKey::from_bytes(octets), Err(VerificationKeyError::NotOnCurve));
    assert_eq!(VerificationKey::try_from(&octets[..31]), Err(VerificationKeyError::Length));
}

/// The test vectors of ZIP 215: every pair of those encodings as key and R, with s = 0, over "Zcash". All 196 are good under
/// its rule, which is why the keys must be refused before.
#[test]
fn the_rule_below_is_zip_215() {
    for key in small_order() {
        for r in small_order() {
            let signature = ed25519_zebra::Signature::from_components(r, [0; 32]);
            let key = ed25519_zebra::VerificationKey::try_from(key).unwrap();
            assert!(key.verify(&signature, b"Zcash").is_ok());
        }
    }
}

fn proof(code: &Code) -> AuthorizeProof<'_> {
    AuthorizeProof {
        registration_id: RegistrationId::from_bytes([1; 16]),
        device_id: DeviceId::from_bytes([2; 16]),
        code,
    }
}

/// What [`proof`] signs.
fn proof_text(code: &Code) -> Vec<u8> {
    [b"rossby/v1/authorize\0".as_slice(), &[1; 16], &[2; 16], &[0, 0, 0, 8], code.digits().as_bytes()].concat()
}

/// A signature by hand: r and R as they are given, so that both may have a part of small order.
fn sign(text: &[u8], key: &[u8; 32], secret: Scalar, nonce: Scalar, r: [u8; 32]) -> Signature {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(text).finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.into());
    let s = nonce + challenge * secret;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(s.as_bytes());
    FixedOctets(signature)
}

/// Keys and signatures with a part of small order: verifiers that don't multiply by the cofactor refuse them. Here they are
/// good, whatever the part, so all clients judge alike.
#[test]
fn parts_of_small_order_change_nothing() {
    let code: Code = "12345678".parse().unwrap();
    let (text, secret, nonce) = (proof_text(&code), Scalar::from(77_u64), Scalar::from(5_u64));
    let [key_point, nonce_point] = [secret, nonce].map(|scalar| ED25519_BASEPOINT_POINT * scalar);
    let octets = |point: EdwardsPoint| point.compress().to_bytes();
    for in_key in EIGHT_TORSION {
        for in_r in EIGHT_TORSION {
            let (key, r) = (octets(key_point + in_key), octets(nonce_point + in_r));
            let signature = sign(&text, &key, secret, nonce, r);
            let key = VerificationKey::from_bytes(key).unwrap();
            assert!(proof(&code).verify(&key, &signature).is_ok());
        }
    }
}

#[test]
fn r_may_be_written_in_any_way_and_s_in_one() {
    let code: Code = "12345678".parse().unwrap();
    let (text, secret) = (proof_text(&code), Scalar::from(77_u64));
    let key = (ED25519_BASEPOINT_POINT * secret).compress().to_bytes();
    let verifies =
        |signature: &Signature| proof(&code).verify(&VerificationKey::from_bytes(key).unwrap(), signature).is_ok();
    for r in small_order() {
        assert!(CompressedEdwardsY(r).decompress().is_some());
        assert!(verifies(&sign(&text, &key, secret, Scalar::ZERO, r)));
    }
    // s + L, with L = 2^252 + 27742317777372353535851937790883648493, the order of the base point.
    let honest = sign(&text, &key, secret, Scalar::ZERO, small_order()[0]);
    let order: [u8; 32] = (-Scalar::ONE).to_bytes();
    let mut raised = honest;
    // `order` is L - 1: the carry begins with 1.
    let mut carry = 1_u16;
    for (octet, of_order) in raised.0[32..].iter_mut().zip(order) {
        carry += u16::from(*octet) + u16::from(of_order);
        *octet = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert!(verifies(&honest) && !verifies(&raised));
}
