//! Checks docker-compose.yml as far as that's possible without an engine: that it can be read, that its images are
//! pinned, and that what it starts has the settings that the tests run with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::dev::{DATABASE, KAFKA_PORT, OPERATOR_PORT, POSTGRES_PORT, ROSSBY_PORT};
use crate::kafka::{HEAP, Place, lines_of_the_place};
use crate::layout;

/// What depends on the place in PostgreSQL's settings: all that compose may give beside the file.
const POSTGRES_PLACE: [&str; 2] = ["config_file", "listen_addresses"];

/// The regions' names, and how far the second's ports on this machine are from the first's.
const REGIONS: [(&str, u16); 2] = [("east", 0), ("west", 1)];

/// Both regions' settings.
const SETTINGS: &str = "deploy/compose.toml";

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
                let numbers = tag
                    .trim_start_matches('v')
                    .split(['.', '-'])
                    .take_while(|part| part.parse::<u32>().is_ok())
                    .count();
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
    for (region, _) in REGIONS {
        for name in [format!("kafka-{region}"), format!("mirror-{region}")] {
            assert_eq!(compose()["services"][&name]["image"], format!("apache/kafka:{version}"), "{name}");
        }
        let postgres = &compose()["services"][format!("postgres-{region}")]["image"];
        assert!(postgres.as_str().unwrap().starts_with("postgres:15."));
    }

    let manifest = read("Cargo.toml");
    let rust = value(&manifest, "rust-version").unwrap().trim_matches('"');
    assert!(read("deploy/Dockerfile").contains(&format!("FROM rust:{rust}")), "another Rust than {rust}");
}

#[test]
fn kafka_has_the_settings_of_the_tests() {
    let compose = compose();
    for (region, _) in REGIONS {
        let kafka = &compose["services"][format!("kafka-{region}")];
        assert!(strings(&kafka["volumes"]).contains(&"./deploy/kafka:/mnt/shared/config:ro"));
        assert_eq!(kafka["environment"]["KAFKA_HEAP_OPTS"], HEAP);

        // Beside the shared file, compose says what xtask says, and no more.
        let place = Place { folder: Path::new("/"), port: 1, controller_port: 2, is_kept: true };
        assert_eq!(settings_of_variables(kafka), keys(&lines_of_the_place(&place)));
        let shared = read("deploy/kafka/server.properties");
        assert!(keys(&shared).is_disjoint(&settings_of_variables(kafka)));
    }
    let id = |region: &str| compose["services"][format!("kafka-{region}")]["environment"]["CLUSTER_ID"].clone();
    assert_ne!(id("east"), id("west"), "two clusters with one id");
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
    for (region, _) in REGIONS {
        let listeners = &compose["services"][format!("kafka-{region}")]["environment"]["KAFKA_LISTENERS"];
        for listener in listeners.as_str().unwrap().split(',').filter_map(|listener| listener.split(':').next()) {
            assert!(known.contains(&listener), "{listener} is none of {known:?}");
        }
    }
}

#[test]
fn postgres_has_the_settings_of_the_tests_and_is_durable() {
    let compose = compose();
    for (region, _) in REGIONS {
        let postgres = &compose["services"][format!("postgres-{region}")];
        let mount = "./deploy/postgres/postgresql.conf:/etc/postgresql/postgresql.conf:ro";
        assert!(strings(&postgres["volumes"]).contains(&mount));
        let command = strings(&postgres["command"]);
        let given: Vec<&str> = command.iter().filter_map(|word| word.split_once('=')).map(|(name, _)| name).collect();
        assert_eq!(given, POSTGRES_PLACE);
        assert!(command.contains(&"config_file=/etc/postgresql/postgresql.conf"));
    }

    let settings = read("deploy/postgres/postgresql.conf");
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        assert_eq!(value(&settings, name), Some("on"), "{name}");
    }
}

#[test]
fn both_regions_have_the_same_settings_but_for_their_place() {
    let compose = compose();
    let settings = read(SETTINGS);
    // A name that Rossby doesn't know would stop it; the reference is checked against the program elsewhere.
    let reference = read("docs/CONFIGURATION.md");
    let dev = read("xtask/src/dev.rs");
    let of_dev = dev.split('"').filter(|word| word.starts_with("ROSSBY_") && word.contains("__"));
    let mut names: BTreeSet<&str> = of_dev.collect();
    for (number, (region, _)) in (1..).zip(REGIONS) {
        let rossby = &compose["services"][format!("rossby-{region}")];
        assert_eq!(strings(&rossby["command"]), ["serve", "--config", "/etc/rossby/rossby.toml"]);
        let environment = &rossby["environment"];
        assert_eq!(environment["ROSSBY_REGION__NUMBER"], number.to_string());
        assert_eq!(environment["ROSSBY_REGION__NAME"], region);
        let url = environment["ROSSBY_READ_MODELS__URL"].as_str().unwrap();
        assert!(url.ends_with(&format!("@postgres-{region}:5432/{DATABASE}")), "{url}");
        let there = format!("number = {number}\nname = \"{region}\"\nkafka_brokers = \"kafka-{region}:9092\"\n");
        assert!(settings.contains(&there), "{SETTINGS} has no region {region}");
        // What all regions share stands in the file alone.
        assert!(environment.get("ROSSBY_SECRETS__FILE").is_none() && environment.get("ROSSBY_BLOBS__FOLDER").is_none());
        assert!(strings(&rossby["volumes"]).contains(&"rossby-data:/var/lib/rossby"));
    }
    for (service, definition) in services(&compose) {
        if !definition["build"].is_object() {
            continue;
        }
        let volumes = strings(&definition["volumes"]);
        let reads = volumes.contains(&format!("./{SETTINGS}:/etc/rossby/rossby.toml:ro").as_str());
        assert_eq!(reads, service != "secrets", "{service}");
        let environment = definition["environment"].as_object();
        names.extend(environment.into_iter().flat_map(|environment| environment.keys().map(String::as_str)));
    }
    assert!(
        settings.contains("[secrets]\nfile = \"/var/lib/rossby/")
            && settings.contains("[blobs]\nfolder = \"/var/lib/rossby/")
    );
    for name in names {
        assert!(reference.contains(&format!("`{name}`")), "{name} is no setting");
    }
}

