//! The health of a registry, for `acrt check-health`.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use reqwest::header::DATE;

use crate::{image::reference::DOCKER_HUB, sys::secret::Secret};

use super::{
    auth::flow::Authorization,
    client::{Registries, defective, refusal, success},
    credentials::credential::Credential,
    documents::head,
    header_text,
    problem::LookupError,
    requests::attempt::Attempt,
    transport::{limits::Budget, request_spec::RequestSpec, retry},
};

/// The image of Docker Hub that its documentation names to ask for the limits, which its API itself does not tell. HEAD is no pull.
const RATE_LIMIT_PREVIEW: &str = "docker.io/ratelimitpreview/test:latest";

/// The health of a registry, from a request to its API with the available login.
#[derive(Debug)]
pub struct Health {
    /// The login server.
    pub registry: String,
    /// Whether its API answers and accepts the login.
    pub api: Result<(), LookupError>,
    /// Where its login is stored: a file and a key, a helper, or the task; `None`, if there is none. The error says which file or helper is
    /// broken.
    pub login: Result<Option<String>, String>,
    /// The files that were searched for a login, in order, whether or not they exist.
    pub looked_into: Vec<PathBuf>,
    pub budget: Budget,
    /// How far its clock is ahead of the local one, where it sent the time; negative, if it is behind. With a difference of minutes, tokens
    /// and certificates fail.
    pub clock_ahead: Option<SignedDuration>,
    /// How long it took to answer, with connection, TLS and token.
    pub took: Duration,
}

impl Registries {
    /// Returns the token that a registry's token service grants for the available login, or the token that is stored instead of a password;
    /// `None`, where the registry accepts only passwords.
    ///
    /// # Errors
    ///
    /// [`LookupError`] where the registry does not answer, or refuses the login.
    pub async fn access_token(&self, registry: &str) -> Result<Option<Secret>, LookupError> {
        let host = self.host(registry)?;
        let api = RequestSpec::api();
        success(host.ask(&api).await?)?;
        let found = self.keychain.find(super::canonical(registry), "").await;
        if let Ok(Some(found)) = found
            && let Credential::Identity(token) | Credential::Token(token) = found.credential
        {
            return Ok(Some(token));
        }
        let mut authorization = Authorization::Nothing;
        if Attempt::new(&host, &api)
            .send(&mut authorization)
            .await
            .is_err()
        {
            return Ok(None);
        }
        let header = authorization
            .header()
            .and_then(|header| header.to_str().ok());
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        Ok(token.map(Secret::new))
    }

    /// Requests the API of a registry, and reports its health.
    pub async fn health(&self, registry: &str) -> Health {
        let start = Instant::now();
        let mut clock_ahead = None;
        let host = self.host(registry);
        let api = match &host {
            Err(error) => Err(error.clone()),
            Ok(host) => match host.ask(&RequestSpec::api()).await {
                Err(error) => Err(error),
                Ok(answer) => {
                    let date = header_text(&answer.response.headers, DATE);
                    let date = date.and_then(retry::http_date);
                    clock_ahead = date.map(|date| date.duration_since(host.now()));
                    match answer.response.status {
                        200 => head::seen(&answer.response.headers)
                            .map(drop)
                            .map_err(|defect| defective(defect, answer.asked)),
                        _ => Err(refusal(&answer)),
                    }
                }
            },
        };
        let took = start.elapsed();
        if let (Ok(host), Ok(())) = (&host, &api)
            && host.registry == DOCKER_HUB
            && let Ok(preview) = RATE_LIMIT_PREVIEW.parse()
        {
            // For the limits in the headers of the response, whatever else it says.
            let _ = host.ask(&RequestSpec::head(&preview)).await;
        }
        let found = self.keychain.find(super::canonical(registry), "").await;
        let budget = host
            .map(|host| host.limits.budget(host.now()))
            .unwrap_or_default();
        Health {
            registry: registry.to_owned(),
            api,
            login: found.map(|found| found.map(|found| found.source.to_string())),
            looked_into: self.keychain.paths.to_vec(),
            budget,
            clock_ahead,
            took,
        }
    }
}
