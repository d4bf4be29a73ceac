//! Reads the multi-step file of a task, and fills in its values and secrets.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    dockerfile::{BaseImage, Build, Dockerfile},
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Platform, Reference},
    source::local::{LocalContext, TRUST_HINT},
    steps::{
        self, Action, BuildStep, BuiltinCommand, FileWarning, Graph, InvalidTaskFile, StepId,
        Values, Variables, guest,
    },
    store::secrets::Secrets,
    sys::secret::{MaskedText, Secret, is_place},
    task::{Context, RunId, Step, Task, multi_step::decoded, name, template::RunVariables},
};

use super::super::{
    App,
    credential::resolved,
    inputs,
    purge::{AcrCommand, parse_command},
    survey::{Survey, usage, uses},
    trust::{self, Trust},
};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// How many bytes of Dockerfiles are read for one task file.
const MAX_DOCKERFILES: usize = 4 * 1024 * 1024;

/// How long rendering the templates of one file may take.
const TEMPLATES: Duration = Duration::from_secs(2);

/// The placeholder for a secret whose value is not needed. It is valid base64, because the files of volumes are base64.
const STAND_IN: &str = "c2VjcmV0";

/// A multi-step file with its templates filled in.
#[derive(Debug)]
pub struct MultiStep {
    pub graph: Graph,
    pub notices: Vec<FileWarning>,
    /// The local context; `None` if there is none.
    pub folder: Option<PathBuf>,
    pub trust: Trust,
    /// What the file asks for and may not have, because it is a guest's.
    pub refused: Option<String>,
    /// A digest of its inputs: when it changes, a failed task is tried again.
    pub digest: Digest,
    /// The secrets, which must not be in the log.
    pub hidden: Vec<Secret>,
    /// The files of the context that were included, as the file names them.
    pub included: Vec<PathBuf>,
}

impl MultiStep {
    /// Refuses a guest's file that asks for more than a Dockerfile may.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the file, its line and the step, and the option that would allow it.
    pub fn refuse_guest(&self) -> Result<()> {
        match self.refused.clone() {
            Some(refused) => Err(Error::invalid(refused).hint(TRUST_HINT)),
            None => Ok(()),
        }
    }
}

/// Whether to look up the values of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Look them up; a missing one is an error.
    Now,
    Later,
}

/// Reads the file of a task.
///
/// # Errors
///
/// [`Kind::Invalid`] with the file and the line, where it cannot be used, or where a secret is missing.
pub fn read(
    app: &App,
    task: &Task,
    secrets: &Secrets,
    run: &RunVariables,
    lookup: Lookup,
) -> Result<MultiStep> {
    let sources = TaskSources::of(app, task)?;
    let trust = trust::of(app, task);
    let mut hidden = Vec::new();
    let until = Instant::now() + TEMPLATES;
    let mut variables = Variables {
        run: run_variables(app, run),
        values: sources.values()?,
        is_late: Some(Arc::new(move || Instant::now() > until)),
        ..Variables::default()
    };
    for value in task.step.values() {
        match (&value.value, secrets.values.get(&value.name), lookup) {
            (Some(text), _, _) if !value.is_secret => variables.values.set(&value.name, text),
            (_, Some(secret), Lookup::Now) => {
                let secret = resolved(secret, &format!("the value `{}`", value.name))?;
                hidden.push(secret.clone());
                variables.values.set_secret(&value.name, secret);
            }
            (_, None, Lookup::Now) => variables.values.set(&value.name, ""),
            (_, _, Lookup::Later) => {
                let stand_in = Secret::new(STAND_IN);
                variables.values.set_secret(&value.name, stand_in);
            }
        }
    }
    let asked = steps::secrets(&sources.text, &variables, &mut |name| sources.load(name));
    let asked = asked.map_err(|problem| sources.error(problem))?;
    for source in asked.secrets {
        let is_guests = trust == Trust::Guest && sources.is_of_context(asked.is_from_context);
        let value = match lookup {
            Lookup::Later => Secret::new(STAND_IN),
            Lookup::Now => secret(&source, secrets, &sources, is_guests)?,
        };
        hidden.push(value.clone());
        variables.secrets.insert(source.id, value);
    }
    let read = steps::read(&sources.text, &variables, &mut |name| sources.load(name));
    let read = read.map_err(|problem| sources.error(problem))?;
    let graph = read.graph;
    check_remotes(&graph).map_err(|problem| sources.error(problem))?;
    let is_guests = trust == Trust::Guest && sources.is_of_context(read.is_from_context);
    let may_push = |registry: &str| {
        registry == task.registry || secrets.credentials.keys().any(|known| known == registry)
    };
    let refused = if is_guests {
        guest::refusal(&graph, &may_push)
    } else {
        None
    };
    let files = graph
        .volumes
        .iter()
        .flat_map(|volume| volume.files.values());
    hidden.extend(files.filter_map(|bytes| Some(Secret::new(std::str::from_utf8(bytes).ok()?))));
    // Text that templates have derived from secrets is secret too.
    hidden.extend(graph.texts_with_secrets().flat_map(MaskedText::secrets));
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
        notices: read.notices,
        digest: Digest::of(&serde_json::to_vec(&made_of).unwrap_or_default()),
        refused: refused.map(|refusal| sources.refused(&refusal)),
        included: sources.included.into_inner(),
        folder: sources.context.map(|context| context.folder().to_owned()),
        trust,
        hidden,
    })
}

