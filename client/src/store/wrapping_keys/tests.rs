//! Sealing private keys are erased for good: by file-level search, in copies, over crashes, in the store and in the keyring.

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

#[tokio::test]
async fn an_erased_key_is_in_no_file_and_the_one_before_the_newest_stays_while_it_is_needed() {
    let home = Home::new();
    let client = home.create(home.key_file()).await;
    let secrets = make_keys(&client).await;
    let first = stored(&client, 1).await;
    let second = stored(&client, 2).await;
    client.close().await;
    let client = home.open(home.key_file()).await;
    for octets in [&first.sealed, first.wrapped.as_ref().unwrap()] {
        assert!(home.places(octets) > 0, "the search finds nothing, so it would find no erased key");
    }

    assert_eq!(client.store.drop_sealing_keys(at(10)).await.unwrap(), 0, "it expires at that very time");
    assert_eq!(client.store.drop_sealing_keys(at(10).plus(Duration::from_millis(1))).await.unwrap(), 1);
    client.erase_what_is_due().await.unwrap();
    assert_eq!(open_keys(&client).await, [2, 3]);
    let kept = client.store.sealing_secret(&client.vault, 2).await.unwrap().unwrap();
    assert_eq!(kept.to_bytes(), secrets[1].to_bytes());
    for (what, octets) in [("sealed", &first.sealed[..]), ("wrapping", first.wrapped.as_deref().unwrap())] {
        assert_eq!(home.places(octets), 0, "the {what} key is still in a file");
        assert_eq!(home.places(&octets[24..56]), 0, "a part of the {what} key is still in a file");
    }
    assert!(home.places(&second.sealed) > 0, "only what is erased is gone");
    assert!(!secrets.iter().any(|secret| home.places(secret.to_bytes().as_slice()) > 0), "none is there in the clear");

    // A copy of what there is now opens nothing more.
    let copy = home.copy("copy");
    let copy = Client::open(home.config(&copy, home.key_file())).await.unwrap();
    assert_eq!(open_keys(&copy).await, [2, 3]);
    copy.close().await;

    assert_eq!(client.store.drop_sealing_keys(at(1000)).await.unwrap(), 1);
    client.erase_what_is_due().await.unwrap();
    assert_eq!((open_keys(&client).await, wrapping_keys(&client).await), (vec![3], 1), "the newest stays");
    client.close().await;
}

#[tokio::test]
async fn with_a_keyring_a_copy_from_before_opens_nothing_either() {
    let home = Home::new();
    let client = home.create(Unlock::Keyring).await;
    make_keys(&client).await;
    let first = stored(&client, 1).await;
    assert!(first.wrapped.is_none() && home.is_in_keyring(first.id), "the keyring alone has it");
    client.close().await;
    let before = home.copy("before");

    let client = home.open(Unlock::Keyring).await;
    client.store.drop_sealing_keys(at(11)).await.unwrap();
    client.erase_what_is_due().await.unwrap();
    assert!(!home.is_in_keyring(first.id));
    assert_eq!(open_keys(&client).await, [2, 3]);
    client.close().await;

    let file = fs::read(before.join("rossby.sqlite")).unwrap();
    assert!(file.windows(first.sealed.len()).any(|window| window == first.sealed), "the sealed key is in the copy");
    let copy = Client::open(home.config(&before, Unlock::Keyring)).await.unwrap();
    assert_eq!(open_keys(&copy).await, [2, 3], "and opens no more");
    copy.close().await;
}

#[tokio::test]
async fn what_a_crash_left_undone_is_done_the_next_time() {
    for steps in 0..=3 {
        for unlock in [None, Some(Unlock::Keyring)] {
            let home = Home::new();
            let unlock = unlock.unwrap_or_else(|| home.key_file());
            let client = home.create(unlock.clone()).await;
            make_keys(&client).await;
            let first = stored(&client, 1).await;
            // The process dies after so many steps.
            if steps > 0 {
                client.store.drop_sealing_keys(at(11)).await.unwrap();
            }
            if steps > 1 {
                // The keyring has erased it, and the store doesn't know yet.
                home.keyring.erase(first.id).await.unwrap();
            }
            if steps > 2 {
                client.store.erase_wrapping_keys(&client.vault, client.now()).await.unwrap();
            }
            client.close().await;

            let client = home.open(unlock).await;
            client.store.drop_sealing_keys(at(11)).await.unwrap();
            client.erase_what_is_due().await.unwrap();
            assert_eq!(open_keys(&client).await, [2, 3]);
            let for_the_lock = i64::from(client.lock_kind() == LockKind::Keyring);
            assert_eq!(wrapping_keys(&client).await, 2 + for_the_lock);
            assert!(!home.is_in_keyring(first.id), "after {steps} steps");
            assert_eq!(home.places(&first.sealed), 0, "after {steps} steps");
            assert!(first.wrapped.is_none_or(|wrapped| home.places(&wrapped) == 0), "after {steps} steps");
            client.close().await;
        }
    }
}

