//! When a claim takes effect for a box that is there: much may have happened in the days in which it waited.

use rossby_commands::Refusal;
use rossby_crypto::account::AccountChange;
use rossby_schemas::http::identifiers::{ClaimForBoxRequest, ClaimResponse, ClaimState};
use rossby_schemas::ids::{IdentifierHash, RegistrationId};
use rossby_testing::{Person, refusal};

use crate::account::signed;
use crate::claims::{follow_request, leads_to};
use crate::devices::removal;
use crate::identifiers::{ANN, PHONE, added, ask, listed, show_request};
use crate::world::World;

const WORK: &str = "ann@work.example";

/// A device claims somebody's identifier for its box, which waits.
async fn claim(world: &World, person: &Person, to: &str) -> ClaimResponse {
    let (id, code) = ask(world, person, to).await;
    let taken = refusal(world.service.show_code(person.caller(), id, &show_request(person, id, &code)).await);
    let Refusal::ShownIdentifierTaken { identifier_hash: identifier, version } = taken else { panic!("{taken:?}") };
    let signed = signed(person, version, AccountChange::AddIdentifier { identifier, registration_id: id }, world);
    let request =
        ClaimForBoxRequest { command: signed.command, signature: signed.signature, identifier: to.to_owned() };
    world.service.claim_for_box(person.caller(), id, &request).await.unwrap()
}

async fn hashes(world: &World, person: &Person) -> Vec<IdentifierHash> {
    listed(world, person).await.into_iter().map(|own| own.identifier_hash).collect()
}

/// What whoever claimed is told.
async fn followed(world: &World, person: &Person, id: RegistrationId) -> Result<ClaimState, Refusal> {
    match world.service.follow_claim(id, &follow_request(person, id)).await {
        Ok(followed) => Ok(followed.state),
        failed => Err(refusal(failed)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_removed_meanwhile_has_claimed_nothing() {
    let world = World::new().await;
    let (lost, mut phone) = (world.person(PHONE).await, world.person(ANN).await);
    let (laptop, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
    let claimed = claim(&world, &laptop, PHONE).await;
    world.service.statement(phone.caller(), &removal(&phone, &laptop, &world)).await.unwrap();
    world.clock.set(claimed.effective_at);
    assert_eq!(world.service.reconcile().await.unwrap(), 0);
    assert_eq!(followed(&world, &laptop, claimed.claim_id).await, Err(Refusal::NoSuchClaim));
    assert_eq!(hashes(&world, &phone).await.len(), 1);
    assert_eq!(leads_to(&world, &phone, PHONE).await, Some(lost.box_id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_full_takes_it_once_it_has_room() {
    let world = World::with(|config| config.limits.identifiers = 2).await;
    let (lost, ann) = (world.person(PHONE).await, world.person(ANN).await);
    let claimed = claim(&world, &ann, PHONE).await;
    let work = added(&world, &ann, WORK).await;
    world.clock.set(claimed.effective_at);
    assert_eq!(world.service.reconcile().await.unwrap(), 0);
    assert_eq!(followed(&world, &ann, claimed.claim_id).await, Ok(ClaimState::Open));
    assert_eq!(leads_to(&world, &ann, PHONE).await, Some(lost.box_id()));
    let remove = signed(&ann, 1, AccountChange::RemoveIdentifier(work), &world);
    world.service.account_command(ann.caller(), &remove).await.unwrap();
    assert_eq!(world.service.reconcile().await.unwrap(), 1);
    assert_eq!(followed(&world, &ann, claimed.claim_id).await, Ok(ClaimState::Effective));
    assert_eq!(hashes(&world, &ann).await.len(), 2);
}
