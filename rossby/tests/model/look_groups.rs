//! What a device really shows of groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rossby_client::{Conversation, Group, GroupAction, GroupEvent, GroupId, Message};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, MessageId};

use crate::groups::{Change, GroupNo};
use crate::known::ShownGroup;
use crate::model::{Copy, DeviceNo, PersonNo, Place, SaidNo, Until, What};
use crate::process::PATIENCE;
use crate::proxy::Trouble;
use crate::town::Town;

impl Town {
    pub(crate) fn group(&self, id: GroupId) -> GroupNo {
        self.groups.iter().position(|known| *known == id).expect("a group that nobody has founded")
    }

    fn member_name(&self, box_id: BoxId) -> String {
        self.model.people[self.person(box_id)].clone()
    }

    pub(crate) fn shown_group(&self, group: Group) -> ShownGroup {
        let members = group.members.iter().map(|member| (self.member_name(member.box_id), member.is_admin));
        ShownGroup {
            members: members.collect(),
            name: group.name,
            membership: group.membership.name(),
            changes: group.changes,
        }
    }

    /// What a message tells of what was done in its group; none for one that tells nothing of that.
    pub(crate) fn told_of_group(&self, message: &Message) -> Option<String> {
        let told: Vec<String> = message.group_events.iter().map(|event| self.told_event(event)).collect();
        (!told.is_empty()).then(|| told.join(", and "))
    }

    fn told_event(&self, event: &GroupEvent) -> String {
        let names: BTreeSet<String> = event.subjects.iter().map(|subject| self.member_name(subject.box_id)).collect();
        let is_admin = event.subjects.iter().any(|subject| subject.is_admin);
        let one = names.first().cloned().unwrap_or_default();
        let told = match &event.action {
            GroupAction::Found { name, .. } => format!("founds {name:?} with {names:?}"),
            GroupAction::Add { .. } => format!("adds {names:?}, as admins: {is_admin}"),
            GroupAction::Remove { .. } => format!("removes {one}"),
            GroupAction::Leave => "leaves".to_owned(),
            GroupAction::SetRole { .. } => format!("says of {one}, an admin: {is_admin}"),
            GroupAction::Rename { name } => format!("calls it {name:?}"),
            GroupAction::Affirm => "affirms".to_owned(),
        };
        if event.counts { told } else { format!("{told}, in vain") }
    }

    /// The change that a device has made last in a group: the id of its message, and its hash.
    pub(crate) async fn last_change(&self, device: DeviceNo, group: GroupNo) -> Option<(MessageId, Sha256Digest)> {
        self.own_changes(device, group).await.pop()
    }

    /// Whether a message that a device has written in a group is for somebody.
    pub(crate) async fn goes_to(&self, device: DeviceNo, group: GroupNo, message: MessageId, person: PersonNo) -> bool {
        let conversation = Conversation::Group(self.groups[group].0);
        let shown = self.client(device).transcript(conversation, u32::MAX, None).await.unwrap();
        let shown = shown.into_iter().find(|shown| shown.message_id == message).expect("a change that is not shown");
        shown.recipients.iter().any(|recipient| recipient.box_id == self.boxes[person])
    }

    async fn own_changes(&self, device: DeviceNo, group: GroupNo) -> Vec<(MessageId, Sha256Digest)> {
        let shown = self.own_change_messages(device, group).await;
        let of =
            |message: Message| message.group_events.into_iter().map(move |event| (message.message_id, event.change));
        shown.into_iter().flat_map(of).collect()
    }

    async fn own_change_messages(&self, device: DeviceNo, group: GroupNo) -> Vec<Message> {
        let conversation = Conversation::Group(self.groups[group].0);
        let mut shown = self.client(device).transcript(conversation, u32::MAX, None).await.unwrap();
        let own = self.boxes[self.model.devices[device].person];
        shown.retain(|message| message.author == own && !message.group_events.is_empty());
        shown
    }

