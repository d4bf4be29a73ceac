//! Requests tokens from token services: which ones a registry may name, and how they are asked.

use std::time::Instant;

use reqwest::{Url, header::HeaderMap};

use crate::{
    registry::{
        auth::{
            request::TokenSource,
            token::{self, Token, TokenKey},
        },
        credentials::credential::{Credential, LoginSource},
        problem::{FailedRequest, LookupError, LookupFailure},
        transport::{
            http_client::{Body, Response, TransportError, cap, with_response},
            request_spec::RequestSpec,
        },
    },
    sys::settings,
};

use super::{
    destination::Destination,
    host::Host,
    outcome::{AttemptFailure, Attempts, NextStep},
};

impl TokenSource for Destination<'_> {
    fn asked(&self) -> FailedRequest {
        self.asked_first()
    }

    async fn ping(&self) -> HeaderMap {
        let api = RequestSpec::api();
        let mut url = self.origin().clone();
        url.set_path(&api.path());
        url.set_query(None);
        let http_client = self.host.client_to(&url, api.connection);
        let response = http_client.send(api.request(&url, None), api.wanted());
        match response.await {
            Ok(response) => response.headers,
            Err(_) => HeaderMap::new(),
        }
    }

    fn realm(&self, text: &str) -> Result<Url, LookupError> {
        let guard = &self.host.guard;
        guard.realm(self.origin(), text).map_err(|forbidden| {
            let problem = format!("its token service has a forbidden address: {forbidden}");
            let asked = FailedRequest {
                status: Some(401),
                ..self.asked_first()
            };
            LookupError::bad_reply(problem, asked)
        })
    }

    async fn grant(
        &self,
        key: &TokenKey,
        login: Option<&LoginSource>,
    ) -> Result<Token, LookupError> {
        let verb = match key.credential {
            Some(Credential::Identity(_)) => "POST",
            _ => "GET",
        };
        let asked = Destination::asked(self, verb, &key.realm.url);
        if let Some(Credential::Token(secret)) = &key.credential {
            return Token::given(secret, Instant::now())
                .map_err(|problem| LookupError::unknown(LookupFailure::Login(problem), asked));
        }
        if key.credential.is_some() && is_overheard(&key.realm.url, self.origin()) {
            let problem = "its token service would get the login over plain http".to_owned();
            return Err(LookupError::bad_reply(problem, asked));
        }
        let host = self.host;
        let _slot = host.token_slots.acquire().await;
        let mut tries = Attempts::new(host.limits.answers());
        loop {
            tries.made += 1;
            let outcome = ask_for_token(host, key).await;
            match host.after(outcome, tries, asked.clone()) {
                NextStep::Done(response) => return granted(&response, asked, login),
                NextStep::Failed(error) => return Err(error),
                NextStep::Again(pause) => host.clock.sleep(pause).await,
            }
        }
    }
}

async fn ask_for_token(host: &Host, key: &TokenKey) -> Result<Response, AttemptFailure> {
    let url = &key.realm.url;
    let http_client = host.client_to(url, 0);
    let client = http_client.client().map_err(AttemptFailure::at(url))?;
    let request = token::request(client, key);
    let request =
        request.map_err(|error| AttemptFailure::at(url)(TransportError::Network(error)))?;
    let response = http_client.send(request, Body::UpTo(cap::TOKEN)).await;
    response.map_err(AttemptFailure::at(url))
}

/// Tells whether a login sent to `url` could be read on its way: over plain http, to a machine other than the registry at `origin`, which
/// the user has chosen to trust, and other than this one.
fn is_overheard(url: &Url, origin: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "http" && origin.host_str() != Some(host) && !settings::is_loopback(host)
}

fn granted(
    response: &Response,
    asked: FailedRequest,
    login: Option<&LoginSource>,
) -> Result<Token, LookupError> {
    let asked = with_response(asked, response);
    match response.status {
        200 => Token::parse(&response.body, Instant::now())
            .map_err(|problem| LookupError::bad_reply(problem, asked)),
        400 | 401 | 403 => {
            let login = login.cloned();
            Err(LookupError::unknown(
                LookupFailure::Refused { login },
                asked,
            ))
        }
        _ => {
            let problem = "its token service answers with something else than a token".to_owned();
            Err(LookupError::bad_reply(problem, asked))
        }
    }
}
