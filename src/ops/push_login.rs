//! Checks before a build that its push would be accepted, so that a missing login is reported before the build and not after it.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;

use crate::{
    builder::{Builder, BuilderKind},
    error::{Error, Kind},
    image::Reference,
    steps::{Action, Graph},
    task::RunStatus,
};

use super::{
    Event,
    execution::{Execution, Failure},
    run_log::RunLog,
    steps::read::pushes_of,
};

/// How long registries have to answer whether they accept a push: one that does not answer now may do so when the build has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns why one of these images could not be pushed: its registry requires a login, or refuses the one that there is. Each repository is
/// asked once. A builder with command lines from the config file is trusted to have logins of its own.
pub(super) async fn refusal(
    execution: &Execution<'_>,
    builder: &Builder,
    images: &[Reference],
) -> Result<Option<Error>, Failure> {
    if builder.kind() == BuilderKind::Command {
        return Ok(None);
    }
    let by_repository: BTreeMap<String, &Reference> =
        images.iter().map(|image| (image.name(), image)).collect();
    let asked = by_repository.into_iter().map(async |(place, image)| {
        let refused = execution.app.registries().push_refusal(image).await?;
        Some(refused.of_writing(&place))
    });
    let asked = tokio::time::timeout(PATIENCE, join_all(asked));
    let refused = execution.until_stopped(execution.stop, asked).await?;
    Ok(refused
        .ok()
        .and_then(|all| all.into_iter().flatten().next()))
}

/// Returns why a run has failed, of which the last command or step pushes these images. If one of their registries does not answer now, that is
/// the reason, and says nothing about the task.
pub(super) async fn or_away(
    execution: &Execution<'_>,
    failure: Failure,
    images: &[Reference],
) -> Failure {
    if !execution.recorded || failure.status != RunStatus::Failed {
        return failure;
    }
    let images = images.iter().map(|image| (image.registry(), image));
    let by_registry: BTreeMap<&str, &Reference> = images.collect();
    let registries = execution.app.registries();
    for image in by_registry.into_values() {
        let looked = execution.until_stopped(execution.stop, registries.look(image));
        if let Ok(Err(away)) = looked.await
            && away.is_away()
        {
            let text = failure.error.one_line();
            return Error::new(Kind::Unknown, text)
                .because(Error::from(away))
                .into();
        }
    }
    failure
}

/// Refuses the pushes of a multi-step file that a registry would refuse. If a container runs before, which may create the repository, this is
/// only a warning.
pub(super) async fn try_pushes(
    execution: &Execution<'_>,
    graph: &Graph,
    builder: &Builder,
    log: &RunLog<'_>,
) -> Result<(), Failure> {
    let actions = || graph.steps().iter().map(|step| &step.action);
    let images: Vec<Reference> = actions().flat_map(pushes_of).collect();
    let Some(refused) = refusal(execution, builder, &images).await? else {
        return Ok(());
    };
    if !actions().any(|action| matches!(action, Action::Cmd(cmd) if cmd.own().is_none())) {
        return Err(refused.into());
    }
    let hint = refused.advice().unwrap_or_default();
    let text = format!("{refused}, unless a step before the push sees to it; {hint}");
    log.say(&text);
    log.events.send(Event::Warning(text));
    Ok(())
}