#[test]
fn each_mirror_has_the_properties_that_rossby_writes() {
    let compose = compose();
    let writer = strings(&compose["services"]["mirror-config"]["command"]).join("\n");
    assert!(writer.contains("rossby mirror config"), "{writer}");
    for (region, _) in REGIONS {
        let mirror = &compose["services"][format!("mirror-{region}")];
        let properties = format!("/mirror/{region}.properties");
        assert_eq!(strings(&mirror["entrypoint"]), ["/opt/kafka/bin/connect-mirror-maker.sh", &properties]);
        assert!(strings(&mirror["volumes"]).contains(&"mirror-config:/mirror:ro"));
        assert!(writer.contains(region));
    }
}

#[test]
fn ports_are_those_of_xtask_dev_and_open_to_this_machine_only() {
    let compose = compose();
    let published: BTreeSet<String> = services(&compose)
        .filter(|(_, service)| service["ports"].is_array())
        .flat_map(|(_, service)| strings(&service["ports"]).into_iter().map(str::to_owned))
        .collect();
    let mut expected = BTreeSet::from([8025, 9090, 3000].map(|port| format!("127.0.0.1:{port}:{port}")));
    for (region, index) in REGIONS {
        let (kafka, postgres, port) = (KAFKA_PORT + 100 * index, POSTGRES_PORT + 100 * index, ROSSBY_PORT + 10 * index);
        expected.insert(format!("127.0.0.1:{kafka}:{kafka}"));
        expected.insert(format!("127.0.0.1:{postgres}:5432"));
        expected.insert(format!("127.0.0.1:{port}:7700"));
        let advertised = &compose["services"][format!("kafka-{region}")]["environment"]["KAFKA_ADVERTISED_LISTENERS"];
        assert!(advertised.as_str().unwrap().contains(&format!("HOST://127.0.0.1:{kafka}")));
        let rossby = &compose["services"][format!("rossby-{region}")];
        // Hawk signs the port that the client asked.
        let urls = rossby["environment"]["ROSSBY_SERVER__PUBLIC_URLS"].as_str().unwrap();
        assert!(urls.contains(&format!("http://127.0.0.1:{port}\"")), "{urls}");
        // Prometheus asks it; that it isn't published, the set above says.
        assert_eq!(rossby["environment"]["ROSSBY_SERVER__OPERATOR_LISTEN"], format!("0.0.0.0:{OPERATOR_PORT}"));
        let ready = format!("http://127.0.0.1:{OPERATOR_PORT}/readyz");
        assert!(strings(&rossby["healthcheck"]["test"]).contains(&ready.as_str()));
        let scraped = format!("targets: [\"rossby-{region}:{OPERATOR_PORT}\"]");
        assert!(read("deploy/prometheus/prometheus.yml").contains(&scraped), "{scraped}");
    }
    assert_eq!(published, expected);
}

#[test]
fn every_lasting_service_has_a_healthcheck_and_what_is_waited_for_exists() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert_eq!(service["healthcheck"]["test"].is_array(), service["restart"] != "no", "{name}");
        for (on, how) in service["depends_on"].as_object().into_iter().flatten() {
            let lasts = compose["services"][on]["restart"] != "no";
            assert!(compose["services"].get(on).is_some(), "{name} waits for {on}");
            let condition = if lasts { "service_healthy" } else { "service_completed_successfully" };
            assert_eq!(how["condition"], condition, "{name} waits for {on}");
        }
    }
    for (region, _) in REGIONS {
        let needed = [format!("kafka-{region}"), format!("postgres-{region}"), "secrets".into(), "topics".into()];
        for on in needed {
            assert!(compose["services"][format!("rossby-{region}")]["depends_on"].get(&on).is_some(), "{on}");
        }
    }
}

#[test]
fn no_password_stands_in_the_repository() {
    let file = read("docker-compose.yml");
    let example = read(".env.example");
    let lines = file.lines().filter(|line| line.contains("PASSWORD") || line.contains("postgres://"));
    for line in lines {
        assert!(line.contains("_PASSWORD:?"), "no variable, or one with a default: {line}");
        let (_, rest) = line.split_once("${").unwrap();
        let (name, _) = rest.split_once(':').unwrap();
        assert!(example.lines().any(|line| line == format!("{name}=")), "{name}");
    }
    assert!(read(".gitignore").lines().any(|line| line == "/.env"));
}

#[test]
fn what_is_mounted_exists() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for volume in service["volumes"].as_array().map(|_| strings(&service["volumes"])).unwrap_or_default() {
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
    for (name, value) in compose["services"]["kafka-east"]["environment"].as_object().unwrap() {
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
    assert_eq!(value(&settings, "controller.quorum.voters"), Some("1@kafka-east:9093"));
}
