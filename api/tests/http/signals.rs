//! Signals over HTTP and over the live stream.

use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::signals::{SignalOutcome, SignalRequest, SignalResponse};
use rossby_schemas::http::stream::{ClientFrame, ServerFrame, SignalFrame};
use rossby_testing::Person;

use crate::site::{Site, number, problem, read};
use crate::stream_client::{Stream, fields};

fn signal(reference: u64, signals: Vec<OutgoingMessage>) -> ClientFrame {
    ClientFrame::Signal(SignalFrame { reference: Some(reference), signals })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_goes_by_request_or_by_stream_and_says_no_more_than_a_message() {
    let site = Site::new().await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, ben_device) = site.person("ben@example.org").await;
    let stranger = Person::new(site.world.now());
    let mut anns = Stream::open_idle(&site, &ann_device).await;
    let mut bens = Stream::open_idle(&site, &ben_device).await;
    let typing = |to: &Person| ann.message(to, "typing", 1, site.world.now());

    let (first, to_nobody) = (typing(&ben), typing(&stranger));
    let request = SignalRequest { signals: vec![first.clone(), to_nobody.clone()] };
    let sent: SignalResponse = read(site.signed_json(&ann_device, "/v1/signals", &request).await, 200).await;
    let outcomes: Vec<_> = sent.results.iter().map(|result| &result.outcome).collect();
    assert_eq!(outcomes, [&SignalOutcome::Accepted, &SignalOutcome::NoSuchRecipient]);
    let ServerFrame::Signal(got) = bens.frame().await else { panic!("no signal") };
    assert_eq!((got.outer_id, got.sent_at), (first.outer_id, site.world.now()));

    let second = typing(&ben);
    anns.say(&signal(9, vec![second.clone(), to_nobody])).await;
    let ServerFrame::Signalled { reference: Some(9), results } = anns.frame().await else { panic!("no answer") };
    assert_eq!(results.iter().map(|result| &result.outcome).collect::<Vec<_>>(), outcomes);
    let ServerFrame::Signal(got) = bens.frame().await else { panic!("no signal") };
    assert_eq!(got.outer_id, second.outer_id);

    // Too long, twice, none, spoilt: by either way the same.
    let long = ann.message(&ben, &"x".repeat(2000), 1, site.world.now());
    let spoilt = OutgoingMessage { value: b"no value".as_slice().into(), ..typing(&ben) };
    for (signals, kind, field) in [
        (vec![typing(&ben), long], ProblemType::TooLarge, "/signals/1/value"),
        (vec![second.clone(), second.clone()], ProblemType::InvalidRequest, "/signals/1/outer_id"),
        (vec![], ProblemType::InvalidRequest, "/signals"),
        (vec![spoilt], ProblemType::InvalidRequest, "/signals/0/value"),
    ] {
        let request = SignalRequest { signals: signals.clone() };
        let by_request = problem(site.signed_json(&ann_device, "/v1/signals", &request).await, kind).await;
        anns.say(&signal(1, signals)).await;
        let (reference, by_stream) = anns.problem().await;
        assert_eq!((reference, &by_stream), (Some(1), &by_request));
        assert_eq!(fields(&by_stream)[0].0, field);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_many_signals_is_told_and_loses_nothing_else() {
    let site = Site::with_signals((number(1), number(3))).await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, ben_device) = site.person("ben@example.org").await;
    let typing =
        |count: usize| -> Vec<_> { (0..count).map(|_| ann.message(&ben, "typing", 1, site.world.now())).collect() };
    let mut stream = Stream::open_idle(&site, &device).await;
    let mut bens = Stream::open_idle(&site, &ben_device).await;
    // More than may ever be sent at once; then as many; then none is left.
    let request = SignalRequest { signals: typing(4) };
    problem(site.signed_json(&device, "/v1/signals", &request).await, ProblemType::RateLimited).await;
    let three = typing(3);
    stream.say(&signal(1, three.clone())).await;
    assert!(matches!(stream.frame().await, ServerFrame::Signalled { .. }));
    stream.say(&signal(2, typing(2))).await;
    let (reference, refused) = stream.problem().await;
    assert_eq!((reference, refused.problem_type()), (Some(2), Some(ProblemType::RateLimited)));
    assert!(refused.retry_after.is_some());
    let response = site.signed_json(&device, "/v1/signals", &SignalRequest { signals: typing(2) }).await;
    assert!(response.headers().contains_key("retry-after"));
    problem(response, ProblemType::RateLimited).await;
    // The three came, in whatever order.
    let mut got = Vec::new();
    for _ in 0..3 {
        let ServerFrame::Signal(signal) = bens.frame().await else { panic!("no signal") };
        got.push(signal.outer_id);
    }
    got.sort_unstable();
    let mut expected: Vec<_> = three.iter().map(|signal| signal.outer_id).collect();
    expected.sort_unstable();
    assert_eq!(got, expected);
}
