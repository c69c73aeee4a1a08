//! Archives: what a person has on this device, in a file of a documented format (`docs/EXPORT.md`) that this client can read back.
//!
//! An archive is for reading. It has no private key, no token, and nothing that opens an attachment; it makes nobody a contact and
//! verifies nobody. It is not signed either: what it says is the word of whoever made it, and is shown as an archive's.

mod check;
mod error;
mod export;
mod held;
mod import;
mod lines;
mod record;

pub use error::ArchiveError;
pub use export::{ExportOptions, Exported};
pub use import::{ArchiveSummary, Imported};
pub use lines::Archive;
pub use record::{
    ArchiveEnd, ArchiveRecord, ArchivedAccount, ArchivedAction, ArchivedAnswer, ArchivedAttachment, ArchivedChange,
    ArchivedContact, ArchivedDevice, ArchivedGroup, ArchivedMark, ArchivedMember, ArchivedMessage, ArchivedQueued,
    ArchivedReaction, ArchivedRecipient, ArchivedReference, ArchivedSettings, ArchivedState, AttachmentPart,
};

#[cfg(test)]
mod tests;
