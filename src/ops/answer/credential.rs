//! The logins of a task, in az's shape, without secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    store::secrets::Secrets,
    sys::secret::{Secret, is_place},
};

/// The logins of a task by login server, in az's shape, without secrets.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct CredentialsAnswer(BTreeMap<String, CredentialAnswer>);

/// A login without its password.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialAnswer {
    identity: Option<String>,
    password: SecretAnswer,
    user_name: SecretAnswer,
}

/// A value, or where it is kept if it is kept elsewhere; never a password itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAnswer {
    r#type: &'static str,
    value: Option<String>,
}

impl CredentialsAnswer {
    pub fn new(secrets: &Secrets) -> Self {
        let shown = secrets.credentials.iter().map(|(server, login)| {
            let answer = CredentialAnswer {
                identity: None,
                password: SecretAnswer {
                    r#type: "Opaque",
                    value: reference(&login.password),
                },
                user_name: SecretAnswer {
                    r#type: "Opaque",
                    value: Some(login.username.reveal().to_owned()),
                },
            };
            (server.clone(), answer)
        });
        Self(shown.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns a value that only says where the secret is kept; `None` for the secret itself.
fn reference(value: &Secret) -> Option<String> {
    let text = value.reveal();
    is_place(text).then(|| text.to_owned())
}
