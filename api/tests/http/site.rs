//! A server on a world, and devices that sign their requests.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use hawk::{Credentials, DigestAlgorithm, Key, PayloadHasher, RequestBuilder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::{Method, Response};
use rossby_api::{Api, ApiLimits, Network, NotReady, Readiness, Server, ServerConfig, StreamLimits};
use rossby_commands::{Live, LiveConfig};
use rossby_crypto::token::DeviceToken;
use rossby_schemas::http::problem::{PROBLEM_JSON, Problem, ProblemType};
use rossby_schemas::time::Clock as _;
use rossby_testing::Person;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// How many connections a site has at most.
pub(crate) const CONNECTIONS: usize = 100;

/// What streams may take, if a test doesn't say otherwise.
pub(crate) const STREAMS: StreamLimits =
    StreamLimits { per_device: 4, per_process: 50, ping: Duration::from_secs(25), silence: Duration::from_secs(60) };

/// What a site says of its readiness.
#[derive(Default)]
pub(crate) enum State {
    #[default]
    Ready,
    NotReady(Vec<NotReady>),
    /// A defect.
    Panics,
}

#[derive(Default)]
struct Parts(Mutex<State>);

#[async_trait]
impl Readiness for Parts {
    async fn not_ready(&self) -> Vec<NotReady> {
        let parts = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Ready => Some(Vec::new()),
            State::NotReady(parts) => Some(parts.clone()),
            State::Panics => None,
        };
        parts.expect("a defect")
    }
}

/// A process has one recorder, which all sites of it share.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap()).clone()
}

/// A server, and the world behind it.
pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) live: Live,
    pub(crate) port: u16,
    /// Where operators ask.
    operator_port: u16,
    pub(crate) client: reqwest::Client,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<bool>,
    parts: Arc<Parts>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

pub(crate) fn limits(device: (NonZeroU32, NonZeroU32), address: (NonZeroU32, NonZeroU32)) -> ApiLimits {
    let signals = (number(1000), number(1000));
    ApiLimits {
        device,
        address,
        signals,
        device_waits: CONNECTIONS,
        address_waits: CONNECTIONS,
        request_timeout: Duration::from_millis(500),
    }
}

/// What a site is made of.
pub(crate) struct Plan {
    pub(crate) limits: ApiLimits,
    pub(crate) streams: StreamLimits,
    pub(crate) live: LiveConfig,
    pub(crate) address_connections: usize,
    pub(crate) trusted_proxies: Vec<Network>,
}

impl Default for Plan {
    fn default() -> Self {
        let many = (number(1000), number(1000));
        Self {
            limits: limits(many, many),
            streams: STREAMS,
            live: LiveConfig::default(),
            address_connections: CONNECTIONS,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        Self::start(plan, |router| router).await
    }

    /// One whose routes have something around them.
    pub(crate) async fn wrapped(wrap: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        Self::start(Plan::default(), wrap).await
    }

    pub(crate) async fn with_limits(device: (NonZeroU32, NonZeroU32), address: (NonZeroU32, NonZeroU32)) -> Self {
        Self::with(Plan { limits: limits(device, address), ..Plan::default() }).await
    }

    pub(crate) async fn with_streams(streams: StreamLimits, live: LiveConfig) -> Self {
        Self::with(Plan { streams, live, ..Plan::default() }).await
    }

    /// One that takes so many signals of a device.
    pub(crate) async fn with_signals(signals: (NonZeroU32, NonZeroU32)) -> Self {
        let plan = Plan::default();
        Self::with(Plan { limits: ApiLimits { signals, ..plan.limits }, ..plan }).await
    }

    /// One that lets so many requests of a device, and of an address, wait.
    pub(crate) async fn with_waits(device_waits: usize, address_waits: usize) -> Self {
        let plan = Plan::default();
        Self::with(Plan { limits: ApiLimits { device_waits, address_waits, ..plan.limits }, ..plan }).await
    }

    async fn start(plan: Plan, wrap: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        let Plan { limits, streams, live, address_connections, trusted_proxies } = plan;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let world = World::new().await;
        let config = ServerConfig {
            connections: CONNECTIONS,
            address_connections,
            trusted_proxies,
            header_timeout: Duration::from_millis(500),
            write_timeout: streams.silence,
            shutdown_timeout: Duration::from_secs(20),
        };
        let idle = config.header_timeout / 2;
        let operators = Server::bind("127.0.0.1:0", config.clone()).await.unwrap();
        let operator_port = operators.address().unwrap().port();
        let server = Server::bind("127.0.0.1:0", config).await.unwrap();
        let port = server.address().unwrap().port();
        let live = Live::start(world.service.clone(), live).await.unwrap();
        let urls = vec![format!("http://127.0.0.1:{port}").parse().unwrap()];
        let parts = Arc::new(Parts::default());
        let clock = world.clock.clone();
        let stop = CancellationToken::new();
        let service = (world.service.clone(), live.clone());
        let api = Api::new(service, urls, (limits, streams), clock, parts.clone(), metrics(), stop.clone());
        tokio::spawn(operators.run(rossby_api::operator_router(api.clone()), stop.clone()));
        let (router, until) = (wrap(rossby_api::router(api.clone())), stop.clone());
        let served = tokio::spawn(async move {
            let all_ended = server.run(router, until).await;
            api.finish().await;
            all_ended
        });
        // No connection is used that the server may be closing.
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).pool_idle_timeout(idle);
        let client = client.build().unwrap();
        Self { world, live, port, operator_port, client, stop, served, parts }
    }

