//! The HTTP server: routes, Hawk, limits, notifiers, OpenAPI.
//!
//! A handler reads from top to bottom: authenticate, ask the [`Service`](rossby_commands::Service), answer. Errors become
//! problem documents in one place.

mod body;
mod error;
mod hawk;
mod limits;
pub mod notify;
mod observe;
mod operator;
mod patience;
mod proxies;
mod routes;
mod seats;
mod server;
mod state;
mod stream;

pub use hawk::PublicUrl;
pub use limits::ApiLimits;
pub use observe::describe_metrics;
pub use operator::{NotReady, Readiness, operator_router};
pub use proxies::{Network, NotANetwork};
pub use routes::{openapi, router};
pub use server::{Server, ServerConfig};
pub use state::Api;
pub use stream::StreamLimits;
