//! Files: sent, downloaded, and those that are on their way.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use rossby_client::{
    Addressee, ArchivedAttachment, Attachment, Client, FileSent, FileToSend, MessageName, PendingUpload, Progress,
    Role, Step, Target, Tell,
};
use serde_json::json;

use super::options::PersonOptions;
use super::screen::{Screen, bold, faint, minute, printable};
use super::{TRY_AGAIN, changes, documents, lines};

/// What a file is for, as a person types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum As {
    /// To be kept
    File,
    /// To be looked at; it goes with a small preview
    Picture,
    /// To be listened to
    Voice,
}

impl From<As> for Role {
    fn from(role: As) -> Self {
        match role {
            As::File => Self::File,
            As::Picture => Self::Picture,
            As::Voice => Self::Voice,
        }
    }
}

/// What `rossby send` takes for a file.
#[derive(Debug, Args)]
pub(super) struct FileOptions {
    /// Send a file instead of a text
    #[arg(long, value_name = "PATH", conflicts_with_all = ["text", "reply_to", "location"])]
    file: Option<PathBuf>,
    /// Say this of the file
    #[arg(long, value_name = "TEXT", requires = "file", allow_hyphen_values = true)]
    caption: Option<String>,
    /// What the file is for; a JPEG, PNG, WebP or GIF is a picture if it isn't said
    #[arg(long = "as", value_enum, value_name = "WHAT", requires = "file")]
    role: Option<As>,
    /// How long a voice message takes, in seconds
    #[arg(long, value_name = "SECONDS", requires = "file")]
    duration: Option<u64>,
    /// Write a JPEG, PNG or WebP anew, without where, when and with what it was taken. Without this the file goes as it is; its preview
    /// never says any of that
    #[arg(long, requires = "file")]
    strip_metadata: bool,
}

impl FileOptions {
    /// The file, if one is to be sent.
    fn file(&self) -> anyhow::Result<Option<FileToSend>> {
        let Some(path) = &self.file else { return Ok(None) };
        if self.duration.is_some() && self.role != Some(As::Voice) {
            bail!("--duration is for --as voice");
        }
        Ok(Some(FileToSend {
            path: path.clone(),
            role: self.role.map(Role::from),
            caption: self.caption.clone(),
            duration: self.duration.map(Duration::from_secs),
            strip_metadata: self.strip_metadata,
        }))
    }

    /// Sends the file, if there is one. Gives none if there is none.
    pub(super) async fn send(
        &self,
        client: &Client,
        screen: &Screen,
        to: &Addressee,
    ) -> anyhow::Result<Option<ExitCode>> {
        let Some(file) = self.file()? else { return Ok(None) };
        let bar = Bar::new(screen);
        let sent = client.send_file_to(to, file, bar.tell()).await;
        bar.done();
        Ok(Some(match sent? {
            FileSent::Said(sent) => changes::say(client, screen, &sent, "Sent.").await?,
            FileSent::Waiting { upload, reason } => {
                let text = format!(
                    "Kept, encrypted; it goes on with `rossby uploads --go-on`, or the next `rossby inbox`. {reason}\n"
                );
                let document =
                    json!({ "upload": document(&upload), "state": "uploading", "reason": reason.to_string() });
                screen.result_and_warnings(client, text, document).await?;
                ExitCode::from(TRY_AGAIN)
            }
        }))
    }

    /// Whether a file is to be sent.
    pub(super) const fn is_some(&self) -> bool {
        self.file.is_some()
    }
}

