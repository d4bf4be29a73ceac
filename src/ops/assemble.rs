//! Prepares the input of a builder: the build request, the pinned Dockerfile, and the logins of the task.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    builder::{BuildRequest, Builder},
    error::{Context as _, Error, Kind, Result},
    image::{Platform, Reference},
    registry::AuthFormat,
    source::left_out::LeftOut,
    store::file,
    sys::secret::{MaskedText, Secret},
    task::{Context, Run, RunId},
};

use super::{
    App, Event, EventSink, builders::TASK_LABEL, credential::logins, execution::Execution,
    inputs::Inputs, resolve::Resolved, run_log::RunLog, steps::workspace,
};

/// The ignore file of a context that docker's classic builder reads.
const DOCKERIGNORE: &str = ".dockerignore";

/// Returns the path of the pinned Dockerfile in the folder `scratch` of a build. It has a folder of its own, because BuildKit gives that folder
/// to the frontend that the Dockerfile names.
pub(super) fn dockerfile_in(scratch: &Path) -> PathBuf {
    scratch.join("dockerfile").join("Dockerfile")
}

/// Lets podman and buildah pull the images of a build and nothing else, as far as the user's own policy accepts them. Where they read a
/// Dockerfile otherwise than acrt, they would take other images, or files of this machine for images.
///
/// # Errors
///
/// [`Kind::Invalid`] where the user's policy cannot be read.
pub(super) fn restrict_images(
    app: &App,
    builder: &Builder,
    request: &mut BuildRequest,
) -> Result<()> {
    for file in builder.policy_files(&app.settings) {
        let read = std::fs::read(&file);
        if matches!(&read, Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            continue;
        }
        let cannot = || format!("cannot read the policy for images `{}`", file.display());
        let text = read.context(Kind::Invalid, cannot)?;
        let own = serde_json::from_slice(&text).context(Kind::Invalid, cannot)?;
        request.policy = Some(builder.restricted(&own, request).to_string());
        break;
    }
    Ok(())
}

/// Writes the pinned Dockerfile where the builder finds it, with an ignore file that takes precedence over the one of the context, and the
/// policy for its images.
pub(super) fn place_dockerfile(request: &BuildRequest, resolved: &Resolved) -> Result<()> {
    if let Some(policy) = &request.policy {
        file::replace(&request.policy_file(), policy.as_bytes())?;
    }
    if let Some(folder) = request.dockerfile.parent() {
        file::make_folder(folder)?;
    }
    file::replace(&request.dockerfile, &resolved.pinned)?;
    match &request.ignore {
        Some(ignore) => file::replace(&request.ignore_file(), ignore),
        None => Ok(()),
    }
}

/// Gives the request the ignore file that belongs to the Dockerfile alone, with what is left out of the context. If anything is, the file
/// includes the ignore file of the context, which the builder no longer reads.
///
/// # Errors
///
/// [`Kind::Invalid`] with the path, where an ignore file cannot be read.
pub(super) fn leave_out(
    inputs: &Inputs,
    builder: &Builder,
    left_out: &mut LeftOut,
    request: &mut BuildRequest,
) -> Result<()> {
    if builder.may_send_dockerfile() {
        // Its path is another one in each run.
        left_out.add_sent(&request.dockerfile);
    }
    let own = inputs
        .context
        .ignore_file_of(&inputs.path, builder.ignore_suffixes())?;
    let ignore = match &own {
        Some(own) => Some(own.clone()),
        None => inputs.context.ignore_file(builder.ignore_files())?,
    };
    request.ignore = left_out.added_to(&ignore.unwrap_or_default()).or(own);
    Ok(())
}

/// Returns what is left out of the context `folder` of a run.
pub(super) fn left_out(execution: &Execution<'_>, folder: &Path) -> LeftOut {
    let task = &execution.task;
    let is_local =
        matches!(task.step.context(), Some(Context::Local(_))) && task.fetched_from.is_none();
    let state = execution.app.store.layout().root();
    LeftOut::of(folder, is_local && !task.keep_vcs, state)
}

