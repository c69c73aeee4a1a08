//! What can happen in a step. Each action picks who and what by the dice, does it, and tells the model; where nobody can do it now,
//! it does nothing, and another is picked.

mod council;
mod devices;
mod files;
mod follow;
mod groups;
mod people;
mod standing;
mod talk;

use rossby_client::ClientError;

use crate::model::{DeviceNo, PersonNo, SaidNo, Stand, What};
use crate::proxy::Trouble;
use crate::town::{Did, Town};

/// One step in this many is of this kind.
const ACTIONS: [(usize, Action); 35] = [
    (3, Action::Register),
    (4, Action::Link),
    (2, Action::Remove),
    (3, Action::NameDevice),
    (26, Action::Sync),
    (4, Action::Disconnect),
    (8, Action::Reconnect),
    (5, Action::Restart),
    (26, Action::Text),
    (10, Action::Reply),
    (10, Action::Edit),
    (4, Action::Delete),
    (12, Action::React),
    (3, Action::Note),
    (3, Action::Accept),
    (2, Action::Decline),
    (3, Action::Block),
    (4, Action::Unblock),
    (8, Action::Read),
    (4, Action::FoundGroup),
    (4, Action::AddToGroup),
    (3, Action::RemoveFromGroup),
    (3, Action::SetGroupAdmin),
    (3, Action::RenameGroup),
    (2, Action::LeaveGroup),
    (4, Action::AnswerGroup),
    (24, Action::Council),
    (14, Action::TextGroup),
    (2, Action::Kill),
    (2, Action::Pass),
    (1, Action::Ghost),
    (8, Action::Follow),
    (1, Action::ChangeReceipts),
    (3, Action::SendFile),
    (4, Action::FetchFile),
];

/// Those of them that are about groups.
const GROUP_ACTIONS: [Action; 9] = [
    Action::FoundGroup,
    Action::AddToGroup,
    Action::RemoveFromGroup,
    Action::SetGroupAdmin,
    Action::RenameGroup,
    Action::LeaveGroup,
    Action::AnswerGroup,
    Action::Council,
    Action::TextGroup,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Register,
    Link,
    Remove,
    NameDevice,
    Sync,
    Disconnect,
    Reconnect,
    Restart,
    Text,
    Reply,
    Edit,
    Delete,
    React,
    Note,
    Accept,
    Decline,
    Block,
    Unblock,
    Read,
    FoundGroup,
    AddToGroup,
    RemoveFromGroup,
    SetGroupAdmin,
    RenameGroup,
    LeaveGroup,
    AnswerGroup,
    Council,
    TextGroup,
    Kill,
    Pass,
    Ghost,
    Follow,
    ChangeReceipts,
    SendFile,
    FetchFile,
}

impl Town {
    /// Something happens.
    pub(crate) async fn step(&mut self) {
        let actions: Vec<_> =
            ACTIONS.iter().filter(|(_, action)| self.has_groups || !GROUP_ACTIONS.contains(action)).collect();
        loop {
            let mut thrown = self.dice.below(actions.iter().map(|(weight, _)| weight).sum());
            let action = actions.iter().find_map(|(weight, action)| {
                let is_it = thrown < *weight;
                thrown = thrown.saturating_sub(*weight);
                is_it.then_some(*action)
            });
            if self.act(action.unwrap()).await.is_some() {
                break;
            }
        }
        let replayed = self.proxy.replayed();
        assert!(replayed.is_empty(), "the server took a signed request twice: {replayed:?}");
    }

