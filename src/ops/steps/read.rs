//! Reads the multi-step file of a task, with its values and secrets.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use crate::{
    dockerfile::{Build, Dockerfile},
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Platform, Reference},
    source::local::LocalContext,
    steps::{self, Action, BuildStep, Graph, InvalidTaskFile, Notice, Values, Variables},
    store::{file, secrets::Secrets},
    sys::secret::Secret,
    task::{
        Context, RunId, Step, Task,
        multi_step::decoded,
        template::{RunVariables, SourceVariables},
    },
    watch::ReadFile,
};

use super::super::{App, credential::resolved, inputs};

/// The largest file that is read; a larger one is refused when it is parsed.
const MAX_FILE: u64 = 1024 * 1024 + 1;

/// What stands for a secret where nobody needs its value: base64 too, because files of volumes are.
const STAND_IN: &str = "c2VjcmV0";

/// A multi-step file, ready to be carried out.
#[derive(Debug)]
pub struct MultiStep {
    /// Its steps.
    pub graph: Graph,
    /// What is odd about it.
    pub notices: Vec<Notice>,
    /// The folder of its files, if it has any.
    pub folder: Option<PathBuf>,
    /// What it was made of: another value is worth another try.
    pub digest: Digest,
    /// The values that must not be seen.
    pub hidden: Vec<Secret>,
    /// The files of the context that it has taken in, as it names them.
    pub included: Vec<PathBuf>,
}

/// Whether the values of secrets are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// They are looked up; one that is nowhere is an error.
    Now,
    /// Something else stands for them.
    Later,
}

/// What can be told about a multi-step task without a run and without a registry.
#[derive(Debug)]
pub struct Survey {
    /// The images that it takes from registries.
    pub bases: Vec<Reference>,
    /// The images that it pushes under names that stay the same from run to run.
    pub pushes: Vec<Reference>,
    /// What it is made of.
    /// None where it is not known before the context has been fetched.
    pub digest: Option<Digest>,
    /// What is odd about the file.
    pub notices: Vec<Notice>,
    /// The steps that ask to be privileged.
    pub privileged: Vec<String>,
    /// The files of a local context that were read for it, with the state that they were in.
    pub files: Vec<ReadFile>,
}

/// Reads the file of a task.
///
/// # Errors
///
/// [`Kind::Invalid`] with the file and the line, where it cannot be used, or where a secret is nowhere to be found.
pub fn read(
    app: &App,
    task: &Task,
    secrets: &Secrets,
    run: &RunVariables,
    lookup: Lookup,
) -> Result<MultiStep> {
    let sources = Sources::of(app, task)?;
    let mut hidden = Vec::new();
    let mut variables = Variables {
        run: run_variables(app, run),
        values: sources.values()?,
        ..Variables::default()
    };
    for value in task.step.values() {
        let text = match (&value.value, secrets.values.get(&value.name), lookup) {
            (Some(text), _, _) if !value.is_secret => text.clone(),
            (_, Some(secret), Lookup::Now) => {
                let secret = resolved(secret, &format!("the value `{}`", value.name))?;
                hidden.push(secret.clone());
                secret.reveal().to_owned()
            }
            (_, None, Lookup::Now) => String::new(),
            (_, _, Lookup::Later) => STAND_IN.to_owned(),
        };
        variables.values.set(&value.name, &text);
    }
    let asked = steps::secrets(&sources.text, &variables, &mut |name| sources.load(name));
    for source in asked.map_err(|problem| sources.invalid(problem, &hidden))? {
        let value = match lookup {
            Lookup::Later => Secret::new(STAND_IN),
            Lookup::Now => secret(&source, secrets, &sources)?,
        };
        variables
            .secrets
            .insert(source.id, value.reveal().to_owned());
        hidden.push(value);
    }
    let read = steps::read(&sources.text, &variables, &mut |name| sources.load(name));
    let (graph, notices) = read.map_err(|problem| sources.invalid(problem, &hidden))?;
    let files = graph
        .volumes
        .iter()
        .flat_map(|volume| volume.files.values());
    hidden.extend(files.filter_map(|bytes| Some(Secret::new(std::str::from_utf8(bytes).ok()?))));
    if lookup == Lookup::Later {
        hidden.clear();
    }
    let made_of = (
        &sources.text,
        &sources.values_text,
        task.step.values(),
        &task.platforms,
    );
    Ok(MultiStep {
        graph,
        notices,
        digest: Digest::of(&serde_json::to_vec(&made_of).unwrap_or_default()),
        included: sources.included.into_inner(),
        folder: sources.folder,
        hidden,
    })
}