/// Refuses a build whose context cannot be fetched.
fn check_remotes(graph: &Graph) -> Result<(), InvalidTaskFile> {
    for step in graph.steps() {
        if let Action::Build(build) = &step.action
            && let Some(remote) = &build.remote
            && let Err(problem) = remote.parse::<Context>()
        {
            let text = format!("step `{}`: {problem}", step.id);
            return Err(InvalidTaskFile::at(step.line, text));
        }
    }
    Ok(())
}

/// Returns the files of the context that decide what a multi-step task depends on, whether or not they exist.
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
    let dockerfiles = read.graph.builds().filter_map(dockerfile_of);
    let named = named.into_iter().flatten().chain(dockerfiles);
    let files: BTreeSet<PathBuf> = named
        .chain(read.included.iter().cloned())
        .map(|path| folder.join(path))
        .collect();
    files.into_iter().collect()
}

/// Refuses a multi-step task with a build step whose Dockerfile exists and cannot be used: its bases are not known.
///
/// # Errors
///
/// [`Kind::Invalid`] with the Dockerfile and the line.
pub fn refuse_broken(app: &App, task: &Task, secrets: &Secrets) -> Result<()> {
    if !task.step.is_multi_step() {
        return Ok(());
    }
    let read = read(app, task, secrets, &sample(app, task, 1), Lookup::Later)?;
    let context = task.step.context().filter(|_| read.folder.is_some());
    let context = context.map(|it| inputs::open(app, task, it)).transpose()?;
    for build in read.graph.builds() {
        let Some((context, path)) = context.as_ref().zip(dockerfile_of(build)) else {
            continue;
        };
        let cannot = || {
            let path = context.folder().join(&path);
            format!("cannot tell what `{}` depends on", path.display())
        };
        let bytes = context.file("", &path, MAX_FILE);
        let Some(bytes) = bytes.context(Kind::Invalid, cannot)? else {
            continue;
        };
        let dockerfile = Dockerfile::parse(&bytes).context(Kind::Invalid, cannot)?;
        let bases = dockerfile.bases(&build_of(build, &task.platforms));
        bases.context(Kind::Invalid, cannot)?;
    }
    Ok(())
}

/// Returns the path of a build step's Dockerfile in the context; `None` where it is outside, or the context is remote.
fn dockerfile_of(build: &BuildStep) -> Option<PathBuf> {
    if build.remote.is_some() {
        return None;
    }
    let directory = build.working_directory.as_deref();
    within(directory, build.file_path().as_ref())
}

/// Returns what can be said about a task without a run. Missing Dockerfiles are left out: a step may make them.
///
/// # Errors
///
/// [`Kind::Invalid`] where the file cannot be used.
pub fn survey(app: &App, task: &Task, secrets: &Secrets) -> Result<Survey> {
    let first = read(app, task, secrets, &sample(app, task, 1), Lookup::Later)?;
    let second = read(app, task, secrets, &sample(app, task, 2), Lookup::Later)?;
    let first = survey_of(app, task, &first)?;
    // A name that differs between the two sample runs is not stable, so that no task can depend on it.
    let (one, other) = (&first.pushes, pushes_of_steps(&second.graph));
    let pushes = one.iter().filter(|image| other.contains(image));
    Ok(Survey {
        pushes: pushes.cloned().collect(),
        ..first
    })
}

