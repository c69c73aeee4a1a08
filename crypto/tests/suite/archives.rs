//! Encrypted archives: what opens, and everything else that doesn't.

use std::io::{Read as _, Write as _};

use rossby_crypto::archive::{ARCHIVE_HEADER_OCTETS, ArchiveCipherError, ArchiveHeader, ArchiveOpener, ArchiveSealer};

use crate::attachments::file;
use crate::world::Given;

const SEALED: usize = 65_536 + 16;

/// An archive of this text, with a key, a salt and a prefix that repeat one octet.
pub(crate) fn seal(key: u8, text: &[u8]) -> Vec<u8> {
    let header = ArchiveHeader::new(&mut Given(vec![0x24; 35]), 1024, 2);
    let mut sealer = ArchiveSealer::new(&[key; 32], &header, Vec::new()).unwrap();
    sealer.write_all(text).unwrap();
    sealer.finish().unwrap()
}

fn open(key: u8, archive: &[u8]) -> Result<Vec<u8>, ArchiveCipherError> {
    let (header, mut rest) = archive.split_first_chunk::<ARCHIVE_HEADER_OCTETS>().unwrap();
    let header = ArchiveHeader::parse(header)?;
    let cipher_error = |error: std::io::Error| error.downcast::<ArchiveCipherError>().unwrap();
    let mut text = Vec::new();
    let mut opener = ArchiveOpener::new(&[key; 32], &header, &mut rest).map_err(cipher_error)?;
    opener.read_to_end(&mut text).map_err(cipher_error)?;
    Ok(text)
}

#[test]
fn what_was_sealed_opens() {
    for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let text = file(length);
        let archive = seal(7, &text);
        assert_eq!(open(7, &archive).unwrap(), text, "{length}");
        assert_eq!(open(8, &archive), Err(ArchiveCipherError::DoesNotOpen), "{length}, another key");
    }
    // However it is written, in small pieces or large, it is the same archive.
    let header = ArchiveHeader::new(&mut Given(vec![0x24; 35]), 1024, 2);
    let mut sealer = ArchiveSealer::new(&[7; 32], &header, Vec::new()).unwrap();
    for piece in file(200_000).chunks(999) {
        sealer.write_all(piece).unwrap();
    }
    assert_eq!(sealer.finish().unwrap(), seal(7, &file(200_000)));
}

#[test]
fn the_header_is_as_it_says() {
    let archive = seal(7, b"text");
    let header = ArchiveHeader::parse(archive.first_chunk().unwrap()).unwrap();
    assert_eq!((header.memory_kib, header.passes, header.salt), (1024, 2, [0x24; 16]));
    assert_eq!(header.octets(), archive[..ARCHIVE_HEADER_OCTETS]);
    let mut later = archive.clone();
    later[15] = b'2';
    assert_eq!(open(7, &later), Err(ArchiveCipherError::OtherVersion));
    assert_eq!(open(7, &[0; 100]), Err(ArchiveCipherError::NotAnArchive));
}

#[test]
fn what_was_changed_cut_moved_or_added_does_not_open() {
    let archive = seal(7, &file(3 * 65_536));
    for place in [16, 20, 24, 40, 58, 59, 60, ARCHIVE_HEADER_OCTETS + SEALED, archive.len() - 1] {
        let mut changed = archive.clone();
        changed[place] ^= 1;
        assert_eq!(open(7, &changed), Err(ArchiveCipherError::DoesNotOpen), "octet {place}");
    }
    for length in [0, 1, 15, 16, SEALED - 1, SEALED, SEALED + 1, 2 * SEALED, 3 * SEALED - 1] {
        let cut = &archive[..ARCHIVE_HEADER_OCTETS + length];
        assert_eq!(open(7, cut), Err(ArchiveCipherError::DoesNotOpen), "cut after {length}");
    }
    let (header, chunks) = archive.split_at(ARCHIVE_HEADER_OCTETS);
    let chunks: Vec<&[u8]> = chunks.chunks(SEALED).collect();
    for order in [&[1, 0, 2][..], &[0, 0, 1, 2], &[0, 2], &[1, 2], &[0, 1, 2, 2]] {
        let mut put_together = header.to_vec();
        order.iter().for_each(|number| put_together.extend_from_slice(chunks[*number]));
        assert_eq!(open(7, &put_together), Err(ArchiveCipherError::DoesNotOpen), "{order:?}");
    }
    let longer = [&archive[..], b"x"].concat();
    assert_eq!(open(7, &longer), Err(ArchiveCipherError::DoesNotOpen));
}
