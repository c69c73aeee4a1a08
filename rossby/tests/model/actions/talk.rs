//! People write to each other.

use rossby_client::{Addressee, Content, Peer, Sent};

use crate::known::Known;
use crate::model::{DeviceNo, PersonNo, Place, SaidNo, Until, What};
use crate::proxy::Trouble;
use crate::town::{Did, Town, is_nobody, is_unreachable};

const EMOJIS: [&str; 4] = ["👍", "🎉", "❤️", "🐟"];
/// Only what was said last is answered, changed and taken back: the rest is old.
const LAST: usize = 12;

impl Town {
    /// A text that nobody has written before.
    pub(super) fn new_text(&mut self) -> String {
        let word = ["rain", "soup", "a boat", "the key", "Tuesday"][self.dice.below(5)];
        format!("{word} {}", self.model.said.len())
    }

    pub(crate) async fn text(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        let others: Vec<PersonNo> = (0..self.model.people.len()).filter(|person| *person != own).collect();
        let peer = self.dice.one_of(&others)?;
        self.write(device, Place::between(own, peer), None).await
    }

    pub(crate) async fn text_group(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let groups: Vec<usize> = (0..self.model.groups).filter(|group| self.may_speak(device, *group)).collect();
        let group = self.dice.one_of(&groups)?;
        self.write(device, Place::Group(group), None).await
    }

    /// To oneself, for one's other devices.
    pub(crate) async fn write_note(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        self.write(device, Place::between(own, own), None).await
    }

    pub(crate) async fn reply(&mut self) -> Option<()> {
        let (device, message) = self.some_message(false).await?;
        self.write(device, self.model.said[message].place, Some(message)).await
    }

    /// A message that a device shows, and that wasn't taken back as far as it knows.
    async fn some_message(&mut self, is_own: bool) -> Option<(DeviceNo, SaidNo)> {
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        let known = Known::by(&self.model, device, Until::Synced);
        let places = self.model.people.len() + self.model.groups;
        let place = self.model.place(own, self.dice.below(places));
        let messages = known.messages(place).into_iter().rev();
        let messages = messages.filter(|message| known.is_written(*message) && !known.is_deleted(*message));
        let messages: Vec<SaidNo> =
            messages.filter(|message| !is_own || self.model.author(*message) == own).take(LAST).collect();
        Some((device, self.dice.one_of(&messages)?))
    }

    /// Whether a device can say something there now.
    fn may_say(&self, device: DeviceNo, place: Place) -> bool {
        let own = self.model.devices[device].person;
        match (place, place.peer_of(own)) {
            (Place::Group(group), _) => self.may_speak(device, group),
            // One that knows of no other device of its person has nobody to write to.
            (_, Some(peer)) if peer == own => {
                self.model.devices_of(own).len() > 1 && !self.model.devices[device].is_offline
            }
            (_, peer) => peer.is_none_or(|peer| !self.model.blocks.contains(&(own, peer))),
        }
    }

    /// The same of something that is there.
    fn may_say_of(&self, device: DeviceNo, place: Place) -> bool {
        let own = self.model.devices[device].person;
        place.peer_of(own) == Some(own) || self.may_say(device, place)
    }

