//! Keeping a group's messages: shown if their authors were members by the changes that they name, and kept back until those
//! changes are known.

use rossby_crypto::group::{GroupContent, GroupId, GroupState};
use rossby_crypto::message::SignedContent;
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::body::{GROUP_CHANGES, GROUP_CONTENT, GroupChanges};
use super::graphs::KnownGraph;
use super::take::NO_ROOM;
use crate::Client;
use crate::account::Own;
use crate::content::{Content, FIRST_OWN_KIND, Kind};
use crate::error::ClientError;
use crate::messages::{Conversation, Refusal, Taken};
use crate::store::groups::{self as rows, Frame, FrameRow, GroupStanding, Waiting};
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::outbox::RecipientRow;
use crate::warning::Warning;

impl Client {
    /// Keeps a verified message that stands in a group's conversation. The inner error says why not.
    pub(crate) async fn keep_in_group(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        signed: &SignedContent,
        accepted_at: Timestamp,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let id = GroupId(signed.content().conversation);
        let known = rows::count(connection, id).await?;
        let message = Waiting { signed: signed.clone(), accepted_at, came_at: self.now(), is_told: false };
        let kept = self.keep_or_wait(connection, own, &message).await?;
        self.release_waiting(connection, own, id, known).await?;
        Ok(kept)
    }

    async fn keep_or_wait(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        message: &Waiting,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let content = message.signed.content();
        let row = rows::group(connection, GroupId(content.conversation)).await?;
        if row.is_some_and(|row| row.standing == GroupStanding::Declined) && content.kind != GROUP_CHANGES {
            return Ok(Ok(Taken::PassedOver));
        }
        match content.kind {
            GROUP_CHANGES => self.keep_changes(connection, own, message).await,
            GROUP_CONTENT => match GroupContent::parse(&content.body) {
                Ok(frame) => match check_inner(&frame) {
                    Ok(()) => self.keep_content(connection, own, message, frame).await,
                    Err(reason) => Ok(Err(Refusal::Because(reason))),
                },
                Err(error) => Ok(Err(Refusal::of(&format!("a message of a group is malformed: {error}")))),
            },
            kind => Ok(Err(Refusal::of(&format!("a message of kind {kind} can't be one of a group")))),
        }
    }

    async fn keep_changes(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        message: &Waiting,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let Waiting { signed, accepted_at, .. } = message;
        let content = signed.content();
        let id = GroupId(content.conversation);
        let brought = GroupChanges::read(&content.body).and_then(|brought| {
            let changes = brought.signed_changes()?;
            if brought.group == id.0 { Ok(changes) } else { Err("its changes are of another group".to_owned()) }
        });
        let changes = match brought {
            Ok(changes) => changes,
            Err(reason) => return Ok(Err(Refusal::Because(reason))),
        };
        if !self.has_room(connection, own, id, content.sender).await? {
            return Ok(Err(Refusal::of(&NO_ROOM)));
        }
        let hashes: Vec<_> = changes.iter().map(|change| (change.hash(), change.change().author)).collect();
        self.take_changes(connection, own, id, changes).await?;
        match rows::group(connection, id).await?.map(|row| row.standing) {
            // This box is no member, by all that it names: it waits for nothing that could come.
            Some(GroupStanding::Unknown) if self.is_all_known(connection, own, id, &hashes).await? => {
                return Ok(Ok(Taken::PassedOver));
            }
            None | Some(GroupStanding::Unknown) => return self.keep_back(connection, message).await,
            Some(GroupStanding::Declined) => return Ok(Ok(Taken::PassedOver)),
            Some(GroupStanding::Requested | GroupStanding::Joined) => {}
        }
        // A change is shown where its author brings it, once those are known on which it was made.
        for (hash, _) in hashes.iter().filter(|(_, author)| *author == content.sender) {
            if rows::waits(connection, id, *hash).await? {
                return self.keep_back(connection, message).await;
            }
        }
        let chain = match self.place(connection, signed).await? {
            Ok(chain) => chain,
            Err(taken) => return Ok(taken),
        };
        let graph = self.graph(connection, id).await?;
        let is_shown = graph.is_some_and(|known| {
            hashes.iter().any(|(hash, author)| *author == content.sender && known.graph.contains(hash))
        });
        let stored = stored(own, signed, *accepted_at, (content.kind, content.body.clone()), is_shown);
        messages::insert(connection, &self.vault, &stored).await?;
        self.note_in_chain(connection, own, chain, signed, &[]).await?;
        Ok(Ok(Taken::New))
    }