#[tokio::test]
async fn what_another_process_reads_is_scrubbed_later() {
    let home = Home::new();
    let client = home.create(home.key_file()).await;
    make_keys(&client).await;
    let first = stored(&client, 1).await;
    let reader = home.open(home.key_file()).await;
    let mut reading = reader.store.pool.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("select count(*) from sealing_keys").fetch_one(&mut *reading).await.unwrap();
    client.store.drop_sealing_keys(at(11)).await.unwrap();
    client.erase_what_is_due().await.unwrap();
    assert!(home.places(&first.sealed) > 0, "the reader sees the store as it was");
    reading.rollback().await.unwrap();
    client.erase_what_is_due().await.unwrap();
    assert_eq!(home.places(&first.sealed), 0);
    reader.close().await;
    client.close().await;
}

#[tokio::test]
async fn a_keyring_that_refuses_to_erase_is_told_and_asked_again() {
    let home = Home::new();
    let client = home.create(Unlock::Keyring).await;
    make_keys(&client).await;
    let first = stored(&client, 1).await;
    client.store.drop_sealing_keys(at(11)).await.unwrap();
    home.refuse(first.id);
    client.erase_what_is_due().await.unwrap();
    let told = warned(&client).await;
    assert!(matches!(&told[..], [Warning::NotErased { reason }] if reason.contains("closed it")), "{told:?}");
    client.erase_what_is_due().await.unwrap();
    assert!(home.is_in_keyring(first.id), "it is not asked at each turn");
    home.clock.set(at(0).plus(DAY).plus(Duration::from_secs(1)));
    client.erase_what_is_due().await.unwrap();
    assert!(!home.is_in_keyring(first.id));
    assert_eq!(warned(&client).await, []);
    client.close().await;
}

#[tokio::test]
async fn a_wrapping_key_that_came_to_nothing_goes_after_an_hour() {
    for unlock in [None, Some(Unlock::Keyring)] {
        let home = Home::new();
        let client = home.create(unlock.unwrap_or_else(|| home.key_file())).await;
        make_keys(&client).await;
        let before = wrapping_keys(&client).await;
        let unused = client.store.new_wrapping_key(&client.vault, client.now()).await.unwrap();
        client.erase_what_is_due().await.unwrap();
        assert_eq!(wrapping_keys(&client).await, before + 1, "it may be about to be used");
        home.clock.set(at(0).plus(Duration::from_secs(3601)));
        client.erase_what_is_due().await.unwrap();
        assert_eq!(wrapping_keys(&client).await, before);
        assert!(!home.is_in_keyring(unused.id));
        assert_eq!(open_keys(&client).await, [1, 2, 3]);
        client.close().await;
    }
}

#[tokio::test]
async fn a_keyring_that_can_not_be_asked_loses_no_mail() {
    let home = Home::new();
    let client = home.create(Unlock::Keyring).await;
    make_keys(&client).await;
    home.refuse(stored(&client, 1).await.id);
    let error = client.store.sealing_secret(&client.vault, 1).await.unwrap_err();
    assert!(matches!(error, ClientError::Keyring(_)), "it is not taken for erased: {error}");
    assert_eq!(open_keys(&client).await, [1, 2, 3]);
    client.close().await;
}

