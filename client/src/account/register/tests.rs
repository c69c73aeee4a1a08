//! Registrations that no server takes, and what comes after them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::statements::MAX_CLOCK_DIFFERENCE;
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::registration::{RegisterRequest, RegisterResponse};
use rossby_schemas::ids::{BoxId, RegionNumber, RegistrationId};
use rossby_schemas::time::{Clock as _, ManualClock, SystemClock};
use uuid::Uuid;

use super::RegisterOptions;
use crate::{Client, ClientConfig, ClientError, Unlock};

/// A server in region 1. Gives the boxes that were asked for.
async fn server() -> (String, Arc<Mutex<Vec<BoxId>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let router = Router::new().route("/v1/registrations", post(registers)).with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, asked)
}

async fn registers(State(asked): State<Arc<Mutex<Vec<BoxId>>>>, Json(request): Json<RegisterRequest>) -> Response {
    let record = KeyRecord::verify(&[request.founding_statement]).unwrap();
    let sealing = record.verify_sealing(&request.sealing_statement, None).unwrap();
    asked.lock().unwrap().push(record.box_id());
    let now = SystemClock.now();
    if record.box_id().region() != RegionNumber(1) || sealing.content().usable_at(now).is_err() {
        return (StatusCode::BAD_REQUEST, Json(Problem::new(ProblemType::InvalidStatement))).into_response();
    }
    let registration_id = RegistrationId(Uuid::new_v4());
    let code_expires_at = now.plus(Duration::from_secs(600));
    Json(RegisterResponse { registration_id, box_id: record.box_id(), code_expires_at }).into_response()
}

struct Home {
    client: Client,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Home {
    async fn new(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ClientConfig::new(folder.path().join("home"), Unlock::KeyFile(folder.path().join("key")));
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        config.server = Some(url.to_owned());
        config.clock = clock.clone();
        Self { client: Client::create(config).await.unwrap(), clock, _folder: folder }
    }

    async fn registers(&self, region: u8) -> Result<BoxId, ClientError> {
        let options = RegisterOptions { region: RegionNumber(region), recovery_key: false, start_over: false };
        let registered = self.client.register(&"ann@example.org".parse().unwrap(), options).await;
        registered.map(|registration| registration.box_id)
    }
}

#[tokio::test]
async fn a_clock_that_is_far_ahead_is_told_and_the_keys_made_by_it_are_not_tried_again() {
    let (url, asked) = server().await;
    let home = Home::new(&url).await;
    let ahead = MAX_CLOCK_DIFFERENCE + Duration::from_secs(3 * 3600);
    home.clock.set(SystemClock.now().plus(ahead));
    let refused = home.registers(1).await.unwrap_err();
    let ClientError::ClockAhead(by) = refused else { panic!("{refused}") };
    assert!(by.abs_diff(ahead) < Duration::from_secs(120), "{by:?}");
    home.clock.set(SystemClock.now());
    let box_id = home.registers(1).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    assert_eq!((asked.len(), asked[1]), (2, box_id));
    assert_ne!(asked[0], box_id);
}

#[tokio::test]
async fn after_another_region_s_number_the_right_one_is_enough() {
    let (url, _) = server().await;
    let home = Home::new(&url).await;
    let refused = home.registers(2).await.unwrap_err();
    assert_eq!(refused.problem(), Some(ProblemType::InvalidStatement), "{refused}");
    let box_id = home.registers(1).await.unwrap();
    assert_eq!(box_id.region(), RegionNumber(1));
}
