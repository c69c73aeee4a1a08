//! Reading an archive: checked as a whole before anything of it is kept or shown.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rossby_schemas::ids::BoxId;
use tempfile::NamedTempFile;

use super::error::ArchiveError;
use super::lines::{Archive, Records};
use super::record::{ArchiveRecord, ArchivedAccount, ArchivedMessage};
use crate::Client;
use crate::attachments::{Progress, Step, Tell};
use crate::content::{Content, Kind, MessageRef, Reply};
use crate::error::ClientError;
use crate::messages::{Archived, Emoji, Message, Recipient, Referred};
use crate::store::{about, history};

/// What an archive has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Whose it is.
    pub account: ArchivedAccount,
    /// How many contacts.
    pub contacts: u64,
    /// How many groups.
    pub groups: u64,
    /// How many messages.
    pub messages: u64,
    /// How many attachments, whole.
    pub attachments: u64,
    /// How many messages of the server's queue, as it held them.
    pub queued: u64,
}

/// What came of reading an archive into a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What the archive has.
    pub archive: ArchiveSummary,
    /// How many messages are here now that were not.
    pub added: u64,
    /// How many were here already.
    pub known: u64,
}

/// Tells how much of an archive was read.
fn progress(step: Step, records: &Records, archive: &Archive, tell: Option<&Tell>) {
    if let Some(tell) = tell {
        let total = archive.octets();
        tell(Progress { step, done: records.octets.min(total), total });
    }
}

impl Archive {
    /// Reads all of it, and checks that it is whole and as it was written. Nothing of an archive is worth anything before that.
    ///
    /// # Errors
    /// [`ArchiveError`], and what can't be read.
    pub fn check(&self, tell: Option<&Tell>) -> Result<ArchiveSummary, ClientError> {
        let mut records = self.records()?;
        let Some(ArchiveRecord::Account(account)) = records.next()? else {
            return Err(ArchiveError::NotAnArchive.into());
        };
        let mut summary = ArchiveSummary { account, contacts: 0, groups: 0, messages: 0, attachments: 0, queued: 0 };
        while let Some(record) = records.next()? {
            match record {
                ArchiveRecord::Contact(_) => summary.contacts += 1,
                ArchiveRecord::Group(_) => summary.groups += 1,
                ArchiveRecord::Queued(_) => summary.queued += 1,
                ArchiveRecord::Message(message) => {
                    summary.messages += 1;
                    let is_included = message.attachment.is_some_and(|attachment| attachment.included);
                    summary.attachments += u64::from(is_included);
                }
                _ => {}
            }
            progress(Step::Checking, &records, self, tell);
        }
        Ok(summary)
    }

    /// Gives each record to `take`, after all of them were checked.
    ///
    /// # Errors
    /// [`ArchiveError`], what can't be read, and what `take` says.
    pub fn read<E: From<ClientError>>(
        &self,
        mut take: impl FnMut(ArchiveRecord) -> Result<(), E>,
    ) -> Result<ArchiveSummary, E> {
        let summary = self.check(None)?;
        let mut records = self.records()?;
        while let Some(record) = records.next()? {
            take(record)?;
        }
        Ok(summary)
    }

    /// Saves the attachments that the archive has into a folder, each under a name that is safe and that nothing there has. Gives where
    /// they are.
    ///
    /// # Errors
    /// [`ArchiveError`], and what the file system says.
    pub fn save_attachments(&self, folder: &Path) -> Result<Vec<PathBuf>, ClientError> {
        let mut saved = Vec::new();
        let mut open: Option<(String, NamedTempFile)> = None;
        let failed = |source| ClientError::File { path: folder.to_owned(), source };
        self.read::<ClientError>(|record| {
            if let (ArchiveRecord::AttachmentPart(part), Some((_, file))) = (&record, &mut open) {
                return file.write_all(part.data.as_slice()).map_err(failed);
            }
            if let Some((name, file)) = open.take() {
                saved.push(persist(folder, &name, file)?);
            }
            if let ArchiveRecord::Message(message) = record
                && let Some(attachment) = message.attachment.filter(|attachment| attachment.included)
            {
                open = Some((attachment.name, NamedTempFile::new_in(folder).map_err(failed)?));
            }
            Ok(())
        })?;
        if let Some((name, file)) = open {
            saved.push(persist(folder, &name, file)?);
        }
        Ok(saved)
    }
}

