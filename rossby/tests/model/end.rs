//! The end: all have a connection, and fetch until nothing comes any more. Then every device must show what the model says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rossby_client::{GroupId, Warning};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_schemas::time::SystemClock;

use crate::known::Known;
use crate::model::{DeviceNo, Until};
use crate::process::PATIENCE;
use crate::rebuild;
use crate::town::Town;

/// What may have been told on the way; anything else says that something was lost, doubled or forged, or that a device was left out.
const TOLD: [&str; 3] = ["device-linked", "device-removed", "not-sent"];

impl Town {
    /// Lets all come to rest, and compares.
    pub(crate) async fn ends(&mut self) {
        let live = self.model.live();
        for device in &live {
            self.model.devices[*device].is_offline = false;
        }
        self.settle().await;
        // What waits in one outbox is for another device: all go out before all fetch.
        for device in &live {
            self.learns_before_it_speaks(*device).await;
            self.client(*device).receive(Duration::ZERO).await.unwrap();
            self.learns_affirmations(*device).await;
            self.model.hand_over(*device);
        }
        for device in &live {
            self.fetches_all(*device).await;
        }
        self.come_to_rest(&live).await;
        for device in &live {
            let difference = self.difference(*device).await;
            assert!(difference.is_none(), "{}", difference.unwrap_or_default());
            self.told(*device).await;
        }
        self.receipts_are_right(&live).await;
        for device in (0..self.model.devices.len()).filter(|device| self.model.devices[*device].is_gone) {
            self.is_dead(device).await;
        }
        self.own_devices_agree(&live).await;
        self.proxy.stop();
        let data_dir = self.folder.path().join("data");
        let config = SqliteConfig::new(data_dir.join("log"));
        let log = Arc::new(SqliteLog::open(config, Arc::new(SystemClock)).await.unwrap());
        rebuild::compare(log, &rebuild::sqlite(&data_dir.join("read-models.sqlite")), self.folder.path()).await;
    }

    /// Fetches until nothing comes any more.
    pub(crate) async fn come_to_rest(&self, live: &[DeviceNo]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut is_at_rest = true;
            for device in live {
                let client = self.client(*device);
                let received = client.receive(Duration::ZERO).await.unwrap();
                is_at_rest &= received.new == 0 && received.confirmed == 0 && self.is_served(client).await;
            }
            if is_at_rest {
                return;
            }
            assert!(Instant::now() < deadline, "messages come and come");
        }
    }

    /// A device was told of nothing but what happened.
    async fn told(&self, device: DeviceNo) {
        let own = self.model.devices[device].person;
        for notice in self.client(device).warnings().await.unwrap() {
            let is_so = match &notice.warning {
                // What the server refused while they were blocked has a number, too.
                Warning::Gap { sender, .. } => self.model.was_blocked(own, self.person(*sender)),
                Warning::RemovedFromGroup { group, .. } => self.was_removed(own, self.group(GroupId(*group))),
                Warning::GroupChangedByRemovedDevice { author, .. } => self.has_removed_a_device(self.person(*author)),
                other => TOLD.contains(&other.name()),
            };
            let people = || self.boxes.iter().zip(&self.model.people).collect::<Vec<_>>();
            assert!(is_so, "{} was told: {notice}; the people are {:?}", self.name(device), people());
        }
    }

    /// A person's devices know the same of each other.
    async fn own_devices_agree(&self, live: &[DeviceNo]) {
        for device in live {
            let person = self.model.devices[*device].person;
            let listed = self.client(*device).devices().await.unwrap();
            let listed = listed.into_iter().filter(|listed| listed.removed_at.is_none());
            let found: BTreeSet<_> = listed.map(|listed| listed.device_id).collect();
            let expected = self.model.devices_of(person).into_iter().map(|device| self.homes[device].device_id);
            assert_eq!(found, expected.collect(), "the devices as {} knows them", self.name(*device));
        }
        for (one, other) in live.iter().flat_map(|one| live.iter().map(move |other| (*one, *other))) {
            if self.model.devices[one].person == self.model.devices[other].person {
                let stands = |device| Known::by(&self.model, device, Until::Now).view().stands;
                assert_eq!(stands(one), stands(other), "{} and {} differ", self.name(one), self.name(other));
            }
        }
        let mut names: BTreeMap<usize, BTreeSet<Vec<Option<String>>>> = BTreeMap::new();
        for device in live {
            let listed = self.client(*device).devices().await.unwrap();
            let person = names.entry(self.model.devices[*device].person).or_default();
            person.insert(listed.into_iter().map(|listed| listed.name).collect());
        }
        for (person, names) in names {
            assert_eq!(names.len(), 1, "{}'s devices call themselves {names:?}", self.model.people[person]);
        }
    }
}
