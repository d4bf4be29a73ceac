//! Reads what the files that were found build.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    compose::{
        self, ComposeBuild, ComposeBuilds, ComposeInputs, FileSelection, NamedContext, Problem,
        ServiceImage,
    },
    error::Result,
    image::{Digest, Reference},
    ops::{App, Event, EventSink, joined::joined, platforms},
    sys::{
        beneath::{self, Unreadable},
        command::{CommandLine, quoted},
        environment, ownership, process,
    },
    task::{SourceKind, Task, TaskSource},
};

use super::{
    find, names,
    proposal::{AdoptOptions, LeftOut},
};

/// The largest compose or bake file, in bytes. The size of what YAML expands to has limits of its own.
const MAX_FILE: u64 = 1024 * 1024;

/// How many folders above its own the name of an image may be made of.
const MAX_PREFIXES: usize = 5;

/// One service, target or Dockerfile that is built.
#[derive(Debug)]
pub struct BuildEntry {
    pub file: PathBuf,
    pub kind: SourceKind,
    pub project: String,
    /// Its compose files, where docker compose would not find them by default.
    pub files: Vec<PathBuf>,
    /// The other services of the file with the same image, built by them or not.
    pub sharers: Vec<String>,
    pub recipe: ComposeBuild,
    /// Candidate names for the task, the best first.
    pub names: Vec<String>,
}

/// The builds that were found, and what could not be used.
#[derive(Debug, Default)]
pub struct BuildEntries {
    pub entries: Vec<BuildEntry>,
    pub left_out: Vec<LeftOut>,
    /// The files and folders that were searched.
    pub searched: Vec<PathBuf>,
    /// The files that were read: a task that came from one of them and is found no more is gone.
    pub read: BTreeSet<PathBuf>,
}

/// The file system and the environment, as compose and bake files see them.
struct Disk {
    /// The folder of the project, where its owner calls docker compose: it is `PWD`, wherever acrt was started.
    folder: PathBuf,
    /// Whether the files are the user's own, so that they may use environment variables of the user.
    is_own: bool,
}

impl ComposeInputs for Disk {
    fn read(&self, path: &Path) -> Result<Option<String>, String> {
        match beneath::read(path, MAX_FILE) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err("it is not UTF-8".to_owned()),
            },
            Err(problem) if problem.is_absent() => Ok(None),
            // docker compose does without it.
            Err(Unreadable::Folder) if path.ends_with(".env") => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        if name == "PWD" {
            return self.folder.to_str().map(str::to_owned);
        }
        self.is_own.then(|| environment::variable(name)).flatten()
    }
}

pub async fn gather(
    app: &App,
    options: &AdoptOptions,
    events: &EventSink<'_>,
) -> Result<BuildEntries> {
    let found = find::find(&options.paths, &options.search, app.store.layout().root())?;
    let mut gathered = BuildEntries {
        left_out: found.left_out,
        ..BuildEntries::default()
    };
    for path in &options.paths {
        gathered.searched.extend(find::whole(path));
    }
    let mut included: BTreeSet<PathBuf> = BTreeSet::new();
    for (folder, choice) in found.compose {
        let main = match &choice {
            FileSelection::Files(files) => files.first().cloned(),
            _ => find::main_of(&folder),
        };
        let main = main.unwrap_or_else(|| folder.clone());
        if included.contains(&main) {
            continue;
        }
        match compose::open(&disk(&main), &folder, &choice) {
            Ok(recipes) => {
                let Some(main) = recipes.main_files.first().cloned() else {
                    continue;
                };
                included.extend(recipes.files.iter().filter(|it| **it != main).cloned());
                gathered.read.insert(main.clone());
                report_unset(&main, &recipes, events);
                gathered.take(&main, SourceKind::Compose, recipes);
            }
            Err(problem) if problem.file == main => {
                gathered.unreadable(&main, problem.within());
            }
            Err(problem) => gathered.unreadable(&main, problem.to_string()),
        }
    }
    for file in found.bake {
        match bake(app, &file).await {
            Ok((recipes, not_read)) => {
                if let Some((other, why)) = not_read {
                    gathered.unreadable(&other, why);
                } else {
                    gathered.read.insert(file.clone());
                }
                gathered.take(&file, SourceKind::Bake, recipes);
            }
            Err(why) => gathered.unreadable(&file, why),
        }
    }
    let used: BTreeSet<PathBuf> = gathered.entries.iter().filter_map(dockerfile_of).collect();
    for (path, root) in found.dockerfiles {
        if !used.contains(&path) {
            gathered.entries.extend(dockerfile(&path, &root));
        }
        gathered.read.insert(path);
    }
    Ok(gathered)
}

