//! What a device really shows, told in the model's words, and how the two are compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rossby_client::{Client, Content, Conversation, GroupId, Message, MessageState, Referred, Standing};

use crate::known::{Answered, Fate, Known, Line, View};
use crate::model::{DeviceNo, Place, Stand, Until};
use crate::process::PATIENCE;
use crate::town::Town;

/// All lines of a conversation; and as many as are looked at mostly, since only what was said last is changed.
const ALL: usize = 1_000_000;
const LAST: usize = 30;

impl Town {
    /// What a device shows: so many lines of each conversation.
    async fn look(&self, device: DeviceNo, lines: usize) -> View {
        let (client, own) = (self.client(device), self.model.devices[device].person);
        let mut view = View::default();
        for overview in client.conversations().await.unwrap() {
            let place = match overview.conversation {
                Conversation::Direct(peer) => Place::between(own, self.person(peer)),
                Conversation::Group(group) => Place::Group(self.group(GroupId(group))),
            };
            let limit = u32::try_from(lines).unwrap();
            let messages = client.transcript(overview.conversation, limit, None).await.unwrap();
            let shown = messages.iter().map(|message| self.line(message)).collect();
            assert!(view.places.insert(place, shown).is_none());
            view.unread.insert(place, usize::try_from(overview.unread).unwrap());
        }
        for group in client.groups().await.unwrap() {
            let number = self.group(group.id);
            assert!(view.groups.insert(number, self.shown_group(group)).is_none());
        }
        for other in (0..self.boxes.len()).filter(|other| *other != own) {
            let stand = match client.standing(self.boxes[other]).await.unwrap() {
                Standing::Stranger => Stand::Stranger,
                Standing::Accepted => Stand::Accepted,
                Standing::Blocked => Stand::Blocked,
            };
            view.stands.insert(other, stand);
        }
        view
    }

    fn line(&self, message: &Message) -> Line {
        let name = |box_id| self.model.people[self.person(box_id)].clone();
        let emojis = message.reactions.iter().map(|emoji| {
            let authors = emoji.authors.iter().map(|author| name(*author)).collect();
            (emoji.emoji.clone(), authors)
        });
        let answers = match &message.content {
            Some(Content::Reply(_)) => message.refers_to.as_ref().map(answered),
            _ => None,
        };
        Line {
            author: name(message.author),
            text: message.text.clone().or_else(|| self.told_of_group(message)),
            is_edited: message.edited_at.is_some(),
            answers,
            emojis: emojis.collect::<BTreeMap<_, _>>(),
            is_request: message.is_request,
            fate: match message.state {
                MessageState::Pending => Fate::Pending,
                MessageState::Sent => Fate::Sent,
                MessageState::Failed => Fate::Failed,
                MessageState::New => Fate::New,
                MessageState::Read => Fate::Read,
            },
        }
    }

    /// A device's name, for whoever reads the log.
    pub(crate) fn name(&self, device: DeviceNo) -> String {
        let device = &self.model.devices[device];
        format!("{}'s {}", self.model.people[device.person], device.name)
    }

    /// What a device shows that it must not, and what it does not that it must; none if it is as it must be.
    pub(crate) async fn difference(&self, device: DeviceNo) -> Option<String> {
        self.difference_of(device, ALL).await
    }

    /// The same for what was said last.
    pub(crate) async fn difference_of_last(&self, device: DeviceNo) -> Option<String> {
        self.difference_of(device, LAST).await
    }

    /// The same for so many lines of each conversation.
    async fn difference_of(&self, device: DeviceNo, lines: usize) -> Option<String> {
        let mut expected = Known::by(&self.model, device, Until::Now).view();
        expected.cut(lines);
        let found = self.look(device, lines).await;
        if expected == found {
            return None;
        }
        let mut text = format!("{} is not as the model says\n", self.name(device));
        for (person, stand) in &expected.stands {
            if found.stands.get(person) != Some(stand) {
                let name = &self.model.people[*person];
                let _ = writeln!(text, "{name}: expected {stand:?}, found {:?}", found.stands.get(person));
            }
        }
        if expected.unread != found.unread {
            let _ = writeln!(text, "unread: expected {:?}, found {:?}", expected.unread, found.unread);
        }
        for group in 0..self.model.groups {
            let (expected, found) = (expected.groups.get(&group), found.groups.get(&group));
            if expected != found {
                let _ = writeln!(text, "group {group}:\n  expected {expected:?}\n  found    {found:?}");
            }
        }
        let places = expected.places.keys().chain(found.places.keys());
        for place in places.collect::<std::collections::BTreeSet<_>>() {
            let empty = Vec::new();
            let lines = |view: &View| view.places.get(place).unwrap_or(&empty).clone();
            let (expected, found) = (lines(&expected), lines(&found));
            if expected == found {
                continue;
            }
            let same = expected.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
            let _ = writeln!(text, "{place:?}: the first {same} messages are as they must be; then");
            for line in expected.iter().skip(same).take(5) {
                let _ = writeln!(text, "  expected {line:?}");
            }
            for line in found.iter().skip(same).take(5) {
                let _ = writeln!(text, "  found    {line:?}");
            }
        }
        for notice in self.client(device).warnings().await.unwrap() {
            let _ = writeln!(text, "it was told: {notice}");
        }
        Some(text)
    }

    /// Fetches until a device is as it must be: what was sent is seen a moment later.
    pub(crate) async fn fetches_all(&mut self, device: DeviceNo) {
        self.learns_before_it_speaks(device).await;
        let deadline = Instant::now() + PATIENCE;
        let lines = if self.dice.percent(10) { ALL } else { LAST };
        loop {
            if let Err(error) = self.client(device).receive(Duration::ZERO).await {
                panic!("{} can't fetch: {error}", self.name(device));
            }
            // What waited there has gone out, too.
            self.learns_affirmations(device).await;
            self.model.joins_by_itself(device);
            self.model.hand_over(device);
            let Some(difference) = self.difference_of(device, lines).await else { break };
            assert!(Instant::now() < deadline, "{difference}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let now = self.model.tick();
        let device = &mut self.model.devices[device];
        (device.synced, device.is_vague) = (now, false);
    }

    /// Whether nothing waits for a device.
    pub(crate) async fn is_served(&self, client: &Client) -> bool {
        client.settings().await.unwrap().waiting == 0
    }
}

fn answered(message: &Referred) -> Answered {
    match (&message.text, message.kind) {
        _ if message.is_deleted => Answered::Deleted,
        (Some(text), Some(_)) => Answered::Text(text.clone()),
        _ => Answered::NotHere,
    }
}
