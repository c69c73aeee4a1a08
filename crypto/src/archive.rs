//! What encrypts an archive: a stream of unknown length, in chunks, under a key that a passphrase gives.
//!
//! An encrypted archive is a header of 59 octets and then the chunks. The header: `rossby/archive/1` (16 octets), the costs of Argon2id
//! (memory in KiB and passes, u32 each; one lane), its salt (16 octets), a random prefix of the nonces (19 octets).
//!
//! The chunks are encrypted as those of attachments are, by XChaCha20-Poly1305 in the construction STREAM: the nonce is prefix ‖
//! number of the chunk (u32) ‖ 1 for the last chunk, else 0; `rossby/v1/archive` ‖ 0x00 ‖ header stands beside each as associated data.
//! Each chunk but the last has 65536 octets of text, and the last one 1 to 65536, or none if the whole text is empty.

use std::fmt;
use std::io::{self, Read, Write};

use aead_stream::{NewStream as _, Nonce, StreamBE32, StreamPrimitive as _};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// What an encrypted archive begins with, but for the digit of its version.
pub const ARCHIVE_MAGIC: &[u8; 15] = b"rossby/archive/";
/// How many octets the header has.
pub const ARCHIVE_HEADER_OCTETS: usize = 16 + 4 + 4 + SALT_OCTETS + PREFIX_OCTETS;

const VERSION: u8 = b'1';
const SALT_OCTETS: usize = 16;
const PREFIX_OCTETS: usize = 19;
const CHUNK_OCTETS: usize = 64 * 1024;
const TAG_OCTETS: usize = 16;
const DOMAIN: &[u8] = b"rossby/v1/archive\0";

/// Why an archive can't be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveCipherError {
    /// It does not begin as an encrypted archive does.
    #[error("it is no encrypted archive")]
    NotAnArchive,
    /// Its version is not known here.
    #[error("it is of a version that is not known here: use a newer program")]
    OtherVersion,
    /// A chunk does not open.
    #[error("the passphrase is wrong, or the archive was changed or cut")]
    DoesNotOpen,
    /// It has more chunks than can be numbered.
    #[error("it is too long")]
    TooLong,
}

impl From<ArchiveCipherError> for io::Error {
    fn from(error: ArchiveCipherError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// The header of an encrypted archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveHeader {
    /// How much memory Argon2id takes, in KiB.
    pub memory_kib: u32,
    /// How many passes it makes.
    pub passes: u32,
    /// Its salt.
    pub salt: [u8; SALT_OCTETS],
    prefix: [u8; PREFIX_OCTETS],
}

impl ArchiveHeader {
    /// The header of a new archive, with a salt and a prefix of its own.
    pub fn new(rng: &mut impl CryptoRng, memory_kib: u32, passes: u32) -> Self {
        let mut header = Self { memory_kib, passes, salt: [0; SALT_OCTETS], prefix: [0; PREFIX_OCTETS] };
        rng.fill_bytes(&mut header.salt);
        rng.fill_bytes(&mut header.prefix);
        header
    }

    /// Reads a header. What it says of costs isn't checked: whoever pays them does.
    ///
    /// # Errors
    /// [`ArchiveCipherError::NotAnArchive`], [`ArchiveCipherError::OtherVersion`].
    pub fn parse(octets: &[u8; ARCHIVE_HEADER_OCTETS]) -> Result<Self, ArchiveCipherError> {
        let rest = octets.strip_prefix(ARCHIVE_MAGIC).ok_or(ArchiveCipherError::NotAnArchive)?;
        let (version, rest) = rest.split_first().ok_or(ArchiveCipherError::NotAnArchive)?;
        if *version != VERSION {
            return Err(ArchiveCipherError::OtherVersion);
        }
        let fields = rest.split_first_chunk::<4>().and_then(|(memory, rest)| {
            let (passes, rest) = rest.split_first_chunk::<4>()?;
            let (salt, prefix) = rest.split_first_chunk::<SALT_OCTETS>()?;
            Some((memory, passes, salt, prefix.first_chunk::<PREFIX_OCTETS>()?))
        });
        let (memory, passes, salt, prefix) = fields.ok_or(ArchiveCipherError::NotAnArchive)?;
        let (memory_kib, passes) = (u32::from_be_bytes(*memory), u32::from_be_bytes(*passes));
        Ok(Self { memory_kib, passes, salt: *salt, prefix: *prefix })
    }

    /// The octets of the header.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let (memory, passes) = (self.memory_kib.to_be_bytes(), self.passes.to_be_bytes());
        [ARCHIVE_MAGIC.as_slice(), &[VERSION], &memory, &passes, &self.salt, &self.prefix].concat()
    }
}

