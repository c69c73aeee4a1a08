//! A device's own account: settings, blocks, removal, revocation.

use rossby_commands::{Refusal, TokenError};
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse, StatementRequest};
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{SendOutcome, SendRequest};
use rossby_testing::{Person, command, refusal};

use crate::world::World;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";

pub(crate) fn signed(
    person: &Person,
    expected_version: u64,
    change: AccountChange,
    world: &World,
) -> AccountCommandRequest {
    let account_command = AccountCommand {
        command_id: command(),
        box_id: person.box_id(),
        expected_version,
        device_id: person.device_id,
        time: world.now(),
        change,
    };
    let signed = account_command.sign(&person.key);
    AccountCommandRequest { command: signed.command, signature: signed.signature }
}

pub(crate) async fn change(world: &World, person: &Person, version: u64, change: AccountChange) -> CommandResponse {
    let request = signed(person, version, change, world);
    world.service.account_command(person.caller(), &request).await.unwrap()
}

async fn can_find(world: &World, who: &Person, whom: &Person) -> bool {
    let by_box = LookupRequest { identifier: None, box_id: Some(whom.box_id()) };
    let by_identifier = LookupRequest { identifier: Some(BEN.to_owned()), box_id: None };
    let found = world.service.request_key(who.caller(), &by_box).await;
    assert_eq!(found.is_ok(), world.service.request_key(who.caller(), &by_identifier).await.is_ok());
    if found.is_err() {
        assert_eq!(refusal(found), Refusal::NoSuchRecipient);
        return false;
    }
    true
}

