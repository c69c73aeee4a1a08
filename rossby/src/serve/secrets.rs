//! The master secrets of a server, and whether its data was made with them.

use std::path::Path;

use anyhow::bail;
use rossby_crypto::keyed_hash::{MasterSecret, MasterSecrets};
use rossby_log::Log;
use rossby_projections::{ReadModels, SecretCheck};

use super::storage;
use crate::config::{Settings, load_secrets, make_secrets};

/// What is lost where the secret is.
const LOST: &str = "without it no device's token is good any more, nobody is found by phone number or email address, and blocks \
                    and contacts mean nothing";

/// Reads the master secrets. The embedded set-up makes its own at its first start, and never again.
///
/// # Errors
/// The file can't be read, is readable by others, or malformed; it is not there, or is another one, and the server has data
/// that was made with the one before.
pub(super) async fn open(settings: &Settings, log: &dyn Log, models: &ReadModels) -> anyhow::Result<MasterSecrets> {
    let named = !settings.secrets.file.as_os_str().is_empty();
    if !named && !settings.is_embedded() {
        bail!(
            "the setting secrets.file must name the file of master secrets that all processes share; \
             `rossby secrets new FILE` makes one"
        );
    }
    let file = settings.secrets_file();
    let known = models.secret_check().await?;
    let secrets = if file.exists() {
        load_secrets(&file)?
    } else if known.is_some() || holds_anything(settings, log).await? {
        bail!(
            "the file of the master secret, {}, is not there, and this server has data that was made with it. Bring it back from \
             your backup: {LOST}. For a new server {}",
            file.display(),
            if named { "name another log and database" } else { "take another folder: --data-dir" }
        );
    } else if named {
        load_secrets(&file)?
    } else {
        make_secrets(&file)?
    };
    let secrets = secrets.iter().map(|secret| MasterSecret::new(secret.number, &secret.key)).collect();
    let secrets = MasterSecrets::new(secrets)?;
    let current = check(secrets.current());
    let known = models.keep_secret_check(current).await?;
    if known != current {
        bail!(refused(&file, known, &secrets));
    }
    Ok(secrets)
}

fn check(secret: &MasterSecret) -> SecretCheck {
    SecretCheck { number: secret.number(), check_value: secret.check_value().into() }
}

/// What is wrong with secrets whose current one is not the known one.
fn refused(file: &Path, known: SecretCheck, secrets: &MasterSecrets) -> String {
    let (file, number) = (file.display(), known.number);
    if secrets.by_number(number).is_some_and(|secret| check(secret) == known) {
        return format!(
            "the file {file} has a master secret with a higher number than {number}, with which this server's data was made; under \
             another one nobody would be found, and blocks would mean nothing. Take the higher numbers out"
        );
    }
    format!(
        "{file} is not the file of the master secret with which this server's data was made (number {number}). Bring that one \
         back: {LOST}"
    )
}

/// Whether anything was ever written to the log.
async fn holds_anything(settings: &Settings, log: &dyn Log) -> anyhow::Result<bool> {
    for topic in storage::topics(settings) {
        for partition in 0..log.partitions(&topic.name).await? {
            if log.bounds(&topic.name, partition).await?.end > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