/// Reports which files of the folder are not part of the context.
pub(super) fn report_left_out(execution: &Execution<'_>, folder: &Path, events: &EventSink<'_>) {
    let names = left_out(execution, folder).names_at_top();
    if !names.is_empty() {
        events.send(Event::Detail(format!(
            "left out of the context: {}; --keep-vcs keeps them",
            names.join(", ")
        )));
    }
}

/// Makes a folder without the files that are left out, for a build that may read more than the ignore file beside the Dockerfile allows:
/// `is_ignored` tells whether that file counts. The folder is removed when the returned value is dropped. Its files are hard links where
/// possible, and copies elsewhere. An ignore file that is a symbolic link is a file in it: docker cannot send one.
pub(super) fn place_lean_context(
    execution: &Execution<'_>,
    inputs: &Inputs,
    is_ignored: bool,
    request: &mut BuildRequest,
    left_out: &LeftOut,
) -> Result<Option<PlacedFolder>> {
    let cannot = || format!("cannot read `{}`", request.context.display());
    let is_link = request.context.join(DOCKERIGNORE).is_symlink();
    let is_asked =
        !is_ignored && (is_link || left_out.is_there().context(Kind::Invalid, cannot)?);
    if !is_asked {
        return Ok(None);
    }
    let lean = PlacedFolder(request.scratch.join("context"));
    file::make_folder(&lean.0)?;
    workspace::link_lean(execution.app, &request.context, &lean.0, left_out)?;
    if is_link && let Some(ignore) = inputs.context.ignore_file(&[DOCKERIGNORE])? {
        file::replace(&lean.0.join(DOCKERIGNORE), &ignore)?;
    }
    request.context.clone_from(&lean.0);
    Ok(Some(lean))
}

/// Writes the logins of the task where its builder finds them, until the returned value is dropped.
pub(super) fn place_logins(execution: &Execution<'_>, id: RunId) -> Result<Option<PlacedFolder>> {
    let logins = logins(None, &execution.secrets)?;
    let registries = execution.app.registries();
    let placed = PlacedFolder(execution.app.store.layout().run_logins(id));
    file::make_folder(&placed.0)?;
    for (name, format) in [
        ("config.json", AuthFormat::Docker),
        ("auth.json", AuthFormat::Containers),
    ] {
        let Some(text) = registries.auth_file(&logins, format)? else {
            return Ok(None);
        };
        file::replace(&placed.0.join(name), text.reveal().as_bytes())?;
    }
    link_docker_folders(execution.app, &placed.0)?;
    Ok(Some(placed))
}

/// Links docker's contexts, plugins and builders into the folder: docker looks for them beside the config file that is replaced.
fn link_docker_folders(app: &App, folder: &Path) -> Result<()> {
    let settings = &app.settings;
    let home = settings.home.as_ref().map(|home| home.join(".docker"));
    let Some(own) = settings.credentials.docker_config.clone().or(home) else {
        return Ok(());
    };
    for name in ["contexts", "cli-plugins", "buildx"] {
        let (from, to) = (own.join(name), folder.join(name));
        if from.exists() {
            std::os::unix::fs::symlink(&from, &to).context(Kind::Failed, || {
                format!("cannot link `{}` to `{}`", to.display(), from.display())
            })?;
        }
    }
    Ok(())
}

/// Refuses a named context that is a folder with the state directory in it: unlike in the main context, builders can leave nothing out.
fn refuse_state_in_contexts(app: &App, contexts: &BTreeMap<String, String>) -> Result<()> {
    let state = app.store.layout().root();
    let holds_state = |folder: &&String| LeftOut::of(Path::new(folder), false, state).has_state();
    match contexts.values().find(holds_state) {
        None => Ok(()),
        Some(folder) => Err(Error::invalid(format!(
            "cannot use the folder `{folder}` as a named context"
        ))
        .because(anyhow::anyhow!(
            "the state directory `{}` is in it, with the passwords of tasks",
            state.display()
        ))
        .hint("name a folder without it, or keep the state elsewhere: --state-dir DIR")),
    }
}

