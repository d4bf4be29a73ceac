//! How a registry is doing: what `acrt check-health` has to say about one.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use reqwest::header::DATE;

use super::{
    client::{Registries, defective, refusal},
    documents::head,
    problem::LookupError,
    transport::{limits::Budget, request_spec::RequestSpec, retry},
};

/// What was found out about a registry by asking for its API, with the login that there is.
#[derive(Debug)]
pub struct Health {
    /// The login server.
    pub registry: String,
    /// Whether its API answers, and lets us in.
    pub api: Result<(), LookupError>,
    /// Where its login is kept: a file and a key, a helper, or the task; none, if there is none.
    /// The error says which file or helper is broken.
    pub login: Result<Option<String>, String>,
    /// The files that were looked into for a login, in order, whether or not they are there.
    pub looked_into: Vec<PathBuf>,
    /// What it says about its limits.
    pub budget: Budget,
    /// How far its clock is ahead of ours, where it told the time; negative, if it is behind. Tokens and
    /// certificates fail where this is minutes.
    pub clock_ahead: Option<SignedDuration>,
    /// How long it took to answer, with connection, TLS and token.
    pub took: Duration,
}

impl Registries {
    /// Asks a registry for its API, and says how it is doing.
    pub async fn health(&self, registry: &str) -> Health {
        let start = Instant::now();
        let mut clock_ahead = None;
        let host = self.host(registry);
        let api = match &host {
            Err(error) => Err(error.clone()),
            Ok(host) => match host.ask(&RequestSpec::api()).await {
                Err(error) => Err(error),
                Ok(answer) => {
                    let date = answer
                        .response
                        .headers
                        .get(DATE)
                        .and_then(|date| date.to_str().ok());
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
        let found = self.keychain().find(super::canonical(registry), "").await;
        let budget = host
            .map(|host| host.limits.budget(host.now()))
            .unwrap_or_default();
        Health {
            registry: registry.to_owned(),
            api,
            login: found.map(|found| found.map(|found| found.place)),
            looked_into: self.keychain().paths().to_vec(),
            budget,
            clock_ahead,
            took,
        }
    }
}
