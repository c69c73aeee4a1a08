//! The server: everything is put together here, and taken apart in order when it stops.

mod background;
mod banner;
mod data_dir;
mod notifiers;
mod readiness;
pub(crate) mod regions;
mod secrets;
mod signals;
pub(crate) mod storage;

use std::io::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rossby_api::{Api, ApiLimits, Network, PublicUrl, Server, ServerConfig, StreamLimits};
use rossby_commands::{CodeSender, IdentifierSlots, Live, LiveConfig, Service, ServiceConfig};
use rossby_log::Log;
use rossby_projections::{Projector, ProjectorError, ReadModels};
use rossby_schemas::time::{Clock, SystemClock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::background::Background;
use self::readiness::Parts;
use self::storage::OpenLog;
use crate::config::Settings;
use crate::logging;

/// How many connections operators have open at once.
const OPERATOR_CONNECTIONS: usize = 100;

/// Runs the server until a signal stops it.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    logging::start(&settings)?;
    let stop = signals::stop_token()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sender = Arc::new(notifiers::from_settings(&settings, &clock)?);
    let running = Running::start(&settings, metrics()?, sender, stop.clone()).await?;
    print_banner(&banner::text(&settings, &running.url, running.operators, &banner::program()));
    tracing::info!(url = running.url, region = settings.region.number, "serving");
    running.until_stopped(stop).await
}

/// Where this process counts and measures itself.
///
/// # Errors
/// The process has one already.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    let metrics = PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])?
        .install_recorder()
        .context("the metrics can't be kept")?;
    rossby_api::describe_metrics();
    Ok(metrics)
}

/// A reader that has gone away is no reason to end.
fn print_banner(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A server at work.
pub(crate) struct Running {
    url: String,
    /// Where operators ask, if they can.
    operators: Option<SocketAddr>,
    log: OpenLog,
    models: ReadModels,
    service: Service,
    live: Live,
    background: Background,
    projector: JoinHandle<Result<(), ProjectorError>>,
    stop_projector: CancellationToken,
    server: JoinHandle<bool>,
    operator_server: Option<JoinHandle<bool>>,
    api: Api,
}

impl Running {
    /// Starts everything that the settings name; codes go out through `sender`, and requests end when `stop` is cancelled.
    ///
    /// # Errors
    /// What can't be opened, and why.
    pub(crate) async fn start(
        settings: &Settings,
        metrics: PrometheusHandle,
        sender: Arc<dyn CodeSender>,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // First, so that one that can't listen leaves no data folder.
        let server = bind(settings).await?;
        let address = server.address()?;
        let operator_server = bind_for_operators(settings).await?;
        let operators = operator_server.as_ref().map(Server::address).transpose()?;
        let log = storage::open_log(settings, Arc::clone(&clock)).await?;
        storage::ensure_topics(&log, settings).await?;
        let models = storage::open_read_models(settings).await?;
        let regions = regions::open(settings, &models).await?;
        let blobs = storage::open_blobs(settings)?;
        let secrets = secrets::open(settings, &*log.log, &models).await?;

        let config = regions::projector_config(&regions)?;
        let others = config.others.clone();
        let projector = Projector::new(models.clone(), Arc::clone(&log.log), Arc::clone(&clock), config);
        let (status, stop_projector) = (projector.status(), CancellationToken::new());
        let projector = tokio::spawn(projector.run(stop_projector.clone()));

        let mut config = ServiceConfig::single_region(regions.here);
        config.others = others;
        config.slots = IdentifierSlots::new(regions.slots.clone()).context("the table of slots has another length")?;
        config.limits.devices = settings.limits.devices;
        config.limits.identifiers = settings.identifiers.limit;
        config.limits.claim_wait = Duration::from_secs(settings.identifiers.claim_days.saturating_mul(24 * 3600));
        config.limits.blob_octets = settings.blobs.max_octets;
        config.limits.uploaded_per_day = settings.blobs.octets_per_day;
        config.limits.upload_lifetime = Duration::from_secs(settings.blobs.upload_hours.saturating_mul(3600));
        let service =
            Service::new(config, models.clone(), Arc::clone(&log.log), blobs, secrets, Arc::clone(&clock), sender)
                .with_logs_of(log.others.clone());
        let live = Live::start(service.clone(), live_config(settings)).await.context("live delivery can't begin")?;
        let mut background = Background::new();
        background.reconcile(service.clone());
        background.sweep_tables(models.clone(), Arc::clone(&clock));
        background.sweep_blobs(service.clone());
        background.measure_queue(models.clone(), Arc::clone(&clock));
        background.measure_streams(live.clone());
        if let Some(log) = &log.embedded {
            background.sweep_log(Arc::clone(log));
        }

        let parts = Parts { log: Arc::clone(&log.log), models: models.clone(), projector: Some(status) };
        let urls = public_urls(settings, address)?;
        let (delivery, limits) = ((service.clone(), live.clone()), (api_limits(settings), stream_limits(settings)));
        let api = Api::new(delivery, urls, limits, clock, Arc::new(parts), metrics, stop.clone());
        let operator_router = rossby_api::operator_router(api.clone());
        let operator_server = operator_server.map(|server| tokio::spawn(server.run(operator_router, stop.clone())));
        let server = tokio::spawn(server.run(rossby_api::router(api.clone()), stop));
        let url = shown_url(settings, address);
        Ok(Self {
            url,
            operators,
            log,
            models,
            service,
            live,
            background,
            projector,
            stop_projector,
            server,
            operator_server,
            api,
        })
    }

    /// The URL under which clients reach it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its log.
    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log.log)
    }

    /// Waits for the signal, and then ends everything in the order in which one part needs another: requests, streams, codes
    /// on their way, background tasks, projections, the log, the read models.
    pub(crate) async fn until_stopped(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            ended = &mut self.projector => Some(ended),
        };
        stop.cancel();
        if !self.server.await.unwrap_or(false) {
            tracing::warn!("some requests had not ended in time");
        }
        if let Some(server) = self.operator_server {
            let _ = server.await;
        }
        self.api.finish().await;
        self.live.stop().await;
        self.service.finish().await;
        self.background.stop().await;
        self.stop_projector.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => self.projector.await,
        };
        self.log.close().await;
        self.models.close().await;
        tracing::info!("stopped");
        ended.context("the projector has failed")?.context("the projector has ended")
    }
}

