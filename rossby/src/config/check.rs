//! Which settings fit together.

use rossby_crypto::account::MAX_IDENTIFIERS;
use rossby_crypto::message::MAX_RECIPIENT_DEVICES;
use rossby_schemas::http::messages::MAX_CONFIRMED;

use super::ConfigError;
use super::settings::{BlobsIn, EmailVia, LogProvider, Settings, SmsVia};

/// A blob has at most so many octets, whatever is set: its chunks are counted in memory.
const MAX_BLOB_OCTETS: u64 = 1024 * 1024 * 1024 * 1024;

/// A claim waits no longer, so that the keys that it was made with are still good.
const MAX_CLAIM_DAYS: u64 = 21;

impl Settings {
    /// Refuses settings that do not fit together, and says what to do.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let refuse = |name, why: &str| Err(ConfigError::Unusable { name, why: why.to_owned() });
        if self.region.number == 0 {
            return refuse("region.number", "is 0; regions have numbers from 1 to 255");
        }
        let name = &self.region.name;
        if !is_region_name(name) {
            return refuse("region.name", "must be of lowercase letters, digits and hyphens, and not \"rossby\"");
        }
        if !(1..=1024).contains(&self.log.partitions) {
            return refuse("log.partitions", "must be between 1 and 1024");
        }
        self.check_regions()?;
        if self.log.provider == LogProvider::Kafka && self.log.kafka_brokers.is_empty() && self.regions.is_empty() {
            return refuse(
                "log.kafka_brokers",
                "is empty; with log.provider = \"kafka\" it names the brokers as HOST:PORT",
            );
        }
        if self.log.provider == LogProvider::Sqlite && !self.read_models.url.0.is_empty() {
            return refuse(
                "read_models.url",
                "is set, but log.provider is \"sqlite\"; set log.provider = \"kafka\" too",
            );
        }
        let url = &self.read_models.url.0;
        if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return refuse("read_models.url", "must begin with postgres:// or be empty");
        }
        if self.codes.email_via == EmailVia::Smtp
            && (self.codes.smtp_url.0.is_empty() || self.codes.smtp_from.is_empty())
        {
            return refuse("codes.smtp_url", "and codes.smtp_from must be set with codes.email_via = \"smtp\"");
        }
        if !(1..=MAX_RECIPIENT_DEVICES).contains(&self.limits.devices) {
            return refuse("limits.devices", "must be between 1 and 64, which is how many a message can be sealed to");
        }
        if self.identifiers.claim_days > MAX_CLAIM_DAYS {
            return refuse(
                "identifiers.claim_days",
                "must be at most 21: a new account's first sealing key is good for 30",
            );
        }
        let blobs = &self.blobs;
        if blobs.kept_in == BlobsIn::S3 {
            let endpoint = &blobs.s3_endpoint.0;
            if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
                return refuse("blobs.s3_endpoint", "must begin with https:// or http:// with blobs.in = \"s3\"");
            }
            let [bucket, region, key] = [&blobs.s3_bucket, &blobs.s3_region, &blobs.s3_access_key_id];
            if [bucket, region, key, &blobs.s3_secret_access_key.0].iter().any(|setting| setting.is_empty()) {
                return refuse(
                    "blobs.s3_bucket",
                    "and blobs.s3_region, blobs.s3_access_key_id, blobs.s3_secret_access_key must be set with blobs.in = \"s3\"",
                );
            }
        }
        if !(1..=MAX_BLOB_OCTETS).contains(&blobs.max_octets) {
            return refuse("blobs.max_octets", "must be between 1 and 1099511627776, which is a tebioctet");
        }
        if blobs.upload_hours == 0 {
            return refuse("blobs.upload_hours", "is 0; no upload could be completed");
        }
        if !(1..=MAX_IDENTIFIERS).contains(&self.identifiers.limit) {
            return refuse(
                "identifiers.limit",
                "must be between 1 and 64, which is how many a closing account can name",
            );
        }
        if self.stream.per_process >= self.limits.connections {
            return refuse(
                "stream.per_process",
                "must be less than limits.connections, or streams leave no connection for requests",
            );
        }
        if self.stream.window_messages == 0 || self.stream.window_messages > MAX_CONFIRMED {
            return refuse(
                "stream.window_messages",
                "must be between 1 and 1000, which is how many are confirmed at once",
            );
        }
        if self.stream.ping_seconds == 0 || self.stream.silence_seconds <= self.stream.ping_seconds {
            return refuse("stream.silence_seconds", "must be more than stream.ping_seconds, which must not be 0");
        }
        let webhook_set = !self.codes.webhook_url.0.is_empty() && self.codes.webhook_secret.0.len() >= 16;
        if self.codes.sms_via == SmsVia::Webhook && !webhook_set {
            return refuse(
                "codes.webhook_url",
                "and codes.webhook_secret (16 characters or more) must be set with codes.sms_via = \"webhook\"",
            );
        }
        Ok(())
    }
}

/// Whether a mirror can put a name before topics: it goes up to the first full stop, and `rossby` is what they begin with.
pub(super) fn is_region_name(name: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.len() <= 32 && name.bytes().all(is_name) && name != "rossby"
}