    /// Whether these changes are known, and this box is no member by what is.
    async fn is_all_known(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        changes: &[(Sha256Digest, BoxId)],
    ) -> Result<bool, ClientError> {
        let known = self.graph(connection, id).await?;
        Ok(known.is_some_and(|known| {
            let is_member = known.graph.state().is_member(own.device.box_id);
            !is_member && changes.iter().all(|(hash, _)| known.graph.contains(hash))
        }))
    }

    async fn keep_content(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        waiting: &Waiting,
        frame: Frame,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let Waiting { signed, accepted_at, .. } = waiting;
        let accepted_at = *accepted_at;
        let content = signed.content();
        let (id, own_box) = (GroupId(content.conversation), own.device.box_id);
        let row = rows::group(connection, id).await?;
        let known = self.graph(connection, id).await?;
        let Some(known) = known.filter(|_| row.is_some_and(|row| row.standing != GroupStanding::Unknown)) else {
            return self.keep_back(connection, waiting).await;
        };
        let Ok(at) = known.graph.state_at(&frame.heads) else {
            return self.keep_back(connection, waiting).await;
        };
        if !at.is_member(content.sender) {
            return Ok(Err(Refusal::of(&"by the changes that it names its author was no member of the group")));
        }
        if !at.is_member(own_box) {
            return Ok(Err(Refusal::of(&"by the changes that it names this account was no member of the group")));
        }
        let chain = match self.place(connection, signed).await? {
            Ok(chain) => chain,
            Err(taken) => return Ok(taken),
        };
        let around = rows::chain_heads(connection, &self.vault, chain, content.sequence).await?;
        let sees = |one: &Frame, other: &Frame| known.graph.includes(&one.heads, &other.heads);
        let follows = around[0].as_ref().is_none_or(|before| sees(&frame, &before.frame))
            && around[1].as_ref().is_none_or(|after| sees(&after.frame, &frame));
        if !follows {
            return Ok(Err(Refusal::of(&"its author had seen changes of the group before that it leaves out")));
        }
        self.check_group_chain(connection, own, chain, signed, (&known, &at, around[0].as_ref())).await?;
        let is_late = !known.graph.state().is_member(content.sender);
        let kind = Kind::of(frame.kind);
        let stored = stored(own, signed, accepted_at, (frame.kind, frame.body.clone()), kind.is_shown());
        // Another of the own devices has sent it to all who were members there.
        let is_ours = content.sender == own_box;
        let others = at.members().filter(|(box_id, _)| is_ours && *box_id != own_box);
        let sent_to: Vec<RecipientRow> =
            others.map(|(box_id, _)| RecipientRow::new(box_id, State::Sent, Some(accepted_at))).collect();
        let message = self.file(connection, &stored, &sent_to).await?;
        // Nobody hears anything of a person who has not answered yet.
        let is_joined = row.is_some_and(|row| row.standing == GroupStanding::Joined);
        if !is_ours && is_joined {
            self.owe_delivered(connection, &stored).await?;
        }
        let seen = frame.seen.clone();
        let row = FrameRow { frame, signed: Some(signed.octets().clone()), is_late };
        rows::keep_frame(connection, &self.vault, message, &row, self.now()).await?;
        self.note_in_chain(connection, own, chain, signed, &seen).await?;
        if is_joined {
            self.tell_news(connection, own, &known, content.sender, &row.frame.heads).await?;
        }
        Ok(Ok(Taken::New))
    }

    /// The message's place in its sender's chain, if it is free; else what becomes of it.
    async fn place(
        &self,
        connection: &mut SqliteConnection,
        signed: &SignedContent,
    ) -> Result<Result<Chain, Result<Taken, Refusal>>, ClientError> {
        let content = signed.content();
        let (sender, device, conversation) = (content.sender, content.sender_device, content.conversation);
        let chain = Chain { sender, device, conversation };
        let held = messages::link(connection, &self.vault, chain, At::Exactly(content.sequence)).await?;
        Ok(match held {
            None => Ok(chain),
            Some(held) if held.hash == signed.link_hash() => Err(Ok(Taken::Duplicate)),
            Some(_) => Err(Err(Refusal::Told(Warning::TwoBodies { sender }))),
        })
    }

    /// Keeps a message until the changes come that it names.
    async fn keep_back(
        &self,
        connection: &mut SqliteConnection,
        message: &Waiting,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let (signed, content) = (&message.signed, message.signed.content());
        let id = GroupId(content.conversation);
        rows::hear(connection, id, self.now()).await?;
        let known = self.graph(connection, id).await?;
        let is_member = known.is_some_and(|known| known.graph.state().is_member(content.sender));
        Ok(match rows::keep_waiting(connection, &self.vault, message, is_member).await? {
            Ok(None) => Ok(Taken::Waiting),
            Ok(Some(held)) if held.link_hash() == signed.link_hash() => Ok(Taken::Duplicate),
            Ok(Some(_)) => Err(Refusal::Told(Warning::TwoBodies { sender: content.sender })),
            Err(reason) => Err(Refusal::of(&reason)),
        })
    }

