//! The new device's side: it shows a code, waits to be invited, agrees, and checks what came of it.

use std::time::Duration;

use rossby_crypto::authorize::TokenProof;
use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_crypto::linking::{Acceptance, Completion, Invitation, LinkMessage, LinkSecret, LinkSide, Offer};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{MAX_CLOCK_DIFFERENCE, request_link};
use rossby_schemas::http::account::AccountResponse;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{LIFETIME, device_name};
use crate::Client;
use crate::account::Account;
use crate::account::sync::new_sealing_key;
use crate::account::token::own_token;
use crate::error::ClientError;
use crate::http::{Call, Token};
use crate::random::rng;
use crate::store::device::{Device, SealingKey, insert_device, insert_sealing_key, set_token};
use crate::store::linking::{Linking, forget_linking, keep_linking};
use crate::store::{own_devices, records};

/// What the person carries from a new device to one that they have.
#[derive(Debug)]
pub struct LinkCode {
    /// The code.
    pub secret: LinkSecret,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl LinkCode {
    /// The code as people read and type it.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        self.secret.text()
    }
}

impl Client {
    /// Offers this home as a new device of somebody's box. Gives the code that is to be typed at one of the box's devices; go
    /// on with [`Self::await_link`]. Called again, it gives the same code as long as that is good.
    ///
    /// # Errors
    /// [`ClientError::AlreadyRegistered`], [`ClientError::BadDeviceName`], and what the server says.
    pub async fn offer_link(&self, name: &str) -> Result<LinkCode, ClientError> {
        let name = device_name(name)?;
        match self.store.device(&self.vault).await? {
            Some(device) if device.token.is_some() => return Err(ClientError::AlreadyRegistered(device.identifier)),
            Some(device) => return Err(ClientError::Registering(device.identifier)),
            None => {}
        }
        let linking = match self.store.linking(&self.vault).await? {
            Some(linking) if self.is_open(&linking) && linking.name == name => linking,
            _ => {
                let now = self.now();
                let linking = Linking {
                    secret: LinkSecret::generate(&mut rng()),
                    device_id: DeviceId(Uuid::new_v4()),
                    signing_key: SigningKey::generate(&mut rng()),
                    sealing_key: SealingSecretKey::generate(&mut rng()),
                    wrapping_key: self.store.new_wrapping_key(&self.vault, now).await?,
                    name: name.to_owned(),
                    created_at: now,
                };
                let mut transaction = self.store.begin().await?;
                keep_linking(&mut transaction, &self.vault, &linking).await?;
                transaction.commit().await?;
                linking
            }
        };
        let offer = Offer {
            device_id: linking.device_id,
            signing_key: linking.signing_key.verification_key(),
            name: linking.name.clone(),
            time: linking.created_at,
        };
        self.say(&linking.secret, &LinkMessage::Offer(offer)).await?;
        self.store.set_server(self.http.url()).await?;
        let expires_at = linking.created_at.plus(LIFETIME);
        Ok(LinkCode { secret: linking.secret, expires_at })
    }

    /// Waits until the other device has linked this one, or has refused, or the code is no longer good.
    ///
    /// # Errors
    /// [`ClientError::NoLink`] if none was offered, [`ClientError::LinkExpired`], [`ClientError::LinkRefused`],
    /// [`ClientError::LinkTampered`], and what the server says.
    pub async fn await_link(&self) -> Result<Account, ClientError> {
        let linking = self.store.linking(&self.vault).await?.ok_or(ClientError::NoLink)?;
        let linked = self.follow_link(&linking).await;
        if let Err(ClientError::LinkTampered(_)) = linked
            && let Err(error) = self.say(&linking.secret, &LinkMessage::Withdrawal).await
        {
            tracing::debug!(%error, "the other device could not be told");
        }
        if let Err(ClientError::LinkExpired | ClientError::LinkRefused(_) | ClientError::LinkTampered(_)) = linked {
            let mut transaction = self.store.begin().await?;
            forget_linking(&mut transaction).await?;
            transaction.commit().await?;
        }
        linked
    }

    async fn follow_link(&self, linking: &Linking) -> Result<Account, ClientError> {
        let mut accepted: Vec<Invitation> = Vec::new();
        let mut seen = 0;
        loop {
            if !self.is_open(linking) {
                return Err(ClientError::LinkExpired);
            }
            let heard = self.hear(&linking.secret, LinkSide::Old, seen, Duration::from_secs(25)).await?;
            seen = heard.count;
            for message in &heard.messages {
                match message {
                    LinkMessage::Refusal(reason) => return Err(ClientError::LinkRefused(*reason)),
                    LinkMessage::Invitation(invitation) if !accepted.contains(invitation) => {
                        self.accept(linking, &accepted, invitation).await?;
                        accepted.push(*invitation);
                    }
                    _ => {}
                }
            }
            let completion = heard.messages.iter().find_map(|message| match message {
                LinkMessage::Completion(completion) => Some(completion),
                _ => None,
            });
            if let Some(completion) = completion {
                let is_invited = |invitation: &Invitation| {
                    (invitation.box_id, invitation.founding_hash) == (completion.box_id, completion.founding_hash)
                };
                if !accepted.iter().any(is_invited) {
                    return Err(ClientError::LinkTampered("it was completed for a box that didn't invite this device"));
                }
                return self.complete(linking, completion).await;
            }
            if heard.has_foreign {
                return Err(ClientError::LinkTampered("a message was not made by the other device, or was changed"));
            }
        }
    }

