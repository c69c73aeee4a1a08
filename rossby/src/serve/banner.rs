//! What a server prints when it is ready.

use crate::config::Settings;

/// The text for a server that clients reach at `url`.
pub(super) fn text(settings: &Settings, url: &str) -> String {
    let mut text = format!("Rossby listens on {url}\n");
    if settings.is_embedded() {
        text += &format!("data             {}\n", settings.server.data_dir.display());
    }
    text += &format!("documentation    {url}/docs\n");
    text
}
