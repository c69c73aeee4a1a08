//! Deleting the account: the box is closed, and this home's secrets are erased.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_schemas::http::account::{AccountCommandRequest, CommandResponse};
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::CommandId;

use crate::Client;
use crate::error::ClientError;
use crate::http::Call;

/// How often another command may come before the closing.
const TRIES: u32 = 5;

impl Client {
    /// Closes the account's box, for ever: nobody finds it or writes to it any more, all its devices stop, and its identifiers are
    /// free. What was sent to others stays with them. Repeating it after a failure is safe. Erase the home after it, with
    /// [`Self::erase`].
    ///
    /// # Errors
    /// [`ClientError::NotKnown`] for a device that was removed before, and what the server says. The account is then still there,
    /// or it isn't known whether it is.
    pub async fn delete_account(&self) -> Result<(), ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            // A closing whose answer was lost: the token is no longer good then, and the outcome needs none.
            if let Some(command) = self.store.under_way().await?.closing_command
                && self.is_done(command).await?
            {
                return Ok(());
            }
            let (own, list) = self.audit_and_list().await?;
            let hashes = list.identifiers.iter().map(|listed| listed.identifier_hash).collect();
            let request = self.signed_change(&own, list.keys_version, AccountChange::CloseBox(hashes));
            let command = command_of(&request)?;
            self.store.closes_with(command).await?;
            let answer: Result<CommandResponse, _> =
                self.ask(&own.device, &Call::post("/v1/account/commands", &request)).await;
            match answer {
                Ok(_) => return Ok(()),
                // Another device has changed the record, or the identifiers.
                Err(ClientError::Refused(problem))
                    if tries < TRIES
                        && matches!(
                            problem.problem_type(),
                            Some(ProblemType::VersionConflict | ProblemType::InvalidStatement)
                        ) => {}
                // It may have been closed by this very command: the next round asks.
                Err(ClientError::NotKnown(_)) if tries < TRIES && self.is_done(command).await? => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a command took effect.
    async fn is_done(&self, command: CommandId) -> Result<bool, ClientError> {
        let status = self.http.call::<CommandStatus>(&Call::get(format!("/v1/commands/{command}")), None).await;
        match status {
            Ok(status) => Ok(status.state == CommandState::Done),
            Err(error) if error.problem() == Some(ProblemType::NoSuchCommand) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Erases everything that this home holds: keys, messages, contacts, what was to be uploaded. The store is overwritten and
    /// taken away; the key file is the caller's.
    ///
    /// # Errors
    /// What the file system or the keyring says.
    pub async fn erase(self) -> Result<(), ClientError> {
        let lock = self.store.home().await?.lock;
        self.spool().remove_all()?;
        self.remove_export_folder()?;
        let Self { home, store, vault, clock, .. } = self;
        store.erase(&home, &vault, clock.now()).await?;
        vault.forget(&lock).await;
        Ok(())
    }
}

fn command_of(request: &AccountCommandRequest) -> Result<CommandId, ClientError> {
    let command = AccountCommand::parse(&request.command);
    command.map(|command| command.command_id).map_err(|_| ClientError::DamagedStore("a command that can't be read"))
}
