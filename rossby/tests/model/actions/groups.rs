//! People found groups, and change who is in them.

use rossby_client::{Client, ClientError, GroupId, Peer, Sent};

use crate::groups::{Answer, Change, GroupNo, State};
use crate::model::{DeviceNo, PersonNo, Place, SaidNo, Until, What};
use crate::proxy::Trouble;
use crate::town::{Did, Town, is_unreachable};

/// How many groups there are at most.
const MOST: usize = 6;
/// With how many others a group is founded at most.
const MOST_AT_FIRST: usize = 3;

impl Town {
    /// A name that no group had before.
    pub(super) fn new_name(&mut self) -> String {
        let word = ["boats", "soup", "the choir", "Tuesdays"][self.dice.below(4)];
        format!("{word} {}", self.model.said.len())
    }

    /// People who can be in a group with all of these: nobody has ever blocked another.
    fn who_gets_on(&self, with: &[PersonNo]) -> Vec<PersonNo> {
        let blocks = &self.model.ever_blocked;
        let gets_on = |person: &PersonNo| {
            with.iter().all(|other| {
                *other != *person && !blocks.contains(&(*person, *other)) && !blocks.contains(&(*other, *person))
            })
        };
        (0..self.model.people.len()).filter(gets_on).collect()
    }

    /// Some of those who can be in a group with all of these, in the order of their boxes.
    pub(super) fn some_who_get_on(&mut self, with: &[PersonNo], most: usize) -> Vec<PersonNo> {
        let (mut all, mut chosen) = (with.to_vec(), Vec::new());
        for _ in 0..=self.dice.below(most) {
            let people = self.who_gets_on(&all);
            let Some(person) = self.dice.one_of(&people) else { break };
            all.push(person);
            chosen.push(person);
        }
        chosen.sort_by_key(|person| self.boxes[*person]);
        chosen
    }

    /// A group as a device shows it in whose changes its person has a say, or of which they are a member at least.
    pub(super) async fn some_group(&mut self, device: DeviceNo) -> Option<(GroupNo, State)> {
        let own = self.model.devices[device].person;
        let joined = (0..self.model.groups).filter(|group| {
            let state = self.model.group(device, *group, Until::Synced);
            state.is_some_and(|state| state.is_member(own))
                && self.model.answer(device, *group, Until::Synced) == Some(Answer::Joined)
        });
        let group = self.dice.one_of(&joined.collect::<Vec<_>>())?;
        Some((group, self.model.group(device, group, Until::Synced)?))
    }

    /// A group that a device's person can change now: all that was done with it is known there.
    async fn some_group_to_change(&mut self, device: DeviceNo) -> Option<(GroupNo, State)> {
        let own = self.model.devices[device].person;
        let (group, state) = self.some_group(device).await?;
        (state.is_admin(own) && self.model.knows_all(device, group)).then_some((group, state))
    }

    pub(crate) async fn found_group(&mut self) -> Option<()> {
        if self.model.groups >= MOST {
            return None;
        }
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        let members = self.some_who_get_on(&[own], MOST_AT_FIRST);
        if members.is_empty() {
            return None;
        }
        let (name, trouble) = (self.new_name(), self.trouble(device));
        let peers: Vec<Peer> = members.iter().map(|person| self.peer(*person)).collect();
        let change = Change::Found { name: name.clone(), members: members.clone() };
        let group = self.model.groups;
        self.note(format!("{} founds group {group}: {change:?}; {trouble:?}", self.name(device)));
        let made = self.at(device, &trouble, async |client| client.create_group(&name, &peers).await).await;
        let id = match made {
            Did::Done((id, _)) => Some(id),
            Did::Failed(error) if trouble == Trouble::Cut && is_unreachable(&error) => None,
            Did::Failed(error) => self.failed(device, "found a group", &error),
            // It may have founded it, or not.
            Did::Died => {
                let known = self.client(device).groups().await.unwrap();
                known.into_iter().map(|group| group.id).find(|id| !self.groups.contains(id))
            }
        };
        if let Some(id) = id {
            self.groups.push(id);
            self.model.groups += 1;
            let boxes = members.into_iter().chain([own]).collect();
            let said = self.model.say_to(device, Place::Group(group), What::Change(change), boxes);
            self.has_changed(device, group, said).await;
        }
        self.went(device, &trouble);
        Some(())
    }

    /// A device has changed a group: the change's message has an id, and nothing more goes to who is no member any more.
    async fn has_changed(&mut self, device: DeviceNo, group: GroupNo, said: SaidNo) {
        let (last, hash) = self.last_change(device, group).await.expect("a change that is not shown");
        self.ids.insert(said, last);
        self.changes.insert(hash, said);
        self.model.takes_back(device, Until::Synced);
        // Whether an attempt to tell them anything may have come through only the device knows: then it tells them of their removal.
        if let Some(person) = self.model.removed_by(said)
            && !self.goes_to(device, group, last, person).await
        {
            self.model.leaves_in_the_dark(device, group, said, person);
        }
    }

    pub(crate) async fn add_to_group(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let (group, state) = self.some_group_to_change(device).await?;
        let members = self.some_who_get_on(&state.members(), 2);
        if members.is_empty() {
            return None;
        }
        let is_admin = self.dice.percent(50);
        let peers: Vec<Peer> = members.iter().map(|person| self.peer(*person)).collect();
        let change = Change::Add { members, is_admin };
        self.changes(device, group, change, async |client, id| client.add_to_group(&id.into(), &peers, is_admin).await)
            .await
    }

