//! The way between the devices and the server: it drops connections before or after the server has answered, gives requests
//! and answers twice, and kills the server. One device speaks at a time, so what happens to whom is known.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::process::Server;

/// How many messages the server gives again of those that it gave a device before.
const GIVEN_AGAIN: usize = 20;

/// How much of a stream is carried at once.
const STREAM_OCTETS: usize = 4096;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It passes.
    None,
    /// The server never sees it.
    Refused,
    /// The server has done it, and its answer is lost.
    Lost,
    /// It comes twice.
    Twice,
    /// The messages in the answer come twice, and some again that came before.
    Again,
    /// The server dies before it sees it.
    KilledBefore,
    /// The server dies while it looks at it.
    KilledWhile,
    /// The server dies after it has done it, and its answer is lost.
    KilledAfter,
}

/// What becomes of a device's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// All pass.
    Calm,
    /// This becomes of the first, and the others pass: fewer than a device tries.
    Bumps(VecDeque<Fault>),
    /// None comes through.
    Cut,
    /// The server takes messages and confirmations, and no answer to these comes back.
    Deaf,
    /// No message that it sends comes through.
    Mute,
    /// The device dies with the request of this number, before the server has it or after.
    Dies { with: usize, after: bool },
}

struct Ways {
    trouble: Trouble,
    server: Option<Server>,
    /// What the server gave to each device, by its token's id.
    given: BTreeMap<String, Vec<Value>>,
    /// Signed requests that the server took twice.
    replayed: Vec<String>,
    /// After how many octets of the server's the next streams are cut.
    cuts: VecDeque<usize>,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    settings: Arc<Vec<(String, String)>>,
    data_dir: Arc<PathBuf>,
    port: u16,
    ways: Arc<Mutex<Ways>>,
    /// Told when the device is to die.
    pub(crate) died: Arc<Notify>,
}