/// Returns what can be said about the file of a task as it was read for one run: templates may ask for something in this run alone.
///
/// # Errors
///
/// [`Kind::Invalid`] where a file cannot be used.
pub fn survey_of(app: &App, task: &Task, read: &MultiStep) -> Result<Survey> {
    let context = match &read.folder {
        Some(_) => task.step.context().map(|it| inputs::open(app, task, it)),
        None => None,
    };
    let context = context.transpose()?;
    let (mut bases, mut used) = (BTreeSet::new(), Vec::new());
    let mut made_of = vec![read.digest.to_string().into_bytes()];
    let made = MadeImages::of(&read.graph);
    let mut room = MAX_DOCKERFILES;
    for (n, step) in read.graph.steps().iter().enumerate() {
        let found = match &step.action {
            Action::Cmd(cmd) => match cmd.own() {
                None => vec![cmd.image.clone()],
                // A command that acrt carries out itself depends on no image; its words are checked before the task is stored.
                Some(BuiltinCommand::End { .. }) => Vec::new(),
                Some(BuiltinCommand::Acr(words)) => {
                    acr_command(&step.id, words)?;
                    Vec::new()
                }
            },
            Action::Push(_) => Vec::new(),
            Action::Build(build) => {
                let (found, bytes) = built_on(context.as_ref(), build, task);
                room = room.checked_sub(bytes.len()).ok_or_else(|| {
                    Error::invalid(format!(
                        "the Dockerfiles that task `{}` builds are larger than 4 MiB in all",
                        task.name
                    ))
                })?;
                made_of.push(bytes);
                used.extend(uses(app, &found));
                found.into_iter().map(|base| base.reference).collect()
            }
        };
        bases.extend(found.into_iter().filter(|image| !made.has(image, n)));
    }
    let privileged = read
        .graph
        .steps()
        .iter()
        .filter(|step| matches!(&step.action, Action::Cmd(cmd) if cmd.privileged));
    Ok(Survey {
        bases: bases.into_iter().collect(),
        usage: Some(usage(used)),
        pushes: pushes_of_steps(&read.graph).into_iter().collect(),
        digest: Some(Digest::of(&made_of.concat())),
        privileged: privileged.map(|step| step.id.to_string()).collect(),
        files: inputs::stamped(files_of(task, read)),
        refused: read.refused.clone(),
        notices: read.notices.clone(),
        source: None,
    })
}

/// Parses the words of `acr …` in a step.
///
/// # Errors
///
/// [`Kind::Invalid`] with the step, where acrt does not know such a command.
pub(super) fn acr_command(step: &StepId, words: &[MaskedText]) -> Result<AcrCommand> {
    let words: Vec<String> = words.iter().map(|word| word.reveal().to_owned()).collect();
    let cannot = || format!("step `{step}` cannot be carried out");
    parse_command(&words).context(Kind::Invalid, cannot)
}

/// The images that the steps of a graph build, each with its steps.
struct MadeImages<'a> {
    graph: &'a Graph,
    steps: BTreeMap<&'a Reference, Vec<usize>>,
}

impl<'a> MadeImages<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut steps: BTreeMap<&Reference, Vec<usize>> = BTreeMap::new();
        for (n, step) in graph.steps().iter().enumerate() {
            if let Action::Build(build) = &step.action {
                for image in &build.images {
                    steps.entry(image).or_default().push(n);
                }
            }
        }
        Self { graph, steps }
    }

    /// Returns whether an image has been built when the `n`th step starts.
    fn has(&self, image: &Reference, n: usize) -> bool {
        let mut makers = self.steps.get(image).into_iter().flatten();
        makers.any(|maker| self.graph.is_before(*maker, n))
    }
}

