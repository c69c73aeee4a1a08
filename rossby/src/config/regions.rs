//! The regions of one service: which there are, how their clusters are reached, and which is home to which identifiers.

use std::collections::{BTreeMap, BTreeSet};

use rossby_schemas::ids::{IDENTIFIER_SLOTS, RegionNumber};
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::check::is_region_name;
use super::settings::{BlobsIn, Hidden, LogProvider, Settings};

/// One of several regions.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegionEntry {
    /// Its number, fixed for ever: 1 to 255.
    pub(crate) number: u8,
    /// Its name, which mirrors put before its topics.
    pub(crate) name: String,
    /// The bootstrap servers of its cluster.
    pub(crate) kafka_brokers: String,
    /// Further settings of librdkafka for its cluster, beside those of `log.kafka_settings`, which they win over.
    pub(crate) kafka_settings: BTreeMap<String, Hidden>,
    /// The identifiers that are at home there: `0-511`, or several ranges and slots with commas between.
    pub(crate) identifier_slots: String,
}

/// All regions as the service works with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Regions {
    /// This one.
    pub(crate) here: RegionNumber,
    /// Names by numbers; the only region has whatever name it is given.
    pub(crate) names: BTreeMap<RegionNumber, String>,
    /// The home region of each slot.
    pub(crate) slots: Vec<RegionNumber>,
}

impl Settings {
    /// The regions that the settings name, or the only one.
    ///
    /// # Errors
    /// A setting that can't be used; none for settings that were checked.
    pub(crate) fn regions(&self) -> Result<Regions, ConfigError> {
        let here = RegionNumber(self.region.number);
        if self.regions.is_empty() {
            let names = BTreeMap::from([(here, self.region.name.clone())]);
            return Ok(Regions { here, names, slots: vec![here; usize::from(IDENTIFIER_SLOTS)] });
        }
        let names = self.regions.iter().map(|entry| (RegionNumber(entry.number), entry.name.clone())).collect();
        Ok(Regions { here, names, slots: table(&self.regions)? })
    }

    /// The names of the regions that a command is for: the one that is named, or all.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn regions_named(&self, name: Option<&str>) -> Result<Vec<String>, ConfigError> {
        let all = match self.regions.as_slice() {
            [] => vec![self.region.name.clone()],
            regions => regions.iter().map(|entry| entry.name.clone()).collect(),
        };
        match name {
            None => Ok(all),
            Some(name) if all.iter().any(|known| known == name) => Ok(vec![name.to_owned()]),
            Some(name) => Err(ConfigError::NoRegion { name: name.to_owned(), known: all.join(", ") }),
        }
    }

    /// How a region's cluster is reached; of the only region, as the settings of the log say.
    pub(crate) fn cluster(&self, region: &str) -> (&str, BTreeMap<String, Hidden>) {
        let mut settings = self.log.kafka_settings.clone();
        match self.regions.iter().find(|entry| entry.name == region) {
            Some(entry) => {
                settings.extend(entry.kafka_settings.clone());
                (&entry.kafka_brokers, settings)
            }
            None => (&self.log.kafka_brokers, settings),
        }
    }

    /// Refuses regions that do not fit together.
    pub(super) fn check_regions(&self) -> Result<(), ConfigError> {
        let Some(first) = self.regions.first() else { return Ok(()) };
        if self.log.provider != LogProvider::Kafka {
            return refuse("regions", "are named, but log.provider is not \"kafka\", which they need");
        }
        if !self.log.kafka_brokers.is_empty() {
            return refuse(
                "log.kafka_brokers",
                "must be empty where regions are named: each has its own kafka_brokers",
            );
        }
        if self.blobs.kept_in == BlobsIn::Folder && self.regions.len() > 1 && self.blobs.folder.as_os_str().is_empty() {
            return refuse("blobs.folder", "must name a folder that all regions share, or blobs.in be \"s3\"");
        }
        let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.regions {
            let name = &entry.name;
            if entry.number == 0 || !numbers.insert(entry.number) {
                return refuse("regions.number", "must be from 1 to 255, and each region have another");
            }
            if !is_region_name(name) {
                let why = "must be of lowercase letters, digits and hyphens, 32 at most, and not \"rossby\"";
                return refuse("regions.name", why);
            }
            if self.log.kafka_topic_prefix.split('.').any(|part| part == name) {
                let why =
                    format!("{name:?} is a part of log.kafka_topic_prefix, and mirrors would take topics for its own");
                return refuse("regions.name", &why);
            }
            if !names.insert(name) {
                return refuse("regions.name", "must be another for each region");
            }
            if entry.kafka_brokers.trim().is_empty() {
                let why = format!("of the region {name:?} is empty; it names the brokers as HOST:PORT");
                return refuse("regions.kafka_brokers", &why);
            }
        }
        let is_here = |entry: &RegionEntry| entry.number == self.region.number && entry.name == self.region.name;
        if !self.regions.iter().any(is_here) {
            let why = format!(
                "and region.name are {} and {:?}, which are of no region that is named; the first is {} and {:?}",
                self.region.number, self.region.name, first.number, first.name
            );
            return refuse("region.number", &why);
        }
        table(&self.regions).map(drop)
    }
}

fn refuse<T>(name: &'static str, why: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Unusable { name, why: why.to_owned() })
}

