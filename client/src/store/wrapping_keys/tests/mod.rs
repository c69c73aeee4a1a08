//! Sealing private keys are erased for good: by file-level search, in copies, over crashes, in the store and in the keyring.

mod erasing;
mod homes;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Error};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::CommandId;
use rossby_schemas::time::{ManualClock, Timestamp};
use secrecy::SecretString;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteJournalMode;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::random::rng;
use crate::store::device::{SealingKey, insert_sealing_key, sealing_label};
use crate::store::{SCHEMA, options, scrub_later};
use crate::vault::{Keyring, LockedBy, Unlock, UnlockError, keyring};
use crate::{Client, ClientConfig, Warning};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How many steps of the schema a home had taken before there were wrapping keys.
const OLD: usize = 3;
const PASSPHRASE: &str = "correct horse";

fn at(days: u32) -> Timestamp {
    Timestamp::from_millis(1_795_512_600_000).unwrap().plus(days * DAY)
}

/// A home with a clock and a keyring of its own.
struct Home {
    folder: TempDir,
    clock: Arc<ManualClock>,
    keyring: Keyring,
    entries: Arc<CredentialStore>,
}

impl Home {
    fn new() -> Self {
        let (keyring, entries) = Keyring::in_memory();
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::new(at(0))), keyring, entries }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn key_file(&self) -> Unlock {
        Unlock::KeyFile(self.folder.path().join("key"))
    }

    fn config(&self, home: &Path, unlock: Unlock) -> ClientConfig {
        let mut config = ClientConfig::new(home.to_owned(), unlock);
        (config.clock, config.keyring) = (self.clock.clone(), self.keyring.clone());
        config.server = Some("http://127.0.0.1:9".to_owned());
        config
    }

    async fn create(&self, unlock: Unlock) -> Client {
        Client::create(self.config(&self.path(), unlock)).await.unwrap()
    }

    async fn open(&self, unlock: Unlock) -> Client {
        Client::open(self.config(&self.path(), unlock)).await.unwrap()
    }

    /// A copy of the home's files, as a backup would have them.
    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(self.path()).unwrap() {
            let file = entry.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        copy
    }

    /// In how many of the home's files these octets stand.
    fn places(&self, octets: &[u8]) -> usize {
        let files = fs::read_dir(self.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|file| file.windows(octets.len()).any(|window| window == octets)).count()
    }

    fn is_in_keyring(&self, id: Uuid) -> bool {
        self.entries.build(keyring::SERVICE, &keyring::user(id), None).unwrap().get_password().is_ok()
    }

    /// Lets the next thing fail that is asked of the keyring about this key.
    fn refuse(&self, id: Uuid) {
        let entry = self.entries.build(keyring::SERVICE, &keyring::user(id), None).unwrap();
        let reason = "the person has closed it".into();
        entry.as_any().downcast_ref::<keyring_core::mock::Cred>().unwrap().set_error(Error::NoStorageAccess(reason));
    }
}

fn sealing_key(counter: u64) -> SealingKey {
    SealingKey {
        counter,
        statement: Octets::default(),
        created: at(0),
        expires: at(u32::try_from(counter).unwrap() * 10),
        command_id: CommandId(Uuid::new_v4()),
        is_stated: true,
    }
}

/// Three sealing keys, of which number n expires after 10n days.
async fn make_keys(client: &Client) -> Vec<SealingSecretKey> {
    let mut secrets = Vec::new();
    for counter in 1..=3 {
        let wrapping = client.store.new_wrapping_key(&client.vault, client.now()).await.unwrap();
        let secret = SealingSecretKey::generate(&mut rng());
        let mut transaction = client.store.begin().await.unwrap();
        let key = sealing_key(counter);
        insert_sealing_key(&mut transaction, &client.vault, &wrapping, &key, &secret).await.unwrap();
        transaction.commit().await.unwrap();
        secrets.push(secret);
    }
    secrets
}

/// Which of the keys open.
async fn open_keys(client: &Client) -> Vec<u64> {
    let mut opened = Vec::new();
    for counter in 1..=3 {
        if client.store.sealing_secret(&client.vault, counter).await.unwrap().is_some() {
            opened.push(counter);
        }
    }
    opened
}

/// What the store has of a key, and of what wraps it.
struct Stored {
    sealed: Vec<u8>,
    id: Uuid,
    wrapped: Option<Vec<u8>>,
}

async fn stored(client: &Client, counter: i64) -> Stored {
    let (sealed, id, wrapped): (Vec<u8>, Vec<u8>, Option<Vec<u8>>) = sqlx::query_as(
        "select secret_key, id, wrapped from sealing_keys join wrapping_keys on id = wrapping_key where counter = ?",
    )
    .bind(counter)
    .fetch_one(&client.store.pool)
    .await
    .unwrap();
    Stored { sealed, id: Uuid::from_slice(&id).unwrap(), wrapped }
}

async fn wrapping_keys(client: &Client) -> i64 {
    sqlx::query_scalar("select count(*) from wrapping_keys").fetch_one(&client.store.pool).await.unwrap()
}

async fn warned(client: &Client) -> Vec<Warning> {
    let notices = client.warnings().await.unwrap();
    client.warnings_shown(&notices).await.unwrap();
    notices.into_iter().map(|notice| notice.warning).collect()
}
