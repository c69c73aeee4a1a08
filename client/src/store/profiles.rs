//! Profiles: the own one, and those of others.

use rossby_crypto::profile::ProfileKey;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::{DAMAGED, fixed, number, octets, signed};
use crate::error::ClientError;
use crate::profile::{Picture, Profile};
use crate::vault::Vault;

const OWN_KEY: &str = "own profile key";
const OWN_PROFILE: &str = "own profile";

/// The own profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnProfile {
    pub(crate) key: ProfileKey,
    pub(crate) revision: u64,
    pub(crate) profile: Profile,
    /// Whether the server has it.
    pub(crate) is_stated: bool,
    /// Whether everybody who is to read it was given the key.
    pub(crate) is_told: bool,
}

/// What is known of somebody's profile.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerProfile {
    pub(crate) key: Option<ProfileKey>,
    /// As the server showed it last.
    pub(crate) shown: Option<Octets>,
    /// What was opened last: the version of its key, and its revision.
    pub(crate) opened: Option<(u32, u64)>,
}

fn key_of(vault: &Vault, label: &str, version: u32, sealed: &[u8]) -> Result<ProfileKey, ClientError> {
    let key = vault.open(label, sealed)?;
    Ok(ProfileKey::from_bytes(version, key.as_slice().try_into().map_err(|_| DAMAGED)?))
}

/// The own profile, if there ever was one.
pub(crate) async fn own(connection: &mut SqliteConnection, vault: &Vault) -> Result<Option<OwnProfile>, ClientError> {
    type Row = (u32, Vec<u8>, i64, Vec<u8>, bool, bool);
    let row: Option<Row> =
        sqlx::query_as("select key_version, profile_key, revision, profile, stated, told from own_profile")
            .fetch_optional(connection)
            .await?;
    let Some((version, key, revision, profile, is_stated, is_told)) = row else { return Ok(None) };
    let profile = vault.open(OWN_PROFILE, &profile)?;
    Ok(Some(OwnProfile {
        key: key_of(vault, OWN_KEY, version, &key)?,
        revision: number(revision)?,
        profile: serde_json::from_slice(&profile).map_err(|_| DAMAGED)?,
        is_stated,
        is_told,
    }))
}

pub(crate) async fn set_own(
    connection: &mut SqliteConnection,
    vault: &Vault,
    own: &OwnProfile,
) -> Result<(), ClientError> {
    // Texts and octets, which JSON can hold.
    let profile = serde_json::to_vec(&own.profile).unwrap_or_default();
    sqlx::query(
        "insert into own_profile (one, key_version, profile_key, revision, profile, stated, told)
         values (1, ?, ?, ?, ?, ?, ?)
         on conflict (one) do update set key_version = excluded.key_version, profile_key = excluded.profile_key,
             revision = excluded.revision, profile = excluded.profile, stated = excluded.stated, told = excluded.told",
    )
    .bind(own.key.version())
    .bind(vault.seal(OWN_KEY, own.key.as_bytes()))
    .bind(signed(own.revision))
    .bind(vault.seal(OWN_PROFILE, &profile))
    .bind(own.is_stated)
    .bind(own.is_told)
    .execute(connection)
    .await?;
    Ok(())
}

fn label(what: &str, box_id: BoxId) -> String {
    format!("profile {what} {box_id}")
}

/// What is known of somebody's profile.
pub(crate) async fn peer(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
) -> Result<PeerProfile, ClientError> {
    type Row = (Option<u32>, Option<Vec<u8>>, Option<Vec<u8>>, Option<u32>, Option<i64>);
    let row: Option<Row> = sqlx::query_as(
        "select key_version, profile_key, shown, opened_version, opened_revision from profiles where box_id = ?",
    )
    .bind(box_id.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    let Some((version, key, shown, opened_version, opened_revision)) = row else { return Ok(PeerProfile::default()) };
    let key = match (version, key) {
        (Some(version), Some(key)) => Some(key_of(vault, &label("key", box_id), version, &key)?),
        _ => None,
    };
    let opened = match (opened_version, opened_revision) {
        (Some(version), Some(revision)) => Some((version, number(revision)?)),
        _ => None,
    };
    Ok(PeerProfile { key, shown: shown.map(octets), opened })
}

/// What opens the profiles of others.
pub(crate) async fn keys(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<Vec<(BoxId, ProfileKey)>, ClientError> {
    let rows: Vec<(Vec<u8>, u32, Vec<u8>)> = sqlx::query_as(
        "select box_id, key_version, profile_key from profiles where profile_key is not null order by box_id",
    )
    .fetch_all(connection)
    .await?;
    let read = |(box_id, version, key): (Vec<u8>, _, Vec<u8>)| {
        let box_id = BoxId::from_bytes(fixed(&box_id)?);
        Ok((box_id, key_of(vault, &label("key", box_id), version, &key)?))
    };
    rows.into_iter().map(read).collect()
}

pub(crate) async fn set_key(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
    key: &ProfileKey,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into profiles (box_id, key_version, profile_key) values (?, ?, ?)
         on conflict (box_id) do update set key_version = excluded.key_version, profile_key = excluded.profile_key",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(key.version())
    .bind(vault.seal(&label("key", box_id), key.as_bytes()))
    .execute(connection)
    .await?;
    Ok(())
}

pub(crate) async fn set_shown(
    connection: &mut SqliteConnection,
    box_id: BoxId,
    shown: &Octets,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into profiles (box_id, shown) values (?, ?) on conflict (box_id) do update set shown = excluded.shown",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(shown.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps what a profile says that was opened. There is a key of it.
pub(crate) async fn set_opened(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
    (version, revision): (u32, u64),
    profile: &Profile,
) -> Result<(), ClientError> {
    let name = profile.name.as_ref().map(|name| vault.seal(&label("name", box_id), name.as_bytes()));
    // A text and octets, which JSON can hold.
    let picture = profile.picture.as_ref().map(|picture| serde_json::to_vec(picture).unwrap_or_default());
    sqlx::query("update profiles set opened_version = ?, opened_revision = ?, name = ?, picture = ? where box_id = ?")
        .bind(version)
        .bind(signed(revision))
        .bind(name)
        .bind(picture.map(|picture| vault.seal(&label("picture", box_id), &picture)))
        .bind(box_id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// What somebody calls themselves.
pub(crate) async fn name(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
) -> Result<Option<String>, ClientError> {
    let sealed: Option<Option<Vec<u8>>> = sqlx::query_scalar("select name from profiles where box_id = ?")
        .bind(box_id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    let open =
        |sealed: Vec<u8>| String::from_utf8(vault.open(&label("name", box_id), &sealed)?.to_vec()).map_err(|_| DAMAGED);
    sealed.flatten().map(open).transpose()
}

/// What somebody's profile says; none if it was never opened.
pub(crate) async fn profile(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
) -> Result<Option<Profile>, ClientError> {
    let row: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("select picture from profiles where box_id = ? and opened_version is not null")
            .bind(box_id.as_bytes().as_slice())
            .fetch_optional(&mut *connection)
            .await?;
    let Some(picture) = row else { return Ok(None) };
    let open = |sealed: Vec<u8>| -> Result<Picture, ClientError> {
        serde_json::from_slice(&vault.open(&label("picture", box_id), &sealed)?).map_err(|_| DAMAGED)
    };
    Ok(Some(Profile { name: name(connection, vault, box_id).await?, picture: picture.map(open).transpose()? }))
}
