//! The own profile stays above what the server shows, and its key changes when somebody is accepted no more.

use rossby_crypto::profile::ProfileKey;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;

use super::Profile;
use super::document::Document;
use crate::Warning;
use crate::content::Standing;
use crate::messages::tests::{Receiver, Sender};
use crate::random::rng;
use crate::store::device::Device;
use crate::store::profiles::{self, OwnProfile};

fn key(version: u32) -> ProfileKey {
    ProfileKey::generate(&mut rng(), version)
}

fn named(name: &str) -> Profile {
    Profile { name: Some(name.to_owned()), picture: None }
}

fn blob(key: &ProfileKey, box_id: BoxId, revision: u64, name: &str) -> Octets {
    key.seal(&mut rng(), box_id, &Document { revision, profile: named(name) }.write()).unwrap()
}

/// A device whose profile is this one, of the second key and revision 5.
async fn with_profile(is_stated: bool) -> (Receiver, Device, OwnProfile) {
    let ann = Receiver::new().await;
    let device = ann.client.device().await.unwrap();
    let own = OwnProfile { key: key(2), revision: 5, profile: named("Ann"), is_stated, is_told: is_stated };
    let mut transaction = ann.client.store.begin().await.unwrap();
    profiles::set_own(&mut transaction, &ann.client.vault, &own).await.unwrap();
    transaction.commit().await.unwrap();
    (ann, device, own)
}

async fn kept(ann: &Receiver) -> OwnProfile {
    profiles::own(&mut ann.client.store.read().await.unwrap(), &ann.client.vault).await.unwrap().unwrap()
}

#[tokio::test]
async fn it_is_set_above_what_another_device_has_set() {
    let (ann, device, own) = with_profile(false).await;
    let box_id = device.box_id;
    let above = async |shown: &Octets| {
        let above = ann.client.above_what_is_shown(&device, shown).await.unwrap();
        assert_eq!(above.profile, named("Ann"), "what is to be said stays");
        assert_eq!(above, kept(&ann).await, "it is in the store before it is sent");
        (above.key, above.revision)
    };
    for lower in [Octets::default(), b"nothing".as_slice().into(), blob(&key(1), box_id, 9, "before")] {
        assert_eq!(above(&lower).await, (own.key.clone(), 5));
    }
    assert_eq!(above(&blob(&own.key, box_id, 3, "before")).await, (own.key.clone(), 5));
    assert_eq!(above(&blob(&own.key, box_id, 7, "elsewhere")).await, (own.key.clone(), 8));
    assert_eq!(ann.warned().await, []);
    // A server that makes numbers up is not followed.
    assert_eq!(above(&blob(&key(5000), box_id, 1, "far ahead")).await, (own.key.clone(), 8));
    assert_eq!(above(&blob(&key(u32::MAX), box_id, 1, "farthest")).await, (own.key.clone(), 8));
    // One whose key has not come gives way, by a key above it.
    let (key, revision) = above(&blob(&key(4), box_id, 1, "elsewhere")).await;
    assert_eq!((key.version(), revision), (5, 8));
    assert!(!kept(&ann).await.is_told);
    assert_eq!(ann.warned().await, [Warning::ProfileReplaced]);
}

