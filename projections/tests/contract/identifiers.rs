//! A box's identifiers, and the codes by which they come.

use std::time::Duration;

use rossby_projections::{ClaimState, Purpose};
use rossby_schemas::events::identifiers::ObjectionProof;
use rossby_schemas::events::registrations::{self, CodePurpose};
use rossby_schemas::ids::RegistrationId;
use rossby_schemas::topic::Topic;

use super::events::*;
use super::{HOME, World};

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn a_box_has_the_identifiers_that_were_verified_for_it(world: World) {
    let (ann, ben) = (box_number(1), box_number(2));
    let begun = world.now();
    let mut number = 0;
    let mut event = async |hash, expected, event| {
        number += 1;
        world.clock.advance(Duration::from_secs(1));
        let envelope = control(Topic::Identifiers, &format!("{hash}"), command(number), expected, world.now(), &event);
        world.append(Topic::Identifiers, &envelope).await;
    };
    // The lower hash comes later: the order is that of time.
    let [first, second, third] = [9, 5, 7].map(identifier);
    event(first, 0, verified(first, ann, 1)).await;
    event(second, 0, added(second, ann, 2)).await;
    event(third, 0, added(third, ben, 3)).await;
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());
    let own = world.models.identifiers_of(ann).await.unwrap();
    let shown: Vec<_> = own.iter().map(|own| (own.hash, own.version, own.verified_at, own.signed.clone())).collect();
    let at = |seconds| Some(begun.plus(Duration::from_secs(seconds)));
    assert_eq!(shown, [(first, 1, at(1), None), (second, 1, at(2), Some(signed()))]);

    // Taken away by its box; by another it isn't.
    event(second, 1, released(second, ann)).await;
    event(first, 1, released(first, ben)).await;
    event(second, 2, added(second, ben, 4)).await;
    world.project().await;
    let hashes = async |box_id| {
        let own = world.models.identifiers_of(box_id).await.unwrap();
        own.iter().map(|own| (own.hash, own.version)).collect::<Vec<_>>()
    };
    assert_eq!(hashes(ann).await, [(first, 2)]);
    assert_eq!(hashes(ben).await, [(third, 1), (second, 3)]);
    assert_eq!(hashes(box_number(3)).await, []);
    let owner = world.models.identifier(second).await.unwrap().owner.unwrap();
    assert_eq!((owner.box_id, owner.founding), (ben, None));
}

pub(crate) async fn codes_for_objections_are_counted_apart(world: World) {
    let (now, hash) = (world.now(), identifier(7));
    let stream = registrations::stream(hash, now);
    let expires_at = now.plus(Duration::from_secs(600));
    let claim_id = RegistrationId::from_bytes([9; 16]);
    let events = [
        asked(hash, 1, box_number(1)),
        code(1, 1, expires_at),
        guess(1, 1, false),
        code_asked(hash, 2, box_number(2), CodePurpose::Add),
        code(2, 1, expires_at),
        code_asked(hash, 3, box_number(2), CodePurpose::Object { claim_id }),
        code(3, 1, expires_at),
        code(3, 2, expires_at),
        guess(3, 1, false),
        code_asked(hash, 4, box_number(2), CodePurpose::Object { claim_id }),
        code(4, 1, expires_at),
    ];
    for (number, event) in (0..).zip(events) {
        let envelope = control(Topic::Registrations, &stream, command(number.into()), number, now, &event);
        world.append(Topic::Registrations, &envelope).await;
    }
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());
    let day = world.models.registration_day(&stream).await.unwrap();
    assert_eq!((day.version, day.codes_issued, day.guesses), (11, 2, 1));
    // Another box's device with the same id has its own.
    for (number, box_id, expected) in [(3, 2, (2, 1)), (4, 2, (1, 0)), (2, 2, (0, 0)), (3, 3, (0, 0))] {
        let day = world.models.objection_day(&stream, box_number(box_id), device(number)).await.unwrap();
        assert_eq!((day.version, (day.codes_issued, day.guesses)), (11, expected), "{number} of {box_id}");
    }
    let purpose = async |number| {
        let id = RegistrationId::from_bytes([number; 16]);
        world.models.registration(id).await.unwrap().unwrap().purpose
    };
    let (founding_statement, sealing_statement) = (b"founded".as_slice().into(), b"sealing 1".as_slice().into());
    assert_eq!(purpose(1).await, Purpose::Found { founding_statement, sealing_statement });
    assert_eq!(purpose(2).await, Purpose::Add);
    assert_eq!(purpose(3).await, Purpose::Object { claim_id });
}