    /// A device has fetched: where it is to, it has said that another one of its person's was removed. No other device says so at that
    /// moment, so what is new there is its own.
    pub(crate) async fn learns_affirmations(&mut self, device: DeviceNo) {
        for group in 0..self.model.groups {
            if self.model.changes(device, group, Until::Now).is_empty() {
                continue;
            }
            for message in self.own_change_messages(device, group).await {
                let hash = message.group_events[0].change;
                if self.changes.contains_key(&hash) {
                    continue;
                }
                let is_due = self.has_removed_a_device(self.model.devices[device].person);
                assert!(is_due, "{} has changed group {group} by itself", self.name(device));
                // To those who were members as was known there just then.
                let boxes = message.recipients.iter().map(|recipient| self.person(recipient.box_id)).collect();
                let said = self.model.say_to(device, Place::Group(group), What::Change(Change::Affirm), boxes);
                self.model.said[said].seen = self.model.changes(device, group, Until::Now);
                self.model.said[said].seen.remove(&said);
                self.ids.insert(said, message.message_id);
                self.changes.insert(hash, said);
            }
        }
        self.learns_affirmations_of_others(device).await;
    }

    /// Whoever is added while somebody affirms learns of that by asking, once a message names it, if that is answered.
    async fn learns_affirmations_of_others(&mut self, device: DeviceNo) {
        for shown in self.client(device).groups().await.unwrap() {
            let group = self.group(shown.id);
            let known = self.model.changes(device, group, Until::Now);
            let is_missing = |number: &SaidNo| {
                let change = self.model.change(*number);
                change.is_some_and(|(of, _, change)| of == group && *change == Change::Affirm)
                    && !known.contains(number)
            };
            let missing = (0..self.model.said.len()).filter(is_missing);
            let learned: Vec<SaidNo> = missing.take(shown.changes.saturating_sub(known.len())).collect();
            self.model.devices[device].told.extend(learned);
        }
    }

    /// A device that has yet to learn who is in a group, and still has something to say there, learns it first: so it is known what it
    /// says to whom.
    pub(crate) async fn learns_before_it_speaks(&mut self, device: DeviceNo) {
        let has_something_to_say = self.model.said.iter().any(|said| {
            let is_of_group = matches!(said.place, Place::Group(_)) || matches!(said.what, What::Brings(_));
            said.by == device && is_of_group && said.copies.values().any(|copy| *copy == Copy::Waiting)
        });
        let counts = |until| -> BTreeMap<GroupNo, usize> {
            (0..self.model.groups).map(|group| (group, self.model.changes(device, group, until).len())).collect()
        };
        let expected = counts(Until::Now);
        if !has_something_to_say || counts(Until::Synced) == expected {
            return;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let fetched = self.at(device, &Trouble::Mute, async |client| client.receive(Duration::ZERO).await).await;
            self.must_be_done(device, fetched);
            self.learns_affirmations(device).await;
            let groups = self.client(device).groups().await.unwrap();
            let is_behind = |group: &Group| {
                let number = self.group(group.id);
                group.changes < self.model.changes(device, number, Until::Now).len()
            };
            if !groups.iter().any(is_behind) {
                break;
            }
            assert!(Instant::now() < deadline, "{} does not learn of changes", self.name(device));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.model.joins_by_itself(device);
        self.model.takes_back(device, Until::Now);
        self.model.devices[device].is_vague = true;
    }

    pub(crate) fn was_removed(&self, person: PersonNo, group: GroupNo) -> bool {
        let removes = |change: &Change| matches!(change, Change::Remove { member } if *member == person);
        (0..self.model.said.len())
            .filter_map(|number| self.model.change(number))
            .any(|(of, _, change)| of == group && removes(change))
    }

    pub(crate) fn has_removed_a_device(&self, person: PersonNo) -> bool {
        self.model.devices.iter().any(|device| device.person == person && device.is_gone)
    }
}
