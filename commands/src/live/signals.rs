//! Signals, from the log to the devices that are connected: every process reads all partitions of all regions' `rossby.signals` from
//! their end, without a group, and keeps nothing.

use std::sync::Arc;
use std::time::Duration;

use rossby_crypto::message::MessageValue;
use rossby_log::{BatchLimit, Log, PartitionReader, ReadError, StoredRecord};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::events::signals::SignalSentV1;
use rossby_schemas::http::signals::{ReceivedSignal, SIGNAL_LIFETIME_SECONDS};
use rossby_schemas::time::{Clock, Timestamp};
use rossby_schemas::topic::TopicName;
use tokio_util::sync::CancellationToken;

use super::figures::dropped;
use super::hub::Hub;

/// How long after a failure the partition's end is gone to anew, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Whether a signal is still of use. What comes from a clock ahead of ours is.
pub(super) fn is_fresh(sent_at: Timestamp, now: Timestamp) -> bool {
    now.since(sent_at) <= Duration::from_secs(SIGNAL_LIFETIME_SECONDS)
}

/// Reads one partition.
pub(super) struct SignalReader {
    pub(super) log: Arc<dyn Log>,
    pub(super) hub: Arc<Hub>,
    pub(super) clock: Arc<dyn Clock>,
    /// Of this region, or of another's as it is mirrored here.
    pub(super) topic: TopicName,
    pub(super) number: u32,
}

impl SignalReader {
    /// Works until `stop` is cancelled. What can't be read is passed over: the next signal comes soon.
    pub(super) async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&self) {
        let mut pause = AGAIN.0;
        let mut has_failed = false;
        loop {
            let failed = match self.at_the_end().await {
                Err(error) => error,
                Ok(mut reader) => loop {
                    match reader.next(BatchLimit::default()).await {
                        Ok(batch) => {
                            batch.records.iter().for_each(|record| self.hand_out(record));
                            (pause, has_failed) = (AGAIN.0, false);
                        }
                        Err(error) => break error,
                    }
                },
            };
            if !has_failed {
                tracing::warn!(topic = %self.topic, partition = self.number, error = %failed, "signals can't be read; it is tried again");
            }
            has_failed = true;
            tokio::time::sleep(pause).await;
            pause = AGAIN.1.min(pause * 2);
        }
    }

    async fn at_the_end(&self) -> Result<Box<dyn PartitionReader>, ReadError> {
        let bounds = self.log.bounds(&self.topic, self.number).await?;
        self.log.read(&self.topic, self.number, bounds.end).await
    }

    /// Gives a signal to the streams of the devices that it is sealed to.
    fn hand_out(&self, record: &StoredRecord) {
        let Ok(envelope) = Envelope::from_record(&record.record.headers, record.record.value.as_ref()) else {
            return dropped("unreadable");
        };
        // A later version's are not for this one.
        let Ok(Event::SignalSentV1(signal)) = Event::decode(&envelope) else { return };
        let lines = self.hub.partition(self.number).map(|partition| partition.lines(signal.box_id)).unwrap_or_default();
        if lines.is_empty() {
            return;
        }
        if !is_fresh(envelope.time, self.clock.now()) {
            return dropped("old");
        }
        let Ok(value) = MessageValue::parse(&signal.value) else { return dropped("unreadable") };
        for line in lines {
            if let Some(received) = received(&signal, &value, envelope.time, line.device_id)
                && !line.signal(received)
            {
                dropped("slow");
            }
        }
    }
}

/// One device's part of a signal. Its own octets, so that one that waits does not keep the whole.
fn received(
    signal: &SignalSentV1,
    value: &MessageValue,
    sent_at: Timestamp,
    device_id: rossby_schemas::ids::DeviceId,
) -> Option<ReceivedSignal> {
    let wrap = value.wrap(device_id)?;
    Some(ReceivedSignal {
        outer_id: signal.outer_id,
        sent_at,
        recipient_head: value.recipient_head,
        content: value.content.as_slice().into(),
        sealing_counter: wrap.sealing_counter,
        enc: wrap.enc.as_slice().into(),
        wrapped_key: wrap.wrapped_key.as_slice().into(),
    })
}
