//! Reads the keys of a task file, checks them and fills in defaults.

use std::{
    cell::Cell,
    collections::{BTreeSet, HashSet},
};

use crate::{image::Reference, secret::MaskedText};

use super::{
    alias::Commands,
    build::{self, BuildStep},
    docker_run,
    graph::{Graph, StepStart},
    keys::{blame, count, items, list, seconds_or, switch, text, value},
    problem::{FileWarnings, InvalidTaskFile},
    render::Renderer,
    resources::{Mount, networks, secrets, volumes},
    shell_words,
    step::{Action, CmdStep, ContainerSettings, Limits, PushTarget, Step, StepId},
    variables::TemplateRun,
    yaml::YamlNode,
};

/// The default timeout of a step, in seconds.
const STEP_TIMEOUT: u32 = 600;

/// The default delay before a retry, in seconds; also used where the file says 0.
const RETRY_DELAY: u32 = 5;

/// How many steps a file may have.
const MAX_STEPS: usize = 1000;

/// How many variables the steps of a file may have in total; those of the file count once for each step.
const MAX_VARIABLES: usize = 20_000;

/// How many bytes these variables may have.
const MAX_VARIABLE_BYTES: usize = 8 * 1024 * 1024;

const VERSIONS: [&str; 3] = ["1.0-preview-1", "v1.0.0", "v1.1.0"];

const FILE_KEYS: &str =
    "version stepTimeout workingDirectory env secrets networks volumes steps alias";

const STEP_KEYS: &str = "id cmd build push workingDirectory entryPoint user network isolation cpus env expose ports when timeout \
    startDelay retries retryDelay retryOnErrors repeat cmdDownloadRetries cmdDownloadRetryDelay keep detach \
    privileged ignoreErrors disableWorkingDirectoryOverride pull cache volumeMounts exitedWith exitedWithout";

/// Keys of containers, which mean nothing in a build or a push.
const CONTAINER_KEYS: &str = "entryPoint user network cpus expose ports keep detach privileged pull disableWorkingDirectoryOverride";

/// Keys of ACR that have no effect on this machine.
const IDLE_KEYS: [(&str, &str); 5] = [
    ("isolation", "it is for Windows containers"),
    ("exitedWith", "ACR ignores it too"),
    ("exitedWithout", "ACR ignores it too"),
    ("cmdDownloadRetries", "the builder fetches images itself"),
    ("cmdDownloadRetryDelay", "the builder fetches images itself"),
];

/// Reads the keys of one task file.
pub(super) struct KeyReader<'a> {
    pub run: &'a TemplateRun,
    /// The first words of a `cmd` that are replaced.
    pub commands: &'a Commands,
    /// Renders the templates in these replacements.
    pub renderer: &'a Renderer,
    /// The number and the total bytes of the steps' variables so far.
    pub variables: Cell<(usize, usize)>,
}

/// Environment variables of a step or a file.
type Env = Vec<(String, MaskedText)>;

/// The values that steps inherit from their file.
struct StepDefaults {
    timeout: u32,
    working_directory: Option<String>,
    env: Env,
    network: Option<String>,
    volumes: BTreeSet<String>,
}

