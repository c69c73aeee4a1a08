//! A device follows over the live stream for a while, in which others write to it; the connection is cut, or the server killed, in the
//! middle.

use std::time::{Duration, Instant};

use rossby_client::{Event, Peer, Sent, Way};
use tokio::sync::mpsc;

use crate::model::{DeviceNo, PersonNo, Place, What};
use crate::process::PATIENCE;
use crate::proxy::Trouble;
use crate::town::Town;

/// How many messages are written meanwhile, at most.
const MOST: usize = 4;
/// How many events wait to be heard, at most.
const EVENTS: usize = 64;
/// How long it waits for the next event before it looks again.
const PAUSE: Duration = Duration::from_millis(50);
/// After how many octets of the server's a connection is cut, at most: a message has some thousands.
const CUT_AFTER: usize = 12_000;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Midst {
    Calm,
    /// The stream is cut after so many octets of the server's, and each that comes after it but the last.
    Cut(usize, usize),
    /// The server is killed after so many messages.
    Killed(usize),
}

impl Town {
    /// A device follows.
    pub(crate) async fn follow(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let by = self.some_online_device().await.filter(|by| *by != device)?;
        let (person, own) = (self.model.devices[device].person, self.model.devices[by].person);
        let peer = if person == own { self.some_peer(own)? } else { person };
        let is_blocked = |one, other| self.model.blocks.contains(&(one, other));
        if is_blocked(own, peer) || is_blocked(peer, own) {
            return None;
        }
        self.settle().await;
        self.fetches_all(device).await;
        let midst = match self.dice.below(10) {
            0..4 => Midst::Calm,
            4..8 => Midst::Cut(self.dice.below(CUT_AFTER), 1 + self.dice.below(2)),
            _ => Midst::Killed(self.dice.below(MOST)),
        };
        let (count, dies) = (1 + self.dice.below(MOST), self.dice.percent(25));
        let (name, to) = (self.name(device), self.model.people[peer].clone());
        let writer = self.name(by);
        self.note(format!("{name} follows, and {writer} writes {count} times to {to}; {midst:?}; dies: {dies}"));
        if let Midst::Cut(after, times) = midst {
            self.proxy.cut_streams(&vec![after; times]);
        }
        let (events, told) = mpsc::channel(EVENTS);
        let client = self.shared_client(device);
        tokio::select! {
            biased;
            ended = client.follow(events) => panic!("{name} no longer follows: {ended:?}"),
            () = self.while_it_follows(device, told, (by, peer, count), midst) => {}
        }
        drop(client);
        self.proxy.cut_streams(&[]);
        if dies {
            self.restart(device, false).await;
        }
        self.fetches_all(device).await;
        Some(())
    }

    /// Somebody else than this person.
    fn some_peer(&mut self, own: PersonNo) -> Option<PersonNo> {
        let others: Vec<PersonNo> = (0..self.model.people.len()).filter(|person| *person != own).collect();
        self.dice.one_of(&others)
    }

    async fn while_it_follows(
        &mut self,
        device: DeviceNo,
        mut told: mpsc::Receiver<Event>,
        (by, peer, count): (DeviceNo, PersonNo, usize),
        midst: Midst,
    ) {
        let deadline = Instant::now() + PATIENCE;
        let (mut written, mut has_followed) = (0, false);
        loop {
            match tokio::time::timeout(PAUSE, told.recv()).await {
                Ok(Some(Event::Connected(Way::Stream))) => has_followed = true,
                Ok(Some(_)) => {}
                Ok(None) => panic!("nothing is told any more"),
                // It waits before it tries the stream again.
                Err(_) => self.client(device).try_now(),
            }
            if !has_followed {
                assert!(Instant::now() < deadline, "{} gets no stream", self.name(device));
                continue;
            }
            if written < count {
                if midst == Midst::Killed(written) {
                    self.proxy.kill();
                }
                self.writes_meanwhile(by, peer).await;
                written += 1;
                continue;
            }
            self.learns_affirmations(device).await;
            self.model.joins_by_itself(device);
            match self.difference_of_last(device).await {
                None => return,
                Some(difference) => assert!(Instant::now() < deadline, "{difference}"),
            }
        }
    }

    async fn writes_meanwhile(&mut self, by: DeviceNo, peer: PersonNo) {
        let text = self.new_text();
        let address = Peer::Box(self.boxes[peer]);
        let sent = self.at(by, &Trouble::Calm, async |client| client.send(&address, &text).await).await;
        let Sent { message_id, .. } = self.must_be_done(by, sent);
        self.accepts_by_writing(by, peer);
        let own = self.model.devices[by].person;
        let said = self.model.say(by, Place::between(own, peer), What::Text(text));
        self.ids.insert(said, message_id);
        self.model.devices[by].knows.insert((peer, false));
        self.went(by, &Trouble::Calm);
    }
}
