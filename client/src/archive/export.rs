//! Writing an archive: everything that the person has on this device and may read, and none of its keys.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use secrecy::SecretString;
use tempfile::TempDir;

use super::lines::{PART_OCTETS, Writer};
use super::record::{
    ArchiveRecord, ArchivedAccount, ArchivedAttachment, ArchivedChange, ArchivedContact, ArchivedDevice, ArchivedGroup,
    ArchivedMark, ArchivedMember, ArchivedMessage, ArchivedReaction, ArchivedRecipient, ArchivedReference,
    ArchivedSettings, AttachmentPart, FORMAT, VERSION,
};
use crate::Client;
use crate::attachments::{Progress, Step, Target, Tell};
use crate::contacts::{Known, shown_mark};
use crate::content::Content;
use crate::error::ClientError;
use crate::messages::{Conversation, Message};
use crate::store::transcripts::Direction;
use crate::store::{contacts, history, own_devices, peers, profiles, records, transcripts, verified};

/// How many messages are read at once.
const PAGE: u32 = 100;
/// The home's folder for the attachment that is on its way into an archive.
const FOLDER: &str = "export";

/// How an archive is made.
#[derive(Debug)]
pub struct ExportOptions {
    /// The file. It must not be there.
    pub path: PathBuf,
    /// What encrypts it; none makes one that everybody can read.
    pub passphrase: Option<SecretString>,
    /// Whether attachments are fetched into it, as far as the server still has them.
    pub attachments: bool,
    /// Whether the server isn't asked for the settings and what it holds.
    pub offline: bool,
}

/// What went into an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many contacts.
    pub contacts: u64,
    /// How many groups.
    pub groups: u64,
    /// How many conversations.
    pub conversations: u64,
    /// How many messages.
    pub messages: u64,
    /// How many attachments, whole.
    pub attachments: u64,
    /// How many attachments are told of, without their octets.
    pub attachments_left_out: u64,
    /// How many messages of the server's queue, as it holds them.
    pub queued: u64,
}

impl Client {
    /// Writes an archive of what this device has and its person may read: messages, contacts, groups, settings, profile. No private
    /// key, token or attachment's key is in it. The file is there only once it is whole.
    ///
    /// # Errors
    /// [`ClientError::TargetExists`], what the file system says, and what the server says unless that isn't asked.
    pub async fn export(&self, options: &ExportOptions, tell: Option<Tell>) -> Result<Exported, ClientError> {
        let mut writer = Writer::create(&options.path, options.passphrase.as_ref()).await?;
        let queued = self.export_account(&mut writer, options).await?;
        let mut exported = Exported { queued, ..Exported::default() };
        for contact in self.archived_contacts().await? {
            exported.contacts += 1;
            writer.write(&ArchiveRecord::Contact(contact))?;
        }
        for group in self.groups().await? {
            exported.groups += 1;
            writer.write(&ArchiveRecord::Group(ArchivedGroup {
                group: group.id.0,
                name: group.name,
                membership: group.membership.name().to_owned(),
                members: group.members.iter().map(ArchivedMember::from).collect(),
            }))?;
        }
        let total = self.count_messages().await?;
        let folder = if options.attachments { Some(self.attachments_folder()?) } else { None };
        for conversation in self.known_conversations().await? {
            exported.conversations += 1;
            let mut last: Option<Message> = None;
            loop {
                let messages =
                    self.page_of(conversation, PAGE, Direction::After, last.as_ref().map(Message::place)).await?;
                for message in &messages {
                    self.export_message(&mut writer, message, folder.as_ref(), &mut exported).await?;
                    if let Some(tell) = &tell {
                        tell(Progress { step: Step::Exporting, done: exported.messages, total });
                    }
                }
                match messages.into_iter().next_back() {
                    Some(message) => last = Some(message),
                    None => break,
                }
            }
        }
        writer.finish()?;
        Ok(exported)
    }

