//! The chat on a device that has no account yet.

use std::future::{Future, pending};
use std::pin::Pin;

use anyhow::{Context as _, bail};
use rossby_client::{Account, Client, ClientError};
use tokio::sync::mpsc::UnboundedReceiver;

use super::terminal::Screen;
use super::{Woken, stops};
use crate::person::chat::state::event::Event;
use crate::person::chat::state::welcome::{Welcome, Wish};
use crate::person::chat::view::View;
use crate::person::devices::machine_name;

/// What is being waited for.
type Work<'a> = Pin<Box<dyn Future<Output = Result<Reached, ClientError>> + 'a>>;

/// How far it has come.
enum Reached {
    Offered(Welcome),
    Linked(Box<Account>),
}

/// Makes this device one of an account, if its person wants it. Gives the account; none if they quit.
pub(super) async fn link(
    client: &Client,
    screen: &mut Screen,
    view: View,
    woken: &mut UnboundedReceiver<Woken>,
) -> anyhow::Result<Option<Account>> {
    let mut welcome = Welcome::default();
    let mut work: Work<'_> = Box::pin(pending());
    let mut stops = stops();
    loop {
        screen.draw(|frame| view.welcome(frame, &welcome))?;
        let woken = tokio::select! {
            reached = &mut work => {
                let next: (Welcome, Work<'_>) = match reached {
                    Ok(Reached::Linked(account)) => return Ok(Some(*account)),
                    Ok(Reached::Offered(offered)) => (offered, Box::pin(wait(client))),
                    Err(error) => (Welcome::Failed(error.to_string()), Box::pin(pending())),
                };
                (welcome, work) = next;
                continue;
            }
            woken = woken.recv() => woken,
            () = super::stopped(&mut stops) => return Ok(None),
        };
        if !screen.is_taken() {
            bail!("a part of the chat has failed");
        }
        let wish = match woken {
            Some(Woken::By(Event::Key(key))) => welcome.wish(key),
            Some(Woken::Gone(error)) => return Err(error).context("the terminal is gone"),
            Some(_) => None,
            None => Some(Wish::Quit),
        };
        match wish {
            Some(Wish::Link) => (welcome, work) = (Welcome::Asking, Box::pin(offer(client))),
            Some(Wish::Stop) => (welcome, work) = (Welcome::Choice, Box::pin(pending())),
            Some(Wish::Quit) => return Ok(None),
            None => {}
        }
    }
}

async fn offer(client: &Client) -> Result<Reached, ClientError> {
    let code = client.offer_link(&machine_name()).await?;
    Ok(Reached::Offered(Welcome::Waiting { code: code.text(), until: code.expires_at }))
}

async fn wait(client: &Client) -> Result<Reached, ClientError> {
    Ok(Reached::Linked(Box::new(client.await_link().await?)))
}
