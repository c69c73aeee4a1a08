//! The account's settings: who may find the box, from whom it accepts messages, and whom it blocks. Each change is signed by
//! this device on the version that it was meant for.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_schemas::events::profiles::{AclTag, Audience};
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{BoxId, CommandId};
use uuid::Uuid;

use crate::Client;
use crate::content::Standing;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::device::Device;

/// How often a change that another device's change overtook is signed anew.
const TRIES: u32 = 5;

/// The account's settings, as the server has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Who may find the box.
    pub discoverable: Audience,
    /// From whom it accepts messages.
    pub accept_from: Audience,
    /// How many boxes are blocked.
    pub blocks: usize,
    /// How many boxes are contacts.
    pub contacts: usize,
    /// How many messages wait for this device.
    pub waiting: u64,
}

/// A change of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Who may find the box.
    Discoverable(Audience),
    /// From whom it accepts messages.
    AcceptFrom(Audience),
    /// Blocks a box: it finds this one no more, and sends nothing to it.
    Block(BoxId),
    /// Takes a block away.
    Unblock(BoxId),
    /// Makes a box a contact, as the settings mean it.
    AddContact(BoxId),
    /// Takes a contact away.
    RemoveContact(BoxId),
}

impl Client {
    /// The settings.
    ///
    /// # Errors
    /// What the server says.
    pub async fn settings(&self) -> Result<Settings, ClientError> {
        let device = self.device().await?;
        let answer = self.account_as_server_has_it(&device).await?;
        let own = answer.devices.iter().find(|status| status.device_id == device.device_id);
        Ok(Settings {
            discoverable: answer.profile.discoverable,
            accept_from: answer.profile.accept_from,
            blocks: answer.profile.blocks.len(),
            contacts: answer.profile.contacts.len(),
            waiting: own.map_or(0, |status| status.waiting),
        })
    }

    /// Keeps the server that this client was opened with, in place of the one that the home knew: for one that has moved. It
    /// must know this very device.
    ///
    /// # Errors
    /// What the server says.
    pub async fn keep_server(&self) -> Result<(), ClientError> {
        self.audit().await?;
        self.store.set_server(self.http.url()).await
    }

    /// Changes a setting. What it is already is no error. A contact is accepted by it; one who is no contact any more is not, nor a
    /// blocked box: there is another key to the own profile then, for those who still are.
    ///
    /// # Errors
    /// What the server says.
    pub async fn change(&self, setting: Setting) -> Result<(), ClientError> {
        let device = self.device().await?;
        self.change_as(&device, setting).await?;
        if matches!(setting, Setting::Block(_) | Setting::RemoveContact(_)) {
            // The profile gets another key by that: what another device has put into it stays.
            let shown = self.account_as_server_has_it(&device).await?.profile.blob;
            self.heed_own_profile(&device, &shown).await?;
        }
        let mut transaction = self.store.begin().await?;
        match setting {
            Setting::AddContact(box_id) => self.stand(&mut transaction, &device, box_id, Standing::Accepted).await?,
            Setting::Block(box_id) => self.stand(&mut transaction, &device, box_id, Standing::Blocked).await?,
            Setting::Unblock(box_id) => self.stand_unblocked(&mut transaction, &device, box_id).await?,
            Setting::RemoveContact(box_id) => {
                self.stand(&mut transaction, &device, box_id, Standing::Stranger).await?;
            }
            Setting::Discoverable(_) | Setting::AcceptFrom(_) => {}
        }
        transaction.commit().await?;
        self.state_profile_or_later().await;
        Ok(())
    }

    async fn change_as(&self, device: &Device, setting: Setting) -> Result<(), ClientError> {
        let acl_key = self.store.acl_key(&self.vault).await?;
        // A change that lists a box or takes it off, and whether the list is so already.
        let listing = |change: fn(AclTag) -> AccountChange, box_id, list: &[AclTag], listed| {
            let tag = acl_key.tag(box_id);
            (change(tag), list.contains(&tag) == listed)
        };
        let mut tries = 0;
        loop {
            tries += 1;
            let profile = self.account_as_server_has_it(device).await?.profile;
            let (change, is_so) = match setting {
                Setting::Discoverable(audience) => {
                    (AccountChange::SetDiscoverable(audience), profile.discoverable == audience)
                }
                Setting::AcceptFrom(audience) => {
                    (AccountChange::SetAcceptFrom(audience), profile.accept_from == audience)
                }
                Setting::Block(box_id) => listing(AccountChange::Block, box_id, &profile.blocks, true),
                Setting::Unblock(box_id) => listing(AccountChange::Unblock, box_id, &profile.blocks, false),
                Setting::AddContact(box_id) => listing(AccountChange::AddContact, box_id, &profile.contacts, true),
                Setting::RemoveContact(box_id) => {
                    listing(AccountChange::RemoveContact, box_id, &profile.contacts, false)
                }
            };
            if is_so {
                return Ok(());
            }
            match self.change_account(device, profile.version, change).await {
                Err(error) if error.problem() == Some(ProblemType::VersionConflict) && tries < TRIES => {}
                other => return other,
            }
        }
    }

    /// Changes the account's profile, if it still has this version.
    pub(crate) async fn change_account(
        &self,
        device: &Device,
        expected_version: u64,
        change: AccountChange,
    ) -> Result<(), ClientError> {
        let command = AccountCommand {
            command_id: CommandId(Uuid::new_v4()),
            box_id: device.box_id,
            expected_version,
            device_id: device.device_id,
            time: self.now(),
            change,
        };
        let signed = command.sign(&device.signing_key);
        let request = AccountCommandRequest { command: signed.command, signature: signed.signature };
        let call = Call::post("/v1/account/commands", &request);
        let _: CommandResponse = self.ask(device, &call).await?;
        Ok(())
    }

    pub(crate) async fn account_as_server_has_it(&self, device: &Device) -> Result<AccountResponse, ClientError> {
        self.ask(device, &Call::get("/v1/account")).await
    }
}