/// Reads the compose project of a file, or of a folder that has one.
///
/// # Errors
///
/// [`Problem`] where the project as a whole cannot be read, or does not exist.
pub fn compose_project(path: &Path, events: &EventSink<'_>) -> Result<ComposeBuilds, Problem> {
    let absent = |text: String| Problem {
        file: path.to_owned(),
        line: None,
        key: String::new(),
        text,
    };
    let whole = find::whole(path).map_err(|error| absent(error.to_string()))?;
    let (folder, main, choice) = if whole.is_dir() {
        let main = find::main_of(&whole).unwrap_or_else(|| whole.clone());
        let choice = find::of_folder(&whole);
        (whole.clone(), main, choice)
    } else {
        let folder = whole.parent().unwrap_or(Path::new("/")).to_owned();
        let choice = find::of_file(&whole);
        (folder, whole, choice)
    };
    let recipes = compose::open(&disk(&main), &folder, &choice)?;
    if recipes.main_files.is_empty() {
        return Err(absent("there is no compose file in it".to_owned()));
    }
    report_unset(&main, &recipes, events);
    Ok(recipes)
}

/// Returns the files of a project as its tasks store them: empty, where docker compose finds them by default.
fn unusual(files: &[PathBuf]) -> Vec<PathBuf> {
    let Some((main, folder)) = files.first().and_then(|main| Some((main, main.parent()?))) else {
        return Vec::new();
    };
    let is_found = find::main_of(folder).is_some_and(|found| found == *main);
    let mut overrides = compose::OVERRIDES.iter().map(|name| folder.join(name));
    let over = overrides.find(|path| path.exists()).filter(|_| is_found);
    let usual: Vec<PathBuf> = [main.clone()].into_iter().chain(over).collect();
    if files == usual {
        Vec::new()
    } else {
        files.to_vec()
    }
}

/// Reads the compose project that a task was adopted from: with the files that it had then, whatever the environment says now.
fn of_source(source: &TaskSource) -> Result<ComposeBuilds, Problem> {
    let choice = if source.files.is_empty() {
        find::of_file(&source.path)
    } else {
        FileSelection::Files(source.files.clone())
    };
    let folder = source.path.parent().unwrap_or(Path::new("/"));
    compose::open(&disk(&source.path), folder, &choice)
}

/// Says why the compose project of a task is not the user's own: other users can change one of its files, and docker compose would start what
/// they ask for. `None` where it is.
pub fn foreign_file(source: &TaskSource) -> Option<String> {
    match of_source(source) {
        Ok(read) => foreign_among(source, &read.files),
        Err(problem) => Some(problem.to_string()),
    }
}

fn foreign_among(source: &TaskSource, read: &[PathBuf]) -> Option<String> {
    // Such as a `.env`, which only who may write to the folder can add.
    let is_there = |file: &&PathBuf| file.symlink_metadata().is_ok();
    let files = [&source.path]
        .into_iter()
        .chain(read.iter().filter(is_there));
    files.map(PathBuf::as_path).find_map(ownership::foreign)
}

