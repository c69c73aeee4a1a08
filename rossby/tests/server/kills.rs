//! The process is killed again and again while it is at work: what it acknowledged is there, once, and its tables are what
//! the log says.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{SealingKeyStated, found, state_sealing_key};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_projections::EventStatus;
use rossby_schemas::http::registration::RegisterRequest;
use rossby_schemas::ids::{CommandId, DeviceId, RegionNumber};
use rossby_schemas::time::{Clock as _, SystemClock};
use uuid::Uuid;

use crate::process::Server;
use crate::rebuild;

const HOME: RegionNumber = RegionNumber(1);
const ROUNDS: u64 = 8;
const CLIENTS: usize = 4;

pub(crate) fn request(number: u64) -> RegisterRequest {
    let now = SystemClock.now();
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let key = SigningKey::generate(&mut rng);
    let device_id = DeviceId(Uuid::new_v4());
    let founded = found(&key, device_id, HOME, [7; 32], None, now);
    let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
    let sealing = SealingKeyStated {
        box_id: record.box_id(),
        device_id,
        counter: 1,
        key: SealingSecretKey::generate(&mut rng).public_key(),
        created: now,
        expires: now.plus(Duration::from_secs(3600)),
        head: record.head(),
    };
    RegisterRequest {
        command_id: CommandId(Uuid::new_v4()),
        identifier: format!("p{number}@example.org"),
        founding_statement: founded.octets().clone(),
        sealing_statement: state_sealing_key(&key, sealing).octets().clone(),
    }
}

/// Registers one person after another until the server goes away. Gives the commands that were acknowledged.
async fn register_until_gone(client: reqwest::Client, url: String, next: Arc<AtomicU64>) -> Vec<CommandId> {
    let mut acknowledged = Vec::new();
    loop {
        let request = request(next.fetch_add(1, Ordering::Relaxed));
        match client.post(format!("{url}/v1/registrations")).json(&request).send().await {
            Ok(response) => {
                assert_eq!(response.status(), 202, "{}", response.text().await.unwrap_or_default());
                acknowledged.push(request.command_id);
            }
            Err(_) => return acknowledged,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kills_and_is_there_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let client = reqwest::Client::new();
    let (next, mut acknowledged, mut port) = (Arc::new(AtomicU64::new(0)), Vec::new(), 0);
    for round in 0..ROUNDS {
        let server = Server::start(&[], &data_dir, port);
        port = server.port();
        let work = (0..CLIENTS)
            .map(|_| tokio::spawn(register_until_gone(client.clone(), server.url.clone(), Arc::clone(&next))));
        let work: Vec<_> = work.collect();
        // Each round a little longer, so that it dies at another point.
        tokio::time::sleep(Duration::from_millis(150 + round * 97)).await;
        server.kill();
        for done in work {
            acknowledged.extend(done.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 50, "only {} were acknowledged", acknowledged.len());
    // The code of a person who had joined before a kill is good after it.
    let server = Server::start(&[], &data_dir, port);
    let last = request(u64::MAX);
    let response = client.post(format!("{}/v1/registrations", server.url)).json(&last).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(server.code_for(&format!("mailto:{}", last.identifier)).len(), 8);
    server.stop();
    compare(&data_dir, folder.path(), &acknowledged).await;
}

/// Each acknowledged command's two events took effect once, and an empty database built from the log has the same rows.
async fn compare(data_dir: &Path, folder: &Path, acknowledged: &[CommandId]) {
    let log = SqliteLog::open(SqliteConfig::new(data_dir.join("log")), Arc::new(SystemClock)).await.unwrap();
    let live = rebuild::sqlite(&data_dir.join("read-models.sqlite"));
    let live = rebuild::compare(Arc::new(log), &live, folder).await;
    let rows = live.snapshot(SystemClock.now()).await.unwrap();
    assert!(rows["registrations"].len() >= acknowledged.len());
    for id in acknowledged {
        let events = live.command(*id).await.unwrap();
        let admitted = events.iter().filter(|event| event.status == EventStatus::Admitted).count();
        assert_eq!(admitted, 2, "{id}: {events:?}");
    }
}
