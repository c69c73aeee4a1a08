//! Wake-ups: who waits for a projection hears of each batch that was committed, in this process or another.

use std::sync::Arc;
use std::time::Duration;

use rossby_log::Offset;
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::postgres::PgListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::projection::Projection;

/// The channel on which PostgreSQL tells other processes.
pub(crate) const CHANNEL: &str = "rossby_applied";
/// Who is slower than so many batches is told that it missed some, and looks for itself.
const BACKLOG: usize = 1024;
const RECONNECT: Duration = Duration::from_secs(1);

/// A batch was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The projection.
    pub projection: Projection,
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: u32,
    /// The offset that the projection applies next; none where it applied what it had passed before.
    pub next_offset: Option<Offset>,
}

impl Applied {
    /// As PostgreSQL's notifications carry it.
    pub(crate) fn text(&self) -> String {
        let text = format!("{}/{}/{}", self.projection, self.topic, self.partition);
        match self.next_offset {
            Some(offset) => format!("{text}/{offset}"),
            None => text,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let applied = Self {
            projection: Projection::by_name(parts.next()?)?,
            topic: parts.next()?.parse().ok()?,
            partition: parts.next()?.parse().ok()?,
            next_offset: parts.next().map(str::parse).transpose().ok()?,
        };
        parts.next().is_none().then_some(applied)
    }

    /// Whether it is of a topic, whichever region wrote it.
    #[must_use]
    pub fn is_of(&self, projection: Projection, topic: Topic) -> bool {
        self.projection == projection && self.topic.topic == topic
    }
}

/// Hands out wake-ups.
#[derive(Debug, Clone)]
pub(crate) struct Wakes {
    sender: broadcast::Sender<Applied>,
    /// Ends with the last of the wakes.
    _listener: Option<Arc<Listener>>,
}

#[derive(Debug)]
struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Wakes {
    /// Wake-ups within this process.
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), _listener: None }
    }

    /// Wake-ups from all processes of a PostgreSQL.
    pub(crate) fn listening(url: String) -> Self {
        let sender = broadcast::Sender::new(BACKLOG);
        let task = tokio::spawn(listen(url, sender.clone()));
        Self { sender, _listener: Some(Arc::new(Listener(task))) }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Applied> {
        self.sender.subscribe()
    }

    pub(crate) fn wake(&self, applied: Applied) {
        // Fails when nobody waits.
        let _ = self.sender.send(applied);
    }
}

/// Who waits looks each second in any case, so a connection that is lost only makes things slower.
async fn listen(url: String, sender: broadcast::Sender<Applied>) {
    loop {
        match PgListener::connect(&url).await {
            Err(_) => tracing::warn!("PostgreSQL's notifications can't be listened to; trying again"),
            Ok(mut listener) => {
                if listener.listen(CHANNEL).await.is_ok() {
                    while let Ok(notification) = listener.recv().await {
                        if let Some(applied) = Applied::parse(notification.payload()) {
                            let _ = sender.send(applied);
                        }
                    }
                }
            }
        }
        tokio::time::sleep(RECONNECT).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_are_read_back() {
        let topic = TopicName::local(Topic::Keys);
        let applied = Applied { projection: Projection::Inbox, topic, partition: 3, next_offset: Some(42) };
        assert_eq!(applied.text(), "inbox/rossby.keys/3/42");
        assert_eq!(Applied::parse(&applied.text()), Some(applied.clone()));
        let without = Applied { next_offset: None, ..applied };
        assert_eq!(without.text(), "inbox/rossby.keys/3");
        assert_eq!(Applied::parse(&without.text()), Some(without));
        for bad in ["", "inbox/rossby.keys", "inbox/rossby.keys/3/4/5", "inbox/rossby.keys/3/x", "other/rossby.keys/3"]
        {
            assert_eq!(Applied::parse(bad), None, "{bad}");
        }
    }
}
