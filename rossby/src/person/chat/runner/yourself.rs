//! Actions about the person themselves: what they are called, and their addresses.

use std::path::PathBuf;

use rossby_client::{
    Client, ClientError, Confirmed, IdentifierError, Objected, Picture, ProfileChange, ProfileChanged,
};

use super::files::expanded;
use crate::person::chat::state::action::{Action, Found, Outcome};
use crate::person::screen::{address, minute};

/// Does something; nothing, if it is about something else.
pub(super) async fn act(client: &Client, action: &Action) -> Result<Outcome, ClientError> {
    match action {
        Action::ReadProfile => Ok(Found::Profile(Box::new(client.profile().await?)).into()),
        Action::SetProfileName(name) => change(client, ProfileChange { name: Some(name.clone()), picture: None }).await,
        Action::SetProfilePicture(path) => set_picture(client, path.as_ref()).await,
        Action::ListIdentifiers => Ok(identifiers(client).await?.into()),
        Action::AddIdentifier(identifier) => {
            let asked = client.add_identifier(identifier).await?;
            Ok(Found::CodeSent(address(&asked.identifier).to_owned()).into())
        }
        Action::ConfirmIdentifier { code, claims } => confirm(client, code, *claims).await,
        Action::RemoveIdentifier(meant) => {
            client.remove_identifier(meant).await?;
            Ok(Outcome::from(identifiers(client).await?).saying("It leads to you no more"))
        }
        Action::ObjectToClaim(meant) => Ok(match client.object(meant, None).await? {
            Objected::Ended(_) => Outcome::from(identifiers(client).await?).saying(STAYS),
            Objected::CodeAsked(asked) => Found::CodeSent(address(&asked.identifier).to_owned()).into(),
        }),
        _ => Ok(Outcome::default()),
    }
}

const STAYS: &str = "It stays with your account: the claim has ended";

async fn identifiers(client: &Client) -> Result<Found, ClientError> {
    Ok(Found::Identifiers(client.identifiers().await?))
}

async fn set_picture(client: &Client, path: Option<&PathBuf>) -> Result<Outcome, ClientError> {
    let picture = match path {
        Some(path) => Some(Picture::of_file(&expanded(path)).await?),
        None => None,
    };
    change(client, ProfileChange { name: None, picture: Some(picture) }).await
}

async fn change(client: &Client, change: ProfileChange) -> Result<Outcome, ClientError> {
    let ProfileChanged { profile, reason } = client.change_profile(change).await?;
    let said = match reason {
        None => "Those whom you have accepted see it".to_owned(),
        Some(reason) => format!("Kept; the server gets it when it can be reached: {reason}"),
    };
    Ok(Outcome::from(Found::Profile(Box::new(profile))).saying(said))
}

async fn confirm(client: &Client, code: &str, claims: bool) -> Result<Outcome, ClientError> {
    let said = match client.confirm_code(code, claims).await {
        Ok(Confirmed::Added(identifier)) => format!("{} leads to you from now on", address(&identifier)),
        Ok(Confirmed::Claimed { identifier, effective_at }) => {
            format!("{} is yours from {} on, unless they object", address(&identifier), minute(effective_at))
        }
        Ok(Confirmed::Objected(_)) => STAYS.to_owned(),
        Err(ClientError::Identifier(IdentifierError::Taken(address))) if !claims => {
            return Ok(Found::Taken { address, code: code.to_owned() }.into());
        }
        Err(error) => return Err(error),
    };
    Ok(Outcome::from(identifiers(client).await?).saying(said))
}