pub(crate) async fn one_claim_waits_and_the_others_have_ended(world: World) {
    let (old, new) = (box_number(1), box_number(2));
    let [hash, other] = [5, 6].map(identifier);
    let mut number = 0;
    let mut event = async |hash, expected, event| {
        number += 1;
        world.clock.advance(Duration::from_secs(1));
        let envelope = control(Topic::Identifiers, &format!("{hash}"), command(number), expected, world.now(), &event);
        world.append(Topic::Identifiers, &envelope).await;
    };
    let models = &world.models;
    let id = |number| RegistrationId::from_bytes([number; 16]);
    let state = async |number| models.claim(id(number)).await.unwrap().map(|claim| claim.state);
    let due =
        async |at| models.due_claims(at, 10, 16, None).await.unwrap().iter().map(|claim| claim.id).collect::<Vec<_>>();
    let effective_at = world.now().plus(7 * DAY);
    event(hash, 0, verified(hash, old, 1)).await;
    event(other, 0, added(other, old, 1)).await;
    event(hash, 1, claimed(hash, 2, old, new, effective_at)).await;
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());
    let open = models.open_claim(hash).await.unwrap().unwrap();
    assert_eq!((open.id, open.box_id, open.device_id, open.effective_at), (id(2), new, device(2), effective_at));
    assert_eq!((open.claimed_by, open.claimed_at), (command(3), world.now()));
    assert_eq!((open.founding.unwrap().device_id, open.signed, open.closing), (device(2), None, false));
    assert_eq!(models.open_claim(other).await.unwrap(), None);
    assert_eq!(models.claims_on(old).await.unwrap().len(), 1);
    assert_eq!((models.claims_on(new).await.unwrap(), models.claims_for(new).await.unwrap().len()), (vec![], 1));
    // Due at its time; before it only once the identifier is free.
    let early = effective_at.minus(Duration::from_millis(1));
    assert_eq!((due(early).await, due(effective_at).await), (vec![], vec![id(2)]));
    // A later one takes its place; an objection ends that; both are told.
    event(hash, 2, claimed(hash, 3, old, box_number(3), effective_at)).await;
    world.project().await;
    assert_eq!((state(2).await, state(3).await), (Some(ClaimState::Replaced), Some(ClaimState::Open)));
    event(hash, 3, objected(hash, 3, old, ObjectionProof::RecoveryKey)).await;
    world.project().await;
    assert_eq!((state(3).await, models.open_claim(hash).await.unwrap()), (Some(ClaimState::Objected), None));
    let owner = models.identifier(hash).await.unwrap().owner.unwrap();
    assert_eq!((owner.objected_at, owner.recovery_objections), (Some(world.now()), 1));
    assert_eq!(models.identifiers_of(old).await.unwrap()[0].recovery_objections, 1);
    assert_eq!(due(effective_at).await, []);
    // A code begins the count anew.
    event(hash, 4, claimed(hash, 4, old, new, effective_at)).await;
    event(hash, 5, objected(hash, 4, old, ObjectionProof::Code { registration_id: id(9) })).await;
    world.project().await;
    assert_eq!(models.identifier(hash).await.unwrap().owner.unwrap().recovery_objections, 0);

    // Freed, it is due at once; and whoever has it by then, the one that waited has ended.
    event(hash, 6, claimed(hash, 5, old, new, effective_at)).await;
    event(hash, 7, released(hash, old)).await;
    world.project().await;
    assert_eq!((due(early).await, models.claims_on(old).await.unwrap()), (vec![id(5)], vec![]));
    event(hash, 8, verified(hash, new, 5)).await;
    event(other, 1, claimed(other, 6, old, new, effective_at)).await;
    event(other, 2, released(other, old)).await;
    event(other, 3, verified(other, box_number(4), 7)).await;
    world.project().await;
    assert_eq!((state(5).await, state(6).await), (Some(ClaimState::Effective), Some(ClaimState::Replaced)));
    let owner = models.identifier(hash).await.unwrap().owner.unwrap();
    assert_eq!((owner.box_id, owner.objected_at), (new, None));

    // A box that closes frees what it has, and wants nothing more.
    let now = world.now();
    event(hash, 9, claimed(hash, 8, new, old, effective_at)).await;
    world.append(Topic::Keys, &key_event(new, 90, 0, now, &founded(new, device(1)))).await;
    world.append(Topic::Keys, &key_event(new, 91, 1, now, &closing(new))).await;
    world.project().await;
    assert_eq!(due(early).await, [id(8)]);
    world.append(Topic::Keys, &key_event(old, 92, 0, now, &founded(old, device(1)))).await;
    world.append(Topic::Keys, &key_event(old, 93, 1, now, &closing(old))).await;
    world.project().await;
    assert_eq!((due(effective_at).await, models.claim(id(8)).await.unwrap().unwrap().closing), (vec![], true));

    // Ended ones are forgotten after a month.
    world.clock.advance(31 * DAY);
    models.sweep(world.now()).await.unwrap();
    assert_eq!((state(2).await, state(5).await, state(8).await), (None, None, Some(ClaimState::Open)));
}

