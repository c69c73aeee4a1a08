//! The settings that a topic has in Kafka, and how they differ from what they should be.

use std::collections::BTreeMap;

use rdkafka::admin::{ConfigEntry, ConfigSource};
use rossby_schemas::topic::Retention;

use super::config::KafkaConfig;
use super::record::MAX_ENCODED_BYTES;
use crate::topics::{SettingDrift, TopicSpec};

/// Names and values as Kafka writes them.
pub(super) type Settings = BTreeMap<String, String>;

/// What a topic should have. A setting that happens to be the cluster's default is stated too: defaults change.
pub(super) fn wanted(spec: &TopicSpec, config: &KafkaConfig) -> Settings {
    let retention = match spec.retention() {
        Retention::Forever => "-1".to_owned(),
        Retention::For(duration) => duration.as_millis().to_string(),
    };
    // Mirroring again must not make old records young, so that mirrored records keep their time.
    let timestamps = if spec.name.mirrored_from.is_some() { "CreateTime" } else { "LogAppendTime" };
    let settings = [
        ("cleanup.policy", "delete".to_owned()),
        ("max.message.bytes", MAX_ENCODED_BYTES.to_string()),
        ("message.timestamp.type", timestamps.to_owned()),
        ("min.insync.replicas", config.min_insync_replicas.to_string()),
        ("retention.bytes", "-1".to_owned()),
        ("retention.ms", retention),
        ("segment.ms", spec.segment().as_millis().to_string()),
        ("unclean.leader.election.enable", "false".to_owned()),
    ];
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Which of the wanted settings the topic has otherwise.
pub(super) fn drift(wanted: &Settings, entries: &[ConfigEntry]) -> BTreeMap<String, SettingDrift> {
    let found = |name: &str| entries.iter().find(|entry| entry.name == name)?.value.clone();
    let differs = |(name, should_be): (&String, &String)| {
        let was = found(name);
        (was.as_ref() != Some(should_be)).then(|| (name.clone(), SettingDrift { was, should_be: should_be.clone() }))
    };
    wanted.iter().filter_map(differs).collect()
}

/// All settings that the topic is to have: changing some resets those that aren't sent, and what an operator has set
/// beside Rossby's stays.
pub(super) fn complete(wanted: Settings, entries: &[ConfigEntry]) -> Settings {
    let others = entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic && !entry.is_read_only);
    let mut all: Settings = others.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?))).collect();
    all.extend(wanted);
    all
}

#[cfg(test)]
mod tests {
    use rossby_schemas::topic::{Topic, TopicName};

    use super::*;

    fn entry(name: &str, value: &str, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.into(),
            value: Some(value.into()),
            is_default: source == ConfigSource::Default,
            source,
            is_read_only: false,
            is_sensitive: false,
        }
    }

    #[test]
    fn topics_have_what_follows_from_what_they_hold() {
        let config = KafkaConfig::new("b:1");
        let of = |name| wanted(&TopicSpec { name, partitions: 1 }, &config);
        let keys = of(TopicName::local(Topic::Keys));
        assert_eq!((keys["retention.ms"].as_str(), keys["min.insync.replicas"].as_str()), ("-1", "2"));
        assert_eq!(
            (keys["segment.ms"].as_str(), keys["message.timestamp.type"].as_str()),
            ("86400000", "LogAppendTime")
        );
        let signals = of(TopicName::local(Topic::Signals));
        assert_eq!((signals["retention.ms"].as_str(), signals["segment.ms"].as_str()), ("60000", "60000"));
        let mirrored = of(TopicName { mirrored_from: Some("east".into()), topic: Topic::Inbox });
        assert_eq!(mirrored["message.timestamp.type"], "CreateTime");
        assert_eq!(mirrored["retention.ms"], (32_u64 * 24 * 3600 * 1000).to_string());
    }

    #[test]
    fn what_an_operator_has_set_stays() {
        let wanted = Settings::from([("retention.ms".into(), "-1".into()), ("cleanup.policy".into(), "delete".into())]);
        let entries = [
            entry("retention.ms", "5", ConfigSource::DynamicTopic),
            entry("cleanup.policy", "delete", ConfigSource::Default),
            entry("flush.ms", "1000", ConfigSource::DynamicTopic),
            entry("segment.bytes", "1073741824", ConfigSource::StaticBroker),
        ];
        let drift = drift(&wanted, &entries);
        assert_eq!(drift.len(), 1);
        assert_eq!(drift["retention.ms"], SettingDrift { was: Some("5".into()), should_be: "-1".into() });
        let expected = [("cleanup.policy", "delete"), ("flush.ms", "1000"), ("retention.ms", "-1")];
        let complete = complete(wanted, &entries);
        assert_eq!(complete.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    }
}
