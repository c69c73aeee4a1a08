//! The log: partitioned topics to which records are appended, and from which they are read in order, again and again.
//!
//! This crate is one of Rossby's two seams. The port is the trait [`Log`] (with [`TopicAdmin`] for what an operator does
//! to topics); its providers are [Kafka](providers::kafka) and [SQLite](providers::sqlite), and one conformance suite
//! in `tests/conformance` holds both to the contract below.
//!
//! # The contract
//!
//! **Topics and partitions.** A topic has a fixed number of partitions, numbered from 0. A record goes to the partition
//! that [`partition_for`] computes from its key, the same on every provider. Nothing is promised about the order of
//! records in different partitions.
//!
//! **Offsets.** Each record of a partition has an offset. Offsets grow, and an offset is never used for a second record
//! of the same partition, not even after the first one was removed by retention. They may have holes: a provider may use
//! offsets for marks of its own, and those are never given to a reader. [`Bounds`] says where a partition starts and
//! ends: `start` is the lowest offset that can still be there, `end` the next one to be written. Removing a topic and
//! making it anew starts its offsets anew; a reader's position then means nothing, and whoever keeps positions across
//! restarts has to recognise that (Rossby's projections compare the last record that they applied).
//!
//! **Appending.** When [`Log::append`] answers with an offset, the record is durable: it is there after a crash of
//! this process and of the provider's, as far as the provider is set up to survive the loss of a machine. When it answers
//! [`AppendError::Unknown`], the record may be in the log, may come to be in it a while later, or may never be; whoever
//! needs to know has to look, and whoever repeats has to make the repetition recognisable. Every other error means that
//! the log was not changed and will not be. An answer comes within the provider's delivery time-out, give or take a
//! scheduling delay; where the provider already knows that it can't write, it comes at once. Dropping the future of an
//! append has the outcome *unknown*. Two appends of which the second was started after the first one was acknowledged
//! are in that order; appends that are under way at the same moment may be in either.
//!
//! **Reading.** [`Log::read`] gives a reader of one partition that stands at an offset. The offset must be within
//! the partition's bounds, its end included, or the answer is [`ReadError::OutOfRange`]: there is no automatic reset to
//! either end. Readers share nothing; any number may read the same partition, each at its own pace; a slow one costs
//! others nothing and the provider a bounded amount of memory. Records come in order of their offsets, each once, none
//! left out. A reader that retention overtakes gets [`ReadError::OutOfRange`], and never skips silently.
//!
//! **Waiting and catching up.** [`PartitionReader::next`] waits until it has something to tell: records, or the news
//! that it has caught up. A reader has *caught up* when it stands where the partition ended at a moment after the call
//! began: [`Batch::caught_up`] says so, in the batch with the last records or in one without records after it. Having said
//! so it waits for further records. Since offsets have holes, a reader that has caught up may stand below `bounds.end`:
//! waiting for an offset to be reached can wait for ever, waiting for `caught_up` can't. The future of `next` may be
//! dropped at any point: the reader then stands where it stood, or the records come with the following call.
//!
//! **When the log can't be reached**, readers wait and go on by themselves; errors from `next` are for what waiting
//! doesn't cure. [`Log::health`] says whether the log answers at this moment.
//!
//! **Closing.** [`Log::close`] refuses what comes after it, waits until everything that was handed over has its
//! outcome, and gives back what the provider holds.
//!
//! What is deliberately absent: consumer groups and stored positions (projections keep positions beside their rows),
//! conditional appends (Kafka has none; streams are versioned instead), transactions, compaction.

mod error;
pub mod metrics;
mod partitioner;
mod port;
pub mod providers;
pub mod topics;

pub use error::{AppendError, LogError, ReadError};
pub use partitioner::partition_for;
pub use port::{
    Batch, BatchLimit, Bounds, Log, LogRecord, MAX_RECORD_BYTES, Offset, PartitionReader, StoredRecord, TopicAdmin,
};