/// Gives a file its name: with a number, where that name is taken.
fn persist(folder: &Path, name: &str, mut file: NamedTempFile) -> Result<PathBuf, ClientError> {
    let name = crate::attachments::safe_name(name);
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
        _ => (name.as_str(), String::new()),
    };
    for number in 1_u32.. {
        let path = match number {
            1 => folder.join(&name),
            number => folder.join(format!("{stem} ({number}){ending}")),
        };
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(ClientError::File { path, source: error.error }),
        }
    }
    Err(ClientError::TargetExists(folder.join(name)))
}

impl Client {
    /// Reads an archive into this home: its messages are shown from then on, and marked as an archive's. Nothing can be said of them,
    /// and nobody is told anything. What is here already is left as it is. What the archive says of contacts and of who was verified
    /// is not taken over: that is for the person to do again.
    ///
    /// # Errors
    /// [`ArchiveError::OtherAccount`] unless that is allowed, [`ArchiveError`], what can't be read, and the store's. Nothing is
    /// changed then.
    pub async fn import(
        &self,
        archive: &Archive,
        of_another_account: bool,
        tell: Option<Tell>,
    ) -> Result<Imported, ClientError> {
        let own = self.device().await?.box_id;
        let summary = archive.check(tell.as_ref())?;
        if summary.account.box_id != own && !of_another_account {
            return Err(ArchiveError::OtherAccount(summary.account.box_id).into());
        }
        let (mut added, mut known) = (0, 0);
        let mut records = archive.records()?;
        let mut transaction = self.store.begin().await?;
        while let Some(record) = records.next()? {
            let ArchiveRecord::Message(message) = record else { continue };
            let Some(conversation) = message.conversation() else { continue };
            // What an archive brought to the account before is of no use here without the octets.
            let is_new = history::keep(&mut transaction, &self.vault, conversation, &message).await?;
            let itself = MessageRef { box_id: message.author, message_id: message.message_id };
            about::erase_if_deleted(&mut transaction, &self.vault, conversation, itself).await?;
            if is_new {
                added += 1
            } else {
                known += 1
            }
            progress(Step::Importing, &records, archive, tell.as_ref());
        }
        transaction.commit().await?;
        Ok(Imported { archive: summary, added, known })
    }
}

impl ArchivedMessage {
    /// The message, as it is shown in the account with this box. Who wrote it is what the archive says.
    #[must_use]
    pub fn message(&self, id: i64, own: BoxId) -> Option<Message> {
        let conversation = self.conversation()?;
        let content = match (&self.text, &self.refers_to, &self.location, Kind::of(self.kind)) {
            (Some(text), _, _, Kind::Text) => Some(Content::Text(text.clone())),
            (Some(text), Some(to), _, Kind::Reply) => {
                let to = MessageRef { box_id: to.box_id, message_id: to.message_id };
                Some(Content::Reply(Reply { to, text: text.clone() }))
            }
            (_, _, Some(location), Kind::Location) => Some(Content::Location(location.clone())),
            _ => None,
        };
        let claimed_name = self.claimed_name.clone().or_else(|| self.author_identifier.clone());
        Some(Message {
            id,
            message_id: self.message_id,
            conversation,
            author: self.author,
            author_identifier: None,
            claimed_name: claimed_name.filter(|_| !self.outgoing),
            peer_identifier: None,
            is_outgoing: self.outgoing,
            group_name: self.group_name.clone(),
            is_request: false,
            is_late: self.late,
            group_events: self.changes.iter().filter_map(|change| change.event(own)).collect(),
            time: self.time,
            accepted_at: self.accepted_at,
            kind: Kind::of(self.kind),
            content,
            text: self.text.clone(),
            edited_at: self.edited_at,
            is_deleted: self.deleted,
            refers_to: self.refers_to.as_ref().map(|to| Referred {
                message: MessageRef { box_id: to.box_id, message_id: to.message_id },
                kind: to.text.as_ref().map(|_| Kind::Text),
                text: to.text.clone(),
                is_deleted: false,
                is_outgoing: to.box_id == own,
            }),
            reactions: self
                .reactions
                .iter()
                .map(|reaction| Emoji { emoji: reaction.emoji.clone(), authors: reaction.authors.clone() })
                .collect(),
            state: self.state.into(),
            recipients: self
                .recipients
                .iter()
                .map(|recipient| Recipient {
                    box_id: recipient.box_id,
                    state: recipient.state.into(),
                    accepted_at: recipient.accepted_at,
                    reason: recipient.reason.clone(),
                    delivered_at: recipient.delivered_at,
                    read_at: recipient.read_at,
                })
                .collect(),
            archived: Some(Archived { attachment: self.attachment.clone() }),
        })
    }
}
