//! Programs that keep logins: `docker-credential-NAME`, asked for one server at a time.

use std::{io::Cursor, time::Duration};

use docker_credential::CredentialRetrievalError;

use super::{keychain::Credential, login_file::credential_of, words::clean};

/// How long a helper may take. A locked keychain waits for somebody to unlock it, which under cron is nobody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a helper for the login to `server`; none that it knows is `None`.
///
/// # Errors
///
/// What is wrong with the helper, with its name. Its failure never means that there is no login.
pub async fn ask(helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let name = format!("docker-credential-{helper}");
    let is_name = !helper.is_empty()
        && helper
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !is_name {
        return Err(format!(
            "`{}` is no name of a credential helper",
            clean(&name)
        ));
    }
    let document = serde_json::json!({ "credHelpers": { server: helper } }).to_string();
    let server = server.to_owned();
    let asking = tokio::task::spawn_blocking(move || {
        docker_credential::get_credential_from_reader(Cursor::new(document), &server)
    });
    match tokio::time::timeout(PATIENCE, asking).await {
        Err(_) => Err(format!(
            "`{name}` does not answer within {} seconds",
            PATIENCE.as_secs()
        )),
        Ok(Err(_)) => Err(format!("`{name}` could not be asked")),
        Ok(Ok(answer)) => read(&name, answer.map(credential_of)),
    }
}

fn read(
    name: &str,
    answer: Result<Option<Credential>, CredentialRetrievalError>,
) -> Result<Option<Credential>, String> {
    match answer {
        Ok(credential) => Ok(credential),
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. }) => {
            let said = clean(&format!("{stdout} {stderr}"));
            // The words of docker's own library for helpers, which all of them answer with.
            match said.contains("credentials not found") {
                true => Ok(None),
                false => Err(format!("`{name}` fails: {said}")),
            }
        }
        Err(CredentialRetrievalError::HelperCommunicationError) => {
            Err(format!("`{name}` cannot be started; it must be on PATH"))
        }
        Err(CredentialRetrievalError::MalformedHelperResponse) => {
            Err(format!("`{name}` answers with something else than a login"))
        }
        Err(_) => Err(format!("`{name}` could not be asked")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stdout: &str) -> CredentialRetrievalError {
        CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-x".into(),
            stdout: stdout.into(),
            stderr: String::new(),
        }
    }

    #[test]
    fn a_login_that_a_helper_does_not_know_is_none_and_no_failure() {
        let answer = Err(failure("credentials not found in native keychain\n"));
        assert_eq!(read("docker-credential-x", answer), Ok(None));
    }

    #[test]
    fn a_helper_that_fails_is_named() {
        assert_eq!(
            read("docker-credential-x", Err(failure("gpg: locked\n"))),
            Err("`docker-credential-x` fails: gpg: locked".into())
        );
    }

    #[tokio::test]
    async fn a_helper_that_is_not_there_is_named() {
        assert_eq!(
            ask("acrt-has-no-such-helper", "r.example").await,
            Err(
                "`docker-credential-acrt-has-no-such-helper` cannot be started; it must be on PATH"
                    .into()
            )
        );
    }

    #[tokio::test]
    async fn a_helper_is_a_name_and_never_a_path() {
        for helper in ["", "../../bin/sh", "a b", "a/b"] {
            assert!(
                ask(helper, "r.example")
                    .await
                    .unwrap_err()
                    .ends_with("is no name of a credential helper"),
                "{helper}"
            );
        }
    }
}
