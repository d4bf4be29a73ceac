//! Where secrets are stored on this machine.

use std::{io::Read as _, path::PathBuf};

use serde::Deserialize;

use crate::error::{Context as _, Error, Kind, Result};

pub use crate::secret::{MaskedText, Secret};

use super::{environment, plain_file};

/// The largest file of a secret: a longer one must be a mistake.
const MAX_FILE: u64 = 64 * 1024;

/// The place of a secret: the config file names the place, never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretPlace {
    /// `env:NAME`: an environment variable.
    Variable(String),
    /// `file:PATH`: a file, without its final line break.
    File(PathBuf),
}

impl TryFrom<String> for SecretPlace {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            // Without the text, which may be the secret itself.
            _ => Err("a secret must be given as env:NAME or file:PATH, not as it is"),
        }
    }
}

/// Returns whether a text says where a secret is, as `env:NAME` or `file:PATH`, and is not the secret itself.
pub fn is_place(text: &str) -> bool {
    text.starts_with("env:") || text.starts_with("file:")
}

impl SecretPlace {
    /// Reads the secret. `what` names it in messages, as `the secret of webhook source lan`.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where there is no secret.
    pub fn read(&self, what: &str) -> Result<Secret> {
        let place = match self {
            Self::Variable(name) => format!("the variable `{name}`"),
            Self::File(path) => format!("the file `{}`", path.display()),
        };
        let text = match self {
            Self::Variable(name) => {
                environment::withhold(name);
                environment::variable(name).unwrap_or_default()
            }
            Self::File(path) => {
                let mut text = String::new();
                plain_file::open(path)
                    .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
                    .context(Kind::Invalid, || {
                        format!("{what} is in {place}, which cannot be read")
                    })?;
                // The line break that editors and `echo` add is no part of the secret.
                text.trim_end_matches(['\n', '\r']).to_owned()
            }
        };
        if text.is_empty() {
            return Err(Error::invalid(format!(
                "{what} is in {place}, which is empty or unset"
            )));
        }
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_location_is_a_variable_or_a_file_and_never_the_value() {
        let place = |text: &str| SecretPlace::try_from(text.to_owned());
        assert_eq!(place("env:HOOK"), Ok(SecretPlace::Variable("HOOK".into())));
        assert_eq!(place("file:/a:b"), Ok(SecretPlace::File("/a:b".into())));
        for text in ["hunter2", "env:", "file:", ""] {
            let error = place(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn secret_of_a_file_loses_its_line_end_and_an_empty_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let place = SecretPlace::File(path.clone());
        assert!(
            place
                .read("it")
                .unwrap_err()
                .one_line()
                .contains("cannot be read")
        );
        std::fs::write(&path, " hunter2 \r\n").unwrap();
        assert_eq!(place.read("it").unwrap().reveal(), " hunter2 ");
        std::fs::write(&path, "\n").unwrap();
        assert!(place.read("it").unwrap_err().to_string().contains("empty"));
        let unset = SecretPlace::Variable("NO_SUCH_VARIABLE_HERE".into());
        assert!(unset.read("it").unwrap_err().to_string().contains("unset"));
    }
}
