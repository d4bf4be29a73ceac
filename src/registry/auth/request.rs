//! A request as authentication sees it: its repository and access, and how tokens for it are requested.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reqwest::{Url, header::HeaderMap};

use crate::registry::{
    credentials::credential::LoginSource,
    problem::{FailedRequest, LookupError, LookupFailure},
    transport::{
        http_client::{Response, with_response},
        request_spec::Access,
    },
};

use super::token::{Token, TokenKey};

/// A request that needs authorization.
pub struct AuthRequest<'a, S> {
    /// The repository; empty for a request about the registry itself.
    pub repository: &'a str,
    /// The access to the repository that it needs.
    pub access: &'a Access,
    /// How tokens for it are requested.
    pub source: &'a S,
    pub logins: &'a Mutex<LoginProgress>,
}

/// Which of the logins for a repository one request has tried.
#[derive(Default)]
pub struct LoginProgress {
    /// The place of the login to use, as a position among the places of the keychain.
    pub from: usize,
    /// The position at which the search goes on if that login is refused.
    pub next: Option<usize>,
    /// The first refusal of a login, which is reported if no other one is accepted.
    pub refusal: Option<LookupError>,
}

impl LoginProgress {
    /// Goes on to the next login, and returns whether there is one, or at last none to send.
    pub fn pass(&mut self, refusal: Option<LookupError>) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        self.from = next;
        self.refusal = self.refusal.take().or(refusal);
        true
    }
}

/// The requests that authentication makes itself: to the registry's API, and to the token services that the registry names.
pub trait TokenSource {
    /// Returns the registry's first request, before any challenge, for messages.
    fn asked(&self) -> FailedRequest;

    /// Requests the API of the registry without any credential, and returns the headers of the response; empty, if there is none.
    async fn ping(&self) -> HeaderMap;

    /// Checks that the registry may use the token service at `text`.
    fn realm(&self, text: &str) -> Result<Url, LookupError>;

    /// Requests a token, with retries as long as they make sense.
    ///
    /// # Errors
    ///
    /// Why there is no token. `login` says where the refused credential comes from.
    async fn grant(
        &self,
        key: &TokenKey,
        login: Option<&LoginSource>,
    ) -> Result<Token, LookupError>;
}

impl<S: TokenSource> AuthRequest<'_, S> {
    pub fn logins(&self) -> MutexGuard<'_, LoginProgress> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the failure of another request as the failure of this one.
    pub fn shared(&self, error: &LookupError) -> LookupError {
        error.shared_by(&self.source.asked().image)
    }

    /// Returns that the credential for the registry cannot be read.
    pub fn unreadable(&self, problem: String) -> LookupError {
        LookupError::unknown(LookupFailure::Login(problem), self.source.asked())
    }

    /// Returns that the registry does not accept a credential.
    pub fn refused(&self, login: Option<&LoginSource>, response: &Response) -> LookupError {
        let login = login.cloned();
        let asked = with_response(self.source.asked(), response);
        LookupError::unknown(LookupFailure::Refused { login }, asked)
    }
}
