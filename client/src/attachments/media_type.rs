//! What kind of file it is, by how it begins, and else by how its name ends.

use crate::content::Role;

/// What no rule knows.
const UNKNOWN: &str = "application/octet-stream";
const ZIP: &str = "application/zip";
/// How many octets of a file are looked at.
pub(super) const BEGINNING_OCTETS: usize = 16;

const BEGINNINGS: [(&[u8], &str); 9] = [
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1f\x8b", "application/gzip"),
    (b"PK\x03\x04", ZIP),
];

const ENDINGS: [(&str, &str); 17] = [
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("json", "application/json"),
    ("heic", "image/heic"),
    ("avif", "image/avif"),
    ("svg", "image/svg+xml"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("opus", "audio/ogg"),
    ("wav", "audio/wav"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("odt", "application/vnd.oasis.opendocument.text"),
];

/// The media type of a file.
pub(super) fn of(beginning: &[u8], name: &str) -> &'static str {
    if beginning.starts_with(b"RIFF") {
        match beginning.get(8..12) {
            Some(b"WEBP") => return "image/webp",
            Some(b"WAVE") => return "audio/wav",
            _ => {}
        }
    }
    let by_beginning =
        BEGINNINGS.iter().find(|(known, _)| beginning.starts_with(known)).map(|(_, media_type)| *media_type);
    let by_name = || {
        let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
        ENDINGS.iter().find(|(known, _)| *known == ending).map(|(_, media_type)| *media_type)
    };
    match by_beginning {
        // Many formats begin as it does, which their names tell apart.
        Some(ZIP) => by_name().unwrap_or(ZIP),
        Some(media_type) => media_type,
        None => by_name().unwrap_or(UNKNOWN),
    }
}

/// What a file of this media type is for, if nobody says.
pub(super) fn role(media_type: &str) -> Role {
    if matches!(media_type, "image/jpeg" | "image/png" | "image/webp" | "image/gif") {
        Role::Picture
    } else {
        Role::File
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_it_begins_with() {
        for (beginning, name, media_type) in [
            (&b"\xff\xd8\xff\xe0"[..], "a.txt", "image/jpeg"),
            (b"\x89PNG\r\n\x1a\n", "a", "image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "a.jpg", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "a", "audio/wav"),
            (b"PK\x03\x04", "a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            (b"PK\x03\x04", "a", "application/zip"),
            (b"hello", "a.TXT", "text/plain"),
            (b"hello", "a.tar.zst", "application/octet-stream"),
            (b"", "", "application/octet-stream"),
        ] {
            assert_eq!(of(beginning, name), media_type, "{name}");
        }
        assert_eq!(
            (role("image/png"), role("image/svg+xml"), role("audio/ogg")),
            (Role::Picture, Role::File, Role::File)
        );
    }
}
