//! The present registry of a request: the original one, or another one after a redirect.

use reqwest::Url;

use crate::registry::{
    auth::flow::Auth, error_text::bare, problem::FailedRequest,
    transport::request_spec::RequestSpec,
};

use super::host::{Host, RedirectedRegistry};

/// The present registry of a request, and its description in messages.
pub struct Destination<'a> {
    /// The original registry.
    pub host: &'a Host,
    pub request_spec: &'a RequestSpec,
    /// The other registry, after a redirect.
    elsewhere: Option<Box<RedirectedRegistry>>,
}

impl<'a> Destination<'a> {
    /// Returns the original registry.
    pub fn new(host: &'a Host, request_spec: &'a RequestSpec) -> Self {
        Self {
            host,
            request_spec,
            elsewhere: None,
        }
    }

    /// Follows a redirect to the API of a registry, and returns whether that is another registry than before.
    pub fn moves_to(&mut self, url: &Url) -> bool {
        if self.is_at(url) {
            return false;
        }
        self.elsewhere = if self.host.is_own(url) {
            None
        } else {
            Some(Box::new(self.host.elsewhere(url)))
        };
        true
    }

    /// Tells whether a URL is of the present registry.
    pub fn is_at(&self, url: &Url) -> bool {
        self.origin().origin() == url.origin()
    }

    /// Returns the authentication of this registry.
    pub fn auth(&self) -> &Auth {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.auth, |elsewhere| &elsewhere.auth)
    }

    /// Returns the origin of this registry.
    pub fn origin(&self) -> &Url {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.origin, |elsewhere| &elsewhere.url)
    }

    /// Returns this registry's first request, before any challenge.
    pub fn asked_first(&self) -> FailedRequest {
        let verb = self.request_spec.verb();
        match &self.elsewhere {
            Some(elsewhere) => self.asked(verb, &elsewhere.url),
            None => self.asked(verb, &self.request_spec.url(&self.host.origin)),
        }
    }

    /// Returns the description of a request to a URL.
    pub fn asked(&self, method: &'static str, url: &Url) -> FailedRequest {
        let elsewhere = self.elsewhere.as_ref();
        let registry = elsewhere.map_or(&self.host.registry, |elsewhere| &elsewhere.registry);
        FailedRequest {
            registry: registry.clone(),
            image: self.request_spec.image.clone(),
            method,
            url: bare(url),
            status: None,
            said: None,
        }
    }
}