/// Gives a call of docker compose the variables that the files of a project use for the service `source.key`.
///
/// # Errors
///
/// Why it must not be called: other users can change the files, or a variable without a default is not set, as under cron, and docker compose
/// would recreate the service with an empty value.
pub fn compose_call(source: &TaskSource, line: CommandLine) -> Result<CommandLine, String> {
    let read = of_source(source).map_err(|problem| problem.to_string())?;
    if let Some(why) = foreign_among(source, &read.files) {
        return Err(format!(
            "it could start anything as you, because other users can change its files: {why}"
        ));
    }
    let line = with_variables_of(read.files.iter().chain(&read.env_files), line);
    let outside = disk(&source.path);
    let lookup = |name: &str| {
        if name == "COMPOSE_PROJECT_NAME" {
            return Some(source.project.clone());
        }
        let given = line.env.iter().find(|(other, _)| other == name);
        let given = given.map(|(_, value)| value.reveal().to_owned());
        // One that is set and not given has a secret of acrt's own.
        let beside = || compose::project_variable(&outside, &outside.folder, name).ok()?;
        given.or_else(|| beside().filter(|_| environment::variable(name).is_none()))
    };
    for file in &read.main_files {
        let text = outside.read(file)?.unwrap_or_default();
        let unset = compose::unset_of_service(&text, &source.key, &lookup);
        if let Some(name) = unset.first() {
            return Err(format!(
                "`{}` uses variable `{name}`, which is not set here, so docker compose would start `{}` with an empty value; set it in `.env` \
                 beside the file, or give it a default in the file: ${{{name}:-}}",
                file.display(),
                source.key.escape_debug()
            ));
        }
    }
    Ok(line)
}

/// Returns the value of a variable in the project of a task: from the environment, else from the project's `.env`.
pub fn variable(task: &Task, name: &str) -> Option<String> {
    let source = task.source.as_ref();
    let Some(source) = source.filter(|source| source.kind == SourceKind::Compose) else {
        return environment::variable(name);
    };
    let folder = source.path.parent()?;
    compose::project_variable(&disk(&source.path), folder, name).ok()?
}

fn report_unset(main: &Path, recipes: &ComposeBuilds, events: &EventSink<'_>) {
    for name in &recipes.unset {
        events.send(Event::Warning(format!(
            "variable `{name}` of `{}` is not set, and taken to be empty as docker compose does",
            main.display()
        )));
    }
}

fn disk(file: &Path) -> Disk {
    Disk {
        folder: file.parent().unwrap_or(Path::new("/")).to_owned(),
        is_own: ownership::is_own(file),
    }
}

impl BuildEntries {
    fn take(&mut self, file: &Path, kind: SourceKind, recipes: ComposeBuilds) {
        let is_own = ownership::is_own(file);
        let folder = file.parent().unwrap_or(Path::new("/"));
        let files = unusual(&recipes.main_files);
        for recipe in recipes.recipes {
            if let Some(asked) = beyond(&recipe, folder).filter(|_| !is_own) {
                let why = format!("other users can change the file, and it asks for {asked}");
                let problem = LeftOut::problem(file.to_owned(), recipe.key, why);
                self.left_out.push(problem);
                continue;
            }
            let mut wanted = vec![recipe.key.clone()];
            if !recipes.project.is_empty() {
                wanted.push(format!("{}-{}", recipes.project, recipe.key));
            }
            self.entries.push(BuildEntry {
                file: file.to_owned(),
                kind,
                project: recipes.project.clone(),
                files: files.clone(),
                sharers: sharers(&recipe, &recipes.services),
                recipe,
                names: wanted,
            });
        }
        for (key, why) in recipes.left_out {
            let (why, is_problem) = match why {
                compose::LeftOut::NoBuild => ("it builds nothing".to_owned(), false),
                compose::LeftOut::NoDefault => {
                    ("bake does not build it by default".to_owned(), false)
                }
                compose::LeftOut::Unusable(problem) if problem.file == file => {
                    (problem.within(), true)
                }
                compose::LeftOut::Unusable(problem) => (problem.to_string(), true),
            };
            self.left_out.push(LeftOut {
                file: file.to_owned(),
                key,
                why,
                is_problem,
            });
        }
    }

