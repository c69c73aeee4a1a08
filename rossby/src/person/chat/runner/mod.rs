//! Joins the machine with the terminal, the client, and the clock.

mod actions;
mod drafts;
mod files;
mod hands;
mod live;
mod terminal;
mod welcome;
mod yourself;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rossby_client::{Client, ClientError};
use rossby_schemas::time::{Clock as _, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::hands::Hands;
use self::terminal::Screen;
use super::state::effect::Effect;
use super::state::event::Event;
use super::state::{State, You};
use super::view::View;
use super::view::theme::Theme;
use super::view::time::Zone;
use crate::person::screen::address;

/// How often the machine is told the time.
const TICK: Duration = Duration::from_millis(500);

/// What wakes the chat up.
#[derive(Debug)]
enum Woken {
    /// Something that the machine takes.
    By(Event),
    /// The terminal has another size.
    Resized,
    /// The terminal is gone.
    Gone(io::Error),
}

/// Runs the chat until its person leaves it.
pub(super) async fn run(client: Client) -> anyhow::Result<()> {
    let account = match client.account().await {
        Err(ClientError::NotRegistered) => None,
        account => Some(account?),
    };
    if let Some(account) = account.as_ref().filter(|account| !account.is_authorized) {
        return Err(ClientError::NotAuthorized(account.identifier.clone()).into());
    }
    let (to, mut woken) = unbounded_channel();
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let view = View { theme: Theme::new(has_colours), zone: Zone::Local };
    let mut screen = Screen::take().context("the terminal can't be taken over")?;
    terminal::listen(to.clone());
    let account = match account {
        Some(account) => account,
        None => match welcome::link(&client, &mut screen, view, &mut woken).await? {
            Some(account) => account,
            None => {
                client.close().await;
                return Ok(());
            }
        },
    };
    let you = You { box_id: account.box_id, address: address(&account.identifier).to_owned() };
    let client = Arc::new(client);
    let mut hands = Hands::new(Arc::clone(&client), to);
    let ended = turn(screen, view, State::new(you, SystemClock.now()), &mut hands, woken).await;
    hands.rest().await;
    if let Some(client) = Arc::into_inner(client) {
        client.close().await;
    }
    ended
}

/// Takes what happens and does what is wanted, and draws what came of it.
async fn turn(
    mut screen: Screen,
    view: View,
    (mut state, first): (State, Vec<Effect>),
    hands: &mut Hands,
    mut woken: UnboundedReceiver<Woken>,
) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(TICK);
    let mut stops = stops();
    let mut effects = first;
    hands.begin();
    loop {
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Quit => return Ok(()),
                Effect::Redraw => screen.forget()?,
                effect => hands.take(effect),
            }
        }
        let mut measures = None;
        screen.draw(|frame| measures = Some(view.draw(frame, &state)))?;
        if let Some(measures) = measures {
            effects = state.update(Event::Drawn(measures));
            if !effects.is_empty() {
                continue;
            }
        }
        let first = tokio::select! {
            woken = woken.recv() => woken.unwrap_or(Woken::By(Event::Stop)),
            _ = tick.tick() => Woken::By(Event::Tick(SystemClock.now())),
            () = stopped(&mut stops) => Woken::By(Event::Stop),
            broken = hands.broken() => return Err(broken),
        };
        // A thread that has panicked may be the one that reads the keys.
        if !screen.is_taken() {
            bail!("a part of the chat has failed");
        }
        // What has come together is drawn once.
        let mut next = Some(first);
        while let Some(woken_by) = next {
            match woken_by {
                Woken::By(event) => effects.extend(state.update(event)),
                Woken::Resized => {}
                Woken::Gone(error) => return Err(error).context("the terminal is gone"),
            }
            next = woken.try_recv().ok();
        }
    }
}

/// The signals that end a process.
type Stops = [io::Result<Signal>; 3];

fn stops() -> Stops {
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal)
}

/// Waits for one of the signals that end a process.
async fn stopped(signals: &mut Stops) {
    let [first, second, third] = signals;
    tokio::select! {
        () = came(first) => {}
        () = came(second) => {}
        () = came(third) => {}
    }
}

async fn came(signal: &mut io::Result<Signal>) {
    match signal {
        Ok(signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
