//! `acr purge …` as a step: acrt does it itself, because acr-cli can only talk to Azure.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    error::{Context as _, Error, Kind},
    ops::{
        event::{Event, EventSink},
        execute::Failure,
        purge::{self, Purge},
        trust::Trust,
    },
    secret::MaskedText,
    source::local::TRUST_HINT,
    steps::Step,
    task::RunStatus,
};

use super::site::{StepContext, StepFailure};

impl StepContext<'_, '_> {
    /// Purges the registry that the words name, else the task's.
    pub async fn purge(
        &self,
        step: &Step,
        words: &[MaskedText],
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        let shown: Vec<String> = words.iter().map(ToString::to_string).collect();
        self.say(
            Some(&step.id),
            &format!("$ acr purge {}", shell_words::join(shown)),
        );
        let cannot = || format!("step `{}` cannot be carried out", step.id);
        if self.read.trust == Trust::Guest {
            let error = Error::new(Kind::Invalid, cannot()).hint(TRUST_HINT).because(
                anyhow::anyhow!("the file of a guest's context asks for `acr purge`, which removes images with this machine's logins"),
            );
            return Err(error.into());
        }
        let words: Vec<String> = words.iter().map(|word| word.reveal().to_owned()).collect();
        let mut options = purge::parse_command(&words).context(Kind::Invalid, cannot)?;
        let own = self.execution.task.registry.clone();
        options.registry = options.registry.or(Some(own));
        let purge = Purge {
            options,
            run: Some(self.run.run_id),
        };
        let printed = std::cell::RefCell::new(Vec::new());
        let events = EventSink::new(|event| match event {
            Event::Log(bytes) => {
                printed.borrow_mut().extend_from_slice(bytes);
                for line in String::from_utf8_lossy(bytes).lines() {
                    self.say(Some(&step.id), line);
                }
            }
            Event::Note(text) | Event::Warning(text) => {
                self.say(Some(&step.id), &format!("acrt: {text}"));
            }
            _ => {}
        });
        let purged = tokio::select! {
            purged = purge::purge(self.execution.app, &purge, &events) => purged,
            failure = self.cut_short() => return Err(failure.into()),
            () = tokio::time::sleep_until(deadline) => return Err(self.too_long(step)),
        };
        match purged {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == Kind::Invalid => Err(error.into()),
            Err(error) => Err(StepFailure::Exit {
                error: Error::new(Kind::Failed, format!("step `{}` failed", step.id))
                    .because(error),
                printed: printed.take(),
            }),
        }
    }

    fn too_long(&self, step: &Step) -> StepFailure {
        let limit = Duration::from_secs(u64::from(step.limits.timeout));
        let text = format!(
            "step `{}` took longer than {} seconds",
            step.id,
            limit.as_secs()
        );
        StepFailure::Final(Failure {
            status: RunStatus::Failed,
            error: Error::new(Kind::Failed, text),
        })
    }
}
