//! What can be wrong with an archive.

use rossby_crypto::archive::ArchiveCipherError;
use rossby_schemas::ids::BoxId;

use super::lines::MAX_LINE_OCTETS;

/// Why an archive is refused. Nothing of it is kept then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is something else.
    #[error("this is no archive that `rossby export` has made")]
    NotAnArchive,
    /// Its version is not known here.
    #[error("the archive is of version {0}, which is not known here: use a newer program")]
    OtherVersion(String),
    /// It is encrypted, and there is no passphrase.
    #[error("the archive is encrypted: give its passphrase, by --archive-passphrase-file or ROSSBY_ARCHIVE_PASSPHRASE")]
    NeedsPassphrase,
    /// It does not open.
    #[error("the archive does not open: the passphrase is wrong, or it was changed or cut. Nothing of it was kept")]
    DoesNotOpen,
    /// It asks for more memory or time than any archive needs.
    #[error("what the archive says of its passphrase can't be: it was made to use this machine up")]
    Costs,
    /// A passphrase is empty.
    #[error("an archive's passphrase is not empty; `--plain` makes one that is not encrypted")]
    EmptyPassphrase,
    /// A line is too long.
    #[error("line {0} of the archive is over {MAX_LINE_OCTETS} octets. Nothing of it was kept")]
    LineTooLong(u64),
    /// A line is not as it must be.
    #[error("line {line} of the archive is not as it must be: {reason}. Nothing of it was kept")]
    BadLine {
        /// Which.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It ends before its end.
    #[error("the archive was cut off after line {0}. Nothing of it was kept")]
    Cut(u64),
    /// It says another digest than it has.
    #[error("the archive was changed: its digest is another. Nothing of it was kept")]
    Changed,
    /// It is another account's.
    #[error(
        "the archive is of another account, box {0}. If that was yours, and you have a new one now, say so: --of-another-account"
    )]
    OtherAccount(BoxId),
}

impl ArchiveError {
    /// A short stable name, for scripts.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NotAnArchive => "not-an-archive",
            Self::OtherVersion(_) => "archive-version",
            Self::NeedsPassphrase | Self::EmptyPassphrase => "archive-passphrase",
            Self::DoesNotOpen => "archive-does-not-open",
            Self::Costs | Self::LineTooLong(_) | Self::BadLine { .. } | Self::Cut(_) | Self::Changed => "bad-archive",
            Self::OtherAccount(_) => "other-account",
        }
    }
}

impl From<ArchiveCipherError> for ArchiveError {
    fn from(error: ArchiveCipherError) -> Self {
        match error {
            ArchiveCipherError::NotAnArchive | ArchiveCipherError::OtherVersion => Self::NotAnArchive,
            ArchiveCipherError::DoesNotOpen | ArchiveCipherError::TooLong => Self::DoesNotOpen,
        }
    }
}