    /// Nothing comes of it where nobody can do it now.
    async fn act(&mut self, action: Action) -> Option<()> {
        match action {
            Action::Register => self.register().await,
            Action::Link => self.link().await,
            Action::Remove => self.remove().await,
            Action::NameDevice => self.name_device().await,
            Action::Sync => self.sync().await,
            Action::Disconnect => self.disconnect(),
            Action::Reconnect => self.reconnect(),
            Action::Restart => self.start_again().await,
            Action::Text => self.text().await,
            Action::Reply => self.reply().await,
            Action::Edit => self.edit().await,
            Action::Delete => self.delete().await,
            Action::React => self.react().await,
            Action::Note => self.write_note().await,
            Action::Accept => self.accept().await,
            Action::Decline => self.decline().await,
            Action::Block => self.block().await,
            Action::Unblock => self.unblock().await,
            Action::Read => self.read().await,
            Action::FoundGroup => self.found_group().await,
            Action::AddToGroup => self.add_to_group().await,
            Action::RemoveFromGroup => self.remove_from_group().await,
            Action::SetGroupAdmin => self.set_group_admin().await,
            Action::RenameGroup => self.rename_group().await,
            Action::LeaveGroup => self.leave_group().await,
            Action::AnswerGroup => self.answer_group().await,
            // Its future is a large one, for the stack of a test.
            Action::Council => Box::pin(self.council()).await,
            Action::TextGroup => self.text_group().await,
            Action::Kill => {
                self.note("the server is killed".to_owned());
                self.proxy.kill();
                Some(())
            }
            Action::Pass => self.pass(),
            Action::Ghost => self.ghost().await,
            Action::Follow => Box::pin(self.follow()).await,
            Action::ChangeReceipts => self.change_receipts().await,
            Action::SendFile => self.send_file().await,
            Action::FetchFile => self.fetch_file().await,
        }
    }

    /// A device of somebody, which knows what it has.
    pub(crate) async fn some_device(&mut self) -> Option<DeviceNo> {
        let live = self.model.live();
        let device = self.dice.one_of(&live)?;
        self.is_clear(device).await.then_some(device)
    }

    /// One that has a connection.
    async fn some_online_device(&mut self) -> Option<DeviceNo> {
        let mut live = self.model.live();
        live.retain(|device| !self.model.devices[*device].is_offline);
        let device = self.dice.one_of(&live)?;
        self.is_clear(device).await.then_some(device)
    }

    /// Whether it is known what a device has: if it is not, it fetches, as far as it can.
    async fn is_clear(&mut self, device: DeviceNo) -> bool {
        if self.model.devices[device].is_vague && !self.model.devices[device].is_offline {
            self.settle().await;
            self.fetches_all(device).await;
        }
        !self.model.devices[device].is_vague
    }

    /// What may have gone out goes out: it is known then who has it.
    pub(crate) async fn settle(&mut self) {
        for device in self.model.live() {
            if self.model.devices[device].is_unsure {
                self.model.devices[device].is_offline = false;
                let handed = self.at(device, &Trouble::Calm, async |client| client.hand_over_what_waits().await).await;
                self.must_be_done(device, handed);
                self.model.hand_over(device);
            }
        }
    }

    /// After a device has done what empties its outbox.
    fn went(&mut self, device: DeviceNo, trouble: &Trouble) {
        match trouble {
            Trouble::Calm | Trouble::Bumps(_) => self.model.hand_over(device),
            Trouble::Cut | Trouble::Mute => {}
            Trouble::Deaf | Trouble::Dies { .. } => {
                self.model.devices[device].is_unsure |= self.model.has_waiting(device);
            }
        }
    }

    pub(crate) fn must_be_done<T>(&self, device: DeviceNo, did: Did<T>) -> T {
        match did {
            Did::Done(done) => done,
            Did::Failed(error) => panic!("{} failed: {error}", self.name(device)),
            Did::Died => panic!("{} died", self.name(device)),
        }
    }

    /// Whoever writes to somebody accepts them by it.
    fn accepts_by_writing(&mut self, device: DeviceNo, peer: PersonNo) {
        let own = self.model.devices[device].person;
        if peer != own && self.model.stand(device, peer) == Stand::Stranger {
            self.stands(device, peer, Stand::Accepted);
        }
    }

    /// How a device's person stands to somebody from now on.
    fn stands(&mut self, device: DeviceNo, peer: PersonNo, stand: Stand) {
        self.model.say(device, crate::model::Place::Own, What::Stands { peer, stand });
    }

    fn name_of(&self, message: SaidNo) -> rossby_client::MessageName {
        self.ids[&message].into()
    }

    fn failed(&self, device: DeviceNo, what: &str, error: &ClientError) -> ! {
        panic!("{} could not {what}: {error}", self.name(device))
    }
}