    fn unreadable(&mut self, file: &Path, why: String) {
        let problem = LeftOut::problem(file.to_owned(), String::new(), why);
        self.left_out.push(problem);
    }
}

/// Returns the other services of a project that run the image of a recipe.
fn sharers(
    recipe: &ComposeBuild,
    services: &[(String, Result<ServiceImage, Problem>)],
) -> Vec<String> {
    let image = |name: &str| name.parse::<Reference>().ok();
    let Some(own) = recipe.images.first().and_then(|name| image(name)) else {
        return Vec::new();
    };
    let others = services.iter().filter(|(key, of)| {
        let name = of.as_ref().ok().map(|it| it.name.as_str());
        *key != recipe.key && name.and_then(image).as_ref() == Some(&own)
    });
    others.map(|(key, _)| key.clone()).collect()
}

/// Returns what a recipe asks for beyond the folder of its file: a path outside it, or an option of the build.
fn beyond(recipe: &ComposeBuild, folder: &Path) -> Option<String> {
    let is_beyond = |path: &str| path.starts_with('/') && !Path::new(path).starts_with(folder);
    let given = recipe.contexts.iter().find_map(|(_, place)| match place {
        NamedContext::Given(place) if is_beyond(place) => Some(place.clone()),
        _ => None,
    });
    let context = Some(recipe.context.clone()).filter(|it| is_beyond(it));
    let options = recipe.options.iter().find(|it| !it.starts_with("--label="));
    context
        .or(given)
        .or_else(|| options.cloned())
        .map(|asked| format!("`{}`", asked.escape_debug()))
}

/// Returns the Dockerfile that an entry builds, where it is a file of this machine.
fn dockerfile_of(entry: &BuildEntry) -> Option<PathBuf> {
    let recipe = &entry.recipe;
    let is_file = recipe.inline.is_none() && recipe.context.starts_with('/');
    let name = recipe.dockerfile.as_deref().unwrap_or("Dockerfile");
    is_file.then(|| compose::seen_from(Path::new(&recipe.context), name))
}

/// Makes an entry of a Dockerfile: its folder is the context and gives the name.
fn dockerfile(path: &Path, root: &Path) -> Option<BuildEntry> {
    let folder = path.parent()?;
    let file = path.file_name()?.to_str()?;
    let name_of = |folder: &Path| {
        let name = folder.file_name().unwrap_or_default();
        names::repository(&name.to_string_lossy())
    };
    let base = name_of(folder).unwrap_or_else(|| "image".to_owned());
    // `Dockerfile.api` and `api.Dockerfile` give the name `api`.
    let lower = file.to_lowercase();
    let rest = lower
        .split('.')
        .filter(|part| !matches!(*part, "dockerfile" | "containerfile"));
    let variant = names::repository(&rest.collect::<Vec<_>>().join("-"));
    let own = match &variant {
        Some(variant) => format!("{base}-{variant}"),
        None => base.clone(),
    };
    // `web`, `shop-web`, `all-shop-web`: one folder more each time, as far as the search went.
    let above = folder.ancestors().skip(1);
    let above = above.take_while(|it| it.starts_with(root));
    let mut names = vec![own.clone()];
    for name in above.filter_map(name_of).take(MAX_PREFIXES) {
        let last = names.last().unwrap_or(&own);
        names.push(format!("{name}-{last}"));
    }
    Some(BuildEntry {
        file: path.to_owned(),
        kind: SourceKind::Dockerfile,
        project: String::new(),
        files: Vec::new(),
        sharers: Vec::new(),
        names,
        recipe: ComposeBuild {
            key: file.to_owned(),
            images: vec![own],
            context: folder.display().to_string(),
            dockerfile: Some(file.to_owned()),
            ..ComposeBuild::default()
        },
    })
}

