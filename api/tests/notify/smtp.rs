//! Codes by email.

use std::net::TcpListener;
use std::sync::Arc;

use rossby_api::notify::{BadSmtpUrl, Notifiers, Smtp};
use rossby_commands::CodeSender as _;

use crate::sink::Sink;
use crate::{CODE, EXPIRES_AT, code, expires_at, identifier};

const FROM: &str = "Rossby <codes@example.org>";

fn smtp(port: u16) -> Smtp {
    Smtp::new(&format!("smtp://127.0.0.1:{port}"), FROM).unwrap()
}

#[tokio::test]
async fn a_code_reaches_its_mailbox() {
    let sink = Sink::start(0);
    smtp(sink.port).send(&identifier("Ann@Example.org"), &code(), expires_at()).await.unwrap();
    let mail = sink.mail("ann@example.org").unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    for line in ["From: Rossby <codes@example.org>", "To: ann@example.org", "Subject: Your code for Rossby"] {
        assert!(head.lines().any(|other| other == line), "{line}: {head}");
    }
    assert!(head.lines().any(|line| line.starts_with("Date: ")), "{head}");
    assert!(!head.contains(CODE), "subjects are shown on locked screens");
    assert!(body.lines().any(|line| line == CODE) && body.contains(EXPIRES_AT), "{body}");
    assert_eq!((sink.commands("MAIL FROM:<codes@example.org>"), sink.commands("RCPT TO:")), (1, 1));
}

#[tokio::test]
async fn a_notice_of_a_claim_says_what_to_do() {
    let sink = Sink::start(0);
    smtp(sink.port).tell_of_claim(&identifier("Ann@Example.org"), expires_at()).await.unwrap();
    let mail = sink.mail("ann@example.org").unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(head.lines().any(|line| line.starts_with("Subject: Somebody claims this address")), "{head}");
    assert!(body.contains(EXPIRES_AT) && body.contains("rossby identifiers object ann@example.org"), "{body}");
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_again() {
    let sink = Sink::start(0);
    smtp(sink.port).send(&identifier("busy@example.org"), &code(), expires_at()).await.unwrap();
    assert_eq!(sink.commands("RCPT TO:<busy@example.org>"), 2);
    assert!(sink.mail("busy@example.org").unwrap().contains(CODE));
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sending =
        tokio::spawn(async move { smtp(port).send(&identifier("ann@example.org"), &code(), expires_at()).await });
    let sink = tokio::task::spawn_blocking(move || Sink::start(port)).await.unwrap();
    sending.await.unwrap().unwrap();
    assert!(sink.mail("ann@example.org").unwrap().contains(CODE));
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_is_given_up_and_not_named() {
    let sink = Sink::start(0);
    let error = smtp(sink.port).send(&identifier("gone@example.org"), &code(), expires_at()).await.unwrap_err();
    assert_eq!(sink.commands("RCPT TO:<gone@example.org>"), 1);
    assert!(error.to_string().contains("550"), "{error}");
    assert!(!error.to_string().contains("gone") && !error.to_string().contains(CODE), "{error}");
}

#[tokio::test]
async fn the_password_is_used_and_not_shown() {
    let sink = Sink::start(0);
    let smtp = Smtp::new(&format!("smtp://ann:hunter2@127.0.0.1:{}", sink.port), FROM).unwrap();
    let notifiers = Notifiers { email: Arc::new(smtp), sms: Arc::new(rossby_api::notify::Console) };
    let shown = format!("{notifiers:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("ann"), "{shown}");
    notifiers.send(&identifier("ann@example.org"), &code(), expires_at()).await.unwrap();
    // "\0ann\0hunter2"
    assert_eq!(sink.commands("AUTH PLAIN AGFubgBodW50ZXIy"), 1);
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    assert_eq!(Smtp::new("https://example.org", FROM).unwrap_err(), BadSmtpUrl::Url);
    assert_eq!(Smtp::new("nonsense", FROM).unwrap_err(), BadSmtpUrl::Url);
    assert_eq!(Smtp::new("smtp://127.0.0.1", "nobody").unwrap_err(), BadSmtpUrl::From);
}
