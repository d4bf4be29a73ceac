//! What a registry is shown to be let in, and what a task brings along for it.

use std::{collections::BTreeSet, fmt};

use crate::sys::secret::Secret;

/// The user whose password is an identity token, in the protocol of credential helpers.
const IDENTITY_USER: &str = "<token>";

/// A login that a task brings along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The login server, as `docker login` takes it.
    pub registry: String,
    /// The user; `<token>` says that the secret is an identity token, as docker's credential helpers do.
    pub username: String,
    /// The password or identity token.
    pub secret: Secret,
    /// The repositories that it is for, where several tasks bring logins to one registry; all, if none are named.
    pub repositories: BTreeSet<String>,
}

/// What proves to a registry who asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    Password {
        username: String,
        password: Secret,
    },
    /// An identity token, which an OAuth2 token service exchanges.
    Identity(Secret),
    /// A token that the registry itself takes.
    Token(Secret),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password",
            Self::Identity(_) => "Identity",
            Self::Token(_) => "Token",
        })
    }
}

impl Credential {
    /// Returns it as a login to a registry; a token that only that registry takes, and no client sends, is none.
    pub(in crate::registry) fn into_login(self, registry: &str) -> Option<Login> {
        let (username, secret) = match self {
            Self::Password { username, password } => (username, password),
            Self::Identity(token) => (IDENTITY_USER.to_owned(), token),
            Self::Token(_) => return None,
        };
        Some(Login {
            registry: registry.to_owned(),
            username,
            secret,
            repositories: BTreeSet::new(),
        })
    }
}

impl Login {
    /// Returns what it proves.
    pub(super) fn credential(&self) -> Option<Credential> {
        credential(self.username.clone(), self.secret.clone())
    }
}

/// Returns what a user and a secret prove together; without both, nothing.
pub fn credential(username: String, secret: Secret) -> Option<Credential> {
    match username.as_str() {
        "" if secret.reveal().is_empty() => None,
        IDENTITY_USER => Some(Credential::Identity(secret)),
        _ => Some(Credential::Password {
            username,
            password: secret,
        }),
    }
}

/// Returns the host of a login server that may be written as a URL, as `docker login` takes it.
pub fn server(text: &str) -> &str {
    let bare = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(text);
    bare.split('/').next().unwrap_or(bare)
}
