//! Receipts: which of them people send, and what the authors see by them in the end. On the way a receipt may come sooner or later; so
//! only at the end it is said what must be there. What must not be there must never be.

use std::collections::BTreeMap;

use rossby_client::{Conversation, ReceiptSettings};
use rossby_schemas::ids::MessageId;

use crate::model::{Copy, DeviceNo, Model, PersonNo, Place, SaidNo, Stand, Tick, Until, What};
use crate::town::Town;

/// Which receipts a person sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes {
    pub(crate) delivery: bool,
    pub(crate) read: bool,
    /// Whether the person has changed their mind: a device hears of it later than another.
    pub(crate) has_changed: bool,
}

/// What a receipt says of a message, and whether that is all that there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    is_delivered: bool,
    is_read: bool,
}

impl Model {
    /// When a person's devices have all heard that somebody is accepted, at the latest.
    fn accepted_since(&self, person: PersonNo, peer: PersonNo) -> Option<Tick> {
        let accepts = What::Stands { peer, stand: Stand::Accepted };
        let said = self.said.iter().filter(|said| self.devices[said.by].person == person && said.what == accepts);
        said.filter_map(|said| match said.copies.get(&person) {
            Some(Copy::Taken(at)) => Some(*at),
            _ => None,
        })
        .min()
    }

    /// Whether a device's person has read a message on that device.
    fn was_read_on(&self, device: DeviceNo, message: SaidNo) -> bool {
        self.said
            .iter()
            .any(|said| said.by == device && matches!(&said.what, What::Read(messages) if messages.contains(&message)))
    }

    /// What a message's author may see at most of what somebody says who got it, and what they must see.
    fn receipts(&self, message: SaidNo, by: PersonNo) -> (Shown, Option<Shown>) {
        let Wishes { delivery, read, has_changed } = self.wishes[by];
        let Some(Copy::Taken(came)) = self.said[message].copies.get(&by) else {
            let nothing = Shown { is_delivered: false, is_read: false };
            return (nothing, Some(nothing));
        };
        let of_person = |device: &DeviceNo| self.devices[*device].person == by;
        let was_read = (0..self.devices.len()).filter(of_person).any(|device| self.was_read_on(device, message));
        let may_read = was_read && (read || has_changed);
        let most = Shown { is_delivered: delivery || has_changed || may_read, is_read: may_read };
        let author = self.author(message);
        let is_clear = !has_changed
            && !self.was_blocked(by, author)
            && !self.was_blocked(author, by)
            && self.accepted_since(by, author).is_some_and(|since| since < *came);
        let mut live = self.devices_of(by);
        live.retain(|device| self.has(*device, message, Until::Now));
        if !is_clear || live.is_empty() {
            return (most, None);
        }
        // One that was removed may have said it.
        let must_read = read && live.iter().any(|device| self.was_read_on(*device, message));
        (most, Some(Shown { is_delivered: delivery || must_read, is_read: must_read }))
    }
}

impl Town {
    /// Which receipts somebody sends who comes now.
    pub(crate) fn some_wishes(&mut self) -> Wishes {
        let (delivery, read) = match self.dice.below(10) {
            0..6 => (true, true),
            6..8 => (true, false),
            8 => (false, true),
            _ => (false, false),
        };
        Wishes { delivery, read, has_changed: false }
    }

    /// A person changes which receipts they send.
    pub(crate) async fn change_receipts(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let wishes = Wishes { has_changed: true, ..self.some_wishes() };
        self.note(format!("{} changes receipts to {wishes:?}", self.name(device)));
        self.client(device).set_receipts(wishes.settings()).await.unwrap();
        self.model.wishes[self.model.devices[device].person] = wishes;
        Some(())
    }

    /// Fails if an author sees other receipts than they must.
    pub(crate) async fn receipts_are_right(&self, live: &[DeviceNo]) {
        let said: BTreeMap<MessageId, SaidNo> = self.ids.iter().map(|(said, id)| (*id, *said)).collect();
        for device in live {
            let own = self.model.devices[*device].person;
            for peer in (0..self.boxes.len()).filter(|peer| *peer != own) {
                let direct = Conversation::Direct(self.boxes[peer]);
                for message in self.client(*device).transcript(direct, u32::MAX, None).await.unwrap() {
                    let number = said[&message.message_id];
                    if self.model.author(number) != own || self.model.said[number].place != Place::between(own, peer) {
                        continue;
                    }
                    let [recipient] = &message.recipients[..] else { panic!("{:?}", message.recipients) };
                    let (is_delivered, is_read) = (recipient.delivered_at.is_some(), recipient.read_at.is_some());
                    let found = Shown { is_delivered, is_read };
                    let (most, must) = self.model.receipts(number, peer);
                    let is_right = (most.is_delivered || !is_delivered)
                        && (most.is_read || !is_read)
                        && must.is_none_or(|must| (is_delivered || !must.is_delivered) && (is_read || !must.is_read));
                    let (name, peer) = (self.name(*device), &self.model.people[peer]);
                    let wishes = self.model.wishes[self.person(recipient.box_id)];
                    assert!(
                        is_right,
                        "{name} shows of {number} to {peer} {found:?}; at most {most:?}, at least {must:?}; {wishes:?}"
                    );
                }
            }
        }
    }
}

impl Wishes {
    pub(crate) const fn settings(self) -> ReceiptSettings {
        ReceiptSettings { delivery: self.delivery, read: self.read, typing: true }
    }
}