/// The cipher of one archive.
struct Chunks {
    stream: StreamBE32<XChaCha20Poly1305>,
    /// The associated data of every chunk.
    aad: Vec<u8>,
    /// The number of the next chunk; none after the last that can be.
    next: Option<u32>,
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Chunks {
    fn new(key: &[u8; 32], header: &ArchiveHeader) -> Self {
        let mut octets = Key::default();
        octets.copy_from_slice(key);
        let mut prefix = Nonce::<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>>::default();
        prefix.copy_from_slice(&header.prefix);
        let aad = [DOMAIN, &header.octets()].concat();
        Self { stream: StreamBE32::new(&octets, &prefix), aad, next: Some(0) }
    }

    fn number(&mut self) -> Result<u32, ArchiveCipherError> {
        let number = self.next.ok_or(ArchiveCipherError::TooLong)?;
        self.next = number.checked_add(1);
        Ok(number)
    }

    fn seal(&mut self, is_last: bool, chunk: &mut Vec<u8>) -> Result<(), ArchiveCipherError> {
        let number = self.number()?;
        let sealed = self.stream.encrypt_in_place(number, is_last, &self.aad, chunk);
        sealed.map_err(|_| ArchiveCipherError::TooLong)
    }

    fn open(&mut self, is_last: bool, chunk: &mut Vec<u8>) -> Result<(), ArchiveCipherError> {
        let number = self.number()?;
        let opened = self.stream.decrypt_in_place(number, is_last, &self.aad, chunk);
        opened.map_err(|_| ArchiveCipherError::DoesNotOpen)
    }
}

/// Encrypts what is written to it. It is an archive only once it is finished.
#[derive(Debug)]
pub struct ArchiveSealer<W> {
    chunks: Chunks,
    to: W,
    text: Zeroizing<Vec<u8>>,
}

impl<W: Write> ArchiveSealer<W> {
    /// Writes the header. The key is used for one archive, once.
    ///
    /// # Errors
    /// What can't be written.
    pub fn new(key: &[u8; 32], header: &ArchiveHeader, mut to: W) -> io::Result<Self> {
        to.write_all(&header.octets())?;
        // With room for the tag, so that no copy of the text is left behind.
        let text = Zeroizing::new(Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS));
        Ok(Self { chunks: Chunks::new(key, header), to, text })
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        self.chunks.seal(is_last, &mut self.text)?;
        self.to.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }

    /// Writes the last chunk.
    ///
    /// # Errors
    /// What can't be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for ArchiveSealer<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.text.len() == CHUNK_OCTETS {
            self.seal(false)?;
        }
        let taken = octets.len().min(CHUNK_OCTETS - self.text.len());
        self.text.extend_from_slice(&octets[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Decrypts an archive as it is read. What was read is good as far as it goes; that nothing was cut off is known at its end.
#[derive(Debug)]
pub struct ArchiveOpener<R> {
    chunks: Chunks,
    from: R,
    /// The next chunk as it came, and the chunk that is open.
    sealed: Vec<u8>,
    text: Zeroizing<Vec<u8>>,
    read: usize,
    is_last: bool,
}

impl<R: Read> ArchiveOpener<R> {
    /// Reads what follows the header. Opens the first chunk, so that a wrong passphrase is known at once.
    ///
    /// # Errors
    /// [`ArchiveCipherError::DoesNotOpen`], and what can't be read.
    pub fn new(key: &[u8; 32], header: &ArchiveHeader, from: R) -> io::Result<Self> {
        let text = Zeroizing::new(Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS));
        let (chunks, sealed) = (Chunks::new(key, header), Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS));
        let mut opener = Self { chunks, from, sealed, text, read: 0, is_last: false };
        opener.sealed = opener.fetch()?;
        opener.open()?;
        Ok(opener)
    }

    /// The next chunk as it comes; a shorter one at the end.
    fn fetch(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK_OCTETS + TAG_OCTETS);
        self.from.by_ref().take((CHUNK_OCTETS + TAG_OCTETS) as u64).read_to_end(&mut chunk)?;
        Ok(chunk)
    }

    /// Opens the chunk that was fetched, which is the last if nothing follows.
    fn open(&mut self) -> io::Result<()> {
        let following = self.fetch()?;
        self.is_last = following.is_empty();
        self.text.clear();
        self.text.extend_from_slice(&self.sealed);
        self.sealed = following;
        self.read = 0;
        Ok(self.chunks.open(self.is_last, &mut self.text)?)
    }
}

impl<R: Read> Read for ArchiveOpener<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.text.len() && !self.is_last {
            self.open()?;
        }
        let taken = buffer.len().min(self.text.len() - self.read);
        buffer[..taken].copy_from_slice(&self.text[self.read..self.read + taken]);
        self.read += taken;
        Ok(taken)
    }
}
