//! A client that disconnects in the middle of each write, and comes back.

use std::time::Duration;

use reqwest::Method;
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse, StatementRequest};
use rossby_schemas::http::messages::{
    ConfirmRequest, ConfirmResponse, FetchResponse, SendOutcome, SendRequest, SendResponse,
};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::{AuthorizeResponse, IssueCodeRequest, RegisterResponse};
use rossby_testing::{Person, command};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::site::{Device, Site, problem, read};

/// Sends a request whose body is cut off after `sent` octets, waits a moment, and goes away without an answer.
async fn interrupt(site: &Site, device: Option<&Device>, path: &str, body: &[u8], sent: usize, after: Duration) {
    let authorization = device.map(|device| device.request(site, Method::POST, path, body).authorization);
    let authorization = authorization.map(|value| format!("authorization: {value}\r\n")).unwrap_or_default();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{authorization}\r\n",
        site.port,
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..sent]).await.unwrap();
    tokio::time::sleep(after).await;
}

/// Each write: cut off in the middle of its body, then whole without waiting for the answer, then to its end.
struct Unsteady<'a> {
    site: &'a Site,
    /// How long the client stays after it has sent all; what the server is doing then differs from round to round.
    stays: Duration,
}

impl Unsteady<'_> {
    async fn write<T: DeserializeOwned>(
        &self,
        device: Option<&Device>,
        path: &str,
        body: &impl Serialize,
        status: u16,
    ) -> T {
        let octets = serde_json::to_vec(body).unwrap();
        interrupt(self.site, device, path, &octets, octets.len() / 2, self.stays).await;
        interrupt(self.site, device, path, &octets, octets.len(), self.stays).await;
        match device {
            Some(device) => read(self.site.signed_json(device, path, body).await, status).await,
            None => read(self.site.post(path, body).await, status).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_happens_once_however_often_its_client_goes_away() {
    let site = Site::new().await;
    let (ben, ben_device) = site.person("ben@example.org").await;
    for round in 0..6_u64 {
        let client = Unsteady { site: &site, stays: Duration::from_millis(round * 3) };
        let name = format!("p{round}@example.org");
        let person = Person::new(site.world.now());

        let request = person.register_request(&name);
        let registered: RegisterResponse = client.write(None, "/v1/registrations", &request, 202).await;
        let path = format!("/v1/registrations/{}", registered.registration_id);
        // Codes are sent in tasks of their own: the first comes before the second only if it is waited for.
        site.world.code(&name, 0).await;
        let request = IssueCodeRequest { command_id: command(), identifier: name.clone() };
        let _: RegisterResponse = client.write(None, &format!("{path}/codes"), &request, 202).await;
        let code = site.world.code(&name, 1).await;
        let request = person.authorize_request(&registered, &code);
        let authorized: AuthorizeResponse = client.write(None, &format!("{path}/authorize"), &request, 200).await;
        assert_eq!(site.world.mailboxes.codes(&name).len(), 2, "one for each request");
        let device = Device { token: person.token(&authorized) };

        let request = SendRequest { messages: vec![ben.message(&person, "hello", 1, site.world.now())] };
        let sent: SendResponse = client.write(Some(&ben_device), "/v1/messages", &request, 200).await;
        let SendOutcome::Accepted { position, .. } = &sent.results[0].outcome else { panic!("{sent:?}") };
        let fetched = fetch(&site, &device, &position.0).await;
        assert_eq!(fetched.messages.len(), 1);
        let request = ConfirmRequest { handles: vec![fetched.messages[0].handle.clone()] };
        let confirmed: ConfirmResponse = client.write(Some(&device), "/v1/messages/confirm", &request, 200).await;
        assert_eq!(confirmed.confirmed, 1);
        assert_eq!(fetch(&site, &device, &confirmed.position.0).await.messages.len(), 0);

        let change = AccountCommand {
            command_id: command(),
            box_id: person.box_id(),
            expected_version: 0,
            device_id: person.device_id,
            time: site.world.now(),
            change: AccountChange::SetDiscoverable(Audience::Nobody),
        };
        let signed = change.sign(&person.key);
        let request = AccountCommandRequest { command: signed.command, signature: signed.signature };
        let done: CommandResponse = client.write(Some(&device), "/v1/account/commands", &request, 200).await;
        assert_eq!(done.version, 1);
        let statement = person.sealing(2, site.world.now());
        let request = StatementRequest { command_id: command(), statement: statement.clone() };
        let done: CommandResponse = client.write(Some(&device), "/v1/account/statements", &request, 200).await;
        assert_eq!(done.version, 2);

        let account: AccountResponse = read(site.signed(&device, Method::GET, "/v1/account", b"").await, 200).await;
        assert_eq!((account.keys_version, account.profile.version), (2, 1));
        assert_eq!(account.profile.discoverable, Audience::Nobody);
        assert_eq!(account.key_record.sealing_statements, [statement]);
        assert_eq!((account.devices[0].waiting, account.devices[0].confirmed), (0, 1));
    }
}

async fn fetch(site: &Site, device: &Device, position: &str) -> FetchResponse {
    let path = format!("/v1/messages?position={position}");
    let fetched: FetchResponse = read(site.signed(device, Method::GET, &path, b"").await, 200).await;
    assert_eq!(fetched.position_seen, Some(true));
    fetched
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_body_changes_nothing() {
    let site = Site::new().await;
    let request = Person::new(site.world.now()).register_request("ann@example.org");
    let body = serde_json::to_vec(&request).unwrap();
    for sent in [0, 1, body.len() / 2, body.len() - 1] {
        interrupt(&site, None, "/v1/registrations", &body, sent, Duration::ZERO).await;
    }
    // Those connections came first: another's write is done, and theirs are not known.
    site.person("ben@example.org").await;
    let path = format!("/v1/commands/{}", request.command_id);
    problem(site.client.get(site.url(&path)).send().await.unwrap(), ProblemType::NoSuchCommand).await;
    assert_eq!(site.world.mailboxes.codes("ann@example.org").len(), 0);
}