/// What a bake file builds, and a file that docker buildx would merge over it and that could not be read, with the reason.
type ReadBake = (ComposeBuilds, Option<(PathBuf, String)>);

/// Reads a bake file with those that docker buildx merges over it: JSON files directly, where no HCL has to be evaluated.
async fn bake(app: &App, file: &Path) -> Result<ReadBake, String> {
    let files = find::bake_files(file);
    let hcl = files.iter().find(|it| is_hcl(it));
    if is_hcl(file) {
        return Ok((printed(app, file, &files).await?, None));
    }
    let read = compose::bake_file(&disk(file), file).map_err(|problem| problem.to_string())?;
    if hcl.is_none() && !compose::has_expression(&read) {
        return Ok((read, None));
    }
    match (printed(app, file, &files).await, hcl) {
        (Ok(printed), _) => Ok((printed, None)),
        (Err(why), Some(hcl)) => Ok((read, Some((hcl.clone(), why)))),
        (Err(_), None) => Ok((read, None)),
    }
}

/// Lets docker buildx evaluate a bake file, merged with others, and print it.
async fn printed(app: &App, file: &Path, files: &[PathBuf]) -> Result<ComposeBuilds, String> {
    let shown = files.iter().find(|it| is_hcl(it));
    let shown = shown.map_or(file, PathBuf::as_path).display();
    if !files.iter().all(|file| ownership::is_own(file)) {
        return Err(format!(
            "other users can change `{shown}`, so it is not given to docker buildx"
        ));
    }
    let not_read = "is not read: only docker buildx reads HCL, and there is none";
    let docker = process::find("docker", &app.settings.path);
    let docker = docker.ok_or_else(|| format!("`{shown}` {not_read}"))?;
    let plugin = platforms::answer(&CommandLine::new(&docker).args(["buildx", "version"])).await;
    if plugin.is_none() {
        return Err(format!("`{shown}` {not_read}"));
    }
    let mut line = CommandLine::new(docker).args(["buildx", "bake", "--print"]);
    for file in files {
        line = line.arg("--file").arg(file);
    }
    line.dir = file.parent().map(Path::to_owned);
    // Variables of the environment replace the defaults in the files.
    let reply = process::ask(&with_variables_of(files.iter(), line))
        .await
        .map_err(|error| error.one_line())?;
    if reply.ended != process::Ended::Exited(0) {
        let told = String::from_utf8_lossy(&reply.errors).into_owned();
        let last = told.lines().rev().find(|line| !line.trim().is_empty());
        let last: String = last
            .unwrap_or("it says nothing")
            .chars()
            .take(300)
            .collect();
        return Err(format!(
            "docker buildx cannot read `{shown}`: {}",
            last.escape_debug()
        ));
    }
    let text = String::from_utf8_lossy(&reply.output).into_owned();
    // In the output all variables are expanded already: a dollar sign is literal.
    let text = text.replace("${", "$${").replace("%{", "%%{");
    compose::bake(&disk(file), file, &text).map_err(|problem| problem.to_string())
}

/// Variables that say which files have the variables of a compose project.
const ENV_FILES: [&str; 2] = ["COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE"];

/// Hands on the variables whose names are in files of the user's own, and [`ENV_FILES`]: others are of no use to the program that reads the
/// files.
fn with_variables_of<'p>(
    files: impl Iterator<Item = &'p PathBuf>,
    line: CommandLine,
) -> CommandLine {
    let texts = files.filter_map(|file| disk(file).read(file).ok()?);
    let texts: String = texts.collect();
    let all = environment::without_own_secrets().into_iter();
    all.filter(|(name, _)| texts.contains(name) || ENV_FILES.contains(&name.as_str()))
        .fold(line, |line, (name, value)| line.secret_env(name, value))
}

