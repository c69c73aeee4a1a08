//! Where encrypted attachments are kept: a folder, or a store that speaks S3. The crate `object_store` is the seam between the
//! two.
//!
//! A blob is several objects, so that it can be stored and read in pieces of one mebioctet, and an upload goes on in any process
//! where it stopped in another:
//!
//! ```text
//! blobs/DAY/NAME/about      what is known of it: its size, until when it lives, whether it is complete
//! blobs/DAY/NAME/00000000   its chunks, numbered in hexadecimal
//! uploads/DAY/DAY-NAME      an upload that is not complete, under the day on which it must be
//! ```
//!
//! A blob stands under the day (UTC) on which it expires, so that a day's blobs are swept together. `NAME` is a hash of the
//! blob's id: whoever sees the names in a store, or in its operator's logs, can download nothing with them. Nothing says who
//! uploaded a blob, and nothing is written when one is read.
//!
//! What becomes of two writers of one chunk: the first wins, by `If-None-Match: *`, and the other is refused if it says anything
//! else.

mod about;
mod download;
mod error;
mod place;
mod store;
mod sweep;
mod upload;

pub use download::Blob;
pub use error::BlobError;
pub use store::{BlobStore, S3Config};
pub use sweep::SweptBlobs;
pub use upload::{Plan, Upload};
