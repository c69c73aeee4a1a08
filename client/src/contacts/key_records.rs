//! Other people's key records: verified, and never taken back.

use rossby_crypto::key_record::{Device, KeyRecord, KeyRecordError, SealingStatementError, VerifiedSealingStatement};
use rossby_crypto::statements::MembershipStatement;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::lookup::KeyRecordDocument;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use crate::Client;
use crate::error::ClientError;
use crate::store::records;
use crate::warning::Warning;

/// A box's verified record and sealing keys.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) record: KeyRecord,
    pub(crate) sealing: Vec<VerifiedSealingStatement>,
    /// Whether another record of the box was ever shown: nothing is sent to it.
    pub(crate) is_forked: bool,
    /// What the server showed of it last, where that is less than what is known.
    pub(crate) shorter: Option<KeyRecord>,
}

impl Known {
    pub(crate) async fn load(connection: &mut SqliteConnection, box_id: BoxId) -> Result<Option<Self>, ClientError> {
        let Some(record) = records::key_record(connection, box_id).await? else { return Ok(None) };
        let sealing = records::sealing_statements(connection, &record).await?;
        let is_forked = records::is_forked(connection, box_id).await?;
        Ok(Some(Self { record, sealing, is_forked, shorter: None }))
    }

    /// What the server showed, where that is less than what is known and names no device that has been removed since:
    /// whoever hides a removal gets nothing sealed to the removed device.
    pub(crate) fn served(self) -> Option<Self> {
        let record = self.shorter?;
        let is_member = |device: &Device| self.record.device(device.device_id).is_some_and(Device::is_member);
        let hides_no_removal = record.members().all(is_member);
        hides_no_removal.then_some(Self { record, shorter: None, ..self })
    }
}

/// The chain that these statements make with the beginning of a known one, if it is a valid one of the same box and
/// neither extends the other.
pub(crate) fn contradicting(known: &KeyRecord, statements: &[Octets]) -> Option<KeyRecord> {
    let from = statements.iter().position(|statement| !known.statements().contains(statement))?;
    let version = MembershipStatement::parse(&statements[from]).ok()?.version();
    let common = usize::try_from(version).ok()?.checked_sub(1)?;
    let chain = [known.statements().get(..common)?, &statements[from..]].concat();
    let other = KeyRecord::verify_of(known.box_id(), &chain).ok()?;
    (!known.extends(other.head()) && !other.extends(known.head())).then_some(other)
}

impl Client {
    /// Verifies a whole record that the server showed, and keeps what it adds to the known one.
    pub(crate) async fn keep_shown_record(
        &self,
        box_id: BoxId,
        document: &KeyRecordDocument,
    ) -> Result<Known, ClientError> {
        let shown = KeyRecord::verify_of(box_id, &document.statements)
            .map_err(|reason| ClientError::BadRecord { box_id, reason })?;
        let known = self.keep_record(box_id, shown.statements(), &document.sealing_statements).await?;
        if shown.statements().len() >= known.record.statements().len() {
            return Ok(known);
        }
        self.warn_alone(&Warning::ShorterRecord(box_id)).await?;
        Ok(Known { shorter: Some(shown), ..known })
    }

    /// Keeps what a part of a record that the server shows adds to the known one.
    ///
    /// # Errors
    /// [`ClientError::Forked`] for one that contradicts it by valid signatures, which is kept as evidence.
    pub(crate) async fn keep_record(
        &self,
        box_id: BoxId,
        statements: &[Octets],
        sealing_statements: &[Octets],
    ) -> Result<Known, ClientError> {
        self.merge_record(box_id, statements, sealing_statements, true).await
    }

    /// The same with what somebody else brings, who may know less: older sealing statements of theirs are nothing to tell.
    ///
    /// # Errors
    /// Those of [`Client::keep_record`].
    pub(crate) async fn keep_brought_record(
        &self,
        box_id: BoxId,
        statements: &[Octets],
        sealing_statements: &[Octets],
    ) -> Result<Known, ClientError> {
        self.merge_record(box_id, statements, sealing_statements, false).await
    }

    async fn merge_record(
        &self,
        box_id: BoxId,
        statements: &[Octets],
        sealing_statements: &[Octets],
        is_shown_by_server: bool,
    ) -> Result<Known, ClientError> {
        let mut transaction = self.store.begin().await?;
        let known = records::key_record(&mut transaction, box_id).await?;
        let merged = match &known {
            Some(known) => known.merge(statements),
            None => KeyRecord::verify_of(box_id, statements),
        };
        let record = match (merged, &known) {
            (Ok(record), _) => record,
            (Err(KeyRecordError::Fork { .. }), Some(known)) if contradicting(known, statements).is_some() => {
                let evidence: Vec<&[u8]> = statements.iter().map(AsRef::as_ref).collect();
                records::keep_fork(&mut transaction, &self.vault, box_id, &evidence, self.now()).await?;
                transaction.commit().await?;
                return Err(ClientError::Forked(box_id));
            }
            (Err(reason), _) => return Err(ClientError::BadRecord { box_id, reason }),
        };
        records::keep_record(&mut transaction, &record).await?;
        let held = records::sealing_statements(&mut transaction, &record).await?;
        for octets in sealing_statements {
            match newest(&record, octets, &held) {
                Ok(Some(statement)) => records::keep_sealing_statement(&mut transaction, &statement).await?,
                Ok(None) => {}
                Err(error) if !is_shown_by_server => {
                    tracing::debug!(%box_id, %error, "a sealing statement that somebody brings is refused");
                }
                Err(error) => {
                    let warning = Warning::RefusedSealingStatement { box_id, reason: error.to_string() };
                    self.warn(&mut transaction, &warning).await?;
                }
            }
        }
        let sealing = records::sealing_statements(&mut transaction, &record).await?;
        let is_forked = records::is_forked(&mut transaction, box_id).await?;
        transaction.commit().await?;
        Ok(Known { record, sealing, is_forked, shorter: None })
    }
}

/// A sealing statement to keep; none for one of a device that is gone.
fn newest(
    record: &KeyRecord,
    octets: &Octets,
    held: &[VerifiedSealingStatement],
) -> Result<Option<VerifiedSealingStatement>, SealingStatementError> {
    let statement = match record.verify_sealing(octets, None) {
        Err(SealingStatementError::RemovedDevice) => return Ok(None),
        other => other?,
    };
    let device = statement.content().device_id;
    let held = held.iter().find(|held| held.content().device_id == device);
    record.verify_sealing(octets, held).map(Some)
}
