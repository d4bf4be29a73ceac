//! What a registry is asked, before it is known how: the method, the thing, and how much of an answer is read.

use reqwest::Method;

use crate::image::{Digest, Reference};

use super::wire::cap;

/// A request to a registry, without what it takes to be let in.
#[derive(Clone, Debug)]
pub struct Question {
    /// `HEAD` or `GET`.
    pub method: Method,
    /// The repository that it is about; none, if it is about the registry.
    pub repository: String,
    /// What is asked for, below the repository: `manifests/…` or `blobs/…`.
    pub thing: String,
    /// The image in question, for people.
    pub image: String,
    /// How many bytes of an answer are read.
    pub cap: usize,
    /// Which of the registry's connections it takes, where there are several.
    pub lane: usize,
}

impl Question {
    /// Asks for the digest of what a reference names.
    pub fn head(image: &Reference) -> Self {
        Self::manifest(Method::HEAD, image, image.tag_or_digest())
    }

    /// Returns the same question on another connection.
    pub fn on(self, lane: usize) -> Self {
        Self { lane, ..self }
    }

    /// Asks for the document that a reference names.
    pub fn document(image: &Reference) -> Self {
        Self::manifest(Method::GET, image, image.tag_or_digest())
    }

    /// Asks for the document with `digest` in the repository of `image`.
    pub fn document_at(image: &Reference, digest: &Digest) -> Self {
        Self::manifest(Method::GET, image, digest.as_str())
    }

    /// Asks for the config with `digest` in the repository of `image`.
    pub fn config_at(image: &Reference, digest: &Digest) -> Self {
        Self {
            thing: format!("blobs/{digest}"),
            cap: cap::CONFIG,
            ..Self::manifest(Method::GET, image, "")
        }
    }

    /// Asks for the file of an artifact with `digest` in the repository of `image`.
    pub fn file_at(image: &Reference, digest: &Digest) -> Self {
        Self {
            cap: cap::FILE,
            ..Self::config_at(image, digest)
        }
    }

    /// Asks whether the distribution API is there at all. Only ever asked for the health of a registry.
    pub fn api() -> Self {
        Self {
            method: Method::GET,
            repository: String::new(),
            thing: String::new(),
            image: String::new(),
            cap: cap::ERROR,
            lane: 0,
        }
    }

    fn manifest(method: Method, image: &Reference, which: &str) -> Self {
        Self {
            method,
            repository: image.repository().to_owned(),
            thing: format!("manifests/{which}"),
            image: image.to_string(),
            cap: cap::MANIFEST,
            lane: 0,
        }
    }

    /// Returns the path of the URL. The grammar of references leaves nothing in it to be escaped.
    pub fn path(&self) -> String {
        match self.repository.as_str() {
            "" => "/v2/".to_owned(),
            repository => format!("/v2/{repository}/{}", self.thing),
        }
    }

    /// Returns the method as it is written.
    pub fn verb(&self) -> &'static str {
        match self.method {
            Method::HEAD => "HEAD",
            _ => "GET",
        }
    }
}
