//! `acr …` as a step: acrt does it itself, because acr-cli can only talk to Azure.

use std::{cell::RefCell, time::Duration};

use tokio::time::Instant;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::Digest,
    ops::{
        event::{Event, EventSink},
        execute::Failure,
        manifest,
        purge::{self, ACR_HELP, AcrCommand, Purge, RepositoryOptions},
        repository::{self, Listing},
        trust::Trust,
    },
    secret::MaskedText,
    source::local::TRUST_HINT,
    steps::Step,
    task::RunStatus,
};

use super::site::{StepContext, StepFailure};

impl StepContext<'_, '_> {
    /// Does what the words ask for, in the registry that they name, else in the task's.
    pub async fn acr(
        &self,
        step: &Step,
        words: &[MaskedText],
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        let shown: Vec<String> = words.iter().map(ToString::to_string).collect();
        self.say(
            Some(&step.id),
            &format!("$ acr {}", shell_words::join(shown)),
        );
        let cannot = || format!("step `{}` cannot be carried out", step.id);
        if self.read.trust == Trust::Guest {
            let error = Error::new(Kind::Invalid, cannot()).hint(TRUST_HINT).because(
                anyhow::anyhow!("the file of a guest's context asks for `acr`, which changes registries with this machine's logins"),
            );
            return Err(error.into());
        }
        let words: Vec<String> = words.iter().map(|word| word.reveal().to_owned()).collect();
        let command = purge::parse_command(&words).context(Kind::Invalid, cannot)?;
        let printed = RefCell::new(Vec::new());
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
        let done = tokio::select! {
            done = self.acr_command(command, &events) => done,
            failure = self.cut_short() => return Err(failure.into()),
            () = tokio::time::sleep_until(deadline) => return Err(self.too_long(step)),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == Kind::Invalid => Err(error.into()),
            Err(error) => Err(StepFailure::Exit {
                error: Error::new(Kind::Failed, format!("step `{}` failed", step.id))
                    .because(error),
                printed: printed.take(),
            }),
        }
    }

    async fn acr_command(&self, command: AcrCommand, events: &EventSink<'_>) -> Result<()> {
        match command {
            AcrCommand::Help => {
                events.send(Event::Log(ACR_HELP.as_bytes()));
                Ok(())
            }
            AcrCommand::Repository(options) => self.acr_repository(&options, events).await,
            AcrCommand::Purge(mut options) => {
                options.registry = Some(self.registry_of(options.registry));
                let run = Some(self.run.run_id);
                let purge = Purge { options, run };
                let purged = purge::purge(self.execution.app, &purge, events).await;
                purged.map(|_| ())
            }
        }
    }

    /// Returns the registry that a command means: the task's own, unless it names another. `$RegistryName` is the task's own too: what
    /// is before the first dot of a name such as `127.0.0.1:5000` is no name of a registry.
    fn registry_of(&self, named: Option<String>) -> String {
        let own = &self.execution.task.registry;
        let short = own.split('.').next();
        let named = named.filter(|named| Some(named.as_str()) != short);
        named.unwrap_or_else(|| own.clone())
    }

    /// Lists tags or manifests, or removes those that are named, in acr-cli's words.
    async fn acr_repository(
        &self,
        options: &RepositoryOptions,
        events: &EventSink<'_>,
    ) -> Result<()> {
        let app = self.execution.app;
        let (registry, name) = (
            self.registry_of(options.registry.clone()),
            &options.repository,
        );
        let say = |line: String| events.send(Event::Log(format!("{line}\n").as_bytes()));
        let image = |separator: char, what: &str| {
            repository::image_in(app, Some(&registry), &format!("{name}{separator}{what}"))
        };
        match (&options.delete, options.is_of_manifests) {
            (None, false) => {
                let listing = Listing::default();
                let tags = repository::tag_names(app, Some(&registry), name, listing).await?;
                say(format!("Listing tags for the {name:?} repository:"));
                for tag in tags {
                    say(image(':', &tag)?.to_string());
                }
            }
            (None, true) => {
                let listing = Listing::default();
                let all = manifest::list(app, Some(&registry), name, listing).await?;
                say(format!("Listing manifests for the {name:?} repository:"));
                for manifest in all {
                    say(image('@', manifest.digest().as_str())?.to_string());
                }
            }
            (Some(tags), false) => {
                for tag in tags {
                    let image = image(':', tag)?;
                    repository::untag(app, &image).await?;
                    say(image.to_string());
                }
            }
            (Some(digests), true) => {
                for digest in digests {
                    let image = image('@', digest)?;
                    let digest: Digest = digest.parse().context(Kind::Invalid, || {
                        format!("cannot use the digest `{}`", digest.escape_debug())
                    })?;
                    repository::delete_manifest(app, &image, &digest).await?;
                    say(image.to_string());
                }
            }
        }
        Ok(())
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
