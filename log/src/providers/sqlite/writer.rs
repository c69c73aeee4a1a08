//! The one task that writes. It owns its connection, so that no caller's cancellation can leave a transaction open, and
//! commits together what has gathered while it was busy.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rossby_schemas::time::Clock;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::lock::FolderLock;
use super::topics::Partition;
use super::{SqliteConfig, database, headers};
use crate::error::{AppendError, LogError};
use crate::port::{LogRecord, Offset};

/// What appends under way may hold of memory, in KiB. Further ones wait.
const ROOM_KIB: u32 = 64 * 1024;
/// Requests taken at once, and so the records that a transaction has at most.
const MOST_AT_ONCE: usize = 2_048;
/// While writing fails, it is tried again this often without being asked.
const RETRY: Duration = Duration::from_secs(1);

/// What a change of the tables does, inside a transaction.
pub(super) type Working<'c> = Pin<Box<dyn Future<Output = Result<i64, sqlx::Error>> + Send + 'c>>;
/// A change of the tables, run between appends in a transaction of its own.
type Work = Box<dyn for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c> + Send>;

enum Request {
    Append(Append),
    Change { work: Work, answer: oneshot::Sender<Result<i64, LogError>> },
    Close,
}

struct Append {
    partition: Partition,
    record: LogRecord,
    answer: oneshot::Sender<Result<Offset, AppendError>>,
    _room: OwnedSemaphorePermit,
}

/// The writing task, from the outside.
pub(super) struct Writer {
    requests: mpsc::UnboundedSender<Request>,
    room: Arc<Semaphore>,
    delivery_timeout: Duration,
    failing: Failing,
    ended: CancellationToken,
}

/// Why the last transaction failed, if it did.
type Failing = Arc<Mutex<Option<LogError>>>;

impl Writer {
    /// Starts the task. It ends, and gives up the lock, when it is closed or everything that could ask it is dropped.
    pub(super) fn start(
        connection: SqliteConnection,
        file: PathBuf,
        config: SqliteConfig,
        clock: Arc<dyn Clock>,
        lock: FolderLock,
    ) -> Self {
        let (requests, received) = mpsc::unbounded_channel();
        let (failing, ended) = (Failing::default(), CancellationToken::new());
        let writer = Self {
            requests,
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            delivery_timeout: config.delivery_timeout,
            failing: Arc::clone(&failing),
            ended: ended.clone(),
        };
        let task = Task { connection: Some(connection), file, config, clock, failing };
        tokio::spawn(async move {
            // Dropped when the task ends, also by a panic.
            let (_ended, _lock) = (ended.drop_guard(), lock);
            task.run(received).await;
        });
        writer
    }

    pub(super) async fn append(&self, partition: Partition, record: LogRecord) -> Result<Offset, AppendError> {
        let deadline = Instant::now() + self.delivery_timeout;
        let kib = u32::try_from(record.size() / 1024 + 4).unwrap_or(ROOM_KIB).min(ROOM_KIB);
        let room = match timeout_at(deadline, Arc::clone(&self.room).acquire_many_owned(kib)).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) => return Err(LogError::Closed.into()),
            Err(_) => return Err(LogError::Unavailable("too many appends are waiting".to_owned()).into()),
        };
        let (answer, outcome) = oneshot::channel();
        let append = Append { partition, record, answer, _room: room };
        self.requests.send(Request::Append(append)).map_err(|_| LogError::Closed)?;
        match timeout_at(deadline, outcome).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(AppendError::Unknown("the log's writer ended".to_owned())),
            Err(_) => Err(AppendError::Unknown(format!("no answer in {:?}", self.delivery_timeout))),
        }
    }

    /// Runs a change in a transaction. The error leaves open whether it was made; changes can be repeated.
    pub(super) async fn change<F>(&self, work: F) -> Result<i64, LogError>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Working<'c> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        self.requests.send(Request::Change { work: Box::new(work), answer }).map_err(|_| LogError::Closed)?;
        outcome.await.unwrap_or(Err(LogError::Closed))
    }

    pub(super) fn health(&self) -> Result<(), LogError> {
        if self.room.is_closed() || self.ended.is_cancelled() {
            return Err(LogError::Closed);
        }
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone().map_or(Ok(()), Err)
    }

    pub(super) async fn close(&self) {
        self.room.close();
        let _ = self.requests.send(Request::Close);
        self.ended.cancelled().await;
    }
}

struct Task {
    /// None after a failure that may have left it in a transaction: a new one is opened.
    connection: Option<SqliteConnection>,
    file: PathBuf,
    config: SqliteConfig,
    clock: Arc<dyn Clock>,
    failing: Failing,
}