/// Returns the files of its context that say what a multi-step task depends on, be they there or not.
fn files_of(task: &Task, read: &MultiStep) -> Vec<PathBuf> {
    let Some(folder) = &read.folder else {
        return Vec::new();
    };
    let named = match &task.step {
        Step::FileTask(step) => {
            let values = step.values_file_path.clone();
            [Some(step.task_file_path.clone()), values]
        }
        _ => [None, None],
    };
    let steps = read.graph.steps().iter();
    let dockerfiles = steps.filter_map(|step| match &step.action {
        Action::Build(build) => dockerfile_of(build),
        Action::Push(_) | Action::Cmd(_) => None,
    });
    let named = named.into_iter().flatten().chain(dockerfiles);
    let files: BTreeSet<PathBuf> = named
        .chain(read.included.iter().cloned())
        .map(|path| folder.join(path))
        .collect();
    files.into_iter().collect()
}

/// Refuses a multi-step task of which one build step has a Dockerfile that is there and cannot be used: what it depends on cannot be told.
///
/// # Errors
///
/// [`Kind::Invalid`] with the Dockerfile and the line.
pub fn refuse_broken(app: &App, task: &Task, secrets: &Secrets) -> Result<()> {
    if matches!(task.step, Step::Docker(_) | Step::Import(_)) {
        return Ok(());
    }
    let read = read(app, task, secrets, &sample(app, task, 1), Lookup::Later)?;
    let builds = read
        .graph
        .steps()
        .iter()
        .filter_map(|step| match &step.action {
            Action::Build(build) => Some(build),
            Action::Push(_) | Action::Cmd(_) => None,
        });
    for build in builds {
        let Some(path) = read.folder.as_ref().zip(dockerfile_of(build)) else {
            continue;
        };
        let path = path.0.join(path.1);
        let cannot = || format!("cannot tell what `{}` depends on", path.display());
        let Some(bytes) = file::read(&path, MAX_FILE).context(Kind::Invalid, cannot)? else {
            continue;
        };
        let dockerfile = Dockerfile::parse(&bytes).context(Kind::Invalid, cannot)?;
        let bases = dockerfile.bases(&build_of(build, &task.platforms));
        bases.context(Kind::Invalid, cannot)?;
    }
    Ok(())
}

/// Returns where a build step has its Dockerfile, seen from the context; `None` where that is outside.
fn dockerfile_of(build: &BuildStep) -> Option<PathBuf> {
    let directory = build.working_directory.as_deref();
    within(directory, build.file_path().as_ref())
}

/// Finds out what can be told about a task without a run. Dockerfiles that are not there are left out: a step may make them.
///
/// # Errors
///
/// [`Kind::Invalid`] where the file cannot be used.
pub fn survey(app: &App, task: &Task, secrets: &Secrets) -> Result<Survey> {
    let first = read(app, task, secrets, &sample(app, task, 1), Lookup::Later)?;
    let second = read(app, task, secrets, &sample(app, task, 2), Lookup::Later)?;
    let pushed = |graph: &Graph| -> BTreeSet<Reference> {
        let steps = graph.steps().iter();
        steps.flat_map(|step| pushes_of(&step.action)).collect()
    };
    // A name that changes from run to run is written once, and nothing can stand on it.
    let (one, other) = (pushed(&first.graph), pushed(&second.graph));
    let mut bases = BTreeSet::new();
    let mut made_of = vec![first.digest.to_string().into_bytes()];
    for step in first.graph.steps() {
        let made = made_before(&first.graph, step);
        let found = match &step.action {
            Action::Cmd(cmd) => vec![cmd.image.clone()],
            Action::Push(_) => Vec::new(),
            Action::Build(build) => {
                let (found, bytes) = built_on(first.folder.as_deref(), build, task);
                made_of.push(bytes);
                found
            }
        };
        bases.extend(found.into_iter().filter(|image| !made.contains(image)));
    }
    let privileged = first
        .graph
        .steps()
        .iter()
        .filter(|step| is_privileged(&step.action));
    Ok(Survey {
        bases: bases.into_iter().collect(),
        pushes: one.intersection(&other).cloned().collect(),
        digest: Some(Digest::of(&made_of.concat())),
        privileged: privileged.map(|step| step.id.to_string()).collect(),
        files: inputs::stamped(files_of(task, &first)),
        notices: first.notices,
    })
}

