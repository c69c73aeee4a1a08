//! Checks that Grafana's dashboards and Prometheus's alerts ask for figures that Rossby has: a name that nothing sets
//! would be a line that never moves, and nobody would see why.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::layout;

/// The crates that set figures.
const SOURCES: [&str; 6] = ["api/src", "blobs/src", "commands/src", "log/src", "projections/src", "rossby/src"];

fn files(folder: &Path, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|name| name == extension) {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
    found
}

/// The names in a query or a source that begin as figures do.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| word.starts_with("rossby_"))
}

/// The figures of the sources: their names stand there as texts.
fn known() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for folder in SOURCES {
        for source in files(&layout::workspace().join(folder), "rs") {
            let texts = source.split('"').filter(|text| names(text).next() == Some(text));
            known.extend(texts.map(str::to_owned));
        }
    }
    known
}

fn assert_known(query: &str, known: &BTreeSet<String>) -> usize {
    let asked: Vec<&str> = names(query).collect();
    for name in &asked {
        let figure = name.strip_suffix("_bucket").unwrap_or(name);
        assert!(known.contains(figure), "nothing sets {figure}: {query}");
    }
    asked.len()
}

#[test]
fn dashboards_ask_for_figures_that_rossby_has() {
    let known = known();
    assert!(known.contains("rossby_projection_lag_records"), "{known:?}");
    let dashboards = files(&layout::workspace().join("deploy/grafana/dashboards"), "json");
    assert!(!dashboards.is_empty());
    let source = fs::read_to_string(layout::workspace().join("deploy/grafana/provisioning/datasources/prometheus.yml"));
    let source: Value = serde_saphyr::from_str(&source.unwrap()).unwrap();
    for dashboard in dashboards {
        let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let query = target["expr"].as_str().unwrap();
                assert!(assert_known(query, &known) > 0, "no figure of Rossby's: {query}");
                assert_eq!(target["datasource"]["uid"], source["datasources"][0]["uid"]);
            }
        }
    }
}

#[test]
fn alerts_ask_for_figures_that_rossby_has() {
    let known = known();
    let alerts = fs::read_to_string(layout::workspace().join("deploy/prometheus/alerts.yml")).unwrap();
    let alerts: Value = serde_saphyr::from_str(&alerts).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let asked: usize = rules.iter().map(|rule| assert_known(rule["expr"].as_str().unwrap(), &known)).sum();
    assert!(asked >= 5, "{asked}");
}
