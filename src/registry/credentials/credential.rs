//! Credentials for registries, and the logins of a task.

use std::{collections::BTreeSet, fmt};

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::sys::secret::Secret;

/// The user name that marks an identity token, in the protocol of credential helpers.
const IDENTITY_USER: &str = "<token>";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The login server, as `docker login` takes it.
    pub registry: String,
    /// The user name; `<token>` marks the secret as an identity token, as in docker's credential helpers.
    pub username: String,
    /// The password or identity token.
    pub secret: Secret,
    /// The repositories that it is for, where several tasks have logins to one registry; all, if none are named.
    pub repositories: BTreeSet<String>,
    pub source: LoginSource,
}

/// Where a login comes from, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginSource {
    /// The options of the command.
    Options,
    /// A task.
    Task {
        name: String,
        /// The options that name the task in a command.
        options: String,
    },
    /// A file and a key, or a helper.
    Stored(String),
}

impl fmt::Display for LoginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options => f.write_str("the command line"),
            Self::Task { name, .. } => write!(f, "the credentials of task `{name}`"),
            Self::Stored(place) => f.write_str(place),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    Password {
        username: String,
        password: Secret,
    },
    /// An identity token, which an OAuth2 token service exchanges.
    Identity(Secret),
    /// A token that the registry itself accepts.
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
    /// Returns it as a login to a registry; `None` for a registry token, which clients do not send.
    pub(in crate::registry) fn into_login(
        self,
        registry: &str,
        source: LoginSource,
    ) -> Option<Login> {
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
            source,
        })
    }
}

impl Login {
    pub(super) fn credential(&self) -> Option<Credential> {
        credential(self.username.clone(), self.secret.clone())
    }
}

/// Returns the credential of a user name and a secret; `None` without both.
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

/// Returns the host of a login server that may be written as a URL, as `docker login` accepts it.
pub fn server(text: &str) -> &str {
    let bare = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(text);
    bare.split('/').next().unwrap_or(bare)
}

/// Reads a JSON object as docker reads it: `known` keys in any case, and nothing of what follows the object.
///
/// # Errors
///
/// Where the text does not begin with an object.
pub fn object(text: &str, known: &[&str]) -> serde_json::Result<Map<String, Value>> {
    let object = Map::deserialize(&mut serde_json::Deserializer::from_str(text))?;
    Ok(spelled(object, known))
}

/// Spells those keys of an object that are `known` but for their case as they are known.
pub fn spelled(object: Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let spell = |key: String| {
        let name = known.iter().find(|name| name.eq_ignore_ascii_case(&key));
        name.map_or(key, |name| (*name).to_owned())
    };
    let entries = object.into_iter();
    entries.map(|(key, value)| (spell(key), value)).collect()
}
