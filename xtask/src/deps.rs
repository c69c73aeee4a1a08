//! The rule of who may depend on whom (docs/ARCHITECTURE.md), checked on what `cargo metadata` says.

use anyhow::bail;
use serde_json::Value;

use crate::cargo;

/// Each package of the workspace, and those of the workspace that it may depend on, for its tests as well.
const RULES: [(&str, &[&str]); 11] = [
    ("rossby-schemas", &[]),
    ("rossby-crypto", &["rossby-schemas"]),
    ("rossby-log", &["rossby-schemas", "rossby-crypto"]),
    ("rossby-blobs", &["rossby-schemas", "rossby-testing"]),
    ("rossby-projections", &["rossby-schemas", "rossby-crypto", "rossby-log"]),
    (
        "rossby-commands",
        &["rossby-schemas", "rossby-crypto", "rossby-log", "rossby-blobs", "rossby-projections", "rossby-testing"],
    ),
    (
        "rossby-api",
        &[
            "rossby-schemas",
            "rossby-crypto",
            "rossby-log",
            "rossby-blobs",
            "rossby-projections",
            "rossby-commands",
            "rossby-testing",
        ],
    ),
    ("rossby-testing", &["rossby-schemas", "rossby-crypto", "rossby-log", "rossby-commands"]),
    ("rossby-client", &["rossby-schemas", "rossby-crypto"]),
    (
        "rossby",
        &[
            "rossby-schemas",
            "rossby-crypto",
            "rossby-log",
            "rossby-blobs",
            "rossby-projections",
            "rossby-commands",
            "rossby-api",
            "rossby-client",
            "rossby-testing",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that belong behind a seam, and the packages that hold the seam. Tests may look behind it.
const SEAMS: [(&str, &[&str]); 3] = [
    ("rdkafka", &["rossby-log"]),
    ("sqlx", &["rossby-log", "rossby-projections", "rossby-client"]),
    ("object_store", &["rossby-blobs"]),
];

/// Checks the workspace, and fails with everything that breaks the rule.
pub(crate) fn run() -> anyhow::Result<()> {
    let found = violations(&cargo::metadata()?);
    if !found.is_empty() {
        bail!("dependencies go the wrong way (docs/ARCHITECTURE.md):\n  {}", found.join("\n  "));
    }
    println!("dependencies go one way");
    Ok(())
}

/// What breaks the rule, a sentence for each.
fn violations(metadata: &Value) -> Vec<String> {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let members: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in &packages {
        let Some(name) = package["name"].as_str() else { continue };
        let Some((_, allowed)) = RULES.iter().find(|(rule, _)| *rule == name) else {
            found.push(format!("{name} has no rule yet in xtask/src/deps.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // `name` is the package's own, whatever it is renamed to.
            let Some(target) = dependency["name"].as_str() else { continue };
            if members.contains(&target) && !allowed.contains(&target) {
                found.push(format!("{name} must not depend on {target}"));
            }
            let is_for_tests = dependency["kind"] == "dev";
            if let Some((seam, holders)) = SEAMS.iter().find(|(seam, _)| *seam == target)
                && !is_for_tests
                && !holders.contains(&name)
            {
                found.push(format!("{name} must not depend on {seam}; only {} may", holders.join(", ")));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::violations;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let list: Vec<Value> = dependencies.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": list })
    }

    fn check(packages: Vec<Value>) -> Vec<String> {
        violations(&json!({ "packages": packages }))
    }

    #[test]
    fn the_direction_of_the_design_is_allowed() {
        let found = check(vec![
            package("rossby-schemas", &[("serde", None)]),
            package("rossby-log", &[("rossby-schemas", None), ("rdkafka", None), ("sqlx", None)]),
            package("rossby-client", &[("rossby-schemas", None), ("sqlx", None)]),
            package("rossby", &[("rossby-log", None), ("rossby-client", None), ("rdkafka", Some("dev"))]),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn no_server_crate_may_depend_on_the_client_not_even_in_tests() {
        let client = || package("rossby-client", &[]);
        for name in ["rossby-schemas", "rossby-crypto", "rossby-log", "rossby-projections", "rossby-commands"] {
            for kind in [None, Some("dev"), Some("build")] {
                let found = check(vec![client(), package(name, &[("rossby-client", kind)])]);
                assert_eq!(found, [format!("{name} must not depend on rossby-client")]);
            }
        }
        assert_eq!(check(vec![client(), package("rossby-api", &[("rossby-client", None)])]).len(), 1);
    }

    #[test]
    fn a_lower_crate_may_not_depend_on_a_higher_one() {
        let found = check(vec![package("rossby-log", &[]), package("rossby-crypto", &[("rossby-log", None)])]);
        assert_eq!(found, ["rossby-crypto must not depend on rossby-log"]);
        let found =
            check(vec![package("rossby-commands", &[]), package("rossby-projections", &[("rossby-commands", None)])]);
        assert_eq!(found, ["rossby-projections must not depend on rossby-commands"]);
        let found = check(vec![package("rossby-log", &[]), package("rossby-client", &[("rossby-log", None)])]);
        assert_eq!(found, ["rossby-client must not depend on rossby-log"]);
    }

    #[test]
    fn kafka_and_sql_stay_behind_their_seams() {
        let found = check(vec![package("rossby-projections", &[("rdkafka", None)])]);
        assert_eq!(found, ["rossby-projections must not depend on rdkafka; only rossby-log may"]);
        assert_eq!(check(vec![package("rossby-api", &[("sqlx", None)])]).len(), 1);
        assert_eq!(check(vec![package("rossby-commands", &[("object_store", None)])]).len(), 1);
    }

    #[test]
    fn a_new_package_needs_a_rule() {
        assert_eq!(check(vec![package("rossby-new", &[])]), ["rossby-new has no rule yet in xtask/src/deps.rs"]);
    }
}