    pub(crate) async fn remove_from_group(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let own = self.model.devices[device].person;
        let (group, state) = self.some_group_to_change(device).await?;
        let others: Vec<PersonNo> = state.members().into_iter().filter(|member| *member != own).collect();
        let member = self.dice.one_of(&others)?;
        let peer = Peer::Box(self.boxes[member]);
        let change = Change::Remove { member };
        self.changes(device, group, change, async |client, id| client.remove_from_group(&id.into(), &peer).await).await
    }

    pub(crate) async fn set_group_admin(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let (group, state) = self.some_group_to_change(device).await?;
        let member = self.dice.one_of(&state.members())?;
        let is_admin = !state.is_admin(member);
        let peer = Peer::Box(self.boxes[member]);
        let change = Change::SetAdmin { member, is_admin };
        self.changes(device, group, change, async |client, id| {
            client.set_group_admin(&id.into(), &peer, is_admin).await
        })
        .await
    }

    pub(crate) async fn rename_group(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let (group, _) = self.some_group_to_change(device).await?;
        let name = self.new_name();
        let change = Change::Rename { name: name.clone() };
        self.changes(device, group, change, async |client, id| client.rename_group(&id.into(), &name).await).await
    }

    pub(crate) async fn leave_group(&mut self) -> Option<()> {
        let device = self.some_device().await?;
        let (group, _) = self.some_group(device).await?;
        if !self.model.knows_all(device, group) {
            return None;
        }
        self.changes(device, group, Change::Leave, async |client, id| client.leave_group(&id.into()).await).await
    }

    /// A device changes a group.
    pub(super) async fn changes(
        &mut self,
        device: DeviceNo,
        group: GroupNo,
        change: Change,
        act: impl AsyncFnOnce(&Client, GroupId) -> Result<(GroupId, Sent), ClientError>,
    ) -> Option<()> {
        let (id, trouble) = (self.groups[group], self.trouble(device));
        self.note(format!("{} changes group {group}: {change:?}; {trouble:?}", self.name(device)));
        let was = self.last_change(device, group).await;
        let made = self.at(device, &trouble, async |client| act(client, id).await).await;
        let is_made = match made {
            Did::Done(_) => true,
            Did::Failed(error) if trouble == Trouble::Cut && is_unreachable(&error) => false,
            Did::Failed(error) => self.failed(device, "change a group", &error),
            // It may have made it, or not.
            Did::Died => self.last_change(device, group).await != was,
        };
        if is_made {
            let before = self.model.group(device, group, Until::Synced).unwrap_or_default();
            let new = change.adds().to_vec();
            let boxes = before.members().into_iter().chain(new.iter().copied()).collect();
            let known = self.model.changes(device, group, Until::Synced);
            let said = self.model.said.len() + new.len();
            for person in new {
                let brought = known.iter().copied().chain([said]).collect();
                let own = self.model.devices[device].person;
                self.model.say_to(device, Place::between(own, person), What::Brings(brought), vec![person]);
            }
            assert_eq!(self.model.say_to(device, Place::Group(group), What::Change(change), boxes), said);
            self.has_changed(device, group, said).await;
        }
        self.went(device, &trouble);
        Some(())
    }

    /// Somebody who was asked into a group says whether they take part.
    pub(crate) async fn answer_group(&mut self) -> Option<()> {
        let joins = self.dice.percent(65);
        let device = if joins { self.some_device().await? } else { self.some_online_device().await? };
        self.some_asked(device)?;
        if !joins {
            // What is on its way would be declined or not.
            self.settle().await;
            self.fetches_all(device).await;
        }
        let (group, by) = self.some_asked(device)?;
        if !joins && !self.model.knows_all(device, group) {
            return None;
        }
        self.note(format!("{} answers for group {group}; takes part: {joins}", self.name(device)));
        let id = self.groups[group];
        let answered = self
            .at(device, &Trouble::Cut, async |client| {
                if joins {
                    client.accept_group(&id.into()).await.map(drop)
                } else {
                    client.decline_group(&id.into()).await.map(drop)
                }
            })
            .await;
        self.must_be_done(device, answered);
        self.answers(device, by, joins);
        Some(())
    }

    fn some_asked(&mut self, device: DeviceNo) -> Option<(GroupNo, SaidNo)> {
        let own = self.model.devices[device].person;
        let asked = (0..self.model.groups).filter(|group| {
            let state = self.model.group(device, *group, Until::Synced);
            state.is_some_and(|state| state.is_member(own))
                && self.model.answer(device, *group, Until::Synced) == Some(Answer::Requested)
        });
        let group = self.dice.one_of(&asked.collect::<Vec<_>>())?;
        Some((group, self.model.added_by(device, group, Until::Synced)?))
    }

    fn answers(&mut self, device: DeviceNo, to: SaidNo, joins: bool) {
        self.model.say(device, Place::Own, What::Answers { to, joins, is_own: true });
    }

    /// Whoever writes to a group that they were asked into takes part.
    pub(crate) fn joins_by_writing(&mut self, device: DeviceNo, group: GroupNo) {
        if self.model.answer(device, group, Until::Synced) == Some(Answer::Requested) {
            let by = self.model.added_by(device, group, Until::Synced).unwrap();
            self.answers(device, by, true);
        }
    }

    /// Whether a device can say something in a group.
    pub(crate) fn may_speak(&self, device: DeviceNo, group: GroupNo) -> bool {
        let own = self.model.devices[device].person;
        self.model.group(device, group, Until::Synced).is_some_and(|state| state.is_member(own))
            && self.model.shows_group(device, group, Until::Synced)
    }
}
