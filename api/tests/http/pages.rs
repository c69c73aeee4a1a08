//! What holds for everything that a device reads of its account page by page.

use reqwest::Method;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::http::account::StatementRequest;
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::{Person, command};
use serde_json::Value;

use crate::site::{Device, Site, problem, read};

pub(crate) async fn get<T: serde::de::DeserializeOwned>(site: &Site, device: &Device, path: &str) -> T {
    read(site.signed(device, Method::GET, path, b"").await, 200).await
}

/// Whose cursor it is not, and what is none.
pub(crate) async fn refuse_what_is_wrong(site: &Site, path: &str, device: &Device, (other, cursor): (&Device, &str)) {
    let foreign = site.signed(other, Method::GET, &format!("{path}?cursor={cursor}"), b"").await;
    let refused = problem(foreign, ProblemType::InvalidRequest).await;
    assert_eq!(refused.errors[0].field, "cursor");
    for (query, field) in [
        ("cursor=%25", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("limit=0", "limit"),
        ("limit=x", "query"),
        ("x=1", "query"),
    ] {
        let refused = site.signed(device, Method::GET, &format!("{path}?{query}"), b"").await;
        let refused = problem(refused, ProblemType::InvalidRequest).await;
        assert_eq!(refused.errors[0].field, field, "{query}");
    }
}

/// Who is no device gets nothing: no signature, a forged one, and a device that was removed. Removes the device.
pub(crate) async fn are_for_devices(site: &Site, path: &str, person: &Person, device: &Device) {
    problem(site.client.get(site.url(path)).send().await.unwrap(), ProblemType::Unauthenticated).await;
    let mut forged = device.request(site, Method::GET, path, b"");
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"AAAA");
    problem(site.send(forged).await, ProblemType::Unauthenticated).await;
    let _: Value = get(site, device, path).await;
    let (by, head) = (Remover::Device(person.device_id), person.record.head());
    let removed = remove(&person.key, by, person.box_id(), head, person.device_id, site.world.now());
    let removal = StatementRequest { command_id: command(), statement: removed.octets().clone() };
    read::<Value>(site.signed_json(device, "/v1/account/statements", &removal).await, 200).await;
    problem(site.signed(device, Method::GET, path, b"").await, ProblemType::Unauthenticated).await;
}
