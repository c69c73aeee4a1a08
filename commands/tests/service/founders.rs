//! A device that founded a box has no part in it by that alone: removed, or with the box closed, it is a stranger.

use rossby_commands::{CommandError, Refusal};
use rossby_crypto::account::AccountChange;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::http::account::StatementRequest;
use rossby_schemas::http::identifiers::ClaimResponse;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_testing::{Person, command, refusal};

use crate::account::signed;
use crate::claims::{Claimant, leads_to};
use crate::identifiers::{ANN, PHONE, added, listed};
use crate::world::World;

const BEN: &str = "ben@example.org";
const OTHER: &str = "other@example.org";

/// Somebody's phone and laptop, and their recovery key.
async fn phone_and_laptop(world: &World) -> (Person, Person, SigningKey) {
    let (mut phone, recovery) = Person::with_recovery_key(world.now());
    let registered = phone.register(&world.service, ANN).await.unwrap();
    let code = world.code(ANN, 0).await;
    phone.authorize(&world.service, &registered, &code).await.unwrap();
    let (laptop, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
    (phone, laptop, recovery)
}

/// The founding device is removed with the recovery key.
async fn remove_founder(world: &World, phone: &Person, laptop: &mut Person, recovery: &SigningKey) {
    let (box_id, head) = (laptop.box_id(), laptop.record.head());
    let removal = remove(recovery, Remover::RecoveryKey, box_id, head, phone.device_id, world.now());
    let request = StatementRequest { command_id: command(), statement: removal.octets().clone() };
    world.service.statement(laptop.caller(), &request).await.unwrap();
    laptop.record.append(removal.octets()).unwrap();
}

/// The founding device registers another identifier, with the statement that founded its box, and shows the code.
async fn founds_again(
    world: &World,
    founder: &mut Person,
    identifier: &str,
) -> Result<AuthorizeResponse, CommandError> {
    let known = world.mailboxes.codes(identifier).len();
    founder.record = KeyRecord::verify(&founder.record.statements()[..1]).unwrap();
    founder.sealing_statement = founder.sealing(2, world.now());
    let registered = founder.register(&world.service, identifier).await.unwrap();
    let code = world.code(identifier, known).await;
    founder.authorize(&world.service, &registered, &code).await
}

fn is_refused(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Statement { field, .. } if field == "/device_id")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_founder_adds_no_identifier() {
    let world = World::new().await;
    let (mut phone, mut laptop, recovery) = phone_and_laptop(&world).await;
    let ben = world.person(BEN).await;
    // While it belongs to the box it has to sign for it, as any other.
    assert!(is_refused(&refusal(founds_again(&world, &mut phone, OTHER).await)));
    remove_founder(&world, &phone, &mut laptop, &recovery).await;
    assert!(is_refused(&refusal(founds_again(&world, &mut phone, PHONE).await)));
    for identifier in [OTHER, PHONE] {
        assert_eq!(leads_to(&world, &ben, identifier).await, None, "{identifier}");
    }
    let own = listed(&world, &laptop).await;
    assert_eq!(own.len(), 1);
    assert_eq!(world.service.reconcile().await.unwrap(), 0);
    // Neither does it claim one for the box.
    let claimed = claims_again(&world, phone, BEN).await;
    assert!(is_refused(&refusal(claimed)));
    // The box's own devices add it.
    added(&world, &laptop, PHONE).await;
    assert_eq!(leads_to(&world, &ben, PHONE).await, Some(laptop.box_id()));
}

/// The founding device registers somebody's identifier and claims it, with the statement that founded its box.
async fn claims_again(world: &World, founder: Person, identifier: &str) -> Result<ClaimResponse, CommandError> {
    let known = world.mailboxes.codes(identifier).len();
    let registered = founder.register(&world.service, identifier).await.unwrap();
    let code = world.code(identifier, known).await;
    let founder = Claimant { person: founder, registered, code };
    founder.claim(&world.service, identifier).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_box_gets_no_identifier() {
    let world = World::new().await;
    let mut ann = world.person(ANN).await;
    let ben = world.person(BEN).await;
    let named = listed(&world, &ann).await.iter().map(|own| own.identifier_hash).collect();
    let closing = signed(&ann, 1, AccountChange::CloseBox(named), &world);
    world.service.account_command(ann.caller(), &closing).await.unwrap();
    for identifier in [PHONE, ANN] {
        assert!(is_refused(&refusal(founds_again(&world, &mut ann, identifier).await)), "{identifier}");
        assert!(world.models.identifiers_of(ann.box_id()).await.unwrap().is_empty());
    }
    // It is free for others.
    let new = world.person_known(ANN, 2).await;
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(new.box_id()));
}
