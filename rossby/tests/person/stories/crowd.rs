//! A group of 250: founded, written to and answered, each by one request.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rossby_client::{
    Client, ClientConfig, Content, GroupRef, MAX_GROUP_MEMBERS, MessageState, RegisterOptions, Unlock,
};
use rossby_schemas::ids::RegionNumber;

use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;

/// Far above what it takes, on a machine that does other things; the figures are printed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many register at once.
const AT_ONCE: usize = 16;

async fn join(folder: &Path, server: &Server, number: usize) -> Client {
    let home = folder.join(format!("member{number}"));
    let mut config = ClientConfig::new(home.clone(), Unlock::KeyFile(home.join("key")));
    config.server = Some(server.url.clone());
    let client = Client::create(config).await.unwrap();
    let options = RegisterOptions { region: RegionNumber(1), recovery_key: false, start_over: false };
    let identifier = address(number).parse().unwrap();
    client.register(&identifier, options).await.unwrap();
    let code = tokio::task::block_in_place(|| server.code_for(&format!("mailto:{}", address(number))));
    client.authorize(&code).await.unwrap();
    client
}

fn address(number: usize) -> String {
    format!("member{number}@example.org")
}

/// Fetches until a text is there.
async fn reads(client: &Client, group: &GroupRef, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        client.receive(Duration::ZERO).await.unwrap();
        if let Ok(id) = client.group_id(group).await {
            let conversation = rossby_client::Conversation::Group(id.0);
            let messages = client.transcript(conversation, 100, None).await.unwrap();
            if messages.iter().any(|message| message.text.as_deref() == Some(text)) {
                return;
            }
        }
        assert!(Instant::now() < deadline, "{text:?} did not come");
    }
}

pub(crate) async fn is_reached_by_one_request(set_up: &SetUp) {
    let relay = Relay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut set_up = set_up.clone();
    // All of them register from one address. One device may ask for less at once than a look-up of each member.
    for (name, value) in [("ADDRESS_PER_SECOND", 1000), ("ADDRESS_BURST", 1000), ("DEVICE_BURST", 80)] {
        set_up.settings.push((format!("ROSSBY_LIMITS__{name}"), value.to_string()));
    }
    let server = tokio::task::block_in_place(|| set_up.start(&folder.path().join("data"), 0));
    let ann = relay.between(&Human::new(folder.path(), "ann@example.org", &server));
    tokio::task::block_in_place(|| ann.join(&server));
    let server = Arc::new(server);
    let mut members = Vec::new();
    let numbers: Vec<usize> = (1..MAX_GROUP_MEMBERS).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let join = |number: &usize| {
            let (folder, server, number) = (folder.path().to_owned(), Arc::clone(&server), *number);
            tokio::spawn(async move { join(&folder, &server, number).await })
        };
        for joining in numbers.iter().map(join).collect::<Vec<_>>() {
            members.push(joining.await.unwrap());
        }
    }
    let addresses: Vec<String> = (1..MAX_GROUP_MEMBERS).map(address).collect();
    let arguments: Vec<&str> =
        ["group", "create", "crowd"].into_iter().chain(addresses.iter().map(String::as_str)).collect();

    let begin = Instant::now();
    let made = tokio::task::block_in_place(|| ann.done(&arguments));
    println!("founded, with a look-up of each member, in {:?}", begin.elapsed());
    assert_eq!(made["members"].as_array().unwrap().len(), MAX_GROUP_MEMBERS);
    assert_eq!((&made["sent"]["state"], requests(&relay)), (&"sent".into(), vec![249]));
    // As long as members have not answered, the name means no group of theirs.
    let group: GroupRef = made["group"].as_str().unwrap().parse().unwrap();

    let begin = Instant::now();
    let sent = tokio::task::block_in_place(|| ann.done(&["send", "crowd", "hello, everyone"]));
    println!("written to 249 members in {:?}", begin.elapsed());
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(requests(&relay), [249, 249]);
    let states = sent["recipients"].as_array().unwrap();
    assert!(states.len() == 249 && states.iter().all(|row| row["state"] == "sent"));
    // There is no room for another.
    let late = Human::new(folder.path(), "late@example.org", &server);
    tokio::task::block_in_place(|| late.join(&server));
    let refused = tokio::task::block_in_place(|| ann.refused(&["group", "add", "crowd", "late@example.org"]));
    assert_eq!(refused.0, "group-change");

    for member in [&members[0], &members[100], &members[248]] {
        reads(member, &group, "hello, everyone").await;
        assert_eq!(member.group(&group).await.unwrap().members.len(), MAX_GROUP_MEMBERS);
    }
    // One of them, who knows nobody's keys but those of the founder, answers all.
    let begin = Instant::now();
    let answer = members[100].send_to_group(&group, &Content::Text("hello, Ann".to_owned())).await.unwrap();
    println!("answered, with a look-up of each member, in {:?}", begin.elapsed());
    assert_eq!((answer.state, answer.recipients.len()), (MessageState::Sent, 249), "{:?}", answer.reason);
    for member in [&members[0], &members[248]] {
        reads(member, &group, "hello, Ann").await;
    }
    tokio::task::block_in_place(|| {
        ann.until(&["messages", "crowd"], |document| document["messages"].to_string().contains("hello, Ann"));
        Arc::into_inner(server).unwrap().stop();
    });
}

/// How many messages each request to send had.
fn requests(relay: &Relay) -> Vec<usize> {
    let sends = relay.exchanges().into_iter().filter(|e| e.path == "/v1/messages" && e.head.starts_with("POST"));
    let messages = sends.map(|e| serde_json::from_slice::<serde_json::Value>(&e.request).unwrap());
    messages.map(|request| request["messages"].as_array().unwrap().len()).collect()
}
