//! How far something is that takes long.

use std::sync::Arc;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file is encrypted, into the home's folder of uploads.
    Encrypting,
    /// It goes to the server.
    Uploading,
    /// It comes from the server.
    Downloading,
    /// It is decrypted, its digest being the right one.
    Decrypting,
    /// Messages go into an archive: counted in messages.
    Exporting,
    /// An archive is read, to check it.
    Checking,
    /// What an archive has is kept.
    Importing,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// How many octets are done, or messages.
    pub done: u64,
    /// How many there are.
    pub total: u64,
}

/// Who hears of progress, from whatever thread.
pub type Tell = Arc<dyn Fn(Progress) + Send + Sync>;
