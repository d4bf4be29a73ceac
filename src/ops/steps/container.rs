//! A step that runs a command in a container, and one that stops containers of earlier steps.

use std::path::PathBuf;

use crate::{
    builder::{
        ContainerRequest, FolderMount,
        container::{SecretFile, command_of},
    },
    error::Result,
    image::Reference,
    ops::{assemble, execution::GRACE, resolve},
    steps::CmdStep,
    store::file,
    sys::{process, secret::MaskedText},
};

use super::{
    LABEL,
    step_run::{CONTAINER_GRACE, StepFailure, StepRun},
};

/// Stops or kills the containers of earlier steps, by the names of the steps.
pub(super) async fn end(work: &StepRun<'_>, verb: &str, names: &[&str]) -> Result<(), StepFailure> {
    for name in names {
        let builder = &work.shared.on.builder;
        let line = builder.end_container(verb, &work.shared.name(name));
        // A builder without detached containers has none from earlier steps.
        let Some(line) = line else { continue };
        work.run(&format!("`docker {verb} {name}`"), line, GRACE)
            .await?;
    }
    Ok(())
}

pub(super) async fn run(work: &StepRun<'_>, cmd: &CmdStep) -> Result<(), StepFailure> {
    let image = image_of(work, cmd).await?;
    let request = container_request(work, cmd, &image)?;
    if cmd.args.iter().any(MaskedText::has_secret) {
        work.warn_of_bare_secret();
    }
    let ended = run_in_container(work, request.clone()).await;
    // A client that was told to exit may leave its container running, and buildah always leaves one.
    let stays = ended.is_ok() && (cmd.detach || cmd.keep);
    if !stays && let Some(line) = work.shared.on.builder.remove_container(&request.name) {
        let _ = process::ask(&line).await;
    }
    ended
}

async fn run_in_container(
    work: &StepRun<'_>,
    mut request: ContainerRequest,
) -> Result<(), StepFailure> {
    let builder = &work.shared.on.builder;
    for line in builder.container(&request)?.before {
        work.run("making the container", line, CONTAINER_GRACE)
            .await?;
    }
    if request.entry_point.is_none()
        && let Some(line) = builder.inspect_container(&request.name)
    {
        let inspected = process::ask(&line).await?;
        request.args = command_of(&inspected.output, &request.args);
    }
    let plan = builder.container(&request)?;
    let _secrets = plan
        .secrets
        .as_ref()
        .map(PlacedSecretFile::new)
        .transpose()?;
    work.run("the command", plan.run, CONTAINER_GRACE).await
}

/// Returns the image of a command: one that an earlier step made, or what its registry has under the name now.
async fn image_of(work: &StepRun<'_>, cmd: &CmdStep) -> Result<Reference, StepFailure> {
    let shared = work.shared;
    if shared.made_before(work.step).contains(&cmd.image) {
        return Ok(cmd.image.clone());
    }
    let execution = shared.execution;
    let named = execution.task.platforms.first();
    let asked = resolve::ImageToRun {
        image: &cmd.image,
        platform: named.unwrap_or(&shared.platforms.containers),
    };
    let (builder, baseline) = (&shared.on.builder, shared.baseline);
    let resolving = work.resolve(async |events| {
        resolve::image(execution.app, asked, builder, baseline, events).await
    });
    let resolved = resolving.await?;
    let pinned = resolved.pulled.keys().next();
    Ok(pinned.unwrap_or(&cmd.image).clone())
}

fn container_request(
    work: &StepRun<'_>,
    cmd: &CmdStep,
    image: &Reference,
) -> Result<ContainerRequest> {
    let place = &cmd.place;
    let (secret_env, mut env) = assemble::parted(place.env.clone());
    if !place.env.iter().any(|(name, _)| name == "HOME") {
        env.push(("HOME".into(), "/acb/home".into()));
    }
    let network = place.network.as_ref();
    let ours = network.and_then(|name| work.shared.networks.get(name));
    let networks = &work.shared.read.graph.networks;
    let is_foreign = |name: &&String| !networks.iter().any(|it| it.name == **name);
    let mounts = place.mounts.iter().map(|mount| FolderMount {
        from: work.shared.workspace.volume(&mount.name),
        to: mount.path.clone(),
        read_only: true,
    });
    let folder = |from: PathBuf, to: &str| FolderMount {
        from,
        to: to.to_owned(),
        read_only: false,
    };
    let marker = work.shared.marker();
    Ok(ContainerRequest {
        name: work.shared.name(work.step.id.as_str()),
        image: image.to_string(),
        args: cmd.args.clone(),
        entry_point: place.entry_point.clone(),
        working_directory: place
            .directory
            .clone()
            .or_else(|| place.working_directory.as_deref().map(in_container)),
        env,
        secret_env,
        user: place.user.clone(),
        alias: ours.map(|_| work.step.id.to_string()),
        network: ours.or(network.filter(is_foreign)).cloned(),
        expose: place.expose.clone(),
        ports: place.ports.clone(),
        cpus: place.cpus.clone(),
        mounts: [
            folder(work.shared.workspace.workspace(), "/workspace"),
            folder(work.shared.workspace.home(), "/acb/home"),
        ]
        .into_iter()
        .chain(mounts)
        .collect(),
        detach: cmd.detach,
        keep: cmd.keep,
        privileged: cmd.privileged,
        labels: [(LABEL.to_owned(), marker.display().to_string())].into(),
        plain_http: !assemble::unverified(work.shared.execution.app, [image]).is_empty(),
        auth_dir: work.shared.auth_dir.clone(),
        scratch: work.shared.workspace.step(&work.step.id)?,
    })
}

/// A file with secrets. It is removed when this is dropped.
struct PlacedSecretFile<'a>(&'a SecretFile);

impl<'a> PlacedSecretFile<'a> {
    fn new(file: &'a SecretFile) -> Result<Self> {
        file::replace(&file.path, file.content.reveal().as_bytes())?;
        Ok(Self(file))
    }
}

impl Drop for PlacedSecretFile<'_> {
    fn drop(&mut self) {
        // If it cannot be removed, it goes with the run's folder, and only its owner can read it.
        let _ = std::fs::remove_file(&self.0.path);
    }
}

/// Returns a working directory as a path in the container.
fn in_container(path: &str) -> String {
    match path {
        "" => "/workspace".into(),
        path if path == "/workspace" || path.starts_with("/workspace/") => path.into(),
        path => format!("/workspace/{}", path.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_directory_of_a_step_is_below_the_workspace() {
        assert_eq!(in_container(""), "/workspace");
        assert_eq!(in_container("src"), "/workspace/src");
        assert_eq!(in_container("/src"), "/workspace/src");
        assert_eq!(in_container("/workspace/src"), "/workspace/src");
    }
}