/// Download.
#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The message: its id, or the beginning of it
    #[arg(value_name = "MESSAGE", value_parser = changes::message)]
    message: MessageName,
    /// Where to: a folder, or the file's own path. Here, under the name that its sender gave it, if it isn't said
    #[arg(long, value_name = "PATH", default_value = ".")]
    to: PathBuf,
    /// Take the place of a file that is there
    #[arg(long)]
    overwrite: bool,
    /// Save a picture's small preview instead, which came with the message
    #[arg(long)]
    preview: bool,
    /// Which conversation the message is in, if several have one of that id: with whom, or which group
    #[arg(long = "in", value_name = "WHO")]
    conversation: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Download {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let message = changes::find(&client, &self.message, self.conversation.as_deref()).await?;
        let target = Target { path: self.to.clone(), overwrites: self.overwrite };
        let path = if self.preview {
            client.save_preview(&message, &target).await?
        } else {
            let bar = Bar::new(screen);
            let downloaded = client.download(&message, &target, bar.tell()).await;
            bar.done();
            downloaded?
        };
        let shown = path.display().to_string();
        let document = json!({ "message_id": message.message_id, "path": shown });
        screen.result_and_warnings(&client, format!("Saved as {}.\n", printable(&shown)), document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Uploads.
#[derive(Debug, Args)]
pub(crate) struct Uploads {
    /// Go on with all of them
    #[arg(long, conflicts_with = "cancel")]
    go_on: bool,
    /// Give one up, by its number
    #[arg(long, value_name = "NUMBER")]
    cancel: Option<i64>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Uploads {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let mut text = String::new();
        let mut finished = Vec::new();
        if let Some(number) = self.cancel {
            let upload = client.cancel_upload(number).await?;
            text += &format!("Given up: {}\n", line(&upload));
        }
        if self.go_on {
            let bar = Bar::new(screen);
            let outcomes = client.upload_pending(bar.tell()).await;
            bar.done();
            for (upload, outcome) in outcomes? {
                match outcome {
                    Ok(sent) => {
                        text += &format!("Sent: {}\n", line(&upload));
                        finished.push(documents::sent(&sent));
                    }
                    Err(error) => text += &format!("Not sent: {}: {}\n", line(&upload), printable(&error.to_string())),
                }
            }
        }
        let left = client.pending_uploads().await?;
        for upload in &left {
            text += &format!("{} {}\n", faint(&minute(upload.begun_at)), line(upload));
        }
        if text.is_empty() {
            text += "No uploads wait.\n";
        }
        let document = json!({ "sent": finished, "uploads": left.iter().map(document).collect::<Vec<_>>() });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(if self.go_on && !left.is_empty() { ExitCode::from(TRY_AGAIN) } else { ExitCode::SUCCESS })
    }
}

/// Goes on with what waits to be uploaded, after something else was done: what fails is said, and stays.
pub(super) async fn go_on(client: &Client, screen: &Screen) -> anyhow::Result<()> {
    if client.pending_uploads().await?.is_empty() {
        return Ok(());
    }
    let bar = Bar::new(screen);
    let outcomes = client.upload_pending(bar.tell()).await;
    bar.done();
    for (upload, outcome) in outcomes? {
        match outcome {
            Ok(_) => screen.note(&format!("Sent what waited: {}", line(&upload))),
            Err(error) => screen.note(&format!("Not sent yet: {}: {error}", line(&upload))),
        }
    }
    Ok(())
}

fn line(upload: &PendingUpload) -> String {
    let to = lines::name(upload.conversation, None, None);
    format!("{} {} {}, {}, to {to}", upload.id, upload.role, bold(&printable(&upload.name)), size(upload.size))
}

fn document(upload: &PendingUpload) -> serde_json::Value {
    json!({
        "number": upload.id,
        "peer": upload.conversation.peer(),
        "role": upload.role,
        "name": upload.name,
        "size": upload.size,
        "begun_at": upload.begun_at,
    })
}

/// An attachment as one line: what it is, its name, its size, its type.
pub(super) fn summary(attachment: &Attachment) -> String {
    let Attachment { role, name, media_type, size, duration_ms, .. } = attachment;
    summed_up(*role, name, *size, media_type, *duration_ms)
}

/// One of an archive's as one line.
pub(super) fn archived_summary(attachment: &ArchivedAttachment) -> String {
    let ArchivedAttachment { role, name, media_type, size, duration_ms, .. } = attachment;
    summed_up(*role, name, *size, media_type, *duration_ms)
}

fn summed_up(role: Role, name: &str, octets: u64, media_type: &str, duration_ms: Option<u64>) -> String {
    let (name, media_type) = (printable(name).replace('\n', "\u{fffd}"), printable(media_type));
    let mut text = format!("[{role}] {name}, {}, {media_type}", size(octets));
    if let Some(milliseconds) = duration_ms {
        let seconds = milliseconds.div_ceil(1000);
        text += &format!(", {}:{:02}", seconds / 60, seconds % 60);
    }
    text
}

/// A number of octets as people read it.
pub(super) fn size(octets: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if octets < 1000 {
        return format!("{octets} B");
    }
    let mut unit = 0;
    let mut tenths = octets / 100;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// How far a step is: counted in octets, or in messages.
fn style(step: Step) -> ProgressStyle {
    let template = match step {
        Step::Exporting => "{msg:12} [{bar:30}] {pos}/{len} messages {eta}",
        _ => "{msg:12} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {eta}",
    };
    ProgressStyle::with_template(template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

/// A bar that shows how far something is, where people look at a terminal.
pub(super) struct Bar(Option<Arc<Mutex<Shown>>>);

struct Shown {
    bar: ProgressBar,
    step: Option<Step>,
}

impl Bar {
    pub(super) fn new(screen: &Screen) -> Self {
        if screen.is_json() || !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::no_length();
        Self(Some(Arc::new(Mutex::new(Shown { bar, step: None }))))
    }

    pub(super) fn tell(&self) -> Option<Tell> {
        let shown = Arc::clone(self.0.as_ref()?);
        Some(Arc::new(move |progress: Progress| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.step != Some(progress.step) {
                shown.step = Some(progress.step);
                shown.bar.reset();
                shown.bar.set_message(match progress.step {
                    Step::Encrypting => "encrypting",
                    Step::Uploading => "uploading",
                    Step::Downloading => "downloading",
                    Step::Decrypting => "decrypting",
                    Step::Exporting => "exporting",
                    Step::Checking => "checking",
                    Step::Importing => "importing",
                });
                shown.bar.set_style(style(progress.step));
            }
            shown.bar.set_length(progress.total);
            shown.bar.set_position(progress.done);
        }))
    }

    pub(super) fn done(&self) {
        if let Some(shown) = &self.0 {
            shown.lock().unwrap_or_else(PoisonError::into_inner).bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        for (octets, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_999, "999.9 kB"),
            (2_345_678, "2.3 MB"),
            (100_000_000, "100.0 MB"),
            (5_000_000_000_000, "5.0 TB"),
        ] {
            assert_eq!(size(octets), text);
        }
    }
}
