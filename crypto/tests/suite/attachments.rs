//! Attachments: what opens, and everything else that doesn't.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rossby_crypto::attachment::{self, AttachmentError, AttachmentKey, Sealed, ciphertext_octets};
use rossby_schemas::encoding::FixedOctets;
use sha2::{Digest as _, Sha256};

use crate::world::Given;

const HEADER: usize = 24;
const CHUNK: usize = 65_536;
const SEALED: usize = CHUNK + 16;

fn key(number: u8) -> AttachmentKey {
    AttachmentKey::from_bytes([number; 32])
}

pub(crate) fn file(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

pub(crate) fn seal(number: u8, prefix: u8, file: &[u8]) -> (Vec<u8>, Sealed) {
    let mut ciphertext = Vec::new();
    let rng = &mut Given(vec![prefix; 19]);
    let sealed = attachment::seal(rng, &key(number), file.len() as u64, &mut &file[..], &mut ciphertext, |_| {});
    (ciphertext, sealed.unwrap())
}

fn open(number: u8, length: usize, ciphertext: &[u8]) -> Result<Vec<u8>, AttachmentError> {
    let mut file = Vec::new();
    attachment::open(&key(number), length as u64, &mut &ciphertext[..], &mut file)?;
    Ok(file)
}

/// The chunks of a ciphertext, its header first.
fn parts(ciphertext: &[u8]) -> Vec<Vec<u8>> {
    let (header, chunks) = ciphertext.split_at(HEADER);
    std::iter::once(header).chain(chunks.chunks(SEALED)).map(<[u8]>::to_vec).collect()
}

#[test]
fn what_was_sealed_opens() {
    for length in [0, 1, 5, 65_527, 65_528, 65_529, 131_064, 131_065, 1_000_000] {
        let file = file(length);
        let (ciphertext, sealed) = seal(7, 3, &file);
        assert_eq!(sealed.octets, ciphertext.len() as u64);
        assert_eq!(sealed.octets, ciphertext_octets(length as u64), "{length}");
        assert_eq!(sealed.digest, FixedOctets(Sha256::digest(&ciphertext).into()));
        assert_eq!(attachment::digest(&mut &ciphertext[..]).unwrap(), sealed.digest);
        assert_eq!(open(7, length, &ciphertext).unwrap(), file);
    }
}

#[test]
fn progress_is_told_to_the_end() {
    let (file, mut told) = (file(200_000), Vec::new());
    let progress = |octets| told.push(octets);
    let rng = &mut Given(vec![3; 19]);
    attachment::seal(rng, &key(7), 200_000, &mut &file[..], &mut Vec::new(), progress).unwrap();
    assert!(told.is_sorted() && told.last() == Some(&ciphertext_octets(200_000)), "{told:?}");
}

#[test]
fn whoever_changes_anything_has_nothing_that_opens() {
    let (file, length) = (file(200_000), 200_000);
    let (ciphertext, _) = seal(7, 3, &file);
    let parts = parts(&ciphertext);
    assert_eq!(parts.len(), 5);
    let joined = |order: &[usize]| order.iter().flat_map(|n| parts[*n].clone()).collect::<Vec<u8>>();
    assert_eq!(open(7, length, &joined(&[0, 1, 2, 3, 4])).unwrap(), file);
    for (what, order) in [
        ("two chunks change places", &[0, 2, 1, 3, 4][..]),
        ("one stands twice", &[0, 1, 1, 3, 4]),
        ("the last is not the last", &[0, 1, 2, 4, 3]),
        ("one is left out", &[0, 1, 3, 4]),
        ("the last is left out", &[0, 1, 2, 3]),
        ("one is added", &[0, 1, 2, 3, 4, 4]),
        ("no header", &[1, 2, 3, 4]),
        ("nothing", &[]),
    ] {
        assert!(open(7, length, &joined(order)).is_err(), "{what}");
    }
    for at in [0, 1, 4, 5, 23, 24, 30, SEALED, HEADER + SEALED, ciphertext.len() - 1] {
        let mut changed = ciphertext.clone();
        changed[at] ^= 1;
        assert!(open(7, length, &changed).is_err(), "an octet is changed: {at}");
        assert!(open(7, length, &ciphertext[..at]).is_err(), "cut off: {at}");
    }
    let longer = [ciphertext.as_slice(), &[0]].concat();
    assert!(matches!(open(7, length, &longer), Err(AttachmentError::OtherLength)), "an octet is added");
    assert!(matches!(open(8, length, &ciphertext), Err(AttachmentError::DoesNotOpen)), "another key");
    // Of another attachment, under the same key even.
    let (other, _) = seal(7, 4, &file);
    let mixed = [&ciphertext[..HEADER + SEALED], &other[HEADER + SEALED..]].concat();
    assert!(matches!(open(7, length, &mixed), Err(AttachmentError::DoesNotOpen)), "a chunk of another");
}

#[test]
fn a_length_that_is_not_the_files_is_refused() {
    let (ciphertext, _) = seal(7, 3, &file(1000));
    for length in [0, 999, 1001, 65_528] {
        assert!(matches!(open(7, length, &ciphertext), Err(AttachmentError::BadPadding)), "{length}");
    }
    for length in [65_529, 1_000_000, usize::MAX] {
        assert!(open(7, length, &ciphertext).is_err(), "{length}");
    }
}

/// Someone who has the key, and writes what the layout has no place for.
#[test]
fn versions_and_padding_are_as_the_layout_says() {
    let make = |version: u8, size: u32, text: &[u8]| {
        let header = [&[version][..], &size.to_be_bytes(), &[3; 19]].concat();
        let nonce: [u8; 24] = [&[3; 19][..], &0_u32.to_be_bytes(), &[1]].concat().try_into().unwrap();
        let aad = [&b"rossby/v1/attachment\0"[..], &header].concat();
        let chunk = XChaCha20Poly1305::new(&[7; 32].into())
            .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: &aad })
            .unwrap();
        [header, chunk].concat()
    };
    let mut text = vec![0; CHUNK];
    text[7] = 5;
    text[8..13].copy_from_slice(b"hello");
    assert_eq!(open(7, 5, &make(1, 65_536, &text)).unwrap(), b"hello", "made by hand as the layout says");
    assert!(matches!(open(7, 5, &make(2, 65_536, &text)), Err(AttachmentError::OtherVersion)));
    assert!(matches!(open(7, 5, &make(1, 65_535, &text)), Err(AttachmentError::OtherVersion)));
    text[CHUNK - 1] = 1;
    assert!(matches!(open(7, 5, &make(1, 65_536, &text)), Err(AttachmentError::BadPadding)));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told() {
    let file = file(1000);
    for length in [999, 1001] {
        let rng = &mut Given(vec![3; 19]);
        let sealed = attachment::seal(rng, &key(7), length, &mut &file[..], &mut Vec::new(), |_| {});
        assert!(matches!(sealed, Err(AttachmentError::Changed)), "{length} {sealed:?}");
    }
    let rng = &mut Given(vec![3; 19]);
    let sealed = attachment::seal(rng, &key(7), u64::MAX, &mut &file[..], &mut Vec::new(), |_| {});
    assert!(matches!(sealed, Err(AttachmentError::TooLong)));
}
