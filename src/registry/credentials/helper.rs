//! Credential helpers: programs `docker-credential-NAME`, asked for one server at a time.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    registry::error_text::clean,
    sys::{
        command::CommandLine,
        process::{self, Ended, Limits, MAX_ANSWER, QUESTION, Reply},
        secret::Secret,
        signal::Stop,
    },
};

use super::credential::{Credential, credential, object};

/// The message of all helpers for a server without a login, from docker's own library for helpers.
const UNKNOWN: &str = "credentials not found";

/// Asks a helper for the login to `server`; `None` if it has none.
///
/// A helper has ten seconds: a locked keychain waits to be unlocked, which never happens under cron.
///
/// # Errors
///
/// What is wrong with the helper, with its name. A failure never means that there is no login.
pub async fn ask(helper: &str, server: &str) -> Result<Option<Credential>, String> {
    let (name, reply) = call(helper, "get", server.as_bytes()).await?;
    read(&name, &reply)
}

/// Makes a helper store or erase a login; `false` where there was none to erase.
pub async fn change(helper: &str, verb: &str, input: &Secret) -> Result<bool, String> {
    let (name, reply) = call(helper, verb, input.reveal().as_bytes()).await?;
    match reply.ended {
        Ended::Exited(0) => Ok(true),
        Ended::TimedOut => Err(silent(&name)),
        _ if has_none(&reply) => Ok(false),
        _ => Err(format!("`{name} {verb}` fails")),
    }
}

/// Calls a helper for an action, and returns its full name and its answer.
///
/// A helper has ten seconds: a locked keychain waits to be unlocked, which never happens under cron.
async fn call(helper: &str, verb: &str, input: &[u8]) -> Result<(String, Reply), String> {
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
    let line = CommandLine::new(&name).arg(verb);
    let limits = Limits::of_answer(QUESTION);
    match process::converse(&line, input, &limits, &Stop::never(), MAX_ANSWER).await {
        Ok(reply) => Ok((name, reply)),
        Err(_) => Err(format!("`{name}` cannot be started; it must be on PATH")),
    }
}

fn silent(name: &str) -> String {
    format!("`{name}` does not answer within ten seconds")
}

fn has_none(reply: &Reply) -> bool {
    let said = [&reply.output, &reply.errors].map(|said| String::from_utf8_lossy(said));
    said.iter().any(|said| said.contains(UNKNOWN))
}

fn read(name: &str, reply: &Reply) -> Result<Option<Credential>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct HelperLogin {
        username: String,
        secret: Secret,
    }
    let login = || {
        let told = object(
            &String::from_utf8_lossy(&reply.output),
            &["Username", "Secret"],
        )?;
        serde_json::from_value::<HelperLogin>(Value::Object(told))
    };
    match reply.ended {
        Ended::Exited(0) => match login() {
            Ok(told) => Ok(credential(told.username, told.secret)),
            // Its output may be a secret.
            Err(_) => Err(format!("`{name}` answers with something else than a login")),
        },
        Ended::TimedOut => Err(silent(name)),
        _ if has_none(reply) => Ok(None),
        _ => {
            let [output, errors] =
                [&reply.output, &reply.errors].map(|said| String::from_utf8_lossy(said));
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
        // As in docker: keys in any case, and more text behind the answer.
        let text = "{\"username\":\"u\",\"SECRET\":\"p\"}\ndone\n";
        assert_eq!(answer(Ended::Exited(0), text, ""), told);
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
