//! Two change a group at once.

use std::collections::BTreeSet;

use rossby_client::{Addressee, Client, ClientError, Content, GroupId, Peer, Sent};

use crate::councils::Outcome;
use crate::groups::{Answer, Change, GroupNo};
use crate::model::{DeviceNo, Model, PersonNo, Place, SaidNo, Stand, Until, What};
use crate::proxy::Trouble;
use crate::town::Town;

/// How often that happens at most: the clock can't be put forward for ever.
const MOST: usize = 12;
/// For longer than somebody who was told of a group is told no more of it.
const AFTER: std::time::Duration = std::time::Duration::from_secs(120);

impl Town {
    /// Two who know the same of a group change it, and neither knows of the other's change. Then all fetch: they must come to the same,
    /// and those who were added learn what they lack once somebody writes.
    pub(crate) async fn council(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let (group, state) = self.some_group(device).await?;
        let members = state.members();
        let blocks = &self.model.blocks;
        let is_split = blocks.iter().any(|(by, person)| members.contains(by) && members.contains(person));
        let devices = self.devices_of_all(&members)?;
        let may_change = devices.iter().filter(|device| self.may_change(**device, group)).count();
        if is_split || may_change < 2 || self.councils >= MOST {
            return None;
        }
        self.settle().await;
        for device in &devices {
            self.fetches_all(*device).await;
        }
        let admins: Vec<DeviceNo> = devices.into_iter().filter(|device| self.may_change(*device, group)).collect();
        let one = self.dice.one_of(&admins)?;
        // Two devices of one person can do so, too.
        let is_alone = self.dice.percent(20);
        let is_other = |other: &DeviceNo| {
            *other != one && (is_alone || self.model.devices[*other].person != self.model.devices[one].person)
        };
        let others: Vec<DeviceNo> = admins.into_iter().filter(is_other).collect();
        let other = self.dice.one_of(&others)?;
        let (first, second) = (self.some_change(one, group).await?, self.some_change(other, group).await?);
        let person = |device: DeviceNo| self.model.devices[device].person;
        if Model::leaves_somebody_alone((&first, person(one)), (&second, person(other))) {
            return None;
        }
        self.councils += 1;
        self.note(format!("two change group {group} at once"));
        let begin = self.model.said.len();
        for (device, change) in [(one, first), (other, second)] {
            let act = change.clone();
            let peers = self.peers_of(&act);
            self.changes(device, group, change, async |client, id| make(client, id, &act, &peers).await).await;
        }
        self.settle().await;
        let is_made = |number: &SaidNo| self.model.change(*number).is_some();
        let made: BTreeSet<SaidNo> = (begin..self.model.said.len()).filter(is_made).collect();
        if made.len() == 2 {
            self.come_to_agree(group, &members, made).await;
        }
        Some(())
    }

    /// All devices of these people, if all have a connection.
    fn devices_of_all(&self, people: &[PersonNo]) -> Option<Vec<DeviceNo>> {
        let devices: Vec<DeviceNo> = people.iter().flat_map(|person| self.model.devices_of(*person)).collect();
        let is_online = devices.iter().all(|device| !self.model.devices[*device].is_offline);
        is_online.then_some(devices)
    }

    fn takes_part(&self, device: DeviceNo, group: GroupNo) -> bool {
        self.model.answer(device, group, Until::Synced) == Some(Answer::Joined)
    }

    fn may_change(&self, device: DeviceNo, group: GroupNo) -> bool {
        let own = self.model.devices[device].person;
        let state = self.model.group(device, group, Until::Synced);
        state.is_some_and(|state| state.is_admin(own)) && self.takes_part(device, group)
    }

    /// Something that a device can do with a group. Whoever is added takes part without being asked, so that they learn all.
    async fn some_change(&mut self, device: DeviceNo, group: GroupNo) -> Option<Change> {
        let own = self.model.devices[device].person;
        let state = self.model.group(device, group, Until::Synced)?;
        Some(match self.dice.below(7) {
            0..3 => {
                let members = self.some_who_get_on(&state.members(), 1);
                for member in self.devices_of_all(&members)? {
                    self.fetches_all(member).await;
                    if self.model.stand(member, own) != Stand::Accepted {
                        return None;
                    }
                }
                Change::Add { members: (!members.is_empty()).then_some(members)?, is_admin: self.dice.percent(25) }
            }
            3 => {
                let others: Vec<PersonNo> = state.members().into_iter().filter(|member| *member != own).collect();
                Change::Remove { member: self.dice.one_of(&others)? }
            }
            4 => {
                let member = self.dice.one_of(&state.members())?;
                Change::SetAdmin { member, is_admin: !state.is_admin(member) }
            }
            5 => Change::Rename { name: format!("{} {}", self.new_name(), device) },
            _ => Change::Leave,
        })
    }

    fn peers_of(&self, change: &Change) -> Vec<Peer> {
        let people = match change {
            Change::Remove { member } | Change::SetAdmin { member, .. } => std::slice::from_ref(member),
            change => change.adds(),
        };
        people.iter().map(|person| Peer::Box(self.boxes[*person])).collect()
    }

