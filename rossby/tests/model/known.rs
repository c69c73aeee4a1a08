//! What a device knows, and what it must show of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::groups::{Answer, Change, GroupNo, Hidden};
use crate::model::{Copy, DeviceNo, Model, PersonNo, Place, SaidNo, Stand, Tick, Until, What};

/// What a device shows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) author: String,
    /// None if it was taken back.
    pub(crate) text: Option<String>,
    pub(crate) is_edited: bool,
    /// What it answers.
    pub(crate) answers: Option<Answered>,
    /// Each emoji, with who put it there.
    pub(crate) emojis: BTreeMap<String, BTreeSet<String>>,
    pub(crate) is_request: bool,
    pub(crate) fate: Fate,
}

/// A message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    Text(String),
    Deleted,
    NotHere,
}

/// What became of a message, as a device shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Sent,
    Failed,
    New,
    Read,
}

/// All that a device shows: its conversations, and how the person stands to others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct View {
    pub(crate) places: BTreeMap<Place, Vec<Line>>,
    /// How many of a conversation's messages are new.
    pub(crate) unread: BTreeMap<Place, usize>,
    pub(crate) stands: BTreeMap<PersonNo, Stand>,
    pub(crate) groups: BTreeMap<GroupNo, ShownGroup>,
}

/// A group, as a device shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownGroup {
    pub(crate) name: String,
    /// Who is in it, and whether they are admins.
    pub(crate) members: BTreeMap<String, bool>,
    /// How the person stands to it.
    pub(crate) membership: &'static str,
    /// How many changes of it are known.
    pub(crate) changes: usize,
}

impl View {
    /// Counts what is new, and leaves so many lines of each conversation.
    pub(crate) fn cut(&mut self, lines: usize) {
        let is_new = |line: &&Line| line.fate == Fate::New;
        for (place, shown) in &mut self.places {
            self.unread.insert(*place, shown.iter().filter(is_new).count());
            shown.drain(..shown.len().saturating_sub(lines));
        }
    }
}

/// What a device knows.
pub(crate) struct Known<'a> {
    model: &'a Model,
    device: DeviceNo,
    own: PersonNo,
    until: Until,
    messages: Vec<SaidNo>,
    deleted: BTreeSet<SaidNo>,
    edits: BTreeMap<SaidNo, &'a str>,
    emojis: BTreeMap<SaidNo, BTreeMap<&'static str, BTreeSet<PersonNo>>>,
    read: BTreeSet<SaidNo>,
    declined: Vec<(PersonNo, Tick)>,
    stands: BTreeMap<PersonNo, Stand>,
    /// The changes of each group, and what of it is hidden.
    groups: Vec<(BTreeSet<SaidNo>, Hidden)>,
}

impl<'a> Known<'a> {
    /// All that is on a device is looked at in the order in which it was said: of two things that can't both be, the later is.
    pub(crate) fn by(model: &'a Model, device: DeviceNo, until: Until) -> Self {
        let mut known = Self {
            model,
            device,
            own: model.devices[device].person,
            until,
            messages: Vec::new(),
            deleted: BTreeSet::new(),
            edits: BTreeMap::new(),
            emojis: BTreeMap::new(),
            read: BTreeSet::new(),
            declined: Vec::new(),
            stands: BTreeMap::new(),
            groups: (0..model.groups)
                .map(|group| (model.changes(device, group, until), model.hidden(device, group, until)))
                .collect(),
        };
        for number in (0..model.said.len()).filter(|said| model.has(device, *said, until)) {
            match &model.said[number].what {
                What::Text(_) | What::Reply { .. } | What::Change(_) => known.messages.push(number),
                What::Brings(_) | What::Answers { .. } => {}
                What::Edit { of, text } => drop(known.edits.insert(*of, text)),
                What::Deletion { of } => drop(known.deleted.insert(*of)),
                What::Reaction { to, emoji, removed } => {
                    let authors = known.emojis.entry(*to).or_default().entry(emoji).or_default();
                    let author = model.author(number);
                    if *removed {
                        authors.remove(&author)
                    } else {
                        authors.insert(author)
                    };
                }
                What::Stands { peer, stand } => drop(known.stands.insert(*peer, *stand)),
                What::Declined { peer, until } => known.declined.push((*peer, *until)),
                What::Read(messages) => known.read.extend(messages),
            }
        }
        known
    }