impl KeyReader<'_> {
    pub fn graph(
        &self,
        root: &YamlNode<'_>,
        notices: &mut FileWarnings,
    ) -> Result<Graph, InvalidTaskFile> {
        root.unknown_keys(FILE_KEYS, notices)?;
        let version = self.version(root)?;
        secrets(root, notices)?;
        let (networks, network) = networks(root, notices)?;
        let volumes = volumes(root, notices)?;
        let defaults = StepDefaults {
            timeout: seconds_or(root, "stepTimeout", STEP_TIMEOUT)?,
            working_directory: text(root, "workingDirectory")?,
            env: env(root)?,
            network,
            volumes: volumes.iter().map(|volume| volume.name.clone()).collect(),
        };
        let nodes = items(root, "steps")?;
        if nodes.is_empty() {
            return Err(InvalidTaskFile::new("the file has no steps"));
        }
        if nodes.len() > MAX_STEPS {
            return Err(InvalidTaskFile::new(format!(
                "the file has more than {MAX_STEPS} steps"
            )));
        }
        let mut drafts = Vec::new();
        for (n, node) in nodes.iter().enumerate() {
            drafts.push(self.step(n, node, &defaults, notices)?);
        }
        let graph = Graph::new(version, drafts, networks, volumes);
        let graph = graph.map_err(|(n, key, text)| blame(&nodes[n], key, text))?;
        let steps = graph.steps();
        for (n, step) in steps.iter().enumerate() {
            if let Some(problem) = docker_run::without_daemon(step, &steps[..n]) {
                return Err(blame(&nodes[n], "cmd", problem));
            }
        }
        Ok(graph)
    }

    fn version(&self, root: &YamlNode<'_>) -> Result<String, InvalidTaskFile> {
        let Some(node) = root.get("version") else {
            return Ok("v1.0.0".into());
        };
        let version = node.text()?.map_or("", MaskedText::reveal);
        if version.is_empty() {
            return Ok("v1.0.0".into());
        }
        if VERSIONS.contains(&version.to_lowercase().as_str()) {
            Ok(version.to_owned())
        } else {
            Err(node.problem(format!(
                "there is no version `{version}`: there are {}",
                VERSIONS.join(", ")
            )))
        }
    }

    fn step(
        &self,
        n: usize,
        node: &YamlNode<'_>,
        defaults: &StepDefaults,
        notices: &mut FileWarnings,
    ) -> Result<(Step, StepStart), InvalidTaskFile> {
        node.unknown_keys(STEP_KEYS, notices)?;
        let id = match text(node, "id")? {
            None => StepId::numbered(n),
            Some(id) => StepId::new(&id).map_err(|problem| blame(node, "id", problem))?,
        };
        for (key, why) in IDLE_KEYS {
            if let Some(idle) = node.get(key) {
                let text = format!("`{key}` of step `{id}` does nothing: {why}");
                notices.add(idle.line(), text);
            }
        }
        let action = self.action(&id, node, defaults)?;
        if !matches!(action, Action::Cmd(_)) {
            idle_container_keys(&id, node, notices);
        }
        let step = Step {
            after: Vec::new(),
            action,
            limits: limits(node, defaults.timeout)?,
            line: node.line(),
            ignores_errors: switch(node, "ignoreErrors")?,
            id,
        };
        let when = when(&step.id, node)?;
        Ok((step, when))
    }

    fn action(
        &self,
        id: &StepId,
        node: &YamlNode<'_>,
        defaults: &StepDefaults,
    ) -> Result<Action, InvalidTaskFile> {
        let cmd = value(node, "cmd")?;
        let build = value(node, "build")?;
        let push = list(node, "push")?;
        let mounts = || mounts(node, &defaults.volumes);
        match (cmd, build, push.is_empty()) {
            (Some(cmd), None, true) => {
                let cmd = self.cmd(id, cmd, node, defaults, mounts()?)?;
                Ok(Action::Cmd(Box::new(cmd)))
            }
            (None, Some(build), true) => {
                let build = self.build(id, build, node, defaults, mounts()?)?;
                Ok(Action::Build(Box::new(build)))
            }
            (None, None, false) if mounts()?.is_empty() => self.push(node, &push).map(Action::Push),
            (None, None, false) => {
                let problem = "only `cmd` and `build` steps have volumes";
                Err(blame(node, "volumeMounts", problem))
            }
            (None, None, true) => {
                Err(node.problem(format!("step `{id}` has none of `cmd`, `build` and `push`")))
            }
            _ => Err(node.problem(format!(
                "step `{id}` must have only one of `cmd`, `build` and `push`"
            ))),
        }
    }

    fn cmd(
        &self,
        id: &StepId,
        written: &MaskedText,
        node: &YamlNode<'_>,
        defaults: &StepDefaults,
        mounts: Vec<Mount>,
    ) -> Result<CmdStep, InvalidTaskFile> {
        let invalid = |problem: String| blame(node, "cmd", problem);
        let words = shell_words::split(written).map_err(invalid)?;
        if let Some(operator) = shell_words::operator(&words) {
            return Err(invalid(format!(
                "no shell reads `{operator}` in `cmd`: write IMAGE sh -c '… {operator} …'"
            )));
        }
        if words.is_empty() {
            return Err(invalid(format!("step `{id}` has an empty `cmd`")));
        }
        let (words, is_alias) = self.without_alias(words, node)?;
        let (options, rest) = docker_run::parse(words).map_err(invalid)?;
        let mut words: Vec<MaskedText> = rest.collect();
        if !is_alias {
            // An image alias may also follow options.
            words = self.without_alias(words, node)?.0;
        }
        if words.is_empty() {
            return Err(blame(node, "cmd", "`cmd` names no image"));
        }
        let args = words.split_off(1);
        let image = words.remove(0);
        let image = image.reveal().parse::<Reference>();
        let image = image.map_err(|problem| invalid(problem.to_string()))?;
        let own = if switch(node, "disableWorkingDirectoryOverride")? {
            None
        } else {
            Some(working_directory(node, defaults)?.unwrap_or_default())
        };
        let given = options.place;
        let place = ContainerSettings {
            working_directory: own,
            directory: given.directory,
            env: self.merged(node, defaults, given.env)?,
            entry_point: given.entry_point.or(text(node, "entryPoint")?),
            user: given.user.or(text(node, "user")?),
            network: given
                .network
                .or(text(node, "network")?)
                .or_else(|| defaults.network.clone()),
            expose: [list(node, "expose")?, given.expose].concat(),
            ports: [list(node, "ports")?, given.ports].concat(),
            cpus: given.cpus.or(text(node, "cpus")?),
            mounts: with_mounts(mounts, given.mounts, defaults).map_err(invalid)?,
        };
        Ok(CmdStep {
            image,
            args,
            place,
            detach: options.detach || switch(node, "detach")?,
            keep: switch(node, "keep")?,
            privileged: options.privileged || switch(node, "privileged")?,
            pull: options.pull || switch(node, "pull")?,
        })
    }

    /// Replaces an alias at the start of the words by its image or command, which may be several words; returns whether there
    /// was one.
    fn without_alias(
        &self,
        words: Vec<MaskedText>,
        node: &YamlNode<'_>,
    ) -> Result<(Vec<MaskedText>, bool), InvalidTaskFile> {
        let first = words.first().map_or("", MaskedText::reveal);
        let Some(template) = self.commands.get(first) else {
            return Ok((words, false));
        };
        let rendered = self.renderer.render(template);
        let rendered = rendered.map_err(|problem| blame(node, "cmd", problem.text))?;
        let mut all =
            shell_words::split(&rendered).map_err(|problem| blame(node, "cmd", problem))?;
        all.extend(words.into_iter().skip(1));
        Ok((all, true))
    }

    fn build(
        &self,
        id: &StepId,
        written: &MaskedText,
        node: &YamlNode<'_>,
        defaults: &StepDefaults,
        mounts: Vec<Mount>,
    ) -> Result<BuildStep, InvalidTaskFile> {
        let words = shell_words::split(written).map_err(|problem| blame(node, "build", problem))?;
        let mut step = build::parse(&words).map_err(|problem| blame(node, "build", problem))?;
        step.env = self.merged(node, defaults, Env::new())?;
        step.working_directory = working_directory(node, defaults)?;
        step.mounts = mounts;
        let cached = match text(node, "cache")?
            .map(|word| word.to_lowercase())
            .as_deref()
        {
            None | Some("disabled") => false,
            Some("enabled") => true,
            Some(_) => return Err(blame(node, "cache", "`cache` must be enabled or disabled")),
        };
        if cached && let Some(first) = step.images.first() {
            let task = &self.run.task_name;
            let cache = format!("{}:cache_{task}_{id}", first.name());
            step.cache = cache.parse().ok();
        }
        Ok(step)
    }

    fn push(
        &self,
        node: &YamlNode<'_>,
        names: &[String],
    ) -> Result<Vec<PushTarget>, InvalidTaskFile> {
        let mut pushed: Vec<PushTarget> = Vec::new();
        let mut seen = BTreeSet::new();
        for name in names {
            let registry = &self.run.registry;
            let image = match registry.as_str() {
                "" => name.parse(),
                registry => Reference::within(registry, name),
            };
            let image = image.map_err(|problem| blame(node, "push", problem.to_string()))?;
            if image.digest().is_some() {
                return Err(blame(
                    node,
                    "push",
                    format!("`{name}` has a digest, which is what the push makes: name a tag"),
                ));
            }
            if seen.insert(image.clone()) {
                pushed.push(PushTarget {
                    written: name.clone(),
                    image,
                });
            }
        }
        Ok(pushed)
    }

    /// Returns the variables of a step: those of its options, its own, and those of the file that it does not override.
    fn merged(
        &self,
        node: &YamlNode<'_>,
        defaults: &StepDefaults,
        options: Env,
    ) -> Result<Env, InvalidTaskFile> {
        let mut merged = env(node)?;
        merged.retain(|(name, _)| !options.iter().any(|(other, _)| other == name));
        merged.extend(options);
        let own: HashSet<String> = merged.iter().map(|(name, _)| name.clone()).collect();
        let file = defaults.env.iter();
        let (mut count, mut bytes) = self.variables.get();
        let mut taken = Vec::new();
        for variable in file.filter(|(name, _)| !own.contains(name)) {
            bytes += variable.0.len() + variable.1.reveal().len();
            taken.push(variable);
            if bytes > MAX_VARIABLE_BYTES {
                break;
            }
        }
        count += merged.len() + taken.len();
        self.variables.set((count, bytes));
        if count > MAX_VARIABLES || bytes > MAX_VARIABLE_BYTES {
            return Err(node.problem(format!(
                "the steps of the file have more than {MAX_VARIABLES} variables in all, or more than 8 MiB of them"
            )));
        }
        merged.extend(taken.into_iter().cloned());
        Ok(merged)
    }
}

