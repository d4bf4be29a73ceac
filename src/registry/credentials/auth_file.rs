//! The login file for a builder: the user's logins, with those of the task taking precedence.

use serde_json::{Map, Value, json};

use crate::{
    image::reference::DOCKER_HUB,
    registry::canonical,
    secret::{Secret, login_as_sent},
};

use super::{
    credential::{Credential, Login, server},
    login_file::{DOCKER_HUB_KEY, LoginFile},
};

/// The user name for an identity token, as `az acr login` writes it: podman drops entries without one.
const IDENTITY_USER: &str = "00000000-0000-0000-0000-000000000000";

/// The format of a login file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFormat {
    /// `config.json` of docker and BuildKit: in a folder of its own, named by `DOCKER_CONFIG`.
    Docker,
    /// `auth.json` of podman, buildah and skopeo, named by `REGISTRY_AUTH_FILE`.
    Containers,
}

/// Returns the text of the file. `files` are the user's, in order of precedence; the last may be docker's own.
pub fn text(files: &[LoginFile], logins: &[Login], format: AuthFormat) -> Secret {
    let mut auths = Map::new();
    let mut helpers = Map::new();
    let mut merged = match files.last() {
        Some(file) if format == AuthFormat::Docker => file.document.clone(),
        _ => Map::new(),
    };
    for document in files.iter().map(|file| &file.document) {
        for (name, into) in [("auths", &mut auths), ("credHelpers", &mut helpers)] {
            let Some(Value::Object(more)) = document.get(name) else {
                continue;
            };
            for (key, value) in more {
                into.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    let store = files.iter().find_map(|file| file.store.as_ref());
    for login in logins {
        let registry = canonical(server(&login.registry));
        auths.retain(|key, _| !is_key_of(key, registry));
        helpers.retain(|key, _| !is_key_of(key, registry));
        let key = match (registry, format) {
            (DOCKER_HUB, AuthFormat::Docker) => DOCKER_HUB_KEY,
            (registry, _) => registry,
        };
        auths.insert(key.to_owned(), entry(login));
        if format == AuthFormat::Docker && store.is_some() {
            // The only way to tell docker that the credential store is not used for this registry.
            helpers.insert(key.to_owned(), json!(""));
        }
    }
    merged.insert("auths".to_owned(), Value::Object(auths));
    merged.insert("credHelpers".to_owned(), Value::Object(helpers));
    if let Some(store) = store.filter(|_| format == AuthFormat::Docker) {
        merged.insert("credsStore".to_owned(), json!(store));
    }
    Secret::new(Value::Object(merged).to_string())
}

/// Returns the text of docker's login file with only these logins.
pub fn auth_file_of(logins: &[Login]) -> Secret {
    text(&[], logins, AuthFormat::Docker)
}

/// Returns the values in such a file that must be masked: the secrets themselves, and their encoded form.
pub fn hidden_in_auth_file(logins: &[Login]) -> Vec<Secret> {
    let hidden = logins.iter().flat_map(|login| {
        let pair = format!("{}:{}", login.username, login.secret.reveal());
        [login.secret.clone(), login_as_sent(&pair)]
    });
    hidden.collect()
}

/// Tells whether a key stands for the registry as a whole, in any spelling, or for a path in it: a task's login is for all of its registry.
fn is_key_of(key: &str, registry: &str) -> bool {
    canonical(&server(key).to_ascii_lowercase()) == registry
}

/// Returns the entry of a login, as docker writes it.
pub fn entry(login: &Login) -> Value {
    match login.credential() {
        Some(Credential::Password { username, password }) => {
            let pair = format!("{username}:{}", password.reveal());
            json!({ "auth": login_as_sent(&pair).reveal() })
        }
        Some(Credential::Identity(token) | Credential::Token(token)) => json!({
            "auth": login_as_sent(&format!("{IDENTITY_USER}:")).reveal(),
            "identitytoken": token.reveal(),
        }),
        None => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written(files: &[&str], logins: &[(&str, &str)], format: AuthFormat) -> Value {
        let files: Vec<LoginFile> = files
            .iter()
            .map(|text| LoginFile::parse(Path::new("/f"), text).unwrap())
            .collect();
        let logins: Vec<Login> = logins
            .iter()
            .map(|(registry, username)| Login {
                repositories: Default::default(),
                source: crate::registry::LoginSource::Options,
                registry: (*registry).into(),
                username: (*username).into(),
                secret: Secret::new("p"),
            })
            .collect();
        serde_json::from_str(text(&files, &logins, format).reveal()).unwrap()
    }

    // "dTpw" is `u:p`.

    #[test]
    fn task_credential_replaces_that_of_the_user_under_every_spelling_of_the_registry() {
        let own = r#"{"auths":{"https://r.example/v1/":{"auth":"old"},"r.example/path":{"auth":"old"},"o.example":{"auth":"kept"}}}"#;
        for format in [AuthFormat::Docker, AuthFormat::Containers] {
            assert_eq!(
                written(&[own], &[("r.example", "u")], format)["auths"],
                json!({"r.example": {"auth": "dTpw"}, "o.example": {"auth": "kept"}})
            );
        }
    }

    #[test]
    fn docker_hub_credential_has_the_docker_key_for_docker_and_its_name_for_podman() {
        let keys = |format| written(&[], &[("docker.io", "u")], format)["auths"].clone();
        assert_eq!(
            keys(AuthFormat::Docker),
            json!({"https://index.docker.io/v1/": {"auth": "dTpw"}})
        );
        assert_eq!(
            keys(AuthFormat::Containers),
            json!({"docker.io": {"auth": "dTpw"}})
        );
    }

    #[test]
    fn task_credential_overrides_credential_helpers_and_stores() {
        let own = r#"{"credsStore":"desktop","credHelpers":{"r.example":"x","o.example":"y"},"proxies":{"default":{}}}"#;
        let docker = written(&[own], &[("r.example", "u")], AuthFormat::Docker);
        assert_eq!(
            docker["credHelpers"],
            json!({"r.example": "", "o.example": "y"})
        );
        assert_eq!(docker["credsStore"], "desktop");
        assert_eq!(docker["proxies"], json!({"default": {}}));
        let podman = written(&[own], &[("r.example", "u")], AuthFormat::Containers);
        assert_eq!(
            podman,
            json!({"auths": {"r.example": {"auth": "dTpw"}}, "credHelpers": {"o.example": "y"}})
        );
    }

    #[test]
    fn first_auth_file_with_an_entry_for_a_registry_wins() {
        let files = [
            r#"{"auths":{"a":{"auth":"1"}}}"#,
            r#"{"auths":{"a":{"auth":"2"},"b":{"auth":"3"}}}"#,
        ];
        assert_eq!(
            written(&files, &[("c", "u")], AuthFormat::Containers)["auths"],
            json!({"a": {"auth": "1"}, "b": {"auth": "3"}, "c": {"auth": "dTpw"}})
        );
    }

    #[test]
    fn identity_token_is_written_as_az_acr_login_does() {
        let entry = written(&[], &[("a.azurecr.io", "<token>")], AuthFormat::Docker)["auths"]["a.azurecr.io"].clone();
        assert_eq!(
            entry,
            json!({"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": "p"})
        );
    }
}