fn server_config(settings: &Settings) -> anyhow::Result<ServerConfig> {
    Ok(ServerConfig {
        connections: settings.limits.connections,
        address_connections: settings.limits.address_connections,
        trusted_proxies: trusted_proxies(settings)?,
        header_timeout: Duration::from_secs(settings.limits.header_seconds),
        // No sooner than a live stream gives its client up.
        write_timeout: Duration::from_secs(settings.limits.request_seconds.max(settings.stream.silence_seconds)),
        shutdown_timeout: Duration::from_secs(settings.server.shutdown_seconds),
    })
}

async fn bind(settings: &Settings) -> anyhow::Result<Server> {
    let listen = &settings.server.listen;
    Server::bind(listen, server_config(settings)?).await.with_context(|| {
        format!("{listen} can't be listened at; is another server there? `--listen` takes another address")
    })
}

/// Where operators ask, if they can.
async fn bind_for_operators(settings: &Settings) -> anyhow::Result<Option<Server>> {
    let listen = &settings.server.operator_listen;
    if listen.is_empty() {
        return Ok(None);
    }
    let config = ServerConfig { connections: OPERATOR_CONNECTIONS, ..server_config(settings)? };
    let server = Server::bind(listen, config).await.with_context(|| {
        format!(
            "{listen} can't be listened at for operators; is another server there? The setting server.operator_listen takes \
             another address, or none"
        )
    })?;
    Ok(Some(server))
}

fn trusted_proxies(settings: &Settings) -> anyhow::Result<Vec<Network>> {
    let networks = settings.server.trusted_proxies.iter();
    networks
        .map(|text| text.parse().with_context(|| format!("the setting server.trusted_proxies has {text:?}, which")))
        .collect()
}

/// The URLs under which clients reach the server: those that are set, else the address that it listens at.
fn public_urls(settings: &Settings, address: SocketAddr) -> anyhow::Result<Vec<PublicUrl>> {
    let set = &settings.server.public_urls;
    let mut urls = if set.is_empty() { vec![format!("http://{address}")] } else { set.clone() };
    if set.is_empty() && (address.ip().is_loopback() || address.ip().is_unspecified()) {
        urls.push(format!("http://localhost:{}", address.port()));
        urls.push(format!("http://127.0.0.1:{}", address.port()));
    }
    urls.iter()
        .map(|url| url.parse().with_context(|| format!("the setting server.public_urls has {url:?}, which")))
        .collect()
}

fn shown_url(settings: &Settings, address: SocketAddr) -> String {
    settings.server.public_urls.first().cloned().unwrap_or_else(|| format!("http://{address}"))
}

fn at_least_one(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn api_limits(settings: &Settings) -> ApiLimits {
    let (limits, stream) = (&settings.limits, &settings.stream);
    ApiLimits {
        device: (at_least_one(limits.device_per_second), at_least_one(limits.device_burst)),
        signals: (at_least_one(stream.signals_per_second), at_least_one(stream.signals_burst)),
        address: (at_least_one(limits.address_per_second), at_least_one(limits.address_burst)),
        device_waits: limits.device_waits,
        address_waits: limits.address_waits,
        request_timeout: Duration::from_secs(limits.request_seconds),
    }
}

fn stream_limits(settings: &Settings) -> StreamLimits {
    let stream = &settings.stream;
    StreamLimits {
        per_device: stream.per_device,
        per_process: stream.per_process,
        ping: Duration::from_secs(stream.ping_seconds),
        silence: Duration::from_secs(stream.silence_seconds),
    }
}

fn live_config(settings: &Settings) -> LiveConfig {
    let (window_messages, window_octets) = (settings.stream.window_messages, settings.stream.window_octets);
    LiveConfig { window_messages, window_octets, ..LiveConfig::default() }
}
