//! Decrypting an attachment.

use std::io::{Read, Write};

use rossby_schemas::encoding::{FixedOctets, Sha256Digest};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    AttachmentError, AttachmentKey, CHUNK_OCTETS, HEADER_OCTETS, LENGTH_OCTETS, PREFIX_OCTETS, Stream, TAG_OCTETS,
    text_octets,
};

/// The SHA-256 of a ciphertext.
///
/// # Errors
/// What can't be read.
pub fn digest(ciphertext: &mut impl Read) -> Result<Sha256Digest, AttachmentError> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; CHUNK_OCTETS];
    loop {
        match ciphertext.read(&mut buffer)? {
            0 => return Ok(FixedOctets(digest.finalize().into())),
            read => digest.update(&buffer[..read]),
        }
    }
}

/// Decrypts an attachment whose file has `length` octets, a chunk at a time. What is written is good only if all of it is:
/// the caller throws it away after an error.
///
/// # Errors
/// [`AttachmentError`]: everything but the very ciphertext that was made with this key, of a file of this length.
pub fn open(
    key: &AttachmentKey,
    length: u64,
    ciphertext: &mut impl Read,
    file: &mut impl Write,
) -> Result<(), AttachmentError> {
    let mut header = [0; HEADER_OCTETS];
    read_exactly(ciphertext, &mut header)?;
    let mut prefix = [0; PREFIX_OCTETS];
    prefix.copy_from_slice(&header[HEADER_OCTETS - PREFIX_OCTETS..]);
    if header != super::header(&prefix) {
        return Err(AttachmentError::OtherVersion);
    }
    let stream = Stream::new(key, &header);
    let mut text = Text { expected: length, length_seen: false, left: length };
    let mut left = text_octets(length);
    let mut chunk = Zeroizing::new(Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS));
    for number in 0_u32.. {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_OCTETS);
        chunk.clear();
        chunk.resize(next + TAG_OCTETS, 0);
        read_exactly(ciphertext, &mut chunk)?;
        left -= next as u64;
        stream.open(number, left == 0, &mut chunk)?;
        text.write(&chunk, file)?;
        if left == 0 {
            break;
        }
    }
    let mut one = [0];
    if ciphertext.read(&mut one)? > 0 {
        return Err(AttachmentError::OtherLength);
    }
    Ok(file.flush()?)
}

fn read_exactly(ciphertext: &mut impl Read, buffer: &mut [u8]) -> Result<(), AttachmentError> {
    ciphertext.read_exact(buffer).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => AttachmentError::OtherLength,
        _ => error.into(),
    })
}

/// What is still to come of the text.
struct Text {
    expected: u64,
    length_seen: bool,
    left: u64,
}

impl Text {
    /// Takes the next part of the text, and writes what of it is the file.
    fn write(&mut self, mut part: &[u8], file: &mut impl Write) -> Result<(), AttachmentError> {
        if !self.length_seen {
            let (length, rest) = part.split_first_chunk::<LENGTH_OCTETS>().ok_or(AttachmentError::BadPadding)?;
            if u64::from_be_bytes(*length) != self.expected {
                return Err(AttachmentError::BadPadding);
            }
            self.length_seen = true;
            part = rest;
        }
        let of_file = usize::try_from(self.left).unwrap_or(usize::MAX).min(part.len());
        let (of_file, padding) = part.split_at(of_file);
        if padding.iter().any(|octet| *octet != 0) {
            return Err(AttachmentError::BadPadding);
        }
        file.write_all(of_file)?;
        self.left -= of_file.len() as u64;
        Ok(())
    }
}
