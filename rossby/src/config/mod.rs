//! The server's settings: where they come from, what they are, and what they are by default.
//!
//! Later sources win: the defaults, the file given by `--config`, environment variables (`ROSSBY_SERVER__LISTEN` for
//! `server.listen`), and last the command line. `docs/CONFIGURATION.md` lists every one.

mod check;
mod regions;
mod secrets;
mod settings;
mod unreadable;

#[cfg(test)]
pub(crate) use regions::RegionEntry;
pub(crate) use regions::Regions;
pub(crate) use secrets::{NumberedSecret, load as load_secrets, make as make_secrets};
pub(crate) use settings::{BlobsIn, EmailVia, Hidden, LogFormat, LogProvider, Settings, SmsVia};

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};

/// What the command line says over every other source.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Overrides {
    /// A file of settings in TOML; docs/CONFIGURATION.md lists them all.
    #[arg(long, value_name = "FILE", env = "ROSSBY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen: ADDRESS:PORT. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// The folder that holds the log, the tables and the secrets of the embedded set-up.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Settings that cannot be read or do not fit together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is not there.
    #[error("the settings file {0} is not there")]
    NoFile(PathBuf),
    /// A setting has the wrong type or an unknown name.
    #[error("{0}")]
    Unreadable(String),
    /// A command is for a region that is not among the settings.
    #[error("the settings name no region {name:?}; there are: {known}")]
    NoRegion {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A setting has a value that cannot be used.
    #[error("the setting {name} {why}")]
    Unusable {
        /// The setting, as `section.name`.
        name: &'static str,
        /// Why, and what to do.
        why: String,
    },
}

/// Reads the settings from all sources.
pub(crate) fn load(overrides: &Overrides) -> Result<Settings, ConfigError> {
    let mut figment = Figment::from(Serialized::defaults(Settings::default()));
    if let Some(file) = &overrides.config {
        if !file.is_file() {
            return Err(ConfigError::NoFile(file.clone()));
        }
        figment = figment.merge(Toml::file_exact(file));
    }
    // Only names with a section are settings: ROSSBY_CONFIG, ROSSBY_HOME and the like are the command line's.
    let env = Env::prefixed("ROSSBY_").filter(|name| name.as_str().contains("__")).split("__");
    figment = figment.merge(env);
    if let Some(listen) = &overrides.listen {
        figment = figment.merge(Serialized::default("server.listen", listen));
    }
    if let Some(data_dir) = &overrides.data_dir {
        figment = figment.merge(Serialized::default("server.data_dir", data_dir));
    }
    let settings: Settings = figment.extract().map_err(|error| ConfigError::Unreadable(unreadable::text(error)))?;
    settings.check()?;
    Ok(settings)
}

/// The folder for the embedded set-up's data where none is named: `$XDG_DATA_HOME/rossby-server` or
/// `~/.local/share/rossby-server`, else `rossby-data` here.
pub(crate) fn default_data_dir() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| Path::new("rossby-data").to_path_buf(), |base| base.join("rossby-server"))
}

#[cfg(test)]
mod reference_test;

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Settings, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rossby.toml");
        std::fs::write(&file, text).unwrap();
        load(&Overrides { config: Some(file), ..Overrides::default() })
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rossby.toml");
        std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1\"\nshutdown_seconds = 3\n").unwrap();
        let overrides =
            Overrides { config: Some(file), listen: Some("127.0.0.1:2".into()), data_dir: Some("here".into()) };
        let settings = load(&overrides).unwrap();
        assert_eq!(settings.server.listen, "127.0.0.1:2");
        assert_eq!(settings.server.data_dir, Path::new("here"));
        assert_eq!(settings.server.shutdown_seconds, 3);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (text, names) in [
            ("[server]\nlitsen = \"127.0.0.1:1\"\n", "litsen"),
            ("[server]\nlisten = 3\n", "listen"),
            ("[region]\nnumber = 0\n", "region.number"),
            ("[region]\nname = \"rossby\"\n", "region.name"),
            ("[log]\nprovider = \"kafka\"\n", "log.kafka_brokers"),
            ("[log]\npartitions = 0\n", "log.partitions"),
            ("[codes]\nemail_via = \"smtp\"\n", "codes.smtp_url"),
            ("[codes]\nsms_via = \"webhook\"\n", "codes.webhook_url"),
            ("[read_models]\nurl = \"mysql://x\"\n", "read_models.url"),
            ("[blobs]\nin = \"s3\"\n", "blobs.s3_endpoint"),
            ("[blobs]\nin = \"s3\"\ns3_endpoint = \"https://s3.example.org\"\n", "blobs.s3_bucket"),
            ("[blobs]\nmax_octets = 0\n", "blobs.max_octets"),
            ("[blobs]\nupload_hours = 0\n", "blobs.upload_hours"),
            ("[limits]\nconnections = 5000\n", "stream.per_process"),
            ("[stream]\nwindow_messages = 0\n", "stream.window_messages"),
            ("[stream]\nwindow_messages = 1001\n", "stream.window_messages"),
            ("[stream]\nsilence_seconds = 25\n", "stream.silence_seconds"),
        ] {
            let message = load_text(text).unwrap_err().to_string();
            assert!(message.contains(names), "{message}");
        }
        assert!(matches!(
            load(&Overrides { config: Some("no-such-file.toml".into()), ..Overrides::default() }),
            Err(ConfigError::NoFile(_))
        ));
    }

    #[test]
    fn the_example_of_two_regions_can_be_used() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/regions.toml");
        let settings = load(&Overrides { config: Some(file), ..Overrides::default() }).unwrap();
        assert_eq!(settings.regions_named(None).unwrap(), ["east", "west"]);
    }

    #[test]
    fn passwords_are_hidden() {
        let text = "[log]\nprovider = \"kafka\"\nkafka_brokers = \"b:1\"\n\
                    kafka_settings = { \"sasl.password\" = \"s3cret\" }\n\
                    [read_models]\nurl = \"postgres://u:s3cret@h/d\"\n[blobs]\ns3_secret_access_key = \"s3cret\"\n\
                    s3_endpoint = \"https://u:s3cret@h\"\n[codes]\nwebhook_url = \"https://u:s3cret@h/\"\n\
                    webhook_secret = \"s3cret\"\nsmtp_url = \"smtp://u:s3cret@h\"\n";
        let settings = load_text(text).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert!(!settings.to_toml().unwrap().contains("s3cret"));
        assert!(settings.read_models.url.0.contains("s3cret"));
    }
}
