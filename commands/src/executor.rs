//! The one executor of control commands: load state and version, decide, append on that version, wait for the
//! projections, and answer from who took the version.
//!
//! What a command's event says is decided on a state that is at least as new as the version it is appended on: the version
//! is loaded first. A newer state only means that the event is superseded, and the command decided again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use rossby_log::AppendError;
use rossby_projections::{EventStatus, Projection, ReadModels};
use rossby_schemas::events::Event;
use rossby_schemas::ids::{CommandId, EventId};
use rossby_schemas::topic::Topic;
use tokio::time::Instant;

use crate::append::{Appender, Stream};
use crate::error::{CommandError, Refusal};
use crate::identity::CommandIdentity;
use crate::status_token::{Place, StatusTokens};

/// How often an unsigned command is decided again at most. Each time somebody else's was admitted, so that commands on
/// one stream always get on.
const MAX_DECISIONS: usize = 64;

/// A stream's version, and the state that a decision needs.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<S> {
    pub(crate) version: u64,
    pub(crate) state: S,
}

/// What a decision comes to, if no rule refuses it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, for a moment")]
pub(crate) enum Decision {
    /// This event is to be appended.
    Append(Event),
    /// All is as the command wants it already.
    Nothing,
}

/// What happens when another command took the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenSuperseded {
    /// Decide again on the new state.
    DecideAgain,
    /// Answer with the conflict: the device signed for one version.
    Conflict,
}

/// A step of a command that took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// The stream's version after it.
    pub(crate) version: u64,
    /// The admitted event; none if there was nothing to do.
    pub(crate) event: Option<EventId>,
}

/// Which projections must have carried a topic's streams past an event before it is answered. The first says who took a
/// version; those after it serve reads that must see the event too.
pub(crate) const fn responsible(topic: Topic) -> &'static [Projection] {
    match topic {
        Topic::Registrations | Topic::Identifiers | Topic::Inbox | Topic::Signals => &[Projection::Inbox],
        Topic::Keys => &[Projection::Keys, Projection::Inbox, Projection::Profiles],
        Topic::Profiles => &[Projection::Profiles],
    }
}

/// One command on its way: the steps it takes share what is left of its time.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) identity: CommandIdentity,
    deadline: Instant,
    /// Whether a step of it took effect: from then on nobody may be told that nothing was changed.
    changed: AtomicBool,
}

impl Running {
    fn new(identity: CommandIdentity, patience: Duration) -> Self {
        Self { identity, deadline: Instant::now() + patience, changed: AtomicBool::new(false) }
    }

    fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// What a failure means for a command of which a step may have taken effect: it is half-done, and repeating it goes on.
    pub(crate) fn half_done(&self, error: CommandError) -> CommandError {
        match error {
            CommandError::Unavailable(reason) if self.has_changed() => {
                CommandError::OutcomeUnknown { status: None, reason }
            }
            other => other,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Executor {
    models: ReadModels,
    appender: Appender,
    tokens: Arc<StatusTokens>,
    /// How long a command may take from its first load to its answer.
    patience: Duration,
    /// Where commands stand whose outcome this process could not tell.
    unsettled: Cache<CommandId, Place>,
}

impl Executor {
    pub(crate) fn new(models: ReadModels, appender: Appender, tokens: Arc<StatusTokens>, patience: Duration) -> Self {
        let unsettled = Cache::builder().max_capacity(100_000).time_to_live(Duration::from_secs(3600)).build();
        Self { models, appender, tokens, patience, unsettled }
    }

    /// Begins a command.
    ///
    /// # Errors
    /// [`Refusal::IdReused`] when its id was used with another body.
    pub(crate) async fn begin(&self, identity: CommandIdentity) -> Result<Running, CommandError> {
        let running = self.resume(identity);
        self.known(&running).await?;
        Ok(running)
    }

    /// Goes on with a command that was begun, and checked, before.
    pub(crate) fn resume(&self, identity: CommandIdentity) -> Running {
        Running::new(identity, self.patience)
    }

    /// Where this process left a command whose outcome it could not tell.
    pub(crate) fn unsettled(&self, command: CommandId) -> Option<Place> {
        self.unsettled.get(&command)
    }

    /// The command's events that the read models know.
    async fn known(&self, running: &Running) -> Result<Vec<rossby_projections::CommandEvent>, CommandError> {
        let events = self.models.command(running.identity.id).await?;
        if events.iter().any(|event| event.command_hash != running.identity.hash) {
            return Err(id_reused());
        }
        Ok(events)
    }

    /// The streams of a topic on which the command's first step was tried before; a repetition must go on there.
    pub(crate) async fn tried_stream(&self, running: &Running, topic: Topic) -> Result<Option<String>, CommandError> {
        let mut events = self.known(running).await?;
        events.retain(|event| event.topic == topic);
        events.sort_by_key(|event| event.status != EventStatus::Admitted);
        Ok(events.into_iter().next().map(|event| event.stream))
    }

    /// Whether a step of the command was admitted, and which version its stream has after it. The same step of another
    /// body has the same event id, and only one of the two is ever admitted.
    async fn admitted(&self, running: &Running, stream: &Stream, step: u32) -> Result<Option<u64>, CommandError> {
        let mine = stream.event_id(running.identity.id, step);
        let events = self.models.command(running.identity.id).await?;
        match events.iter().find(|event| event.event_id == mine && event.status == EventStatus::Admitted) {
            Some(event) if event.command_hash != running.identity.hash => Err(id_reused()),
            event => Ok(event.map(|event| event.expected_version + 1)),
        }
    }

    /// Takes one step of a command: at most one event on one stream.
    ///
    /// # Errors
    /// What `load` and `decide` answer, [`Refusal::VersionConflict`] for signed commands that come too late,
    /// [`CommandError::Unavailable`] when nothing of the command was appended, [`CommandError::OutcomeUnknown`] when it is
    /// half-done or that is not known.
    pub(crate) async fn step<S, Load, Fut>(
        &self,
        running: &Running,
        stream: &Stream,
        step: u32,
        when_superseded: WhenSuperseded,
        load: Load,
        decide: impl Fn(&S) -> Result<Decision, Refusal> + Send + Sync,
    ) -> Result<Done, CommandError>
    where
        S: Send + Sync,
        Load: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<Loaded<S>, CommandError>> + Send,
    {
        let done = self.try_step(running, stream, step, when_superseded, load, decide).await;
        let done = done.map_err(|error| running.half_done(error))?;
        if done.event.is_some() {
            running.changed.store(true, Ordering::Relaxed);
        }
        Ok(done)
    }

    async fn try_step<S, Load, Fut>(
        &self,
        running: &Running,
        stream: &Stream,
        step: u32,
        when_superseded: WhenSuperseded,
        load: Load,
        decide: impl Fn(&S) -> Result<Decision, Refusal> + Send + Sync,
    ) -> Result<Done, CommandError>
    where
        S: Send + Sync,
        Load: Fn() -> Fut + Send + Sync,
        Fut: Future<Output = Result<Loaded<S>, CommandError>> + Send,
    {
        for _ in 0..MAX_DECISIONS {
            let loaded = load().await?;
            if let Some(version) = self.admitted(running, stream, step).await? {
                self.wait_all(running, stream, step, version - 1).await?;
                return Ok(Done { version, event: Some(stream.event_id(running.identity.id, step)) });
            }
            let event = match decide(&loaded.state)? {
                Decision::Append(event) => event,
                Decision::Nothing => return Ok(Done { version: loaded.version, event: None }),
            };
            let expected = loaded.version;
            let mine = match self.appender.control(stream, &running.identity, step, expected, &event).await {
                Ok(event_id) => event_id,
                Err(AppendError::Refused(error)) if running.has_changed() => {
                    return Err(self.unknown(running, stream, step, expected, error.to_string()));
                }
                Err(AppendError::Refused(error)) => return Err(CommandError::Unavailable(error.to_string())),
                Err(AppendError::TooLarge { limit, .. }) => {
                    return Err(Refusal::TooLarge { field: String::new(), limit }.into());
                }
                Err(AppendError::Unknown(reason)) => return Err(self.unknown(running, stream, step, expected, reason)),
            };
            self.wait_all(running, stream, step, expected).await?;
            let unknown = |reason: String| self.unknown(running, stream, step, expected, reason);
            let taken = self.models.taken(responsible(stream.topic)[0], stream.topic, &stream.name, expected).await;
            match taken.map_err(|error| unknown(error.to_string()))? {
                Some(taken) if taken.event_id == mine && taken.command_hash != running.identity.hash => {
                    return Err(id_reused());
                }
                Some(taken) if taken.event_id == mine => {
                    return Ok(Done { version: expected + 1, event: Some(mine) });
                }
                // An earlier attempt of this very command may have been admitted on another version: the next round sees it.
                _ if when_superseded == WhenSuperseded::DecideAgain => {}
                _ => {
                    let now = load().await.map_err(|error| unknown(error.to_string()))?;
                    return Err(Refusal::VersionConflict { current: now.version }.into());
                }
            }
        }
        Err(CommandError::Unavailable("others were always quicker on this stream".to_owned()))
    }

    /// Waits until every responsible projection has carried the stream past `expected`.
    async fn wait_all(&self, running: &Running, stream: &Stream, step: u32, expected: u64) -> Result<(), CommandError> {
        for projection in responsible(stream.topic) {
            let left = running.deadline.saturating_duration_since(Instant::now());
            let passed = self.models.wait_past(*projection, stream.topic, &stream.name, expected, left).await;
            let reason = match passed {
                Ok(true) => continue,
                Ok(false) => format!("the projection {projection:?} has not passed version {expected} in time"),
                Err(error) => error.to_string(),
            };
            return Err(self.unknown(running, stream, step, expected, reason));
        }
        Ok(())
    }

    /// The outcome can't be told; the client gets what settles it on any process, and this process remembers.
    fn unknown(&self, running: &Running, stream: &Stream, step: u32, expected: u64, reason: String) -> CommandError {
        let command = running.identity.id;
        let place = Place { topic: stream.topic, stream: stream.name.clone(), step, expected_version: expected };
        let token = self.tokens.issue(command, &place);
        self.unsettled.insert(command, place);
        CommandError::OutcomeUnknown { status: Some((command, token)), reason }
    }
}

fn id_reused() -> CommandError {
    Refusal::IdReused { field: "/command_id".to_owned() }.into()
}