/// Adds the volumes that options of a `cmd` mount; they must be declared in the file.
fn with_mounts(
    mut mounts: Vec<Mount>,
    options: Vec<Mount>,
    defaults: &StepDefaults,
) -> Result<Vec<Mount>, String> {
    for mount in options {
        if !defaults.volumes.contains(&mount.name) {
            return Err(format!("there is no volume `{}`", mount.name));
        }
        if mounts.iter().any(|other| other.path == mount.path) {
            return Err(format!("two volumes are mounted at `{}`", mount.path));
        }
        mounts.push(mount);
    }
    Ok(mounts)
}

fn mounts(node: &YamlNode<'_>, volumes: &BTreeSet<String>) -> Result<Vec<Mount>, InvalidTaskFile> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut paths = HashSet::new();
    for item in items(node, "volumeMounts")? {
        let name = text(&item, "name")?.unwrap_or_default();
        let path = text(&item, "mountPath")?.unwrap_or_default();
        if !volumes.contains(&name) {
            return Err(item.problem(format!("there is no volume `{name}`")));
        }
        if !path.starts_with('/') || path.contains([':', ',']) {
            return Err(item.problem(format!(
                "the mountPath `{path}` must begin with `/`, and hold neither `:` nor `,`"
            )));
        }
        if !paths.insert(path.clone()) {
            return Err(item.problem(format!("two volumes are mounted at `{path}`")));
        }
        mounts.push(Mount { name, path });
    }
    Ok(mounts)
}

