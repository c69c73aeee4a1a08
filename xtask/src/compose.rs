//! Checks docker-compose.yml as far as that's possible without an engine: that it can be read, that its images are
//! pinned, and that what it starts has the settings that the tests run with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::dev::{DATABASE, KAFKA_PORT, OPERATOR_PORT, POSTGRES_PORT, ROSSBY_PORT, SETTINGS};
use crate::kafka::{HEAP, Place, lines_of_the_place};
use crate::layout;

/// What depends on the place in PostgreSQL's settings: all that compose may give beside the file.
const POSTGRES_PLACE: [&str; 2] = ["config_file", "listen_addresses"];

fn read(path: &str) -> String {
    fs::read_to_string(layout::workspace().join(path)).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&read("docker-compose.yml")).unwrap()
}

fn services(compose: &Value) -> impl Iterator<Item = (&String, &Value)> {
    compose["services"].as_object().unwrap().iter()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(|item| item.as_str().unwrap()).collect()
}

/// The keys of a properties file.
fn keys(properties: &str) -> BTreeSet<String> {
    let lines = properties.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim().to_owned()).collect()
}

fn value<'a>(properties: &'a str, key: &str) -> Option<&'a str> {
    let pairs = properties.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim())).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The settings that the image makes of `KAFKA_*` variables, by its own rule: `KAFKA_LOG_DIRS` is `log.dirs`.
fn settings_of_variables(service: &Value) -> BTreeSet<String> {
    let names = service["environment"].as_object().unwrap().keys();
    names
        .filter(|name| *name != "KAFKA_HEAP_OPTS")
        .filter_map(|name| name.strip_prefix("KAFKA_"))
        .map(|name| name.to_lowercase().replace('_', "."))
        .collect()
}

#[test]
fn images_are_pinned_to_an_exact_version() {
    let compose = compose();
    for (name, service) in services(&compose) {
        match service["image"].as_str() {
            None => assert!(service["build"]["dockerfile"].is_string(), "{name} has neither image nor Dockerfile"),
            Some(image) => {
                let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{image} has no tag"));
                let numbers = tag.split(['.', '-']).take_while(|part| part.parse::<u32>().is_ok()).count();
                assert!(numbers >= 2, "{image} is pinned to no exact version");
            }
        }
    }
    for line in read("deploy/Dockerfile").lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let image = line.split_whitespace().next().unwrap();
        assert!(image.contains(':') && !image.ends_with(":latest"), "{image} is not pinned");
    }
}

#[test]
fn versions_are_those_that_are_tested_with() {
    let pom = read("xtask/kafka/pom.xml");
    let (_, version) = pom.split_once("<kafka.version>").unwrap();
    let (version, _) = version.split_once('<').unwrap();
    assert_eq!(compose()["services"]["kafka"]["image"], format!("apache/kafka:{version}"));

    let manifest = read("Cargo.toml");
    let rust = value(&manifest, "rust-version").unwrap().trim_matches('"');
    assert!(read("deploy/Dockerfile").contains(&format!("FROM rust:{rust}")), "another Rust than {rust}");
    assert!(compose()["services"]["postgres"]["image"].as_str().unwrap().starts_with("postgres:15."));
}

#[test]
fn kafka_has_the_settings_of_the_tests() {
    let compose = compose();
    let kafka = &compose["services"]["kafka"];
    assert!(strings(&kafka["volumes"]).contains(&"./deploy/kafka:/mnt/shared/config:ro"));
    assert_eq!(kafka["environment"]["KAFKA_HEAP_OPTS"], HEAP);

    // Beside the shared file, compose says what xtask says, and no more.
    let place = Place { folder: Path::new("/"), port: 1, controller_port: 2, is_kept: true };
    assert_eq!(settings_of_variables(kafka), keys(&lines_of_the_place(&place)));
    let shared = read("deploy/kafka/server.properties");
    assert!(keys(&shared).is_disjoint(&settings_of_variables(kafka)));
}

#[test]
fn topics_are_made_by_rossby_alone() {
    assert_eq!(value(&read("deploy/kafka/server.properties"), "auto.create.topics.enable"), Some("false"));
}

#[test]
fn every_listener_has_a_protocol() {
    let shared = read("deploy/kafka/server.properties");
    let protocols = value(&shared, "listener.security.protocol.map").unwrap();
    let known: Vec<&str> = protocols.split(',').filter_map(|pair| pair.split(':').next()).collect();
    let compose = compose();
    let listeners = compose["services"]["kafka"]["environment"]["KAFKA_LISTENERS"].as_str().unwrap();
    for listener in listeners.split(',').filter_map(|listener| listener.split(':').next()) {
        assert!(known.contains(&listener), "{listener} is none of {known:?}");
    }
}

#[test]
fn postgres_has_the_settings_of_the_tests_and_is_durable() {
    let compose = compose();
    let postgres = &compose["services"]["postgres"];
    let mount = "./deploy/postgres/postgresql.conf:/etc/postgresql/postgresql.conf:ro";
    assert!(strings(&postgres["volumes"]).contains(&mount));
    let command = strings(&postgres["command"]);
    let given: Vec<&str> = command.iter().filter_map(|word| word.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(given, POSTGRES_PLACE);
    assert!(command.contains(&"config_file=/etc/postgresql/postgresql.conf"));

    let settings = read("deploy/postgres/postgresql.conf");
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(value(&settings, name), Some("on"), "{name}");
    }
}

