//! The side of a device that the box has: it takes the code, invites the device that shows it, and adds it to the record.

use std::time::Duration;

use rossby_crypto::key_record::Device as RecordDevice;
use rossby_crypto::linking::{
    Acceptance, Completion, Invitation, LinkMessage, LinkRefusal, LinkSecret, LinkSide, Offer,
};
use rossby_crypto::statements::{LinkRequest, MAX_CLOCK_DIFFERENCE, link};
use rossby_schemas::http::account::{CommandResponse, LinkDeviceRequest};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{CommandId, DeviceId, Head};
use uuid::Uuid;

use super::{LIFETIME, device_name};
use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::own_devices;

/// How long it waits for the new device's next word: it is at its screen.
const PATIENCE: Duration = Duration::from_secs(60);
const WITHDRAWN: &str = "the new device has stopped, because what it was told does not fit";
/// How often another statement may come before the linking one.
const TRIES: u32 = 3;

/// A device that asks to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOffer {
    /// The device.
    pub device_id: DeviceId,
    /// What its person calls it.
    pub name: String,
    offer: Offer,
}

impl Client {
    /// The device that asks to be linked with this code.
    ///
    /// # Errors
    /// [`ClientError::NoLinkOffer`], [`ClientError::LinkExpired`], [`ClientError::LinkUsed`], [`ClientError::LinkTampered`], and
    /// what the server says. Where two devices ask with one code, both are refused.
    pub async fn link_offer(&self, secret: &LinkSecret) -> Result<LinkOffer, ClientError> {
        let own = self.audit().await?;
        let heard = self.hear(secret, LinkSide::New, 0, Duration::from_secs(5)).await?;
        let has_withdrawn = heard.messages.contains(&LinkMessage::Withdrawal);
        let mut offers = heard.messages.into_iter().filter_map(|message| match message {
            LinkMessage::Offer(offer) => Some(offer),
            _ => None,
        });
        if has_withdrawn {
            return Err(ClientError::LinkTampered(WITHDRAWN));
        }
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
        let own_box = own.record.box_id();
        let mut is_completed = false;
        for message in heard.others {
            match message {
                LinkMessage::Refusal(reason) => return Err(ClientError::LinkRefused(reason)),
                // Another box has taken the device in: the code was seen, or typed at somebody else's device before.
                LinkMessage::Completion(completion) if completion.box_id != own_box => {
                    return Err(ClientError::LinkUsed);
                }
                LinkMessage::Completion(_) => is_completed = true,
                _ => {}
            }
        }
        let now = self.now().max(self.http.server_now());
        if now.since(offer.time) > LIFETIME + MAX_CLOCK_DIFFERENCE {
            return Err(ClientError::LinkExpired);
        }
        let linked_before = own.record.device(offer.device_id);
        if linked_before.is_some_and(|device| !is_offered(device, &offer)) {
            return Err(ClientError::LinkUsed);
        }
        // It was told what the devices know, its name among it: that call has come to its end.
        if is_completed {
            let names = own_devices::names(&mut *self.store.read().await?, &self.vault).await?;
            if names.contains_key(&offer.device_id) {
                return Err(ClientError::LinkUsed);
            }
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
            Ok(()) => {
                // It may have been asked by another box at the same moment, and taken neither for its own.
                let heard = self.hear(secret, LinkSide::New, 0, Duration::ZERO).await?;
                if heard.messages.contains(&LinkMessage::Withdrawal) {
                    self.remove_device(&offered.device_id.into(), None).await?;
                    return Err(ClientError::LinkTampered(WITHDRAWN));
                }
                return self.greet(offered).await;
            }
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
                let identifiers = self.called().await?;
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
            if heard.messages.contains(&LinkMessage::Withdrawal) {
                return Err(ClientError::LinkTampered(WITHDRAWN));
            }
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

    /// Tells a device that was linked what the box's devices know. What another one of them told before it was linked does not come to
    /// it, and may not have come here: it is fetched first.
    async fn greet(&self, offered: &LinkOffer) -> Result<(), ClientError> {
        while self.receive(Duration::ZERO).await?.more {}
        let own = self.audit().await?;
        self.share_with_devices(&own.device, offered.device_id, &offered.name).await?;
        self.flush().await?;
        Ok(())
    }
}

/// Whether a device of the record is the one that asked.
fn is_offered(device: &RecordDevice, offer: &Offer) -> bool {
    device.is_member() && (device.device_id, device.signing_key) == (offer.device_id, offer.signing_key)
}
