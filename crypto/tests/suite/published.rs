//! Figures that others published: that what stands below this crate does what its name says.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use hpke::{Deserializable as _, OpModeR};
use rossby_crypto::sealing::{self, SealedFor, SealingSecretKey};
use rossby_crypto::signing::SigningKey;
use sha2::{Digest as _, Sha256};

use crate::world::Given;

fn octets(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// RFC 8032, section 7.1, test 1.
#[test]
fn ed25519_keys_come_from_their_seed() {
    let seed = octets("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").try_into().unwrap();
    let key = SigningKey::from_seed(&seed).verification_key();
    assert_eq!(hex::encode(key.as_bytes()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
}

/// RFC 9180, appendix A.2.1: base mode of DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305.
mod a_2_1 {
    pub(super) const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
    pub(super) const ENC: &str = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
    pub(super) const RECIPIENT_KEY: &str = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
    pub(super) const SHARED_SECRET: &str = "0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7";
    pub(super) const AAD: &[u8] = b"Count-0";
    pub(super) const TEXT: &[u8] = b"Beauty is truth, truth beauty";
    pub(super) const SEALED: &str =
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28";
}

#[test]
fn hpke_opens_the_message_of_rfc_9180() {
    type Kem = hpke::kem::X25519HkdfSha256;
    let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&octets(a_2_1::RECIPIENT_KEY)).unwrap();
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&octets(a_2_1::ENC)).unwrap();
    let text = hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, Kem>(
        &OpModeR::Base,
        &key,
        &enc,
        &octets(a_2_1::INFO),
        &octets(a_2_1::SEALED),
        a_2_1::AAD,
    );
    assert_eq!(text.unwrap(), a_2_1::TEXT);
    let public = <Kem as hpke::Kem>::sk_to_pk(&key);
    let stated = octets("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
    assert_eq!(hpke::Serializable::to_bytes(&public).as_slice(), stated);
}

/// HPKE's key schedule and first message in base mode (RFC 9180, section 5.1), written again from its text: opens what was
/// sealed with this KEM, HKDF-SHA-256 and ChaCha20-Poly1305.
fn open_by_the_book(kem_id: u16, shared_secret: &[u8], info: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let suite_id = [b"HPKE".as_slice(), &kem_id.to_be_bytes(), &1_u16.to_be_bytes(), &3_u16.to_be_bytes()].concat();
    let extract = |salt: &[u8], label: &[u8], input: &[u8]| {
        Hkdf::<Sha256>::extract(Some(salt), &[b"HPKE-v1", suite_id.as_slice(), label, input].concat()).0
    };
    let context = [&[0][..], &extract(b"", b"psk_id_hash", b""), &extract(b"", b"info_hash", info)].concat();
    let secret = extract(shared_secret, b"secret", b"");
    let expand = |label: &[u8], output: &mut [u8]| {
        let length = u16::try_from(output.len()).unwrap().to_be_bytes();
        let info = [&length, b"HPKE-v1".as_slice(), &suite_id, label, &context].concat();
        Hkdf::<Sha256>::from_prk(&secret).unwrap().expand(&info, output).unwrap();
    };
    let (mut key, mut nonce) = (Key::default(), Nonce::default());
    expand(b"key", &mut key);
    expand(b"base_nonce", &mut nonce);
    ChaCha20Poly1305::new(&key).decrypt(&nonce, Payload { msg: sealed, aad }).ok()
}

#[test]
fn the_key_schedule_is_that_of_rfc_9180() {
    let secret = octets(a_2_1::SHARED_SECRET);
    let text = open_by_the_book(0x0020, &secret, &octets(a_2_1::INFO), a_2_1::AAD, &octets(a_2_1::SEALED));
    assert_eq!(text.as_deref(), Some(a_2_1::TEXT));
}

/// draft-connolly-cfrg-xwing-kem-06, appendix C (`spec/test-vectors.json` of its repository): seed, eseed, ss, and SHA-256 of
/// pk and of ct.
const X_WING: [[&str; 5]; 3] = [
    [
        "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
        "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2\
         35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
        "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
        "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
        "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
    ],
    [
        "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
        "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef\
         aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
        "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
        "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
        "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
    ],
    [
        "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
        "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619\
         f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
        "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
        "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
        "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
    ],
];

/// What this crate seals is HPKE with X-Wing to the letter: public key, encapsulated key and shared secret are the draft's,
/// and the shared secret opens it by the RFC's key schedule.
#[test]
fn sealing_is_hpke_with_x_wing() {
    for [seed, eseed, shared_secret, public_key, ciphertext] in X_WING {
        let key = SealingSecretKey::from_bytes(&octets(seed)).unwrap();
        assert_eq!(hex::encode(Sha256::digest(key.public_key().as_bytes())), public_key);
        let rng = &mut Given(octets(eseed));
        let (enc, sealed) = sealing::seal(rng, SealedFor::Wrap, &key.public_key(), b"aad", b"text").unwrap();
        assert_eq!(hex::encode(Sha256::digest(enc.as_slice())), ciphertext);
        let by_the_book = open_by_the_book(0x647a, &octets(shared_secret), b"rossby/v1/wrap", b"aad", &sealed);
        assert_eq!(by_the_book.as_deref(), Some(b"text".as_slice()));
        let opened = sealing::open(SealedFor::Wrap, &key, &enc, b"aad", &sealed);
        assert_eq!(opened.unwrap().as_slice(), b"text");
        assert!(sealing::open(SealedFor::Token, &key, &enc, b"aad", &sealed).is_err(), "each use has its own info");
    }
}
