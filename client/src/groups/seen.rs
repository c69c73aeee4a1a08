//! What members have seen of each other: each message names the last ones that its author had seen. By these a member who told
//! others something else under one number is found out, and what is missing is known.

use std::time::Duration;

use rossby_crypto::group::{GroupId, MAX_SEEN, SeenMessage};
use rossby_crypto::message::SignedContent;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::body::{GroupRequest, MAX_MESSAGES, MessagePlace};
use super::keep::stays_member;
use crate::Client;
use crate::account::Own;
use crate::content::Standing;
use crate::error::ClientError;
use crate::store::device::Device;
use crate::store::groups::{self as rows, GroupStanding, Missing};
use crate::store::messages::{self, At, Chain};
use crate::store::{peers, records};
use crate::warning::Warning;

/// After which time the person is told that a message is missing which another member has seen.
const PATIENCE: Duration = Duration::from_secs(3600);
/// How long messages are kept as they were signed, to be shown to whoever was told something else: as long as one can be on its
/// way.
const KEPT_SIGNED: Duration = Duration::from_secs(32 * 24 * 3600);

fn chain_of(id: GroupId, seen: &SeenMessage) -> Chain {
    Chain { sender: seen.sender, device: seen.device, conversation: id.0 }
}

impl Client {
    /// The messages that a message which is written now refers to. They are referred to from then on.
    pub(super) async fn refer_to_seen(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        id: GroupId,
    ) -> Result<Vec<SeenMessage>, ClientError> {
        let own = (device.box_id, device.device_id);
        let seen = rows::frontier(connection, &self.vault, id, own, MAX_SEEN).await?;
        for seen in &seen {
            rows::note_reference(connection, chain_of(id, seen), seen.sequence).await?;
        }
        Ok(seen)
    }

    /// A message is here: what it refers to is looked at, and what others said of it.
    pub(super) async fn note_in_chain(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        chain: Chain,
        signed: &SignedContent,
        seen: &[SeenMessage],
    ) -> Result<(), ClientError> {
        let (id, sequence) = (GroupId(chain.conversation), signed.content().sequence);
        rows::note_message(connection, chain, sequence).await?;
        for (by, hash) in rows::missing_at(connection, &self.vault, chain, sequence).await? {
            if hash != signed.link_hash() {
                // What was referred to was another one.
                rows::unnote_reference(connection, chain, sequence).await?;
                let place = SeenMessage { sender: chain.sender, device: chain.device, sequence, hash };
                self.suspect(connection, own, id, place, by).await?;
            }
        }
        rows::forget_missing(connection, chain, sequence).await?;
        for seen in seen {
            self.look_at(connection, own, id, *seen, signed).await?;
        }
        Ok(())
    }

    /// Looks whether what a member says to have seen is what is here.
    async fn look_at(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        seen: SeenMessage,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        let (chain, by) = (chain_of(id, &seen), signed.content().sender);
        match messages::link(connection, &self.vault, chain, At::Exactly(seen.sequence)).await? {
            Some(held) if held.hash == seen.hash => rows::note_reference(connection, chain, seen.sequence).await,
            Some(_) => {
                let evidence = [signed.octets().as_slice()];
                rows::keep_evidence(connection, &self.vault, id, seen.sender, &evidence, self.now()).await?;
                self.suspect(connection, own, id, seen, by).await
            }
            None => {
                rows::note_reference(connection, chain, seen.sequence).await?;
                let is_expected = self.is_expected(connection, own, chain, seen.sequence).await?;
                let missing = Missing { message: seen, by };
                rows::keep_missing(connection, &self.vault, id, &missing, is_expected, self.now()).await
            }
        }
    }

    /// Whether this box should have a message: it was a member at the last one before it of the same device that is here, and is.
    /// Whoever is blocked sends it none.
    async fn is_expected(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        chain: Chain,
        sequence: u64,
    ) -> Result<bool, ClientError> {
        if peers::state(connection, chain.sender).await?.standing == Standing::Blocked {
            return Ok(false);
        }
        let [before, _] = rows::chain_heads(connection, &self.vault, chain, sequence).await?;
        let known = self.graph(connection, GroupId(chain.conversation)).await?;
        let (Some(before), Some(known)) = (before, known) else { return Ok(false) };
        let was = known.graph.state_at(&before.frame.heads);
        Ok(was.is_ok_and(|was| stays_member(own, &was, known.graph.state())))
    }

