//! The graphs of the groups, read from the store once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rossby_crypto::group::{GroupGraph, GroupId};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use crate::Client;
use crate::error::ClientError;
use crate::random;
use crate::store::groups::{self as rows, GroupVersion};

/// A group's graph, and when this device learned of each of its changes.
#[derive(Debug, Clone)]
pub(super) struct KnownGraph {
    pub(super) graph: GroupGraph,
    learned: HashMap<Sha256Digest, Timestamp>,
    /// Under which these changes stand in the store.
    version: GroupVersion,
}

impl KnownGraph {
    /// A graph of changes that this device learns of now.
    pub(super) fn new(graph: GroupGraph, now: Timestamp) -> Self {
        let learned = graph.changes().map(|change| (change.hash(), now)).collect();
        Self { graph, learned, version: None }
    }

    /// When this device learned of a change.
    pub(super) fn learned_at(&self, change: Sha256Digest) -> Option<Timestamp> {
        self.learned.get(&change).copied()
    }

    /// This device has learned of changes.
    pub(super) fn learn(&mut self, changes: &[Sha256Digest], now: Timestamp) {
        self.learned.extend(changes.iter().map(|change| (*change, now)));
    }
}

/// The graphs that were read last, or written. One that another process has added to since, or whose transaction was not committed,
/// stands under another version in the store, and is read again.
#[derive(Debug, Default)]
pub(crate) struct Graphs(Mutex<HashMap<GroupId, Arc<KnownGraph>>>);

impl Graphs {
    fn get(&self, id: GroupId) -> Option<Arc<KnownGraph>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(Arc::clone)
    }

    fn put(&self, graph: Arc<KnownGraph>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(graph.graph.id(), graph);
    }

    fn forget(&self, id: GroupId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Client {
    /// What a group is called here, if anything is known of it.
    pub(crate) async fn group_name(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
    ) -> Result<Option<String>, ClientError> {
        Ok(self.graph(connection, id).await?.map(|known| known.graph.state().name().to_owned()))
    }

    /// A group's graph, if its founding change is known.
    pub(super) async fn graph(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
    ) -> Result<Option<Arc<KnownGraph>>, ClientError> {
        let count = rows::count(connection, id).await?;
        if count == 0 {
            return Ok(None);
        }
        let version = rows::version(connection, id).await?;
        let is_current = |known: &Arc<KnownGraph>| known.version == version && known.graph.len() == count;
        if let Some(known) = self.graphs.get(id).filter(is_current) {
            return Ok(Some(known));
        }
        let kept = rows::changes(connection, &self.vault, id).await?;
        let learned = kept.iter().map(|((change, _), at)| (change.hash(), *at)).collect();
        let graph = GroupGraph::restored(kept.into_iter().map(|(kept, _)| kept));
        let graph = graph.map_err(|_| ClientError::DamagedStore("a group's changes do not follow on each other"))?;
        let known = Arc::new(KnownGraph { graph, learned, version });
        self.graphs.put(Arc::clone(&known));
        Ok(Some(known))
    }

    /// The same where all groups are gone through: one whose changes can't be read stops nothing in others.
    pub(super) async fn sound_graph(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
    ) -> Result<Option<Arc<KnownGraph>>, ClientError> {
        match self.graph(connection, id).await {
            Err(ClientError::DamagedStore(reason)) => {
                tracing::warn!(reason, "a group's changes can't be read");
                Ok(None)
            }
            other => other,
        }
    }

    /// Keeps what a graph has beyond the first `known` changes.
    pub(super) async fn keep_graph(
        &self,
        connection: &mut SqliteConnection,
        mut graph: KnownGraph,
        known: usize,
    ) -> Result<Arc<KnownGraph>, ClientError> {
        let (id, now) = (graph.graph.id(), self.now());
        for (place, (change, is_by_heir)) in graph.graph.kept().enumerate().skip(known) {
            rows::add_change(connection, &self.vault, id, (place, &(change.clone(), is_by_heir)), now).await?;
            rows::waits_no_more(connection, id, change.hash()).await?;
        }
        graph.version = Some(random::octets());
        rows::set_version(connection, id, graph.version).await?;
        let graph = Arc::new(graph);
        self.graphs.put(Arc::clone(&graph));
        Ok(graph)
    }
    /// Erases a group's changes, and what waits for others.
    pub(super) async fn erase_graph(&self, connection: &mut SqliteConnection, id: GroupId) -> Result<(), ClientError> {
        self.graphs.forget(id);
        rows::erase_changes(connection, id).await
    }
}