    /// Keeps the messages of a group that waited for changes, if more than `known` changes are there, as far as those are the ones
    /// that they name. A message can bring changes itself, so it is looked again as long as there are more.
    pub(super) async fn release_waiting(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        mut known: usize,
    ) -> Result<(), ClientError> {
        loop {
            let count = rows::count(connection, id).await?;
            if count == known {
                return Ok(());
            }
            known = count;
            for waiting in rows::take_waiting(connection, &self.vault, id).await? {
                if let Err(refusal) = self.keep_or_wait(connection, own, &waiting).await? {
                    let (group, sender) = (id.0, waiting.signed.content().sender);
                    let warning = match refusal {
                        Refusal::Told(warning) => warning,
                        Refusal::Because(reason) => Warning::RefusedGroupMessage { group, sender, reason },
                    };
                    self.warn(connection, &warning).await?;
                }
            }
        }
    }

    /// Warns of what is missing before a message, and of what does not fit around it. What was sent while this box was no member
    /// is not missing.
    async fn check_group_chain(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        chain: Chain,
        signed: &SignedContent,
        (known, at, before): (&KnownGraph, &GroupState, Option<&FrameRow>),
    ) -> Result<(), ClientError> {
        let (content, sender) = (signed.content(), chain.sender);
        let Some(link) = messages::link(connection, &self.vault, chain, At::Before(content.sequence)).await? else {
            return self.check_next(connection, chain, signed).await;
        };
        let missing = content.sequence - 1 - link.sequence;
        let was_member = before.and_then(|before| known.graph.state_at(&before.frame.heads).ok());
        if missing == 0 && content.previous != Some(link.hash) {
            self.warn(connection, &Warning::BrokenChain { sender }).await?;
        } else if missing > 0 && was_member.is_some_and(|was| stays_member(own, &was, at)) {
            self.warn(connection, &Warning::Gap { sender, missing }).await?;
        }
        self.check_next(connection, chain, signed).await
    }

    /// Warns if the message after it, which came before it, follows after another one.
    async fn check_next(
        &self,
        connection: &mut SqliteConnection,
        chain: Chain,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        let (content, sender) = (signed.content(), chain.sender);
        let next = messages::link(connection, &self.vault, chain, At::Exactly(content.sequence + 1)).await?;
        if next.is_some_and(|next| next.previous != Some(signed.link_hash())) {
            self.warn(connection, &Warning::BrokenChain { sender }).await?;
        }
        Ok(())
    }
}

/// Whether this box is a member by the same addition in both states.
pub(super) fn stays_member(own: &Own, one: &GroupState, other: &GroupState) -> bool {
    let member = |state: &GroupState| state.member(own.device.box_id).map(|member| member.seniority);
    member(one).is_some() && member(one) == member(other)
}

/// What a group's message may say: what people say to each other, and what is not known yet.
fn check_inner(frame: &GroupContent) -> Result<(), String> {
    let kind = Kind::of(frame.kind);
    if frame.kind >= FIRST_OWN_KIND || !(kind.is_shown() || kind.is_notice()) || is_of_groups(frame.kind) {
        return Err(format!("a message of kind {} can't stand in one of a group", frame.kind));
    }
    match Content::decode(kind, &frame.body) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("a message of kind {} is malformed: {error}", frame.kind)),
    }
}

/// Whether a kind is of a message of groups itself.
pub(crate) const fn is_of_groups(kind: u32) -> bool {
    matches!(kind, super::body::GROUP_CHANGES | super::body::GROUP_CONTENT | super::body::GROUP_REQUEST)
}

/// A group's message as it is stored.
fn stored(
    own: &Own,
    signed: &SignedContent,
    accepted_at: Timestamp,
    (kind, body): (u32, Octets),
    is_shown: bool,
) -> StoredMessage {
    let content = signed.content();
    let is_told = is_shown || Kind::of(kind).is_notice();
    let state = match (content.sender == own.device.box_id, is_told) {
        (true, _) => State::Sent,
        (false, true) => State::New,
        (false, false) => State::Read,
    };
    StoredMessage {
        id: 0,
        thread: Conversation::Group(content.conversation),
        conversation: content.conversation,
        sender: content.sender,
        sender_device: content.sender_device,
        sequence: content.sequence,
        previous: content.previous,
        link_hash: signed.link_hash(),
        message_id: content.message_id,
        time: content.time,
        accepted_at: Some(accepted_at),
        kind,
        body,
        state,
        is_shown,
    }
}
