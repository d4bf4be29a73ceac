//! The files in which docker and podman store logins, and which of their entries is for a repository. Pure, except that it reads the files.

use std::{
    collections::{BTreeMap, HashMap},
    io::{Cursor, Read as _},
    path::{Path, PathBuf},
};

use docker_credential::{CredentialRetrievalError, DockerCredential};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    image::reference::DOCKER_HUB,
    registry::canonical,
    sys::{plain_file, secret::Secret, settings::Settings},
};

use super::credential::{Credential, credential, object, spelled};

/// The largest login file in bytes; a larger file must be a mistake.
const MAX_FILE: u64 = 1024 * 1024;

/// The key under which docker and its helpers store the login to Docker Hub.
pub const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// A parsed login file. It contains secrets and therefore cannot be printed.
pub struct LoginFile {
    pub path: PathBuf,
    /// The whole content of the file, to be passed on.
    pub document: Map<String, Value>,
    entries: HashMap<String, AuthsEntry>,
    helpers: HashMap<String, String>,
    /// The helper for all registries without one of their own.
    pub store: Option<String>,
}

struct AuthsEntry {
    /// The key as written.
    key: String,
    /// The login, if the entry has one: with a `credsStore` it has none.
    login: Result<Option<Credential>, String>,
}

/// Where in a file a login may be, in the order in which the places are tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CredentialLocation {
    /// In a helper, under the name of the server.
    Helper {
        /// The helper's name, without `docker-credential-`.
        helper: String,
        /// The helper's name for the server.
        server: String,
    },
    /// In `auths`, under the normalised key.
    Entry(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parsed {
    #[serde(default)]
    auths: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    creds_store: Option<String>,
}

/// Returns the files that may contain logins, in the order in which podman and docker read them.
pub fn paths(settings: &Settings) -> Vec<PathBuf> {
    let places = &settings.credentials;
    let home = |below: &str| settings.home.as_ref().map(|home| home.join(below));
    let config_home = places.config_home.clone().or_else(|| home(".config"));
    let docker_config = places.docker_config.clone().or_else(|| home(".docker"));
    let mut paths: Vec<PathBuf> = [
        places.registry_auth_file.clone(),
        places
            .runtime_dir
            .as_ref()
            .map(|dir| dir.join("containers/auth.json")),
        config_home.map(|dir| dir.join("containers/auth.json")),
        docker_config.map(|dir| dir.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut known = std::collections::HashSet::new();
    paths.retain(|path| known.insert(path.clone()));
    paths
}

impl LoginFile {
    /// Reads a file; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with its path.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let cannot =
            |error: &dyn std::fmt::Display| format!("cannot read `{}`: {error}", path.display());
        let file = match plain_file::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| cannot(&error))?,
        };
        let mut text = String::new();
        file.take(MAX_FILE + 1)
            .read_to_string(&mut text)
            .map_err(|error| cannot(&error))?;
        if text.len() as u64 > MAX_FILE {
            return Err(cannot(&"it is larger than 1 MiB"));
        }
        Self::parse(path, &text).map(Some)
    }

    /// Parses the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with its path and without any of its contents.
    pub fn parse(path: &Path, text: &str) -> Result<Self, String> {
        // Messages of the parser quote the text, which may contain a secret.
        let broken = |error: &serde_json::Error| {
            format!("`{}` is malformed in line {}", path.display(), error.line())
        };
        let document: Map<String, Value> = match text.trim() {
            // As in docker, an empty file is valid: it was only created.
            "" => Map::new(),
            text => object(text, &["auths", "credHelpers", "credsStore"])
                .map_err(|error| broken(&error))?,
        };
        let parsed: Parsed =
            serde_json::from_value(Value::Object(document.clone())).map_err(|_| {
                format!(
                    "`{}` has `auths`, `credHelpers` or `credsStore` of another form than docker's",
                    path.display()
                )
            })?;
        let mut entries: HashMap<String, AuthsEntry> = HashMap::new();
        for (key, value) in parsed.auths.unwrap_or_default() {
            let entry = AuthsEntry {
                login: decode(&key, &value),
                key,
            };
            let normal = normalise(&entry.key);
            match entries.get(&normal) {
                // Docker's own key for Docker Hub, else the plain host, takes precedence over other spellings.
                Some(known)
                    if known.key == DOCKER_HUB_KEY
                        || (known.key == normal && entry.key != DOCKER_HUB_KEY) => {}
                _ => drop(entries.insert(normal, entry)),
            }
        }
        let helpers = parsed.cred_helpers.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            document,
            entries,
            helpers: helpers
                .into_iter()
                .map(|(key, helper)| (normalise(&key), helper.unwrap_or_default()))
                .collect(),
            store: parsed.creds_store.filter(|store| !store.is_empty()),
        })
    }

    /// Returns where the login for a repository may be: first the helper of the registry, then the one for all registries, then the entry
    /// with the longest path that contains the repository.
    pub fn locations(&self, registry: &str, repository: &str) -> Vec<CredentialLocation> {
        let mut locations = Vec::new();
        let server = match registry {
            DOCKER_HUB => DOCKER_HUB_KEY,
            other => other,
        };
        // An empty name of a helper switches off the one for all registries, as in docker.
        let helper = match self.helpers.get(registry) {
            Some(helper) => Some(helper).filter(|helper| !helper.is_empty()),
            None => self.store.as_ref(),
        };
        if let Some(helper) = helper {
            locations.push(CredentialLocation::Helper {
                helper: helper.clone(),
                server: server.to_owned(),
            });
        }
        let whole = format!("{registry}/{repository}");
        let mut prefix = whole.as_str();
        loop {
            if self.entries.contains_key(prefix) {
                locations.push(CredentialLocation::Entry(prefix.to_owned()));
                return locations;
            }
            match prefix.rsplit_once('/') {
                Some((shorter, _)) => prefix = shorter,
                None => return locations,
            }
        }
    }

    /// Returns the login of an entry, with the key as written.
    ///
    /// # Errors
    ///
    /// What is wrong with the entry, with file and key.
    pub fn entry(&self, key: &str) -> Result<Option<(Credential, &str)>, String> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(None);
        };
        match &entry.login {
            Ok(login) => Ok(login.clone().map(|login| (login, entry.key.as_str()))),
            Err(problem) => Err(format!(
                "`{}`, key `{}`: {problem}",
                self.path.display(),
                entry.key
            )),
        }
    }
}

