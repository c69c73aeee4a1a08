//! A box's identifiers, and the codes by which they come.

use std::time::Duration;

use rossby_projections::Purpose;
use rossby_schemas::events::registrations::{self, CodePurpose};
use rossby_schemas::ids::RegistrationId;
use rossby_schemas::topic::Topic;

use super::World;
use super::events::*;

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
    for (number, expected) in [(3, (2, 1)), (4, (1, 0)), (2, (0, 0))] {
        let day = world.models.objection_day(&stream, device(number)).await.unwrap();
        assert_eq!((day.version, (day.codes_issued, day.guesses)), (11, expected), "{number}");
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
