//! Archives: written, read back, and shown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rossby_client::{
    Archive, ArchiveError, ArchiveRecord, ArchiveSummary, ArchivedAnswer, ArchivedContact, ClientError, Conversation,
    ExportOptions,
};
use rossby_schemas::ids::BoxId;
use secrecy::SecretString;
use serde_json::json;

use super::attachments::Bar;
use super::options::{PersonOptions, ask_twice, first_line};
use super::screen::{Screen, address, bold, claimed, counted, minute, printable};
use super::{lines, transcripts};

const PASSPHRASE_VARIABLE: &str = "ROSSBY_ARCHIVE_PASSPHRASE";

/// Where an archive's passphrase comes from.
#[derive(Debug, Args)]
struct PassphraseOptions {
    /// A file whose first line is the archive's passphrase; the variable ROSSBY_ARCHIVE_PASSPHRASE can hold it too. It is asked for
    /// otherwise
    #[arg(long, value_name = "FILE")]
    archive_passphrase_file: Option<PathBuf>,
}

impl PassphraseOptions {
    /// The passphrase, if it was given; none where nobody can be asked.
    fn get(
        &self,
        options: &PersonOptions,
        screen: &Screen,
        ask: impl FnOnce() -> anyhow::Result<SecretString>,
    ) -> anyhow::Result<Option<SecretString>> {
        if let Some(file) = &self.archive_passphrase_file {
            return first_line(file, screen).map(Some);
        }
        match std::env::var(PASSPHRASE_VARIABLE) {
            Ok(passphrase) if !passphrase.is_empty() => Ok(Some(passphrase.into())),
            _ if Screen::is_terminal() => options.asked(ask).map(Some),
            _ => Ok(None),
        }
    }

    /// Opens an archive.
    async fn open(&self, file: &Path, options: &PersonOptions, screen: &Screen) -> anyhow::Result<Archive> {
        let passphrase = if Archive::is_encrypted(file)? {
            self.get(options, screen, || {
                let asked = rpassword::prompt_password("The archive's passphrase: ");
                Ok(asked.context("the passphrase can't be asked for")?.into())
            })?
        } else {
            None
        };
        Ok(Archive::open(file, passphrase.as_ref()).await?)
    }
}