/// A home as it was made before private keys had wrapping keys, with two of them.
async fn old_home(home: &Home) -> (Vec<SealingSecretKey>, Vec<u8>) {
    crate::store::make_folder(&home.path()).unwrap();
    let (vault, lock) = Vault::create(home.key_file(), home.keyring.clone()).await.unwrap();
    let file = home.path().join("rossby.sqlite");
    fs::write(&file, []).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let pool = sqlx::SqlitePool::connect_with(options(&file).journal_mode(SqliteJournalMode::Wal)).await.unwrap();
    for step in &SCHEMA[..OLD] {
        sqlx::raw_sql(*step).execute(&pool).await.unwrap();
    }
    sqlx::raw_sql(AssertSqlSafe(format!("pragma user_version = {OLD}"))).execute(&pool).await.unwrap();
    sqlx::query("insert into home (one, server, wrapped_key) values (1, 'http://127.0.0.1:9', ?)")
        .bind(&lock.wrapped)
        .execute(&pool)
        .await
        .unwrap();
    let (mut secrets, mut all) = (Vec::new(), Vec::new());
    for counter in 1..=2 {
        let secret = SealingSecretKey::generate(&mut rng());
        let sealed = vault.seal(&sealing_label(counter), secret.to_bytes().as_slice());
        sqlx::query("insert into sealing_keys values (?, ?, x'', 0, 0, x'', 1)")
            .bind(super::super::signed(counter))
            .bind(&sealed)
            .execute(&pool)
            .await
            .unwrap();
        all.extend_from_slice(&sealed[24..]);
        secrets.push(secret);
    }
    pool.close().await;
    (secrets, all)
}

#[tokio::test]
async fn an_old_homes_keys_are_wrapped_when_it_is_opened() {
    let home = Home::new();
    let (secrets, sealed) = old_home(&home).await;
    for sealed in sealed.chunks(48) {
        assert!(home.places(sealed) > 0, "the search finds an old key");
    }
    let client = home.open(home.key_file()).await;
    for (secret, counter) in secrets.iter().zip(1..) {
        let opened = client.store.sealing_secret(&client.vault, counter).await.unwrap().unwrap();
        assert_eq!(opened.to_bytes(), secret.to_bytes());
        assert!(stored(&client, i64::try_from(counter).unwrap()).await.wrapped.is_some());
    }
    for sealed in sealed.chunks(48) {
        assert_eq!(home.places(sealed), 0, "what the store's key alone opens is gone from the files");
    }
    client.close().await;
    let client = home.open(home.key_file()).await;
    assert_eq!(wrapping_keys(&client).await, 2, "once");
    client.close().await;
}

#[tokio::test]
async fn a_home_can_be_locked_otherwise() {
    let home = Home::new();
    let passphrase = |text: &str| Unlock::Passphrase(SecretString::from(text));
    let another = Unlock::KeyFile(home.folder.path().join("another"));
    let locks =
        [home.key_file(), passphrase(PASSPHRASE), Unlock::Keyring, passphrase("another"), Unlock::Keyring, another];
    let client = home.create(locks[0].clone()).await;
    let secrets = make_keys(&client).await;
    client.close().await;
    for pair in locks.windows(2) {
        let client = home.open(pair[0].clone()).await;
        let wrapped = client.store.home().await.unwrap().lock;
        let ids = [stored(&client, 1).await.id, stored(&client, 3).await.id];
        client.change_lock(pair[1].clone()).await.unwrap();

        assert_eq!(home.places(&wrapped.wrapped), 0, "what the lock before wrapped is in no file");
        if let LockedBy::Keyring(id) = wrapped.by {
            assert!(!home.is_in_keyring(id), "nor is its key in the keyring");
        }
        let refused = Client::open(home.config(&home.path(), pair[0].clone())).await.unwrap_err();
        assert!(matches!(refused, ClientError::Unlock(_)), "{refused}");
        let client = home.open(pair[1].clone()).await;
        assert_eq!(open_keys(&client).await, [1, 2, 3]);
        let kept = client.store.sealing_secret(&client.vault, 1).await.unwrap().unwrap();
        assert_eq!(kept.to_bytes(), secrets[0].to_bytes());
        let is_keyring = client.lock_kind() == LockKind::Keyring;
        assert!(ids.iter().all(|id| home.is_in_keyring(*id) == is_keyring), "{pair:?}");
        assert_eq!(stored(&client, 2).await.wrapped.is_none(), is_keyring);
        client.close().await;
    }
}