    pub(crate) fn stand(&self, other: PersonNo) -> Stand {
        self.stands.get(&other).copied().unwrap_or(Stand::Stranger)
    }

    /// The messages of a conversation that are shown.
    pub(crate) fn messages(&self, place: Place) -> Vec<SaidNo> {
        self.messages.iter().copied().filter(|message| self.is_in(place, *message)).collect()
    }

    /// Whether a message was taken back.
    pub(crate) fn is_deleted(&self, message: SaidNo) -> bool {
        self.deleted.contains(&message)
    }

    /// Whether a message has yet to be read here.
    pub(crate) fn is_new(&self, message: SaidNo) -> bool {
        self.fate(message) == Fate::New
    }

    /// Whether a person has put an emoji on a message.
    pub(crate) fn has_put(&self, person: PersonNo, emoji: &str, message: SaidNo) -> bool {
        let authors = self.emojis.get(&message).and_then(|emojis| emojis.get(emoji));
        authors.is_some_and(|authors| authors.contains(&person))
    }

    /// When the last message of a stranger came that is still here.
    pub(crate) fn last_of(&self, stranger: PersonNo) -> Option<Tick> {
        let messages = self.messages(Place::between(self.own, stranger)).into_iter();
        messages
            .filter(|message| self.model.author(*message) == stranger)
            .filter_map(|message| self.came(message))
            .max()
    }

    fn came(&self, message: SaidNo) -> Option<Tick> {
        match self.model.said[message].copies.get(&self.own) {
            Some(Copy::Taken(at)) => Some(*at),
            _ => None,
        }
    }

    fn is_in(&self, place: Place, message: SaidNo) -> bool {
        let author = self.model.author(message);
        let is_declined = |(peer, until): &(PersonNo, Tick)| {
            *peer == author
                && place == Place::between(author, self.own)
                && author != self.own
                && self.came(message).is_some_and(|at| at <= *until)
        };
        self.model.said[message].place == place && !self.declined.iter().any(is_declined) && self.is_in_group(message)
    }

    /// Whether a message is shown in its group, if it is of one: it came for the membership that the person has now, or one that they
    /// have not declined.
    fn is_in_group(&self, message: SaidNo) -> bool {
        let Place::Group(group) = self.model.said[message].place else { return true };
        let (changes, hidden) = &self.groups[group];
        let is_hidden = match hidden {
            Hidden::Nothing => false,
            Hidden::Before(again, at) => match self.came(message) {
                Some(came) => at.is_some_and(|at| came < at),
                None => message < *again,
            },
            Hidden::All => true,
        };
        !is_hidden && self.model.said[message].seen.is_subset(changes)
    }

    /// Whether a message is one that people write, of which others can say something.
    pub(crate) fn is_written(&self, message: SaidNo) -> bool {
        !matches!(self.model.said[message].what, What::Change(_))
    }

    /// The text of a message as it is now, and whether that is another than at first; none if it was taken back.
    fn text(&self, message: SaidNo) -> Option<(&str, bool)> {
        if self.is_deleted(message) {
            return None;
        }
        match (&self.model.said[message].what, self.edits.get(&message)) {
            (_, Some(text)) => Some((text, true)),
            (What::Text(text) | What::Reply { text, .. }, None) => Some((text, false)),
            _ => None,
        }
    }

    fn answered(&self, place: Place, message: SaidNo) -> Answered {
        if !self.messages.contains(&message) || !self.is_in(place, message) {
            return Answered::NotHere;
        }
        self.text(message).map_or(Answered::Deleted, |(text, _)| Answered::Text(text.to_owned()))
    }

    fn fate(&self, message: SaidNo) -> Fate {
        let said = &self.model.said[message];
        // A note for the other devices is new there.
        let is_note = said.place == Place::Direct(self.own, self.own) && said.by != self.device;
        if self.model.author(message) != self.own || is_note {
            return if self.read.contains(&message) { Fate::Read } else { Fate::New };
        }
        // On the other devices it came as one that was sent.
        if said.by != self.device {
            return Fate::Sent;
        }
        let to_others = said.copies.iter().filter(|(person, _)| **person != self.own || said.copies.len() == 1);
        let copies: Vec<Copy> = to_others.map(|(_, copy)| *copy).collect();
        if copies.is_empty() {
            Fate::Sent
        } else if copies.iter().any(|copy| matches!(copy, Copy::Waiting | Copy::Never)) {
            Fate::Pending
        } else if copies.iter().any(|copy| matches!(copy, Copy::Taken(_))) {
            Fate::Sent
        } else {
            Fate::Failed
        }
    }

