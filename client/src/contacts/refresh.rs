//! Other people's records are asked for again once a day, all in one batch and at no fixed time. Nothing is asked when a message
//! comes, but for what its verification lacks: else the server could tell from the question who wrote it.

use std::time::Duration;

use rossby_schemas::ids::BoxId;

use super::Peer;
use crate::Client;
use crate::error::ClientError;
use crate::random;
use crate::store::{contacts, refresh};
use crate::warning::Warning;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// By how much a batch comes earlier or later than a day after the one before.
const JITTER: Duration = Duration::from_secs(4 * 3600);
/// How many boxes are asked for in one batch. Those that are left come a while later.
const LARGEST: u32 = 50;
/// When a batch is gone on with that was too large, or broke off: this, and up to as much again.
const LATER: Duration = Duration::from_secs(1800);

impl Client {
    /// Asks for the records of accepted and verified people, if it is time.
    pub(crate) async fn refresh_contacts(&self) -> Result<(), ClientError> {
        let now = self.now();
        let mut connection = self.store.read().await?;
        let next_at = refresh::next_at(&mut connection).await?;
        // One from a clock that was far ahead counts for nothing.
        if next_at.is_some_and(|at| now < at && at < now.plus(2 * DAY)) {
            return Ok(());
        }
        // A device that is new, or was idle, does not ask at the moment at which it is used first.
        let later = now.plus(LATER + up_to(LATER));
        let claimed = if next_at.is_none() { now.plus(up_to(DAY)) } else { later };
        if !refresh::set_next_at(&mut connection, next_at, claimed).await? || next_at.is_none() {
            return Ok(());
        }
        let due = refresh::due(&mut connection, (now.minus(DAY - JITTER), now), LARGEST + 1).await?;
        drop(connection);
        let is_all = due.len() <= usize::try_from(LARGEST).unwrap_or(usize::MAX);
        for box_id in due.into_iter().take(usize::try_from(LARGEST).unwrap_or(usize::MAX)) {
            if let Err(error) = self.refresh_contact(box_id).await {
                tracing::debug!(%error, "the records are asked for again later");
                return Ok(());
            }
        }
        if is_all {
            let tomorrow = now.plus(DAY - JITTER + up_to(2 * JITTER));
            refresh::set_next_at(&mut *self.store.read().await?, Some(claimed), tomorrow).await?;
        }
        Ok(())
    }

    /// Asks where a box's identifiers lead, and for the box itself if none leads to it.
    ///
    /// # Errors
    /// What makes it useless to go on with another one.
    async fn refresh_contact(&self, box_id: BoxId) -> Result<(), ClientError> {
        let mut connection = self.store.read().await?;
        let identifiers = contacts::pinned_to(&mut connection, box_id).await?;
        drop(connection);
        let by_identifier = identifiers.iter().filter_map(|identifier| identifier.parse().ok()).map(Peer::Identifier);
        let mut is_found = false;
        for peer in by_identifier.chain([Peer::Box(box_id)]) {
            if is_found && matches!(peer, Peer::Box(_)) {
                break;
            }
            match self.look_up(&peer).await {
                Ok(known) => is_found |= known.record.box_id() == box_id,
                Err(ClientError::Forked(box_id)) => self.warn_alone(&Warning::Fork(box_id)).await?,
                Err(ClientError::BadRecord { box_id, reason }) => {
                    let warning = Warning::RefusedRecord { box_id, reason: reason.to_string() };
                    self.warn_alone(&warning).await?;
                }
                Err(error) if is_about(&error) => {}
                Err(error) => return Err(error),
            }
        }
        refresh::asked(&mut *self.store.read().await?, box_id, self.now()).await
    }
}

/// Whether the answer is about the one who was asked for, and another one may be answered.
fn is_about(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(problem) => matches!(problem.status, 400 | 404 | 422),
        ClientError::BadAnswer(_) => true,
        _ => false,
    }
}

/// A random time, shorter than this one.
fn up_to(longest: Duration) -> Duration {
    let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(u64::from_be_bytes(random::octets()) % millis)
}