#[test]
fn rossby_has_the_settings_of_xtask_dev() {
    let compose = compose();
    let rossby = &compose["services"]["rossby"];
    assert!(strings(&rossby["volumes"]).contains(&format!("./{SETTINGS}:/etc/rossby/rossby.toml:ro").as_str()));
    assert_eq!(strings(&rossby["command"]), ["serve", "--config", "/etc/rossby/rossby.toml"]);
    let environment = rossby["environment"].as_object().unwrap();
    assert!(environment["ROSSBY_READ_MODELS__URL"].as_str().unwrap().ends_with(&format!(":5432/{DATABASE}")));

    // A name that Rossby doesn't know would stop it; the reference is checked against the program elsewhere.
    let reference = read("docs/CONFIGURATION.md");
    let dev = read("xtask/src/dev.rs");
    let of_dev = dev.split('"').filter(|word| word.starts_with("ROSSBY_") && word.contains("__"));
    for name in environment.keys().map(String::as_str).chain(of_dev) {
        assert!(reference.contains(&format!("`{name}`")), "{name} is no setting");
    }
}

#[test]
fn ports_are_those_of_xtask_dev_and_open_to_this_machine_only() {
    let compose = compose();
    let published: BTreeSet<String> = services(&compose)
        .filter(|(_, service)| service["ports"].is_array())
        .flat_map(|(_, service)| strings(&service["ports"]).into_iter().map(str::to_owned))
        .collect();
    let expected = [
        format!("127.0.0.1:{KAFKA_PORT}:{KAFKA_PORT}"),
        format!("127.0.0.1:{POSTGRES_PORT}:5432"),
        format!("127.0.0.1:{ROSSBY_PORT}:7700"),
    ];
    assert_eq!(published, BTreeSet::from(expected));
    // What operators ask stays within the container.
    let rossby = &compose["services"]["rossby"];
    let operators = format!("127.0.0.1:{OPERATOR_PORT}");
    assert_eq!(rossby["environment"]["ROSSBY_SERVER__OPERATOR_LISTEN"], operators.as_str());
    let ready = format!("http://{operators}/readyz");
    assert!(strings(&rossby["healthcheck"]["test"]).contains(&ready.as_str()));
    let advertised = &compose["services"]["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"];
    assert!(advertised.as_str().unwrap().contains(&format!("HOST://127.0.0.1:{KAFKA_PORT}")));
}

#[test]
fn every_lasting_service_has_a_healthcheck_and_is_waited_for() {
    let compose = compose();
    let depends = compose["services"]["rossby"]["depends_on"].as_object().unwrap();
    for (name, service) in services(&compose) {
        let lasts = service["restart"] != "no";
        assert_eq!(service["healthcheck"]["test"].is_array(), lasts, "{name}");
        if name != "rossby" {
            let condition = if lasts { "service_healthy" } else { "service_completed_successfully" };
            assert_eq!(depends[name]["condition"], condition, "{name}");
        }
    }
}

#[test]
fn what_is_mounted_exists() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for volume in strings(&service["volumes"]) {
            let (source, _) = volume.split_once(':').unwrap();
            if source.starts_with('.') {
                assert!(layout::workspace().join(source).exists(), "{name}: {source}");
            } else {
                assert!(compose["volumes"].get(source).is_some(), "{name}: {source}");
            }
        }
    }
}

/// The image's own start-up program, which comes with Kafka's jars, makes the settings of compose's variables and the
/// shared file, and Kafka takes them.
#[cfg(feature = "servers")]
#[test]
fn the_images_own_start_up_takes_the_settings() {
    use std::process::Command;

    use crate::setup;
    use crate::tools::Purpose;

    let ready = setup::run(Purpose::Servers).unwrap();
    let compose = compose();
    let folder = tempfile::tempdir().unwrap();
    let [defaults, made, data] = ["defaults", "made", "data"].map(|name| folder.path().join(name));
    fs::create_dir(&defaults).unwrap();
    fs::create_dir(&made).unwrap();
    for name in ["server.properties", "log4j2.yaml", "tools-log4j2.yaml"] {
        fs::write(defaults.join(name), "").unwrap();
    }
    let mut command = Command::new(&ready.tools.java);
    command.env_clear();
    for (name, value) in compose["services"]["kafka"]["environment"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    let output = command
        .env("KAFKA_LOG_DIRS", &data)
        .arg("-cp")
        .arg(ready.jars.join("*"))
        .args(["kafka.docker.KafkaDockerWrapper", "setup", "-D"])
        .arg(&defaults)
        .arg("-M")
        .arg(layout::workspace().join("deploy/kafka"))
        .arg("-F")
        .arg(&made)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(data.join("meta.properties").exists(), "not formatted: {said}");
    let settings = fs::read_to_string(made.join("server.properties")).unwrap();
    assert_eq!(value(&settings, "auto.create.topics.enable"), Some("false"));
    assert_eq!(value(&settings, "controller.quorum.voters"), Some("1@kafka:9093"));
}
