//! Actions: each is done by calls of the client's.

use std::sync::Arc;

use rossby_client::{
    Client, ClientError, Contact, Content, Conversation, DeviceRef, GroupId, LinkOffer, OwnDevice, Peer, Setting,
    Shown, Verification,
};
use rossby_crypto::linking::{LinkRefusal, LinkSecret};
use rossby_schemas::ids::BoxId;
use tokio::sync::{Mutex, Notify};

use super::files::Files;
use super::hands::addressee;
use super::yourself;
use crate::person::chat::names;
use crate::person::chat::state::action::{Action, Found, Known, Outcome, Person};
use crate::person::devices::link_secret;
use crate::person::screen::minute;

/// Does what the person wants.
pub(super) struct Doer {
    client: Arc<Client>,
    files: Arc<Files>,
    /// The device that asks to be linked, until the person has answered.
    offer: Mutex<Option<(LinkSecret, LinkOffer)>>,
    /// Told when the person doesn't want to wait for that device any more.
    stop_link: Notify,
}

impl Doer {
    pub(super) fn new(client: Arc<Client>, files: Arc<Files>) -> Self {
        Self { client, files, offer: Mutex::new(None), stop_link: Notify::new() }
    }

    /// Does something. What waits in the outbox then, others hand over.
    pub(super) async fn act(&self, action: &Action) -> Result<Outcome, ClientError> {
        let client = &self.client;
        Ok(match action {
            Action::Begin(peer) => {
                let conversation = client.conversation_with(peer).await?;
                Found::Conversation(conversation, peer.to_string()).into()
            }
            Action::Accept(box_id) => {
                client.accept_peer(&Peer::Box(*box_id)).await?;
                Outcome::said("Accepted")
            }
            Action::Decline(box_id) => {
                client.decline_request(&Peer::Box(*box_id)).await?;
                Outcome::said("Declined, and erased")
            }
            Action::Block { box_id, is_request: true } => {
                client.decline_and_block(&Peer::Box(*box_id)).await?;
                Outcome::said("Blocked, and erased")
            }
            Action::Block { box_id, is_request: false } => {
                client.change(Setting::Block(*box_id)).await?;
                Outcome::said("Blocked")
            }
            Action::Unblock(box_id) => {
                client.change(Setting::Unblock(*box_id)).await?;
                Outcome::said("No longer blocked")
            }
            Action::Delete(message_id) => {
                client.delete(&(*message_id).into()).await?;
                Outcome::said("Deleted")
            }
            Action::React { message, emoji, removed } => {
                client.react_to(message, emoji, *removed).await?;
                Outcome::default()
            }
            Action::SendPlace { conversation, location } => {
                client.send_to(&addressee(*conversation), &Content::Location(location.clone())).await?;
                Outcome::default()
            }
            Action::SendFile { conversation, path, caption } => {
                self.files.send(*conversation, path, caption.clone()).await?
            }
            Action::Download { message, to } => self.files.download(message, to).await?,
            Action::StopFile(number) => {
                self.files.stop(*number);
                Outcome::default()
            }
            Action::GiveUpFile(upload) => self.files.give_up(*upload).await?,
            Action::LookUp(box_id) => self.look_up(*box_id).await?.into(),
            Action::AcceptChange(peer) => {
                let contact = client.lookup(peer, true).await?;
                Outcome::said(if contact.is_changed {
                    "It leads to yet another box now; look again"
                } else {
                    "Accepted: what you write to this address goes to the new box"
                })
            }
            Action::Verify { box_id, said } => {
                client.verify(&Peer::Box(*box_id), &shown(said)?).await?;
                Outcome::from(self.look_up(*box_id).await?).saying("It is the same: they are verified")
            }
            Action::Unverify(box_id) => {
                client.unverify(&Peer::Box(*box_id)).await?;
                Outcome::from(self.look_up(*box_id).await?).saying("No longer verified")
            }
            Action::ListGroups => Found::Groups(client.groups().await?).into(),
            Action::ReadGroup(group) => self.group(*group).await?.into(),
            Action::CreateGroup { name, members } => {
                let (group, _) = client.create_group(name, members).await?;
                Found::Conversation(Conversation::Group(group.0), names::group(name)).into()
            }
            Action::AddToGroup { group, members } => {
                client.add_to_group(&(*group).into(), members, false).await?;
                Outcome::from(self.group(*group).await?).saying("Added")
            }
            Action::RemoveFromGroup { group, member } => {
                client.remove_from_group(&(*group).into(), &Peer::Box(*member)).await?;
                Outcome::from(self.group(*group).await?).saying("Removed")
            }
            Action::SetGroupAdmin { group, member, is_admin } => {
                client.set_group_admin(&(*group).into(), &Peer::Box(*member), *is_admin).await?;
                let said = if *is_admin { "An admin now" } else { "A plain member now" };
                Outcome::from(self.group(*group).await?).saying(said)
            }
            Action::RenameGroup { group, name } => {
                client.rename_group(&(*group).into(), name).await?;
                Outcome::from(self.group(*group).await?).saying("Renamed")
            }
            Action::LeaveGroup(group) => {
                client.leave_group(&(*group).into()).await?;
                Outcome::from(self.group(*group).await?).saying("Left")
            }
            Action::AcceptGroup(group) => {
                client.accept_group(&(*group).into()).await?;
                Outcome::from(self.group(*group).await?).saying("You take part in it")
            }
            Action::DeclineGroup(group) => {
                client.decline_group(&(*group).into()).await?;
                Outcome::from(self.group(*group).await?).saying("Declined")
            }
            Action::ReadGroupHistory(group) => {
                Found::GroupHistory(*group, client.group_history(&(*group).into()).await?).into()
            }
            Action::ReadProfile
            | Action::SetProfileName(_)
            | Action::SetProfilePicture(_)
            | Action::ListIdentifiers
            | Action::AddIdentifier(_)
            | Action::ConfirmIdentifier { .. }
            | Action::RemoveIdentifier(_)
            | Action::ObjectToClaim(_) => yourself::act(client, action).await?,
            Action::ListDevices => Found::Devices(self.devices().await?).into(),
            Action::NameDevice { device_id, name } => {
                client.name_device(&device_ref(&device_id.to_string()), name).await?;
                Outcome::from(Found::Devices(self.devices().await?)).saying("Named")
            }
            Action::RemoveDevice(device_id) => {
                client.remove_device(&device_ref(&device_id.to_string()), None).await?;
                Outcome::from(Found::Devices(self.devices().await?)).saying("Removed")
            }
            Action::FindLink(text) => {
                let secret = link_secret(&text.0)?;
                let offer = client.link_offer(&secret).await?;
                let name = offer.name.clone();
                *self.offer.lock().await = Some((secret, offer));
                Found::Link(name).into()
            }
            Action::Link => {
                let Some((secret, offer)) = self.offer.lock().await.take() else {
                    return Err(ClientError::NoLinkOffer);
                };
                tokio::select! {
                    linked = client.link_device(&secret, &offer) => linked?,
                    () = self.stop_link.notified() => return self.stopped(&secret, &offer).await,
                }
                Outcome::from(Found::Devices(self.devices().await?)).saying("Linked")
            }
            Action::StopLink => {
                self.stop_link.notify_waiters();
                Outcome::default()
            }
            Action::RefuseLink => {
                if let Some((secret, _)) = self.offer.lock().await.take() {
                    client.refuse_link(&secret, LinkRefusal::Declined).await?;
                }
                Outcome::said("The device was not linked")
            }
            Action::ReadSettings => self.settings().await?,
            Action::SetDiscoverable(audience) => {
                client.change(Setting::Discoverable(*audience)).await?;
                self.settings().await?
            }
            Action::SetAcceptFrom(audience) => {
                client.change(Setting::AcceptFrom(*audience)).await?;
                self.settings().await?
            }
            Action::SetReceipts(receipts) => {
                client.set_receipts(*receipts).await?;
                self.settings().await?
            }
        })
    }