    /// All fetch what two have made of a group at once, and what it has come to is looked at with the device of one who is in it still.
    async fn come_to_agree(&mut self, group: GroupNo, before: &[PersonNo], made: BTreeSet<SaidNo>) {
        let added: Vec<PersonNo> =
            made.iter().flat_map(|number| self.model.change(*number).unwrap().2.adds().to_vec()).collect();
        let all: Vec<PersonNo> = before.iter().chain(&added).copied().collect();
        let devices = self.devices_of_all(&all).expect("devices that have a connection");
        self.come_to_rest(&devices).await;
        let was_in = |device: &DeviceNo| before.contains(&self.model.devices[*device].person);
        let looks = devices.iter().copied().find(|device| was_in(device) && self.takes_part(*device, group));
        let looks = looks.expect("a device of somebody who was in it");
        let outcome = self.outcome(looks, group, &devices).await;
        let counting = self.counting(looks, group, &made).await;
        self.model.resolve(looks, group, (&made, &counting), &outcome);
        // Who was added by one of the two lacks what the other did, until somebody speaks of it.
        let speaker = devices.iter().copied().find(|device| {
            let person = self.model.devices[*device].person;
            before.contains(&person)
                && self.takes_part(*device, group)
                && outcome.members.iter().any(|(member, _)| *member == person)
        });
        for device in &devices {
            self.model.joins_by_itself(*device);
            self.learns_affirmations(*device).await;
            self.model.hand_over(*device);
        }
        if let (Some(speaker), false) = (speaker, added.is_empty()) {
            self.clock.pass(AFTER);
            let text = self.new_text();
            let (addressee, content) = (Addressee::Group(self.groups[group].into()), Content::Text(text.clone()));
            self.note(format!("{} writes {text:?} to group {group}", self.name(speaker)));
            self.model.devices[speaker].synced = self.model.tick();
            let sent =
                self.at(speaker, &Trouble::Calm, async |client| client.send_to(&addressee, &content).await).await;
            let Sent { message_id, .. } = self.must_be_done(speaker, sent);
            let said = self.model.say(speaker, Place::Group(group), What::Text(text));
            self.ids.insert(said, message_id);
            self.model.hand_over(speaker);
            self.come_to_rest(&devices).await;
            let known = self.model.changes(speaker, group, Until::Now);
            for device in &devices {
                let device = &mut self.model.devices[*device];
                if added.contains(&device.person) {
                    device.told.extend(&known);
                }
            }
        }
        for device in devices {
            self.fetches_all(device).await;
        }
    }

    /// What a group has come to, as a device shows it, and as those show it who are in it no more.
    async fn outcome(&self, looks: DeviceNo, group: GroupNo, devices: &[DeviceNo]) -> Outcome {
        let shown = async |device: DeviceNo| {
            let groups = self.client(device).groups().await.unwrap();
            groups.into_iter().find(|shown| shown.id == self.groups[group])
        };
        let seen = shown(looks).await.expect("a group that is shown");
        let members = seen.members.iter().map(|member| (self.person(member.box_id), member.is_admin)).collect();
        let mut former = BTreeSet::new();
        for device in devices {
            let membership = shown(*device).await.map(|shown| shown.membership.name());
            if let Some(how @ ("left" | "removed")) = membership {
                former.insert((self.model.devices[*device].person, how == "left"));
            }
        }
        Outcome { name: seen.name, members, former }
    }

    /// Those of these changes that count, as a device shows them, the one with the lower hash first.
    async fn counting(&self, looks: DeviceNo, group: GroupNo, made: &BTreeSet<SaidNo>) -> Vec<SaidNo> {
        let conversation = self.conversation(looks, Place::Group(group));
        let shown = self.client(looks).transcript(conversation, u32::MAX, None).await.unwrap();
        let events: Vec<_> = shown.into_iter().flat_map(|message| message.group_events).collect();
        let known = self.changes.iter().filter(|(_, number)| made.contains(*number));
        let counts = |hash| {
            let event = events.iter().find(|event| event.change == hash);
            event.expect("a change that is not shown").counts
        };
        known.filter(|(hash, _)| counts(**hash)).map(|(_, number)| *number).collect()
    }
}

async fn make(client: &Client, id: GroupId, change: &Change, peers: &[Peer]) -> Result<(GroupId, Sent), ClientError> {
    let group = id.into();
    match change {
        Change::Add { is_admin, .. } => client.add_to_group(&group, peers, *is_admin).await,
        Change::Remove { .. } => client.remove_from_group(&group, &peers[0]).await,
        Change::SetAdmin { is_admin, .. } => client.set_group_admin(&group, &peers[0], *is_admin).await,
        Change::Rename { name } => client.rename_group(&group, name).await,
        Change::Leave => client.leave_group(&group).await,
        Change::Found { .. } | Change::Affirm => unreachable!("no such change is thrown"),
    }
}