/// Lets a multi-step task know which images it pushes. Where the file cannot be used, it pushes none.
pub fn find_pushes(app: &App, task: &mut Task) {
    if matches!(task.step, Step::Docker(_) | Step::Import(_)) {
        return;
    }
    let secrets = app.store.secrets(&task.key()).unwrap_or_default();
    if let Ok(survey) = survey(app, task, &secrets) {
        task.step.set_pushes(survey.pushes);
    }
}

/// Returns the images that have been built when `step` starts: it takes them from the builder, and not from a registry.
pub fn made_before(graph: &Graph, step: &steps::Step) -> BTreeSet<Reference> {
    let before = graph.ancestors(step);
    let steps = graph.steps().iter();
    steps
        .filter(|other| before.contains(&other.id))
        .flat_map(|other| match &other.action {
            Action::Build(build) => build.images.clone(),
            Action::Push(_) | Action::Cmd(_) => Vec::new(),
        })
        .collect()
}

/// Tells whether a step asks to be privileged.
pub fn is_privileged(action: &Action) -> bool {
    matches!(action, Action::Cmd(cmd) if cmd.privileged)
}

fn pushes_of(action: &Action) -> Vec<Reference> {
    match action {
        Action::Push(pushed) => pushed.iter().map(|one| one.image.clone()).collect(),
        Action::Build(_) | Action::Cmd(_) => Vec::new(),
    }
}

/// Returns what a build of the context stands on, as far as the context has its Dockerfile, and that file.
fn built_on(folder: Option<&Path>, build: &BuildStep, task: &Task) -> (Vec<Reference>, Vec<u8>) {
    let path = within(
        build.working_directory.as_deref(),
        build.file_path().as_ref(),
    );
    let bytes = folder.zip(path).and_then(|(folder, path)| {
        let (_, bytes) = LocalContext::open(folder).ok()?.dockerfile(&path).ok()?;
        Some(bytes)
    });
    let Some(bytes) = bytes else {
        return (Vec::new(), Vec::new());
    };
    let wanted = build_of(build, &task.platforms);
    let bases = Dockerfile::parse_with(&bytes, &wanted.args)
        .ok()
        .and_then(|dockerfile| dockerfile.bases(&wanted).ok());
    let references = bases.into_iter().flatten().map(|base| base.reference);
    (references.collect(), bytes)
}

/// Puts a build step in the words of the reader of Dockerfiles.
pub fn build_of(step: &BuildStep, platforms: &[Platform]) -> Build {
    let host = Platform::host();
    let mut wanted = match step.platforms.is_empty() {
        true => platforms.to_vec(),
        false => step.platforms.clone(),
    };
    if wanted.is_empty() {
        wanted.push(host.clone());
    }
    Build {
        args: arguments_of(step).into_iter().collect(),
        target: step.target.clone(),
        platforms: wanted,
        build_platform: host,
        contexts: step.contexts.clone(),
        on_build: std::collections::BTreeMap::new(),
    }
}

