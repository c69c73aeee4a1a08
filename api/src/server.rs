//! The server's loop: connections with a time-out for their headers, and an end that lets requests finish.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::limits::{ClientAddress, network};
use crate::patience::Patient;
use crate::proxies::{Network, Proxies};
use crate::seats::{Full, Seat, Seats};

/// How the server deals with connections.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// How many connections are open at once.
    pub connections: usize,
    /// How many of them from one address, but for proxies.
    pub address_connections: usize,
    /// The proxies that are believed for whom they ask.
    pub trusted_proxies: Vec<Network>,
    /// How long a connection may take to send a request's headers.
    pub header_timeout: Duration,
    /// How long a connection may leave unread what it asked for.
    pub write_timeout: Duration,
    /// How long a stopping server lets requests and streams end.
    pub shutdown_timeout: Duration,
}

/// A connection's place among those that may be open at once, which a stream keeps for as long as it lasts.
#[derive(Debug, Clone)]
pub(crate) struct Place(
    #[allow(dead_code, reason = "held, not read")] Arc<(OwnedSemaphorePermit, Option<Seat<IpAddr>>)>,
);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    proxies: Arc<Proxies>,
    seats: Arc<Seats<IpAddr>>,
    config: ServerConfig,
}

/// After a failure to accept, such as too many open files, the next try comes after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

impl Server {
    /// Listens at `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The address can't be listened at.
    pub async fn bind(address: &str, config: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let proxies = Arc::new(Proxies::new(config.trusted_proxies.clone()));
        let seats = Arc::new(Seats::new(config.address_connections, config.connections));
        Ok(Self { listener, proxies, seats, config })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system doesn't say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled, and then lets the requests under way end. Gives whether all of them did in time.
    pub async fn run(self, router: Router, stop: CancellationToken) -> bool {
        let (connections, places) = (TaskTracker::new(), Arc::new(Semaphore::new(self.config.connections)));
        loop {
            // A full server waits for a free place, and must be stoppable meanwhile.
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            let (stream, address, place) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            let Ok(seat) = self.seat(address.ip()) else {
                tracing::debug!("a connection was closed: its address has as many as it may");
                continue;
            };
            let place = Place(Arc::new((place, seat)));
            let connection = self.connection(stream, address, place, router.clone());
            let stop = stop.clone();
            connections.spawn(async move {
                let mut connection = pin!(connection);
                let ended = tokio::select! {
                    ended = connection.as_mut() => ended,
                    () = stop.cancelled() => {
                        connection.as_mut().graceful_shutdown();
                        connection.await
                    }
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
            });
        }
        drop(self.listener);
        connections.close();
        tokio::time::timeout(self.config.shutdown_timeout, connections.wait()).await.is_ok()
    }

    /// The next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = self.listener.accept().await?;
        Ok((stream, address, place))
    }

    /// A connection's place among those of its address. A proxy has as many as it likes: they are everybody's.
    fn seat(&self, address: IpAddr) -> Result<Option<Seat<IpAddr>>, Full> {
        if self.proxies.contain(address) { Ok(None) } else { self.seats.seat(network(address)).map(Some) }
    }

    fn connection(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        place: Place,
        router: Router,
    ) -> http1::UpgradeableConnection<
        TokioIo<Patient<TcpStream>>,
        impl hyper::service::HttpService<Incoming, ResBody = axum::body::Body, Error = Infallible, Future: Send> + use<>,
    > {
        // Small answers are not held back for larger ones.
        let _ = stream.set_nodelay(true);
        let proxies = Arc::clone(&self.proxies);
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let client = proxies.client(address.ip(), request.headers());
            request.extensions_mut().insert(ClientAddress(client));
            request.extensions_mut().insert(place.clone());
            router.clone().oneshot(request)
        });
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .serve_connection(TokioIo::new(Patient::new(stream, self.config.write_timeout)), service)
            .with_upgrades()
    }
}
