//! A network that can be cut: a proxy before a broker, on a port of its own. Answers name the broker's address, and the
//! proxy puts its own there, so that clients stay with it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Everything passes.
    Works,
    /// Requests arrive, and their answers are lost.
    LosesAnswers,
    /// Nothing passes in either direction; what was sent arrives when it works again.
    Holds,
}

/// Octets of answers and what stands there instead, of the same length.
type Replaced = Arc<Mutex<Vec<(Vec<u8>, Vec<u8>)>>>;

pub(crate) struct Proxy {
    address: String,
    network: Arc<watch::Sender<Network>>,
    replaced: Replaced,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(broker: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (host, port) = broker.rsplit_once(':').unwrap();
        assert_eq!(host, "127.0.0.1", "the broker's address has to be as long as the proxy's");
        let port: u16 = port.parse().unwrap();
        let network = Arc::new(watch::Sender::new(Network::Works));
        let seen = Arc::clone(&network);
        // A host's text is followed by its port, of four octets.
        let address = |port: u16| [b"127.0.0.1".as_slice(), &i32::from(port).to_be_bytes()].concat();
        let replaced: Replaced = Arc::new(Mutex::new(vec![(address(port), address(own))]));
        let replacing = Arc::clone(&replaced);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let Ok(broker) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                client.set_nodelay(true).unwrap();
                broker.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_broker, to_broker) = broker.into_split();
                tokio::spawn(requests(from_client, to_broker, seen.subscribe()));
                tokio::spawn(answers(from_broker, to_client, seen.subscribe(), Arc::clone(&replacing)));
            }
        });
        Self { address: format!("127.0.0.1:{own}"), network, replaced, accepting }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn replace(&self, what: &[u8], by: &[u8]) {
        assert_eq!(what.len(), by.len());
        self.replaced.lock().unwrap().push((what.to_vec(), by.to_vec()));
    }

    pub(crate) fn network(&self, network: Network) {
        self.network.send_replace(network);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut network: watch::Receiver<Network>) {
    while let Some(frame) = frame(&mut from).await {
        if network.wait_for(|network| *network != Network::Holds).await.is_err() || to.write_all(&frame).await.is_err()
        {
            return;
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut network: watch::Receiver<Network>,
    replaced: Replaced,
) {
    while let Some(mut frame) = frame(&mut from).await {
        let Ok(network) = network.wait_for(|network| *network != Network::Holds).await.map(|network| *network) else {
            return;
        };
        if network == Network::LosesAnswers {
            continue;
        }
        for (what, by) in replaced.lock().unwrap().iter() {
            let places: Vec<_> = (0..frame.len()).filter(|at| frame[*at..].starts_with(what)).collect();
            places.into_iter().for_each(|at| frame[at..at + by.len()].copy_from_slice(by));
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// A size and so many octets.
async fn frame(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let size = from.read_u32().await.ok()?;
    let mut frame = size.to_be_bytes().to_vec();
    frame.resize(4 + usize::try_from(size).unwrap(), 0);
    from.read_exact(&mut frame[4..]).await.ok()?;
    Some(frame)
}