    /// A member has seen another message under a number than this box: one of the two lies, or a third has told them different
    /// things. The person is told, and the member is asked for what it has.
    async fn suspect(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        seen: SeenMessage,
        by: BoxId,
    ) -> Result<(), ClientError> {
        let (group, author) = (id.0, seen.sender);
        self.warn(connection, &Warning::GroupDiffers { group, author, by }).await?;
        // What it says is compared with what it shows.
        rows::keep_missing(connection, &self.vault, id, &Missing { message: seen, by }, false, self.now()).await?;
        let Some(known) = self.graph(connection, id).await? else { return Ok(()) };
        let is_joined = rows::group(connection, id).await?.is_some_and(|row| row.standing == GroupStanding::Joined);
        if by == own.device.box_id || !is_joined || !known.graph.state().is_member(by) {
            return Ok(());
        }
        let place = MessagePlace { sender: seen.sender, device: seen.device, sequence: seen.sequence };
        let heads = GroupRequest::heads_of(known.graph.heads());
        let request = GroupRequest { group, heads, records: Vec::new(), messages: vec![place] };
        self.ask_member(connection, &own.device, by, &request).await
    }

    /// Looks at others' messages that a member shows as they were signed for it: with another hash than the one that is here, its
    /// author told members different things.
    pub(super) async fn look_at_shown(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
        shown: &[Octets],
        by: BoxId,
    ) -> Result<(), ClientError> {
        for octets in shown.iter().take(MAX_MESSAGES) {
            let Ok(signed) = SignedContent::parse(octets.clone()) else { continue };
            let content = signed.content();
            let author = content.sender;
            let Some(record) = records::key_record(connection, author).await? else { continue };
            if content.conversation != id.0 || signed.verify(&record).is_err() {
                continue;
            }
            let chain = Chain { sender: author, device: content.sender_device, conversation: id.0 };
            let said = rows::missing_at(connection, &self.vault, chain, content.sequence).await?;
            let held = messages::link(connection, &self.vault, chain, At::Exactly(content.sequence)).await?;
            let Some(held) = held else { continue };
            if held.hash != signed.link_hash() {
                let own = rows::signed_at(connection, &self.vault, chain, content.sequence).await?;
                let evidence: Vec<&[u8]> =
                    [Some(octets), own.as_ref()].into_iter().flatten().map(Octets::as_slice).collect();
                rows::keep_evidence(connection, &self.vault, id, author, &evidence, self.now()).await?;
                self.warn(connection, &Warning::GroupEquivocation { group: id.0, author }).await?;
            } else if said.iter().any(|(sayer, hash)| *sayer == by && *hash != held.hash) {
                // It has what this box has, and said that it has something else.
                self.warn(connection, &Warning::GroupMisreport { group: id.0, by }).await?;
            }
            rows::forget_missing(connection, chain, content.sequence).await?;
        }
        Ok(())
    }

    /// Tells the person what has been missing for long, and erases what is kept no longer.
    pub(super) async fn tell_missing(&self, connection: &mut SqliteConnection) -> Result<(), ClientError> {
        let before = self.now().minus(PATIENCE);
        for (id, author, missing) in rows::untold_missing(connection, before).await? {
            self.warn(connection, &Warning::GroupMissing { group: id.0, author, missing }).await?;
        }
        rows::told_missing(connection, before).await?;
        for (id, sender, waiting) in rows::tell_waiting(connection, before).await? {
            self.warn(connection, &Warning::GroupWaiting { group: id.0, sender, waiting }).await?;
        }
        let old = self.now().minus(KEPT_SIGNED);
        rows::erase_old_signatures(connection, old).await?;
        for id in rows::declined_with_changes(connection, before).await? {
            self.erase_graph(connection, id).await?;
        }
        rows::forget_unknown(connection, old).await
    }
}
