//! The client: private keys, contacts and pins, conversations, the local store, HTTP.
