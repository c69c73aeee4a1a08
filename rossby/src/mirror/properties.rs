//! The properties of a MirrorMaker 2 towards one region.

use std::fmt::Write as _;

use rossby_log::providers::kafka::MAX_ENCODED_BYTES;
use rossby_schemas::topic::Topic;

use super::client_settings::{ClientSettings, translate};
use crate::config::Settings;

/// Writes them.
///
/// # Errors
/// A cluster's setting that can't be translated.
pub(super) fn text(settings: &Settings, towards: &str, listen: &str) -> anyhow::Result<String> {
    let names: Vec<&str> = settings.regions.iter().map(|region| region.name.as_str()).collect();
    let mut file = File::default();
    file.comment(&format!("MirrorMaker 2 towards the region {towards}: it brings the other regions' topics there."));
    file.comment("Written by `rossby mirror config`; write it anew when the settings change.");
    file.set("clusters", &names.join(","));
    for name in &names {
        let (brokers, more) = settings.cluster(name);
        let ClientSettings { java, left_out } = translate(&more)?;
        file.gap();
        file.set(&format!("{name}.bootstrap.servers"), brokers);
        for (setting, value) in &java {
            file.set(&format!("{name}.{setting}"), value);
        }
        if !left_out.is_empty() {
            file.comment(&format!("Of librdkafka alone, and left out: {}", left_out.join(", ")));
        }
        // Without it the source does not count as able to be mirrored exactly once.
        file.set(&format!("{name}.consumer.isolation.level"), "read_committed");
        // As large as a record may be.
        file.set(&format!("{name}.producer.max.request.size"), &(MAX_ENCODED_BYTES + 1024).to_string());
        file.set(&format!("{name}.producer.compression.type"), "lz4");
    }
    file.gap();
    let topics: Vec<&str> = Topic::ALL.iter().filter_map(|topic| topic.name().strip_prefix("rossby.")).collect();
    let prefix = settings.log.kafka_topic_prefix.replace('.', "[.]");
    let topics = format!("{prefix}rossby[.]({})", topics.join("|"));
    file.comment("Rossby's own topics, and of those only what the region itself has written.");
    for other in names.iter().filter(|name| **name != towards) {
        file.set(&format!("{other}->{towards}.enabled"), "true");
        file.set(&format!("{other}->{towards}.topics"), &topics);
        file.set(&format!("{towards}->{other}.enabled"), "false");
    }
    file.gap();
    file.comment("Exactly once: said of the cluster that is written to, or it does not count.");
    file.set(&format!("{towards}.exactly.once.source.support"), "enabled");
    file.comment("What a process did that has died, another does at once, or the same one when it is back.");
    file.set(&format!("{towards}.scheduled.rebalance.max.delay.ms"), "0");
    file.comment("The processes of one mirror reach each other here.");
    file.set("dedicated.mode.enable.internal.rest", "true");
    file.set("listeners", listen);
    file.gap();
    file.comment(
        "`rossby topics apply` makes topics and their settings; offsets are not translated, nobody uses them.",
    );
    for name in [
        "sync.topic.configs.enabled",
        "sync.topic.acls.enabled",
        "sync.group.offsets.enabled",
        "refresh.groups.enabled",
        "emit.checkpoints.enabled",
        "emit.heartbeats.enabled",
        "heartbeats.replication.enabled",
        // Then none of its other settings may be there.
        "emit.offset-syncs.enabled",
    ] {
        file.set(name, "false");
    }
    file.set("refresh.topics.interval.seconds", "30");
    file.gap();
    file.comment("The mirror's own topics.");
    for name in [
        "replication.factor",
        "config.storage.replication.factor",
        "offset.storage.replication.factor",
        "status.storage.replication.factor",
        "checkpoints.topic.replication.factor",
        "heartbeats.topic.replication.factor",
    ] {
        file.set(name, &settings.log.kafka_replication.to_string());
    }
    Ok(file.0)
}

/// A file of Java properties.
#[derive(Default)]
struct File(String);

impl File {
    fn comment(&mut self, text: &str) {
        self.0 += &format!("# {}\n", escaped(text));
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn set(&mut self, name: &str, value: &str) {
        self.0 += &format!("{name} = {}\n", escaped(value));
    }
}

/// A value as `java.util.Properties` reads it back.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, c) in text.char_indices() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            ' ' if index == 0 => escaped.push_str("\\ "),
            ' '..='~' => escaped.push(c),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = r#"
[region]
number = 2
name = "west"
[log]
provider = "kafka"
kafka_topic_prefix = "a.b-"
kafka_settings = { "security.protocol" = "ssl", "ssl.ca.location" = "/etc/ca.pem", "socket.timeout.ms" = "9000" }
[blobs]
folder = "/shared"
[[regions]]
number = 1
name = "east"
kafka_brokers = "e1:9092,e2:9092"
kafka_settings = { "security.protocol" = "sasl_ssl", "sasl.mechanism" = "PLAIN", "sasl.username" = "r", "sasl.password" = "s\\ü" }
identifier_slots = "0-511"
[[regions]]
number = 2
name = "west"
kafka_brokers = "w1:9092"
identifier_slots = "512-1023"
[[regions]]
number = 3
name = "south"
kafka_brokers = "s1:9092"
"#;

    #[test]
    fn the_properties_are_these() {
        let settings: Settings = toml::from_str(SETTINGS).unwrap();
        insta::assert_snapshot!(text(&settings, "west", "http://127.0.0.1:8083").unwrap());
    }

    #[test]
    fn values_are_escaped_as_java_reads_them() {
        assert_eq!(escaped(" a\\b\nü😀 ="), "\\ a\\\\b\\n\\u00fc\\ud83d\\ude00 =");
    }
}
