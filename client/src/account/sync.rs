//! Keeping the account true: the own key record is audited, and sealing keys are rotated and erased.

use std::time::Duration;

use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{MAX_CLOCK_DIFFERENCE, SealingKeyStated, state_sealing_key};
use rossby_schemas::http::account::{CommandResponse, StatementRequest};
use rossby_schemas::http::identifiers::{OwnClaim, OwnIdentifier};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use super::devices::signed;
use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::random::rng;
use crate::store::device::{Device, SealingKey, insert_sealing_key};
use crate::store::own_devices;
use crate::warning::Warning;

/// This device and its box's record, audited.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) device: Device,
    pub(crate) record: KeyRecord,
}

/// What the server says of the account besides its record.
#[derive(Debug)]
pub(crate) struct AccountList {
    /// The version of the record's stream.
    pub(crate) keys_version: u64,
    /// The version of the profile.
    pub(crate) profile_version: u64,
    /// The identifiers.
    pub(crate) identifiers: Vec<OwnIdentifier>,
    /// What was claimed for the box.
    pub(crate) claims: Vec<OwnClaim>,
}

/// A sealing key of a device, by its box, id and signing key, with its statement, good for this time from then on.
pub(super) fn new_sealing_key(
    (box_id, device_id, signing_key): (BoxId, DeviceId, &SigningKey),
    head: Head,
    secret: &SealingSecretKey,
    counter: u64,
    (now, lifetime): (Timestamp, Duration),
) -> SealingKey {
    let expires = now.plus(lifetime);
    let key = secret.public_key();
    let content = SealingKeyStated { box_id, device_id, counter, key, created: now, expires, head };
    SealingKey {
        counter,
        statement: state_sealing_key(signing_key, content).octets().clone(),
        created: now,
        expires,
        command_id: CommandId(Uuid::new_v4()),
        is_stated: false,
    }
}

/// What is to be done about this device's sealing key.
enum Rotation {
    /// Nothing but to state this one, if there is one.
    Done(Option<SealingKey>),
    /// A key with this counter is to be made.
    Due {
        counter: u64,
        /// The counter of the strange key that the server shows in place of the newest.
        strange: Option<u64>,
    },
}

impl Client {
    /// Asks for the account, checks it against what is known, rotates the sealing key when it is time, and erases those
    /// that nothing can be sealed to any more. Once a day, asks for other people's records too.
    ///
    /// # Errors
    /// [`ClientError::Forked`] if the server shows another record than the one that is known, [`ClientError::Removed`], and
    /// what the server says.
    pub async fn sync(&self) -> Result<(), ClientError> {
        self.audit().await?;
        self.refresh_contacts().await?;
        self.state_profile_or_later().await;
        Ok(())
    }

    pub(crate) async fn audit(&self) -> Result<Own, ClientError> {
        Ok(self.audit_and_list().await?.0)
    }

    /// Audits the account, and gives what the server lists of it too.
    pub(crate) async fn audit_and_list(&self) -> Result<(Own, AccountList), ClientError> {
        let answer = self.account_as_server_has_it(&self.device().await?).await?;
        // With the token that was good.
        let device = self.device().await?;
        if (answer.box_id, answer.device_id) != (device.box_id, device.device_id) {
            return Err(ClientError::bad_answer("it is about another device"));
        }
        let known = self.keep_shown_record(device.box_id, &answer.key_record).await?;
        if !known.record.device(device.device_id).is_some_and(rossby_crypto::key_record::Device::is_member) {
            return Err(ClientError::Removed);
        }
        let shown = known.sealing.into_iter().find(|statement| statement.content().device_id == device.device_id);
        let own = Own { device, record: known.record };
        self.heed_own_profile(&own.device, &answer.profile.blob).await?;
        let (keys_version, profile_version) = (answer.keys_version, answer.profile.version);
        let (identifiers, claims) = (answer.identifiers, answer.claims);
        let list = AccountList { keys_version, profile_version, identifiers, claims };
        self.tell_of_devices(&own).await?;
        if own.record.members().count() < 2 {
            self.give_up_on_devices(own.device.box_id).await?;
        }
        self.check_identifiers(&own, &list).await?;
        if self.is_ahead() {
            // By this clock everything that waits would be too old to open.
            self.warn_alone(&Warning::ClockAhead).await?;
        } else {
            if let Some(unstated) = self.rotate_sealing_key(&own, shown.as_ref()).await? {
                self.state_sealing_key(&own, unstated).await?;
            }
            self.store.drop_sealing_keys(self.now().minus(self.schedule.erase_after)).await?;
        }
        self.erase_what_is_due().await?;
        Ok((own, list))
    }

    /// Whether this device's clock is so far ahead of the server's that no key may be made or erased by it.
    fn is_ahead(&self) -> bool {
        self.now() > self.http.server_now().plus(MAX_CLOCK_DIFFERENCE)
    }

