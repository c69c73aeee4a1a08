//! Every setting of the server with its default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::default_data_dir;
use super::regions::RegionEntry;

/// All settings.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) server: ServerSettings,
    pub(crate) region: RegionSettings,
    /// All regions of the service; none where there is one alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) regions: Vec<RegionEntry>,
    pub(crate) log: LogSettings,
    pub(crate) read_models: ReadModelsSettings,
    pub(crate) secrets: SecretsSettings,
    pub(crate) codes: CodesSettings,
    pub(crate) blobs: BlobsSettings,
    pub(crate) identifiers: IdentifiersSettings,
    pub(crate) limits: LimitsSettings,
    pub(crate) stream: StreamSettings,
    pub(crate) logging: LoggingSettings,
}

/// The HTTP server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSettings {
    /// Where to listen.
    pub(crate) listen: String,
    /// Where operators ask whether it is ready, and for its figures. Empty: nowhere.
    pub(crate) operator_listen: String,
    /// The URLs under which clients reach the server; Hawk signs host and port, and others are refused. Empty: those of
    /// `listen`.
    pub(crate) public_urls: Vec<String>,
    /// The addresses and networks of proxies that say for whom they ask.
    pub(crate) trusted_proxies: Vec<String>,
    /// The folder of the embedded set-up.
    pub(crate) data_dir: PathBuf,
    /// How long a stopping server lets requests end.
    pub(crate) shutdown_seconds: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:7700".into(),
            operator_listen: "127.0.0.1:7701".into(),
            public_urls: Vec::new(),
            trusted_proxies: Vec::new(),
            data_dir: default_data_dir(),
            shutdown_seconds: 20,
        }
    }
}

/// This region.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegionSettings {
    /// Its number, fixed for ever: 1 to 255.
    pub(crate) number: u8,
    /// Its name, which mirrors put before topics.
    pub(crate) name: String,
}

impl Default for RegionSettings {
    fn default() -> Self {
        Self { number: 1, name: "home".into() }
    }
}

/// Which provider keeps the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogProvider {
    /// A file in the data folder.
    Sqlite,
    /// A Kafka cluster.
    Kafka,
}

/// The log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSettings {
    pub(crate) provider: LogProvider,
    /// How many partitions each topic has; fixed when the topics are made.
    pub(crate) partitions: u32,
    /// Kafka's bootstrap servers: `HOST:PORT,HOST:PORT`.
    pub(crate) kafka_brokers: String,
    /// Replicas of each partition.
    pub(crate) kafka_replication: i32,
    /// Replicas that must have a record before it counts as written.
    pub(crate) kafka_min_insync_replicas: i32,
    /// After how long a record that was handed over counts as of unknown outcome.
    pub(crate) kafka_delivery_timeout_ms: u64,
    /// Put before the topics' names, for several services on one cluster.
    pub(crate) kafka_topic_prefix: String,
    /// Further settings of librdkafka, such as `security.protocol`.
    pub(crate) kafka_settings: BTreeMap<String, Hidden>,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            provider: LogProvider::Sqlite,
            partitions: 8,
            kafka_brokers: String::new(),
            kafka_replication: 3,
            kafka_min_insync_replicas: 2,
            kafka_delivery_timeout_ms: 5000,
            kafka_topic_prefix: String::new(),
            kafka_settings: BTreeMap::new(),
        }
    }
}

/// The read models.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReadModelsSettings {
    /// `postgres://USER:PASSWORD@HOST/DATABASE`; empty for SQLite in the data folder.
    pub(crate) url: Hidden,
    /// How many connections a process holds at most.
    pub(crate) max_connections: u32,
}

impl Default for ReadModelsSettings {
    fn default() -> Self {
        Self { url: Hidden::default(), max_connections: 20 }
    }
}

/// Where the server's secrets are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SecretsSettings {
    /// A file of secrets; empty for `secrets.toml` in the data folder, made at the first start.
    pub(crate) file: PathBuf,
}

/// How codes reach email addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EmailVia {
    /// Printed by the server.
    Console,
    /// Sent by SMTP.
    Smtp,
}

/// How codes reach phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SmsVia {
    /// Printed by the server.
    Console,
    /// Handed to a signed webhook.
    Webhook,
}

/// Codes and how they are sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CodesSettings {
    pub(crate) email_via: EmailVia,
    pub(crate) sms_via: SmsVia,
    /// `smtp://HOST:PORT` (`?tls=required` for STARTTLS) or `smtps://USER:PASSWORD@HOST:PORT`.
    pub(crate) smtp_url: Hidden,
    /// The sender's address.
    pub(crate) smtp_from: String,
    /// The webhook's URL, which may hold a name and a password.
    pub(crate) webhook_url: Hidden,
    /// The secret under which the webhook's requests are signed.
    pub(crate) webhook_secret: Hidden,
}

impl Default for CodesSettings {
    fn default() -> Self {
        Self {
            email_via: EmailVia::Console,
            sms_via: SmsVia::Console,
            smtp_url: Hidden::default(),
            smtp_from: String::new(),
            webhook_url: Hidden::default(),
            webhook_secret: Hidden::default(),
        }
    }
}

/// Where blobs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BlobsIn {
    /// A folder.
    Folder,
    /// A store that speaks S3.
    S3,
}

