//! What a mirror between two regions does, for tests that have logs in one process.

use std::sync::Arc;

use rossby_log::{BatchLimit, Log};
use rossby_schemas::topic::{Topic, TopicName};
use tokio::task::JoinSet;

/// Copies every record of a region's own topics into another region's log, under the topics' names there, in their partitions and
/// order, until it is dropped.
#[derive(Debug)]
pub struct Mirror(#[allow(dead_code, reason = "the tasks end with it")] JoinSet<()>);

impl Mirror {
    /// From a region with this name to another region's log, from the beginning on.
    pub async fn start(from: &Arc<dyn Log>, name: &str, to: &Arc<dyn Log>) -> Self {
        let mut tasks = JoinSet::new();
        for topic in Topic::ALL {
            let (local, mirrored) = (TopicName::local(topic), TopicName::mirrored(name, topic));
            for partition in 0..from.partitions(&local).await.unwrap() {
                let mut reader = from.read(&local, partition, 0).await.unwrap();
                let (to, mirrored) = (Arc::clone(to), mirrored.clone());
                tasks.spawn(async move {
                    // Ends when a log is closed.
                    while let Ok(batch) = reader.next(BatchLimit::default()).await {
                        for stored in batch.records {
                            if to.append(&mirrored, partition, stored.record).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        }
        Self(tasks)
    }
}
