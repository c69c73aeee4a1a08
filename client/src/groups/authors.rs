//! The key records of those who made changes: brought with them, or looked up. A stranger can write down as many authors as a message
//! has room for, so only those are asked for whose changes would be taken, few at a time, and each once in an hour.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rossby_crypto::group::{GroupId, SignedChange};
use rossby_crypto::message::MessageContent;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::body::GroupChanges;
use crate::Client;
use crate::account::Own;
use crate::contacts::Peer;
use crate::error::ClientError;
use crate::messages::is_final;
use crate::store::groups::{self as rows, GroupStanding};
use crate::store::records;
use crate::warning::Warning;

/// How many authors are looked up for one message, and for what waits.
const MAX_AT_ONCE: usize = 16;
/// How many in an hour.
const MAX_IN_AN_HOUR: usize = 64;
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Whom this device has looked up lately.
#[derive(Debug, Default)]
pub(crate) struct AuthorLookups(Mutex<HashMap<BoxId, Timestamp>>);

impl AuthorLookups {
    /// Whether somebody may be looked up now. Then they are.
    fn may_ask(&self, author: BoxId, now: Timestamp) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| *at > now.minus(AN_HOUR));
        let may_ask = asked.len() < MAX_IN_AN_HOUR && !asked.contains_key(&author);
        if may_ask {
            asked.insert(author, now);
        }
        may_ask
    }

    /// The server did not say.
    fn was_not_told(&self, author: BoxId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&author);
    }
}

impl Client {
    /// Learns the key records that a message of groups brings, and looks up those of authors that it doesn't. It asks the server,
    /// so it comes before the message is kept. Changes of those who are not looked up now wait.
    pub(crate) async fn learn_authors(&self, own: &Own, content: &MessageContent) -> Result<(), ClientError> {
        let Ok(brought) = GroupChanges::read(&content.body) else { return Ok(()) };
        let Ok(changes) = brought.signed_changes() else { return Ok(()) };
        let id = GroupId(brought.group);
        let mut connection = self.store.read().await?;
        if !self.has_room(&mut connection, own, id, content.sender).await? {
            return Ok(());
        }
        drop(connection);
        for record in &brought.records {
            match self.keep_brought_record(record.box_id, &record.statements, &record.sealing_statements).await {
                Ok(_) => {}
                Err(ClientError::Forked(box_id)) => self.warn_alone(&Warning::Fork(box_id)).await?,
                Err(ClientError::BadRecord { box_id, reason }) => {
                    tracing::debug!(%box_id, %reason, "a key record that a member brings is refused");
                }
                Err(error) => return Err(error),
            }
        }
        let mut connection = self.store.read().await?;
        let authors = self.unknown_authors(&mut connection, id, changes).await?;
        drop(connection);
        self.look_up_authors(authors).await?;
        Ok(())
    }

    /// Looks up the authors of changes that wait in groups in which the person takes part, and takes those changes.
    pub(crate) async fn look_up_waiting_authors(&self, own: &Own) -> Result<(), ClientError> {
        let mut connection = self.store.read().await?;
        let mut wanted = Vec::new();
        for id in rows::joined_with_waiting_changes(&mut connection).await? {
            wanted.push((id, self.unknown_authors(&mut connection, id, Vec::new()).await?));
        }
        drop(connection);
        for (id, authors) in wanted {
            if self.look_up_authors(authors).await? > 0 {
                let mut transaction = self.store.begin().await?;
                self.take_changes_and_release(&mut transaction, own, id, Vec::new()).await?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// The authors of changes, of these and of those that wait, whose key records are not known as far as the changes name them. Only
    /// of changes that follow on what is known: what follows on nothing would wait in any case.
    async fn unknown_authors(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
        changes: Vec<SignedChange>,
    ) -> Result<Vec<BoxId>, ClientError> {
        if rows::group(connection, id).await?.is_some_and(|row| row.standing == GroupStanding::Declined) {
            return Ok(Vec::new());
        }
        let known = self.sound_graph(connection, id).await?;
        let waiting = rows::put_off_of(connection, &self.vault, id).await?;
        let (mut follows, mut authors) = (HashSet::new(), Vec::new());
        for signed in changes.into_iter().chain(waiting) {
            let (hash, change) = (signed.hash(), signed.change());
            let is_known = |hash: &Sha256Digest| known.as_ref().is_some_and(|known| known.graph.contains(hash));
            let is_founding = change.group.is_none() && known.is_none();
            let is_next = change.parents.iter().all(|parent| is_known(parent) || follows.contains(parent));
            if is_known(&hash) || !(is_founding || (change.group.is_some() && is_next)) {
                continue;
            }
            follows.insert(hash);
            let record = records::key_record(connection, change.author).await?;
            let is_new = record.is_none_or(|record| record.head().version < change.head.version);
            if is_new && !authors.contains(&change.author) {
                authors.push(change.author);
            }
        }
        Ok(authors)
    }

    /// Looks up as many of these as may be. Gives how many were found. A server that has had enough of this device for the moment is
    /// asked later.
    async fn look_up_authors(&self, authors: Vec<BoxId>) -> Result<usize, ClientError> {
        let (mut asked, mut found) = (0, 0);
        for author in authors {
            if asked == MAX_AT_ONCE {
                break;
            }
            if !self.author_lookups.may_ask(author, self.now()) {
                continue;
            }
            asked += 1;
            match self.look_up(&Peer::Box(author)).await {
                Ok(_) => found += 1,
                Err(error) if is_final(&error) => {}
                Err(error) => {
                    self.author_lookups.was_not_told(author);
                    if error.asked_to_wait().is_some() {
                        break;
                    }
                    return Err(error);
                }
            }
        }
        Ok(found)
    }
}
