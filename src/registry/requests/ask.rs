//! A request to a registry, from the first try to the last.

use crate::registry::{
    auth::flow::Authorization,
    credentials::credential::LoginSource,
    error_text::server_words,
    problem::{FailedRequest, LookupError},
    transport::{
        http_client::{Response, with_response},
        request_spec::RequestSpec,
    },
};

use super::{
    attempt::Attempt,
    destination::Destination,
    host::Host,
    outcome::{Attempts, NextStep},
};

/// The response to a request, whatever its status.
pub struct Answer {
    pub response: Response,
    pub asked: FailedRequest,
    /// Where the login that was used comes from, if there was one.
    pub login: Option<LoginSource>,
    /// Whether a token was granted for it.
    pub had_token: bool,
}

impl Host {
    /// Sends a request, with retries until there is a response or they make no sense.
    ///
    /// # Errors
    ///
    /// Why there is no response. A response that is a refusal, or says that something is absent, is no error here.
    pub async fn ask(&self, request_spec: &RequestSpec) -> Result<Answer, LookupError> {
        let shared = |told: LookupError| {
            told.shared_with(&Destination::new(self, request_spec).asked_first())
        };
        let _slot = self.limits.enter(&self.clock).await.map_err(shared)?;
        let mut tries = Attempts::new(self.limits.answers());
        loop {
            tries.made += 1;
            let mut attempt = Attempt::new(self, request_spec);
            let mut authorization = Authorization::Nothing;
            let outcome = attempt.send(&mut authorization).await;
            let asked = attempt.destination.asked_first();
            match self.after(outcome, tries, asked.clone()) {
                NextStep::Done(response) => {
                    self.limits.answered(response.http2, &response.headers);
                    return Ok(Answer::new(response, asked, &authorization));
                }
                NextStep::Failed(error) => return Err(error),
                NextStep::Again(pause) => self.clock.sleep(pause).await,
            }
            self.limits.again(&self.clock).await.map_err(shared)?;
        }
    }
}

impl Answer {
    /// Returns an answer from a response to a request with `authorization`.
    pub fn new(response: Response, asked: FailedRequest, authorization: &Authorization) -> Self {
        Self {
            asked: with_response(asked, &response),
            response,
            login: authorization.login().cloned(),
            had_token: matches!(authorization, Authorization::Token { .. }),
        }
    }

    /// Returns the error codes of the distribution specification in the response.
    pub fn codes(&self) -> Vec<String> {
        let words = server_words(&self.response.headers, &self.response.body);
        words.map(|(_, codes)| codes).unwrap_or_default()
    }
}
