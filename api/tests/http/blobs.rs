//! Blobs over HTTP: uploads that go on, ranges, and what is refused.

use std::time::Duration;

use reqwest::{Method, Response};
use rossby_api::StreamLimits;
use rossby_commands::LiveConfig;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{BlobId, UPLOAD_KEY_HEADER, UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::DAY;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::{Device, STREAMS, Site, problem, read};

const CHUNK: usize = 1024 * 1024;
const OCTETS: &str = "application/octet-stream";

fn key(number: u8) -> UploadKey {
    UploadKey(FixedOctets([number; 32]))
}

fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|n| u8::try_from(n * n % 251).unwrap()).collect()
}

/// A device that uploads with a key.
struct Uploader<'a> {
    site: &'a Site,
    device: &'a Device,
    key: UploadKey,
}

impl Uploader<'_> {
    async fn begin(&self, octets: usize) -> UploadResponse {
        let expires_at = self.site.world.now().plus(10 * DAY);
        let request = UploadRequest { upload_key: self.key, octets: octets as u64, expires_at };
        read(self.site.signed_json(self.device, "/v1/blobs", &request).await, 200).await
    }

    async fn call(&self, method: Method, path: &str, (media_type, body): (&'static str, &[u8])) -> Response {
        let signing = self.device.signing(self.site);
        let mut request = self.device.request_of(self.site, method, path, (media_type, body), &signing);
        request.headers.push((UPLOAD_KEY_HEADER, self.key.0.to_string()));
        self.site.send(request).await
    }

    async fn put(&self, id: BlobId, chunk: usize, octets: &[u8]) -> Response {
        self.call(Method::PUT, &format!("/v1/blobs/{id}/chunks/{chunk}"), (OCTETS, octets)).await
    }

    async fn upload(&self, octets: &[u8]) -> BlobId {
        let id = self.begin(octets.len()).await.blob_id;
        for (number, chunk) in octets.chunks(CHUNK).enumerate() {
            assert_eq!(self.put(id, number, chunk).await.status(), 204);
        }
        let path = format!("/v1/blobs/{id}/complete");
        let done: UploadResponse = read(self.call(Method::POST, &path, ("", b"")).await, 200).await;
        assert!(done.complete);
        id
    }
}

