//! Devices: linked, named, removed, fetching, without a connection, started again.

use std::time::Duration;

use rossby_client::DeviceRef;

use crate::model::DeviceNo;
use crate::proxy::Trouble;
use crate::town::{Did, Town, is_unreachable};

/// How many devices a person has at most at once.
const MOST: usize = 3;

impl Town {
    fn device_ref(&self, device: DeviceNo) -> DeviceRef {
        self.homes[device].device_id.to_string().parse().unwrap()
    }

    /// A person gets another device.
    pub(crate) async fn link(&mut self) -> Option<()> {
        let by = self.some_online_device().await?;
        let person = self.model.devices[by].person;
        if self.model.devices_of(person).len() >= MOST {
            return None;
        }
        self.settle().await;
        self.learns_before_it_speaks(by).await;
        let name = format!("device {}", self.homes.len());
        // What two devices say to each other to be linked is in the server's memory alone.
        let trouble = self.small_trouble().without_kills();
        self.note(format!("{} links {name}; {trouble:?}", self.name(by)));
        let (path, client) = self.new_client().await;
        self.proxy.set(trouble.clone());
        let code = client.offer_link(&name).await.unwrap();
        let old = self.client(by);
        let linking = async {
            let offer = old.link_offer(&code.secret).await?;
            old.link_device(&code.secret, &offer).await
        };
        let linked = tokio::try_join!(linking, client.await_link());
        self.proxy.set(Trouble::Calm);
        if let Err(error) = linked {
            self.failed(by, "link a device", &error);
        }
        self.model.joins_by_itself(by);
        let device = self.model.add_device(person, &name, Some(by));
        // What it is told has yet to come.
        self.model.devices[device].is_vague = true;
        self.moved_in(path, client).await;
        // The old device has fetched after it had linked the new one, which gets what it said then.
        self.learns_affirmations(by).await;
        self.went(by, &trouble);
        Some(())
    }

    /// A person removes one of their devices by one that is as old at least.
    pub(crate) async fn remove(&mut self) -> Option<()> {
        let by = self.some_online_device().await?;
        let devices = self.model.devices_of(self.model.devices[by].person);
        let younger: Vec<DeviceNo> = devices.iter().copied().filter(|device| *device >= by).collect();
        let device = self.dice.one_of(&younger).filter(|_| devices.len() > 1)?;
        // What it has stays as it is from now on.
        if !self.is_clear(device).await {
            return None;
        }
        self.settle().await;
        // What the person's others have not seen of it would not count in groups: they are to say there that it is no more.
        for sibling in devices {
            let is_behind = |group| !self.model.knows_all(sibling, group);
            if !self.model.devices[sibling].is_offline && (0..self.model.groups).any(is_behind) {
                self.fetches_all(sibling).await;
            }
        }
        let trouble = self.small_trouble();
        self.note(format!("{} removes {}; {trouble:?}", self.name(by), self.name(device)));
        let device_ref = self.device_ref(device);
        let removed = self.at(by, &trouble, async |client| client.remove_device(&device_ref, None).await).await;
        self.must_be_done(by, removed);
        self.model.remove(device);
        Some(())
    }

    /// A device that was removed gets nothing more, and keeps what it has.
    pub(crate) async fn ghost(&mut self) -> Option<()> {
        let gone: Vec<DeviceNo> =
            (0..self.model.devices.len()).filter(|device| self.model.devices[*device].is_gone).collect();
        let device = self.dice.one_of(&gone)?;
        self.note(format!("{} asks again", self.name(device)));
        self.is_dead(device).await;
        Some(())
    }

    /// Fails if a device that was removed gets anything.
    pub(crate) async fn is_dead(&self, device: DeviceNo) {
        let fetched = self.client(device).receive(Duration::ZERO).await;
        assert!(fetched.is_err(), "{} fetches: {fetched:?}", self.name(device));
        let difference = self.difference(device).await;
        assert!(difference.is_none(), "{}", difference.unwrap_or_default());
    }

    /// A person calls a device by another name.
    pub(crate) async fn name_device(&mut self) -> Option<()> {
        let by = self.some_online_device().await?;
        let devices = self.model.devices_of(self.model.devices[by].person);
        let device = self.dice.one_of(&devices)?;
        // Names are told to all of the person's devices: it is known of all what they know.
        let trouble = self.small_trouble();
        let name = format!("{} {}", ["lamp", "desk", "tin"][self.dice.below(3)], self.notes);
        self.note(format!("{} calls {} {name:?}; {trouble:?}", self.name(by), self.name(device)));
        let device_ref = self.device_ref(device);
        let named = self.at(by, &trouble, async |client| client.name_device(&device_ref, &name).await).await;
        self.must_be_done(by, named);
        self.model.devices[device].name = name;
        self.went(by, &trouble);
        Some(())
    }

    /// A device fetches.
    pub(crate) async fn sync(&mut self) -> Option<()> {
        let live = self.model.live();
        let device = self.dice.one_of(&live)?;
        if self.dice.percent(30) {
            self.settle().await;
        }
        let trouble = self.trouble(device);
        if trouble != Trouble::Cut {
            self.learns_before_it_speaks(device).await;
        }
        self.note(format!("{} fetches; {trouble:?}", self.name(device)));
        let fetched = self.at(device, &trouble, async |client| client.receive(Duration::ZERO).await).await;
        let is_whole = match (fetched, &trouble) {
            (Did::Done(_), Trouble::Cut) => panic!("{} fetched without a connection", self.name(device)),
            (Did::Failed(error), Trouble::Cut) if is_unreachable(&error) => return Some(()),
            (Did::Failed(error), Trouble::Deaf) if is_unreachable(&error) => false,
            (Did::Failed(error), _) => self.failed(device, "fetch", &error),
            (Did::Died, _) => false,
            (Did::Done(_), Trouble::Deaf | Trouble::Dies { .. }) => false,
            (Did::Done(_), _) => self.model.devices.iter().all(|device| !device.is_unsure),
        };
        self.learns_affirmations(device).await;
        self.went(device, &trouble);
        if is_whole {
            self.fetches_all(device).await;
        } else {
            self.model.devices[device].is_vague = true;
        }
        Some(())
    }

    pub(crate) fn disconnect(&mut self) -> Option<()> {
        let mut live = self.model.live();
        live.retain(|device| !self.model.devices[*device].is_offline);
        let device = self.dice.one_of(&live).filter(|_| live.len() > 1)?;
        self.note(format!("{} loses its connection", self.name(device)));
        self.model.devices[device].is_offline = true;
        Some(())
    }

    pub(crate) fn reconnect(&mut self) -> Option<()> {
        let mut live = self.model.live();
        live.retain(|device| self.model.devices[*device].is_offline);
        let device = self.dice.one_of(&live)?;
        self.note(format!("{} has a connection again", self.name(device)));
        self.model.devices[device].is_offline = false;
        Some(())
    }

    /// A device's process ends, in order or not, and is started again.
    pub(crate) async fn start_again(&mut self) -> Option<()> {
        let live = self.model.live();
        let (device, in_order) = (self.dice.one_of(&live)?, self.dice.percent(50));
        self.note(format!("{} is started again; in order: {in_order}", self.name(device)));
        self.restart(device, in_order).await;
        Some(())
    }
}
