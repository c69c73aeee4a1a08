//! Profiles open with their key, for their box, as they were sealed.

use rossby_crypto::account::MAX_PROFILE_BLOB;
use rossby_crypto::profile::{MAX_PROFILE_TEXT, ProfileError, ProfileKey, key_version};
use rossby_schemas::ids::BoxId;

use crate::world::{Given, flipped};

fn key(octet: u8, version: u32) -> ProfileKey {
    ProfileKey::from_bytes(version, &[octet; 32])
}

fn sealed(text: &[u8]) -> rossby_schemas::encoding::Octets {
    key(7, 3).seal(&mut Given(vec![0x24; 24]), BoxId::from_bytes([1; 16]), text).unwrap()
}

#[test]
fn a_profile_opens_with_its_key_and_no_other() {
    let ann = BoxId::from_bytes([1; 16]);
    let blob = sealed(b"Ann");
    assert_eq!(key_version(&blob), Ok(3));
    assert_eq!(key(7, 3).open(ann, &blob).unwrap().as_slice(), b"Ann");
    assert_eq!(key(8, 3).open(ann, &blob), Err(ProfileError::DoesNotOpen));
    assert_eq!(key(7, 4).open(ann, &blob), Err(ProfileError::OtherVersion { found: 3, known: 4 }));
    assert_eq!(key(7, 3).open(BoxId::from_bytes([2; 16]), &blob), Err(ProfileError::DoesNotOpen), "another box's");
}

#[test]
fn sizes_say_little() {
    let size = |length: usize| sealed(&vec![b'a'; length]).as_slice().len();
    assert_eq!((size(0), size(1), size(508)), (589, 589, 589));
    assert_eq!((size(509), size(1020)), (1101, 1101));
    assert_eq!((size(16_381), size(MAX_PROFILE_TEXT)), (MAX_PROFILE_BLOB, MAX_PROFILE_BLOB));
    let too_long = key(7, 3).seal(&mut Given(vec![0; 24]), BoxId::from_bytes([1; 16]), &vec![0; MAX_PROFILE_TEXT + 1]);
    assert_eq!(too_long, Err(ProfileError::TooLong));
}

#[test]
fn what_was_changed_does_not_open() {
    let ann = BoxId::from_bytes([1; 16]);
    let blob = sealed(b"Ann");
    for i in 0..blob.as_slice().len() {
        assert!(key(7, 3).open(ann, &flipped(blob.as_slice(), i, 0)).is_err(), "octet {i}");
    }
    for cut in [0, 1, 4, 60, 61, 80, blob.as_slice().len() - 1] {
        assert!(key(7, 3).open(ann, &blob.as_slice()[..cut].into()).is_err(), "{cut} octets");
    }
    let long = [blob.as_slice(), &vec![0; MAX_PROFILE_BLOB]].concat();
    assert_eq!(key_version(&long.into()), Err(ProfileError::Malformed));
}