    pub(crate) fn set_state(&self, state: State) {
        *self.parts.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What operators are told.
    pub(crate) async fn operators(&self, path: &str) -> Response {
        self.client.get(format!("http://127.0.0.1:{}{path}", self.operator_port)).send().await.unwrap()
    }

    /// A person who has joined over HTTP, with the device's token.
    pub(crate) async fn person(&self, identifier: &str) -> (Person, Device) {
        let person = Person::new(self.world.now());
        let device = self.join(&person, identifier).await;
        (person, device)
    }

    /// Lets a person join over HTTP.
    pub(crate) async fn join(&self, person: &Person, identifier: &str) -> Device {
        let known = self.world.mailboxes.codes(identifier).len();
        let registered = self.post("/v1/registrations", &person.register_request(identifier)).await;
        let registered: rossby_schemas::http::registration::RegisterResponse = read(registered, 202).await;
        let code = self.world.code(identifier, known).await;
        let path = format!("/v1/registrations/{}/authorize", registered.registration_id);
        let response = self.post(&path, &person.authorize_request(&registered, &code)).await;
        Device { token: person.token(&read(response, 200).await) }
    }

    /// A request that nobody signs.
    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Response {
        self.client.post(self.url(path)).json(body).send().await.unwrap()
    }

    /// A request that a device signs.
    pub(crate) async fn signed(&self, device: &Device, method: Method, path: &str, body: &[u8]) -> Response {
        self.send(device.request(self, method, path, body)).await
    }

    pub(crate) async fn signed_json(&self, device: &Device, path: &str, body: &impl Serialize) -> Response {
        self.signed(device, Method::POST, path, &serde_json::to_vec(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: SignedRequest) -> Response {
        let mut builder = self.client.request(request.method, self.url(&request.path)).body(request.body);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if !request.media_type.is_empty() {
            builder = builder.header("content-type", request.media_type);
        }
        builder.header("authorization", request.authorization).send().await.unwrap()
    }
}

/// What an answer says, which must have this status.
pub(crate) async fn read<T: DeserializeOwned>(response: Response, status: u16) -> T {
    let (found, body) = (response.status(), response.bytes().await.unwrap());
    assert_eq!(found, status, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).unwrap()
}

/// An answer that is a problem of this kind. Gives the document.
pub(crate) async fn problem(response: Response, kind: ProblemType) -> Problem {
    assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
    assert!(response.headers().contains_key("x-request-id"));
    let problem: Problem = read(response, kind.status()).await;
    assert_eq!(problem.problem_type(), Some(kind), "{problem:?}");
    problem
}

/// A device that signs.
pub(crate) struct Device {
    pub(crate) token: DeviceToken,
}

/// A signed request, which a test may spoil before it is sent.
#[derive(Clone)]
pub(crate) struct SignedRequest {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) media_type: &'static str,
    /// What is not signed.
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) authorization: String,
}

/// What the header is made of, for tests that make it otherwise.
pub(crate) struct Signing {
    pub(crate) ts: u64,
    pub(crate) nonce: String,
    pub(crate) host: String,
    pub(crate) with_hash: bool,
    pub(crate) id: String,
}

impl Device {
    pub(crate) fn signing(&self, site: &Site) -> Signing {
        Signing {
            ts: site.world.clock.now().millis() / 1000,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
            host: "127.0.0.1".to_owned(),
            with_hash: true,
            id: self.token.id.to_string(),
        }
    }

    pub(crate) fn request(&self, site: &Site, method: Method, path: &str, body: &[u8]) -> SignedRequest {
        self.request_with(site, method, path, body, &self.signing(site))
    }

    pub(crate) fn request_with(
        &self,
        site: &Site,
        method: Method,
        path: &str,
        body: &[u8],
        signing: &Signing,
    ) -> SignedRequest {
        let media_type = if body.is_empty() { "" } else { "application/json" };
        self.request_of(site, method, path, (media_type, body), signing)
    }

    /// A request with a body of another media type.
    pub(crate) fn request_of(
        &self,
        site: &Site,
        method: Method,
        path: &str,
        (media_type, body): (&'static str, &[u8]),
        signing: &Signing,
    ) -> SignedRequest {
        let hash = PayloadHasher::hash(media_type, DigestAlgorithm::Sha256, body).unwrap();
        let mut request = RequestBuilder::new(method.as_str(), &signing.host, site.port, path);
        if signing.with_hash {
            request = request.hash(&hash[..]);
        }
        let credentials = Credentials {
            id: signing.id.clone(),
            key: Key::new(self.token.hawk_key.as_bytes(), DigestAlgorithm::Sha256).unwrap(),
        };
        let ts: SystemTime = UNIX_EPOCH + Duration::from_secs(signing.ts);
        let header = request.request().make_header_full(&credentials, ts, signing.nonce.clone()).unwrap();
        SignedRequest {
            method,
            path: path.to_owned(),
            media_type,
            headers: Vec::new(),
            body: body.to_vec(),
            authorization: format!("Hawk {header}"),
        }
    }
}
