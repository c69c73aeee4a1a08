//! The connection: there, lost since when, tried again when.

use rossby_client::Way;
use rossby_schemas::time::Timestamp;

use super::State;
use super::effect::Effect;
use super::event::{Connection, Lost};

impl State {
    pub(super) fn take_connection(&mut self, connection: Connection) {
        let was_lost = matches!(self.connection, Connection::Lost(_));
        if was_lost && matches!(connection, Connection::Connected(_)) {
            self.say("The connection is back");
        }
        self.connection = connection;
    }

    /// It is tried again at this time. It is lost since it was.
    pub(super) fn wait(&mut self, reason: String, until: Timestamp) {
        let since = match &self.connection {
            Connection::Lost(lost) => lost.since,
            _ => self.now,
        };
        self.connection = Connection::Lost(Lost { reason, since, next_try: Some(until) });
    }

    /// Tries the connection now, if it is not there as it should be.
    pub(super) fn try_now(&mut self, effects: &mut Vec<Effect>) {
        match &mut self.connection {
            Connection::Connected(Way::Stream) => self.say("You are connected"),
            Connection::Ended(_) => self.say_error("Waiting does not cure this; quit, and see what the commands say"),
            connection => {
                if let Connection::Lost(lost) = connection {
                    lost.next_try = None;
                }
                effects.push(Effect::TryNow);
            }
        }
    }
}