#[tokio::test]
async fn a_change_of_the_lock_that_comes_to_nothing_leaves_it_as_it_was() {
    let home = Home::new();
    let client = home.create(home.key_file()).await;
    make_keys(&client).await;
    let wrapped = stored(&client, 2).await.id;
    // The process dies when the keyring has a part of the keys.
    let id = Uuid::new_v4();
    client.store.keyring_will_have(id, client.now()).await.unwrap();
    client.vault.lock_anew(Unlock::Keyring, id).await.unwrap();
    let mut transaction = client.store.begin().await.unwrap();
    client.store.move_wrapping_keys(&mut transaction, &client.vault, LockKind::Keyring).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(home.is_in_keyring(wrapped) && home.is_in_keyring(id));
    client.close().await;

    let client = home.open(home.key_file()).await;
    home.clock.set(at(0).plus(Duration::from_secs(3601)));
    client.erase_what_is_due().await.unwrap();
    assert!(!home.is_in_keyring(wrapped) && !home.is_in_keyring(id), "the keyring keeps nothing of it");
    assert_eq!(open_keys(&client).await, [1, 2, 3]);

    // A keyring that refuses changes nothing.
    home.refuse(wrapped);
    assert!(matches!(client.change_lock(Unlock::Keyring).await.unwrap_err(), ClientError::Keyring(_)));
    let client = home.open(home.key_file()).await;
    assert_eq!(open_keys(&client).await, [1, 2, 3]);
    let empty = client.change_lock(Unlock::Passphrase(SecretString::from(""))).await.unwrap_err();
    assert!(matches!(empty, ClientError::Unlock(UnlockError::EmptyPassphrase)), "{empty}");
    home.open(home.key_file()).await.close().await;
}

#[tokio::test]
async fn a_copy_of_the_file_is_worth_nothing_without_the_keyring() {
    let home = Home::new();
    let client = home.create(Unlock::Keyring).await;
    make_keys(&client).await;
    client.close().await;
    let (strange, _) = Keyring::in_memory();
    let mut config = home.config(&home.path(), Unlock::Keyring);
    config.keyring = strange;
    let refused = Client::open(config).await.unwrap_err();
    assert!(matches!(refused, ClientError::Unlock(UnlockError::NotInKeyring)), "{refused}");
    for other in [home.key_file(), Unlock::Passphrase(SecretString::from(PASSPHRASE))] {
        let refused = Client::open(home.config(&home.path(), other)).await.unwrap_err();
        assert!(matches!(refused, ClientError::Unlock(UnlockError::NeedsKeyring)), "{refused}");
    }
}

#[tokio::test]
async fn a_scrub_is_due_until_it_is_done() {
    let home = Home::new();
    let client = home.create(home.key_file()).await;
    let mut transaction = client.store.begin().await.unwrap();
    scrub_later(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();
    client.close().await;
    let client = home.open(home.key_file()).await;
    let is_due: bool = sqlx::query_scalar("select scrub_due from home").fetch_one(&client.store.pool).await.unwrap();
    assert!(!is_due, "opening the home has done it");
    client.close().await;
}

#[tokio::test]
async fn an_erased_home_leaves_no_file_and_nothing_in_the_keyring() {
    let home = Home::new();
    let client = home.create(Unlock::Keyring).await;
    make_keys(&client).await;
    let LockedBy::Keyring(lock) = client.store.home().await.unwrap().lock.by else { panic!("the keyring locks it") };
    let keys = [lock, stored(&client, 1).await.id, stored(&client, 3).await.id];
    assert!(keys.iter().all(|key| home.is_in_keyring(*key)));
    let uploads = home.path().join("uploads");
    fs::create_dir(&uploads).unwrap();
    fs::write(uploads.join("one"), "ciphertext").unwrap();

    client.erase().await.unwrap();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert!(!keys.iter().any(|key| home.is_in_keyring(*key)));
}

#[tokio::test]
async fn a_home_that_was_being_erased_is_none() {
    let home = Home::new();
    let client = home.create(home.key_file()).await;
    let secrets = make_keys(&client).await;
    let first = stored(&client, 1).await;
    // A process that dies before it takes the files away.
    client.store.erase_rows(&client.vault, client.now()).await.unwrap();
    for octets in [&first.sealed[..], first.wrapped.as_deref().unwrap(), secrets[0].to_bytes().as_slice()] {
        assert_eq!(home.places(octets), 0);
    }
    client.close().await;
    let refused = Client::open(home.config(&home.path(), home.key_file())).await.unwrap_err();
    assert!(matches!(refused, ClientError::NoHome(_)), "{refused}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    home.create(home.key_file()).await.close().await;
}
