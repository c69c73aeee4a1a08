//! What the person calls those whom warnings are about: a warning is kept with ids, and told with the names of the moment.

use std::collections::HashMap;

use rossby_crypto::group::GroupId;
use rossby_schemas::ids::{BoxId, DeviceId};
use uuid::Uuid;

use super::{Notice, Warning};
use crate::Client;
use crate::account::address;
use crate::error::ClientError;
use crate::store::{contacts, identifiers, own_devices};

/// Names for ids. What has none is called by its id.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) own: Option<BoxId>,
    pub(crate) boxes: HashMap<BoxId, String>,
    pub(crate) devices: HashMap<DeviceId, String>,
    pub(crate) groups: HashMap<Uuid, String>,
    /// The own identifiers, by their hashes.
    pub(crate) identifiers: HashMap<String, String>,
}

impl Names {
    pub(super) fn who(&self, box_id: &BoxId) -> String {
        if self.own == Some(*box_id) {
            return "your own account".to_owned();
        }
        self.boxes.get(box_id).cloned().unwrap_or_else(|| format!("box {box_id}"))
    }

    pub(super) fn device(&self, id: &DeviceId) -> String {
        self.devices.get(id).map_or_else(|| id.to_string(), |name| format!("{name:?} ({id})"))
    }

    pub(super) fn group(&self, id: &Uuid) -> String {
        self.groups.get(id).map_or_else(|| format!("group {id}"), |name| format!("group {name:?}"))
    }

    /// An identifier as its person writes it, whether a warning has it or its hash.
    pub(super) fn address<'a>(&'a self, identifier: &'a str) -> &'a str {
        address(self.identifiers.get(identifier).map_or(identifier, String::as_str))
    }
}

/// A warning, with the names that it is told with.
pub(super) struct Named<'a> {
    pub(super) warning: &'a Warning,
    pub(super) names: &'a Names,
}

impl Client {
    /// What the person should know and was not shown yet, the oldest first. Whatever is called here can leave something:
    /// show it after each call, and say so with [`Self::warnings_shown`].
    ///
    /// # Errors
    /// The store's.
    pub async fn warnings(&self) -> Result<Vec<Notice>, ClientError> {
        let mut notices = self.store.warnings(&self.vault).await?;
        if notices.is_empty() {
            return Ok(notices);
        }
        let names = self.names_for(&notices).await?;
        for notice in &mut notices {
            notice.text = Named { warning: &notice.warning, names: &names }.to_string();
        }
        Ok(notices)
    }

    async fn names_for(&self, notices: &[Notice]) -> Result<Names, ClientError> {
        let own = self.store.device(&self.vault).await?.map(|device| device.box_id);
        let mut connection = self.store.read().await?;
        let mut names = Names { own, ..Names::default() };
        for (identifier, box_id) in contacts::pins(&mut connection).await? {
            names.boxes.entry(box_id).or_insert_with(|| address(&identifier).to_owned());
        }
        let devices = own_devices::names(&mut connection, &self.vault).await?;
        names.devices = devices.into_iter().map(|(id, (name, _))| (id, name)).collect();
        for known in identifiers::known(&mut connection, &self.vault).await? {
            names.identifiers.extend(known.identifier.map(|identifier| (known.hash.to_string(), identifier)));
        }
        for id in notices.iter().filter_map(|notice| notice.warning.group()) {
            if !names.groups.contains_key(&id)
                && let Some(name) = self.group_name(&mut connection, GroupId(id)).await?
            {
                names.groups.insert(id, name);
            }
        }
        Ok(names)
    }
}
