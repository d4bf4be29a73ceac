//! HTTP to a registry: what is sent, over which connection, at which rate, with which retries, and to which hosts.
//!
//! A `request_spec` describes a request. An `http_client` sends it and reads the response within bounds, to no host that the `url_policy`
//! forbids. `limits` bound the number of requests, `connection_warmup` sends the first of many, and `retry` decides which are sent again.

pub mod connection_warmup;
pub mod header_reader;
pub mod http_client;
pub mod limits;
pub mod link;
pub mod request_spec;
pub mod retry;
pub mod url_policy;