/// Normalises a key to the host, with the path if it is relevant: `https://ghcr.io/v1/` becomes `ghcr.io`.
///
/// Keys are compared as a whole, never by prefix: `registry.example` is not `registry.example.evil.example`.
pub fn normalise(key: &str) -> String {
    let (bare, has_scheme) = match key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
    {
        Some(bare) => (bare, true),
        None => (key, false),
    };
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path.trim_end_matches('/');
    let host = canonical(&host.to_ascii_lowercase()).to_owned();
    if has_scheme || matches!(path, "" | "v1" | "v2") {
        host
    } else {
        format!("{host}/{path}")
    }
}

/// Decodes one entry of `auths`, so that a broken one does not affect the others.
fn decode(key: &str, entry: &Value) -> Result<Option<Credential>, String> {
    const KEYS: [&str; 5] = [
        "auth",
        "identitytoken",
        "password",
        "registrytoken",
        "username",
    ];
    let mut entry = match entry {
        Value::Object(entry) => spelled(entry.clone(), &KEYS),
        Value::Null => return Ok(None),
        _ => return Err("the entry is no object".to_owned()),
    };
    entry.retain(|_, value| !matches!(value, Value::Null) && value.as_str() != Some(""));
    if let Some(token) = entry.get("registrytoken").and_then(Value::as_str) {
        return Ok(Some(Credential::Token(Secret::new(token))));
    }
    if let Some(Value::String(auth)) = entry.get_mut("auth") {
        // As in docker: `base64` breaks its lines, and what stands beside `auth` does not count.
        auth.retain(|c| !matches!(c, '\r' | '\n'));
        entry.remove("username");
        entry.remove("password");
    }
    let document = serde_json::json!({ "auths": { key: entry } }).to_string();
    match docker_credential::get_credential_from_reader(Cursor::new(document), key) {
        Ok(DockerCredential::IdentityToken(token)) => {
            Ok(Some(Credential::Identity(Secret::new(token))))
        }
        Ok(DockerCredential::UsernamePassword(username, password)) => {
            // docker fills passwords of a fixed length with these, and trims them, too.
            Ok(credential(
                username,
                Secret::new(password.trim_matches('\0')),
            ))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        Err(CredentialRetrievalError::CredentialDecodingError) => {
            Err("`auth` is not the base64 of `user:password`".to_owned())
        }
        Err(_) => Err("the entry is of another form than docker's".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> LoginFile {
        LoginFile::parse(Path::new("/home/u/.docker/config.json"), text).unwrap()
    }

    fn password(username: &str, password: &str) -> Credential {
        Credential::Password {
            username: username.into(),
            password: Secret::new(password),
        }
    }

    fn found(file: &LoginFile, registry: &str, repository: &str) -> Option<(Credential, String)> {
        file.locations(registry, repository)
            .into_iter()
            .find_map(|location| match location {
                CredentialLocation::Entry(key) => file
                    .entry(&key)
                    .unwrap()
                    .map(|(login, key)| (login, key.to_owned())),
                CredentialLocation::Helper { .. } => None,
            })
    }

    // "dTpw" is `u:p`, "dTpwOnE=" is `u:p:q`, "YTpi" is `a:b`.

    #[test]
    fn every_spelling_of_a_host_is_found_and_no_other_host() {
        for key in [
            "ghcr.io",
            "https://ghcr.io",
            "https://ghcr.io/",
            "http://ghcr.io",
            "ghcr.io/",
            "ghcr.io/v1/",
            "ghcr.io/v2/",
            "https://ghcr.io/v1/",
            "GHCR.io",
        ] {
            let file = file(&format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#));
            assert_eq!(
                found(&file, "ghcr.io", "a/b"),
                Some((password("u", "p"), key.to_owned())),
                "{key}"
            );
            for other in ["ghcr.io.evil.example", "io", "ghcr.io:443", "hcr.io"] {
                assert_eq!(found(&file, other, "a/b"), None, "{key} {other}");
            }
        }
    }

    #[test]
    fn docker_hub_is_found_under_all_its_names_and_the_docker_key_first() {
        for key in [
            "https://index.docker.io/v1/",
            "docker.io",
            "index.docker.io",
            "registry-1.docker.io",
            "https://docker.io",
        ] {
            let file = file(&format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#));
            assert_eq!(found(&file, "docker.io", "library/a").unwrap().1, key);
        }
        let both = file(
            r#"{"auths":{"docker.io":{"auth":"YTpi"},"https://index.docker.io/v1/":{"auth":"dTpw"},"index.docker.io":{"auth":"YTpi"}}}"#,
        );
        assert_eq!(
            found(&both, "docker.io", "library/a"),
            Some((password("u", "p"), DOCKER_HUB_KEY.into()))
        );
    }

    #[test]
    fn longest_path_prefix_of_a_repository_wins() {
        let file = file(
            r#"{"auths":{"quay.io":{"auth":"YTpi"},"quay.io/org":{"auth":"dTpw"},"quay.io/org/deep":{"username":"x","password":"y"}}}"#,
        );
        let user = |repository: &str| match found(&file, "quay.io", repository).unwrap().0 {
            Credential::Password { username, .. } => username,
            other => panic!("{other:?}"),
        };
        assert_eq!(user("org/deep"), "x");
        assert_eq!(user("org/deep/er"), "x");
        assert_eq!(user("org/deeper"), "u");
        assert_eq!(user("organisation"), "a");
    }

    #[test]
    fn identity_and_registry_tokens_and_passwords_with_colons_are_read() {
        let file = file(
            r#"{"auths":{
                "a.azurecr.io":{"auth":"MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==","identitytoken":"idt"},
                "b":{"registrytoken":"rt"},
                "c":{"auth":"dTpwOnE="},
                "nul":{"auth":"dTpwAAA="},
                "d":{"auth":"","identitytoken":""},
                "e":{}
            }}"#,
        );
        assert_eq!(
            found(&file, "a.azurecr.io", "x").unwrap().0,
            Credential::Identity(Secret::new("idt"))
        );
        assert_eq!(
            found(&file, "b", "x").unwrap().0,
            Credential::Token(Secret::new("rt"))
        );
        assert_eq!(found(&file, "c", "x").unwrap().0, password("u", "p:q"));
        assert_eq!(found(&file, "nul", "x").unwrap().0, password("u", "p"));
        assert_eq!(found(&file, "d", "x"), None);
        assert_eq!(found(&file, "e", "x"), None);
    }

    #[test]
    fn auth_file_is_read_as_leniently_as_docker_reads_it() {
        for text in [
            r#"{"auths":{"a":{"auth":"dT\r\npw\n"}}}"#,
            r#"{"auths":{"a":{"auth":"dTpw","username":"old","password":"old"}}}"#,
            r#"{"Auths":{"a":{"Auth":"dTpw"}},"CREDHELPERS":{}}"#,
            r#"{"auths":{"a":{"Username":"u","PassWord":"p"}}}"#,
            r#"{"auths":{"a":{"auth":"dTpw"},"b":null},"credHelpers":{"x":null}}"#,
            r#"{"auths":{"a":{"auth":"dTpw"}}} and more"#,
        ] {
            let file = file(text);
            let login = found(&file, "a", "x").map(|(login, _)| login);
            assert_eq!(login, Some(password("u", "p")), "{text}");
            assert_eq!(found(&file, "b", "x"), None);
            assert!(file.document.contains_key("auths"), "{text}");
        }
        let off = file(r#"{"credsStore":"desktop","credHelpers":{"x":null}}"#);
        assert_eq!(off.locations("x", "y"), []);
    }

    #[test]
    fn broken_entry_is_reported_with_its_key_and_leaves_others_usable() {
        let file = file(r#"{"auths":{"a":{"auth":"hunter2!"},"b":{"auth":"dTpw"},"c":7}}"#);
        assert_eq!(
            file.entry("a"),
            Err("`/home/u/.docker/config.json`, key `a`: `auth` is not the base64 of `user:password`".into())
        );
        assert_eq!(
            file.entry("c"),
            Err("`/home/u/.docker/config.json`, key `c`: the entry is no object".into())
        );
        assert!(found(&file, "b", "x").is_some());
    }

    #[test]
    fn helper_of_a_registry_comes_before_the_general_store() {
        let file = file(
            r#"{"credsStore":"desktop","credHelpers":{"1.dkr.ecr.example":"ecr-login","plain.example":""},"auths":{"plain.example":{"auth":"dTpw"}}}"#,
        );
        let helper = |helper: &str, server: &str| CredentialLocation::Helper {
            helper: helper.into(),
            server: server.into(),
        };
        assert_eq!(
            file.locations("1.dkr.ecr.example", "x"),
            [helper("ecr-login", "1.dkr.ecr.example")]
        );
        assert_eq!(
            file.locations("docker.io", "x"),
            [helper("desktop", DOCKER_HUB_KEY)]
        );
        assert_eq!(
            file.locations("plain.example", "x"),
            [CredentialLocation::Entry("plain.example".into())]
        );
    }

    #[test]
    fn empty_auth_file_has_no_credential_and_a_broken_one_is_reported_without_its_contents() {
        assert_eq!(file(" \n").locations("a", "x"), []);
        assert_eq!(
            file(r#"{"auths":null,"credsStore":""}"#).locations("a", "x"),
            []
        );
        let problem = |text: &str| LoginFile::parse(Path::new("/f"), text).err().unwrap();
        assert_eq!(
            problem("{\n\"auths\": hunter2"),
            "`/f` is malformed in line 2"
        );
        assert_eq!(
            problem(r#"{"auths":["hunter2"]}"#),
            "`/f` has `auths`, `credHelpers` or `credsStore` of another form than docker's"
        );
    }

    #[test]
    fn auth_files_are_read_in_the_order_of_podman_and_docker() {
        let mut settings = Settings::default();
        settings.home = Some("/home/u".into());
        let own = [
            "/home/u/.config/containers/auth.json",
            "/home/u/.docker/config.json",
        ]
        .map(PathBuf::from);
        assert_eq!(paths(&settings), own);
        settings.credentials.registry_auth_file = Some("/f".into());
        settings.credentials.runtime_dir = Some("/run/user/1".into());
        settings.credentials.config_home = Some("/c".into());
        settings.credentials.docker_config = Some("/d".into());
        assert_eq!(
            paths(&settings),
            [
                "/f",
                "/run/user/1/containers/auth.json",
                "/c/containers/auth.json",
                "/d/config.json"
            ]
            .map(PathBuf::from)
        );
    }

    #[test]
    fn auth_file_that_is_a_named_pipe_is_refused_without_waiting_for_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let mode = rustix::fs::Mode::RUSR;
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, pipe, mode, 0).unwrap();
        assert_eq!(
            LoginFile::read(&path).err().unwrap(),
            format!(
                "cannot read `{}`: it is a named pipe, not a file",
                path.display()
            )
        );
    }

    #[test]
    fn missing_auth_file_has_no_credential() {
        assert!(
            LoginFile::read(Path::new("/nowhere/config.json"))
                .unwrap()
                .is_none()
        );
    }
}
