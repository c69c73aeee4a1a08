//! What takes a look inside: records that an older version put aside.

use std::sync::Arc;

use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log as _, LogRecord, TopicAdmin as _};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::{AcknowledgedMessage, MessagesAcknowledgedV1};
use rossby_schemas::ids::{BoxId, DeviceId, EventId, OuterId, RegionNumber};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use tokio_util::sync::CancellationToken;

use super::{Projector, ProjectorConfig};
use crate::projection::Projection;
use crate::read_models::ReadModels;
use crate::store::Quarantined;

const HOME: RegionNumber = RegionNumber(1);

fn acknowledgement(number: u8, now: Timestamp) -> Envelope {
    let message = AcknowledgedMessage {
        outer_id: OuterId::from_bytes([number; 16]),
        content_hash: FixedOctets([number; 32]),
        expires_at: now.plus(std::time::Duration::from_secs(60)),
    };
    let box_id = BoxId::from_bytes([1; 16]);
    let event = Event::MessagesAcknowledgedV1(MessagesAcknowledgedV1 {
        box_id,
        device_id: DeviceId::from_bytes([1; 16]),
        messages: vec![message],
    });
    let (content_type, data) = event.encode();
    Envelope {
        id: EventId::from_bytes([number; 16]),
        event_type: event.event_type().to_owned(),
        region: HOME,
        stream: box_id.to_string(),
        time: now,
        control: None,
        outer_id: None,
        content_type: content_type.to_owned(),
        data,
    }
}

#[tokio::test]
async fn what_an_older_version_did_not_know_is_applied_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap()));
    let now = clock.now();
    let log = Arc::new(SqliteLog::open(SqliteConfig::new(folder.path().join("log")), clock.clone()).await.unwrap());
    log.ensure_topics(&TopicSpec::local(1)).await.unwrap();
    let models = ReadModels::open(&format!("sqlite:{}", folder.path().join("tables").display()), 4).await.unwrap();
    let inbox = TopicName::local(Topic::Inbox);

    // More than a page of records that this version knows, with one in between that it does not know either.
    let mut tx = models.store.begin().await.unwrap();
    for number in 0..120_u8 {
        let mut envelope = acknowledgement(number, now);
        if number == 7 {
            envelope.event_type = "org.rossby.inbox.messages-acknowledged.v99".to_owned();
        }
        let record = Quarantined {
            offset: u64::from(number),
            appended_at: now,
            event_type: envelope.event_type.clone(),
            reason: "an older version did not know it".to_owned(),
            headers: envelope.headers(),
            value: Some(envelope.data.clone()),
        };
        tx.put_aside(Projection::Inbox, &inbox, 0, &record).await.unwrap();
    }
    tx.commit().await.unwrap();
    let headers = acknowledgement(200, now).headers();
    let record = LogRecord { key: None, headers, value: Some(acknowledgement(200, now).data) };
    log.append(&inbox, 0, record).await.unwrap();

    let config = ProjectorConfig::single_region(HOME);
    let projector = Projector::new(models.clone(), log.clone(), clock, config);
    let (stop, status) = (CancellationToken::new(), projector.status());
    let running = tokio::spawn(projector.run(stop.clone()));
    let ready = async {
        while !status.get().is_ready() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), ready).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();

    assert_eq!(models.quarantined().await.unwrap(), 1);
    let left = models.store.quarantine(Projection::Inbox, &inbox, 0, 0).await.unwrap();
    assert_eq!((left[0].offset, left[0].appended_at), (7, now));
    assert_eq!(left[0].value, Some(acknowledgement(7, now).data));
    let pointer = models.device_pointer(BoxId::from_bytes([1; 16]), DeviceId::from_bytes([1; 16]), now).await.unwrap();
    assert_eq!(pointer.confirmed, 120, "119 of the quarantine and one of the log");
}
