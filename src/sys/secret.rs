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
            Some(("env", name)) if is_variable(name) => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            // Without the text, which may be the secret itself.
            _ => Err("a secret must be given as env:NAME or file:PATH, not as it is"),
        }
    }
}

/// Tells whether a variable can have this name.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control())
}

/// Returns a secret as it is stored for commands that run in other folders: the path of `file:PATH` is absolute, and that of the home folder
/// for `~`.
///
/// # Errors
///
/// [`Kind::Invalid`] for an `env:` or `file:` that names no variable or file.
pub fn to_store(secret: Secret) -> Result<Secret> {
    let text = secret.reveal();
    if !is_place(text) {
        return Ok(secret);
    }
    match SecretPlace::try_from(text.to_owned()) {
        Ok(SecretPlace::Variable(_)) => Ok(secret),
        Ok(SecretPlace::File(path)) => {
            let cannot = || format!("cannot tell where the file `{}` is", path.display());
            let here = std::env::current_dir().context(Kind::Invalid, cannot)?;
            let path = environment::resolved(&path, &here);
            Ok(Secret::new(format!("file:{}", path.display())))
        }
        Err(_) => Err(Error::invalid(format!(
            "`{}` names no variable or file of a secret",
            text.escape_debug()
        ))
        .hint(
            "write env:NAME or file:PATH; the shell may have replaced a variable in it by nothing",
        )),
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
        for text in ["hunter2", "env:", "env:A B", "env:A=B", "file:", ""] {
            let error = place(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn secret_is_stored_with_an_absolute_path_and_an_impossible_place_is_refused() {
        let stored = |text: &str| to_store(Secret::new(text)).map(|it| it.reveal().to_owned());
        let here = std::env::current_dir().unwrap();
        let file = format!("file:{}", here.join("a b").display());
        for (text, expected) in [
            ("hunter2", "hunter2"),
            ("env:TOKEN", "env:TOKEN"),
            ("file:/run/token", "file:/run/token"),
            ("file:a b", &file),
        ] {
            assert_eq!(stored(text).unwrap(), expected);
        }
        assert!(!stored("file:~/token").unwrap().contains('~'));
        for text in ["env:", "file:", "env:A B"] {
            assert_eq!(stored(text).unwrap_err().kind(), Kind::Invalid, "{text}");
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
