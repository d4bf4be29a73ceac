//! The registries that images come from: what a tag is now, which manifest a platform gets, and with which login.
//!
//! This room speaks the OCI distribution API and nothing else. It does not decide when to look, keeps nothing on disk,
//! and answers each question in one of three ways: found, absent, or could not tell.

mod artifact;
mod ask;
mod attempt;
mod auth;
mod auth_file;
mod auth_request;
mod body;
mod cache;
mod challenge;
mod client;
mod connection_warmup;
mod contents;
pub mod copy;
mod credential;
mod destination;
mod error_text;
mod flights;
mod grant;
mod groups;
mod head;
mod heads;
mod health;
mod helper;
mod host;
mod http_client;
mod index;
mod keychain;
mod kinds;
mod limits;
mod login_file;
mod made;
mod manifest;
mod memory;
mod outcome;
mod problem;
mod request_spec;
mod retry;
mod token;
mod url_policy;

pub use auth_file::AuthFormat;
pub use cache::{Answers, SeenTags};
pub use challenge::{Challenge, Demand, demand};
pub use client::Registries;
pub use credential::Login;
pub use error_text::server_words;
pub use head::{Defect, Kind, Seen};
pub use health::Health;
pub use index::ImageConfig;
pub use limits::Budget;
pub use manifest::{Document, parse as parse_manifest};
pub use problem::{Absence, Asked, LookupError, LookupFailure};
pub use token::Token;

/// Returns the name by which a registry is known here: Docker Hub has several.
fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => crate::image::reference::DOCKER_HUB,
        other => other,
    }
}
