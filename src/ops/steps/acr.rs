//! `acr …` as a step: acrt carries it out itself, because acr-cli works only with Azure.

use std::cell::RefCell;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::Digest,
    ops::{
        Event, EventSink, manifest,
        purge::{self, ACR_HELP, AcrCommand, RepositoryOptions},
        repository::{self, Listing},
    },
    secret::MaskedText,
};

use super::{
    read::acr_command,
    step_run::{StepFailure, StepRun},
};

/// Carries out the command, in the registry that it names, else in the task's.
pub(super) async fn carry_out(work: &StepRun<'_>, words: &[MaskedText]) -> Result<(), StepFailure> {
    let shown: Vec<String> = words.iter().map(ToString::to_string).collect();
    let (shared, lines) = (work.shared, &work.lines);
    lines.line(&format!("$ acr {}", shell_words::join(shown)));
    let command = acr_command(&work.step.id, words)?;
    let printed = RefCell::new(Vec::new());
    let events = EventSink::new(|event| match event {
        Event::Log(bytes) => {
            printed.borrow_mut().extend_from_slice(bytes);
            for line in String::from_utf8_lossy(bytes).lines() {
                lines.line(line);
            }
        }
        Event::Note(text) | Event::Warning(text) => lines.say(&text),
        _ => {}
    });
    let doing = carry_out_command(work, command, &events);
    let doing = tokio::time::timeout_at(work.deadline, doing);
    let done = shared.execution.until_stopped(&shared.stop, doing).await?;
    match done.map_err(|_| work.too_long())? {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == Kind::Invalid => Err(error.into()),
        Err(error) => Err(StepFailure::Exit {
            error: Error::new(
                error.kind().of_run(),
                format!("step `{}` failed", work.step.id),
            )
            .because(error),
            printed: printed.take(),
        }),
    }
}

async fn carry_out_command(
    work: &StepRun<'_>,
    command: AcrCommand,
    events: &EventSink<'_>,
) -> Result<()> {
    match command {
        AcrCommand::Help => {
            events.send(Event::Log(ACR_HELP.as_bytes()));
            Ok(())
        }
        AcrCommand::Repository(options) => repository(work, &options, events).await,
        AcrCommand::Purge(mut options) => {
            options.registry = Some(registry_of(work, options.registry));
            let (app, run) = (work.shared.execution.app, work.shared.run.run_id);
            let purged = purge::purge(app, &options, Some(run), events).await;
            purged.map(|_| ())
        }
    }
}

/// Returns the registry of a command: the task's own, unless the command names another. `$RegistryName` is the part of the task's registry
/// before its first dot, and means that registry: of `127.0.0.1:5000` that part alone is no registry name.
fn registry_of(work: &StepRun<'_>, named: Option<String>) -> String {
    let own = &work.shared.execution.task.registry;
    let short = own.split('.').next();
    let named = named.filter(|named| Some(named.as_str()) != short);
    named.unwrap_or_else(|| own.clone())
}

/// Lists tags or manifests, or removes the named ones, with the output of acr-cli.
async fn repository(
    work: &StepRun<'_>,
    options: &RepositoryOptions,
    events: &EventSink<'_>,
) -> Result<()> {
    let app = work.shared.execution.app;
    let (registry, name) = (
        registry_of(work, options.registry.clone()),
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
                say(image('@', manifest.digest.as_str())?.to_string());
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
