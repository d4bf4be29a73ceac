//! Delivers notifications to a program: the message is its standard input, without a shell.

use std::time::Duration;

use crate::{
    secret::Masks,
    sys::{
        command::CommandLine,
        process::{self, Ended, Limits, MAX_ANSWER},
        signal::Stop,
    },
};

use super::delivery_error::DeliveryError;

/// The timeout of a program and its children.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long they may take to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);

/// How much of a failing program's output is shown, in bytes.
const SHOWN: usize = 300;

/// Runs a program with `message` on its standard input, and returns its output, in which `masks` hides secrets. If acrt is to stop, the
/// program is told to end, whatever it makes of that: it is run again later.
///
/// # Errors
///
/// How the program failed, with the end of its output.
pub async fn deliver(
    line: &CommandLine,
    message: &[u8],
    masks: &Masks,
    stop: &Stop,
) -> Result<Vec<u8>, DeliveryError> {
    let limits = Limits {
        timeout: Some(PATIENCE),
        grace: GRACE,
    };
    let reply = process::converse(line, message, &limits, stop, MAX_ANSWER).await;
    let reply = reply.map_err(|error| DeliveryError::Failed(error.one_line()))?;
    // Masked before it is cut, so that no part of a secret is left.
    let printed = masks.hide([reply.output, reply.errors].concat());
    let how = match reply.ended {
        Ended::Exited(0) => return Ok(printed),
        Ended::Exited(code) => format!("its exit code is {code}"),
        Ended::Killed(signal) => format!("it was killed by signal {signal}"),
        Ended::TimedOut => format!("it took longer than {} seconds", PATIENCE.as_secs()),
        Ended::Stopped(_) => return Err(DeliveryError::Stopped),
    };
    Err(DeliveryError::Failed(match last_words(&printed) {
        Some(words) => format!("{how}: {words}"),
        None => how,
    }))
}

/// Returns the last line of a text, or the end of that line if it is long.
fn last_words(printed: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(printed);
    let last = text.lines().rev().find(|line| !line.trim().is_empty())?;
    let skip = last.chars().count().saturating_sub(SHOWN);
    Some(last.trim().chars().skip(skip).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> CommandLine {
        CommandLine::new("/bin/sh").args(["-c", script])
    }

    async fn deliver_to(script: &str, message: &[u8]) -> Result<Vec<u8>, DeliveryError> {
        deliver(&shell(script), message, &Masks::default(), &Stop::never()).await
    }

    #[tokio::test]
    async fn notification_program_gets_the_message_and_its_output_is_recorded() {
        let printed = deliver_to("cat; echo", b"{\"a\":1}").await.unwrap();
        assert_eq!(printed, b"{\"a\":1}\n");
    }

    #[tokio::test]
    async fn failed_notification_program_is_reported_with_its_last_output_line() {
        let why = deliver_to("echo one; echo two >&2; exit 3", b"").await;
        let expected = DeliveryError::Failed("its exit code is 3: two".into());
        assert_eq!(why.unwrap_err(), expected);
    }

    #[tokio::test]
    async fn notification_program_that_ignores_its_input_is_no_failure() {
        let message = vec![b'x'; 1 << 20];
        assert!(deliver_to("exec <&-; exit 0", &message).await.is_ok());
    }
}