impl Proxy {
    /// Starts a server, and the way to it.
    pub(crate) async fn start(data_dir: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let settings = [
            ("ROSSBY_LOG__PARTITIONS", "2".to_owned()),
            ("ROSSBY_LIMITS__DEVICE_PER_SECOND", "100000".to_owned()),
            ("ROSSBY_LIMITS__DEVICE_BURST", "100000".to_owned()),
            ("ROSSBY_LOGGING__FILTER", "warn".to_owned()),
            ("ROSSBY_SERVER__PUBLIC_URLS", format!("[{url:?}]")),
        ];
        let settings: Vec<_> = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        // It says the way's address: its own is chosen here.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server::start(&settings, &data_dir, port);
        let ways = Ways {
            trouble: Trouble::Calm,
            server: Some(server),
            given: BTreeMap::new(),
            replayed: Vec::new(),
            cuts: VecDeque::new(),
        };
        let proxy = Self {
            url,
            settings: Arc::new(settings),
            data_dir: Arc::new(data_dir),
            port,
            ways: Arc::new(Mutex::new(ways)),
            died: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let proxy = accepting.clone();
                tokio::spawn(async move { proxy.carry(stream).await });
            }
        });
        proxy
    }

    /// What becomes of the requests from now on.
    pub(crate) fn set(&self, trouble: Trouble) {
        self.ways.lock().unwrap().trouble = trouble;
    }

    /// After how many octets of the server's each of the next streams is cut; those after them last.
    pub(crate) fn cut_streams(&self, cuts: &[usize]) {
        self.ways.lock().unwrap().cuts = cuts.iter().copied().collect();
    }

    /// Ends the server as a loss of power would, and starts it again.
    pub(crate) fn kill(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.server.take().unwrap().kill();
        ways.server = Some(Server::start(&self.settings, &self.data_dir, self.port));
    }

    /// The code that the server printed for an identifier.
    pub(crate) fn code_for(&self, identifier: &str) -> String {
        self.ways.lock().unwrap().server.as_ref().unwrap().code_for(identifier)
    }

    /// Signed requests that the server took twice.
    pub(crate) fn replayed(&self) -> Vec<String> {
        self.ways.lock().unwrap().replayed.clone()
    }

    /// What the server printed.
    pub(crate) fn printed(&self) -> String {
        self.ways.lock().unwrap().server.as_ref().map(|server| server.lines.all()).unwrap_or_default()
    }

    /// Stops the server.
    pub(crate) fn stop(&self) {
        self.ways.lock().unwrap().server.take().unwrap().stop();
    }

    /// Carries one request and its answer; the connection is closed after it.
    async fn carry(&self, mut device: TcpStream) {
        let Some(request) = Request::read(&mut device).await else { return };
        let fault = match self.fate(&request) {
            Some(fault) => fault,
            // It is dead: nothing comes any more.
            None => return std::future::pending().await,
        };
        if matches!(fault, Fault::Refused) {
            return;
        }
        if matches!(fault, Fault::KilledBefore) {
            return self.kill();
        }
        if request.line.starts_with("GET /v1/stream ") {
            return self.carry_stream(device, &request).await;
        }
        let Some(mut server) = self.hand_over(&request).await else { return };
        if matches!(fault, Fault::KilledWhile) {
            return self.kill();
        }
        let mut answer = Vec::new();
        if server.read_to_end(&mut answer).await.is_err() {
            return;
        }
        match fault {
            Fault::Lost => return,
            Fault::KilledAfter => return self.kill(),
            Fault::Twice => self.repeat(&request).await,
            _ => {}
        }
        if request.line.starts_with("GET /v1/messages?") {
            answer = self.given(&request, answer, fault == Fault::Again);
        }
        let _ = device.write_all(&answer).await;
        let _ = device.shutdown().await;
    }

    /// Carries a stream to its end, or to where it is cut.
    async fn carry_stream(&self, mut device: TcpStream, request: &Request) {
        let mut left = self.ways.lock().unwrap().cuts.pop_front();
        let Ok(mut server) = TcpStream::connect(("127.0.0.1", self.port)).await else { return };
        if server.write_all(&request.itself()).await.is_err() {
            return;
        }
        let (mut up, mut down) = (vec![0; STREAM_OCTETS], vec![0; STREAM_OCTETS]);
        loop {
            tokio::select! {
                read = server.read(&mut down) => {
                    let Ok(octets @ 1..) = read else { return };
                    let passed = left.map_or(octets, |left| octets.min(left));
                    if device.write_all(&down[..passed]).await.is_err() || passed < octets {
                        return;
                    }
                    left = left.map(|left| left - passed);
                }
                read = device.read(&mut up) => {
                    let Ok(octets @ 1..) = read else { return };
                    if server.write_all(&up[..octets]).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// What becomes of a request; nothing for one of a device that dies with it.
    fn fate(&self, request: &Request) -> Option<Fault> {
        let mut ways = self.ways.lock().unwrap();
        Some(match &mut ways.trouble {
            Trouble::Calm => Fault::None,
            Trouble::Bumps(faults) => faults.pop_front().unwrap_or(Fault::None),
            Trouble::Cut => Fault::Refused,
            Trouble::Deaf if request.line.starts_with("POST /v1/messages") => Fault::Lost,
            Trouble::Mute if request.line.starts_with("POST /v1/messages ") => Fault::Refused,
            Trouble::Deaf | Trouble::Mute => Fault::None,
            Trouble::Dies { with: 0, after } => {
                let after = *after;
                ways.trouble = Trouble::Cut;
                drop(ways);
                if after {
                    // The server has it before the device is dead.
                    let (proxy, request) = (self.clone(), request.clone());
                    tokio::spawn(async move {
                        proxy.answer(&request).await;
                        proxy.died.notify_one();
                    });
                } else {
                    self.died.notify_one();
                }
                return None;
            }
            Trouble::Dies { with, .. } => {
                *with -= 1;
                Fault::None
            }
        })
    }

    async fn hand_over(&self, request: &Request) -> Option<TcpStream> {
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        server.write_all(&request.closing()).await.ok()?;
        Some(server)
    }

    async fn answer(&self, request: &Request) -> Option<Vec<u8>> {
        let (mut server, mut answer) = (self.hand_over(request).await?, Vec::new());
        server.read_to_end(&mut answer).await.ok()?;
        Some(answer)
    }

    /// The very same request once more: one that is signed is not taken again.
    async fn repeat(&self, request: &Request) {
        let answer = self.answer(request).await.unwrap_or_default();
        if request.token().is_some() && !answer.starts_with(b"HTTP/1.1 401") {
            self.ways.lock().unwrap().replayed.push(request.line.clone());
        }
    }

    /// An answer with messages: kept, and given with others that came before if that is to be.
    fn given(&self, request: &Request, answer: Vec<u8>, again: bool) -> Vec<u8> {
        let parts = split(&answer).and_then(|(head, body)| Some((head, serde_json::from_slice::<Value>(body).ok()?)));
        let (Some((head, mut document)), Some(token)) = (parts, request.token()) else { return answer };
        let Some(messages) = document["messages"].as_array_mut() else { return answer };
        let mut ways = self.ways.lock().unwrap();
        let before = ways.given.entry(token).or_default();
        let new = messages.clone();
        if again {
            messages.extend(new.clone());
            messages.extend(before.iter().rev().take(GIVEN_AGAIN).cloned());
        }
        before.extend(new);
        let body = serde_json::to_vec(&document).unwrap();
        let is_length = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
        let lines: Vec<&str> = head.lines().filter(|line| !line.is_empty() && !is_length(line)).collect();
        let head = format!("{}\r\ncontent-length: {}\r\n\r\n", lines.join("\r\n"), body.len());
        [head.into_bytes(), body].concat()
    }
}

/// A request as it came.
#[derive(Clone)]
struct Request {
    /// Its method, path and version.
    line: String,
    /// The headers.
    headers: String,
    body: Vec<u8>,
}

impl Request {
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut octets = Vec::new();
        loop {
            if let Some((head, body)) = split(&octets) {
                let (line, headers) = head.split_once("\r\n")?;
                let length = headers
                    .lines()
                    .filter_map(|line| line.split_once(':'))
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                    .map_or(0, |(_, value)| value.trim().parse().unwrap());
                if body.len() >= length {
                    let (line, headers) = (line.to_owned(), headers.to_owned());
                    return Some(Self { line, headers, body: body[..length].to_vec() });
                }
            }
            if stream.read_buf(&mut octets).await.ok()? == 0 {
                return None;
            }
        }
    }

    fn itself(&self) -> Vec<u8> {
        [format!("{}\r\n{}", self.line, self.headers).as_bytes(), &self.body].concat()
    }

    /// It as it goes to the server, which closes the connection after it.
    fn closing(&self) -> Vec<u8> {
        let head = format!("{}\r\nconnection: close\r\n{}", self.line, self.headers);
        [head.as_bytes(), &self.body].concat()
    }

    /// The id of the token that it is signed with.
    fn token(&self) -> Option<String> {
        let (_, after) = self.headers.split_once("Hawk id=\"").or_else(|| self.headers.split_once("hawk id=\""))?;
        Some(after.split('"').next()?.to_owned())
    }
}

/// The head with its empty line, and the body, once the head is whole.
fn split(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    Some((std::str::from_utf8(&octets[..end]).ok()?, &octets[end..]))
}

impl Trouble {
    /// The same, and the server lives.
    pub(crate) fn without_kills(self) -> Self {
        match self {
            Self::Bumps(mut faults) => {
                let kills = [Fault::KilledBefore, Fault::KilledWhile, Fault::KilledAfter];
                faults.retain(|fault| !kills.contains(fault));
                Self::Bumps(faults)
            }
            other => other,
        }
    }
}