    async fn write(&mut self, device: DeviceNo, place: Place, to: Option<SaidNo>) -> Option<()> {
        if !self.may_say(device, place) {
            return None;
        }
        let own = self.model.devices[device].person;
        let (text, trouble) = (self.new_text(), self.trouble(device));
        let peer = place.peer_of(own);
        let addressee = match (place, peer) {
            (Place::Group(group), _) => Addressee::Group(self.groups[group].into()),
            (_, peer) => Addressee::Peer(self.peer(peer.unwrap_or(own))),
        };
        let name = peer.map_or_else(|| format!("{place:?}"), |peer| self.model.people[peer].clone());
        self.note(format!("{} writes {text:?} to {name}, answering {to:?}; {trouble:?}", self.name(device)));
        let to_name = to.map(|to| self.name_of(to));
        let sent = self
            .at(device, &trouble, async |client| match &to_name {
                None => client.send_to(&addressee, &Content::Text(text.clone())).await,
                Some(to) => client.reply_to(&addressee, to, &text).await,
            })
            .await;
        let is_address = matches!(addressee, Addressee::Peer(Peer::Identifier(_)));
        let knows = peer.is_none_or(|peer| self.model.devices[device].knows.contains(&(peer, is_address)));
        let blocks_own = peer.is_some_and(|peer| self.model.blocks.contains(&(peer, own)));
        let message_id = match sent {
            Did::Done(Sent { message_id, .. }) => Some(message_id),
            Did::Failed(error) if is_nobody(&error) && blocks_own => None,
            Did::Failed(error) if trouble == Trouble::Cut && !knows && is_unreachable(&error) => None,
            Did::Failed(error) => self.failed(device, "write", &error),
            Did::Died => {
                // It may have written it, or not.
                let conversation = self.conversation(device, place);
                let last = self.client(device).transcript(conversation, u32::MAX, None).await.unwrap();
                last.into_iter().find(|message| message.text.as_ref() == Some(&text)).map(|message| message.message_id)
            }
        };
        if let Some(message_id) = message_id {
            self.takes_part_by_writing(device, place);
            let what = match to {
                None => What::Text(text),
                Some(to) => What::Reply { to, text },
            };
            let said = self.model.say(device, place, what);
            self.ids.insert(said, message_id);
            if let Some(peer) = peer.filter(|_| trouble != Trouble::Cut) {
                self.model.devices[device].knows.extend([(peer, false), (peer, is_address)]);
            }
            self.went(device, &trouble);
        } else if matches!(trouble, Trouble::Deaf | Trouble::Dies { .. }) {
            self.went(device, &trouble);
        }
        Some(())
    }

    /// Whoever writes to somebody accepts them by it, and whoever writes to a group takes part.
    fn takes_part_by_writing(&mut self, device: DeviceNo, place: Place) {
        let own = self.model.devices[device].person;
        match (place, place.peer_of(own)) {
            (Place::Group(group), _) => self.joins_by_writing(device, group),
            (_, Some(peer)) => self.accepts_by_writing(device, peer),
            _ => {}
        }
    }

    pub(crate) async fn edit(&mut self) -> Option<()> {
        let (device, message) = self.some_message(true).await?;
        if self.model.files.contains_key(&message) {
            return None;
        }
        let text = self.new_text();
        let name = self.name_of(message);
        let edit = What::Edit { of: message, text: text.clone() };
        self.say_of(device, message, edit, async |client| client.edit(&name, &text).await).await
    }

    pub(crate) async fn delete(&mut self) -> Option<()> {
        let (device, message) = self.some_message(true).await?;
        let name = self.name_of(message);
        let deletion = What::Deletion { of: message };
        self.say_of(device, message, deletion, async |client| client.delete(&name).await).await
    }

    pub(crate) async fn react(&mut self) -> Option<()> {
        let (device, message) = self.some_message(false).await?;
        let (own, emoji) = (self.model.devices[device].person, self.dice.one_of(&EMOJIS)?);
        let removed = Known::by(&self.model, device, Until::Synced).has_put(own, emoji, message);
        let name = self.name_of(message);
        let reaction = What::Reaction { to: message, emoji, removed };
        self.say_of(device, message, reaction, async |client| client.react(&name, emoji, removed).await).await
    }

    async fn say_of(
        &mut self,
        device: DeviceNo,
        message: SaidNo,
        what: What,
        act: impl AsyncFnOnce(&rossby_client::Client) -> Result<Sent, rossby_client::ClientError>,
    ) -> Option<()> {
        let place = self.model.said[message].place;
        if !self.may_say_of(device, place) {
            return None;
        }
        let trouble = match self.trouble(device) {
            // Whether it was said could not be seen afterwards.
            Trouble::Dies { .. } => Trouble::Calm,
            trouble => trouble,
        };
        self.note(format!("{} says {what:?}; {trouble:?}", self.name(device)));
        let said = self.at(device, &trouble, act).await;
        self.must_be_done(device, said);
        self.takes_part_by_writing(device, place);
        self.model.say(device, place, what);
        self.went(device, &trouble);
        Some(())
    }
}