/// Sets the images that a multi-step task pushes: none if its file cannot be used.
pub fn find_pushes(app: &App, task: &mut Task) {
    if !task.step.is_multi_step() {
        return;
    }
    let secrets = app.store.secrets(&task.key()).unwrap_or_default();
    if let Ok(survey) = survey(app, task, &secrets) {
        task.step.set_pushes(survey.pushes);
    }
}

fn pushes_of_steps(graph: &Graph) -> BTreeSet<Reference> {
    let steps = graph.steps().iter();
    steps.flat_map(|step| pushes_of(&step.action)).collect()
}

pub fn pushes_of(action: &Action) -> Vec<Reference> {
    match action {
        Action::Push(pushed) => pushed.iter().map(|one| one.image.clone()).collect(),
        Action::Build(_) | Action::Cmd(_) => Vec::new(),
    }
}

/// Returns the bases of a build, and its Dockerfile; both empty where the context does not have the Dockerfile.
fn built_on(
    context: Option<&LocalContext>,
    build: &BuildStep,
    task: &Task,
) -> (Vec<BaseImage>, Vec<u8>) {
    let bytes = context
        .zip(dockerfile_of(build))
        .and_then(|(context, path)| {
            let (_, bytes) = context.dockerfile(&path).ok()?;
            Some(bytes)
        });
    let Some(bytes) = bytes else {
        return (Vec::new(), Vec::new());
    };
    let wanted = build_of(build, &task.platforms);
    let bases = Dockerfile::parse_with(&bytes, &wanted.args)
        .ok()
        .and_then(|dockerfile| dockerfile.bases(&wanted).ok());
    (bases.unwrap_or_default(), bytes)
}

/// Makes the input for the Dockerfile reader of a build step.
pub fn build_of(step: &BuildStep, platforms: &[Platform]) -> Build {
    let own = &step.platforms;
    Build {
        args: arguments_of(step).into_iter().collect(),
        target: step.target.clone(),
        contexts: step.contexts.clone(),
        ..Build::on_host(if own.is_empty() { platforms } else { own })
    }
}

/// Returns the build arguments of a step. An argument without a value gets it from the step's `env`, or is left out.
pub fn arguments_of(step: &BuildStep) -> Vec<(String, MaskedText)> {
    let own = |name: &String| {
        let own = step.env.iter().find(|(other, _)| other == name);
        own.map(|(_, value)| value.clone())
    };
    let args = step.args.iter();
    args.filter_map(|(name, value)| Some((name.clone(), value.clone().or_else(|| own(name))?)))
        .collect()
}

/// Returns a path relative to the root of the workspace; `None` where it leads outside.
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

/// Returns run variables of an imaginary run, of which none is empty.
fn sample(app: &App, task: &Task, number: u64) -> RunVariables {
    let date = app.clock.now();
    let later = jiff::SignedDuration::from_secs(i64::try_from(number).unwrap_or_default());
    let date = date.saturating_add(later).unwrap_or(date);
    let commit = number.to_string();
    RunVariables {
        triggered_by: "Manual".into(),
        ..task.run_variables(RunId::new(number), date, Some(&commit))
    }
}

fn run_variables(app: &App, run: &RunVariables) -> steps::TemplateRun {
    let workspace = super::workspace::folder(app, run.id);
    let source = run.source.clone().unwrap_or_default();
    steps::TemplateRun {
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
        ..steps::TemplateRun::default()
    }
}

