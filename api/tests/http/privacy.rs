//! Unknown, undiscoverable and blocked are one answer.

use std::collections::BTreeSet;

use reqwest::Response;
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse};
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{SendOutcome, SendRequest, SendResponse};
use rossby_testing::{Person, command};

use crate::site::{Device, Site, read};

/// Everything of an answer but its date and its id.
async fn fingerprint(response: Response) -> (u16, BTreeSet<String>, Vec<u8>) {
    let status = response.status().as_u16();
    let headers = response.headers().iter().filter(|(name, _)| *name != "date" && *name != "x-request-id");
    let headers = headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    (status, headers, response.bytes().await.unwrap().to_vec())
}

pub(crate) async fn change(site: &Site, person: &Person, device: &Device, version: u64, change: AccountChange) {
    let signed = AccountCommand {
        command_id: command(),
        box_id: person.box_id(),
        expected_version: version,
        device_id: person.device_id,
        time: site.world.now(),
        change,
    }
    .sign(&person.key);
    let request = AccountCommandRequest { command: signed.command, signature: signed.signature };
    let _: CommandResponse = read(site.signed_json(device, "/v1/account/commands", &request).await, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_why_there_is_no_such_user() {
    let site = Site::new().await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (hidden, hidden_device) = site.person("hidden@example.org").await;
    let (blocker, blocker_device) = site.person("blocker@example.org").await;
    change(&site, &hidden, &hidden_device, 0, AccountChange::SetDiscoverable(Audience::Nobody)).await;
    change(&site, &hidden, &hidden_device, 1, AccountChange::SetAcceptFrom(Audience::Nobody)).await;
    let tag = MasterSecret::new(1, &[7; 32]).acl_key(blocker.box_id()).tag(ann.box_id());
    change(&site, &blocker, &blocker_device, 0, AccountChange::Block(tag)).await;
    let stranger = Person::new(site.world.now());

    let mut answers = BTreeSet::new();
    for lookup in [
        LookupRequest { identifier: Some("nobody@example.org".into()), box_id: None },
        LookupRequest { identifier: Some("hidden@example.org".into()), box_id: None },
        LookupRequest { identifier: Some("blocker@example.org".into()), box_id: None },
        LookupRequest { identifier: None, box_id: Some(stranger.box_id()) },
        LookupRequest { identifier: None, box_id: Some(hidden.box_id()) },
        LookupRequest { identifier: None, box_id: Some(blocker.box_id()) },
    ] {
        answers.insert(fingerprint(site.signed_json(&ann_device, "/v1/lookups", &lookup).await).await);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers.first().unwrap().0, 404);

    for other in [&stranger, &hidden, &blocker] {
        let message = ann.message(other, "hello", 1, site.world.now());
        let request = SendRequest { messages: vec![message] };
        let sent: SendResponse = read(site.signed_json(&ann_device, "/v1/messages", &request).await, 200).await;
        assert_eq!(sent.results[0].outcome, SendOutcome::NoSuchRecipient);
    }
    // Those who may are told.
    let lookup = LookupRequest { identifier: None, box_id: Some(ann.box_id()) };
    assert_eq!(site.signed_json(&blocker_device, "/v1/lookups", &lookup).await.status(), 200);
}
