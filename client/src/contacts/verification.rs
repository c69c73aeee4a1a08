//! Verifying somebody: the safety number or the code that their device shows is compared, and their box is marked.

use rossby_crypto::key_record::{HeadRelation, KeyRecord};
use rossby_crypto::safety_number::{SAFETY_NUMBER_DIGITS, SafetyNumber};
use rossby_crypto::verification::VerificationCode;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{Contact, Peer};
use crate::Client;
use crate::content::Mark;
use crate::error::ClientError;
use crate::store::{contacts, records, verified};
use crate::warning::Warning;

/// That the person has verified somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// How many devices their box has that it didn't have then.
    pub new_devices: usize,
}

/// What two people compare.
#[derive(Debug, Clone)]
pub struct Verification {
    /// The other one.
    pub contact: Contact,
    /// What this device shows to theirs.
    pub code: VerificationCode,
}

/// What the other one's device, or its person, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The safety number's digits, as they were read out or typed.
    Digits(String),
    /// The code that their device shows.
    Code(Box<VerificationCode>),
}

impl Client {
    /// What to compare with somebody. Their record is looked up first.
    ///
    /// # Errors
    /// Those of [`Client::lookup`].
    pub async fn verification(&self, peer: &Peer) -> Result<Verification, ClientError> {
        let contact = self.lookup(peer, false).await?;
        let (own, other) = self.both_records(contact.box_id).await?;
        Ok(Verification { code: VerificationCode::new(&own, &other), contact })
    }

    /// Compares what the other one shows with what is known, and marks their box as verified. Whom an address leads to now, in place
    /// of another, is accepted with that.
    ///
    /// # Errors
    /// [`ClientError::NotTheSame`] says what differs; nothing is marked then. [`ClientError::NotDigits`], and those of
    /// [`Client::lookup`].
    pub async fn verify(&self, peer: &Peer, shown: &Shown) -> Result<Contact, ClientError> {
        // The own record is compared too: it must be all that the server has.
        self.audit().await?;
        self.compare_and_mark(peer, shown).await
    }

    pub(super) async fn compare_and_mark(&self, peer: &Peer, shown: &Shown) -> Result<Contact, ClientError> {
        let contact = self.lookup(peer, false).await?;
        let (own, other) = self.both_records(contact.box_id).await?;
        let mut is_behind = false;
        match shown {
            Shown::Digits(typed) => compare_digits(typed, &SafetyNumber::of(&own, &other))?,
            Shown::Code(code) => {
                let compared = code.compare(&own, &other)?;
                is_behind = [compared.theirs, compared.ours].contains(&HeadRelation::Ahead);
            }
        }
        let mut transaction = self.store.begin().await?;
        if let Peer::Identifier(identifier) = peer {
            self.accept_change(&mut transaction, identifier, contact.box_id).await?;
        }
        let head = other.head();
        let said = Mark { box_id: contact.box_id, is_verified: true, head, changed_at: self.now() };
        self.mark(&mut transaction, said).await?;
        if is_behind {
            self.warn(&mut transaction, &Warning::BehindTheirs(contact.box_id)).await?;
        }
        transaction.commit().await?;
        self.flush().await?;
        self.known_contact(&other, false).await
    }

    /// Takes back that somebody was verified.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], [`ClientError::NotVerified`], and what the server says of an address that isn't known here.
    pub async fn unverify(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let box_id = self.box_of(peer).await?;
        let mut transaction = self.store.begin().await?;
        let known = verified::mark(&mut transaction, box_id).await?.filter(|mark| mark.is_verified);
        let known = known.ok_or(ClientError::NotVerified(box_id))?;
        let said = Mark { is_verified: false, changed_at: self.now(), ..known };
        self.mark(&mut transaction, said).await?;
        transaction.commit().await?;
        self.flush().await?;
        Ok(box_id)
    }

    async fn both_records(&self, box_id: BoxId) -> Result<(KeyRecord, KeyRecord), ClientError> {
        let own_box = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let own = records::own_record(&mut connection, own_box).await?;
        let other = records::key_record(&mut connection, box_id).await?;
        Ok((own, other.ok_or(ClientError::DamagedStore("a record that was looked up is missing"))?))
    }

    /// Keeps what the person says now of a box, and tells the own devices.
    async fn mark(&self, connection: &mut SqliteConnection, said: Mark) -> Result<(), ClientError> {
        // After what was said before, whatever the clocks.
        let before = verified::mark(connection, said.box_id).await?;
        let after = before.map(|before| before.changed_at.plus(std::time::Duration::from_millis(1)));
        let said = Mark { changed_at: after.map_or(said.changed_at, |after| after.max(said.changed_at)), ..said };
        verified::merge(connection, said).await?;
        let device = self.device().await?;
        self.tell_marks(connection, &device, &[said]).await
    }

    /// Tells of devices that a verified box has got since the person was told last.
    pub(super) async fn tell_new_devices(
        &self,
        connection: &mut SqliteConnection,
        record: &KeyRecord,
    ) -> Result<(), ClientError> {
        let box_id = record.box_id();
        let Some(mark) = verified::mark(connection, box_id).await?.filter(|mark| mark.is_verified) else {
            return Ok(());
        };
        let told = verified::told_version(connection, box_id).await?;
        if linked_since(record, told) > 0 {
            let devices = linked_since(record, mark.head.version);
            let identifiers = contacts::identifiers_of(connection, box_id).await?;
            let warning = Warning::NewDevices { box_id, identifier: identifiers.into_iter().next(), devices };
            self.warn(connection, &warning).await?;
        }
        verified::set_told_version(connection, box_id, record.head().version).await
    }
}

/// Whether the person has verified a box. Where its address leads elsewhere now, the mark is not shown: nobody knows who answers. Nor
/// is it once the person has accepted the other box, unless they have verified this one since.
pub(crate) async fn shown_mark(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Option<Verified>, ClientError> {
    let Some(mark) = verified::mark(connection, box_id).await?.filter(|mark| mark.is_verified) else { return Ok(None) };
    if contacts::moved(connection, box_id).await?.is_some() || records::is_forked(connection, box_id).await? {
        return Ok(None);
    }
    if contacts::left(connection, box_id).await?.iter().any(|(_, at)| mark.changed_at <= *at) {
        return Ok(None);
    }
    let record = records::key_record(connection, box_id).await?;
    let new_devices = record.map_or(0, |record| linked_since(&record, mark.head.version));
    Ok(Some(Verified { at: mark.changed_at, new_devices }))
}

/// How many devices a box has that were linked after this version.
fn linked_since(record: &KeyRecord, version: u32) -> usize {
    record.members().filter(|device| device.linked_version > version).count()
}

fn compare_digits(typed: &str, known: &SafetyNumber) -> Result<(), ClientError> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, '-' | '.' | ',');
    let digits: String = typed.chars().filter(|c| !is_between(*c)).collect();
    if digits.len() != SAFETY_NUMBER_DIGITS || !digits.chars().all(|c| c.is_ascii_digit()) {
        return Err(ClientError::NotDigits);
    }
    if digits == known.digits() { Ok(()) } else { Err(ClientError::NotTheSame("the digits differ".to_owned())) }
}
