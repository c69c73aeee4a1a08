//! A home as a whole: one of before, locked otherwise, copied, and erased.

use super::*;

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
            .bind(crate::store::signed(counter))
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

#[tokio::test]
async fn where_there_is_no_keyring_nothing_is_told_of_what_it_never_had() {
    let home = Home { keyring: Keyring::missing(), ..Home::new() };
    let client = home.create(home.key_file()).await;
    make_keys(&client).await;
    assert!(matches!(client.change_lock(Unlock::Keyring).await.unwrap_err(), ClientError::Keyring(_)));
    let client = home.open(home.key_file()).await;
    home.clock.set(at(0).plus(Duration::from_secs(3601)));
    client.erase_what_is_due().await.unwrap();
    assert_eq!(client.warnings().await.unwrap(), []);
    assert_eq!(open_keys(&client).await, [1, 2, 3]);
}
