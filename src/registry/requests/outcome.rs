//! Judges the result of one try at a request: a response, a failure, or a reason to retry after a pause.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::{
    Url,
    header::{DATE, RETRY_AFTER},
};

use crate::registry::{
    error_text::bare,
    header_text,
    problem::{FailedRequest, LookupError, LookupFailure},
    transport::{
        http_client::{Response, TransportError, with_response},
        retry::{self, RetryVerdict},
    },
};

use super::host::Host;

/// The tries at one request.
#[derive(Clone, Copy)]
pub struct Attempts {
    pub made: usize,
    /// How many responses the registry had sent before the first try.
    answers: u64,
}

/// Why one try has no response.
pub enum AttemptFailure {
    /// The exchange with this URL failed.
    TransportError(TransportError, Url),
    /// The response has been interpreted as an error already.
    Final(LookupError),
}

pub enum NextStep {
    Done(Response),
    Failed(LookupError),
    Again(Duration),
}

impl AttemptFailure {
    /// Returns that the exchange with this URL failed.
    pub fn at(url: &Url) -> impl FnOnce(TransportError) -> Self {
        move |broken| Self::TransportError(broken, url.clone())
    }
}

impl Attempts {
    /// Begins to count tries; `answers` is the number of responses of the registry so far.
    pub fn new(answers: u64) -> Self {
        Self { made: 0, answers }
    }
}

impl Host {
    /// Judges the last try, and pauses requests to the registry where it asks for that or fails too often.
    pub fn after(
        &self,
        outcome: Result<Response, AttemptFailure>,
        tries: Attempts,
        asked: FailedRequest,
    ) -> NextStep {
        let response = match outcome {
            Ok(response) => response,
            Err(AttemptFailure::Final(error)) => return NextStep::Failed(error),
            Err(AttemptFailure::TransportError(broken, url)) => {
                let url = bare(&url);
                return self.broken(broken, tries, FailedRequest { url, ..asked });
            }
        };
        match retry::verdict(response.status, self.asked_pause(&response)) {
            RetryVerdict::Final => NextStep::Done(response),
            RetryVerdict::Limited(pause) => {
                self.limited(pause, tries.made, with_response(asked, &response))
            }
            RetryVerdict::Again => match retry::pause(tries.made) {
                Some(pause) => NextStep::Again(pause),
                None => NextStep::Failed(self.limits.failed(
                    self.now(),
                    tries.answers,
                    false,
                    |until| {
                        let asked = with_response(asked, &response);
                        LookupError::unknown(LookupFailure::Server { until }, asked)
                    },
                )),
            },
        }
    }

    /// Pauses requests to the registry, because a response asks for that or limits them.
    pub fn limited(
        &self,
        asked_pause: Option<Duration>,
        tries: usize,
        asked: FailedRequest,
    ) -> NextStep {
        let pause = asked_pause.or_else(|| retry::pause(tries));
        let until = |pause: Duration| {
            let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
            self.now().saturating_add(pause).unwrap_or(Timestamp::MAX)
        };
        match pause.filter(|pause| *pause <= retry::PATIENCE && retry::pause(tries).is_some()) {
            Some(pause) => {
                self.limits.hold(until(pause), None);
                NextStep::Again(retry::spread(pause))
            }
            None => {
                let until = until(asked_pause.unwrap_or(retry::UNNAMED_PAUSE));
                let error = LookupError::unknown(LookupFailure::Limited { until }, asked);
                self.limits.hold(until, Some(error.clone()));
                NextStep::Failed(error)
            }
        }
    }

    fn broken(&self, broken: TransportError, tries: Attempts, asked: FailedRequest) -> NextStep {
        let failed = |why| NextStep::Failed(LookupError::unknown(why, asked.clone()));
        let error = match broken {
            TransportError::Network(error) => error,
            TransportError::Settings(problem) => return failed(LookupFailure::Settings(problem)),
            other => return failed(LookupFailure::BadReply(other.to_string())),
        };
        let trouble = retry::trouble(&error);
        if let Some(pause) = retry::pause(tries.made).filter(|_| trouble.is_worth(tries.made)) {
            return NextStep::Again(pause);
        }
        let cause = Arc::new(error);
        let told = |_| LookupError::unknown(LookupFailure::Network(cause), asked);
        let is_of_the_host = trouble.is_of_the_host();
        let limits = &self.limits;
        NextStep::Failed(limits.failed(self.now(), tries.answers, is_of_the_host, told))
    }

    /// Returns the pause that a response asks for, by the server's clock where it sends the time.
    pub fn asked_pause(&self, response: &Response) -> Option<Duration> {
        let header = |name| header_text(&response.headers, name);
        let now = header(DATE)
            .and_then(retry::http_date)
            .unwrap_or_else(|| self.now());
        retry::retry_after(header(RETRY_AFTER)?, now)
    }
}
