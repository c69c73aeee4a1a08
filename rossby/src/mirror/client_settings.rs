//! How librdkafka is told to connect, said as Kafka's Java clients take it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::config::Hidden;

/// A cluster's settings for Java clients, and the names of those that are librdkafka's own affair.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClientSettings {
    pub(super) java: BTreeMap<&'static str, String>,
    pub(super) left_out: Vec<String>,
}

/// Beginnings of the names of what says how to connect: left out, a mirror could not, or would not be safe.
const CONNECTING: &[&str] =
    &["security.", "sasl.", "ssl.", "enable.sasl.", "enable.ssl.", "plugin.", "broker.address.", "https."];

/// Translates a cluster's settings.
///
/// # Errors
/// A setting that says how to connect and has no counterpart, by name; a file that can't be read.
pub(super) fn translate(settings: &BTreeMap<String, Hidden>) -> anyhow::Result<ClientSettings> {
    let mut translated = ClientSettings::default();
    let value = |name: &str| settings.get(name).map(|value| value.0.clone());
    for (name, Hidden(text)) in settings {
        let java = &mut translated.java;
        let mut set = |name, value: &str| drop(java.insert(name, value.to_owned()));
        match name.as_str() {
            "security.protocol" => set("security.protocol", &text.to_uppercase()),
            "sasl.mechanism" | "sasl.mechanisms" => set("sasl.mechanism", &text.to_uppercase()),
            // Together they are one setting, below.
            "sasl.username" | "sasl.password" => {}
            "ssl.ca.location" => {
                set("ssl.truststore.type", "PEM");
                set("ssl.truststore.location", text);
            }
            "ssl.ca.pem" => {
                set("ssl.truststore.type", "PEM");
                set("ssl.truststore.certificates", text);
            }
            "ssl.certificate.location" => {
                set("ssl.keystore.type", "PEM");
                set("ssl.keystore.certificate.chain", &read(name, text)?);
            }
            "ssl.certificate.pem" => {
                set("ssl.keystore.type", "PEM");
                set("ssl.keystore.certificate.chain", text);
            }
            "ssl.key.location" => set("ssl.keystore.key", &pkcs8(name, read(name, text)?)?),
            "ssl.key.pem" => set("ssl.keystore.key", &pkcs8(name, text.clone())?),
            "ssl.key.password" => set("ssl.key.password", text),
            "ssl.keystore.location" => {
                set("ssl.keystore.type", "PKCS12");
                set("ssl.keystore.location", text);
            }
            "ssl.keystore.password" => set("ssl.keystore.password", text),
            "ssl.endpoint.identification.algorithm" => {
                set("ssl.endpoint.identification.algorithm", if text == "none" { "" } else { text });
            }
            "enable.ssl.certificate.verification" if text == "true" => {}
            other if CONNECTING.iter().any(|start| other.starts_with(start)) => {
                bail!("the setting {name} says how Kafka is reached, and can't be translated for MirrorMaker")
            }
            _ => translated.left_out.push(name.clone()),
        }
    }
    match (value("sasl.username"), value("sasl.password")) {
        (None, None) => {}
        (Some(user), Some(password)) => {
            let mechanism = translated.java.get("sasl.mechanism").cloned().unwrap_or_default();
            translated.java.insert("sasl.jaas.config", jaas(&mechanism, &user, &password)?);
        }
        _ => bail!("the settings sasl.username and sasl.password belong together"),
    }
    Ok(translated)
}

fn read(setting: &str, file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(Path::new(file))
        .with_context(|| format!("the setting {setting} names {file}, which can't be read"))
}

/// Java reads private keys in PKCS #8 alone.
fn pkcs8(setting: &str, key: String) -> anyhow::Result<String> {
    let is_pkcs8 = key.contains("-----BEGIN PRIVATE KEY-----") || key.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
    if !is_pkcs8 {
        bail!(
            "the setting {setting} has a key that MirrorMaker can't read: `openssl pkcs8 -topk8` makes one that it can"
        );
    }
    Ok(key)
}