/// The home of each slot.
fn table(regions: &[RegionEntry]) -> Result<Vec<RegionNumber>, ConfigError> {
    const NAME: &str = "regions.identifier_slots";
    let mut homes: Vec<Option<RegionNumber>> = vec![None; usize::from(IDENTIFIER_SLOTS)];
    for entry in regions {
        for range in entry.identifier_slots.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let slot = |text: &str| text.trim().parse::<u16>().ok().filter(|slot| *slot < IDENTIFIER_SLOTS);
            let (Some(first), Some(last)) = (slot(first), slot(last)) else {
                return refuse(NAME, &format!("has {range:?}; slots are from 0 to 1023, a range is as 0-511"));
            };
            if first > last {
                return refuse(NAME, &format!("has {range:?}, which ends before it begins"));
            }
            for slot in first..=last {
                let home = RegionNumber(entry.number);
                if let Some(before) = homes.get_mut(usize::from(slot)).and_then(|place| place.replace(home)) {
                    return refuse(NAME, &format!("give the slot {slot} to the regions {before} and {home}"));
                }
            }
        }
    }
    let missing = homes.iter().position(Option::is_none);
    if let Some(slot) = missing {
        return refuse(NAME, &format!("give the slot {slot} to no region; each of 0 to 1023 must stand once"));
    }
    Ok(homes.into_iter().flatten().collect())
}

impl Regions {
    /// The other regions, by number.
    pub(crate) fn others(&self) -> impl Iterator<Item = (RegionNumber, &str)> {
        self.names.iter().filter(|(number, _)| **number != self.here).map(|(number, name)| (*number, name.as_str()))
    }

    /// The slots of a region as ranges: `0-511,600`.
    pub(crate) fn slots_of(&self, region: RegionNumber) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (slot, _) in self.slots.iter().enumerate().filter(|(_, home)| **home == region) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == slot => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        let text = |(first, last): &(usize, usize)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        ranges.iter().map(text).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(slots: &[&str]) -> Vec<RegionEntry> {
        let entry = |(number, slots): (u8, &&str)| RegionEntry {
            number,
            name: format!("r{number}"),
            kafka_brokers: "b:1".to_owned(),
            identifier_slots: (*slots).to_owned(),
            ..RegionEntry::default()
        };
        (1..).zip(slots).map(entry).collect()
    }

    fn settings(regions: Vec<RegionEntry>) -> Settings {
        let mut settings = Settings { regions, ..Settings::default() };
        settings.log.provider = LogProvider::Kafka;
        settings.region.name = "r1".to_owned();
        settings.blobs.folder = "/shared".into();
        settings
    }

    #[test]
    fn each_slot_has_one_home() {
        let regions = settings(entries(&["0-511, 600", "512-599,601-1023"])).regions().unwrap();
        let home = |slot: usize| regions.slots[slot].0;
        assert_eq!((home(0), home(511), home(512), home(600), home(601), home(1023)), (1, 1, 2, 1, 2, 2));
        assert_eq!(regions.slots_of(RegionNumber(1)), "0-511,600");
        assert_eq!(regions.others().collect::<Vec<_>>(), [(RegionNumber(2), "r2")]);
        // A region that came later is home to none.
        assert_eq!(settings(entries(&["0-1023", ""])).regions().unwrap().slots_of(RegionNumber(2)), "");
        assert_eq!(Settings::default().regions().unwrap().slots_of(RegionNumber(1)), "0-1023");
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let with = |change: &dyn Fn(&mut Settings)| {
            let mut settings = settings(entries(&["0-511", "512-1023"]));
            change(&mut settings);
            settings.check_regions().map_err(|error| error.to_string())
        };
        assert_eq!(with(&|_| {}), Ok(()));
        type Change = dyn Fn(&mut Settings);
        let refused: &[(&Change, &str)] = &[
            (&|s| s.log.provider = LogProvider::Sqlite, "setting regions are named"),
            (&|s| s.log.kafka_brokers = "b:1".into(), "log.kafka_brokers must be empty"),
            (&|s| s.blobs.folder = "".into(), "blobs.folder"),
            (&|s| s.region.number = 3, "region.number and region.name are 3"),
            (&|s| s.region.name = "r2".into(), "region.number and region.name are 1 and \"r2\""),
            (&|s| s.regions[1].number = 1, "regions.number"),
            (&|s| s.regions[1].number = 0, "regions.number"),
            (&|s| s.regions[1].name = "r1".into(), "another for each"),
            (&|s| s.regions[1].name = "R2".into(), "regions.name"),
            (&|s| s.regions[1].name = "rossby".into(), "regions.name"),
            (&|s| s.log.kafka_topic_prefix = "a.r2.".into(), "part of log.kafka_topic_prefix"),
            (&|s| s.regions[1].kafka_brokers = " ".into(), "regions.kafka_brokers of the region \"r2\""),
            (&|s| s.regions[1].identifier_slots = "512-1022".into(), "slot 1023 to no region"),
            (&|s| s.regions[1].identifier_slots = "511-1023".into(), "slot 511 to the regions 1 and 2"),
            (&|s| s.regions[1].identifier_slots = "512-1024".into(), "slots are from 0 to 1023"),
            (&|s| s.regions[1].identifier_slots = "1023-512".into(), "ends before"),
            (&|s| s.regions[1].identifier_slots = "half".into(), "half"),
        ];
        for (change, says) in refused {
            let error = with(change).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
