//! Claims: who has lost all devices proves an identifier again and gets a new box, unless the old one objects in time.

use std::time::Duration;

use rossby_commands::{CommandError, Refusal, Service};
use rossby_crypto::account::{AccountChange, Objection, RecoveryObjection};
use rossby_crypto::authorize::{AuthorizeProof, ClaimProof};
use rossby_crypto::signing::SigningKey;
use rossby_schemas::http::account::AccountCommandRequest;
use rossby_schemas::http::identifiers::{
    AskCodeRequest, ClaimForBoxRequest, ClaimOnIdentifier, ClaimRequest, ClaimResponse, ClaimState, FollowClaimRequest,
    ShowCodeResponse,
};
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::registration::RegisterResponse;
use rossby_schemas::ids::{BoxId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;
use rossby_testing::{DAY, Fault, Person, command, refusal};

use crate::account::signed;
use crate::identifiers::{ANN, PHONE, added, ask, ask_request, listed, show_request, shown};
use crate::world::World;

const WAIT: Duration = Duration::from_secs(7 * 24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

/// A person who has asked for a code and has it.
pub(crate) struct Claimant {
    pub(crate) person: Person,
    pub(crate) registered: RegisterResponse,
    pub(crate) code: String,
}

impl Claimant {
    /// Somebody with new keys, to whom a code came.
    async fn new(world: &World, identifier: &str) -> Self {
        let person = Person::new(world.now());
        let known = world.mailboxes.codes(identifier).len();
        let registered = person.register(&world.service, identifier).await.unwrap();
        let code = world.code(identifier, known).await;
        Self { person, registered, code }
    }

    /// Somebody who has claimed an identifier.
    pub(crate) async fn claiming(world: &World, identifier: &str) -> (Self, ClaimResponse) {
        let claimant = Self::new(world, identifier).await;
        let claim = claimant.claim(&world.service, identifier).await.unwrap();
        (claimant, claim)
    }

    fn request(&self, identifier: &str) -> ClaimRequest {
        let code = self.code.parse().unwrap();
        let (registration_id, device_id) = (self.registered.registration_id, self.person.device_id);
        let signature = AuthorizeProof { registration_id, device_id, code: &code }.sign(&self.person.key);
        let (identifier, code) = (identifier.to_owned(), self.code.clone());
        ClaimRequest { command_id: command(), device_id, code, identifier, signature }
    }

    pub(crate) async fn claim(&self, service: &Service, identifier: &str) -> Result<ClaimResponse, CommandError> {
        service.claim_identifier(self.registered.registration_id, &self.request(identifier)).await
    }

    fn follow_request(&self) -> FollowClaimRequest {
        follow_request(&self.person, self.registered.registration_id)
    }

    async fn follow(&self, service: &Service) -> Result<ClaimResponse, CommandError> {
        service.follow_claim(self.registered.registration_id, &self.follow_request()).await
    }

    async fn state(&self, world: &World) -> ClaimState {
        self.follow(&world.service).await.unwrap().state
    }
}

pub(crate) fn follow_request(person: &Person, claim_id: RegistrationId) -> FollowClaimRequest {
    let device_id = person.device_id;
    FollowClaimRequest { device_id, signature: ClaimProof { claim_id, device_id }.sign(&person.key) }
}

pub(crate) async fn leads_to(world: &World, who: &Person, identifier: &str) -> Option<BoxId> {
    let request = LookupRequest { identifier: Some(identifier.to_owned()), box_id: None };
    world.service.request_key(who.caller(), &request).await.ok().map(|found| found.box_id)
}

/// The claim that the box's devices are told of.
async fn told(world: &World, person: &Person) -> Option<(IdentifierHash, u64, ClaimOnIdentifier)> {
    let own = listed(world, person).await;
    own.into_iter().find_map(|own| own.claim.map(|claim| (own.identifier_hash, own.version, claim)))
}

fn object(identifier: IdentifierHash, claim_id: RegistrationId, proof: Objection) -> AccountChange {
    AccountChange::ObjectToClaim { identifier, claim_id, proof }
}

fn object_request(identifier: &str, claim_id: RegistrationId) -> AskCodeRequest {
    AskCodeRequest { object_to: Some(claim_id), ..ask_request(identifier) }
}

/// A device of the box objects by a fresh code.
async fn object_by_code(world: &World, person: &Person, identifier: &str) {
    let (hash, version, claim) = told(world, person).await.unwrap();
    let known = world.mailboxes.codes(identifier).len();
    let asked = world.service.ask_code(person.caller(), &object_request(identifier, claim.claim_id)).await.unwrap();
    let code = world.code(identifier, known).await;
    let showing = show_request(person, asked.registration_id, &code);
    let shown = world.service.show_code(person.caller(), asked.registration_id, &showing).await.unwrap();
    assert_eq!(shown, ShowCodeResponse { identifier_hash: hash, version });
    let change = object(hash, claim.claim_id, Objection::Code(asked.registration_id));
    world.service.account_command(person.caller(), &signed(person, version, change, world)).await.unwrap();
}

/// A device of the box objects by the recovery key.
async fn object_by_key(world: &World, person: &Person, key: &SigningKey) -> Result<(), CommandError> {
    let objection = objection_by_key(world, person, key).await;
    world.service.account_command(person.caller(), &objection).await.map(|_| ())
}

/// What objects by the recovery key, to the claim that there is now.
async fn objection_by_key(world: &World, person: &Person, key: &SigningKey) -> AccountCommandRequest {
    let (identifier, version, claim) = told(world, person).await.unwrap();
    let claim_id = claim.claim_id;
    let signature = RecoveryObjection { box_id: person.box_id(), identifier, claim_id }.sign(key);
    signed(person, version, object(identifier, claim_id, Objection::RecoveryKey(signature)), world)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_all_devices_gets_a_new_box_after_the_wait() {
    let world = World::new().await;
    let (old, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let new = Claimant::new(&world, ANN).await;
    let refused = refusal(new.person.authorize(&world.service, &new.registered, &new.code).await);
    assert_eq!(refused, Refusal::IdentifierTaken, "a claim must be meant");
    assert_eq!(told(&world, &old).await, None);

    let request = new.request(ANN);
    let id = new.registered.registration_id;
    let claim = world.service.claim_identifier(id, &request).await.unwrap();
    let effective_at = world.now().plus(WAIT);
    let waits = ClaimResponse { claim_id: id, state: ClaimState::Open, effective_at, authorized: None };
    assert_eq!(claim, waits);
    // Repeated, in whatever way: the same claim, and one notice.
    assert_eq!(world.service.claim_identifier(id, &request).await.unwrap(), waits);
    assert_eq!(new.claim(&world.service, ANN).await.unwrap(), waits);
    world.service.finish().await;
    assert_eq!(world.mailboxes.claims(ANN), [effective_at]);
    assert_eq!(world.other_process().claim_identifier(id, &request).await.unwrap(), waits);
    // The old devices are told, and nothing has changed yet.
    let (_, _, shown) = told(&world, &old).await.unwrap();
    assert_eq!((shown.claim_id, shown.effective_at, shown.recovery_objections_left), (id, effective_at, 3));
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(old.box_id()));
    world.clock.set(effective_at.minus(SECOND));
    assert_eq!(world.service.reconcile().await.unwrap(), 0);
    assert_eq!(new.follow(&world.service).await.unwrap(), waits);
    // The registration is forgotten long since; the claim is not.
    world.models.sweep(world.now()).await.unwrap();
    assert_eq!(world.models.registration(id).await.unwrap(), None);

    world.clock.set(effective_at);
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(old.box_id()), "no clock decides it, but a command");
    let done = new.follow(&world.service).await.unwrap();
    assert_eq!(done.state, ClaimState::Effective);
    let token = new.person.token(&done.authorized.unwrap());
    world.service.check_token(token.id).await.unwrap();
    let key = world.service.hawk_key(token.id).unwrap();
    assert_eq!(key.as_bytes(), token.hawk_key.as_bytes());
    let again = new.person.token(&new.follow(&world.other_process()).await.unwrap().authorized.unwrap());
    assert_eq!(again.hawk_key.as_bytes(), token.hawk_key.as_bytes());
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(new.person.box_id()));
    assert_eq!((listed(&world, &old).await.len(), listed(&world, &new.person).await.len()), (0, 1));
    // The old box is still there for those who know it.
    let by_box = LookupRequest { identifier: None, box_id: Some(old.box_id()) };
    assert!(world.service.request_key(ben.caller(), &by_box).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loop_in_the_background_lets_it_take_effect_and_whoever_meets_it_half_done_finishes_it() {
    let world = World::new().await;
    let old = world.person(ANN).await;
    let (new, claim) = Claimant::claiming(&world, ANN).await;
    world.clock.set(claim.effective_at);
    // The log takes the identifier's event and not that of the box; the process dies.
    world.log.set(Topic::Keys, Some(Fault::Refused));
    assert!(world.service.reconcile().await.is_err());
    assert_eq!(leads_to(&world, &old, ANN).await, None, "verified, and not founded");
    let unfinished = new.follow(&world.service).await;
    assert!(matches!(unfinished, Err(CommandError::Unavailable(_))), "{unfinished:?}");
    world.log.set_all(None);
    assert_eq!(world.other_process().reconcile().await.unwrap(), 1);
    assert_eq!(world.other_process().reconcile().await.unwrap(), 0, "once");
    assert_eq!(leads_to(&world, &old, ANN).await, Some(new.person.box_id()));
    let done = new.follow(&world.service).await.unwrap();
    new.person.token(&done.authorized.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_told_is_told_when_it_is_repeated() {
    let world = World::new().await;
    world.person(ANN).await;
    let new = Claimant::new(&world, ANN).await;
    let (id, request) = (new.registered.registration_id, new.request(ANN));
    for (topic, fault) in [
        (Topic::Registrations, Fault::UnknownWritten),
        (Topic::Identifiers, Fault::Refused),
        (Topic::Identifiers, Fault::UnknownLost),
        (Topic::Identifiers, Fault::UnknownWritten),
    ] {
        world.log.set(topic, Some(fault));
        let answer = world.service.claim_identifier(id, &request).await;
        world.log.set_all(None);
        let is_open = matches!(answer, Err(CommandError::OutcomeUnknown { .. } | CommandError::Unavailable(_)));
        assert!(is_open, "{topic:?} {fault:?} {answer:?}");
    }
    let claim = world.other_process().claim_identifier(id, &request).await.unwrap();
    assert_eq!(claim.state, ClaimState::Open);
    world.clock.set(claim.effective_at);
    for (topic, fault) in [
        (Topic::Identifiers, Fault::Refused),
        (Topic::Identifiers, Fault::UnknownWritten),
        (Topic::Keys, Fault::Refused),
        (Topic::Keys, Fault::UnknownWritten),
    ] {
        world.log.set(topic, Some(fault));
        let answer = new.follow(&world.service).await;
        world.log.set_all(None);
        assert!(!matches!(answer, Err(CommandError::Refused(_) | CommandError::Internal(_))), "{answer:?}");
    }
    let done = new.follow(&world.other_process()).await.unwrap();
    new.person.token(&done.authorized.unwrap());
    assert_eq!(world.models.key_record(new.person.box_id()).await.unwrap().unwrap().version, 1, "founded once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_objects_by_a_code_each_time_whatever_others_do() {
    let world = World::new().await;
    let (old, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    for _ in 0..3 {
        let (thief, claim) = Claimant::claiming(&world, ANN).await;
        // Strangers use up the identifier's codes of the day.
        while let Ok(registered) = Person::new(world.now()).register(&world.service, ANN).await {
            assert!(registered.code_expires_at > world.now());
        }
        object_by_code(&world, &old, ANN).await;
        assert_eq!((thief.state(&world).await, told(&world, &old).await), (ClaimState::Objected, None));
        world.clock.set(claim.effective_at);
        assert_eq!((world.service.reconcile().await.unwrap(), thief.state(&world).await), (0, ClaimState::Objected));
        assert_eq!(leads_to(&world, &ben, ANN).await, Some(old.box_id()));
        // Who has objected has peace for as long as a claim waits.
        world.clock.advance(DAY);
    }
    let (_, claim) = Claimant::claiming(&world, ANN).await;
    object_by_code(&world, &old, ANN).await;
    let objected_at = world.now();
    let again = Claimant::new(&world, ANN).await;
    let refused = refusal(again.claim(&world.service, ANN).await);
    assert_eq!(refused, Refusal::ClaimTooSoon { retry_after: WAIT.as_secs() });
    world.clock.set(objected_at.plus(WAIT).minus(SECOND));
    let late = Claimant::new(&world, ANN).await;
    assert_eq!(refusal(late.claim(&world.service, ANN).await), Refusal::ClaimTooSoon { retry_after: 1 });
    assert_eq!(world.mailboxes.claims(ANN).len(), 4, "of refused claims nobody is told");
    world.clock.advance(SECOND);
    late.claim(&world.service, ANN).await.unwrap();
    assert!(claim.effective_at <= world.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_device_can_neither_object_nor_keep_another_from_it() {
    let world = World::new().await;
    let mut phone = world.person(ANN).await;
    let (stolen, request) = phone.link(world.now());
    world.service.link_device(phone.caller(), &request).await.unwrap();
    let (_, claim) = Claimant::claiming(&world, ANN).await;
    let (hash, version, _) = told(&world, &stolen).await.unwrap();
    // Without a code that came to the identifier, it has nothing to object with.
    let ask =
        async |device: &Person| world.service.ask_code(device.caller(), &object_request(ANN, claim.claim_id)).await;
    let asked = ask(&stolen).await.unwrap();
    for (registration, guesses) in [(asked.registration_id, 5), (ask(&stolen).await.unwrap().registration_id, 5)] {
        for _ in 0..guesses {
            let wrong = show_request(&stolen, registration, "00000000");
            let wrong = refusal(world.service.show_code(stolen.caller(), registration, &wrong).await);
            assert!(matches!(wrong, Refusal::WrongCode { .. }), "{wrong:?}");
        }
        let change = object(hash, claim.claim_id, Objection::Code(registration));
        let command = signed(&stolen, version, change, &world);
        let refused = refusal(world.service.account_command(stolen.caller(), &command).await);
        assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    }
    // Its three codes of the day are its own; the other device has others.
    ask(&stolen).await.unwrap();
    assert!(matches!(refusal(ask(&stolen).await), Refusal::CodesExhausted { .. }));
    object_by_code(&world, &phone, ANN).await;
    // Nobody's claim, and one that has ended, can't be objected to.
    for id in [claim.claim_id, RegistrationId::from_bytes([9; 16])] {
        let refused = refusal(world.service.ask_code(phone.caller(), &object_request(ANN, id)).await);
        assert_eq!(refused, Refusal::NoSuchClaim);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recovery_key_objects_until_a_code_is_needed() {
    let world = World::new().await;
    let (old, key) = Person::with_recovery_key(world.now());
    let registered = old.register(&world.service, ANN).await.unwrap();
    old.authorize(&world.service, &registered, &world.code(ANN, 0).await).await.unwrap();
    for left in (0..3).rev() {
        let (claimant, _) = Claimant::claiming(&world, ANN).await;
        let wrong = refusal(object_by_key(&world, &old, &old.key).await);
        assert!(matches!(wrong, Refusal::Statement { .. }), "{wrong:?}");
        object_by_key(&world, &old, &key).await.unwrap();
        assert_eq!(claimant.state(&world).await, ClaimState::Objected);
        world.clock.advance(WAIT);
        let (_, _) = Claimant::claiming(&world, ANN).await;
        let (.., claim) = told(&world, &old).await.unwrap();
        assert_eq!(claim.recovery_objections_left, left);
        if left > 0 {
            // A claim that is overtaken is no objection.
            continue;
        }
        assert_eq!(refusal(object_by_key(&world, &old, &key).await), Refusal::CodeNeeded);
    }
    // Who can read the identifier's codes has it still, and begins anew.
    object_by_code(&world, &old, ANN).await;
    world.clock.advance(WAIT);
    Claimant::claiming(&world, ANN).await;
    assert_eq!(told(&world, &old).await.unwrap().2.recovery_objections_left, 3);
    object_by_key(&world, &old, &key).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_who_showed_a_code_is_who_claims() {
    let world = World::new().await;
    let (old, ben) = (world.person(ANN).await, world.person("ben@example.org").await);
    let (thief, first) = Claimant::claiming(&world, ANN).await;
    world.clock.advance(6 * DAY);
    let (owner, second) = Claimant::claiming(&world, ANN).await;
    assert_eq!(second.effective_at, world.now().plus(WAIT), "the wait begins anew");
    assert_eq!((thief.state(&world).await, owner.state(&world).await), (ClaimState::Replaced, ClaimState::Open));
    assert_eq!(told(&world, &old).await.unwrap().2.claim_id, second.claim_id);
    // A code that was shown before claims nothing more.
    let again = Claimant::new(&world, ANN).await;
    let (last, _) = Claimant::claiming(&world, ANN).await;
    assert_eq!(owner.claim(&world.service, ANN).await.unwrap().state, ClaimState::Replaced);
    let replaced = again.claim(&world.service, ANN).await.unwrap();
    assert_eq!(replaced.state, ClaimState::Open, "this one had not claimed yet");
    world.clock.set(first.effective_at);
    assert_eq!(world.service.reconcile().await.unwrap(), 0);
    world.clock.set(replaced.effective_at);
    assert_eq!(world.service.reconcile().await.unwrap(), 1);
    assert_eq!(leads_to(&world, &ben, ANN).await, Some(again.person.box_id()));
    for (claimant, state) in [
        (&thief, ClaimState::Replaced),
        (&owner, ClaimState::Replaced),
        (&last, ClaimState::Replaced),
        (&again, ClaimState::Effective),
    ] {
        assert_eq!(claimant.state(&world).await, state);
    }
    // Ended claims are forgotten a month later.
    world.clock.advance(31 * DAY);
    world.models.sweep(world.now()).await.unwrap();
    assert_eq!(refusal(thief.follow(&world.service).await), Refusal::NoSuchClaim);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_free_meanwhile_is_waited_for_no_longer() {
    let world = World::new().await;
    let old = world.person(ANN).await;
    let phone = added(&world, &old, PHONE).await;
    let (new, claim) = Claimant::claiming(&world, PHONE).await;
    let (_, version, _) = told(&world, &old).await.unwrap();
    let remove = signed(&old, version, AccountChange::RemoveIdentifier(phone), &world);
    world.service.account_command(old.caller(), &remove).await.unwrap();
    assert!(world.now() < claim.effective_at);
    assert_eq!(world.service.reconcile().await.unwrap(), 1);
    assert_eq!(leads_to(&world, &old, PHONE).await, Some(new.person.box_id()));

    // Freed, and taken by somebody who showed a code later, it is theirs.
    let work = added(&world, &old, "ann@work.example").await;
    let (slow, _) = Claimant::claiming(&world, "ann@work.example").await;
    let remove = signed(&old, 2, AccountChange::RemoveIdentifier(work), &world);
    world.service.account_command(old.caller(), &remove).await.unwrap();
    let quick = Claimant::new(&world, "ann@work.example").await;
    quick.person.authorize(&world.service, &quick.registered, &quick.code).await.unwrap();
    assert_eq!(slow.state(&world).await, ClaimState::Replaced);
    assert_eq!(leads_to(&world, &old, "ann@work.example").await, Some(quick.person.box_id()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_is_there_claims_too() {
    let world = World::new().await;
    let (lost, new) = (world.person(PHONE).await, world.person(ANN).await);
    let (registration, code) = ask(&world, &new, PHONE).await;
    let showing = show_request(&new, registration, &code);
    let taken = refusal(world.service.show_code(new.caller(), registration, &showing).await);
    let Refusal::ShownIdentifierTaken { identifier_hash: identifier, version } = taken else { panic!("{taken:?}") };
    assert_eq!((identifier, version), (listed(&world, &lost).await[0].identifier_hash, 1));
    let request = |person: &Person, version, registration_id, to: &str| {
        let change = AccountChange::AddIdentifier { identifier, registration_id };
        let signed = signed(person, version, change, &world);
        ClaimForBoxRequest { command: signed.command, signature: signed.signature, identifier: to.to_owned() }
    };
    let claim = async |person: &Person, request: &ClaimForBoxRequest| {
        world.service.claim_for_box(person.caller(), registration, request).await
    };
    // Another version, registration, device or identifier; another change.
    let late = refusal(claim(&new, &request(&new, 0, registration, PHONE)).await);
    assert_eq!(late, Refusal::VersionConflict { current: 1 });
    let elsewhere = refusal(claim(&new, &request(&new, version, registration, ANN)).await);
    assert_eq!(elsewhere, Refusal::NoSuchRegistration);
    let other = RegistrationId::from_bytes([9; 16]);
    let remove = signed(&new, version, AccountChange::RemoveIdentifier(identifier), &world);
    let remove =
        ClaimForBoxRequest { command: remove.command, signature: remove.signature, identifier: PHONE.to_owned() };
    for bad in [request(&new, version, other, PHONE), request(&lost, version, registration, PHONE), remove] {
        let refused = refusal(claim(&new, &bad).await);
        assert!(matches!(refused, Refusal::Statement { .. }), "{refused:?}");
    }
    let good = request(&new, version, registration, PHONE);
    let claimed = claim(&new, &good).await.unwrap();
    assert_eq!(claim(&new, &good).await.unwrap(), claimed, "repeated");
    let own = world.service.account(new.caller()).await.unwrap().claims;
    assert_eq!((own.len(), own[0].claim_id, own[0].state), (1, registration, ClaimState::Open));
    assert!(told(&world, &lost).await.is_some());

    world.clock.set(claimed.effective_at);
    let followed = world.service.follow_claim(registration, &follow_request(&new, registration)).await.unwrap();
    assert_eq!((followed.state, followed.authorized), (ClaimState::Effective, None), "it has its token");
    let own = listed(&world, &new).await;
    assert_eq!((own.len(), own[1].identifier_hash), (2, identifier));
    let kept = own[1].signed.as_ref().unwrap();
    assert_eq!((&kept.command, &kept.signature), (&good.command, &good.signature), "the signature stays");
    assert_eq!(listed(&world, &lost).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_and_the_effect_at_the_same_moment_have_one_outcome() {
    let world = World::new().await;
    let other = world.other_process();
    for round in 0..6 {
        let identifier = format!("p{round}@example.org");
        let (old, key) = Person::with_recovery_key(world.now());
        let registered = old.register(&world.service, &identifier).await.unwrap();
        old.authorize(&world.service, &registered, &world.code(&identifier, 0).await).await.unwrap();
        let (new, claim) = Claimant::claiming(&world, &identifier).await;
        world.clock.set(claim.effective_at);
        let objection = objection_by_key(&world, &old, &key).await;
        let objecting = world.service.account_command(old.caller(), &objection);
        let (objected, followed) = tokio::join!(objecting, new.follow(&other));
        let followed = followed.unwrap();
        let owner = leads_to(&world, &old, &identifier).await.unwrap();
        if objected.is_ok() {
            assert_eq!((followed.state, owner), (ClaimState::Objected, old.box_id()));
        } else {
            let refused = refusal(objected);
            assert!(matches!(refused, Refusal::VersionConflict { .. } | Refusal::NoSuchClaim), "{refused:?}");
            assert_eq!((followed.state, owner), (ClaimState::Effective, new.person.box_id()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_claims_without_the_code_or_what_is_free() {
    let world = World::new().await;
    world.person(ANN).await;
    let (new, other) = (Claimant::new(&world, ANN).await, Claimant::new(&world, PHONE).await);
    let id = new.registered.registration_id;
    let claim = async |request: ClaimRequest| refusal(world.service.claim_identifier(id, &request).await);
    let wrong = Claimant { code: "00000000".to_owned(), ..Claimant::new(&world, ANN).await };
    let guessed = refusal(wrong.claim(&world.service, ANN).await);
    assert_eq!(guessed, Refusal::WrongCode { guesses_left: 4 });
    assert_eq!(claim(new.request(PHONE)).await, Refusal::NoSuchRegistration, "the notice would go astray");
    let foreign = ClaimRequest { device_id: other.person.device_id, ..new.request(ANN) };
    assert_eq!(claim(foreign).await, Refusal::NoSuchRegistration);
    let forged = ClaimRequest { signature: other.request(ANN).signature, ..new.request(ANN) };
    assert!(matches!(claim(forged).await, Refusal::Statement { field, .. } if field == "/signature"));
    let nothing = ClaimRequest { code: "12".to_owned(), ..new.request(ANN) };
    assert!(matches!(claim(nothing).await, Refusal::Invalid { field, .. } if field == "/code"));
    let nobody = ClaimRequest { identifier: "ann".to_owned(), ..new.request(ANN) };
    assert!(matches!(claim(nobody).await, Refusal::Invalid { field, .. } if field == "/identifier"));
    assert_eq!(refusal(other.claim(&world.service, PHONE).await), Refusal::IdentifierNotTaken);
    assert_eq!(world.mailboxes.claims(ANN), [] as [Timestamp; 0]);
    assert_eq!(refusal(new.follow(&world.service).await), Refusal::NoSuchClaim);

    let made = new.claim(&world.service, ANN).await.unwrap();
    let strange = FollowClaimRequest { device_id: other.person.device_id, ..new.follow_request() };
    assert_eq!(refusal(world.service.follow_claim(made.claim_id, &strange).await), Refusal::NoSuchClaim);
    let forged = FollowClaimRequest { signature: other.follow_request().signature, ..new.follow_request() };
    let refused = refusal(world.service.follow_claim(made.claim_id, &forged).await);
    assert!(matches!(refused, Refusal::Statement { field, .. } if field == "/signature"));
    // A code that adds an identifier is shown by the device that asked for it, and claims nothing for a new box.
    let ben = world.person("ben@example.org").await;
    let (registration, _) = shown(&world, &ben, "ben@work.example").await;
    let refused = refusal(world.service.claim_identifier(registration, &new.request(ANN)).await);
    assert_eq!(refused, Refusal::NoSuchRegistration);
}