    /// Gives how many messages of the server's queue went into it.
    async fn export_account(&self, writer: &mut Writer, options: &ExportOptions) -> Result<u64, ClientError> {
        let account = self.account().await?;
        let device = self.device().await?;
        writer.write(&ArchiveRecord::Account(ArchivedAccount {
            format: FORMAT.to_owned(),
            version: VERSION,
            exported_at: self.now(),
            server: self.server().to_owned(),
            box_id: account.box_id,
            device_id: account.device_id,
            head: account.head,
            identifiers: account.identifiers,
        }))?;
        let settings = if options.offline { None } else { Some(self.settings().await?) };
        let queued = if options.offline { 0 } else { self.export_held(writer, &device).await? };
        let receipts = self.receipt_settings().await?;
        writer.write(&ArchiveRecord::Settings(ArchivedSettings {
            discoverable: settings.map(|settings| settings.discoverable),
            accept_from: settings.map(|settings| settings.accept_from),
            delivery_receipts: receipts.delivery,
            read_receipts: receipts.read,
            typing: receipts.typing,
        }))?;
        let mut connection = self.store.read().await?;
        if let Some(own) = profiles::own(&mut connection, &self.vault).await? {
            writer.write(&ArchiveRecord::Profile(own.profile))?;
        }
        let names = own_devices::names(&mut connection, &self.vault).await?;
        for known in records::own_record(&mut connection, device.box_id).await?.devices() {
            writer.write(&ArchiveRecord::Device(ArchivedDevice {
                device_id: known.device_id,
                name: names.get(&known.device_id).map(|(name, _)| name.clone()),
                removed: !known.is_member(),
            }))?;
        }
        Ok(queued)
    }

    /// Everybody whom this device knows.
    async fn archived_contacts(&self) -> Result<Vec<ArchivedContact>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let mut boxes: BTreeSet<BoxId> =
            contacts::pins(&mut connection).await?.into_iter().map(|(_, box_id)| box_id).collect();
        boxes.extend(peers::all(&mut connection).await?.into_iter().map(|peer| peer.box_id));
        boxes.extend(verified::all(&mut connection).await?.into_iter().map(|mark| mark.box_id));
        boxes.extend(
            transcripts::overviews(&mut connection).await?.into_iter().filter_map(|row| row.conversation.peer()),
        );
        boxes.remove(&own);
        let own_record = records::own_record(&mut connection, own).await?;
        let mut found = Vec::with_capacity(boxes.len());
        for box_id in boxes {
            let known = Known::load(&mut connection, box_id).await?;
            let shown = shown_mark(&mut connection, box_id).await?;
            let mark = verified::mark(&mut connection, box_id).await?.filter(|mark| mark.is_verified);
            found.push(ArchivedContact {
                box_id,
                identifiers: contacts::identifiers_of(&mut connection, box_id).await?,
                standing: peers::state(&mut connection, box_id).await?.standing,
                profile: profiles::profile(&mut connection, &self.vault, box_id).await?,
                head: known.as_ref().map(|known| known.record.head()),
                safety_number: known.as_ref().map(|known| {
                    rossby_crypto::safety_number::SafetyNumber::of(&own_record, &known.record).digits().to_string()
                }),
                verified: shown.and(mark).map(|mark| ArchivedMark { at: mark.changed_at, head: mark.head }),
            });
        }
        Ok(found)
    }

    /// The conversations of which this device or an archive that it has read knows messages.
    async fn known_conversations(&self) -> Result<Vec<Conversation>, ClientError> {
        let mut connection = self.store.read().await?;
        let own = transcripts::overviews(&mut connection).await?.into_iter().map(|overview| overview.conversation);
        let alone = history::conversations_alone(&mut connection, &self.vault).await?;
        Ok(own.chain(alone.into_iter().map(|(conversation, _)| conversation)).collect())
    }

    async fn count_messages(&self) -> Result<u64, ClientError> {
        let mut connection = self.store.read().await?;
        Ok(transcripts::count(&mut connection).await? + history::count(&mut connection).await?)
    }

    /// Where attachments are put on their way: beside the store, so that they are on no other medium.
    fn attachments_folder(&self) -> Result<TempDir, ClientError> {
        self.remove_export_folder()?;
        let made = tempfile::Builder::new().prefix(FOLDER).rand_bytes(0).tempdir_in(&self.home);
        made.map_err(|source| ClientError::File { path: self.home.join(FOLDER), source })
    }

    /// Takes away what an export has left that was killed.
    pub(crate) fn remove_export_folder(&self) -> Result<(), ClientError> {
        let path = self.home.join(FOLDER);
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ClientError::File { path, source }),
            _ => Ok(()),
        }
    }

    async fn export_message(
        &self,
        writer: &mut Writer,
        message: &Message,
        folder: Option<&TempDir>,
        exported: &mut Exported,
    ) -> Result<(), ClientError> {
        let mut record = archived(message);
        exported.messages += 1;
        let mut file = None;
        if let Some(attachment) = &mut record.attachment {
            match folder {
                Some(folder) if message.archived.is_none() => match self.fetched(message, folder).await {
                    Ok(path) => {
                        attachment.included = true;
                        file = Some(path);
                    }
                    // What is gone is gone; without the server the rest would be, too.
                    Err(error @ ClientError::Unreachable { .. }) => return Err(error),
                    Err(error) => attachment.missing = Some(error.to_string()),
                },
                _ => {}
            }
            let counted =
                if attachment.included { &mut exported.attachments } else { &mut exported.attachments_left_out };
            *counted += 1;
        }
        writer.write(&ArchiveRecord::Message(Box::new(record)))?;
        let Some(path) = file else { return Ok(()) };
        let failed = |source| ClientError::File { path: path.clone(), source };
        let mut whole = File::open(&path).map_err(failed)?;
        loop {
            let mut part = Vec::with_capacity(PART_OCTETS);
            whole.by_ref().take(PART_OCTETS as u64).read_to_end(&mut part).map_err(failed)?;
            if part.is_empty() {
                break;
            }
            writer.write(&ArchiveRecord::AttachmentPart(AttachmentPart { data: Octets::from(part) }))?;
        }
        std::fs::remove_file(&path).map_err(failed)
    }

    async fn fetched(&self, message: &Message, folder: &TempDir) -> Result<PathBuf, ClientError> {
        let target = Target { path: folder.path().join("attachment"), overwrites: true };
        self.download(message, &target, None).await
    }
}

