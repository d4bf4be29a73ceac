//! HTTP, as a registry is spoken to: what is sent, over which connection, how hard, how often, and to where at all.
//!
//! A `request_spec` says what is asked for. An `http_client` sends it and reads the answer within bounds, to no place that the
//! `url_policy` forbids. `limits` say how many requests there may be, `connection_warmup` how the first of many are sent, and
//! `retry` which are sent again.

pub mod connection_warmup;
pub mod http_client;
pub mod limits;
pub mod request_spec;
pub mod retry;
pub mod url_policy;