/// Returns a digest of what a file says about one build.
pub fn digest(recipe: &ComposeBuild) -> Digest {
    Digest::of(&serde_json::to_vec(recipe).unwrap_or_default())
}

/// Says how the file that a task was adopted from differs from its state at that time, with what to do, and returns the files that were read for
/// that. `None` where it is the same, or where it cannot be read without running a program.
pub fn has_changed(task: &Task) -> (Option<String>, Vec<PathBuf>) {
    let Some(source) = &task.source else {
        return (None, Vec::new());
    };
    let Some(entry) = &source.entry else {
        return (None, Vec::new());
    };
    let outside = disk(&source.path);
    let read = match source.kind {
        SourceKind::Dockerfile => return (None, Vec::new()),
        SourceKind::Compose => of_source(source),
        SourceKind::Bake if find::bake_files(&source.path).iter().any(|it| is_hcl(it)) => {
            return (None, Vec::new());
        }
        SourceKind::Bake if !source.path.exists() => Ok(ComposeBuilds::default()),
        SourceKind::Bake => compose::bake_file(&outside, &source.path),
    };
    let (shown, key) = (source.path.display(), source.key.escape_debug());
    match read {
        // Adopting it would fail too.
        Err(problem) => (
            Some(format!("{problem}; correct the file")),
            vec![source.path.clone()],
        ),
        Ok(read) if compose::has_expression(&read) => (None, read.files),
        Ok(read) => {
            let now = read.recipes.iter().find(|recipe| recipe.key == source.key);
            let told = match now {
                None => Some(format!("`{shown}` no longer builds `{key}`")),
                Some(recipe) if digest(recipe) != *entry => Some(format!(
                    "`{shown}` now describes `{key}` differently{}",
                    unset_since(task, recipe, &read.unset)
                )),
                Some(_) => None,
            };
            let told = told.map(|told| {
                // Several files are a project only where `COMPOSE_FILE` names them.
                let path = if source.files.len() > 1 {
                    ", with the same COMPOSE_FILE".to_owned()
                } else {
                    format!(" {}", quoted(&source.path.to_string_lossy()))
                };
                format!("{told}; to take it over: acrt task adopt{path}")
            });
            (told, read.files)
        }
    }
}

/// Says which variables of a file are not set now: cron has none of those that the shell had in which the file was adopted.
fn unset_since(task: &Task, recipe: &ComposeBuild, unset: &[String]) -> String {
    // An argument without a value in the file has that of the variable of its name.
    let arguments = task.step.arguments().iter().map(|argument| &argument.name);
    let gone = arguments.filter(|name| !recipe.args.iter().any(|(other, _)| other == *name));
    let gone = gone.filter(|name| environment::variable(name).is_none());
    let names: BTreeSet<&String> = unset.iter().chain(gone).collect();
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let (s, are) = if names.len() == 1 {
        ("", "is")
    } else {
        ("s", "are")
    };
    format!(
        ", as variable{s} {} {are} not set here: if the shell of the adoption had a value, set it in `.env` beside the file",
        joined(&names, ", ")
    )
}

fn is_hcl(file: &Path) -> bool {
    file.extension().is_none_or(|ending| ending != "json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_named_env_beside_a_compose_file_has_no_variables() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".env")).unwrap();
        let outside = disk(&folder.path().join("compose.yaml"));
        assert_eq!(outside.read(&folder.path().join(".env")), Ok(None));
        assert!(outside.read(folder.path()).is_err());
    }

    #[test]
    fn pwd_of_a_compose_file_is_its_folder_wherever_acrt_was_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        std::fs::write(&file, "services: {web: {build: '${PWD}/app'}}\n").unwrap();
        let task = format!("{{path: {}, kind: compose, key: web}}", file.display());
        let source: TaskSource = serde_yaml::from_str(&task).unwrap();
        let recipe = of_source(&source).unwrap().recipes.remove(0);
        assert_eq!(
            recipe.context,
            folder.path().join("app").display().to_string()
        );
    }
}
