//! Credential helpers: programs `docker-credential-NAME`, asked for one server at a time.

use serde::Deserialize;

use crate::{
    registry::error_text::clean,
    sys::{
        command::CommandLine,
        process::{self, Ended, Reply},
        secret::Secret,
    },
};

use super::credential::{Credential, credential};

/// The message of all helpers for a server without a login, from docker's own library for helpers.
pub const UNKNOWN: &str = "credentials not found";

/// Asks a helper for the login to `server`; `None` if it has none.
///
/// A helper has ten seconds: a locked keychain waits to be unlocked, which never happens under cron.
///
/// # Errors
///
/// What is wrong with the helper, with its name. A failure never means that there is no login.
pub async fn ask(helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let name = format!("docker-credential-{helper}");
    let line = line(helper, "get")?;
    match process::converse(&line, server.as_bytes()).await {
        Ok(reply) => read(&name, &reply),
        Err(_) => Err(format!("`{name}` cannot be started; it must be on PATH")),
    }
}

/// Returns the command line of a helper for an action.
pub fn line(helper: &str, verb: &str) -> Result<CommandLine, String> {
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
    Ok(CommandLine::new(&name).arg(verb))
}

fn read(name: &str, reply: &Reply) -> Result<Option<Credential>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct HelperLogin {
        username: String,
        secret: Secret,
    }
    match reply.ended {
        Ended::Exited(0) => match serde_json::from_slice::<HelperLogin>(&reply.output) {
            Ok(told) => Ok(credential(told.username, told.secret)),
            // Its output may be a secret.
            Err(_) => Err(format!("`{name}` answers with something else than a login")),
        },
        Ended::TimedOut => Err(format!("`{name}` does not answer within ten seconds")),
        _ => {
            let said = [&reply.output, &reply.errors].map(|said| String::from_utf8_lossy(said));
            if said.iter().any(|said| said.contains(UNKNOWN)) {
                return Ok(None);
            }
            let [output, errors] = said;
            // Helpers explain on standard output why they fail; a login is also there, as JSON.
            let is_login = output.contains(['{', '}']);
            let output = if is_login { "" } else { output.as_ref() };
            match clean(&format!("{output} {errors}")) {
                said if said.is_empty() => Err(format!("`{name}` fails without a message")),
                said => Err(format!("`{name}` fails: {said}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(ended: Ended, output: &str, errors: &str) -> Result<Option<Credential>, String> {
        let reply = Reply {
            ended,
            output: output.into(),
            errors: errors.into(),
        };
        read("docker-credential-x", &reply)
    }

    #[test]
    fn helper_credential_is_read_despite_error_output() {
        let told = answer(
            Ended::Exited(0),
            r#"{"ServerURL":"r.example","Username":"u","Secret":"p"}"#,
            "warning: old gpg",
        );
        assert_eq!(told, Ok(credential("u".into(), Secret::new("p"))));
        let token = answer(
            Ended::Exited(0),
            r#"{"Username":"<token>","Secret":"t"}"#,
            "",
        );
        assert_eq!(token, Ok(Some(Credential::Identity(Secret::new("t")))));
        let nobody = answer(Ended::Exited(0), r#"{"Username":"","Secret":""}"#, "");
        assert_eq!(nobody, Ok(None));
    }

    #[test]
    fn helper_without_the_credential_returns_none_and_no_error() {
        let error_text = "credentials not found in native keychain\n";
        assert_eq!(answer(Ended::Exited(1), error_text, ""), Ok(None));
        assert_eq!(answer(Ended::Exited(1), "", error_text), Ok(None));
    }

    #[test]
    fn failing_helper_is_reported_and_its_output_is_no_credential() {
        let problem = |ended, output: &str| answer(ended, output, "").unwrap_err();
        assert_eq!(
            problem(Ended::Exited(1), "gpg: locked\n"),
            "`docker-credential-x` fails: gpg: locked"
        );
        let login = r#"{"Username":"u","Secret":"hunter2"}"#;
        assert_eq!(
            answer(Ended::Exited(1), login, "gpg: late\n").unwrap_err(),
            "`docker-credential-x` fails: gpg: late"
        );
        assert_eq!(
            problem(Ended::Exited(1), login),
            "`docker-credential-x` fails without a message"
        );
        assert_eq!(
            problem(Ended::Exited(0), "hunter2"),
            "`docker-credential-x` answers with something else than a login"
        );
        assert_eq!(
            problem(Ended::TimedOut, ""),
            "`docker-credential-x` does not answer within ten seconds"
        );
    }

    #[tokio::test]
    async fn missing_helper_program_is_reported() {
        assert_eq!(
            ask("acrt-has-no-such-helper", "r.example").await,
            Err(
                "`docker-credential-acrt-has-no-such-helper` cannot be started; it must be on PATH"
                    .into()
            )
        );
    }

    #[tokio::test]
    async fn helper_name_that_is_a_path_is_refused() {
        for helper in ["", "../../bin/sh", "a b", "a/b"] {
            let problem = ask(helper, "r.example").await.unwrap_err();
            assert!(
                problem.ends_with("is no name of a credential helper"),
                "{helper}"
            );
        }
    }
}