pub(crate) async fn claims_that_can_take_no_effect_take_no_place(world: World) {
    let (old, new) = (box_number(1), box_number(2));
    let now = world.now();
    let mut number = 0;
    let mut event = async |hash, expected, event| {
        number += 1;
        let envelope = control(Topic::Identifiers, &format!("{hash}"), command(number), expected, now, &event);
        world.append(Topic::Identifiers, &envelope).await;
    };
    // A hundred claims for a box that is there, by devices that don't belong to it; and behind them one by its device.
    let (first, last) = (10, 110);
    for claim in first..=last {
        event(identifier(claim), 0, verified(identifier(claim), old, 1)).await;
        event(identifier(claim), 1, claimed(identifier(claim), claim, old, new, now.plus(DAY))).await;
    }
    world.append(Topic::Keys, &key_event(new, 900, 0, now, &founded(new, device(last)))).await;
    // One for a box that is to be founded by it, which is due last of all.
    event(identifier(200), 0, verified(identifier(200), old, 1)).await;
    event(identifier(200), 1, claimed(identifier(200), 200, old, box_number(3), now.plus(2 * DAY))).await;
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());
    let due = async |limit, identifiers, slots: Option<&[u16]>| {
        let due = world.models.due_claims(now.plus(3 * DAY), limit, identifiers, slots).await.unwrap();
        due.iter().map(|claim| claim.device_id).collect::<Vec<_>>()
    };
    assert_eq!(due(1, 1, None).await, [device(last)]);
    assert_eq!(due(9, 1, None).await, [device(last), device(200)]);
    assert_eq!(due(9, 0, None).await, [device(200)], "the other box is full");
    let slot = identifier(200).slot();
    assert_eq!(due(9, 1, Some(&[slot])).await, [device(200)]);
    assert_eq!(due(9, 1, Some(&[])).await, []);
    // A device that was removed has claimed nothing either.
    world.append(Topic::Keys, &key_event(new, 901, 1, now, &removed(new, device(last)))).await;
    world.project().await;
    assert_eq!(due(9, 1, None).await, [device(200)]);
}

pub(crate) async fn what_is_half_done_is_found_until_it_is_done(world: World) {
    let (ann, ben) = (box_number(1), box_number(2));
    let now = world.now();
    let event = async |number, hash, expected, event| {
        let envelope = control(Topic::Identifiers, &format!("{hash}"), command(number), expected, now, &event);
        world.append(Topic::Identifiers, &envelope).await;
    };
    let unfounded = async || {
        let found = world.models.unfounded_identifiers(HOME, 9).await.unwrap();
        found.iter().map(|(hash, _)| *hash).collect::<Vec<_>>()
    };
    let [one, two] = [1, 2].map(identifier);
    event(1, one, 0, verified(one, ann, 1)).await;
    event(2, two, 0, verified(two, ben, 2)).await;
    world.project().await;
    assert_eq!(unfounded().await, [one, two]);
    world.models.sweep(now).await.unwrap();
    assert_eq!(unfounded().await, [one, two], "a sweep forgets nothing that is to be done");
    world.append(Topic::Keys, &key_event(ann, 3, 0, now, &founded(ann, device(1)))).await;
    event(4, two, 1, released(two, ben)).await;
    world.project().await;
    for _ in 0..2 {
        assert_eq!(unfounded().await, []);
        world.models.sweep(now).await.unwrap();
    }
    // Verified again, for another box, it is to be found again.
    event(5, two, 2, verified(two, box_number(3), 3)).await;
    world.project().await;
    assert_eq!(unfounded().await, [two]);

    // A closing is found until it is closed; afterwards for as long as it is looked after, if an identifier is left.
    let closings = async |since| {
        let found = world.models.half_closed_boxes(HOME, since, 9).await.unwrap();
        found.iter().map(|(box_id, _)| *box_id).collect::<Vec<_>>()
    };
    world.append(Topic::Keys, &key_event(ann, 6, 1, now, &closing(ann))).await;
    world.project().await;
    assert_eq!(closings(now).await, [ann]);
    world.append(Topic::Keys, &key_event(ann, 7, 2, now, &closed(ann))).await;
    world.project().await;
    assert_eq!((closings(now.minus(DAY)).await, closings(now).await), (vec![ann], vec![]));
    event(8, one, 1, released(one, ann)).await;
    world.project().await;
    assert_eq!(closings(now.minus(DAY)).await, []);
}
