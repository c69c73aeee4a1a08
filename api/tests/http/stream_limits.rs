//! What a stream may take: places, time, memory.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use rossby_api::StreamLimits;
use rossby_commands::LiveConfig;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::stream::{ServerFrame, close};
use rossby_testing::Person;
use tokio_tungstenite::tungstenite::Message;

use crate::site::{STREAMS, Site};
use crate::stream_client::{STREAM, Stream, handshake, refused, send, texts, waits};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_and_a_process_have_so_many_streams_and_no_more() {
    let limits = StreamLimits { per_device: 2, per_process: 3, ..STREAMS };
    let site = Site::with_streams(limits, LiveConfig::default()).await;
    let (_, ann) = site.person("ann@example.org").await;
    let (_, ben) = site.person("ben@example.org").await;
    let first = Stream::open_idle(&site, &ann).await;
    let _second = Stream::open_idle(&site, &ann).await;
    let open = |device: &crate::site::Device| handshake(&site, &device.request(&site, Method::GET, STREAM, b""));
    let (problem, headers) = refused(&site, open(&ann)).await;
    assert_eq!(problem.problem_type(), Some(ProblemType::RateLimited));
    assert!(problem.detail.unwrap().contains("2 streams"));
    assert_eq!(headers["retry-after"], "60");
    let _third = Stream::open_idle(&site, &ben).await;
    let (problem, headers) = refused(&site, open(&ben)).await;
    assert_eq!(
        (problem.problem_type(), &headers["retry-after"]),
        (Some(ProblemType::Unavailable), &"60".parse().unwrap())
    );
    // A stream that ends leaves its place.
    drop(first);
    open_when_free(&site, &ben).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_box_whose_device_has_the_same_id_learns_nothing_of_its_streams() {
    let limits = StreamLimits { per_device: 2, ..STREAMS };
    let site = Site::with_streams(limits, LiveConfig::default()).await;
    let (ann, device) = site.person("ann@example.org").await;
    let hostile = site.join(&Person::with_device(ann.device_id, site.world.now()), "mallory@example.org").await;
    let open = |device: &crate::site::Device| handshake(&site, &device.request(&site, Method::GET, STREAM, b""));
    // It has all of its own while the other is connected.
    let _own = Stream::open_idle(&site, &device).await;
    let _first = Stream::open_idle(&site, &hostile).await;
    let _second = Stream::open_idle(&site, &hostile).await;
    assert_eq!(refused(&site, open(&hostile)).await.0.problem_type(), Some(ProblemType::RateLimited));
    // And takes none of the other's.
    let _another = Stream::open_idle(&site, &device).await;
    assert_eq!(refused(&site, open(&device)).await.0.problem_type(), Some(ProblemType::RateLimited));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_silent_is_given_up_and_one_that_answers_pings_is_not() {
    let limits = StreamLimits { ping: Duration::from_millis(100), silence: Duration::from_millis(600), ..STREAMS };
    let site = Site::with_streams(limits, LiveConfig::default()).await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    let mut there = Stream::open_idle(&site, &device).await;
    // It answers whatever is asked, and says nothing by itself. Reading answers pings.
    let mut silent = Stream::open_idle(&site, &ann_device).await;
    let raw = silent.socket.get_mut();
    let mut octets = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(raw, &mut octets);
    let answering = async {
        loop {
            match there.socket.next().await {
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(30), reading) => {
            ended.expect("the silent one is not given up").unwrap();
        }
        () = answering => {}
    }
    let code = close::SILENT.to_be_bytes();
    assert!(octets.windows(2).any(|window| window == code), "it is told why");
    let sent = send(&site, &ann_device, texts(&site, &ann, &ben, 1)).await;
    assert_eq!(there.message().await.outer_id, sent[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leaves_its_place_at_once() {
    let site = Site::with_streams(StreamLimits { per_device: 1, ..STREAMS }, LiveConfig::default()).await;
    let (_, device) = site.person("ann@example.org").await;
    let mut stream = Stream::open_idle(&site, &device).await;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let broken = std::time::Instant::now();
        drop(stream);
        stream = open_when_free(&site, &device).await;
        waits.push(broken.elapsed());
    }
    // A client that has to be told something gets two seconds to hear it.
    assert!(waits.iter().min() < Some(&Duration::from_secs(1)), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_costs_little_memory_and_holds_up_nobody() {
    const COUNT: usize = 60;
    let window = LiveConfig { window_messages: 1000, window_octets: 100 * 1024 * 1024, ..LiveConfig::default() };
    let site = Site::with_streams(STREAMS, window).await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (slow, slow_device) = site.person("slow@example.org").await;
    let (quick, quick_device) = site.person("quick@example.org").await;
    let mut slow_stream = Stream::open_idle(&site, &slow_device).await;
    let mut quick_stream = Stream::open_idle(&site, &quick_device).await;
    // 15 MiB for each.
    let text = "x".repeat(100_000);
    let (mut to_slow, mut to_quick) = (Vec::new(), Vec::new());
    for _ in 0..COUNT {
        for (to, ids) in [(&slow, &mut to_slow), (&quick, &mut to_quick)] {
            ids.extend(send(&site, &ann_device, vec![ann.message(to, &text, 1, site.world.now())]).await);
        }
        // The quick one gets its own at once.
        let message = quick_stream.message().await;
        assert_eq!(message.outer_id, to_quick[to_quick.len() - 1]);
        quick_stream.confirm(0, &[message]).await;
        let queued = site.live.queued_octets();
        assert!(queued <= 2 * 1024 * 1024, "{queued} octets are in memory");
    }
    // And the slow one its own, once it reads: all, in order, once.
    for id in &to_slow {
        assert_eq!(slow_stream.message().await.outer_id, *id);
    }
    assert_eq!(slow_stream.frame().await, ServerFrame::CaughtUp { lost: None });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_for_too_long_is_given_up_and_loses_nothing() {
    const COUNT: usize = 120;
    let limits =
        StreamLimits { per_device: 1, ping: Duration::from_millis(200), silence: Duration::from_secs(1), ..STREAMS };
    let window = LiveConfig { window_messages: 1000, window_octets: 100 * 1024 * 1024, ..LiveConfig::default() };
    let site = Site::with_streams(limits, window).await;
    let (ann, ann_device) = site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    // More than what stands between the two takes in.
    let text = "x".repeat(100_000);
    let messages = (0..COUNT).map(|_| ann.message(&ben, &text, 1, site.world.now())).collect();
    let sent = send(&site, &ann_device, messages).await;
    waits(&site, &ben, COUNT as u64).await;
    let stuck = Stream::open(&site, &device).await;
    let mut again = open_when_free(&site, &device).await;
    for id in &sent {
        assert_eq!(again.message().await.outer_id, *id);
    }
    drop(stuck);
}

async fn open_when_free(site: &Site, device: &crate::site::Device) -> Stream {
    for _ in 0..600 {
        let signed = device.request(site, Method::GET, STREAM, b"");
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        if let Ok((socket, _)) = tokio_tungstenite::client_async(handshake(site, &signed), stream).await {
            return Stream { socket };
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_many_frames_is_read_more_slowly() {
    let site = Site::with_limits(
        (crate::site::number(20), crate::site::number(5)),
        (crate::site::number(1000), crate::site::number(1000)),
    )
    .await;
    let (_, device) = site.person("ann@example.org").await;
    let mut stream = Stream::open_idle(&site, &device).await;
    let began = std::time::Instant::now();
    for number in 0..25 {
        stream.send(Message::text(format!(r#"{{"type":"dance","ref":{number}}}"#))).await;
    }
    for number in 0..25 {
        assert_eq!(stream.problem().await.0, Some(number), "each is answered, in order");
    }
    // The handshake and the first few are free; the others come at twenty a second.
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}
