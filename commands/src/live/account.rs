//! What changes of the boxes of connected devices: their devices, whose streams end when their tokens do, their identifiers and
//! their settings.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use rossby_projections::{Projection, ReadModels, StoreError, WatchedDevice, WatchedIdentifier};
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::{Topic, TopicName};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::MOST_BOXES;
use super::figures::Figures;
use super::hub::{Hub, Line, Partition, Seen};
use crate::service::Service;
use crate::token::is_good;

/// Of things that differ only the difference means something.
fn fingerprint<T: std::hash::Hash>(things: impl IntoIterator<Item = T>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for thing in things {
        thing.hash(&mut hasher);
    }
    hasher.finish()
}

fn of_devices(devices: &[WatchedDevice]) -> u64 {
    fingerprint(devices.iter().map(|d| (*d.device_id.as_bytes(), d.state.epoch, d.state.removed, d.sealing_counter)))
}

/// A claim to one is something to know of at once: there are days to object.
fn of_identifiers(identifiers: &[WatchedIdentifier]) -> u64 {
    fingerprint(identifiers.iter().map(|identifier| (identifier.hash.0, identifier.claims)))
}

/// Tells a stream what its box's devices are now. Ends it if its own token is no longer good.
fn see_devices(line: &Line, devices: &[WatchedDevice]) {
    let own = devices.iter().find(|device| device.device_id == line.device_id);
    if !is_good(own.map(|device| device.state), line.epoch) {
        line.revoked.cancel();
    }
    line.see(|seen| seen.devices = Some(of_devices(devices)));
}

/// What a box is like now, for a stream that begins.
pub(super) async fn look(service: &Service, box_id: BoxId, line: &Line) -> Result<Seen, StoreError> {
    let (models, boxes) = (&service.models, [box_id]);
    let devices = models.watched_devices(&boxes).await?;
    see_devices(line, &devices);
    let identifiers = models.watched_identifiers(&boxes).await?;
    let profile = models.profile_versions(&boxes).await?.first().map_or(0, |(_, version)| *version);
    Ok(Seen {
        devices: Some(of_devices(&devices)),
        identifiers: Some(of_identifiers(&identifiers)),
        profile: Some(profile),
    })
}

/// Looks at the devices of all connected boxes of a partition: one query. Whoever connects meanwhile looks by itself, later.
pub(super) async fn look_at_devices(
    models: &ReadModels,
    figures: &Figures,
    partition: &Partition,
) -> Result<(), StoreError> {
    for boxes in partition.boxes().chunks(MOST_BOXES) {
        let mut found: HashMap<BoxId, Vec<WatchedDevice>> = HashMap::new();
        let devices = models.watched_devices(boxes).await?;
        figures.looks.add();
        for device in devices {
            found.entry(device.box_id).or_default().push(device);
        }
        for box_id in boxes {
            let devices = found.remove(box_id).unwrap_or_default();
            partition.lines(*box_id).iter().for_each(|line| see_devices(line, &devices));
        }
    }
    Ok(())
}

/// The same for their settings.
pub(super) async fn look_at_profiles(
    models: &ReadModels,
    figures: &Figures,
    partition: &Partition,
) -> Result<(), StoreError> {
    for boxes in partition.boxes().chunks(MOST_BOXES) {
        let versions: HashMap<BoxId, u64> = models.profile_versions(boxes).await?.into_iter().collect();
        figures.looks.add();
        for box_id in boxes {
            let version = versions.get(box_id).copied().unwrap_or(0);
            partition.lines(*box_id).iter().for_each(|line| line.see(|seen| seen.profile = Some(version)));
        }
    }
    Ok(())
}

/// Looks at the identifiers of connected boxes whenever any identifier has changed: the topic's key is the identifier, so that
/// nothing says whose it is. At most once in each `period`.
pub(super) async fn watch_identifiers(
    models: ReadModels,
    hub: Arc<Hub>,
    figures: Arc<Figures>,
    period: Duration,
    stop: CancellationToken,
) {
    let watch = async {
        let mut wakes = models.subscribe();
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            ticks.tick().await;
            if let Ok(position) = identifiers_position(&models).await {
                let has_moved = seen.is_some_and(|seen| seen != position);
                // What has changed is in the tables before the boxes are listed: whoever connects later sees it by itself.
                if !has_moved || look_at_identifiers(&models, &figures, &hub).await.is_ok() {
                    seen = Some(position);
                }
            }
            // Nothing is asked for until a wake-up comes, or one may have been missed.
            let is_concerned = |wake: Result<_, RecvError>| match wake {
                Ok(applied) => rossby_projections::Applied::is_of(&applied, Projection::Inbox, Topic::Identifiers),
                Err(_) => true,
            };
            let next = tokio::time::sleep(period);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    wake = wakes.recv() => if is_concerned(wake) { break },
                }
            }
        }
    };
    stop.run_until_cancelled(watch).await;
}

/// A figure that is another whenever the inbox has applied an event of an identifier.
async fn identifiers_position(models: &ReadModels) -> Result<u64, StoreError> {
    let positions = models.positions().await?;
    let is_of_identifiers = |topic: &str| topic.parse().is_ok_and(|name: TopicName| name.topic == Topic::Identifiers);
    let own =
        positions.iter().filter(|row| row.projection == Projection::Inbox.name() && is_of_identifiers(&row.topic));
    Ok(own.map(|row| row.next_offset).sum())
}

async fn look_at_identifiers(models: &ReadModels, figures: &Figures, hub: &Hub) -> Result<(), StoreError> {
    let boxes: Vec<BoxId> = hub.partitions.iter().flat_map(Partition::boxes).collect();
    for boxes in boxes.chunks(MOST_BOXES) {
        let mut found: HashMap<BoxId, Vec<WatchedIdentifier>> = HashMap::new();
        let identifiers = models.watched_identifiers(boxes).await?;
        figures.looks.add();
        for identifier in identifiers {
            found.entry(identifier.box_id).or_default().push(identifier);
        }
        for box_id in boxes {
            let print = of_identifiers(&found.remove(box_id).unwrap_or_default());
            for partition in &hub.partitions {
                partition.lines(*box_id).iter().for_each(|line| line.see(|seen| seen.identifiers = Some(print)));
            }
        }
    }
    Ok(())
}
