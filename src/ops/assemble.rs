//! What a builder is given: the request, the pinned Dockerfile, and the logins of the task.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    builder::{BuildRequest, Builder},
    error::{Context as _, Error, Kind, Result},
    image::{Platform, Reference},
    registry::AuthFormat,
    source::vcs,
    store::file,
    sys::secret::Secret,
    task::{
        Context, DockerStep, Run, RunId, Step, Task,
        template::{self, RunVariables, SourceVariables},
    },
};

use super::{
    App, adopt,
    builders::TASK_LABEL,
    credential::logins,
    event::{Event, EventSink},
    execute::Execution,
    inputs::Inputs,
    resolve::Resolved,
    run_log::RunLog,
    steps::workspace,
};

impl Execution<'_> {
    /// Returns everything that must not be in the log.
    pub(super) fn all_secrets(&self) -> Vec<Secret> {
        let arguments = self.secrets.arguments.values().cloned();
        let values = self.secrets.values.values().cloned();
        let passwords = logins(&self.secrets).unwrap_or_default();
        let token = self.secrets.git_access_token.iter().cloned();
        let variables = self.secret_variables().unwrap_or_default();
        arguments
            .chain(values)
            .chain(token)
            .chain(passwords.into_iter().map(|login| login.secret))
            .chain(variables.into_iter().map(|(_, value)| value))
            .collect()
    }

    /// Returns the variables that the definition takes secrets of its build from, with their values.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where one is not set.
    pub(super) fn secret_variables(&self) -> Result<Vec<(String, Secret)>> {
        let Step::Docker(step) = &self.task.step else {
            return Ok(Vec::new());
        };
        let secrets = step.options.iter();
        let secrets = secrets.filter_map(|option| option.strip_prefix("--secret="));
        let names = secrets.filter_map(|one| one.split(',').find_map(|it| it.strip_prefix("env=")));
        let value = |name: &str| {
            let value = adopt::variable(&self.task, name).ok_or_else(|| {
                let text = format!(
                    "variable `{name}` is not set, which a secret of the build is taken from"
                );
                Error::new(Kind::Invalid, text)
                    .hint("set it where acrt runs, or in the `.env` beside the compose file")
            })?;
            Ok((name.to_owned(), Secret::new(value)))
        };
        names.map(value).collect()
    }

    /// Writes the pinned copy where the builder finds it, with an ignore file that counts before that of the context.
    pub(super) fn place_dockerfile(
        &self,
        request: &BuildRequest,
        resolved: &Resolved,
        ignore: Option<&[u8]>,
    ) -> Result<()> {
        file::replace(&request.dockerfile, &resolved.pinned)?;
        match ignore {
            Some(ignore) => {
                file::replace(&request.dockerfile.with_extension("dockerignore"), ignore)
            }
            None => Ok(()),
        }
    }

    /// Returns the ignore file that belongs to the Dockerfile alone. Where `builder` is to leave out what az leaves out, it says that
    /// too; it then stands for the context's own, which the builder no longer reads.
    pub(super) fn ignore_file(
        &self,
        inputs: &Inputs,
        builder: Option<&Builder>,
    ) -> Result<Option<Vec<u8>>> {
        let own = inputs.context.ignore_file_of(&inputs.path)?;
        let Some(builder) = builder else {
            return Ok(own);
        };
        let ignore = match own {
            Some(own) => Some(own),
            None => inputs.context.ignore_file(builder.ignore_files())?,
        };
        Ok(Some(vcs::with_left_out(&ignore.unwrap_or_default())))
    }

    /// Tells whether what az leaves out of a folder is left out of the context: it is a folder of this machine.
    pub(super) fn leaves_out_vcs(&self) -> bool {
        let is_local = matches!(self.task.step.context(), Some(Context::Local(_)));
        is_local && !self.task.keep_vcs && !self.task.is_fetched
    }

    /// Says what of a folder is no part of the context.
    pub(super) fn tell_what_is_left_out(&self, folder: &Path, events: &EventSink<'_>) {
        let names = vcs::at_top(folder);
        if self.leaves_out_vcs() && !names.is_empty() {
            events.send(Event::Detail(format!(
                "left out of the context: {}; --keep-vcs keeps them",
                names.join(", ")
            )));
        }
    }

    /// Lets a builder that reads no ignore file but the context's own build from a folder without what is left out, for as long as what
    /// is returned lives. Its files are hard links, so that nothing is copied that can be linked.
    pub(super) fn place_lean_context(
        &self,
        builder: &Builder,
        request: &mut BuildRequest,
    ) -> Result<Option<LeanContext>> {
        let cannot = || format!("cannot read `{}`", request.context.display());
        let is_asked = self.leaves_out_vcs()
            && !builder.reads_ignore_file_beside(&self.app.settings)
            && vcs::holds_any(&request.context).context(Kind::Invalid, cannot)?;
        if !is_asked {
            return Ok(None);
        }
        let lean = LeanContext(request.scratch.join("context"));
        file::make_folder(&lean.0)?;
        workspace::link_without_vcs(self.app, &request.context, &lean.0)?;
        request.context.clone_from(&lean.0);
        Ok(Some(lean))
    }

    /// Puts the logins of the task where its builder finds them, for as long as what is returned lives.
    pub(super) fn place_logins(
        &self,
        id: RunId,
        request: &mut BuildRequest,
    ) -> Result<Option<PlacedLogins<'_>>> {
        let logins = logins(&self.secrets)?;
        let registries = self.app.registries();
        let folder = self.app.store.layout().run_logins(id);
        let placed = PlacedLogins { app: self.app, id };
        for (name, format) in [
            ("config.json", AuthFormat::Docker),
            ("auth.json", AuthFormat::Containers),
        ] {
            let Some(text) = registries.auth_file(&logins, format)? else {
                return Ok(None);
            };
            file::replace(&folder.join(name), text.reveal().as_bytes())?;
        }
        self.link_docker_folders(&folder)?;
        request.auth_dir = Some(folder);
        Ok(Some(placed))
    }

    /// Keeps docker's contexts, plugins and builders within reach: they lie beside the file that is replaced.
    fn link_docker_folders(&self, folder: &Path) -> Result<()> {
        let settings = &self.app.settings;
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

    /// Puts the build in the words of the builder room.
    pub(super) fn request(
        &self,
        step: &DockerStep,
        run: &Run,
        inputs: &Inputs,
        resolved: &Resolved,
        images: &[Reference],
    ) -> BuildRequest {
        let layout = self.app.store.layout();
        let (secret, plain): (Vec<_>, Vec<_>) = step
            .arguments
            .iter()
            .partition(|argument| argument.is_secret);
        let labels = labels(&self.task, run, resolved);
        BuildRequest {
            context: inputs.context.folder().to_owned(),
            dockerfile: layout.pinned_dockerfile(run.run_id),
            images: images.to_vec(),
            args: plain
                .into_iter()
                .map(|argument| {
                    let value = argument.value.clone().unwrap_or_default();
                    (argument.name.clone(), value)
                })
                .collect(),
            secret_args: secret
                .into_iter()
                .map(|argument| {
                    let value = self.secrets.arguments.get(&argument.name).cloned();
                    (
                        argument.name.clone(),
                        value.unwrap_or_else(|| Secret::new("")),
                    )
                })
                .collect(),
            target: step.target.clone(),
            platforms: inputs.wanted.clone(),
            no_cache: step.no_cache,
            contexts: step.contexts.clone(),
            options: step.options.clone(),
            cache: None,
            annotations: labels.clone(),
            labels,
            push: step.is_push_enabled,
            by_digest: false,
            plain_http: self.unverified(images.iter().chain(resolved.pulled.keys())),
            bases: resolved.pulled.clone(),
            unpinned: resolved.unpinned.clone(),
            scratch: layout.run_folder(run.run_id),
            auth_dir: None,
            run_id: run.run_id.to_string(),
        }
    }

    /// Returns the registries for which builders must not insist on a certificate that they trust.
    pub(super) fn unverified<'r>(
        &self,
        images: impl IntoIterator<Item = &'r Reference>,
    ) -> BTreeSet<String> {
        images
            .into_iter()
            .map(Reference::registry)
            .filter(|registry| self.app.settings.is_unverified(registry))
            .map(str::to_owned)
            .collect()
    }

    /// Says in every run which registries anybody could stand in for.
    pub(super) fn tell_what_is_not_verified<'r>(
        &self,
        images: impl Iterator<Item = &'r Reference>,
        log: &mut RunLog<'_>,
    ) {
        for registry in self.unverified(images) {
            if self.app.settings.registry(&registry).skip_verify {
                log.say(&not_verified(&registry));
            }
        }
    }

    pub(super) fn images(&self, run: &Run) -> Result<Vec<Reference>> {
        let images = self.task.images(&self.variables(run));
        images.map_err(|problem| self.unusable().because(problem))
    }

    /// Returns the names of the images with run variables filled in, whatever they name.
    pub(super) fn image_names(&self, run: &Run) -> Result<Vec<String>> {
        let variables = self.variables(run);
        let names = self.task.step.image_names().iter();
        names
            .map(|name| template::render(name, &variables))
            .collect::<Result<_, _>>()
            .map_err(|problem| self.unusable().because(problem))
    }

    fn unusable(&self) -> Error {
        Error::new(
            Kind::Invalid,
            format!("cannot use the images of task `{}`", self.task.name),
        )
    }

    /// Returns what the run variables of templates stand for.
    pub(super) fn variables(&self, run: &Run) -> RunVariables {
        // Once it is fetched, the task's own context is a folder.
        let context = self.stored.as_ref().unwrap_or(&self.task).step.context();
        let platform = self.task.platforms.first().cloned();
        let platform = platform.unwrap_or_else(Platform::host);
        RunVariables {
            id: run.run_id,
            date: run.create_time,
            registry: self.task.registry.clone(),
            task: self.task.name.to_string(),
            os: platform.os().into(),
            architecture: platform.architecture().into(),
            triggered_by: run.triggered_by().into(),
            source: SourceVariables::of(context, run.source_commit.as_deref()),
        }
    }
}

