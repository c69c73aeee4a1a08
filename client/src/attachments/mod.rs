//! Attachments: files, pictures and voice messages, encrypted here, uploaded in pieces, fetched and checked before anything of
//! them is shown.

mod download;
mod media_type;
mod name;
pub(crate) mod picture;
mod progress;
mod send;
mod spool;
mod upload;

pub use download::Target;
pub(crate) use download::save_anew;
pub use name::safe_name;
pub use picture::PictureError;
pub use progress::{Progress, Step, Tell};
pub use send::{FileSent, FileToSend};
pub use upload::PendingUpload;

use crate::error::ClientError;

/// Does what takes long, or waits for disks, on a thread of its own.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ClientError::Interrupted))
}

#[cfg(test)]
mod tests;
