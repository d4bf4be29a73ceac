//! The registry that a request is at: the one that was asked, or another one that it redirected us to.

use reqwest::Url;

use crate::registry::{
    auth::flow::Auth, error_text::bare, problem::Asked, transport::request_spec::RequestSpec,
};

use super::host::{Elsewhere, Host};

/// Where a request is, and what is said of it in messages.
pub struct Destination<'a> {
    /// The registry that was asked.
    pub host: &'a Host,
    pub request_spec: &'a RequestSpec,
    /// Where a redirect has led to another registry.
    elsewhere: Option<Box<Elsewhere>>,
}

impl<'a> Destination<'a> {
    /// Returns the registry that is asked first.
    pub fn new(host: &'a Host, request_spec: &'a RequestSpec) -> Self {
        Self {
            host,
            request_spec,
            elsewhere: None,
        }
    }

    /// Takes in that a redirect has led to the API of a registry, and tells whether that is another one than before.
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

    /// Tells whether a URL is of the registry that the request is at.
    pub fn is_at(&self, url: &Url) -> bool {
        self.origin().origin() == url.origin()
    }

    /// Returns how this registry is entered.
    pub fn auth(&self) -> &Auth {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.auth, |elsewhere| &elsewhere.auth)
    }

    /// Returns where this registry is.
    pub fn origin(&self) -> &Url {
        let elsewhere = self.elsewhere.as_ref();
        elsewhere.map_or(&self.host.origin, |elsewhere| &elsewhere.url)
    }

    /// Returns what was asked of this registry before there was any challenge of it.
    pub fn asked_first(&self) -> Asked {
        let verb = self.request_spec.verb();
        match &self.elsewhere {
            Some(elsewhere) => self.asked(verb, &elsewhere.url),
            None => self.asked(verb, &self.request_spec.url(&self.host.origin)),
        }
    }

    /// Returns what is asked of a place.
    pub fn asked(&self, method: &'static str, url: &Url) -> Asked {
        let elsewhere = self.elsewhere.as_ref();
        let registry = elsewhere.map_or(&self.host.registry, |elsewhere| &elsewhere.registry);
        Asked {
            registry: registry.clone(),
            image: self.request_spec.image.clone(),
            method,
            url: bare(url),
            status: None,
            said: None,
        }
    }
}