async fn download(site: &Site, device: &Device, id: BlobId, range: Option<&str>) -> Response {
    let mut request = device.request(site, Method::GET, &format!("/v1/blobs/{id}"), b"");
    request.headers.extend(range.map(|range| ("range", range.to_owned())));
    site.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_goes_up_in_chunks_and_comes_down_whole_and_in_ranges() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let (_, ben) = site.person("ben@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let octets = octets(2 * CHUNK + 10);
    let id = uploader.upload(&octets).await;

    let whole = download(&site, &ben, id, None).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-type"], OCTETS);
    assert_eq!(whole.headers()["accept-ranges"], "bytes");
    assert_eq!(whole.content_length(), Some(octets.len() as u64));
    assert_eq!(whole.bytes().await.unwrap(), octets);
    for (range, part, says) in [
        ("bytes=0-0", 0..1, "bytes 0-0/2097162"),
        ("bytes=1048570-1048585", CHUNK - 6..CHUNK + 10, "bytes 1048570-1048585/2097162"),
        ("bytes=2097152-", 2 * CHUNK..octets.len(), "bytes 2097152-2097161/2097162"),
        ("bytes=-3", octets.len() - 3..octets.len(), "bytes 2097159-2097161/2097162"),
    ] {
        let response = download(&site, &ben, id, Some(range)).await;
        assert_eq!((response.status().as_u16(), &response.headers()["content-range"]), (206, &says.parse().unwrap()));
        assert_eq!(response.bytes().await.unwrap(), octets[part]);
    }
    let beyond = download(&site, &ben, id, Some("bytes=2097162-")).await;
    assert_eq!(beyond.headers()["content-range"], "bytes */2097162");
    problem(beyond, ProblemType::NoSuchRange).await;
    let several = download(&site, &ben, id, Some("bytes=0-1,5-6")).await;
    assert_eq!((several.status().as_u16(), several.bytes().await.unwrap().len()), (200, octets.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_tells_how_far_it_is_and_takes_a_chunk_twice() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let octets = octets(2 * CHUNK + 10);
    let begun = uploader.begin(octets.len()).await;
    assert_eq!((begun.chunks, begun.next_chunk, begun.chunk_octets), (3, 0, 1024 * 1024));
    let id = begun.blob_id;
    for _ in 0..2 {
        assert_eq!(uploader.put(id, 0, &octets[..CHUNK]).await.status(), 204);
    }
    let other = problem(uploader.put(id, 0, &octets[1..=CHUNK]).await, ProblemType::IdReused).await;
    assert_eq!(other.errors[0].field, "chunk");
    let path = format!("/v1/blobs/{id}/complete");
    let early = problem(uploader.call(Method::POST, &path, ("", b"")).await, ProblemType::BlobIncomplete).await;
    assert_eq!(early.next_chunk, Some(1));
    problem(download(&site, &ann, id, None).await, ProblemType::NoSuchBlob).await;
    let path = format!("/v1/blobs/{id}/upload");
    let state: UploadResponse = read(uploader.call(Method::GET, &path, ("", b"")).await, 200).await;
    assert_eq!((state.blob_id, state.next_chunk, state.complete), (id, 1, false));
    assert_eq!(uploader.begin(octets.len()).await, state, "the same request tells it too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_one_answer_to_the_octet() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = |number| Uploader { site: &site, device: &ann, key: key(number) };
    let incomplete = uploader(1).begin(5).await.blob_id;
    let deleted = uploader(2).upload(b"hello").await;
    let gone = uploader(2).call(Method::DELETE, &format!("/v1/blobs/{deleted}"), ("", b"")).await;
    assert_eq!(gone.status(), 204);
    let expired = uploader(3).upload(b"hello").await;
    let there = uploader(4).upload(b"hello").await;
    site.world.clock.advance(9 * DAY);
    let later = uploader(5).upload(b"hello").await;
    site.world.clock.advance(2 * DAY);
    let mut answers = std::collections::BTreeSet::new();
    for id in [incomplete, deleted, expired, there, FixedOctets([7; 34])] {
        let response = download(&site, &ann, id, None).await;
        let headers: Vec<_> =
            response.headers().iter().filter(|(name, _)| *name != "date" && *name != "x-request-id").collect();
        answers.insert(format!("{} {headers:?} {:?}", response.status(), response.headers().len()));
        problem(response, ProblemType::NoSuchBlob).await;
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(download(&site, &ann, later, None).await.status(), 200);
    // Another's key is no key.
    for (method, path, body) in [
        (Method::GET, format!("/v1/blobs/{later}/upload"), ("", &b""[..])),
        (Method::POST, format!("/v1/blobs/{later}/complete"), ("", b"")),
        (Method::PUT, format!("/v1/blobs/{later}/chunks/0"), (OCTETS, b"hello")),
        (Method::DELETE, format!("/v1/blobs/{later}"), ("", b"")),
    ] {
        problem(uploader(6).call(method, &path, body).await, ProblemType::NoSuchBlob).await;
    }
    assert_eq!(download(&site, &ann, later, None).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let now = site.world.now();
    let good = json!({ "upload_key": key(9).0, "octets": 5, "expires_at": now.plus(DAY) });
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, kind, field) in [
        (with("octets", json!(0)), ProblemType::InvalidRequest, "/octets"),
        (with("octets", json!(-1)), ProblemType::InvalidRequest, "/octets"),
        (with("octets", json!(104_857_601)), ProblemType::TooLarge, "/octets"),
        (with("expires_at", json!(now)), ProblemType::InvalidRequest, "/expires_at"),
        (with("expires_at", json!(now.plus(31 * DAY))), ProblemType::InvalidRequest, "/expires_at"),
        (with("upload_key", json!("AAAA")), ProblemType::InvalidRequest, "/upload_key"),
        (with("name", json!("holiday.jpg")), ProblemType::InvalidRequest, "/name"),
    ] {
        let refused = problem(site.signed_json(&ann, "/v1/blobs", &body).await, kind).await;
        assert_eq!(refused.errors[0].field, field, "{refused:?}");
    }
    let id = uploader.begin(5).await.blob_id;
    let too_long = problem(uploader.put(id, 0, b"123456").await, ProblemType::InvalidRequest).await;
    assert!(too_long.errors[0].reason.contains("has 5 octets"), "{too_long:?}");
    for (path, field) in [
        (format!("/v1/blobs/{id}/chunks/1"), "chunk"),
        (format!("/v1/blobs/{id}/chunks/-1"), "chunk"),
        ("/v1/blobs/AAAA/chunks/0".to_owned(), "blob_id"),
    ] {
        let refused = problem(uploader.call(Method::PUT, &path, (OCTETS, b"hello")).await, ProblemType::InvalidRequest);
        assert_eq!(refused.await.errors[0].field, field);
    }
    let path = format!("/v1/blobs/{id}/chunks/0");
    problem(uploader.call(Method::PUT, &path, ("text/plain", b"hello")).await, ProblemType::UnsupportedMediaType).await;
    let no_key = site.signed(&ann, Method::PUT, &path, b"hello").await;
    assert_eq!(problem(no_key, ProblemType::InvalidRequest).await.errors[0].field, UPLOAD_KEY_HEADER);
    // Another body than the one that was signed; nobody's signature; far too much.
    let signing = ann.signing(&site);
    let mut changed = ann.request_of(&site, Method::PUT, &path, (OCTETS, b"hello"), &signing);
    changed.headers.push((UPLOAD_KEY_HEADER, key(1).0.to_string()));
    let mut unsigned = changed.clone();
    changed.body = b"hullo".to_vec();
    problem(site.send(changed).await, ProblemType::Unauthenticated).await;
    unsigned.authorization = "Hawk id=\"nobody\"".to_owned();
    problem(site.send(unsigned).await, ProblemType::Unauthenticated).await;
    let endless = uploader.call(Method::PUT, &path, (OCTETS, &vec![0; 3 * CHUNK])).await;
    problem(endless, ProblemType::TooLarge).await;
    let plain = site.client.get(site.url(&format!("/v1/blobs/{id}"))).send().await.unwrap();
    problem(plain, ProblemType::Unauthenticated).await;
    let state: UploadResponse =
        read(uploader.call(Method::GET, &format!("/v1/blobs/{id}/upload"), ("", b"")).await, 200).await;
    assert_eq!(state.next_chunk, 0, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_changes_nothing_and_is_told() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let folder = site.world.folder.path().join("uploads");
    std::fs::write(&folder, "").unwrap();
    let expires_at = site.world.now().plus(DAY);
    let request = UploadRequest { upload_key: key(1), octets: 5, expires_at };
    let away = site.signed_json(&ann, "/v1/blobs", &request).await;
    let away = problem(away, ProblemType::Unavailable).await;
    assert!(!format!("{away:?}").contains("uploads/"), "{away:?}");
    std::fs::remove_file(folder).unwrap();
    uploader.upload(b"hello").await;
}

/// A download whose blob is lost half-way ends before its length: its reader sees that it is not whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_fails_ends_early() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let id = uploader.upload(&octets(3 * CHUNK)).await;
    let mut folders = vec![site.world.folder.path().join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("00000002") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    let response = download(&site, &ann, id, None).await;
    assert_eq!(response.content_length(), Some(3 * CHUNK as u64));
    assert!(response.bytes().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_reading_loses_the_connection() {
    let limits = StreamLimits { silence: Duration::from_millis(500), ..STREAMS };
    let site = Site::with_streams(limits, LiveConfig::default()).await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    // More than what the system holds for both sides.
    let octets = octets(24 * CHUNK);
    let id = uploader.upload(&octets).await;
    let path = format!("/v1/blobs/{id}");
    let authorization = ann.request(&site, Method::GET, &path, b"").authorization;
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: {authorization}\r\n\r\n", site.port);
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // Four times as long as it may.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut came = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut came)).await.unwrap();
    assert!(came.len() < octets.len(), "all {} octets came", came.len());
    assert_eq!(download(&site, &ann, id, None).await.bytes().await.unwrap(), octets, "one that reads gets all");
}

/// A client that goes away in the middle of a chunk, and after all of it, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_was_cut_off_is_none_and_can_come_again() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let uploader = Uploader { site: &site, device: &ann, key: key(1) };
    let octets = octets(CHUNK);
    let id = uploader.begin(octets.len()).await.blob_id;
    let path = format!("/v1/blobs/{id}/chunks/0");
    for sent in [0, octets.len() / 2, octets.len()] {
        let signing = ann.signing(&site);
        let authorization = ann.request_of(&site, Method::PUT, &path, (OCTETS, &octets), &signing).authorization;
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: {OCTETS}\r\ncontent-length: {}\r\n\
             {UPLOAD_KEY_HEADER}: {}\r\nauthorization: {authorization}\r\n\r\n",
            site.port,
            octets.len(),
            key(1).0
        );
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&octets[..sent]).await.unwrap();
        drop(stream);
        if sent < octets.len() {
            assert_eq!(uploader.begin(octets.len()).await.next_chunk, 0);
        }
    }
    // Whether the last was stored or not: the same again is harmless.
    assert_eq!(uploader.put(id, 0, &octets).await.status(), 204);
    assert_eq!(uploader.begin(octets.len()).await.next_chunk, 1);
}