    /// Agrees to be linked to the box that invites, at its present head.
    async fn accept(
        &self,
        linking: &Linking,
        before: &[Invitation],
        invitation: &Invitation,
    ) -> Result<(), ClientError> {
        let is_other =
            |other: &Invitation| (other.box_id, other.founding_hash) != (invitation.box_id, invitation.founding_hash);
        if before.iter().any(is_other) {
            return Err(ClientError::LinkTampered("two boxes invite this device: somebody else has seen the code"));
        }
        let Invitation { box_id, head, .. } = *invitation;
        let request = request_link(&linking.signing_key, linking.device_id, box_id, head);
        let counter = u64::try_from(before.len()).unwrap_or(u64::MAX).saturating_add(1);
        let stated = self.new_key(linking, box_id, head, counter);
        let acceptance =
            Acceptance { head, countersignature: request.countersignature, sealing_statement: stated.statement };
        self.say(&linking.secret, &LinkMessage::Acceptance(acceptance)).await
    }

    fn new_key(&self, linking: &Linking, box_id: BoxId, head: Head, counter: u64) -> SealingKey {
        let (device_id, key) = (linking.device_id, &linking.signing_key);
        let good = (self.now(), self.schedule.lifetime());
        new_sealing_key((box_id, device_id, key), head, &linking.sealing_key, counter, good)
    }

    /// Takes what the other device and the server say of the box, if it is as the other device said, and this home becomes
    /// its device.
    async fn complete(&self, linking: &Linking, completion: &Completion) -> Result<Account, ClientError> {
        let (box_id, device_id) = (completion.box_id, linking.device_id);
        let signature = TokenProof { box_id, device_id }.sign(&linking.signing_key);
        let request = TokenRequest { box_id, device_id, signature };
        let answer: AuthorizeResponse = self.http.call(&Call::post("/v1/tokens", &request).harmless(), None).await?;
        let token = own_token(&answer, box_id, device_id, std::slice::from_ref(&linking.sealing_key))?;
        let signed_by = Token { id: token.id, key: token.hawk_key.clone() };
        let answer: AccountResponse = self.http.call(&Call::get("/v1/account"), Some(&signed_by)).await?;
        if (answer.box_id, answer.device_id) != (box_id, device_id) {
            return Err(ClientError::bad_answer("it is about another device"));
        }
        let record = KeyRecord::verify_of(box_id, &answer.key_record.statements)
            .map_err(|reason| ClientError::BadRecord { box_id, reason })?;
        if record.founded().hash() != completion.founding_hash || !record.extends(completion.head) {
            return Err(ClientError::LinkTampered("the server shows another key record than the other device"));
        }
        let own = record.device(device_id).filter(|device| device.is_member());
        if own.is_none_or(|device| device.signing_key != linking.signing_key.verification_key()) {
            return Err(ClientError::Removed);
        }
        let stated = own_statement(&record, &answer, linking)?;
        let device = Device {
            identifier: completion.identifiers.first().cloned().unwrap_or_else(|| format!("urn:uuid:{box_id}")),
            box_id,
            device_id,
            signing_key: SigningKey::from_seed(&linking.signing_key.to_seed()),
            register_command: CommandId(Uuid::new_v4()),
            registration: None,
            token: None,
        };
        let content = stated.content();
        let mut key = self.new_key(linking, box_id, content.head, content.counter);
        (key.statement, key.created, key.expires) = (stated.octets().clone(), content.created, content.expires);
        key.is_stated = true;
        let mut transaction = self.store.begin().await?;
        insert_device(&mut transaction, &self.vault, &device).await?;
        insert_sealing_key(&mut transaction, &self.vault, &linking.wrapping_key, &key, &linking.sealing_key).await?;
        set_token(&mut transaction, &self.vault, &token).await?;
        if !records::keep_record(&mut transaction, &record).await? {
            return Err(ClientError::Forked(box_id));
        }
        own_devices::set_told_version(&mut transaction, record.head().version).await?;
        own_devices::name(&mut transaction, &self.vault, device_id, &linking.name, linking.created_at).await?;
        forget_linking(&mut transaction).await?;
        transaction.commit().await?;
        self.sync().await?;
        self.account().await
    }

    fn is_open(&self, linking: &Linking) -> bool {
        let now = self.now();
        now < linking.created_at.plus(LIFETIME) && linking.created_at <= now.plus(MAX_CLOCK_DIFFERENCE)
    }
}

/// The sealing statement that the server shows for the new device, which must be of its key.
fn own_statement(
    record: &KeyRecord,
    answer: &AccountResponse,
    linking: &Linking,
) -> Result<VerifiedSealingStatement, ClientError> {
    let public = linking.sealing_key.public_key();
    let verified = answer.key_record.sealing_statements.iter().filter_map(|s| record.verify_sealing(s, None).ok());
    let own = verified.into_iter().find(|statement| {
        let content = statement.content();
        content.device_id == linking.device_id && content.key.as_bytes() == public.as_bytes()
    });
    own.ok_or(ClientError::LinkTampered("the server shows another sealing key for this device"))
}
