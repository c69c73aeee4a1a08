//! Which events are meant.

use clap::Args;
use rossby_log::StoredRecord;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;

use super::json;
use super::scope::Scope;
use super::source::Source;

/// Which events are meant; all if nothing is said.
#[derive(Debug, Clone, Args)]
pub(super) struct FilterOptions {
    /// Only types that begin so, or match with * for anything; `org.rossby.` may be left out. May be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only these topics, such as rossby.keys or keys, or east.rossby.keys of another region. May be given several times
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only what concerns this box: its own events, and the whole streams of identifiers that named it
    #[arg(long = "box", value_name = "BOX_ID")]
    box_id: Option<BoxId>,
    /// Only events that the log took at this time or later, in RFC 3339, as 2026-11-24T09:30:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only events that the log took at this time or before
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
}

impl FilterOptions {
    /// Whether anything is left out.
    pub(super) const fn is_set(&self) -> bool {
        !self.types.is_empty()
            || !self.topics.is_empty()
            || self.box_id.is_some()
            || self.since.is_some()
            || self.until.is_some()
    }

    /// Whether a topic's events are meant.
    pub(super) fn takes_topic(&self, topic: &TopicName) -> bool {
        let name = topic.to_string();
        let is = |wanted: &String| *wanted == name || name.strip_prefix("rossby.").is_some_and(|short| short == wanted);
        self.topics.is_empty() || self.topics.iter().any(is)
    }

    /// The filter.
    ///
    /// # Errors
    /// A topic that the log has not; the log can't be read for what concerns the box.
    pub(super) async fn filter(&self, source: &Source) -> anyhow::Result<Filter> {
        for wanted in &self.topics {
            let one = Self { topics: vec![wanted.clone()], ..self.clone() };
            if !source.topics.iter().any(|(topic, _)| one.takes_topic(topic)) {
                let names: Vec<String> = source.topics.iter().map(|(topic, _)| topic.to_string()).collect();
                anyhow::bail!("the log has no topic {wanted:?}; it has {}", names.join(", "));
            }
        }
        let scope = match self.box_id {
            Some(box_id) => Some(Scope::of_box(source, box_id).await?),
            None => None,
        };
        Ok(Filter { options: self.clone(), scope })
    }
}

/// The filter, with what concerns the box.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    options: FilterOptions,
    scope: Option<Scope>,
}

impl Filter {
    /// Whether a record is meant.
    pub(super) fn takes(&mut self, topic: &TopicName, stored: &StoredRecord) -> bool {
        let FilterOptions { types, since, until, .. } = &self.options;
        if since.is_some_and(|since| stored.appended_at < since)
            || until.is_some_and(|until| stored.appended_at > until)
        {
            return false;
        }
        if let Some(scope) = &mut self.scope {
            // What is followed may name an identifier for the first time.
            if super::scope::is_by_identifier(topic.topic) {
                scope.learn(&stored.record);
            }
            if !scope.takes(topic, &stored.record) {
                return false;
            }
        }
        types.is_empty() || {
            let event_type = json::event_type(&stored.record).unwrap_or_default();
            types.iter().any(|pattern| matches_type(pattern, &event_type))
        }
    }
}

/// Whether a type, with or without what all of them begin with, matches.
fn matches_type(pattern: &str, event_type: &str) -> bool {
    let matches = |text: &str| match pattern.contains('*') {
        true => matches_glob(pattern, text),
        false => text.starts_with(pattern),
    };
    matches(event_type) || event_type.strip_prefix("org.rossby.").is_some_and(matches)
}

/// Whether a text is the pattern's parts in order, with anything where a * stands.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_match_by_their_beginning_or_a_pattern() {
        let founded = "org.rossby.keys.box-founded.v1";
        for pattern in [
            "",
            "org.rossby.keys",
            "keys.",
            "keys.box-founded",
            "*",
            "*.v1",
            "keys.*",
            "*box-*.v1",
            "org.*.v1",
            founded,
        ] {
            assert!(matches_type(pattern, founded), "{pattern}");
        }
        for pattern in ["box-founded", "keys", "*.v2", "identifiers.*", "*founded", "*v1*v1", "org.rossby.keys.*.v1.v1"]
        {
            assert_eq!(matches_type(pattern, founded), pattern == "keys", "{pattern}");
        }
        assert!(!matches_glob("a*a", "a"), "no octet is taken twice");
    }
}