/// Says that a certificate is not verified.
pub(super) fn not_verified(registry: &str) -> String {
    format!("the certificate of `{registry}` is not verified, as skipVerify says")
}

/// A context without what is left out of it. It is removed when this is dropped.
pub(super) struct LeanContext(PathBuf);

impl Drop for LeanContext {
    fn drop(&mut self) {
        // What stays goes with the run.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The logins of a task in its run's folder. They are removed when this is dropped.
pub(super) struct PlacedLogins<'a> {
    app: &'a App,
    id: RunId,
}

impl Drop for PlacedLogins<'_> {
    fn drop(&mut self) {
        remove_logins(self.app, self.id);
    }
}

/// Removes the logins that a run's builder was given. Where they cannot be removed, only their owner can read them.
pub fn remove_logins(app: &App, id: RunId) {
    let _ = std::fs::remove_dir_all(app.store.layout().run_logins(id));
}

/// Labels by which an image can be traced to the task that makes it and to what it depends on. None of them changes from run to run: the
/// same inputs give the same image, which moves nothing that depends on it.
pub(super) fn labels(task: &Task, run: &Run, resolved: &Resolved) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if run.task.is_some() {
        labels.insert(TASK_LABEL.to_owned(), task.name.to_string());
    }
    if let Some((name, digest)) = &resolved.runtime {
        labels.insert(
            "org.opencontainers.image.base.name".into(),
            name.to_string(),
        );
        if let Some(digest) = digest {
            labels.insert(
                "org.opencontainers.image.base.digest".into(),
                digest.to_string(),
            );
        }
    }
    labels
}
