//! The live stream over real connections: what it carries, and what it refuses.

use std::time::{Duration, Instant};

use reqwest::Method;
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse, StatementRequest};
use rossby_schemas::http::messages::{ConfirmRequest, ConfirmResponse, FetchResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::stream::{Changed, ClientFrame, ConfirmFrame, MAX_CLIENT_FRAME_OCTETS, ServerFrame, close};
use rossby_testing::command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::site::{Device, Site, problem, read};
use crate::stream_client::{STREAM, Stream, fields, handshake, refused, send, texts, waits};

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_is_signed_as_every_request_is_and_what_is_wrong_is_a_problem_document() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let good = || device.request(&site, Method::GET, STREAM, b"");
    // Who speaks no WebSocket is told so, if it is somebody.
    let plain = site.send(good()).await;
    assert_eq!(plain.headers()["upgrade"], "websocket");
    problem(plain, ProblemType::UpgradeRequired).await;
    let mut old = handshake(&site, &good());
    old.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    assert_eq!(refused(&site, old).await.0.problem_type(), Some(ProblemType::UpgradeRequired));
    problem(site.post(STREAM, &()).await, ProblemType::MethodNotAllowed).await;

    let unauthenticated = async |request| {
        let (problem, headers) = refused(&site, request).await;
        assert_eq!(problem.problem_type(), Some(ProblemType::Unauthenticated));
        assert_eq!(headers["www-authenticate"], "Hawk");
    };
    let mut unsigned = handshake(&site, &good());
    unsigned.headers_mut().remove("authorization");
    unauthenticated(unsigned).await;
    let mut forged = good();
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"AAAA");
    unauthenticated(handshake(&site, &forged)).await;
    // For another path, or another host.
    unauthenticated(handshake(&site, &device.request(&site, Method::GET, "/v1/account", b""))).await;
    let mut elsewhere = device.signing(&site);
    elsewhere.host = "example.org".to_owned();
    unauthenticated(handshake(&site, &device.request_with(&site, Method::GET, STREAM, b"", &elsewhere))).await;
    // Without a hash of the body that it doesn't have.
    let mut unhashed = device.signing(&site);
    unhashed.with_hash = false;
    unauthenticated(handshake(&site, &device.request_with(&site, Method::GET, STREAM, b"", &unhashed))).await;
    // Too late, and told the time.
    let mut late = device.signing(&site);
    late.ts -= 61;
    let late = device.request_with(&site, Method::GET, STREAM, b"", &late);
    let (stale, headers) = refused(&site, handshake(&site, &late)).await;
    assert_eq!(stale.problem_type(), Some(ProblemType::StaleTimestamp));
    assert!(headers["www-authenticate"].to_str().unwrap().contains("tsm="));
    // Once is enough.
    let signed = good();
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    tokio_tungstenite::client_async(handshake(&site, &signed), stream).await.unwrap();
    unauthenticated(handshake(&site, &signed)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_as_they_arrive_and_those_that_are_not_confirmed_come_again() {
    let site = Site::new().await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    let waiting = send(&site, &ann_device, texts(&site, &ann, &ben, 3)).await;
    waits(&site, &ben, 3).await;
    let mut stream = Stream::open(&site, &device).await;
    let mut got = Vec::new();
    for id in &waiting {
        got.push(stream.message().await);
        assert_eq!(got.last().unwrap().outer_id, *id);
    }
    assert_eq!(stream.frame().await, ServerFrame::CaughtUp { lost: None });
    let arriving = send(&site, &ann_device, texts(&site, &ann, &ben, 3)).await;
    for id in &arriving {
        got.push(stream.message().await);
        assert_eq!(got.last().unwrap().outer_id, *id);
    }
    // What a fetch gives is the same.
    let path = "/v1/messages";
    let fetched: FetchResponse = read(site.signed(&device, Method::GET, path, b"").await, 200).await;
    assert_eq!(fetched.messages, got);
    stream.confirm(1, &got[..2]).await;
    stream.confirm(2, &got[4..5]).await;
    // The client goes away without a word, and comes again.
    drop(stream);
    waits(&site, &ben, 3).await;
    let mut again = Stream::open(&site, &device).await;
    let mut left = vec![again.message().await, again.message().await, again.message().await];
    assert_eq!(left, [&got[2..4], &got[5..]].concat());
    assert_eq!(again.frame().await, ServerFrame::CaughtUp { lost: None });
    // Some are confirmed there, the others here.
    let request = ConfirmRequest { handles: vec![left.remove(0).handle] };
    let _: ConfirmResponse = read(site.signed_json(&device, "/v1/messages/confirm", &request).await, 200).await;
    again.confirm(3, &left).await;
    again.confirm(4, &left).await;
    let last = send(&site, &ann_device, texts(&site, &ann, &ben, 1)).await;
    assert_eq!(again.message().await.outer_id, last[0]);
    waits(&site, &ben, 1).await;
    let fetched: FetchResponse = read(site.signed(&device, Method::GET, path, b"").await, 200).await;
    assert_eq!(fetched.messages.iter().map(|m| m.outer_id).collect::<Vec<_>>(), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_streams_and_polls_sees_each_message_in_both_until_it_is_confirmed() {
    let site = Site::new().await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    let mut stream = Stream::open_idle(&site, &device).await;
    for round in 0..4 {
        let poll = device.request(&site, Method::GET, "/v1/messages?wait=30", b"");
        let ((), sent) = tokio::join!(
            async {
                let fetched: FetchResponse = read(site.send(poll).await, 200).await;
                let streamed = stream.message().await;
                assert_eq!(fetched.messages, std::slice::from_ref(&streamed));
                // Each way confirms for both.
                if round % 2 == 0 {
                    stream.confirm(round, &fetched.messages).await;
                } else {
                    let request = ConfirmRequest { handles: vec![streamed.handle] };
                    let response = site.signed_json(&device, "/v1/messages/confirm", &request).await;
                    let _: ConfirmResponse = read(response, 200).await;
                }
            },
            send(&site, &ann_device, texts(&site, &ann, &ben, 1))
        );
        assert_eq!(sent.len(), 1);
        waits(&site, &ben, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_are_wrong_are_named_and_those_that_cannot_be_read_end_the_stream() {
    let site = Site::new().await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    let long = format!(r#"{{"type":"confirm","handles":["{}"]}}"#, "A".repeat(MAX_CLIENT_FRAME_OCTETS));
    let longer = "A".repeat(3 * MAX_CLIENT_FRAME_OCTETS);
    for (message, field, code) in [
        (Message::text("nonsense"), "", close::MALFORMED),
        (Message::text("{}"), "/type", close::MALFORMED),
        (Message::text(r#"{"type":"confirm","handles":[1]}"#), "/handles/0", close::MALFORMED),
        (Message::text(r#"{"type":"confirm","handles":[],"extra":1}"#), "/extra", close::MALFORMED),
        (Message::text(r#"{"type":"signal"}"#), "", close::MALFORMED),
        (Message::binary(vec![1, 2, 3]), "", close::NO_TEXT),
        (Message::text(long), "", close::TOO_LARGE),
        (Message::text(longer), "", close::TOO_LARGE),
    ] {
        let mut stream = Stream::open_idle(&site, &device).await;
        // The server may have had enough before all of it is sent.
        let _ = futures::SinkExt::send(&mut stream.socket, message).await;
        let (_, problem) = stream.problem().await;
        let fields = fields(&problem);
        assert_eq!(fields.len(), 1, "{problem:?}");
        assert_eq!(fields[0].0, field);
        assert!(!fields[0].1.is_empty());
        assert_eq!(stream.closed().await.0, code, "{problem:?}");
    }
    // What is refused for what it says, or is of a type that this server doesn't know, ends nothing.
    let mut stream = Stream::open_idle(&site, &device).await;
    stream.send(Message::text(r#"{"type":"dance","ref":5}"#)).await;
    let (reference, problem) = stream.problem().await;
    assert_eq!((reference, fields(&problem)[0].0), (Some(5), "/type"));
    for (handles, field) in [(vec![], "/handles"), (vec![b"not one of ours".as_slice().into()], "/handles/0")] {
        stream.say(&ClientFrame::Confirm(ConfirmFrame { reference: Some(6), handles })).await;
        let (reference, problem) = stream.problem().await;
        assert_eq!((reference, problem.problem_type()), (Some(6), Some(ProblemType::InvalidRequest)));
        assert_eq!(fields(&problem)[0].0, field);
    }
    // Another device's handle is nothing.
    send(&site, &ann_device, texts(&site, &ann, &ben, 1)).await;
    let message = stream.message().await;
    let mut other = Stream::open_idle(&site, &ann_device).await;
    let handles = vec![message.handle.clone()];
    other.say(&ClientFrame::Confirm(ConfirmFrame { reference: None, handles })).await;
    assert_eq!(fields(&other.problem().await.1), [("/handles/0", "the handle was not given to this device")]);
    stream.confirm(7, &[message]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_websocket_ends_the_stream_alone() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let mut other = Stream::open_idle(&site, &device).await;
    // An unmasked frame, a reserved opcode, octets of nothing, half a frame and then nothing more.
    for octets in [&b"\x81\x02{}"[..], b"\x83\x80\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\x81\xfe\x10\x00\0\0\0\0{"] {
        let stream = Stream::open_idle(&site, &device).await;
        let mut raw = stream.socket.into_inner();
        raw.write_all(octets).await.unwrap();
        raw.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(Duration::from_secs(30), raw.read_to_end(&mut rest)).await;
        assert!(reading.is_ok(), "it is not ended: {octets:?}");
    }
    other.send(Message::text(r#"{"type":"dance"}"#)).await;
    assert_eq!(fields(&other.problem().await.1)[0].0, "/type");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_of_the_account_is_told() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let mut stream = Stream::open_idle(&site, &device).await;
    let change = AccountCommand {
        command_id: command(),
        box_id: ann.box_id(),
        expected_version: 0,
        device_id: ann.device_id,
        time: site.world.now(),
        change: AccountChange::SetDiscoverable(Audience::Nobody),
    };
    let signed = change.sign(&ann.key);
    let request = AccountCommandRequest { command: signed.command, signature: signed.signature };
    let _: CommandResponse = read(site.signed_json(&device, "/v1/account/commands", &request).await, 200).await;
    assert_eq!(stream.frame().await, ServerFrame::Changed { what: Changed::Profile });
    let request = StatementRequest { command_id: command(), statement: ann.sealing(2, site.world.now()) };
    let _: CommandResponse = read(site.signed_json(&device, "/v1/account/statements", &request).await, 200).await;
    assert_eq!(stream.frame().await, ServerFrame::Changed { what: Changed::Account });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_devices_stream_is_closed_at_once() {
    let site = Site::new().await;
    let (mut ann, phone) = site.person("ann@example.org").await;
    let (person, request) = ann.link(site.world.now());
    let _: CommandResponse = read(site.signed_json(&phone, "/v1/account/devices", &request).await, 200).await;
    let token: AuthorizeResponse = read(site.post("/v1/tokens", &person.token_request()).await, 200).await;
    let laptop = Device { token: person.token(&token) };
    let (mut phones, mut laptops) = (Stream::open_idle(&site, &phone).await, Stream::open_idle(&site, &laptop).await);
    let (by, head) = (Remover::Device(ann.device_id), ann.record.head());
    let statement = remove(&ann.key, by, ann.box_id(), head, person.device_id, site.world.now()).octets().clone();
    let request = StatementRequest { command_id: command(), statement };
    let _: CommandResponse = read(site.signed_json(&phone, "/v1/account/statements", &request).await, 200).await;
    let removed = Instant::now();
    let (code, reason) = laptops.closed().await;
    assert_eq!((code, reason.as_str()), (close::REVOKED, "the device's token is no longer good"));
    assert!(removed.elapsed() < Duration::from_secs(1), "{:?}", removed.elapsed());
    let again = handshake(&site, &laptop.request(&site, Method::GET, STREAM, b""));
    assert_eq!(refused(&site, again).await.0.problem_type(), Some(ProblemType::Unauthenticated));
    assert_eq!(phones.frame().await, ServerFrame::Changed { what: Changed::Account });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_closes_streams_and_says_so() {
    let mut site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let (mut one, mut two) = (Stream::open_idle(&site, &device).await, Stream::open_idle(&site, &device).await);
    let began = Instant::now();
    site.stop.cancel();
    for stream in [&mut one, &mut two] {
        let (code, reason) = stream.closed().await;
        assert_eq!((code, reason.as_str()), (close::STOPPING, "the server is stopping; connect again"));
    }
    let ended = tokio::time::timeout(Duration::from_secs(15), &mut site.served).await.unwrap();
    assert!(ended.unwrap(), "something had not ended");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
