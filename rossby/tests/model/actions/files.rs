//! Files: sent, with the upload cut in the middle, and fetched by whoever has the message.

use rossby_client::{Conversation, FileToSend, Message, Peer, Target};

use crate::known::Known;
use crate::model::{PersonNo, Place, SaidNo, Until, What};
use crate::proxy::Trouble;
use crate::town::{Did, Town};

/// How many octets a file has at most: some have more than one piece.
const LARGEST: usize = 400_000;

impl Town {
    /// A file that nobody has sent before.
    fn new_file(&mut self) -> Vec<u8> {
        // Most are small.
        let octets = if self.dice.percent(30) { self.dice.below(LARGEST) } else { self.dice.below(5000) };
        (0..octets / 8 + 1).flat_map(|_| self.dice.below(usize::MAX).to_be_bytes()).collect()
    }

    /// A person sends a file.
    pub(crate) async fn send_file(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let own = self.model.devices[device].person;
        let others: Vec<PersonNo> = (0..self.model.people.len()).filter(|person| *person != own).collect();
        let peer = self.dice.one_of(&others)?;
        let is_blocked = |one, other| self.model.blocks.contains(&(one, other));
        if is_blocked(own, peer) || is_blocked(peer, own) {
            return None;
        }
        let (file, caption) = (self.new_file(), self.new_text());
        let trouble = match self.dice.below(10) {
            0..3 => Trouble::Calm,
            3..6 => self.small_trouble(),
            _ => Trouble::Dies { with: self.dice.below(8), after: self.dice.percent(50) },
        };
        let (name, to) = (self.name(device), &self.model.people[peer]);
        self.note(format!("{name} sends {to} a file of {} octets, {caption:?}; {trouble:?}", file.len()));
        let path = self.folder.path().join("sent.bin");
        std::fs::write(&path, &file).unwrap();
        let to_send = FileToSend { caption: Some(caption.clone()), ..FileToSend::new(&path) };
        let address = Peer::Box(self.boxes[peer]);
        let sent = self.at(device, &trouble, async |client| client.send_file(&address, to_send, None).await).await;
        if let Did::Failed(error) = &sent {
            self.failed(device, "send a file", error);
        }
        // What was kept goes on, without the file itself.
        std::fs::remove_file(&path).unwrap();
        while !self.client(device).pending_uploads().await.unwrap().is_empty() {
            for (_, outcome) in self.client(device).upload_pending(None).await.unwrap() {
                if let Err(error) = outcome {
                    self.failed(device, "go on with an upload", &error);
                }
            }
        }
        let handed = self.at(device, &Trouble::Calm, async |client| client.hand_over_what_waits().await).await;
        self.must_be_done(device, handed);
        self.went(device, &Trouble::Calm);
        // It may have died before anything of it was kept.
        let direct = Conversation::Direct(self.boxes[peer]);
        let shown = self.client(device).transcript(direct, u32::MAX, None).await.unwrap();
        let said: Vec<Message> = shown.into_iter().filter(|message| message.text.as_ref() == Some(&caption)).collect();
        match (&said[..], trouble) {
            ([message], _) => {
                self.accepts_by_writing(device, peer);
                let said = self.model.say(device, Place::between(own, peer), What::Text(caption));
                self.ids.insert(said, message.message_id);
                self.model.files.insert(said, file);
                self.went(device, &Trouble::Calm);
            }
            ([], Trouble::Dies { .. }) => {}
            (said, _) => panic!("{name} has said {said:?}"),
        }
        Some(())
    }

    /// A device fetches a file that somebody has sent, with what small trouble there may be.
    pub(crate) async fn fetch_file(&mut self) -> Option<()> {
        let device = self.some_online_device().await?;
        let known = Known::by(&self.model, device, Until::Synced);
        let own = self.model.devices[device].person;
        let places = (0..self.model.people.len()).map(|other| Place::between(own, other));
        let shown = places.flat_map(|place| known.messages(place));
        let is_there = |message: &SaidNo| self.model.files.contains_key(message) && !self.is_taken_back(*message);
        let files: Vec<SaidNo> = shown.filter(is_there).collect();
        let file = self.dice.one_of(&files)?;
        let trouble = self.small_trouble();
        self.note(format!("{} fetches the file {file}; {trouble:?}", self.name(device)));
        let message = self.client(device).find(&self.name_of(file)).await.unwrap();
        let target = Target { path: self.folder.path().join("fetched.bin"), overwrites: true };
        let fetched = self.at(device, &trouble, async |client| client.download(&message, &target, None).await).await;
        let path = self.must_be_done(device, fetched);
        assert!(std::fs::read(&path).unwrap() == self.model.files[&file], "the file {file} is another");
        Some(())
    }

    /// Whether a message was taken back by its author, also if not all have heard of it: its file is gone.
    fn is_taken_back(&self, message: SaidNo) -> bool {
        self.model.said.iter().any(|said| said.what == What::Deletion { of: message })
    }
}
