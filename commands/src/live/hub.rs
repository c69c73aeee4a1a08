//! The devices that are connected to this process, by partition and box.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rossby_log::Offset;
use rossby_projections::{Arrival, WaitingMessage};
use rossby_schemas::http::signals::ReceivedSignal;
use rossby_schemas::ids::{BoxId, DeviceId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::gate::Gate;

/// The state of a box as its devices are told of its changes: fingerprints, of which only the difference means something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) devices: Option<u64>,
    pub(super) identifiers: Option<u64>,
    pub(super) profile: Option<u64>,
}

/// One stream's end in the hub.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) device_id: DeviceId,
    /// The epoch of the token that it was opened with.
    pub(super) epoch: u32,
    pub(super) gate: Mutex<Gate>,
    /// Without a bound of its own: the gate is.
    pub(super) arrivals: mpsc::UnboundedSender<WaitingMessage>,
    pub(super) signals: mpsc::Sender<ReceivedSignal>,
    pub(super) seen: watch::Sender<Seen>,
    /// Says that the gate has fallen behind.
    pub(super) fell_behind: Notify,
    /// Cancelled once the token is no longer good.
    pub(super) revoked: CancellationToken,
}

impl Line {
    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may have arrived that was not offered.
    pub(super) fn fall_behind(&self) {
        self.gate().fall_behind();
        self.fell_behind.notify_one();
    }

    fn offer(&self, message: &WaitingMessage) {
        let is_taken = self.gate().offer(message.value.len());
        // Its receiver is gone only when the stream is.
        if !is_taken || self.arrivals.send(message.clone()).is_err() {
            self.fell_behind.notify_one();
        }
    }

    /// Gives whether the signal could be queued.
    pub(super) fn signal(&self, signal: ReceivedSignal) -> bool {
        !matches!(self.signals.try_send(signal), Err(TrySendError::Full(_)))
    }

    /// Changes what is known of the box.
    pub(super) fn see(&self, change: impl FnOnce(&mut Seen)) {
        self.seen.send_if_modified(|seen| {
            let before = *seen;
            change(seen);
            *seen != before
        });
    }
}

/// The connected devices whose boxes are in one partition.
#[derive(Debug)]
pub(super) struct Partition {
    boxes: Mutex<HashMap<BoxId, Vec<Arc<Line>>>>,
    /// The offset before which everything was offered; none while nobody is connected, or before the feeder has begun.
    pub(super) fed: watch::Sender<Option<Offset>>,
    /// Somebody has connected.
    pub(super) joined: Notify,
}

impl Partition {
    fn new() -> Self {
        Self { boxes: Mutex::default(), fed: watch::Sender::new(None), joined: Notify::new() }
    }

    fn registry(&self) -> MutexGuard<'_, HashMap<BoxId, Vec<Arc<Line>>>> {
        self.boxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody is connected; then nothing counts as fed any more.
    pub(super) fn rests(&self) -> bool {
        let boxes = self.registry();
        let is_empty = boxes.is_empty();
        if is_empty {
            self.fed.send_replace(None);
        }
        is_empty
    }

    /// The boxes of which a device is connected.
    pub(super) fn boxes(&self) -> Vec<BoxId> {
        self.registry().keys().copied().collect()
    }

    /// The streams of a box.
    pub(super) fn lines(&self, box_id: BoxId) -> Vec<Arc<Line>> {
        self.registry().get(&box_id).cloned().unwrap_or_default()
    }

    /// All streams.
    pub(super) fn all_lines(&self) -> Vec<Arc<Line>> {
        self.registry().values().flatten().cloned().collect()
    }

    pub(super) fn join(&self, box_id: BoxId, line: &Arc<Line>) {
        self.registry().entry(box_id).or_default().push(Arc::clone(line));
        self.joined.notify_one();
    }

    pub(super) fn leave(&self, box_id: BoxId, line: &Arc<Line>) {
        let mut boxes = self.registry();
        if let Some(lines) = boxes.get_mut(&box_id) {
            lines.retain(|other| !Arc::ptr_eq(other, line));
            if lines.is_empty() {
                boxes.remove(&box_id);
            }
        }
    }

    /// Offers a message to the streams of the devices that it waits for.
    pub(super) fn offer(&self, arrival: &Arrival) {
        for line in self.lines(arrival.box_id) {
            if arrival.devices.contains(&line.device_id) {
                line.offer(&arrival.message);
            }
        }
    }
}

/// All partitions.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) partitions: Vec<Partition>,
}

impl Hub {
    pub(super) fn new(partitions: u32) -> Self {
        Self { partitions: (0..partitions).map(|_| Partition::new()).collect() }
    }

    pub(super) fn partition(&self, number: u32) -> Option<&Partition> {
        usize::try_from(number).ok().and_then(|number| self.partitions.get(number))
    }
}
