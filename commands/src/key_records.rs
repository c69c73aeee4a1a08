//! Verified key records of boxes, kept until a newer one is there: verifying a long one costs as much as many messages, and
//! whoever sends to a box, or asks as one of its devices, needs it each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_projections::{Projection, StoredKeyRecord};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::lookup::KeyRecordDocument;
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::Topic;

use crate::error::{CommandError, Refusal};
use crate::service::Service;

/// How many octets the kept records have at most, about.
const KEPT_OCTETS: u64 = 64 * 1024 * 1024;
/// After so long without being asked for, a record is kept no more.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);
/// More statements than this are verified where nobody else's request waits for it.
const VERIFIED_AT_ONCE: usize = 16;

/// A box's key record, verified.
#[derive(Debug)]
pub(crate) struct BoxRecord {
    /// The version of its stream.
    pub(crate) version: u64,
    /// Whether the box is closing.
    pub(crate) closing: bool,
    pub(crate) record: KeyRecord,
    /// The current sealing statements of its devices.
    pub(crate) sealing: Vec<VerifiedSealingStatement>,
}

impl BoxRecord {
    /// Whether what is stored goes on from this.
    fn begins(&self, stored: &StoredKeyRecord) -> bool {
        stored.statements.starts_with(self.record.statements())
    }

    /// Verifies what is stored beyond a record that begins it. None for what can't be read: a defect, or a closed box.
    pub(crate) fn verify(stored: &StoredKeyRecord, known: Option<&Self>) -> Option<Self> {
        let mut record = match known {
            Some(known) => known.record.clone(),
            None => KeyRecord::verify(stored.statements.get(..1)?).ok()?,
        };
        for statement in stored.statements.get(record.statements().len()..)? {
            record.append(statement).ok()?;
        }
        let sealing = stored.sealing_statements.iter().filter_map(|octets| record.verify_sealing(octets, None).ok());
        let sealing = sealing.collect();
        Some(Self { version: stored.version, closing: stored.closing, record, sealing })
    }

    /// The current sealing statements as they were signed.
    pub(crate) fn sealing_statements(&self) -> Vec<Octets> {
        self.sealing.iter().map(|statement| statement.octets().clone()).collect()
    }

    /// The record as clients get it, who verify all of it.
    pub(crate) fn document(&self) -> KeyRecordDocument {
        KeyRecordDocument {
            head: self.record.head(),
            statements: self.record.statements().to_vec(),
            sealing_statements: self.sealing_statements(),
        }
    }

    /// How many octets it takes, about: each statement with its hash, and each device's key, as it is signed and as it is read.
    fn size(&self) -> u32 {
        let statements: usize = self.record.statements().iter().map(|octets| octets.as_slice().len() + 64).sum();
        let sealing: usize = self.sealing.iter().map(|statement| 2 * statement.octets().as_slice().len()).sum();
        u32::try_from(statements + sealing + 128 * self.record.devices().len()).unwrap_or(u32::MAX)
    }
}

/// The records that this process has verified.
#[derive(Debug, Clone)]
pub(crate) struct KeyRecords {
    kept: Cache<BoxId, Arc<BoxRecord>>,
    verified: Arc<AtomicU64>,
}

impl KeyRecords {
    pub(crate) fn new() -> Self {
        let kept = Cache::builder().max_capacity(KEPT_OCTETS).time_to_idle(KEPT_FOR);
        let kept = kept.weigher(|_, record: &Arc<BoxRecord>| record.size()).build();
        Self { kept, verified: Arc::default() }
    }

    /// Verifies a record, and counts the statements that were not known before.
    async fn verify(
        &self,
        stored: StoredKeyRecord,
        known: Option<Arc<BoxRecord>>,
    ) -> Result<Option<BoxRecord>, CommandError> {
        let known = known.filter(|known| known.begins(&stored));
        let before = known.as_ref().map_or(0, |known| known.record.statements().len());
        let new = stored.statements.len().saturating_sub(before);
        self.verified.fetch_add(new as u64, Ordering::Relaxed);
        let verify = move || BoxRecord::verify(&stored, known.as_deref());
        if new <= VERIFIED_AT_ONCE {
            return Ok(verify());
        }
        let verified = tokio::task::spawn_blocking(verify).await;
        verified.map_err(|error| CommandError::Internal(error.to_string()))
    }
}

impl Service {
    /// A box's record as the read models have it now; none for a box that was never founded or is closed. Of several that ask
    /// for the same, one verifies it.
    pub(crate) async fn key_record(&self, box_id: BoxId) -> Result<Option<Arc<BoxRecord>>, CommandError> {
        let stream = box_id.to_string();
        let version = self.models.stream_version(Projection::Keys, Topic::Keys, &stream).await?;
        if version == 0 {
            return Ok(None);
        }
        let is_new = |known: &Arc<BoxRecord>| known.version >= version;
        let records = &self.key_records;
        if let Some(known) = records.kept.get(&box_id).await.filter(is_new) {
            return Ok(Some(known));
        }
        let look = |entry: Option<moka::Entry<BoxId, Arc<BoxRecord>>>| async move {
            let known = entry.map(moka::Entry::into_value);
            if known.as_ref().is_some_and(is_new) {
                return Ok::<_, CommandError>(Op::Nop);
            }
            let Some(stored) = self.models.key_record(box_id).await? else { return Ok(Op::Remove) };
            Ok(records.verify(stored, known).await?.map_or(Op::Remove, |record| Op::Put(Arc::new(record))))
        };
        Ok(match records.kept.entry(box_id).and_try_compute_with(look).await? {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::StillNone(_) | CompResult::Removed(_) => None,
        })
    }

    /// The record of a box to its own devices; one that closes has none any more.
    ///
    /// # Errors
    /// [`Refusal::NotADevice`].
    pub(crate) async fn own_record(&self, box_id: BoxId) -> Result<Arc<BoxRecord>, CommandError> {
        let record = self.key_record(box_id).await?.filter(|record| !record.closing);
        record.ok_or_else(|| Refusal::NotADevice.into())
    }

    /// How many statements of key records this process has verified since it began.
    #[must_use]
    pub fn statements_verified(&self) -> u64 {
        self.key_records.verified.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
