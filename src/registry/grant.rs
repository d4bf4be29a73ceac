//! Tokens are granted elsewhere: which services a registry may name, and how they are asked.

use std::time::Instant;

use reqwest::Url;

use crate::sys::settings;

use super::{
    attempt::Attempt,
    credential::Credential,
    host::{After, Failure, told},
    http_client::{Body, Response, TransportError, cap},
    problem::{Asked, LookupError, LookupFailure},
    token::{self, Key, Token},
};

impl Attempt<'_> {
    /// Checks that the registry may have its tokens granted at `text`.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn realm(&self, text: &str) -> Result<Url, LookupError> {
        let host = self.host;
        host.guard.realm(self.origin(), text).map_err(|forbidden| {
            let problem = format!("it has its tokens granted where it must not: {forbidden}");
            LookupError::unknown(
                LookupFailure::BadReply(problem),
                self.asked_first(Some(401)),
            )
        })
    }

    /// Asks a token service until it answers, or there is no more sense in asking.
    ///
    /// # Errors
    ///
    /// Why there is no token. `login` says where the login is kept that was refused.
    pub async fn grant(&self, key: &Key, login: Option<&str>) -> Result<Token, LookupError> {
        let verb = match key.credential {
            Some(Credential::Identity(_)) => "POST",
            _ => "GET",
        };
        let asked = self.asked(verb, &key.realm.url);
        if let Some(Credential::Token(secret)) = &key.credential {
            return Token::given(secret, Instant::now())
                .map_err(|problem| LookupError::unknown(LookupFailure::Login(problem), asked));
        }
        if key.credential.is_some() && self.is_overheard(&key.realm.url) {
            let problem = "its token service would get the login over plain http".to_owned();
            return Err(LookupError::unknown(
                LookupFailure::BadReply(problem),
                asked,
            ));
        }
        let _slot = self.host.token_slots.acquire().await;
        let answers = self.host.limits.answers();
        let mut tries = 0;
        loop {
            tries += 1;
            let outcome = self.ask_for_token(key).await;
            match self.host.after(outcome, (tries, answers), asked.clone()) {
                After::Done(response) => return granted(&response, asked, login),
                After::Failed(error) => return Err(error),
                After::Again(pause) => self.host.clock.sleep(pause).await,
            }
        }
    }

    async fn ask_for_token(&self, key: &Key) -> Result<Response, Failure> {
        let url = &key.realm.url;
        let broken = |broken| Failure::TransportError(broken, url.clone());
        let http_client = self.host.client_to(url, 0);
        let request = token::request(http_client.client().map_err(broken)?, key);
        let request = request.map_err(|error| broken(TransportError::Network(error)))?;
        http_client
            .send(request, Body::UpTo(cap::TOKEN))
            .await
            .map_err(broken)
    }

    /// Tells whether a login sent to `url` could be read on its way: plain http, and to another machine than
    /// the registry, which the user has chosen to trust, and than this one.
    fn is_overheard(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "http"
            && self.origin().host_str() != Some(host)
            && !settings::is_loopback(host)
    }
}

fn granted(response: &Response, asked: Asked, login: Option<&str>) -> Result<Token, LookupError> {
    let asked = told(asked, response);
    match response.status {
        200 => Token::parse(&response.body, Instant::now())
            .map_err(|problem| LookupError::unknown(LookupFailure::BadReply(problem), asked)),
        400 | 401 | 403 => {
            let login = login.map(str::to_owned);
            Err(LookupError::unknown(
                LookupFailure::Refused { login },
                asked,
            ))
        }
        _ => {
            let problem = "its token service answers with something else than a token".to_owned();
            Err(LookupError::unknown(
                LookupFailure::BadReply(problem),
                asked,
            ))
        }
    }
}
