//! The registries of images: the digest of a tag, the manifest for a platform, and the login for each registry.
//!
//! This room speaks the OCI distribution API and nothing else. It does not decide when to look, stores nothing on disk, and answers each
//! look-up in one of three ways: found, absent, or unknown.
//!
//! From the lowest layer up: `transport`, `credentials` and `documents` are independent, and `auth` uses the first two. `requests` sends
//! one request to one registry; the rest of the program uses the `client`.

mod artifact;
mod auth;
mod client;
mod contents;
pub mod copy;
mod credentials;
mod documents;
mod error_text;
mod health;
mod image_reader;
mod image_summary;
mod inventory;
mod joined;
mod login_store;
mod made;
mod memory;
mod pages;
mod problem;
mod removal;
mod requests;
mod transport;

pub use auth::{
    challenge::{Challenge, SelectedChallenge, select_challenge},
    token::Token,
};
pub use client::Registries;
pub use credentials::{
    auth_file::{AuthFormat, auth_file_of, hidden_in_auth_file},
    credential::{Login, LoginSource},
};
pub use documents::{
    head::{Defect, ManifestKind, ResolvedTag},
    index::ImageConfig,
    manifest::{Document, parse as parse_manifest},
};
pub use error_text::server_words;
pub use health::Health;
pub use image_summary::ImageSummary;
pub use inventory::{Inspected, ManifestPart};
pub use joined::{JoinedIndex, JoinedPart};
pub use made::RegistryImage;
pub use memory::cache::{CacheExport, SeenTags};
pub use problem::{FailedRequest, LookupError, LookupFailure, MissingPart};
pub use removal::Removal;
pub use transport::limits::Budget;

use reqwest::header::{AsHeaderName, HeaderMap};

/// Returns the name of a registry in this room: Docker Hub has several.
pub fn canonical(registry: &str) -> &str {
    match registry {
        "index.docker.io" | "registry-1.docker.io" => crate::image::reference::DOCKER_HUB,
        other => other,
    }
}

/// Returns the text of a header; `None` where it is missing, or has other characters than those of ASCII.
fn header_text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the login server at a URL.
fn login_server(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => canonical(host).to_owned(),
    }
}