async fn can_write(world: &World, who: &Person, whom: &Person) -> bool {
    let message = who.message(whom, "hello", 1, world.now());
    let sent = world.service.send_message(who.caller(), &SendRequest { messages: vec![message] }).await.unwrap();
    match &sent.results[0].outcome {
        SendOutcome::Accepted { .. } => true,
        SendOutcome::NoSuchRecipient => false,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_decide_who_finds_and_writes() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let caller = ben.caller();
    let tag = rossby_crypto::keyed_hash::MasterSecret::new(1, &[7; 32]).acl_key(ben.box_id()).tag(ann.box_id());
    assert!(can_find(&world, &ann, &ben).await && can_write(&world, &ann, &ben).await);
    let steps = [
        (AccountChange::SetDiscoverable(Audience::Nobody), (false, true)),
        (AccountChange::SetAcceptFrom(Audience::Contacts), (false, false)),
        (AccountChange::AddContact(tag), (false, true)),
        (AccountChange::SetDiscoverable(Audience::Contacts), (true, true)),
        (AccountChange::Block(tag), (false, false)),
        (AccountChange::Unblock(tag), (true, true)),
        (AccountChange::RemoveContact(tag), (false, false)),
        (AccountChange::SetAcceptFrom(Audience::Everyone), (false, true)),
        (AccountChange::SetProfileBlob(b"encrypted".as_slice().into()), (false, true)),
    ];
    for (version, (step, expected)) in (0..).zip(steps) {
        let shown = format!("{step:?}");
        assert_eq!(change(&world, &ben, version, step).await.version, version + 1);
        let is = (can_find(&world, &ann, &ben).await, can_write(&world, &ann, &ben).await);
        assert_eq!(is, expected, "{shown}");
        // One's own box is always there for oneself.
        assert!(can_find(&world, &ben, &ben).await);
    }
    let account = world.service.account(caller).await.unwrap();
    assert_eq!((account.profile.version, account.profile.blob.as_slice()), (9, b"encrypted".as_slice()));
    assert_eq!((account.keys_version, account.devices.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_good_for_one_version_one_box_and_one_device() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let nobody = || AccountChange::SetDiscoverable(Audience::Nobody);
    let request = signed(&ann, 0, nobody(), &world);
    world.service.account_command(ann.caller(), &request).await.unwrap();
    // Repeated, also by another process: done, once.
    let again = world.other_process().account_command(ann.caller(), &request).await.unwrap();
    assert_eq!(again.version, 1);
    let late = signed(&ann, 0, AccountChange::SetDiscoverable(Audience::Everyone), &world);
    let refused = refusal(world.service.account_command(ann.caller(), &late).await);
    assert_eq!(refused, Refusal::VersionConflict { current: 1 });
    let early = signed(&ann, 7, nobody(), &world);
    let refused = refusal(world.service.account_command(ann.caller(), &early).await);
    assert_eq!(refused, Refusal::VersionConflict { current: 1 });

    let mut forged = signed(&ann, 1, nobody(), &world);
    forged.signature.0[0] ^= 1;
    let stolen = signed(&ben, 0, nobody(), &world);
    let closing = signed(&ann, 1, AccountChange::CloseBox(Vec::new()), &world);
    for request in [forged, stolen, closing] {
        let refused = refusal(world.service.account_command(ann.caller(), &request).await);
        assert!(matches!(&refused, Refusal::Statement { .. } | Refusal::VersionConflict { .. }), "{refused:?}");
    }
    assert_eq!(world.models.profile(ann.box_id()).await.unwrap().version, 1);

    // Two at once on one version: one is done, the other is in conflict.
    let requests =
        [signed(&ben, 0, nobody(), &world), signed(&ben, 0, AccountChange::SetAcceptFrom(Audience::Nobody), &world)];
    let other = world.other_process();
    let (one, two) = tokio::join!(
        world.service.account_command(ben.caller(), &requests[0]),
        other.account_command(ben.caller(), &requests[1])
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let lost = if one.is_ok() { two } else { one };
    assert_eq!(refusal(lost), Refusal::VersionConflict { current: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_and_a_removed_device_stop_at_once() {
    let world = World::new().await;
    let (ann, ben) = (world.person(ANN).await, world.person(BEN).await);
    let secret = rossby_crypto::keyed_hash::MasterSecret::new(1, &[7; 32]);
    let token = |person: &Person, epoch| secret.token_id(person.box_id(), person.device_id, epoch);
    let other = world.other_process();
    assert!(other.check_token(token(&ann, 1)).await.is_ok());
    let skipped = signed(&ann, 1, AccountChange::RevokeToken { device_id: ann.device_id, epoch: 3 }, &world);
    let refused = refusal(world.service.account_command(ann.caller(), &skipped).await);
    assert!(matches!(refused, Refusal::Statement { .. }));
    change(&world, &ann, 1, AccountChange::RevokeToken { device_id: ann.device_id, epoch: 2 }).await;
    assert!(matches!(other.check_token(token(&ann, 1)).await, Err(TokenError::NotGood)));
    assert!(other.check_token(token(&ann, 2)).await.is_ok());
    assert!(matches!(other.check_token(token(&ann, 3)).await, Err(TokenError::NotGood)));

    let removal = |signer: &Person, of: &Person| {
        let signer_device = Remover::Device(signer.device_id);
        remove(&signer.key, signer_device, of.box_id(), of.record.head(), of.device_id, world.now()).octets().clone()
    };
    let request = |statement| StatementRequest { command_id: command(), statement };
    for bad in [removal(&ann, &ben), removal(&ann, &ann), ben.record.statements()[0].clone(), b"x".as_slice().into()] {
        let refused = refusal(world.service.statement(ben.caller(), &request(bad)).await);
        assert!(matches!(&refused, Refusal::Statement { field, .. } if field == "/statement"), "{refused:?}");
    }
    // Lower and repeated counters.
    let refused = refusal(world.service.statement(ben.caller(), &request(ann.sealing(2, world.now()))).await);
    assert!(matches!(refused, Refusal::Statement { .. }));
    world.service.statement(ben.caller(), &request(ben.sealing(3, world.now()))).await.unwrap();
    let refused = refusal(world.service.statement(ben.caller(), &request(ben.sealing(2, world.now()))).await);
    assert!(matches!(refused, Refusal::Statement { .. }));

    world.service.statement(ben.caller(), &request(removal(&ben, &ben))).await.unwrap();
    assert!(matches!(other.check_token(token(&ben, 1)).await, Err(TokenError::NotGood)));
    let message = ann.message(&ben, "hello", 3, world.now());
    let sent = world.service.send_message(ann.caller(), &SendRequest { messages: vec![message] }).await.unwrap();
    assert!(matches!(sent.results[0].outcome, SendOutcome::Stale { .. }), "{sent:?}");
}