    /// The person waits no more for a device. It may have been linked at the last moment.
    async fn stopped(&self, secret: &LinkSecret, offer: &LinkOffer) -> Result<Outcome, ClientError> {
        let devices = self.devices().await?;
        if devices.iter().any(|device| device.device_id == offer.device_id && device.removed_at.is_none()) {
            return Ok(
                Outcome::from(Found::Devices(devices)).saying("It was too late: the device is linked; x removes it")
            );
        }
        self.client.refuse_link(secret, LinkRefusal::Declined).await?;
        Ok(Outcome::said("Stopped: the device is not linked"))
    }

    async fn devices(&self) -> Result<Vec<OwnDevice>, ClientError> {
        self.client.devices().await
    }

    async fn settings(&self) -> Result<Outcome, ClientError> {
        let settings = self.client.settings().await?;
        Ok(Found::Settings(settings, self.client.receipt_settings().await?).into())
    }

    async fn group(&self, group: GroupId) -> Result<Found, ClientError> {
        Ok(Found::Group(Box::new(self.client.group(&group.into()).await?)))
    }

    /// What is known of somebody: of their box, and whether their addresses still lead to it.
    async fn look_up(&self, box_id: BoxId) -> Result<Found, ClientError> {
        let identifiers = self.client.pinned_to(box_id).await?;
        let mut changed = Vec::new();
        for identifier in &identifiers {
            let Ok(peer) = identifier.parse::<Peer>() else { continue };
            match self.client.lookup(&peer, false).await {
                Ok(found) if found.is_changed => changed.push(peer.to_string()),
                Ok(_) => {}
                // What is known of the box is shown all the same.
                Err(error) => tracing::debug!(%error, "an address could not be looked up"),
            }
        }
        let known = match self.client.verification(&Peer::Box(box_id)).await {
            Ok(Verification { contact, code }) => Some(known(contact, code.to_string())),
            // The box may be gone, and its address somebody else's: that is what must be said.
            Err(error) if changed.is_empty() => return Err(error),
            Err(_) => None,
        };
        let standing = self.client.standing(box_id).await?;
        Ok(Found::Person(Box::new(Person { box_id, identifiers, standing, changed, known })))
    }
}

/// What somebody's person read out, or a camera read.
fn shown(said: &str) -> Result<Shown, ClientError> {
    match said.chars().any(char::is_alphabetic) {
        true => Ok(Shown::Code(Box::new(said.parse()?))),
        false => Ok(Shown::Digits(said.to_owned())),
    }
}

fn known(contact: Contact, code: String) -> Known {
    let devices = contact.devices.iter().map(|device| {
        let state = match (device.is_removed, device.sealing_expires) {
            (true, _) => "removed".to_owned(),
            (false, Some(expires)) => format!("sealing key until {}", minute(expires)),
            (false, None) => "no sealing key".to_owned(),
        };
        format!("{}, {state}", device.device_id)
    });
    Known {
        devices: devices.collect(),
        safety_number: contact.safety_number.to_string(),
        code,
        claimed_name: contact.profile.and_then(|profile| profile.name),
        verified: contact.verified,
    }
}

/// A device by its whole id.
fn device_ref(id: &str) -> DeviceRef {
    id.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}