/// Encrypted attachments.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BlobsSettings {
    #[serde(rename = "in")]
    pub(crate) kept_in: BlobsIn,
    /// The folder; empty for `blobs` in the data folder.
    pub(crate) folder: PathBuf,
    /// The S3-compatible store's URL, its bucket, the region that requests are signed for, and the access key.
    pub(crate) s3_endpoint: Hidden,
    pub(crate) s3_bucket: String,
    pub(crate) s3_region: String,
    pub(crate) s3_access_key_id: String,
    pub(crate) s3_secret_access_key: Hidden,
    /// Octets of one blob.
    pub(crate) max_octets: u64,
    /// Octets that one account uploads in a day.
    pub(crate) octets_per_day: u64,
    /// How long an upload may take.
    pub(crate) upload_hours: u64,
}

impl Default for BlobsSettings {
    fn default() -> Self {
        Self {
            kept_in: BlobsIn::Folder,
            folder: PathBuf::new(),
            s3_endpoint: Hidden::default(),
            s3_bucket: String::new(),
            s3_region: "us-east-1".into(),
            s3_access_key_id: String::new(),
            s3_secret_access_key: Hidden::default(),
            max_octets: 100 * 1024 * 1024,
            octets_per_day: 2 * 1024 * 1024 * 1024,
            upload_hours: 24,
        }
    }
}

/// Phone numbers and email addresses.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentifiersSettings {
    /// How many one account may have.
    pub(crate) limit: usize,
    /// How many days an account has to object when one of them is claimed.
    pub(crate) claim_days: u64,
}

impl Default for IdentifiersSettings {
    fn default() -> Self {
        Self { limit: 16, claim_days: 7 }
    }
}

/// Limits that keep one client from taking the others' share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsSettings {
    /// Requests a second for each device, and how many at once.
    pub(crate) device_per_second: u32,
    pub(crate) device_burst: u32,
    /// Requests a second without authentication for each address, and how many at once.
    pub(crate) address_per_second: u32,
    pub(crate) address_burst: u32,
    /// Fetches of one device, and readers of rendezvous from one address, that wait at once.
    pub(crate) device_waits: usize,
    pub(crate) address_waits: usize,
    /// Devices that one account may have.
    pub(crate) devices: usize,
    /// Connections open at once, and those of one address.
    pub(crate) connections: usize,
    pub(crate) address_connections: usize,
    /// How long a request may take to arrive and to be answered, beyond what it asked to wait, and how long nothing of an answer
    /// may be read, unless a stream may be silent for longer.
    pub(crate) request_seconds: u64,
    /// How long a connection may take to send a request's headers.
    pub(crate) header_seconds: u64,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            device_per_second: 50,
            device_burst: 200,
            address_per_second: 5,
            address_burst: 30,
            device_waits: 4,
            address_waits: 16,
            devices: 10,
            connections: 10_000,
            address_connections: 1000,
            request_seconds: 30,
            header_seconds: 10,
        }
    }
}

/// Live streams and signals.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StreamSettings {
    /// Streams open at once for each device, and for all of them.
    pub(crate) per_device: usize,
    pub(crate) per_process: usize,
    /// What a stream's device has been given and not confirmed, at most.
    pub(crate) window_messages: usize,
    pub(crate) window_octets: usize,
    /// How often a client is asked whether it is there, and after how long one that was not heard of is given up.
    pub(crate) ping_seconds: u64,
    pub(crate) silence_seconds: u64,
    /// Signals a second for each device, and how many at once.
    pub(crate) signals_per_second: u32,
    pub(crate) signals_burst: u32,
}

impl Default for StreamSettings {
    fn default() -> Self {
        Self {
            per_device: 4,
            per_process: 5000,
            window_messages: 100,
            window_octets: 4 * 1024 * 1024,
            ping_seconds: 25,
            silence_seconds: 60,
            signals_per_second: 100,
            signals_burst: 600,
        }
    }
}

/// How the server writes its own log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// A JSON object each line.
    Json,
}

/// The server's own log lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LoggingSettings {
    pub(crate) format: LogFormat,
    /// A filter such as `info,rossby_api=debug`.
    pub(crate) filter: String,
}

impl Default for LoggingSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

/// A setting that may hold a password: shown as `[hidden]`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "[hidden]" })
    }
}

impl Settings {
    /// Whether everything runs in this process, on files.
    pub(crate) fn is_embedded(&self) -> bool {
        self.log.provider == LogProvider::Sqlite
    }

    /// The file of master secrets: the one that is named, or that of the data folder.
    pub(crate) fn secrets_file(&self) -> PathBuf {
        match self.secrets.file.as_os_str().is_empty() {
            true => self.server.data_dir.join("secrets.toml"),
            false => self.secrets.file.clone(),
        }
    }

    /// The settings as TOML, with what may hold a password hidden.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut shown = self.clone();
        let hide = |hidden: &mut Hidden| {
            if !hidden.0.is_empty() {
                hidden.0 = "[hidden]".into();
            }
        };
        hide(&mut shown.read_models.url);
        hide(&mut shown.codes.smtp_url);
        hide(&mut shown.codes.webhook_url);
        hide(&mut shown.codes.webhook_secret);
        hide(&mut shown.blobs.s3_endpoint);
        hide(&mut shown.blobs.s3_secret_access_key);
        shown.log.kafka_settings.values_mut().for_each(hide);
        shown.regions.iter_mut().flat_map(|region| region.kafka_settings.values_mut()).for_each(hide);
        toml::to_string(&shown)
    }
}
