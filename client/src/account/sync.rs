//! Keeping the account true: the own key record is audited, and sealing keys are rotated and erased.

use std::time::Duration;

use rossby_crypto::key_record::{KeyRecord, KeyRecordError};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::statements::{SEALING_KEY_LIFETIME, SealingKeyStated, state_sealing_key};
use rossby_schemas::http::account::{AccountResponse, CommandResponse, StatementRequest};
use rossby_schemas::ids::CommandId;
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::random::rng;
use crate::store::device::{Device, SealingKey, insert_sealing_key};
use crate::store::records;
use crate::warning::Warning;

/// How often a device makes a new sealing key.
const ROTATION: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a message lives at most after it was sealed, with two days for clocks and late mirrors.
const ERASED_AFTER: Duration = Duration::from_secs(32 * 24 * 3600);

/// This device and its box's record, audited.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) device: Device,
    pub(crate) record: KeyRecord,
}

/// A sealing key with its statement, valid from `now`.
pub(super) fn new_sealing_key(
    device: &Device,
    record: &KeyRecord,
    secret: &SealingSecretKey,
    counter: u64,
    now: Timestamp,
) -> SealingKey {
    let expires = now.plus(SEALING_KEY_LIFETIME);
    let content = SealingKeyStated {
        box_id: device.box_id,
        device_id: device.device_id,
        counter,
        key: secret.public_key(),
        created: now,
        expires,
        head: record.head(),
    };
    SealingKey {
        counter,
        statement: state_sealing_key(&device.signing_key, content).octets().clone(),
        created: now,
        expires,
        command_id: CommandId(Uuid::new_v4()),
        is_stated: false,
    }
}

impl Client {
    /// Asks for the account, checks it against what is known, rotates the sealing key when it is time, and erases those
    /// that nothing can be sealed to any more.
    ///
    /// # Errors
    /// [`ClientError::Forked`] if the server shows another record than the one that is known, [`ClientError::Removed`], and
    /// what the server says.
    pub async fn sync(&self) -> Result<Vec<Warning>, ClientError> {
        let mut warnings = Vec::new();
        self.audit(&mut warnings).await?;
        Ok(warnings)
    }

    pub(crate) async fn audit(&self, warnings: &mut Vec<Warning>) -> Result<Own, ClientError> {
        let device = self.device().await?;
        let answer: AccountResponse = self.http.call(&Call::get("/v1/account").signed(device.token()?)).await?;
        if (answer.box_id, answer.device_id) != (device.box_id, device.device_id) {
            return Err(ClientError::bad_answer("it is about another device"));
        }
        let record = self.audit_record(&device, &answer, warnings).await?;
        if !record.device(device.device_id).is_some_and(rossby_crypto::key_record::Device::is_member) {
            return Err(ClientError::Removed);
        }
        let own = Own { device, record };
        self.rotate_sealing_key(&own).await?;
        let erased = self.store.erase_sealing_keys(self.now().minus(ERASED_AFTER)).await?;
        if erased > 0 {
            self.store.scrub().await?;
        }
        Ok(own)
    }

    /// The own record with what the server adds: nothing but what this box's devices signed.
    async fn audit_record(
        &self,
        device: &Device,
        answer: &AccountResponse,
        warnings: &mut Vec<Warning>,
    ) -> Result<KeyRecord, ClientError> {
        let box_id = device.box_id;
        let refused = |reason| ClientError::BadRecord { box_id, reason };
        let shown = KeyRecord::verify_of(box_id, &answer.key_record.statements).map_err(refused)?;
        let mut transaction = self.store.begin().await?;
        let known = records::key_record(&mut transaction, box_id).await?;
        let known = known.ok_or(ClientError::DamagedStore("the own key record is missing"))?;
        let record = match known.merge(shown.statements()) {
            Ok(record) => record,
            Err(KeyRecordError::Fork { .. }) => {
                let evidence: Vec<&[u8]> = shown.statements().iter().map(AsRef::as_ref).collect();
                records::keep_fork(&mut transaction, &self.vault, box_id, &evidence, self.now()).await?;
                transaction.commit().await?;
                return Err(ClientError::Forked(box_id));
            }
            Err(reason) => return Err(refused(reason)),
        };
        if shown.head() != record.head() {
            warnings.push(Warning::ShorterRecord(box_id));
        }
        records::keep_record(&mut transaction, &record).await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Makes a new sealing key each week, and states it until the server has it. The old one stays for what was sealed to it.
    async fn rotate_sealing_key(&self, own: &Own) -> Result<(), ClientError> {
        let now = self.now();
        let mut transaction = self.store.begin().await?;
        let newest = self.store.sealing_keys().await?.into_iter().next();
        let newest = newest.ok_or(ClientError::DamagedStore("the sealing keys are missing"))?;
        let unstated = if !newest.is_stated && newest.expires > now {
            transaction.rollback().await?;
            newest
        } else if now.since(newest.created) >= ROTATION {
            let secret = SealingSecretKey::generate(&mut rng());
            let key = new_sealing_key(&own.device, &own.record, &secret, newest.counter + 1, now);
            insert_sealing_key(&mut transaction, &self.vault, &key, &secret).await?;
            transaction.commit().await?;
            key
        } else {
            return Ok(());
        };
        let request = StatementRequest { command_id: unstated.command_id, statement: unstated.statement };
        let call = Call::post("/v1/account/statements", &request);
        let _: CommandResponse = self.http.call(&call.signed(own.device.token()?)).await?;
        self.store.sealing_key_stated(unstated.counter).await
    }
}
