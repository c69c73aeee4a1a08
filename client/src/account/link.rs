//! Linking: this home becomes a device of a box that others have founded, or takes another one into its own. The two talk at
//! a rendezvous, sealed under a secret that the person carries from one to the other; neither believes the server anything.

use std::collections::HashSet;
use std::time::Duration;

use rossby_crypto::authorize::TokenProof;
use rossby_crypto::key_record::{Device as RecordDevice, KeyRecord, VerifiedSealingStatement};
use rossby_crypto::linking::{
    Acceptance, Completion, Invitation, LinkMessage, LinkMessageError, LinkRefusal, LinkSecret, LinkSide,
    MAX_DEVICE_NAME, Offer,
};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{LinkRequest, MAX_CLOCK_DIFFERENCE, link, request_link};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::account::{AccountResponse, CommandResponse, LinkDeviceRequest};
use rossby_schemas::http::messages::MAX_WAIT_SECONDS;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::rendezvous::{MAX_RENDEZVOUS_MESSAGES, RendezvousRequest, RendezvousResponse};
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Account;
use super::sync::new_sealing_key;
use super::token::own_token;
use crate::Client;
use crate::error::ClientError;
use crate::http::{Call, Token};
use crate::random::rng;
use crate::store::device::{Device, insert_device, insert_sealing_key, set_token};
use crate::store::linking::{Linking, forget_linking, keep_linking};
use crate::store::{own_devices, records};

/// How long a link code is good, by the new device's clock. The server forgets what was said after the same time.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long the old device waits for the new one's next word: it is at its screen.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often another statement may come before the linking one.
const TRIES: u32 = 3;

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

/// A device that asks to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOffer {
    /// The device.
    pub device_id: DeviceId,
    /// What its person calls it.
    pub name: String,
    offer: Offer,
}

/// What was left at a rendezvous by one side.
struct Heard {
    messages: Vec<LinkMessage>,
    /// How many there are in all.
    count: usize,
    /// Whether something was there that neither side made.
    has_foreign: bool,
}