/// A message as an archive has it.
fn archived(message: &Message) -> ArchivedMessage {
    let attachment = match &message.content {
        Some(Content::Attachment(attachment)) => Some(ArchivedAttachment {
            role: attachment.role,
            name: attachment.name.clone(),
            media_type: attachment.media_type.clone(),
            size: attachment.size,
            duration_ms: attachment.duration_ms,
            included: false,
            missing: None,
        }),
        _ => message
            .archived
            .as_ref()
            .and_then(|archived| archived.attachment.clone())
            .map(|attachment| ArchivedAttachment { included: false, ..attachment }),
    };
    let location = match &message.content {
        Some(Content::Location(location)) => Some(location.clone()),
        _ => None,
    };
    let (peer, group) = match message.conversation {
        Conversation::Direct(peer) => (Some(peer), None),
        Conversation::Group(group) => (None, Some(group)),
    };
    ArchivedMessage {
        peer,
        group,
        group_name: message.group_name.clone(),
        message_id: message.message_id,
        author: message.author,
        author_identifier: message.author_identifier.clone(),
        claimed_name: message.claimed_name.clone(),
        outgoing: message.is_outgoing,
        time: message.time,
        accepted_at: message.accepted_at,
        kind: message.kind.number(),
        text: message.text.clone(),
        location,
        attachment,
        changes: message.group_events.iter().map(ArchivedChange::from).collect(),
        edited_at: message.edited_at,
        deleted: message.is_deleted,
        late: message.is_late,
        refers_to: message.refers_to.as_ref().map(|referred| ArchivedReference {
            box_id: referred.message.box_id,
            message_id: referred.message.message_id,
            text: referred.text.clone(),
        }),
        reactions: message
            .reactions
            .iter()
            .map(|emoji| ArchivedReaction { emoji: emoji.emoji.clone(), authors: emoji.authors.clone() })
            .collect(),
        state: message.state.into(),
        recipients: message
            .recipients
            .iter()
            .map(|recipient| ArchivedRecipient {
                box_id: recipient.box_id,
                state: recipient.state.into(),
                accepted_at: recipient.accepted_at,
                delivered_at: recipient.delivered_at,
                read_at: recipient.read_at,
                reason: recipient.reason.clone(),
            })
            .collect(),
    }
}
