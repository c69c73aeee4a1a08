//! How people stand to each other: requests that are taken or declined, blocks; and what was read.

use rossby_client::{Message, Peer, Setting};

use crate::known::Known;
use crate::model::{DeviceNo, PersonNo, Place, SaidNo, Stand, Until, What};
use crate::proxy::Trouble;
use crate::town::Town;

impl Town {
    /// A stranger who has written to somebody.
    fn some_stranger(&mut self, device: DeviceNo) -> Option<PersonNo> {
        let own = self.model.devices[device].person;
        let known = Known::by(&self.model, device, Until::Synced);
        let is_stranger = |person: &PersonNo| {
            *person != own && known.stand(*person) == Stand::Stranger && known.last_of(*person).is_some()
        };
        let strangers: Vec<PersonNo> = (0..self.model.people.len()).filter(is_stranger).collect();
        self.dice.one_of(&strangers)
    }

    pub(crate) async fn accept(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let peer = self.some_stranger(device)?;
        self.note(format!("{} accepts {}", self.name(device), self.model.people[peer]));
        let address = Peer::Box(self.boxes[peer]);
        let accepted = self.at(device, &Trouble::Cut, async |client| client.accept_peer(&address).await).await;
        self.must_be_done(device, accepted);
        self.stands(device, peer, Stand::Accepted);
        Some(())
    }

    pub(crate) async fn decline(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        self.some_stranger(device)?;
        // What is on its way would be declined or not.
        self.settle().await;
        self.fetches_all(device).await;
        let peer = self.some_stranger(device)?;
        self.note(format!("{} declines {}", self.name(device), self.model.people[peer]));
        let address = Peer::Box(self.boxes[peer]);
        let declined = self.at(device, &Trouble::Cut, async |client| client.decline_request(&address).await).await;
        self.must_be_done(device, declined);
        let until = self.model.tick();
        self.model.say(device, Place::Own, What::Declined { peer, until });
        Some(())
    }

    pub(crate) async fn block(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let own = self.model.devices[device].person;
        let is_free = |person: &PersonNo| {
            *person != own && !self.model.blocks.contains(&(own, *person)) && !self.model.share_a_group(own, *person)
        };
        let others: Vec<PersonNo> = (0..self.model.people.len()).filter(is_free).collect();
        let peer = self.dice.one_of(&others)?;
        // What is on its way would be taken or not.
        self.settle().await;
        if !self.has_handed_over(own).await {
            return None;
        }
        let trouble = self.small_trouble();
        self.note(format!("{} blocks {}; {trouble:?}", self.name(device), self.model.people[peer]));
        let setting = Setting::Block(self.boxes[peer]);
        let blocked = self.at(device, &trouble, async |client| client.change(setting).await).await;
        self.must_be_done(device, blocked);
        self.model.blocks.insert((own, peer));
        self.model.ever_blocked.insert((own, peer));
        if self.model.stand(device, peer) != Stand::Blocked {
            self.stands(device, peer, Stand::Blocked);
        }
        Some(())
    }

    /// Whether all that a person has said has gone out. All is there before somebody
    /// blocks, so that what comes of it is known, and nobody writes to those whom they block.
    async fn has_handed_over(&mut self, person: PersonNo) -> bool {
        let devices = self.model.devices_of(person);
        if devices.iter().any(|device| self.model.devices[*device].is_offline) {
            return false;
        }
        for device in devices {
            let handed = self.at(device, &Trouble::Calm, async |client| client.hand_over_what_waits().await).await;
            self.must_be_done(device, handed);
            self.model.hand_over(device);
        }
        true
    }

    pub(crate) async fn unblock(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let own = self.model.devices[device].person;
        let blocked: Vec<PersonNo> =
            self.model.blocks.iter().filter(|(by, _)| *by == own).map(|(_, peer)| *peer).collect();
        let peer = self.dice.one_of(&blocked)?;
        self.settle().await;
        let trouble = self.small_trouble();
        self.note(format!("{} unblocks {}; {trouble:?}", self.name(device), self.model.people[peer]));
        let setting = Setting::Unblock(self.boxes[peer]);
        let unblocked = self.at(device, &trouble, async |client| client.change(setting).await).await;
        self.must_be_done(device, unblocked);
        self.model.blocks.remove(&(own, peer));
        let known = Known::by(&self.model, device, Until::Synced);
        if known.stand(peer) == Stand::Blocked {
            let mut messages = known.messages(Place::between(own, peer)).into_iter();
            let has_written = messages.any(|message| self.model.author(message) == own);
            self.stands(device, peer, if has_written { Stand::Accepted } else { Stand::Stranger });
        }
        Some(())
    }

    /// A person reads some of what is new.
    pub(crate) async fn read(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        let known = Known::by(&self.model, device, Until::Synced);
        let is_new = |message: &SaidNo| known.is_new(*message);
        let places = self.model.people.len() + self.model.groups;
        let place = self.model.place(own, self.dice.below(places));
        let new: Vec<SaidNo> = known.messages(place).into_iter().filter(is_new).collect();
        let count = self.dice.below(new.len().max(1)) + 1;
        let new: Vec<SaidNo> = new.into_iter().take(count).collect();
        if new.is_empty() {
            return None;
        }
        self.note(format!("{} reads {new:?}", self.name(device)));
        let conversation = self.conversation(device, place);
        let shown = self.client(device).transcript(conversation, u32::MAX, None).await.unwrap();
        let is_meant = |message: &Message| new.iter().any(|said| self.ids[said] == message.message_id);
        let messages: Vec<Message> = shown.into_iter().filter(is_meant).collect();
        let read = self.at(device, &Trouble::Cut, async |client| client.mark_read(&messages).await).await;
        self.must_be_done(device, read);
        self.model.say(device, Place::Own, What::Read(new));
        Some(())
    }
}
