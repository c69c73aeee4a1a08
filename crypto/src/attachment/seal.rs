//! Encrypting a file.

use std::io::{Read, Write};

use rand_core::CryptoRng;
use rossby_schemas::encoding::FixedOctets;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    AttachmentError, AttachmentKey, CHUNK_OCTETS, HEADER_OCTETS, LENGTH_OCTETS, MAX_FILE_OCTETS, PREFIX_OCTETS, Sealed,
    Stream, TAG_OCTETS, ciphertext_octets, text_octets,
};

/// Encrypts a file of `length` octets from `file` to `ciphertext`, a chunk at a time. `progress` hears after each chunk how many
/// octets of ciphertext there are.
///
/// # Errors
/// [`AttachmentError::TooLong`], [`AttachmentError::Changed`] if the file has another length, and what can't be read or written.
pub fn seal(
    rng: &mut impl CryptoRng,
    key: &AttachmentKey,
    length: u64,
    file: &mut impl Read,
    ciphertext: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Result<Sealed, AttachmentError> {
    if length > MAX_FILE_OCTETS {
        return Err(AttachmentError::TooLong);
    }
    let mut prefix = [0; PREFIX_OCTETS];
    rng.fill_bytes(&mut prefix);
    let header = super::header(&prefix);
    let stream = Stream::new(key, &header);
    let mut digest = Sha256::new();
    let mut write = |octets: &[u8]| {
        digest.update(octets);
        ciphertext.write_all(octets)
    };
    write(&header)?;
    let mut octets = HEADER_OCTETS as u64;
    let mut text = Text { length: Some(length.to_be_bytes()), file, left: length };
    let mut left = text_octets(length);
    // With room for the tag, so that no copy of the text is left behind.
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS));
    for number in 0_u32.. {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_OCTETS);
        chunk.clear();
        chunk.resize(next, 0);
        text.read_exactly(&mut chunk)?;
        left -= next as u64;
        stream.seal(number, left == 0, &mut chunk)?;
        write(&chunk)?;
        octets += chunk.len() as u64;
        progress(octets);
        if left == 0 {
            break;
        }
    }
    text.check_end()?;
    debug_assert_eq!(octets, ciphertext_octets(length));
    Ok(Sealed { octets, digest: FixedOctets(digest.finalize().into()) })
}

/// The length, the file, and zeros.
struct Text<'a, R> {
    /// Until it was read.
    length: Option<[u8; LENGTH_OCTETS]>,
    file: &'a mut R,
    /// Octets of the file that were not read yet.
    left: u64,
}

impl<R: Read> Text<'_, R> {
    /// Fills a buffer of zeros, which has room for the length.
    fn read_exactly(&mut self, mut buffer: &mut [u8]) -> Result<(), AttachmentError> {
        if let Some(length) = self.length.take() {
            let (first, rest) = buffer.split_at_mut(LENGTH_OCTETS);
            first.copy_from_slice(&length);
            buffer = rest;
        }
        let of_file = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let of_file = &mut buffer[..of_file];
        self.file.read_exact(of_file).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => AttachmentError::Changed,
            _ => error.into(),
        })?;
        self.left -= of_file.len() as u64;
        Ok(())
    }

    /// The file must end where it ended when its length was taken.
    fn check_end(self) -> Result<(), AttachmentError> {
        let mut one = [0];
        match self.file.read(&mut one)? {
            0 => Ok(()),
            _ => Err(AttachmentError::Changed),
        }
    }
}