/// Returns the build arguments of a step. One without a value takes it from the step's `env`, and is none if it is not there.
pub fn arguments_of(step: &BuildStep) -> Vec<(String, String)> {
    let own = |name: &String| {
        let own = step.env.iter().find(|(other, _)| other == name);
        own.map(|(_, value)| value.clone())
    };
    let args = step.args.iter();
    args.filter_map(|(name, value)| Some((name.clone(), value.clone().or_else(|| own(name))?)))
        .collect()
}

/// Returns a path of the workspace, seen from its root; `None` where it leads out of it.
pub fn within(working_directory: Option<&str>, path: &Path) -> Option<PathBuf> {
    let directory = Path::new(working_directory.unwrap_or_default());
    let mut clean = PathBuf::new();
    let seen = directory.join(path);
    let seen = seen.strip_prefix("/workspace").unwrap_or(&seen);
    for part in seen.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir => {}
            Component::ParentDir if clean.pop() => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Returns the variables of a run that will never be.
fn sample(app: &App, task: &Task, number: u64) -> RunVariables {
    let date = app.clock.now();
    let later = jiff::SignedDuration::from_secs(i64::try_from(number).unwrap_or_default());
    RunVariables {
        id: RunId::new(number),
        date: date.saturating_add(later).unwrap_or(date),
        ..variables_of(task, RunId::new(number), date)
    }
}

/// Returns the variables of a run of a task.
fn variables_of(task: &Task, id: RunId, date: jiff::Timestamp) -> RunVariables {
    let platform = task
        .platforms
        .first()
        .cloned()
        .unwrap_or_else(Platform::host);
    RunVariables {
        id,
        date,
        registry: task.registry.clone(),
        task: task.name.to_string(),
        os: platform.os().into(),
        architecture: platform.architecture().into(),
        triggered_by: String::new(),
        source: SourceVariables::of(task.step.context(), Some("0")),
    }
}

fn run_variables(app: &App, run: &RunVariables) -> steps::Run {
    let workspace = super::workspace::folder(app, run.id);
    let source = run.source.clone().unwrap_or_default();
    steps::Run {
        id: run.id.to_string(),
        registry: run.registry.clone(),
        registry_name: run.registry.split('.').next().unwrap_or_default().into(),
        date: run.written_date(),
        shared_volume: workspace.display().to_string(),
        os: run.os.clone(),
        architecture: run.architecture.clone(),
        task_name: run.task.clone(),
        triggered_by: run.triggered_by.clone(),
        commit: source.commit,
        repository: source.repository,
        branch: source.branch,
        ..steps::Run::default()
    }
}

/// Finds the value of a secret: what the user gave under its id, else where the file says it is.
fn secret(source: &steps::SecretSource, secrets: &Secrets, sources: &Sources) -> Result<Secret> {
    let what = format!("the secret `{}`", source.id);
    if let Some(own) = secrets.values.get(&source.id) {
        return resolved(own, &what);
    }
    match &source.place {
        Some(place) if place.starts_with("env:") || place.starts_with("file:") => {
            resolved(&Secret::new(place), &what)
        }
        _ => Err(sources
            .error(InvalidTaskFile::at(
                source.line,
                format!("{what} is in a key vault, which acrt does not ask"),
            ))
            .hint(format!(
                "give its value: --set-secret {}=env:NAME",
                source.id
            ))),
    }
}

/// The files that a task is read from.
struct Sources {
    /// How the task file is called in messages.
    name: String,
    text: String,
    values_name: String,
    values_text: Option<String>,
    folder: Option<PathBuf>,
    /// The files of the context that have been taken in.
    included: RefCell<Vec<PathBuf>>,
}

impl Sources {
    fn of(app: &App, task: &Task) -> Result<Self> {
        match &task.step {
            Step::FileTask(step) => {
                let folder = folder_of(app, task, &step.context_path)?;
                let path = folder.join(&step.task_file_path);
                let values = step.values_file_path.as_ref().map(|path| folder.join(path));
                Ok(Self {
                    text: text_of(&path, "the task file")?,
                    values_text: values
                        .as_ref()
                        .map(|path| text_of(path, "the values file"))
                        .transpose()?,
                    values_name: values.unwrap_or_default().display().to_string(),
                    name: path.display().to_string(),
                    folder: Some(folder),
                    included: RefCell::default(),
                })
            }
            Step::EncodedTask(step) => {
                let name = format!("the file in task `{}`", task.name);
                let text = |content: &str| {
                    decoded(content).ok_or_else(|| {
                        Error::new(
                            Kind::Invalid,
                            format!("cannot use {name}: it is no base64 of text"),
                        )
                    })
                };
                let context = step.context_path.as_ref();
                Ok(Self {
                    folder: context
                        .map(|context| folder_of(app, task, context))
                        .transpose()?,
                    text: text(&step.encoded_task_content)?,
                    values_text: step
                        .encoded_values_content
                        .as_deref()
                        .map(text)
                        .transpose()?,
                    values_name: format!("the values in task `{}`", task.name),
                    name,
                    included: RefCell::default(),
                })
            }
            Step::Docker(_) | Step::Import(_) => Err(Error::new(
                Kind::Invalid,
                format!("task `{}` carries out no multi-step file", task.name),
            )),
        }
    }

    fn values(&self) -> Result<Values> {
        let Some(text) = &self.values_text else {
            return Ok(Values::default());
        };
        Values::parse(text).map_err(|problem| {
            Error::new(Kind::Invalid, format!("cannot use `{}`", self.values_name)).because(problem)
        })
    }

    /// Reads a file of aliases, which lies in the context.
    fn load(&self, name: &str) -> Result<String, String> {
        let folder = self
            .folder
            .as_ref()
            .ok_or("there is no context to find it in")?;
        let path = within(None, Path::new(name)).ok_or("it is outside the context")?;
        self.included.borrow_mut().push(path.clone());
        let bytes = file::read(&folder.join(path), MAX_FILE).map_err(|error| error.one_line())?;
        String::from_utf8(bytes.ok_or("it is not there")?).map_err(|_| "it is no text".into())
    }

    /// Says what is wrong with the file, without what must not be seen: a secret may be part of what is wrong.
    fn invalid(&self, problem: InvalidTaskFile, hidden: &[Secret]) -> Error {
        let text = hidden
            .iter()
            .map(Secret::reveal)
            .filter(|secret| !secret.is_empty())
            .fold(problem.text, |text, secret| text.replace(secret, "***"));
        self.error(InvalidTaskFile { text, ..problem })
    }

    fn error(&self, problem: InvalidTaskFile) -> Error {
        Error::new(Kind::Invalid, format!("cannot use `{}`", self.name)).because(problem)
    }
}

/// Returns the folder of a task's files.
fn folder_of(app: &App, task: &Task, context: &Context) -> Result<PathBuf> {
    Ok(inputs::open(app, task, context)?.folder().to_owned())
}

fn text_of(path: &Path, what: &str) -> Result<String> {
    let cannot = || format!("cannot read {what} `{}`", path.display());
    let bytes = file::read(path, MAX_FILE).context(Kind::Invalid, cannot)?;
    let bytes = bytes.ok_or_else(|| {
        Error::new(Kind::Invalid, cannot())
            .because(anyhow::anyhow!("it is not there"))
            .hint("its path is relative to the context")
    })?;
    String::from_utf8(bytes).context(Kind::Invalid, cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_workspace() {
        let within = |directory: Option<&str>, path: &str| {
            super::within(directory, Path::new(path)).map(|path| path.display().to_string())
        };
        assert_eq!(within(None, ".").as_deref(), Some(""));
        assert_eq!(within(Some("sub"), "a/../b").as_deref(), Some("sub/b"));
        assert_eq!(
            within(Some("/workspace/sub"), "x").as_deref(),
            Some("sub/x")
        );
        assert_eq!(within(Some("sub"), "/workspace/x").as_deref(), Some("x"));
        assert_eq!(within(None, "../x"), None);
        assert_eq!(within(Some("sub"), "../../x"), None);
        assert_eq!(within(None, "/etc"), None);
    }
}
