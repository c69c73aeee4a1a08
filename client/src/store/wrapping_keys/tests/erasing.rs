//! What is no longer needed is erased, over crashes too, and in the keyring.

use super::*;

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