    fn line(&self, message: SaidNo) -> Line {
        let said = &self.model.said[message];
        let name = |person: PersonNo| self.model.people[person].clone();
        let text = self.text(message).map(|(text, is_edited)| (text.to_owned(), is_edited));
        let text = text.or_else(|| Some((self.told(message)?, false)));
        let answers = match &said.what {
            What::Reply { to, .. } if text.is_some() => Some(self.answered(said.place, *to)),
            _ => None,
        };
        let emojis = self.emojis.get(&message).filter(|_| text.is_some()).into_iter().flatten();
        let emojis = emojis.filter(|(_, authors)| !authors.is_empty());
        let peer = said.place.peer_of(self.own).filter(|peer| *peer != self.own);
        Line {
            author: name(self.model.author(message)),
            is_edited: text.as_ref().is_some_and(|(_, is_edited)| *is_edited),
            text: text.as_ref().map(|(text, _)| text.clone()),
            answers,
            emojis: emojis
                .map(|(emoji, authors)| ((*emoji).to_owned(), authors.iter().map(|author| name(*author)).collect()))
                .collect(),
            is_request: match said.place {
                Place::Group(group) => self.answer(group) == Some(Answer::Requested),
                _ => peer.is_some_and(|peer| self.stand(peer) == Stand::Stranger),
            },
            fate: self.fate(message),
        }
    }

    fn answer(&self, group: GroupNo) -> Option<Answer> {
        self.model.answer(self.device, group, self.until)
    }

    /// What a change tells people.
    fn told(&self, message: SaidNo) -> Option<String> {
        let (group, _, change) = self.model.change(message)?;
        let name = |person: &PersonNo| self.model.people[*person].clone();
        let names = |people: &[PersonNo]| -> BTreeSet<String> { people.iter().map(name).collect() };
        let told = match change {
            Change::Found { name, members } => format!("founds {name:?} with {:?}", names(members)),
            Change::Add { members, is_admin } => format!("adds {:?}, as admins: {is_admin}", names(members)),
            Change::Remove { member } => format!("removes {}", name(member)),
            Change::Leave => "leaves".to_owned(),
            Change::SetAdmin { member, is_admin } => format!("says of {}, an admin: {is_admin}", name(member)),
            Change::Rename { name } => format!("calls it {name:?}"),
            Change::Affirm => "affirms".to_owned(),
        };
        let is_in_vain = self.model.is_in_vain(message, &self.groups[group].0);
        Some(if is_in_vain { format!("{told}, in vain") } else { told })
    }

    fn shown_group(&self, group: GroupNo) -> Option<ShownGroup> {
        if !self.model.shows_group(self.device, group, self.until) {
            return None;
        }
        let changes = &self.groups[group].0;
        let state = self.model.state_of(changes);
        let name = |person: &PersonNo| self.model.people[*person].clone();
        let members = state.members().iter().map(|person| (name(person), state.is_admin(*person))).collect();
        let membership = match self.answer(group)? {
            _ if !state.is_member(self.own) && state.has_left(self.own) => "left",
            _ if !state.is_member(self.own) => "removed",
            Answer::Requested => "requested",
            _ if state.is_admin(self.own) => "admin",
            _ => "member",
        };
        Some(ShownGroup { name: state.name, members, membership, changes: changes.len() })
    }

    /// What the device shows.
    pub(crate) fn view(&self) -> View {
        let mut view = View::default();
        for group in 0..self.model.groups {
            let lines: Vec<Line> =
                self.messages(Place::Group(group)).into_iter().map(|message| self.line(message)).collect();
            if !lines.is_empty() {
                view.places.insert(Place::Group(group), lines);
            }
            view.groups.extend(self.shown_group(group).map(|shown| (group, shown)));
        }
        for other in 0..self.model.people.len() {
            let place = Place::between(self.own, other);
            let lines: Vec<Line> = self.messages(place).into_iter().map(|message| self.line(message)).collect();
            if !lines.is_empty() {
                view.places.insert(place, lines);
            }
            if other != self.own {
                view.stands.insert(other, self.stand(other));
            }
        }
        view
    }
}
