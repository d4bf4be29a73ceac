//! A request as those see it who let it in: what it is about, and where tokens for it come from.

use reqwest::{Url, header::HeaderMap};

use crate::registry::{
    problem::{Asked, LookupError, LookupFailure},
    transport::{
        http_client::{Response, told},
        request_spec::Access,
    },
};

use super::token::{Token, TokenKey};

/// A request that wants to be let in.
pub struct AuthRequest<'a, S> {
    /// The repository that it is about; none, if it is about the registry.
    pub repository: &'a str,
    /// What it needs to be allowed to do there.
    pub access: &'a Access,
    /// Where tokens for it come from.
    pub source: &'a S,
}

/// What is asked besides a request, so that it is let in: the registry's API, and the token services that it names.
pub trait TokenSource {
    /// Returns what was asked of the registry before there was any challenge of it, for messages.
    fn asked(&self) -> Asked;

    /// Asks the API of the registry without any login, and returns the headers of its answer; none, if there is none.
    async fn ping(&self) -> HeaderMap;

    /// Checks that the registry may have its tokens granted at `text`.
    fn realm(&self, text: &str) -> Result<Url, LookupError>;

    /// Asks a token service until it answers, or there is no more sense in asking.
    ///
    /// # Errors
    ///
    /// Why there is no token. `login` says where the login is kept that was refused.
    async fn grant(&self, key: &TokenKey, login: Option<&str>) -> Result<Token, LookupError>;
}

impl<S: TokenSource> AuthRequest<'_, S> {
    /// Returns a failure that befell another request as this one's.
    pub fn shared(&self, error: &LookupError) -> LookupError {
        error.shared_by(&self.source.asked().image)
    }

    /// Says that the login for the registry cannot be read.
    pub fn unreadable(&self, problem: String) -> LookupError {
        LookupError::unknown(LookupFailure::Login(problem), self.source.asked())
    }

    /// Says that the registry does not take a login.
    pub fn refused(&self, login: &str, response: &Response) -> LookupError {
        let login = Some(login.to_owned());
        let asked = told(self.source.asked(), response);
        LookupError::unknown(LookupFailure::Refused { login }, asked)
    }
}