    /// Tells of devices that came or went by another device's doing since the person was told last.
    async fn tell_of_devices(&self, own: &Own) -> Result<(), ClientError> {
        let told = own_devices::told_version(&mut *self.store.read().await?).await?;
        if told >= own.record.head().version {
            return Ok(());
        }
        let mut transaction = self.store.begin().await?;
        for device in own.record.devices() {
            let id = device.device_id;
            for (version, has_gone) in [(Some(device.linked_version), false), (device.removed_version, true)] {
                let Some(version) = version.filter(|version| *version > told) else { continue };
                let (at, by) = signed(&own.record, version);
                if by == Some(own.device.device_id) {
                    continue;
                }
                let warning = if has_gone {
                    Warning::DeviceRemoved { device_id: id, at }
                } else {
                    Warning::DeviceLinked { device_id: id, at }
                };
                self.warn(&mut transaction, &warning).await?;
            }
        }
        own_devices::set_told_version(&mut transaction, own.record.head().version).await?;
        Ok(transaction.commit().await?)
    }

    /// Makes a new sealing key each week, and when the one that the server shows isn't this device's own. Gives the one that
    /// is to be stated, if any. The old one stays for what was sealed to it.
    async fn rotate_sealing_key(
        &self,
        own: &Own,
        shown: Option<&VerifiedSealingStatement>,
    ) -> Result<Option<SealingKey>, ClientError> {
        let now = self.now();
        if let Rotation::Done(unstated) = self.rotation(self.store.sealing_keys().await?, shown)? {
            return Ok(unstated);
        }
        // The keyring may have to keep it: that is done before anything else waits for the store.
        let wrapping = self.store.new_wrapping_key(&self.vault, now).await?;
        let mut transaction = self.store.begin().await?;
        // Another process may have made one in between.
        let (counter, strange) = match self.rotation(self.store.sealing_keys().await?, shown)? {
            Rotation::Done(unstated) => return Ok(unstated),
            Rotation::Due { counter, strange } => (counter, strange),
        };
        if let Some(counter) = strange {
            self.warn(&mut transaction, &Warning::StrangeSealingKey { counter }).await?;
        }
        let secret = SealingSecretKey::generate(&mut rng());
        let device = &own.device;
        let made_by = (device.box_id, device.device_id, &device.signing_key);
        let good = (now, self.schedule.lifetime());
        let key = new_sealing_key(made_by, own.record.head(), &secret, counter, good);
        insert_sealing_key(&mut transaction, &self.vault, &wrapping, &key, &secret).await?;
        transaction.commit().await?;
        Ok(Some(key))
    }

    /// Whether another sealing key is due, by those that there are, the newest first, and the one that the server shows.
    fn rotation(
        &self,
        keys: Vec<SealingKey>,
        shown: Option<&VerifiedSealingStatement>,
    ) -> Result<Rotation, ClientError> {
        let now = self.now();
        let is_own = |shown: &VerifiedSealingStatement| keys.iter().any(|key| key.statement == *shown.octets());
        let strange = shown.filter(|shown| !is_own(shown)).map(|shown| shown.content().counter);
        let newest = keys.first().ok_or(ClientError::DamagedStore("the sealing keys are missing"))?;
        // One that was made by a clock that was far ahead is used by nobody.
        let is_early = newest.created > now.plus(MAX_CLOCK_DIFFERENCE);
        let is_due = is_early || now.since(newest.created) >= self.schedule.rotate_after;
        let counter = newest.counter.max(strange.unwrap_or_default()) + 1;
        let superseded_by = strange.filter(|counter| *counter >= newest.counter);
        if superseded_by.is_some() {
            return Ok(Rotation::Due { counter, strange: superseded_by });
        }
        if !newest.is_stated && newest.expires > now && !is_early {
            return Ok(Rotation::Done(keys.into_iter().next()));
        }
        Ok(if is_due { Rotation::Due { counter, strange: None } } else { Rotation::Done(None) })
    }

    /// Tells the server of a sealing key. One that it does not take stops nothing else: it is stated again the next time.
    async fn state_sealing_key(&self, own: &Own, key: SealingKey) -> Result<(), ClientError> {
        let request = StatementRequest { command_id: key.command_id, statement: key.statement };
        let call = Call::post("/v1/account/statements", &request);
        let answer: Result<CommandResponse, _> = self.ask(&own.device, &call).await;
        match answer {
            Ok(_) => self.store.sealing_key_stated(key.counter).await,
            Err(ClientError::Refused(problem)) if problem.status >= 500 || problem.status == 429 => {
                tracing::debug!(%problem.title, "the sealing key is stated again later");
                Ok(())
            }
            Err(error @ ClientError::Refused(_)) => {
                self.warn_alone(&Warning::SealingKeyNotTaken { reason: error.to_string() }).await
            }
            Err(error) => Err(error),
        }
    }
}