/// A name for a device that others can show: without what commands a screen, and not too long.
///
/// # Errors
/// [`ClientError::BadDeviceName`].
pub(crate) fn device_name(name: &str) -> Result<&str, ClientError> {
    let name = name.trim();
    let is_good = !name.is_empty() && name.len() <= MAX_DEVICE_NAME && !name.chars().any(char::is_control);
    if is_good { Ok(name) } else { Err(ClientError::BadDeviceName) }
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
                let linking = Linking {
                    secret: LinkSecret::generate(&mut rng()),
                    device_id: DeviceId(Uuid::new_v4()),
                    signing_key: SigningKey::generate(&mut rng()),
                    sealing_key: SealingSecretKey::generate(&mut rng()),
                    name: name.to_owned(),
                    created_at: self.now(),
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

    fn new_key(&self, linking: &Linking, box_id: BoxId, head: Head, counter: u64) -> crate::store::device::SealingKey {
        let (device_id, key) = (linking.device_id, &linking.signing_key);
        new_sealing_key((box_id, device_id, key), head, &linking.sealing_key, counter, self.now())
    }

    /// Takes what the other device and the server say of the box, if it is as the other device said, and this home becomes
    /// its device.
    async fn complete(&self, linking: &Linking, completion: &Completion) -> Result<Account, ClientError> {
        let (box_id, device_id) = (completion.box_id, linking.device_id);
        let signature = TokenProof { box_id, device_id }.sign(&linking.signing_key);
        let request = TokenRequest { box_id, device_id, signature };
        let answer: AuthorizeResponse = self.http.call(&Call::post("/v1/tokens", &request), None).await?;
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
        insert_sealing_key(&mut transaction, &self.vault, &key, &linking.sealing_key).await?;
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

    /// The device that asks to be linked with this code.
    ///
    /// # Errors
    /// [`ClientError::NoLinkOffer`], [`ClientError::LinkExpired`], [`ClientError::LinkUsed`], [`ClientError::LinkTampered`], and
    /// what the server says. Where two devices ask with one code, both are refused.
    pub async fn link_offer(&self, secret: &LinkSecret) -> Result<LinkOffer, ClientError> {
        let own = self.audit().await?;
        let heard = self.hear(secret, LinkSide::New, 0, Duration::from_secs(5)).await?;
        let mut offers = heard.messages.into_iter().filter_map(|message| match message {
            LinkMessage::Offer(offer) => Some(offer),
            _ => None,
        });
        let Some(offer) = offers.next() else {
            return Err(if heard.has_foreign {
                ClientError::LinkTampered("what is there was not made by the new device")
            } else {
                ClientError::NoLinkOffer
            });
        };
        if offers.any(|other| other != offer) {
            self.refuse_link(secret, LinkRefusal::Seen).await?;
            return Err(ClientError::LinkRefused(LinkRefusal::Seen));
        }
        let now = self.now().max(self.http.server_now());
        if now.since(offer.time) > LIFETIME + MAX_CLOCK_DIFFERENCE {
            return Err(ClientError::LinkExpired);
        }
        let linked_before = own.record.device(offer.device_id);
        if linked_before.is_some_and(|device| !is_offered(device, &offer)) {
            return Err(ClientError::LinkUsed);
        }
        let name = device_name(&offer.name).unwrap_or("a device with a strange name").to_owned();
        Ok(LinkOffer { device_id: offer.device_id, name, offer })
    }

    /// Says that the device will not be linked.
    ///
    /// # Errors
    /// What the server says.
    pub async fn refuse_link(&self, secret: &LinkSecret, reason: LinkRefusal) -> Result<(), ClientError> {
        self.say(secret, &LinkMessage::Refusal(reason)).await
    }

    /// Links the device that asked. One that was linked already, by a call that didn't come to its end, is only told so.
    ///
    /// # Errors
    /// [`ClientError::NoLinkOffer`] if the new device has gone away, [`ClientError::LinkTampered`], and what the server says.
    pub async fn link_device(&self, secret: &LinkSecret, offered: &LinkOffer) -> Result<(), ClientError> {
        let linked = self.add_device(secret, &offered.offer).await;
        let reason = match &linked {
            Ok(()) => return self.greet(offered).await,
            Err(error) => match error.problem() {
                Some(ProblemType::TooManyDevices) => LinkRefusal::TooMany,
                Some(_) if !matches!(error, ClientError::Refused(problem) if problem.status >= 500) => {
                    LinkRefusal::Server
                }
                _ => return linked,
            },
        };
        self.refuse_link(secret, reason).await?;
        linked
    }

    async fn add_device(&self, secret: &LinkSecret, offer: &Offer) -> Result<(), ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let own = self.audit().await?;
            let (box_id, head) = (own.record.box_id(), own.record.head());
            let founding_hash = own.record.founded().hash();
            if own.record.device(offer.device_id).is_some_and(|device| is_offered(device, offer)) {
                let identifiers = vec![own.device.identifier.clone()];
                let completion = Completion { box_id, founding_hash, head, identifiers };
                return self.say(secret, &LinkMessage::Completion(completion)).await;
            }
            self.say(secret, &LinkMessage::Invitation(Invitation { box_id, founding_hash, head })).await?;
            let acceptance = self.acceptance(secret, head).await?;
            let request = LinkRequest {
                device_id: offer.device_id,
                signing_key: offer.signing_key,
                countersignature: acceptance.countersignature,
            };
            let linked = link(&own.device.signing_key, own.device.device_id, box_id, head, &request, self.now());
            let mut record = own.record.clone();
            record.append(linked.octets()).map_err(|reason| ClientError::BadRecord { box_id, reason })?;
            record
                .verify_sealing(&acceptance.sealing_statement, None)
                .map_err(|_| ClientError::LinkTampered("the new device's sealing key does not verify"))?;
            let request = LinkDeviceRequest {
                command_id: CommandId(Uuid::new_v4()),
                linking_statement: linked.octets().clone(),
                sealing_statement: acceptance.sealing_statement,
            };
            let call = Call::post("/v1/account/devices", &request);
            let answer: Result<CommandResponse, _> = self.ask(&own.device, &call).await;
            match answer {
                Ok(_) => {}
                // Another statement may have come before it: the next round sees.
                Err(error) if error.problem() == Some(ProblemType::InvalidStatement) && tries < TRIES => {
                    if self.audit().await?.record.head() == head {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The new device's answer to an invitation at this head.
    async fn acceptance(&self, secret: &LinkSecret, head: Head) -> Result<Acceptance, ClientError> {
        let deadline = self.now().plus(PATIENCE);
        let mut seen = 0;
        loop {
            let heard = self.hear(secret, LinkSide::New, seen, Duration::from_secs(10)).await?;
            seen = heard.count;
            let accepted = heard.messages.into_iter().find_map(|message| match message {
                LinkMessage::Acceptance(acceptance) if acceptance.head == head => Some(acceptance),
                _ => None,
            });
            match accepted {
                Some(acceptance) => return Ok(acceptance),
                None if self.now() >= deadline => return Err(ClientError::NoLinkOffer),
                None => {}
            }
        }
    }

    /// Tells a device that was linked what the box's devices know.
    async fn greet(&self, offered: &LinkOffer) -> Result<(), ClientError> {
        let own = self.audit().await?;
        self.share_with_devices(&own.device, offered.device_id, &offered.name).await?;
        self.flush().await?;
        Ok(())
    }

    async fn say(&self, secret: &LinkSecret, message: &LinkMessage) -> Result<(), ClientError> {
        let sealed = secret.seal(&mut rng(), message).map_err(|error| ClientError::bad_answer(error))?;
        let path = format!("/v1/rendezvous/{}", secret.rendezvous());
        let _: RendezvousResponse = self.http.call(&Call::post(path, &RendezvousRequest { sealed }), None).await?;
        Ok(())
    }

    /// What one side has left, once there is more than was `seen`, or the time is over.
    async fn hear(
        &self,
        secret: &LinkSecret,
        side: LinkSide,
        seen: usize,
        wait: Duration,
    ) -> Result<Heard, ClientError> {
        let seconds = wait.as_secs().min(u64::from(MAX_WAIT_SECONDS));
        let path = format!("/v1/rendezvous/{}?seen={seen}&wait={seconds}", secret.rendezvous());
        let answer: RendezvousResponse = self.http.call(&Call::get(path).waiting(wait), None).await?;
        let mut heard = Heard { messages: Vec::new(), count: answer.messages.len(), has_foreign: false };
        let distinct: HashSet<&Octets> = answer.messages.iter().take(MAX_RENDEZVOUS_MESSAGES).collect();
        for sealed in distinct {
            match secret.open(side, sealed) {
                Ok(message) => heard.messages.push(message),
                Err(LinkMessageError::Malformed(_)) => heard.has_foreign = true,
                Err(LinkMessageError::DoesNotOpen) => {
                    let other = if side == LinkSide::New { LinkSide::Old } else { LinkSide::New };
                    heard.has_foreign |= secret.open(other, sealed).is_err();
                }
            }
        }
        Ok(heard)
    }
}

/// Whether a device of the record is the one that asked.
fn is_offered(device: &RecordDevice, offer: &Offer) -> bool {
    device.is_member() && (device.device_id, device.signing_key) == (offer.device_id, offer.signing_key)
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
