//! The secret values of a task, in a file of its own that only its owner may read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    sys::secret::Secret,
    task::TaskKey,
};

use super::{Store, file, tasks::keys_in};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    pub schema: u32,
    /// Values of secret build arguments, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Secret>,
    /// Secret values for the templates of multi-step files, by name: the value itself, or `env:NAME` or `file:PATH` for where it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Secret>,
    /// The access token of the context's git repository: itself, or `env:NAME` or `file:PATH` for where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_access_token: Option<Secret>,
    /// The endpoint that az's update trigger calls about a moved base image: a URL, or `env:NAME` or `file:PATH` for where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_trigger_endpoint: Option<Secret>,
    /// The token that is sent with each such call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_trigger_token: Option<Secret>,
    /// Credentials for registries, by login server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<String, StoredLogin>,
}

/// A login as it was given: each value is the value itself, or `env:NAME` or `file:PATH` for where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredLogin {
    pub username: Secret,
    pub password: Secret,
}

impl Secrets {
    /// The schema version of the file that this program writes.
    pub const SCHEMA: u32 = 1;
}

impl Store {
    /// Reads the secrets of a task; none, where there is no file.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`] with the file and none of its values, where it does not parse or others may read it.
    pub fn secrets(&self, key: &TaskKey) -> Result<Secrets> {
        let path = self.layout.secrets(key);
        if path.is_file() && file::is_open_to_others(&path) {
            return Err(Error::invalid(format!(
                "cannot use `{}`: others may read it",
                path.display()
            ))
            .hint(format!("chmod 600 '{}'", path.display())));
        }
        let Some(secrets) = file::read_secret_yaml::<Secrets>(&path)? else {
            return Ok(Secrets::default());
        };
        file::check_schema(&path, secrets.schema, Secrets::SCHEMA)?;
        Ok(secrets)
    }

    /// Returns the tasks that have secrets.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path, where a folder cannot be read.
    pub fn keys_with_secrets(&self) -> Result<Vec<TaskKey>> {
        keys_in(&self.layout.secrets_folder())
    }

    /// Writes the secrets of a task, or removes the file where there are none.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_secrets(&self, key: &TaskKey, secrets: &Secrets) -> Result<()> {
        let path = self.layout.secrets(key);
        let none = Secrets {
            schema: secrets.schema,
            ..Secrets::default()
        };
        if *secrets == none {
            return file::remove(&path);
        }
        self.write_yaml(&path, secrets)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn secrets_file_is_readable_by_its_owner_only_and_refused_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        let secrets = Secrets {
            schema: Secrets::SCHEMA,
            arguments: [("TOKEN".to_owned(), Secret::new("hunter2"))].into(),
            ..Secrets::default()
        };
        store.save_secrets(&key, &secrets).unwrap();
        assert_eq!(store.secrets(&key).unwrap(), secrets);
        let path = store.layout().secrets(&key);
        let later = Secrets {
            schema: Secrets::SCHEMA + 1,
            ..secrets
        };
        store.save_secrets(&key, &later).unwrap();
        let error = store.secrets(&key).unwrap_err();
        assert!(error.causes()[0].starts_with("it has schema 2"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = store.secrets(&key).unwrap_err();
        assert!(error.to_string().ends_with("others may read it"));
        store.save_secrets(&key, &Secrets::default()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn broken_secrets_file_is_reported_with_its_position_and_none_of_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::at(folder.path());
        let key = TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        };
        store
            .save_secrets(
                &key,
                &Secrets {
                    git_access_token: Some(Secret::new("x")),
                    ..Secrets::default()
                },
            )
            .unwrap();
        let path = store.layout().secrets(&key);
        for (text, told) in [
            (
                "arguments: hunter2",
                ": arguments: invalid type at line 1 column 12",
            ),
            (
                "schema: hunter2",
                ": schema: invalid type at line 1 column 9",
            ),
            (
                "schema: 1\nhunter2: x",
                ": unknown field at line 2 column 1",
            ),
            (
                "schema: 1\ncredentials:\n  r.io:\n    password: hunter2",
                ": credentials.r.io: missing field at line 4 column 5",
            ),
            (
                "schema: 1\narguments: {A: [hunter2]}",
                ": arguments.A: invalid type at line 2 column 16",
            ),
            (
                "schema: 1\narguments: {A: *hunter2}",
                ": invalid YAML at line 2 column 16",
            ),
            (
                "schema: 1\narguments: {A: \"hunter2}",
                ": invalid YAML at line 2 column 16",
            ),
            ("hunter2", ": invalid type at line 1 column 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = store.secrets(&key).unwrap_err().one_line();
            assert!(
                error.ends_with(told) && !error.contains("hunter"),
                "{text}: {error}"
            );
        }
    }
}