/// Export.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file, which must not be there yet
    file: PathBuf,
    /// Don't encrypt it: whoever has the file can read it
    #[arg(long, conflicts_with = "archive_passphrase_file")]
    plain: bool,
    /// Fetch the files, pictures and voice messages into it that the server still has
    #[arg(long, conflicts_with = "offline")]
    attachments: bool,
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Export {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let passphrase = if self.plain {
            None
        } else {
            let asked = self.passphrase.get(&self.options, screen, || ask_twice("A passphrase for the archive: "))?;
            Some(asked.ok_or(ClientError::Archive(ArchiveError::NeedsPassphrase))?)
        };
        transcripts::refresh(&client, self.offline, screen).await?;
        let options =
            ExportOptions { path: self.file.clone(), passphrase, attachments: self.attachments, offline: self.offline };
        let bar = Bar::new(screen);
        let exported = client.export(&options, bar.tell()).await;
        bar.done();
        let exported = exported?;
        let file = self.file.display().to_string();
        let mut text = format!(
            "{} has {} of {}, {}, {}.\n",
            bold(&printable(&file)),
            counted(exported.messages, "message"),
            counted(exported.conversations, "conversation"),
            counted(exported.contacts, "contact"),
            counted(exported.groups, "group")
        );
        if exported.attachments + exported.attachments_left_out > 0 {
            let (whole, left_out) = (exported.attachments, exported.attachments_left_out);
            let (are, told) = (if whole == 1 { "is" } else { "are" }, if left_out == 1 { "is" } else { "are" });
            text += &format!("{} {are} in it, and {left_out} {told} only told of.\n", counted(whole, "attachment"));
        }
        if !self.offline {
            let queued = counted(exported.queued, "message");
            text += &format!("What the server holds of your account is in it, with {queued} of its queue.\n");
        }
        text += if self.plain {
            "It is not encrypted: keep it where nobody else reads.\n"
        } else {
            "Without its passphrase nobody can read it, you neither.\n"
        };
        let document = json!({
            "file": file,
            "encrypted": !self.plain,
            "contacts": exported.contacts,
            "groups": exported.groups,
            "conversations": exported.conversations,
            "messages": exported.messages,
            "attachments": exported.attachments,
            "attachments_left_out": exported.attachments_left_out,
            "queued": exported.queued,
        });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Import.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The archive
    file: PathBuf,
    /// Take it though it is of another account: yours from before, of which you lost the devices. Whoever made it says who wrote
    /// what in it
    #[arg(long)]
    of_another_account: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Import {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let archive = self.passphrase.open(&self.file, &self.options, screen).await?;
        let bar = Bar::new(screen);
        let imported = client.import(&archive, self.of_another_account, bar.tell()).await;
        bar.done();
        let imported = imported?;
        let text = format!(
            "{}{} {} here now, as history; {} {} here already.\nRead them with: {}\n",
            heading(&imported.archive),
            counted(imported.added, "message"),
            if imported.added == 1 { "is" } else { "are" },
            imported.known,
            if imported.known == 1 { "was" } else { "were" },
            self.options.command("messages WHO")
        );
        let mut document = summary(&imported.archive);
        document["added"] = json!(imported.added);
        document["known"] = json!(imported.known);
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Show archive.
#[derive(Debug, Args)]
pub(crate) struct ShowArchive {
    /// The archive
    file: PathBuf,
    /// Show no more than whose it is and how much is in it
    #[arg(long)]
    summary: bool,
    /// Save the files, pictures and voice messages that are in it into this folder
    #[arg(long, value_name = "DIR")]
    save_attachments: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl ShowArchive {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let archive = self.passphrase.open(&self.file, &self.options, screen).await?;
        if let Some(folder) = &self.save_attachments {
            let saved: Vec<String> =
                archive.save_attachments(folder)?.iter().map(|path| path.display().to_string()).collect();
            let text: String = saved.iter().map(|path| format!("Saved as {}.\n", printable(path))).collect();
            let text = if saved.is_empty() { "No attachments are in it.\n".to_owned() } else { text };
            screen.result(text, &json!({ "saved": saved }))?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.summary {
            let found = archive.check(None)?;
            screen.result(heading(&found), &summary(&found))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut shown = Shown::default();
        let is_json = screen.is_json();
        archive.read::<anyhow::Error>(|record| {
            // An attachment's octets are for its file.
            if is_json && matches!(record, ArchiveRecord::AttachmentPart(_) | ArchiveRecord::Unknown) {
                return Ok(());
            }
            Ok(screen.result(shown.text(&record), &json!(record))?)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is shown of an archive, record by record.
#[derive(Debug, Default)]
struct Shown {
    own: Option<BoxId>,
    conversation: Option<Conversation>,
}

impl Shown {
    fn text(&mut self, record: &ArchiveRecord) -> String {
        match record {
            ArchiveRecord::Account(account) => {
                self.own = Some(account.box_id);
                let names: Vec<&str> = account.identifiers.iter().map(|identifier| address(identifier)).collect();
                let name = printable(&names.join(", "));
                format!("Archive of {}, box {}, of {}\n", bold(&name), account.box_id, minute(account.exported_at))
            }
            ArchiveRecord::Contact(contact) => contact_line(contact),
            ArchiveRecord::Group(group) => {
                format!("Group {}: {}\n", bold(&printable(&group.name)), counted(group.members.len(), "member"))
            }
            ArchiveRecord::Message(message) => {
                let Some(shown) = self.own.and_then(|own| message.message(0, own)) else { return String::new() };
                let mut text = String::new();
                if self.conversation != Some(shown.conversation) {
                    self.conversation = Some(shown.conversation);
                    let name = lines::name(shown.conversation, None, shown.group_name.as_deref());
                    text += &format!("\nConversation with {}\n", bold(&name));
                }
                text + &lines::transcript(std::slice::from_ref(&shown))
            }
            ArchiveRecord::Server(answer) => server_line(answer),
            ArchiveRecord::Queued(_)
            | ArchiveRecord::Settings(_)
            | ArchiveRecord::Profile(_)
            | ArchiveRecord::Device(_)
            | ArchiveRecord::AttachmentPart(_)
            | ArchiveRecord::End(_)
            | ArchiveRecord::Unknown => String::new(),
        }
    }
}

fn contact_line(contact: &ArchivedContact) -> String {
    let names: Vec<&str> = contact.identifiers.iter().map(|identifier| address(identifier)).collect();
    let name = if names.is_empty() { format!("box {}", contact.box_id) } else { printable(&names.join(", ")) };
    let name_claimed = contact.profile.as_ref().and_then(|profile| profile.name.as_deref());
    let claimed = name_claimed.map(|name| format!(" ({})", claimed(name))).unwrap_or_default();
    let mark = if contact.verified.is_some() { ", verified" } else { "" };
    format!("Contact {}{claimed}: {}{mark}, box {}\n", bold(&name), contact.standing.name(), contact.box_id)
}

/// What the server held, as far as it is there: whoever made the archive wrote it.
fn server_line(answer: &ArchivedAnswer) -> String {
    let list = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    let account = &answer.account;
    let mut parts = vec![
        counted(list(account["key_record"].get("statements")), "statement"),
        counted(list(account.get("devices")), "device"),
        counted(list(account.get("identifiers")), "identifier"),
        counted(list(account.get("claims")), "claim"),
        counted(list(account["profile"].get("contacts")), "contact"),
        counted(list(account["profile"].get("blocks")), "block"),
    ];
    if let Some(registrations) = &answer.registrations {
        parts.push(counted(list(Some(registrations)), "registration"));
    }
    if let Some(uploads) = &answer.uploads {
        let octets = uploads.as_array().into_iter().flatten().filter_map(|day| day["octets"].as_u64());
        parts.push(format!("{} uploaded", counted(octets.fold(0, u64::saturating_add), "octet")));
    }
    format!("The server held: {}\n", parts.join(", "))
}

fn heading(archive: &ArchiveSummary) -> String {
    let names: Vec<&str> = archive.account.identifiers.iter().map(|identifier| address(identifier)).collect();
    format!(
        "Archive of {}, of {}: {}, {}, {}, {}; {} of the server's queue.\n",
        bold(&printable(&names.join(", "))),
        minute(archive.account.exported_at),
        counted(archive.messages, "message"),
        counted(archive.contacts, "contact"),
        counted(archive.groups, "group"),
        counted(archive.attachments, "attachment"),
        counted(archive.queued, "message"),
    )
}

fn summary(archive: &ArchiveSummary) -> serde_json::Value {
    json!({
        "account": archive.account,
        "contacts": archive.contacts,
        "groups": archive.groups,
        "messages": archive.messages,
        "attachments": archive.attachments,
        "queued": archive.queued,
    })
}
