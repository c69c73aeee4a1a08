//! The server's secrets: a file that all processes of all regions share, or one made at the first embedded start.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::whole_file::WholeFile;

/// Why the secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    /// The file cannot be read or made.
    #[error("the secrets file {path} cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not there.
    #[error("the secrets file {0} is not there; bring it back, or for a new server run: rossby secrets new {0}")]
    Missing(PathBuf),
    /// Others could read it.
    #[error("the secrets file {0} can be read by others; run: chmod 600 {0}")]
    ReadableByOthers(PathBuf),
    /// It is not what it should be. Says no more, since a parser's message would show the secret.
    #[error(
        "the secrets file {0} is not as it should be: each [[master]] has a number, from 1, that no other has, and a key \
         of 32 octets in base64url"
    )]
    Malformed(PathBuf),
}

/// A master secret with its number.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct NumberedSecret {
    /// The number, which tokens and identifier hashes carry.
    pub(crate) number: u32,
    /// The secret.
    pub(crate) key: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretsFile {
    master: Vec<MasterEntry>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct MasterEntry {
    number: u32,
    key: String,
}

/// Reads the secrets in their numbers' order; the last is the current one.
pub(crate) fn load(path: &Path) -> Result<Vec<NumberedSecret>, SecretsError> {
    let file_error = |source| SecretsError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => SecretsError::Missing(path.to_owned()),
        _ => file_error(error),
    })?;
    let mode = file.metadata().map_err(file_error)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(SecretsError::ReadableByOthers(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(file_error)?;
    parse(&text).ok_or_else(|| SecretsError::Malformed(path.to_owned()))
}

/// Makes a file with a new secret. One that is there is left as it is, and read.
pub(crate) fn make(path: &Path) -> Result<Vec<NumberedSecret>, SecretsError> {
    match write_new(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(SecretsError::File { path: path.to_owned(), source: error })
        }
        _ => load(path),
    }
}

fn parse(text: &str) -> Option<Vec<NumberedSecret>> {
    let file: SecretsFile = toml::from_str(text).ok()?;
    let mut secrets = Vec::new();
    for entry in &file.master {
        let key = Zeroizing::new(URL_SAFE_NO_PAD.decode(&entry.key).ok()?);
        secrets.push(NumberedSecret { number: entry.number, key: key.as_slice().try_into().ok()? });
    }
    secrets.sort_by_key(|secret| secret.number);
    let distinct = secrets.windows(2).all(|pair| pair[0].number != pair[1].number);
    (!secrets.is_empty() && distinct && secrets[0].number > 0).then_some(secrets)
}

fn write_new(path: &Path) -> io::Result<()> {
    let mut key = Zeroizing::new([0_u8; 32]);
    getrandom::fill(key.as_mut_slice()).map_err(io::Error::other)?;
    let text = Zeroizing::new(format!(
        "# Rossby's master secret. Whoever holds it can forge tokens and test identifiers: keep it like a private key.\n\
         # Without it, all tokens and identifier hashes are lost: back it up apart from the database.\n\
         [[master]]\nnumber = 1\nkey = \"{}\"\n",
        Zeroizing::new(URL_SAFE_NO_PAD.encode(key.as_slice())).as_str()
    ));
    // So a start that dies here leaves no half a secret, and two at once leave one.
    let mut file = WholeFile::beside(path)?;
    file.write_all(text.as_bytes())?;
    file.make()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.toml");
        assert!(matches!(load(&path), Err(SecretsError::Missing(_))));
        let made = make(&path).unwrap();
        for read in [load(&path).unwrap(), make(&path).unwrap()] {
            assert_eq!(made[0].key, read[0].key);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
        assert_ne!(made[0].key, [0; 32]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path), Err(SecretsError::ReadableByOthers(_))));
    }

    #[test]
    fn numbers_are_distinct_and_the_last_is_current() {
        let key = URL_SAFE_NO_PAD.encode([7; 32]);
        let entry = |number| format!("[[master]]\nnumber = {number}\nkey = \"{key}\"\n");
        let numbers = |text: &str| parse(text).map(|s| s.iter().map(|s| s.number).collect::<Vec<_>>());
        assert_eq!(numbers(&(entry(2) + &entry(1))), Some(vec![1, 2]));
        for bad in [String::new(), entry(1) + &entry(1), entry(0), "[[master]]\nnumber = 1\nkey = \"AAAA\"\n".into()] {
            assert_eq!(numbers(&bad), None, "{bad}");
        }
    }
}