fn limits(node: &YamlNode<'_>, timeout: u32) -> Result<Limits, InvalidTaskFile> {
    Ok(Limits {
        timeout: seconds_or(node, "timeout", timeout)?,
        start_delay: seconds_or(node, "startDelay", 0)?,
        retries: count(node, "retries")?,
        retry_delay: seconds_or(node, "retryDelay", RETRY_DELAY)?,
        retry_on: list(node, "retryOnErrors")?,
        repeat: count(node, "repeat")?,
    })
}

fn when(id: &StepId, node: &YamlNode<'_>) -> Result<StepStart, InvalidTaskFile> {
    let names = list(node, "when")?;
    if names.is_empty() {
        return Ok(StepStart::Previous);
    }
    if names.iter().any(|name| name == "-") {
        return match names.len() {
            1 => Ok(StepStart::AtOnce),
            _ => Err(blame(
                node,
                "when",
                format!("step `{id}` starts at once, by `-`, and so waits for nothing else"),
            )),
        };
    }
    let ids: Result<Vec<StepId>, _> = names.iter().map(|name| StepId::new(name)).collect();
    ids.map(StepStart::After)
        .map_err(|problem| blame(node, "when", problem))
}

fn idle_container_keys(id: &StepId, node: &YamlNode<'_>, notices: &mut FileWarnings) {
    for key in CONTAINER_KEYS.split(' ') {
        if let Some(idle) = node.get(key) {
            let text = format!("`{key}` of step `{id}` does nothing: the step runs no container");
            notices.add(idle.line(), text);
        }
    }
}

fn working_directory(
    node: &YamlNode<'_>,
    defaults: &StepDefaults,
) -> Result<Option<String>, InvalidTaskFile> {
    Ok(text(node, "workingDirectory")?.or_else(|| defaults.working_directory.clone()))
}

/// Reads `env`; the last of several entries of one name wins.
fn env(node: &YamlNode<'_>) -> Result<Env, InvalidTaskFile> {
    let mut pairs: Env = Vec::new();
    for item in items(node, "env")? {
        let text = item.text()?.cloned().unwrap_or_default();
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                let name = docker_run::variable(&name).map_err(|text| item.problem(text))?;
                pairs.push((name, value));
            }
            _ => return Err(item.problem(format!("`{text}` in `env` must be NAME=VALUE"))),
        }
    }
    let mut seen = HashSet::new();
    let mut last: Env = pairs
        .into_iter()
        .rev()
        .filter(|(name, _)| seen.insert(name.clone()))
        .collect();
    last.reverse();
    Ok(last)
}
