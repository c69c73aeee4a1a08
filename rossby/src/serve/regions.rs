//! Whether the settings name the regions with which the read models were founded.

use anyhow::{Context as _, bail};
use rossby_projections::{Homes, OtherRegion, ProjectorConfig, ReadModels, RegionsCheck, ReplayOf, Replayed};
use rossby_schemas::ids::RegionNumber;
use serde::{Deserialize, Serialize};

use crate::config::{Regions, Settings};

/// A region as the read models keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    number: RegionNumber,
    /// None for the only region, whose name no topic has.
    name: Option<String>,
    slots: String,
}

/// The regions that the settings name.
///
/// # Errors
/// The read models were founded with others. A region that was added since is none, if no identifier is at home there.
pub(super) async fn open(settings: &Settings, models: &ReadModels) -> anyhow::Result<Regions> {
    if let Some(Replayed { of: ReplayOf { box_id: Some(box_id), .. }, .. }) = models.replayed().await? {
        bail!(
            "these read models hold what concerns the box {box_id} alone, from `rossby replay`; name another database"
        );
    }
    let regions = settings.regions()?;
    let mut now = kept(&regions, !settings.regions.is_empty());
    let check = RegionsCheck { here: regions.here, regions: serde_json::to_string(&now)? };
    let known = models.keep_regions_check(check.clone()).await?;
    if known == check {
        return Ok(regions);
    }
    if known.here != regions.here {
        bail!(
            "the setting region.number is {}, and these read models are of region {}; which events count depends on it",
            regions.here,
            known.here
        );
    }
    let before: Vec<Kept> = serde_json::from_str(&known.regions).context("the read models' regions can't be read")?;
    for before in &before {
        let Some(same) = now.iter_mut().find(|region| region.number == before.number) else {
            bail!("the settings have no region {}, with which these read models were founded", before.number);
        };
        // The only region gets its name with the first other one.
        match (&before.name, &same.name) {
            (Some(name), Some(other)) if name != other => bail!(
                "the settings call region {} {other:?}, and these read models know it as {name:?}; its topics are mirrored by that name",
                before.number
            ),
            (Some(name), None) => same.name = Some(name.clone()),
            _ => {}
        }
        if before.slots != same.slots {
            bail!(
                "the setting regions.identifier_slots gives region {} the slots {:?}, and these read models were founded with {:?}: \
                 identifiers don't move",
                before.number,
                same.slots,
                before.slots
            );
        }
    }
    if now != before {
        let replaced = serde_json::to_string(&now)?;
        let known = models.replace_regions_check(known, replaced.clone()).await?;
        if known.regions != replaced {
            bail!("another process with other regions has started at the same moment; start again");
        }
    }
    Ok(regions)
}

/// What the projections of these regions read, and which region is home to which stream.
///
/// # Errors
/// The table of slots has another length.
pub(crate) fn projector_config(regions: &Regions) -> anyhow::Result<ProjectorConfig> {
    let mut config = ProjectorConfig::single_region(regions.here);
    config.others = regions.others().map(|(number, name)| OtherRegion { number, name: name.to_owned() }).collect();
    config.homes = Homes::new(regions.slots.clone()).context("the table of slots has another length")?;
    Ok(config)
}

fn kept(regions: &Regions, are_named: bool) -> Vec<Kept> {
    let region = |(number, name): (&RegionNumber, &String)| Kept {
        number: *number,
        name: are_named.then(|| name.clone()),
        slots: regions.slots_of(*number),
    };
    regions.names.iter().map(region).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RegionEntry;

    fn settings(regions: &[(u8, &str, &str)]) -> Settings {
        let entry = |(number, name, slots): &(u8, &str, &str)| RegionEntry {
            number: *number,
            name: (*name).to_owned(),
            identifier_slots: (*slots).to_owned(),
            ..RegionEntry::default()
        };
        Settings { regions: regions.iter().map(entry).collect(), ..Settings::default() }
    }

    #[tokio::test]
    async fn read_models_keep_to_the_regions_that_they_were_founded_with() {
        let folder = tempfile::tempdir().unwrap();
        let open_models = |name: &str| {
            let url = format!("sqlite:{}", folder.path().join(name).display());
            async move { ReadModels::open(&url, 2).await.unwrap() }
        };
        let models = open_models("tables").await;
        let two = settings(&[(1, "east", "0-511"), (2, "west", "512-1023")]);
        let regions = open(&two, &models).await.unwrap();
        assert_eq!((regions.slots[511], regions.slots[512]), (RegionNumber(1), RegionNumber(2)));
        assert_eq!(open(&two, &models).await.unwrap(), regions);
        let refused: &[(Settings, &str)] = &[
            (settings(&[(1, "east", "0-512"), (2, "west", "513-1023")]), "regions.identifier_slots"),
            (settings(&[(1, "east", "512-1023"), (2, "west", "0-511")]), "identifiers don't move"),
            (settings(&[(1, "east", "0-511"), (2, "south", "512-1023")]), "know it as \"west\""),
            (settings(&[(1, "east", "0-511"), (3, "west", "512-1023")]), "no region 2"),
            (settings(&[(1, "east", "0-1023")]), "regions.identifier_slots"),
            (settings(&[]), "regions.identifier_slots"),
        ];
        for (settings, says) in refused {
            let error = open(settings, &models).await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let mut elsewhere = two.clone();
        elsewhere.region.number = 2;
        assert!(open(&elsewhere, &models).await.unwrap_err().to_string().contains("region.number is 2"));
        // A third that came later, and is kept from then on.
        open(&settings(&[(1, "east", "0-511"), (2, "west", "512-1023"), (3, "south", "")]), &models).await.unwrap();
        assert!(open(&two, &models).await.unwrap_err().to_string().contains("no region 3"));

        // One region becomes one of several, and takes its name then.
        let models = open_models("grown").await;
        open(&Settings::default(), &models).await.unwrap();
        let grown = settings(&[(1, "north", "0-1023"), (2, "west", "")]);
        open(&grown, &models).await.unwrap();
        let renamed = settings(&[(1, "east", "0-1023"), (2, "west", "")]);
        assert!(open(&renamed, &models).await.unwrap_err().to_string().contains("know it as \"north\""));
    }
}
