//! What a record of an archive may say. Whoever made it may be a stranger.

use rossby_crypto::attachment::MAX_FILE_OCTETS;

use super::record::{ArchiveRecord, ArchivedMessage, picture_octets};
use crate::content::{Body as _, MAX_NAME_OCTETS, MAX_TEXT_OCTETS};
use crate::profile::{MAX_PICTURE_OCTETS, MAX_PROFILE_NAME, Profile};

/// How many octets a name, an identifier or a reason has at most.
const MAX_SHORT_OCTETS: usize = 1024;
/// How many entries a list has at most.
const MAX_ENTRIES: usize = 10_000;
const MAX_EMOJI_OCTETS: usize = 64;

fn short(field: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.len() <= limit { Ok(()) } else { Err(format!("{field} has more than {limit} octets")) }
}

fn entries(field: &str, count: usize) -> Result<(), String> {
    if count <= MAX_ENTRIES { Ok(()) } else { Err(format!("{field} has more than {MAX_ENTRIES} entries")) }
}

/// Refuses what no archive says.
pub(super) fn check(record: &ArchiveRecord, is_first: bool) -> Result<(), String> {
    match record {
        ArchiveRecord::Account(account) if is_first && account.has_known_format() => {
            entries("identifiers", account.identifiers.len())?;
            account.identifiers.iter().try_for_each(|text| short("an identifier", text, MAX_SHORT_OCTETS))
        }
        ArchiveRecord::Account(_) => Err("an account is the first record, and no other is".to_owned()),
        _ if is_first => Err("the first record is no account".to_owned()),
        ArchiveRecord::Profile(profile) => check_profile(profile),
        ArchiveRecord::Device(device) => short("name", device.name.as_deref().unwrap_or_default(), MAX_SHORT_OCTETS),
        ArchiveRecord::Contact(contact) => {
            entries("identifiers", contact.identifiers.len())?;
            contact.identifiers.iter().try_for_each(|text| short("an identifier", text, MAX_SHORT_OCTETS))?;
            contact.profile.as_ref().map_or(Ok(()), check_profile)
        }
        ArchiveRecord::Group(group) => {
            short("name", &group.name, MAX_SHORT_OCTETS)?;
            entries("members", group.members.len())
        }
        ArchiveRecord::Message(message) => check_message(message),
        ArchiveRecord::AttachmentPart(part) if part.data.as_slice().is_empty() => Err("the part is empty".to_owned()),
        ArchiveRecord::AttachmentPart(_)
        | ArchiveRecord::Server(_)
        | ArchiveRecord::Queued(_)
        | ArchiveRecord::Settings(_)
        | ArchiveRecord::End(_)
        | ArchiveRecord::Unknown => Ok(()),
    }
}

fn check_profile(profile: &Profile) -> Result<(), String> {
    short("name", profile.name.as_deref().unwrap_or_default(), MAX_PROFILE_NAME)?;
    if picture_octets(profile) > MAX_PICTURE_OCTETS {
        return Err(format!("the picture has more than {MAX_PICTURE_OCTETS} octets"));
    }
    Ok(())
}

fn check_message(message: &ArchivedMessage) -> Result<(), String> {
    if message.conversation().is_none() {
        return Err("it belongs to one conversation: peer or group".to_owned());
    }
    let text = message.text.as_deref().unwrap_or_default();
    short("text", text, MAX_TEXT_OCTETS)?;
    for (field, text) in [
        ("group_name", &message.group_name),
        ("author_identifier", &message.author_identifier),
        ("claimed_name", &message.claimed_name),
    ] {
        short(field, text.as_deref().unwrap_or_default(), MAX_SHORT_OCTETS)?;
    }
    if message.deleted && !(message.text.is_none() && message.location.is_none() && message.attachment.is_none()) {
        return Err("it was taken back, and says something".to_owned());
    }
    if let Some(location) = &message.location {
        location.check().map_err(|error| error.to_string())?;
    }
    if let Some(attachment) = &message.attachment {
        short("attachment's name", &attachment.name, MAX_NAME_OCTETS)?;
        short("attachment's media_type", &attachment.media_type, MAX_SHORT_OCTETS)?;
        if attachment.size > MAX_FILE_OCTETS {
            return Err(format!("an attachment has at most {MAX_FILE_OCTETS} octets"));
        }
    }
    if let Some(reference) = &message.refers_to {
        short("refers_to", reference.text.as_deref().unwrap_or_default(), MAX_TEXT_OCTETS)?;
    }
    entries("reactions", message.reactions.len())?;
    for reaction in &message.reactions {
        short("an emoji", &reaction.emoji, MAX_EMOJI_OCTETS)?;
    }
    entries("recipients", message.recipients.len())?;
    entries("changes", message.changes.len())
}