impl Task {
    async fn run(mut self, mut received: mpsc::UnboundedReceiver<Request>) {
        let mut requests = Vec::new();
        loop {
            let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner).is_some();
            tokio::select! {
                biased;
                taken = received.recv_many(&mut requests, MOST_AT_ONCE) => if taken == 0 { break },
                () = tokio::time::sleep(RETRY), if failing => self.probe().await,
            }
            let mut appends = Vec::new();
            for request in requests.drain(..) {
                match request {
                    Request::Append(append) => appends.push(append),
                    Request::Change { work, answer } => {
                        self.write(std::mem::take(&mut appends)).await;
                        let _ = answer.send(self.change(work).await);
                    }
                    // What was sent before is still received.
                    Request::Close => received.close(),
                }
            }
            self.write(appends).await;
        }
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }

    /// Writes records in one transaction and answers for each.
    async fn write(&mut self, appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let mut offsets = Vec::with_capacity(appends.len());
        let written = match self.begin().await {
            Ok(mut connection) => match self.insert(&mut connection, &appends, &mut offsets).await {
                Ok(()) => self.commit(connection).await,
                Err(error) => Err(self.roll_back(connection, error).await),
            },
            Err(error) => Err(AppendError::Refused(error)),
        };
        self.note(written.as_ref().err());
        match written {
            Ok(()) => {
                for (append, offset) in appends.into_iter().zip(offsets) {
                    append.partition.wake.send_replace(());
                    let _ = append.answer.send(Ok(offset));
                }
            }
            Err(error) => {
                for append in appends {
                    let _ = append.answer.send(Err(error.clone()));
                }
            }
        }
    }

    async fn insert(
        &self,
        connection: &mut SqliteConnection,
        appends: &[Append],
        offsets: &mut Vec<Offset>,
    ) -> Result<(), sqlx::Error> {
        let now = self.clock.now().signed_millis();
        for append in appends {
            let offset: i64 = sqlx::query_scalar(
                "update partitions set next_offset = next_offset + 1 where slot = ? returning next_offset - 1",
            )
            .bind(append.partition.slot)
            .fetch_one(&mut *connection)
            .await?;
            sqlx::query(
                "insert into records (slot, offset, appended_at, key, headers, value) values (?, ?, ?, ?, ?, ?)",
            )
            .bind(append.partition.slot)
            .bind(offset)
            .bind(now)
            .bind(append.record.key.as_deref())
            .bind(headers::encode(&append.record.headers))
            .bind(append.record.value.as_deref())
            .execute(&mut *connection)
            .await?;
            offsets.push(offset.unsigned_abs());
        }
        Ok(())
    }

    async fn change(&mut self, work: Work) -> Result<i64, LogError> {
        let mut connection = self.begin().await?;
        let result = match work(&mut connection).await {
            Ok(done) => self.commit(connection).await.map(|()| done),
            Err(error) => Err(self.roll_back(connection, error).await),
        };
        result.map_err(|error| match error {
            AppendError::Refused(error) => error,
            error => LogError::Unavailable(error.to_string()),
        })
    }

    /// Whether a transaction goes through again. It rewrites the file's header, which is the least that there is.
    async fn probe(&mut self) {
        let work: Work = Box::new(|connection| {
            Box::pin(async { sqlx::raw_sql("pragma user_version = 1").execute(connection).await.map(|_| 0) })
        });
        if self.change(work).await.is_ok() {
            self.note(None);
        }
    }

    /// A connection in a transaction. An error means that nothing was changed.
    async fn begin(&mut self) -> Result<SqliteConnection, LogError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => database::connect(&self.file, &self.config).await?,
        };
        match sqlx::raw_sql("begin immediate").execute(&mut connection).await {
            Ok(_) => Ok(connection),
            Err(error) => Err(database::unavailable(error)),
        }
    }

    /// Commits and keeps the connection. After an error the connection goes: what became of the transaction is not known.
    async fn commit(&mut self, mut connection: SqliteConnection) -> Result<(), AppendError> {
        match sqlx::raw_sql("commit").execute(&mut connection).await {
            Ok(_) => {
                self.connection = Some(connection);
                Ok(())
            }
            Err(error) => Err(AppendError::Unknown(database::unavailable(error).to_string())),
        }
    }

    /// Gives up a transaction that was not committed: nothing was changed, whether or not rolling back succeeds, since a
    /// connection that goes takes its transaction with it.
    async fn roll_back(&mut self, mut connection: SqliteConnection, error: sqlx::Error) -> AppendError {
        // A full disk has rolled back already, and then this fails.
        if sqlx::raw_sql("rollback").execute(&mut connection).await.is_ok() {
            self.connection = Some(connection);
        }
        AppendError::Refused(database::unavailable(error))
    }

    fn note(&self, error: Option<&AppendError>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) if failing.is_none() => tracing::error!(%error, "the log can't be written"),
            None if failing.is_some() => tracing::info!("the log can be written again"),
            _ => {}
        }
        *failing = error.map(|error| match error {
            AppendError::Refused(error) => error.clone(),
            error => LogError::Unavailable(error.to_string()),
        });
    }
}