#[tokio::test]
async fn what_another_device_set_is_taken_and_what_is_older_is_told() {
    let (ann, device, own) = with_profile(true).await;
    let box_id = device.box_id;
    let heed = async |shown: Octets| {
        ann.client.heed_own_profile(&device, &shown).await.unwrap();
        (kept(&ann).await.profile.name.unwrap(), ann.warned().await)
    };
    assert_eq!(heed(blob(&own.key, box_id, 5, "Ann")).await, ("Ann".to_owned(), vec![]));
    assert_eq!(heed(blob(&own.key, box_id, 6, "Anne")).await, ("Anne".to_owned(), vec![]));
    let old = vec![Warning::OldProfile(box_id)];
    for older in [blob(&own.key, box_id, 5, "Ann"), blob(&key(1), box_id, 9, "Ann"), Octets::default()] {
        assert_eq!(heed(older).await, ("Anne".to_owned(), old.clone()));
    }
    let others = [blob(&key(2), box_id, 9, "Eve"), blob(&own.key, Sender::new().record.box_id(), 9, "Eve")];
    for forged in others {
        assert_eq!(heed(forged).await, ("Anne".to_owned(), vec![Warning::BadProfile(box_id)]));
    }
    // Another device has made a key, which comes later.
    let next = key(3);
    assert_eq!(heed(blob(&next, box_id, 7, "Annie")).await, ("Anne".to_owned(), vec![]));
    let mut transaction = ann.client.store.begin().await.unwrap();
    ann.client.heed_own_profile_key(&mut transaction, next.clone()).await.unwrap();
    ann.client.heed_own_profile_key(&mut transaction, own.key.clone()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(kept(&ann).await.key, next, "an older one comes too late");
    assert_eq!(heed(blob(&next, box_id, 7, "Annie")).await, ("Annie".to_owned(), vec![]));
}

#[tokio::test]
async fn the_key_changes_when_somebody_is_accepted_no_more() {
    let (ann, device, own) = with_profile(true).await;
    let ben = Sender::new().record.box_id();
    let stand = async |standing| {
        let mut transaction = ann.client.store.begin().await.unwrap();
        ann.client.stand(&mut transaction, &device, ben, standing).await.unwrap();
        transaction.commit().await.unwrap();
        kept(&ann).await
    };
    // A stranger had none, and needs none.
    assert_eq!(stand(Standing::Stranger).await, own);
    assert_eq!(stand(Standing::Accepted).await, own);
    let waiting = ann.client.store.outbox_heads().await.unwrap();
    assert_eq!(waiting.iter().map(|(_, to)| *to).collect::<Vec<_>>(), [ben], "he is given the key");
    let after = stand(Standing::Blocked).await;
    assert_eq!((after.key.version(), after.is_stated, after.is_told), (3, false, false));
    assert_eq!(after.profile, own.profile);
}

#[tokio::test]
async fn keys_and_profiles_come_in_any_order() {
    let ann = Receiver::new().await;
    let ben = Sender::new().record.box_id();
    let (first, second) = (key(1), key(2));
    let name = async || {
        let mut connection = ann.client.store.read().await.unwrap();
        profiles::name(&mut connection, &ann.client.vault, ben).await.unwrap()
    };
    let shown = async |blob: Octets| {
        let mut transaction = ann.client.store.begin().await.unwrap();
        ann.client.heed_shown_profile(&mut transaction, ben, &blob).await.unwrap();
        transaction.commit().await.unwrap();
    };
    let given = async |key: &ProfileKey| {
        let mut transaction = ann.client.store.begin().await.unwrap();
        ann.client.heed_profile_key(&mut transaction, ben, key).await.unwrap();
        transaction.commit().await.unwrap();
    };
    shown(Octets::default()).await;
    shown(b"garbage".as_slice().into()).await;
    shown(blob(&first, ben, 1, "Ben")).await;
    assert_eq!(name().await, None, "nothing is known of whoever has given no key");
    given(&first).await;
    assert_eq!(name().await.as_deref(), Some("Ben"), "the key opens what was shown before");
    given(&second).await;
    shown(blob(&first, ben, 2, "Benny")).await;
    assert_eq!(name().await.as_deref(), Some("Ben"), "what the key before opens is no longer said");
    shown(blob(&second, ben, 3, "Benjamin")).await;
    given(&first).await;
    assert_eq!(name().await.as_deref(), Some("Benjamin"));
    assert_eq!(ann.warned().await, []);
    shown(blob(&first, ben, 9, "Ben")).await;
    assert_eq!((name().await.as_deref(), ann.warned().await), (Some("Benjamin"), vec![Warning::OldProfile(ben)]));
    // What opens and is no profile is its owner's doing, or somebody's who has the key.
    let nonsense = second.seal(&mut rng(), ben, b"{}").unwrap();
    shown(nonsense).await;
    assert_eq!((name().await.as_deref(), ann.warned().await), (Some("Benjamin"), vec![Warning::BadProfile(ben)]));
}
