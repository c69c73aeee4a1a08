//! What an operator says of the cluster, and the settings of librdkafka that follow from it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rossby_schemas::topic::TopicName;
use secrecy::{ExposeSecret, SecretString};

use super::record::MAX_ENCODED_BYTES;
use crate::error::LogError;

/// What the contract rests on; nobody else may set these.
const OWN: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.enable",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "isolation.level",
    "message.max.bytes",
    "message.timeout.ms",
    "metadata.broker.list",
    "request.required.acks",
    "transactional.id",
];

/// Where the cluster is, and how its topics are to be kept.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Bootstrap servers, `HOST:PORT,HOST:PORT`.
    pub brokers: String,
    /// Replicas of each partition.
    pub replication: i32,
    /// Replicas that must have a record before it counts as written.
    pub min_insync_replicas: i32,
    /// After this an append is answered, whatever has become of it, and further ones are refused at once until the
    /// cluster answers.
    pub delivery_timeout: Duration,
    /// Whether the cluster is asked before each append whether it is there, so that one that isn't is *refused* and not
    /// *unknown*: for one that is far away and seldom written to.
    pub ask_first: bool,
    /// Put before the topics' names, for several services on one cluster.
    pub topic_prefix: String,
    /// Further settings of librdkafka, such as `security.protocol`. Those that the log's contract rests on are refused.
    pub settings: BTreeMap<String, SecretString>,
}

impl KafkaConfig {
    /// The cluster at `brokers`, with three replicas of which two must have a record, a delivery time-out of 5 seconds
    /// and no prefix.
    #[must_use]
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            replication: 3,
            min_insync_replicas: 2,
            delivery_timeout: Duration::from_secs(5),
            ask_first: false,
            topic_prefix: String::new(),
            settings: BTreeMap::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), LogError> {
        let failed = |why: &str| Err(LogError::Failed(format!("Kafka's settings: {why}")));
        if self.brokers.trim().is_empty() {
            return failed("no brokers are named");
        }
        if self.replication < 1 || self.min_insync_replicas < 1 || self.min_insync_replicas > self.replication {
            return failed("there must be at least as many replicas as have to be in sync, and at least one");
        }
        // Zero is for ever, in librdkafka.
        if self.delivery_timeout < Duration::from_millis(1) || self.delivery_timeout > Duration::from_secs(900) {
            return failed("the delivery time-out must be between a millisecond and 15 minutes");
        }
        if !self.topic_prefix.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            || self.topic_prefix.len() > 100
        {
            return failed("the prefix of topics may have letters, digits, '.', '_' and '-', 100 at most");
        }
        match self.settings.keys().find(|name| OWN.contains(&name.as_str())) {
            Some(name) => failed(&format!("{name} can't be set: Rossby sets it")),
            None => Ok(()),
        }
    }

    /// The topic's name in the cluster. A mirror puts the region before the name that the topic has there.
    pub(super) fn topic(&self, name: &TopicName) -> String {
        let local = format!("{}{}", self.topic_prefix, name.topic.name());
        match &name.mirrored_from {
            Some(region) => format!("{region}.{local}"),
            None => local,
        }
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // Natural batching: what gathers while requests are under way goes together, and when idle nothing waits.
            .set("linger.ms", "0")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.kbytes", (64 * 1024).to_string());
        self.shared(&mut config);
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", self.delivery_timeout.as_millis().to_string())
            .set("message.max.bytes", MAX_ENCODED_BYTES.to_string());
        config
    }

    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            // For each partition, since each has a queue of its own. A full one is looked at again soon.
            .set("queued.max.messages.kbytes", "2048")
            .set("fetch.queue.backoff.ms", "2")
            // A partition that joins waits for the fetch that is under way.
            .set("fetch.wait.max.ms", "100")
            .set("fetch.error.backoff.ms", "100")
            .set("check.crcs", "true");
        self.shared(&mut config);
        config
            // No group is joined; librdkafka wants a name before it lets partitions be assigned.
            .set("group.id", "rossby-without-group")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed");
        config
    }

    pub(super) fn admin(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        self.shared(&mut config);
        config
    }

    /// What all clients have; the operator's settings come after the defaults.
    fn shared(&self, config: &mut ClientConfig) {
        config
            .set("client.id", "rossby")
            .set("socket.timeout.ms", "10000")
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("retry.backoff.max.ms", "500")
            // Topics are asked for before records go to them, so that one that is missing is gone and not new.
            .set("topic.metadata.propagation.max.ms", "3000");
        for (name, value) in &self.settings {
            config.set(name, value.expose_secret());
        }
        // A topic that a broker makes by itself has none of its settings; producers would let it, by default.
        config.set("bootstrap.servers", &self.brokers).set("allow.auto.create.topics", "false");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rossby_schemas::topic::Topic;

    #[test]
    fn secrets_are_not_shown() {
        let mut config = KafkaConfig::new("b:1");
        config.settings.insert("sasl.password".into(), "s3cret".to_owned().into());
        let shown = format!("{config:?}");
        assert!(shown.contains("sasl.password") && !shown.contains("s3cret"), "{shown}");
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.producer().get("sasl.password"), Some("s3cret"));
    }

    #[test]
    fn what_the_contract_rests_on_cant_be_set() {
        for name in OWN {
            let mut config = KafkaConfig::new("b:1");
            config.settings.insert((*name).to_owned(), "1".to_owned().into());
            assert!(matches!(config.check(), Err(LogError::Failed(why)) if why.contains(name)), "{name}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let base = || KafkaConfig::new("b:1");
        let few = KafkaConfig { replication: 1, ..base() };
        let never = KafkaConfig { delivery_timeout: Duration::ZERO, ..base() };
        let prefix = KafkaConfig { topic_prefix: "a/b".into(), ..base() };
        for config in [KafkaConfig::new(" "), few, never, prefix] {
            assert!(matches!(config.check(), Err(LogError::Failed(_))), "{config:?}");
        }
    }

    #[test]
    fn mirrored_topics_have_the_region_first() {
        let config = KafkaConfig { topic_prefix: "test-".into(), ..KafkaConfig::new("b:1") };
        assert_eq!(config.topic(&TopicName::local(Topic::Keys)), "test-rossby.keys");
        let mirrored = TopicName { mirrored_from: Some("east".into()), topic: Topic::Keys };
        assert_eq!(config.topic(&mirrored), "east.test-rossby.keys");
    }
}
