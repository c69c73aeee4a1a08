//! The real thing: a server, the way to it, and the devices' homes; and beside it what must be so of them.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use rossby_client::{Client, ClientConfig, ClientError, Conversation, GroupId, Peer, Retries, SealingSchedule, Unlock};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};

use crate::clock::TownClock;
use crate::dice::Dice;
use crate::model::{DeviceNo, Model, PersonNo, Place, SaidNo};
use crate::proxy::{Fault, Proxy, Trouble};
use std::time::Duration;

/// A device asks so often in all; fewer requests than that are lost one after the other.
const RETRIES: usize = 4;
/// How old a sealing key becomes.
const ROTATED_AFTER: Duration = Duration::from_secs(3 * 3600);

/// A device's folder, and the client that has it open.
pub(crate) struct Home {
    path: PathBuf,
    client: Option<Arc<Client>>,
    pub(crate) device_id: DeviceId,
}

/// What became of something that a device was to do.
pub(crate) enum Did<T> {
    Done(T),
    Failed(ClientError),
    /// The device died while it did it, and was started again.
    Died,
}

pub(crate) struct Town {
    seed: u64,
    steps: usize,
    /// Whether people found groups.
    pub(crate) has_groups: bool,
    pub(crate) dice: Dice,
    pub(crate) model: Model,
    pub(crate) clock: Arc<TownClock>,
    pub(crate) proxy: Proxy,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) homes: Vec<Home>,
    pub(crate) boxes: Vec<BoxId>,
    /// The ids of what was said.
    pub(crate) ids: BTreeMap<SaidNo, MessageId>,
    /// The ids of groups.
    pub(crate) groups: Vec<GroupId>,
    /// What was done with groups, by its hash.
    pub(crate) changes: BTreeMap<Sha256Digest, SaidNo>,
    /// How much was done.
    pub(crate) notes: usize,
    /// How often time has passed.
    pub(crate) passed: usize,
    /// How often a group was changed by two at once.
    pub(crate) councils: usize,
}

impl Town {
    pub(crate) async fn new(seed: u64, steps: usize, has_groups: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let proxy = Proxy::start(folder.path().join("data")).await;
        Self {
            seed,
            steps,
            has_groups,
            dice: Dice::new(seed),
            model: Model::default(),
            clock: Arc::new(TownClock::new()),
            proxy,
            folder,
            homes: Vec::new(),
            boxes: Vec::new(),
            ids: BTreeMap::new(),
            groups: Vec::new(),
            changes: BTreeMap::new(),
            notes: 0,
            passed: 0,
            councils: 0,
        }
    }

    /// Says what is done, for whoever looks for a mistake.
    pub(crate) fn note(&mut self, line: String) {
        self.notes += 1;
        println!("{} {line}", self.notes);
    }

    fn config(&self, path: PathBuf) -> ClientConfig {
        let mut config = ClientConfig::new(path.clone(), Unlock::KeyFile(path.join("key")));
        config.server = Some(self.proxy.url.clone());
        config.clock = Arc::clone(&self.clock) as Arc<_>;
        config.schedule = SealingSchedule { rotate_after: ROTATED_AFTER, ..SealingSchedule::default() };
        let pause = Duration::from_millis(1);
        config.retries = Retries { times: RETRIES, first_pause: pause, longest_pause: pause };
        config
    }

    /// A new home, of a device that will have the next number.
    pub(crate) async fn new_client(&self) -> (PathBuf, Client) {
        let path = self.folder.path().join(format!("device-{}", self.homes.len()));
        let client = Client::create(self.config(path.clone())).await.unwrap();
        (path, client)
    }

    /// A client that has become a device.
    pub(crate) async fn moved_in(&mut self, path: PathBuf, client: Client) {
        let device_id = client.account().await.unwrap().device_id;
        self.homes.push(Home { path, client: Some(Arc::new(client)), device_id });
        assert_eq!(self.homes.len(), self.model.devices.len());
    }

    pub(crate) fn client(&self, device: DeviceNo) -> &Client {
        self.homes[device].client.as_ref().unwrap()
    }

    /// The same, for what goes on while others act.
    pub(crate) fn shared_client(&self, device: DeviceNo) -> Arc<Client> {
        Arc::clone(self.homes[device].client.as_ref().unwrap())
    }

