//! The URLs under which clients reach the server.

use axum::http::Uri;

/// A URL under which clients reach the server. Hawk signs its host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    host: String,
    port: u16,
    is_default_port: bool,
}

/// A text that is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no URL with http or https and a host, without a path")]
pub struct NotAPublicUrl;

impl PublicUrl {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Whether a `Host` header names it.
    pub(crate) fn is_host(&self, header: &str) -> bool {
        match header.strip_suffix(&format!(":{}", self.port)) {
            Some(host) => host.eq_ignore_ascii_case(&self.host),
            None => self.is_default_port && header.eq_ignore_ascii_case(&self.host),
        }
    }
}

impl std::str::FromStr for PublicUrl {
    type Err = NotAPublicUrl;

    fn from_str(text: &str) -> Result<Self, NotAPublicUrl> {
        let uri: Uri = text.parse().map_err(|_| NotAPublicUrl)?;
        let default = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(NotAPublicUrl),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(NotAPublicUrl)?.to_ascii_lowercase();
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(NotAPublicUrl);
        }
        let port = uri.port_u16().unwrap_or(default);
        Ok(Self { host, port, is_default_port: port == default })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_recognised_with_and_without_its_default_port() {
        let url: PublicUrl = "https://Chat.example.org".parse().unwrap();
        assert!(url.is_host("chat.example.org") && url.is_host("CHAT.example.org:443"));
        assert!(!url.is_host("chat.example.org:80") && !url.is_host("example.org") && !url.is_host(""));
        let url: PublicUrl = "http://127.0.0.1:7700/".parse().unwrap();
        assert!(url.is_host("127.0.0.1:7700") && !url.is_host("127.0.0.1"));
        let url: PublicUrl = "http://[::1]:7700".parse().unwrap();
        assert!(url.is_host("[::1]:7700"));
        for bad in ["", "chat.example.org", "ftp://a", "http://", "http://a/b", "http://a?b"] {
            assert_eq!(bad.parse::<PublicUrl>(), Err(NotAPublicUrl), "{bad}");
        }
    }
}
