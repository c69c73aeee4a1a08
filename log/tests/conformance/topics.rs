//! Making topics.

use rossby_log::LogError;
use rossby_log::topics::{TopicSpec, TopicState};
use rossby_schemas::topic::{Topic, TopicName};

use super::{Fixture, KEYS, append_all};

pub(crate) const TOPICS: &[(Topic, u32)] = &[(Topic::Keys, 2)];

fn states(reports: Vec<rossby_log::topics::TopicReport>) -> Vec<TopicState> {
    reports.into_iter().map(|report| report.state).collect()
}

pub(crate) async fn making_topics_twice_changes_nothing(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..3).await;
    let specs = TopicSpec::local(2);
    assert_eq!(specs.len(), Topic::ALL.len());
    let missing = states(fixture.admin.check_topics(&specs).await.unwrap());
    let expected = |topic| if topic == Topic::Keys { TopicState::Right } else { TopicState::Missing };
    assert_eq!(missing, Topic::ALL.map(expected));
    // Checking has made nothing.
    let profiles = TopicName::local(Topic::Profiles);
    assert_eq!(fixture.log.partitions(&profiles).await, Err(LogError::NoSuchTopic(profiles.clone())));

    assert_eq!(states(fixture.admin.ensure_topics(&specs).await.unwrap()), missing);
    assert_eq!(states(fixture.admin.ensure_topics(&specs).await.unwrap()), Topic::ALL.map(|_| TopicState::Right));
    assert_eq!(fixture.log.partitions(&profiles).await, Ok(2));
    assert_eq!(fixture.log.bounds(&KEYS, 0).await.unwrap().end, 3);
}

pub(crate) async fn other_partition_numbers_are_reported(fixture: &Fixture) {
    for should_have in [1, 3] {
        let spec = TopicSpec { name: KEYS.clone(), partitions: should_have };
        let differs = vec![TopicState::PartitionsDiffer { has: 2, should_have }];
        assert_eq!(states(fixture.admin.check_topics(std::slice::from_ref(&spec)).await.unwrap()), differs);
        assert_eq!(states(fixture.admin.ensure_topics(&[spec]).await.unwrap()), differs);
        assert_eq!(fixture.log.partitions(&KEYS).await, Ok(2));
    }
}
