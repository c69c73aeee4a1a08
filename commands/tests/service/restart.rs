//! What was answered once is answered the same after a restart on the same data.

use std::time::Duration;

use rossby_commands::{CommandError, Fetch, Timeouts};
use rossby_crypto::account::AccountChange;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::StatementRequest;
use rossby_schemas::http::command::CommandState;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::SendRequest;
use rossby_testing::{Person, command, until};

use crate::account::signed;
use crate::world::World;

const ANN: &str = "ann@example.org";

#[tokio::test(flavor = "multi_thread")]
async fn repeated_commands_have_the_same_answers() {
    let mut world = World::new().await;
    let (ann, ben) = (Person::new(world.now()), world.person("ben@example.org").await);
    let register = ann.register_request(ANN);
    let registered = world.service.register(&register).await.unwrap();
    let code = world.code(ANN, 0).await;
    let authorize = ann.authorize_request(&registered, &code);
    let authorized = world.service.authorize(registered.registration_id, &authorize).await.unwrap();
    let send = SendRequest { messages: vec![ann.message(&ben, "hello", 1, world.now())] };
    let sent = world.service.send_message(ann.caller(), &send).await.unwrap();
    let setting = signed(&ann, 0, AccountChange::SetDiscoverable(Audience::Nobody), &world);
    let set = world.service.account_command(ann.caller(), &setting).await.unwrap();
    let stating = StatementRequest { command_id: command(), statement: ann.sealing(2, world.now()) };
    let stated = world.service.statement(ann.caller(), &stating).await.unwrap();
    let account = world.service.account(ann.caller()).await.unwrap();

    world.restart().await;
    world.clock.advance(Duration::from_secs(3600));
    let service = &world.service;
    assert_eq!(service.register(&register).await.unwrap(), registered);
    let again = service.authorize(registered.registration_id, &authorize).await.unwrap();
    assert_eq!(ann.token(&again).hawk_key.as_bytes(), ann.token(&authorized).hawk_key.as_bytes());
    assert_eq!(service.account_command(ann.caller(), &setting).await.unwrap(), set);
    assert_eq!(service.statement(ann.caller(), &stating).await.unwrap(), stated);
    assert_eq!(service.command_status(stating.command_id, None).await.unwrap().state, CommandState::Done);
    // The answer to a message comes from the tables once they have it, and waits for nothing before.
    until("the message", async || {
        service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap().messages.len() == 1
    })
    .await;
    assert_eq!(service.send_message(ann.caller(), &send).await.unwrap(), sent);
    let fetched = service.fetch_messages(ben.caller(), Fetch::default()).await.unwrap();
    assert_eq!(fetched.messages.len(), 1);
    assert_eq!(service.account(ann.caller()).await.unwrap(), account);
    // Nothing went out a second time: the code's time is over.
    service.finish().await;
    assert_eq!(world.mailboxes.codes(ANN).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_that_stands_still_leaves_the_outcome_open() {
    let mut world = World::new().await;
    let ann = world.person(ANN).await;
    world.stop_projector().await;
    let hasty = world.process(Timeouts { outcome: Duration::from_millis(100), ..Timeouts::default() });
    let request = signed(&ann, 0, AccountChange::SetDiscoverable(Audience::Nobody), &world);
    let answer = hasty.account_command(ann.caller(), &request).await;
    let Err(CommandError::OutcomeUnknown { status: Some((id, token)), .. }) = answer else { panic!("{answer:?}") };
    assert_eq!(hasty.command_status(id, Some(&token)).await.unwrap().state, CommandState::Pending);
    // Reads go on.
    let own = LookupRequest { identifier: None, box_id: Some(ann.box_id()) };
    hasty.request_key(ann.caller(), &own).await.unwrap();

    world.restart().await;
    until("the outcome", async || {
        let status = world.service.command_status(id, Some(&token)).await.unwrap();
        status.state == CommandState::Done && status.version == Some(1)
    })
    .await;
    assert_eq!(world.service.account_command(ann.caller(), &request).await.unwrap().version, 1);
}
