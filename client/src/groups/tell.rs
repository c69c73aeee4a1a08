//! What the person is told of changes that came.

use std::collections::BTreeSet;

use rossby_crypto::group::{Action, GroupGraph, GroupId};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::graphs::KnownGraph;
use crate::Client;
use crate::error::ClientError;
use crate::store::{groups as rows, records};
use crate::warning::Warning;

/// Of how many refused changes the person is told that come together.
const MAX_TOLD_REFUSALS: usize = 8;

/// Whose changes were refused, if that is known, and why.
pub(super) type Refusals = BTreeSet<(Option<BoxId>, String)>;

impl Client {
    /// Tells of changes that were refused, each reason once, and not of all of them if they are many.
    pub(super) async fn tell_refused(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
        refusals: Refusals,
    ) -> Result<(), ClientError> {
        for (author, reason) in refusals.into_iter().take(MAX_TOLD_REFUSALS) {
            self.warn(connection, &Warning::RefusedGroupChange { group: id.0, author, reason }).await?;
        }
        Ok(())
    }

    /// Keeps the forks beyond the first `known` ones as evidence, and tells who made them.
    pub(super) async fn tell_forks(
        &self,
        connection: &mut SqliteConnection,
        graph: &KnownGraph,
        known: usize,
    ) -> Result<(), ClientError> {
        let (graph, id, mut told) = (&graph.graph, graph.graph.id(), BTreeSet::new());
        for fork in &graph.forks()[known..] {
            let both = [fork.one, fork.other].map(|hash| graph.change_of(&hash));
            let octets: Vec<&[u8]> = both.iter().flatten().map(|change| change.signed().octets().as_slice()).collect();
            rows::keep_evidence(connection, &self.vault, id, fork.author, &octets, self.now()).await?;
            if told.insert(fork.author) {
                self.warn(connection, &Warning::GroupFork { group: id.0, author: fork.author }).await?;
            }
        }
        Ok(())
    }

    /// Tells of changes that count and that a device has signed which is known to be removed: it may have done so before, and whoever
    /// has stolen it can say so.
    pub(super) async fn tell_removed_devices(
        &self,
        connection: &mut SqliteConnection,
        graph: &GroupGraph,
        taken: &[Sha256Digest],
    ) -> Result<(), ClientError> {
        let mut told = BTreeSet::new();
        for hash in taken {
            let Some(change) = graph.change_of(hash).map(|change| change.change()) else { continue };
            let (author, device) = (change.author, change.device);
            if change.action == Action::Affirm || graph.counts(hash) != Some(true) || told.contains(&(author, device)) {
                continue;
            }
            let record = records::key_record(connection, author).await?;
            let is_removed =
                record.and_then(|record| record.device(device).map(|device| device.removed_version.is_some()));
            if is_removed == Some(true) {
                told.insert((author, device));
                let warning = Warning::GroupChangedByRemovedDevice { group: graph.id().0, author };
                self.warn(connection, &warning).await?;
            }
        }
        Ok(())
    }
}
