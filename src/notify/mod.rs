//! Delivers notifications to a program or to a webhook. What is worth a notification is decided elsewhere.

mod command;
mod delivery_error;
mod payload;
pub mod preset;
mod webhook;

use std::fmt;

use reqwest::Url;

use crate::{
    secret::{Masks, Secret, secrets_of_login},
    sys::{clock::Clock, command::CommandLine, environment, signal::Stop},
};

pub use delivery_error::DeliveryError;
pub use payload::NotificationPayload;

/// The receiver of notifications.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// A program, which reads the message from its standard input.
    Command(CommandLine),
    /// A server, which gets the message by POST.
    Webhook {
        url: Address,
        /// The secret that messages are signed with, if they are signed.
        secret: Option<Secret>,
    },
}

/// The URL of a webhook. Its path and query are often secret, so only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Parses an http or https URL.
    ///
    /// # Errors
    ///
    /// Why the URL is invalid, without the parts that may be secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|problem| format!("it is no URL: {problem}"))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Self(url)),
            other => Err(format!("its scheme is `{other}`, and not http or https")),
        }
    }

    /// Returns the parts that may be secret: servers repeat paths in their messages, as in `Cannot POST /T0/SECRET`.
    fn secrets(&self) -> Vec<Secret> {
        let url = &self.0;
        let segments = url.path_segments().into_iter().flatten();
        let parts = segments.chain(url.query());
        let mut secrets: Vec<Secret> = parts.map(Secret::new).collect();
        secrets.extend(url.query_pairs().map(|(_, value)| Secret::new(value)));
        // A token may be the user name, or the password.
        let (user, password) = (url.username(), url.password().unwrap_or_default());
        secrets.push(Secret::new(user));
        secrets.extend(secrets_of_login(&format!("{user}:{password}")));
        secrets
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}", self.0.scheme())?;
        match self.0.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => write!(f, "{}", line.program.display()),
            Self::Webhook { url, .. } => write!(f, "{url}"),
        }
    }
}

/// The receiver's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryResponse {
    /// The output of a program.
    Printed(Vec<u8>),
    /// The response of a server.
    Answered(String),
}

/// Delivers one message; `event` names its kind.
///
/// # Errors
///
/// As [`DeliveryError`] says.
pub async fn deliver(
    receiver: &Receiver,
    event: &str,
    payload: &NotificationPayload,
    clock: &Clock,
    stop: &Stop,
) -> Result<DeliveryResponse, DeliveryError> {
    let mut masks = Masks::of(&payload.secrets);
    masks.add(&environment::proxy_secrets());
    let response = match receiver {
        Receiver::Command(line) => command::deliver(line, &payload.body, &masks, stop)
            .await
            .map(DeliveryResponse::Printed),
        Receiver::Webhook { url, secret } => {
            masks.add(&url.secrets());
            let request = webhook::Request {
                url: &url.0,
                secret: secret.as_ref(),
                event,
                payload,
                masks: &masks,
            };
            let sent = tokio::select! {
                sent = webhook::send(&request, clock) => sent,
                _ = stop.wait() => Err(DeliveryError::Stopped),
            };
            sent.map(DeliveryResponse::Answered)
        }
    };
    response.map_err(|error| match error {
        DeliveryError::Failed(why) => DeliveryError::Failed(masks.hide_in(&why)),
        DeliveryError::Refused(why) => DeliveryError::Refused(masks.hide_in(&why)),
        DeliveryError::Stopped => DeliveryError::Stopped,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notification_url_is_shown_by_its_host_only() {
        let url = Address::parse("https://u:p@hooks.example:8443/T0/SECRET?token=x").unwrap();
        assert_eq!(url.to_string(), "https://hooks.example:8443");
        assert_eq!(format!("{url:?}"), "Address(https://hooks.example:8443)");
    }

    #[test]
    fn path_and_query_of_a_notification_url_are_masked_in_responses() {
        let url = Address::parse("https://u:pass@hooks.example/T0/SECRET?token=x%20yz").unwrap();
        let masks = Masks::of(&url.secrets());
        let said = "Cannot POST /T0/SECRET?token=x%20yz (token x yz, pass)";
        assert_eq!(
            masks.hide_in(said),
            "Cannot POST /T0/***?*** (token ***, ***)"
        );
    }

    #[test]
    fn login_of_a_notification_url_is_masked_in_responses_as_it_is_and_as_it_is_sent() {
        let url = Address::parse("https://token:p%40ss@hooks.example/a%20bcd").unwrap();
        let masks = Masks::of(&url.secrets());
        let said = "token p@ss p%40ss Basic dG9rZW46cEBzcw== 'a bcd'";
        assert_eq!(masks.hide_in(said), "*** *** *** Basic *** '***'");
        let alone = Address::parse("https://token@hooks.example/").unwrap();
        let masks = Masks::of(&alone.secrets());
        assert_eq!(masks.hide_in("dG9rZW46 token"), "*** ***");
    }

    #[test]
    fn notification_url_must_be_http() {
        assert!(Address::parse("ftp://hooks.example/").is_err());
        assert!(Address::parse("notaurl").is_err());
        assert!(Address::parse("http://127.0.0.1:1/x").is_ok());
    }
}