/// Completes a build request with the inputs and with what was resolved. `asked` has what the step says.
///
/// # Errors
///
/// [`Kind::Invalid`] for a named context with the state directory in it, and as [`labels`].
pub(super) fn request(
    execution: &Execution<'_>,
    run: &Run,
    inputs: &Inputs,
    resolved: &Resolved,
    asked: BuildRequest,
) -> Result<BuildRequest> {
    refuse_state_in_contexts(execution.app, &inputs.build.contexts)?;
    let annotations = labels(execution, run, inputs, resolved, &inputs.build.platforms)?;
    let mut labels = annotations.clone();
    labels.extend(asked.labels);
    let images = asked.images.iter().chain(resolved.pulled.keys());
    Ok(BuildRequest {
        context: inputs.context.folder().to_owned(),
        dockerfile: dockerfile_in(&asked.scratch),
        target: inputs.build.target.clone(),
        platforms: inputs.wanted.clone(),
        contexts: inputs.build.contexts.clone(),
        labels,
        annotations,
        plain_http: unverified(execution.app, images),
        bases: resolved.pulled.clone(),
        unpinned: resolved.unpinned.clone(),
        run_id: run.run_id.to_string(),
        ..asked
    })
}

/// Splits variables into those with secret parts and the others.
#[expect(clippy::type_complexity, reason = "two lists of names and values")]
pub(super) fn parted(
    variables: Vec<(String, MaskedText)>,
) -> (Vec<(String, Secret)>, Vec<(String, String)>) {
    let (mut secret, mut plain) = (Vec::new(), Vec::new());
    for (name, value) in variables {
        if value.has_secret() {
            secret.push((name, value.to_secret()))
        } else {
            plain.push((name, value.reveal().to_owned()))
        }
    }
    (secret, plain)
}

/// Returns the registries whose certificates builders must not verify.
pub(super) fn unverified<'r>(
    app: &App,
    images: impl IntoIterator<Item = &'r Reference>,
) -> BTreeSet<String> {
    images
        .into_iter()
        .map(Reference::registry)
        .filter(|registry| app.settings.is_unverified(registry))
        .map(str::to_owned)
        .collect()
}

/// Reports in every run which registries are asked without TLS, or without a check of their certificate.
pub(super) fn report_unverified<'r>(
    app: &App,
    images: impl Iterator<Item = &'r Reference>,
    log: &RunLog<'_>,
) {
    for registry in unverified(app, images) {
        if app.settings.registry(&registry).skip_verify {
            log.say(&not_verified(&registry));
        }
    }
}

/// Returns the line for the log about a registry whose certificate is not verified.
pub(super) fn not_verified(registry: &str) -> String {
    format!("the certificate of `{registry}` is not verified, as skipVerify says")
}

/// A folder within that of a run, for as long as a builder needs it. It is removed when this is dropped.
pub(super) struct PlacedFolder(pub PathBuf);

impl Drop for PlacedFolder {
    fn drop(&mut self) {
        // What cannot be removed goes with the folder of the run, and only its owner can read it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Labels of an image for `platforms` that lead to the task that makes it and to its base. None of them changes from run to run: the same
/// inputs give the same image, so that nothing which depends on it becomes stale.
///
/// # Errors
///
/// As [`Inputs::bases`].
pub(super) fn labels(
    execution: &Execution<'_>,
    run: &Run,
    inputs: &Inputs,
    resolved: &Resolved,
    platforms: &[Platform],
) -> Result<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    if run.task.is_some() {
        labels.insert(TASK_LABEL.to_owned(), execution.task.name.to_string());
    }
    if let Some((name, digest)) = resolved.runtime(inputs, platforms)? {
        let of_base = |key: &str| format!("org.opencontainers.image.base.{key}");
        labels.insert(of_base("name"), name.to_string());
        // Without it, the image would inherit the label of its base, with the digest of another image.
        let digest = digest.map_or_else(String::new, |digest| digest.to_string());
        labels.insert(of_base("digest"), digest);
    }
    Ok(labels)
}
