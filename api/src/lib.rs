//! The HTTP server: routes, Hawk, limits, notifiers, OpenAPI.