    /// Ends a device's process, in order or not, and starts it again.
    pub(crate) async fn restart(&mut self, device: DeviceNo, in_order: bool) {
        let client = self.homes[device].client.take().unwrap();
        if in_order {
            Arc::into_inner(client).expect("a client that is used still").close().await;
        } else {
            drop(client);
        }
        let client = Client::open(self.config(self.homes[device].path.clone())).await.unwrap();
        self.homes[device].client = Some(Arc::new(client));
    }

    /// Lets a device do something in this trouble.
    pub(crate) async fn at<T>(
        &mut self,
        device: DeviceNo,
        trouble: &Trouble,
        act: impl AsyncFnOnce(&Client) -> Result<T, ClientError>,
    ) -> Did<T> {
        self.proxy.set(trouble.clone());
        let done = tokio::select! {
            biased;
            () = self.proxy.died.notified() => None,
            done = act(self.client(device)) => Some(done),
        };
        self.proxy.set(Trouble::Calm);
        match done {
            Some(Ok(done)) => Did::Done(done),
            Some(Err(error)) => Did::Failed(error),
            None => {
                self.restart(device, false).await;
                Did::Died
            }
        }
    }

    /// The trouble in which a device does something now.
    pub(crate) fn trouble(&mut self, device: DeviceNo) -> Trouble {
        if self.model.devices[device].is_offline {
            return Trouble::Cut;
        }
        match self.dice.below(100) {
            0..50 => Trouble::Calm,
            50..82 => self.bumps(),
            82..87 => Trouble::Cut,
            87..92 => Trouble::Deaf,
            _ => Trouble::Dies { with: self.dice.below(6), after: self.dice.percent(50) },
        }
    }

    /// One in which it comes to its end.
    pub(crate) fn small_trouble(&mut self) -> Trouble {
        if self.dice.percent(60) { Trouble::Calm } else { self.bumps() }
    }

    fn bumps(&mut self) -> Trouble {
        let mut faults = VecDeque::new();
        for _ in 0..=self.dice.below(RETRIES - 1) {
            for _ in 0..self.dice.below(4) {
                faults.push_back(Fault::None);
            }
            let fault = match self.dice.below(20) {
                0..5 => Fault::Refused,
                5..10 => Fault::Lost,
                10..14 => Fault::Twice,
                14..17 => Fault::Again,
                17 => Fault::KilledBefore,
                18 => Fault::KilledWhile,
                _ => Fault::KilledAfter,
            };
            faults.push_back(fault);
        }
        Trouble::Bumps(faults)
    }

    /// Somebody, by their address or their box.
    pub(crate) fn peer(&mut self, person: PersonNo) -> Peer {
        if self.dice.percent(50) {
            return Peer::Box(self.boxes[person]);
        }
        self.identifier(person).parse().unwrap()
    }

    pub(crate) fn identifier(&self, person: PersonNo) -> String {
        format!("mailto:{}@example.org", self.model.people[person])
    }

    /// Where a device finds what is said.
    pub(crate) fn conversation(&self, device: DeviceNo, place: Place) -> Conversation {
        let own = self.model.devices[device].person;
        match place {
            Place::Group(group) => Conversation::Group(self.groups[group].0),
            _ => Conversation::Direct(self.boxes[place.peer_of(own).unwrap_or(own)]),
        }
    }

    pub(crate) fn person(&self, box_id: BoxId) -> PersonNo {
        self.boxes.iter().position(|known| *known == box_id).expect("a box that nobody has")
    }
}

impl Drop for Town {
    /// Says how it came to a failure.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the server printed:\n{}", self.proxy.printed());
            for (name, box_id) in self.model.people.iter().zip(&self.boxes) {
                println!("{name} has box {box_id}");
            }
            for (device, home) in self.homes.iter().enumerate() {
                println!("{} is device {}", self.name(device), home.device_id);
            }
            let groups = u8::from(self.has_groups);
            println!(
                "again: ROSSBY_MODEL_SEED={} ROSSBY_MODEL_STEPS={} ROSSBY_MODEL_GROUPS={groups}",
                self.seed, self.steps
            );
        }
    }
}

/// Whether the server could not be reached.
pub(crate) fn is_unreachable(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { .. })
}

/// Whether the server says that there is nobody.
pub(crate) fn is_nobody(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(problem) if problem.problem_type() == Some(ProblemType::NoSuchRecipient))
}
