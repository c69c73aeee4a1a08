//! `docs/CONFIGURATION.md` lists every setting with its environment variable and default.

use super::regions::RegionEntry;
use super::settings::Settings;

const REFERENCE: &str = include_str!("../../../docs/CONFIGURATION.md");

#[test]
fn every_setting_is_in_the_reference_with_its_default() {
    let defaults = toml::Table::try_from(Settings::default()).unwrap();
    let mut listed: Vec<&str> = REFERENCE.lines().filter(|line| line.starts_with("| `")).collect();
    for (section, settings) in &defaults {
        for (name, default) in settings.as_table().unwrap() {
            let variable = format!("ROSSBY_{}__{}", section.to_uppercase(), name.to_uppercase());
            let row = format!("| `{section}.{name}` | `{variable}` | ");
            let at = listed.iter().position(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
            let line = listed.remove(at);
            if name != "data_dir" {
                assert!(line.starts_with(&format!("{row}`{default}` |")), "{line}\nbut the default is {default}");
            }
        }
    }
    // Of each region, in the file alone.
    for (name, default) in &toml::Table::try_from(RegionEntry::default()).unwrap() {
        let row = format!("| `regions.{name}` | | `{default}` |");
        let at = listed.iter().position(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        listed.remove(at);
    }
    assert!(listed.is_empty(), "rows of settings that are no more: {listed:?}");
}
