//! Streams' versions, and which event took which.

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::ids::{CommandId, EventId};
use rossby_schemas::topic::{Topic, TopicName};
use sqlx::any::AnyRow;

use super::row::{Columns as _, signed, unreadable};
use super::{Store, StoreError, Tx};
use crate::projection::Projection;

/// Which event took a version of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The event.
    pub event_id: EventId,
    /// The command that made it.
    pub command_id: CommandId,
    /// Which of the command's events it is.
    pub step: u32,
    /// SHA-256 of the command's body.
    pub command_hash: Sha256Digest,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventStatus {
    /// It took its version.
    Admitted,
    /// It came too late, and has no effect.
    Superseded,
}

/// An event of a command, as a projection knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandEvent {
    /// The topic of its stream.
    pub topic: Topic,
    /// Its stream.
    pub stream: String,
    /// Which of the command's events it is.
    pub step: u32,
    /// The version that it was decided on.
    pub expected_version: u64,
    /// The event.
    pub event_id: EventId,
    /// SHA-256 of the command's body.
    pub command_hash: Sha256Digest,
    /// What became of it.
    pub status: EventStatus,
}

impl Store {
    pub(crate) async fn stream_version(
        &self,
        projection: Projection,
        topic: Topic,
        stream: &str,
    ) -> Result<u64, StoreError> {
        let row = sqlx::query("select version from heads where projection = $1 and topic = $2 and stream = $3")
            .bind(projection.name())
            .bind(topic.name())
            .bind(stream.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    pub(crate) async fn taken(
        &self,
        projection: Projection,
        topic: Topic,
        stream: &str,
        expected_version: u64,
    ) -> Result<Option<Taken>, StoreError> {
        let row = sqlx::query(
            "select event_id, command_id, step, command_hash from outcomes \
             where projection = $1 and topic = $2 and stream = $3 and expected_version = $4",
        )
        .bind(projection.name())
        .bind(topic.name())
        .bind(stream.to_owned())
        .bind(signed(expected_version))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Taken {
                event_id: EventId::from_bytes(row.id(0)?),
                command_id: CommandId::from_bytes(row.id(1)?),
                step: row.small(2)?,
                command_hash: row.fixed(3)?,
            })
        })
        .transpose()
    }

    /// The events of a command, each once however many projections know it.
    pub(crate) async fn command(&self, id: CommandId) -> Result<Vec<CommandEvent>, StoreError> {
        let mut events = Vec::new();
        let admitted = sqlx::query(
            "select distinct topic, stream, step, expected_version, event_id, command_hash from outcomes \
             where command_id = $1 order by step, expected_version",
        );
        let superseded = sqlx::query(
            "select distinct topic, stream, step, expected_version, event_id, command_hash from superseded \
             where command_id = $1 order by step, expected_version",
        );
        for (query, status) in [(admitted, EventStatus::Admitted), (superseded, EventStatus::Superseded)] {
            for row in query.bind(id.as_bytes().to_vec()).fetch_all(&self.pool).await? {
                events.push(command_event(&row, status)?);
            }
        }
        Ok(events)
    }
}

fn command_event(row: &AnyRow, status: EventStatus) -> Result<CommandEvent, StoreError> {
    let name: TopicName = row.text(0)?.parse().map_err(|error| unreadable(0, error))?;
    Ok(CommandEvent {
        topic: name.topic,
        stream: row.text(1)?,
        step: row.small(2)?,
        expected_version: row.number(3)?,
        event_id: EventId::from_bytes(row.id(4)?),
        command_hash: row.fixed(5)?,
        status,
    })
}

impl Tx {
    /// Whether an event was admitted before.
    pub(crate) async fn was_admitted(&mut self, projection: Projection, id: EventId) -> Result<bool, StoreError> {
        let row = sqlx::query("select expected_version from outcomes where projection = $1 and event_id = $2")
            .bind(projection.name())
            .bind(id.as_bytes().to_vec())
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row.is_some())
    }

    pub(crate) async fn version(
        &mut self,
        projection: Projection,
        topic: Topic,
        stream: &str,
    ) -> Result<u64, StoreError> {
        let row = sqlx::query("select version from heads where projection = $1 and topic = $2 and stream = $3")
            .bind(projection.name())
            .bind(topic.name())
            .bind(stream.to_owned())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map_or(Ok(0), |row| row.number(0))
    }

    /// Records that an event took its version, and raises the stream's version by one.
    pub(crate) async fn admit(
        &mut self,
        projection: Projection,
        topic: Topic,
        envelope: &Envelope,
        control: &Control,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into outcomes (projection, topic, stream, expected_version, event_id, command_id, step, command_hash) \
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(projection.name())
        .bind(topic.name())
        .bind(envelope.stream.clone())
        .bind(signed(control.expected_version))
        .bind(envelope.id.as_bytes().to_vec())
        .bind(control.command.as_bytes().to_vec())
        .bind(i64::from(control.step))
        .bind(control.command_hash.as_slice().to_vec())
        .execute(&mut *self.inner)
        .await?;
        sqlx::query(
            "insert into heads (projection, topic, stream, version) values ($1, $2, $3, $4) \
             on conflict (projection, topic, stream) do update set version = excluded.version",
        )
        .bind(projection.name())
        .bind(topic.name())
        .bind(envelope.stream.clone())
        .bind(signed(control.expected_version + 1))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Records that an event came too late.
    pub(crate) async fn supersede(
        &mut self,
        projection: Projection,
        topic: Topic,
        envelope: &Envelope,
        control: &Control,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into superseded \
             (projection, event_id, expected_version, topic, stream, command_id, step, command_hash) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
        )
        .bind(projection.name())
        .bind(envelope.id.as_bytes().to_vec())
        .bind(signed(control.expected_version))
        .bind(topic.name())
        .bind(envelope.stream.clone())
        .bind(control.command.as_bytes().to_vec())
        .bind(i64::from(control.step))
        .bind(control.command_hash.as_slice().to_vec())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