/// Returns the value of a secret: from the user by its id, else from where the file says that it is kept, if the file is the owner's.
fn secret(
    source: &steps::SecretSource,
    secrets: &Secrets,
    sources: &TaskSources,
    is_guests: bool,
) -> Result<Secret> {
    let what = format!("the secret `{}`", source.id);
    if let Some(own) = secrets.values.get(&source.id) {
        return resolved(own, &what);
    }
    match source.place.as_ref().filter(|place| is_place(place)) {
        Some(place) if is_guests => {
            let refusal = guest::GuestViolation {
                line: source.line,
                step: None,
                what: format!("{what} from `{place}` of this machine"),
            };
            Err(Error::invalid(sources.refused(&refusal)).hint(format!(
                "declare it yourself: --set-secret {}={place}; or {TRUST_HINT}",
                source.id
            )))
        }
        Some(place) => resolved(&Secret::new(place), &what),
        None => Err(sources
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

/// The files of a multi-step task.
struct TaskSources {
    /// The name of the task file in messages, a path in backticks.
    name: String,
    text: String,
    values_name: String,
    values_text: Option<String>,
    context: Option<LocalContext>,
    /// The files of the context that were included.
    included: RefCell<Vec<PathBuf>>,
    /// Whether the task file is in the context.
    is_in_context: bool,
}

impl TaskSources {
    fn of(app: &App, task: &Task) -> Result<Self> {
        match &task.step {
            Step::FileTask(step) => {
                let context = inputs::open(app, task, &step.context_path)?;
                let values = step.values_file_path.as_ref();
                let path = |file: &PathBuf| format!("`{}`", context.folder().join(file).display());
                Ok(Self {
                    text: text_of(&context, &step.task_file_path, "the task file ")?,
                    values_text: values
                        .map(|path| text_of(&context, path, "the values file "))
                        .transpose()?,
                    values_name: values.map(path).unwrap_or_default(),
                    name: path(&step.task_file_path),
                    context: Some(context),
                    included: RefCell::default(),
                    is_in_context: true,
                })
            }
            Step::EncodedTask(step) => {
                // The name of a quick run is none that the user gave.
                let of = match task.name.as_str() {
                    name::QUICK_RUN => String::new(),
                    name => format!(" in task `{name}`"),
                };
                let name = format!("the multi-step file{of}");
                let text = |content: &str| {
                    decoded(content).ok_or_else(|| {
                        Error::invalid(format!("cannot use {name}: it is no base64 of text"))
                    })
                };
                let context = step.context_path.as_ref();
                Ok(Self {
                    context: context
                        .map(|context| inputs::open(app, task, context))
                        .transpose()?,
                    text: text(&step.encoded_task_content)?,
                    values_text: step
                        .encoded_values_content
                        .as_deref()
                        .map(text)
                        .transpose()?,
                    values_name: format!("the values{of}"),
                    name,
                    included: RefCell::default(),
                    is_in_context: false,
                })
            }
            Step::Docker(_) | Step::Import(_) => Err(Error::invalid(format!(
                "task `{}` has no multi-step file",
                task.name
            ))),
        }
    }

    /// Returns whether the context decides what is carried out: by the task file itself, or by aliases that it includes from the context.
    fn is_of_context(&self, has_aliases_from_there: bool) -> bool {
        self.is_in_context || has_aliases_from_there
    }

    fn values(&self) -> Result<Values> {
        let Some(text) = &self.values_text else {
            return Ok(Values::default());
        };
        Values::parse(text).map_err(|problem| {
            Error::invalid(format!("cannot use {}", self.values_name)).because(problem)
        })
    }

    /// Reads a file of aliases from the context.
    fn load(&self, name: &str) -> Result<String, String> {
        let context = self
            .context
            .as_ref()
            .ok_or("there is no context to find it in")?;
        let path = within(None, Path::new(name)).ok_or("it is outside the context")?;
        self.included.borrow_mut().push(path.clone());
        let bytes = context.file("", &path, MAX_FILE);
        let bytes = bytes.map_err(|error| error.one_line())?;
        String::from_utf8(bytes.ok_or("it is not there")?)
            .map_err(|_| "it is not UTF-8 text".into())
    }

    fn error(&self, problem: InvalidTaskFile) -> Error {
        Error::invalid(format!("cannot use {}", self.name)).because(problem)
    }

    fn refused(&self, refusal: &guest::GuestViolation) -> String {
        format!("cannot use {}, which is a guest's: {refusal}", self.name)
    }
}

fn text_of(context: &LocalContext, file: &Path, what: &str) -> Result<String> {
    let cannot = || {
        let path = context.folder().join(file);
        format!("cannot read {what}`{}`", path.display())
    };
    let bytes = context.file(what, file, MAX_FILE)?.ok_or_else(|| {
        Error::invalid(cannot())
            .because(anyhow::anyhow!("it is not there"))
            .hint("its path is relative to the context")
    })?;
    String::from_utf8(bytes).context(Kind::Invalid, cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_paths_outside_the_workspace_are_refused() {
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