fn jaas(mechanism: &str, user: &str, password: &str) -> anyhow::Result<String> {
    let module = match mechanism {
        "PLAIN" => "org.apache.kafka.common.security.plain.PlainLoginModule",
        "SCRAM-SHA-256" | "SCRAM-SHA-512" => "org.apache.kafka.common.security.scram.ScramLoginModule",
        "" => bail!("the setting sasl.mechanism must be set with sasl.username"),
        other => bail!("the setting sasl.mechanism is {other}, which can't be translated for MirrorMaker"),
    };
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("{module} required username=\"{}\" password=\"{}\";", quoted(user), quoted(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &[(&str, &str)]) -> anyhow::Result<ClientSettings> {
        let hidden = |(name, value): &(&str, &str)| ((*name).to_owned(), hidden(value));
        translate(&settings.iter().map(hidden).collect())
    }

    fn hidden(text: &str) -> Hidden {
        let settings: crate::config::Settings =
            toml::from_str(&format!("[read_models]\nurl = {}\n", toml::Value::from(text))).unwrap();
        settings.read_models.url
    }

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

    #[test]
    fn passwords_and_certificates_are_said_in_java() {
        let sasl = of(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanisms", "SCRAM-SHA-512"),
            ("sasl.username", "rossby"),
            ("sasl.password", "a\"b\\c"),
            ("ssl.ca.location", "/etc/ca.pem"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("queued.max.messages.kbytes", "1024"),
        ]);
        let sasl = sasl.unwrap();
        assert_eq!(sasl.java["security.protocol"], "SASL_SSL");
        assert_eq!(
            sasl.java["sasl.jaas.config"],
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"rossby\" password=\"a\\\"b\\\\c\";"
        );
        assert_eq!(
            (&*sasl.java["ssl.truststore.type"], &*sasl.java["ssl.truststore.location"]),
            ("PEM", "/etc/ca.pem")
        );
        assert_eq!(sasl.java["ssl.endpoint.identification.algorithm"], "");
        assert_eq!(sasl.left_out, ["queued.max.messages.kbytes"]);

        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        std::fs::write(&chain, "chain\n").unwrap();
        std::fs::write(&key, KEY).unwrap();
        let files = [
            ("ssl.certificate.location", &*chain.display().to_string()),
            ("ssl.key.location", &*key.display().to_string()),
            ("ssl.key.password", "p"),
            ("enable.ssl.certificate.verification", "true"),
        ];
        let files = of(&files).unwrap().java;
        assert_eq!((&*files["ssl.keystore.certificate.chain"], &*files["ssl.keystore.key"]), ("chain\n", KEY));
        assert_eq!((&*files["ssl.keystore.type"], &*files["ssl.key.password"]), ("PEM", "p"));
    }

    #[test]
    fn what_cannot_be_said_in_java_is_refused_by_name() {
        let refused: &[(&[(&str, &str)], &str)] = &[
            (&[("enable.ssl.certificate.verification", "false")], "enable.ssl.certificate.verification"),
            (&[("sasl.kerberos.service.name", "kafka")], "sasl.kerberos.service.name"),
            (&[("sasl.mechanism", "OAUTHBEARER"), ("sasl.username", "u"), ("sasl.password", "p")], "OAUTHBEARER"),
            (&[("sasl.mechanism", "PLAIN"), ("sasl.username", "u")], "belong together"),
            (&[("sasl.username", "u"), ("sasl.password", "p")], "sasl.mechanism must be set"),
            (&[("ssl.cipher.suites", "a")], "ssl.cipher.suites"),
            (&[("broker.address.family", "v4")], "broker.address.family"),
            (&[("ssl.key.location", "/nowhere/key.pem")], "/nowhere/key.pem"),
            (&[("ssl.key.pem", "-----BEGIN RSA PRIVATE KEY-----\n")], "openssl pkcs8"),
        ];
        for (settings, says) in refused {
            let error = format!("{:#}", of(settings).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
