//! Reads the files of a compose project one by one: variables replaced, short forms expanded, paths absolute.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    rc::Rc,
};

use crate::{secret::MaskedText, steps};

use super::{
    ComposeInputs, Problem, dotenv, is_remote, seen_from,
    tree::{Node, TEXT_OF_A_NODE, Value},
    variables::Variables,
};

/// How many files a project may have.
const MAX_FILES: usize = 200;

/// How large a project may be: the nodes of its files, counted again each time that a file is included or a service is extended, because a
/// few small files that include each other several times stand for millions of files.
const MAX_SIZE: usize = 1_000_000;

/// What reading a file counts beside its text, and what using it once more counts beside its nodes.
const SIZE_OF_READING: usize = 500;
const SIZE_OF_USING: usize = 100;

/// The keys of a service that decide what is built, and `env_file`, which names files that docker compose reads beside.
const KEYS: [&str; 6] = [
    "build", "image", "profiles", "platform", "extends", "env_file",
];

/// The file names that docker compose looks for, in order of precedence.
pub const MAIN: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
/// The override files that docker compose merges over them: the first that exists.
pub const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// How the files of a project are chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSelection {
    /// The files of `COMPOSE_FILE` in the environment or in `.env`; else those that docker compose finds in the folder.
    Environment,
    /// The same, ignoring the environment, which is for another folder.
    Folder,
    /// The file with a default name in the folder, and its override.
    Beside,
    /// Only these files.
    Files(Vec<PathBuf>),
}

/// Reads the files of a project and records which they are.
pub struct Files<'a> {
    outside: &'a dyn ComposeInputs,
    /// The files that were read or looked for.
    pub read: BTreeSet<PathBuf>,
    /// Variables without a value and a default.
    pub unset: BTreeSet<String>,
    /// Parsed files, because several services may extend one file.
    parsed: BTreeMap<PathBuf, steps::YamlValue>,
    /// How much was read and merged, of [`MAX_SIZE`].
    size: usize,
}

impl<'a> Files<'a> {
    pub fn new(outside: &'a dyn ComposeInputs) -> Self {
        Self {
            outside,
            read: BTreeSet::new(),
            unset: BTreeSet::new(),
            parsed: BTreeMap::new(),
            size: 0,
        }
    }

    /// Counts what is read or merged.
    ///
    /// # Errors
    ///
    /// What the project is, where it is too large.
    pub fn charge(&mut self, size: usize) -> Result<(), &'static str> {
        self.size = self.size.saturating_add(size);
        if self.size > MAX_SIZE {
            Err("the project is too large, with all that its files include and its services extend")
        } else {
            Ok(())
        }
    }

    fn charge_for(&mut self, file: &Path, size: usize) -> Result<(), Problem> {
        self.charge(size).map_err(|why| Problem::new(file, "", why))
    }

    /// Returns the files with the variables of a project: those of `COMPOSE_ENV_FILES`, relative to `folder`; else `.env` in `own_folder`.
    pub fn env_files(&self, folder: &Path, own_folder: &Path) -> Vec<PathBuf> {
        let value = |name: &str| self.outside.variable(name).unwrap_or_default();
        let named = value("COMPOSE_ENV_FILES");
        if !named.is_empty() {
            return named.split(',').map(|it| seen_from(folder, it)).collect();
        }
        let is_off = value("COMPOSE_DISABLE_ENV_FILE").to_lowercase();
        if ["1", "t", "true"].contains(&is_off.trim()) {
            return Vec::new();
        }
        vec![own_folder.join(".env")]
    }

    /// Reads files of variables; the last file wins. Values from the environment or `parent` take precedence.
    pub fn variables(
        &mut self,
        paths: &[PathBuf],
        parent: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let named = paths.iter().filter(|it| *it != Path::new("/dev/null"));
        for path in named {
            let known = parent.iter().chain(&all);
            let size: usize = known.map(|(name, it)| name.len() + it.len()).sum();
            self.charge_for(path, size / TEXT_OF_A_NODE)?;
            let Some(text) = self.read(path)? else {
                if path.ends_with(".env") {
                    continue;
                }
                return Err(Problem::new(path, "", "there is no such file"));
            };
            let outer = |name: &str| {
                let known = || parent.get(name).or_else(|| all.get(name)).cloned();
                self.outside.variable(name).or_else(known)
            };
            let found = dotenv::read(&text, &outer).map_err(|(line, text)| Problem {
                line: Some(line),
                ..Problem::new(path, "", text)
            })?;
            all.extend(found);
        }
        all.extend(parent.clone());
        Ok(all)
    }

    fn read(&mut self, path: &Path) -> Result<Option<String>, Problem> {
        let problem = |text: String| Problem::new(path, "", text);
        if self.read.insert(path.to_owned()) && self.read.len() > MAX_FILES {
            return Err(problem(format!(
                "the project has more than {MAX_FILES} files"
            )));
        }
        let text = self.outside.read(path).map_err(problem)?;
        let size = text.as_ref().map_or(0, String::len) / TEXT_OF_A_NODE;
        self.charge_for(path, SIZE_OF_READING + size)?;
        Ok(text)
    }

    /// Finds the files that docker compose would use in a folder.
    pub fn found(
        &mut self,
        folder: &Path,
        variables: &BTreeMap<String, String>,
        choice: &FileSelection,
    ) -> Result<Vec<PathBuf>, Problem> {
        let value = |name: &str| {
            let own = self.outside.variable(name).filter(|it| !it.is_empty());
            match choice {
                FileSelection::Environment => own.or_else(|| variables.get(name).cloned()),
                FileSelection::Folder => variables.get(name).cloned(),
                FileSelection::Beside | FileSelection::Files(_) => None,
            }
        };
        if let Some(list) = value("COMPOSE_FILE").filter(|list| !list.is_empty()) {
            let separator = value("COMPOSE_PATH_SEPARATOR").filter(|it| !it.is_empty());
            let separator = separator.unwrap_or_else(|| ":".to_owned());
            let files = list.split(&separator).filter(|file| !file.is_empty());
            return Ok(files.map(|file| seen_from(folder, file)).collect());
        }
        let mut files = Vec::new();
        for names in [MAIN, OVERRIDES] {
            for path in names.map(|name| folder.join(name)) {
                if self.read(&path)?.is_some() {
                    files.push(path);
                    break;
                }
            }
            if files.is_empty() {
                break;
            }
        }
        Ok(files)
    }

    fn parsed(&mut self, file: &Path) -> Result<Option<steps::YamlValue>, Problem> {
        if let Some(yaml) = self.parsed.get(file) {
            return Ok(Some(yaml.clone()));
        }
        let Some(text) = self.read(file)? else {
            return Ok(None);
        };
        let yaml = steps::parse_yaml(&MaskedText::from(text)).map_err(|problem| Problem {
            line: problem.line,
            ..Problem::new(file, "", problem.text)
        })?;
        self.parsed.insert(file.to_owned(), yaml.clone());
        Ok(Some(yaml))
    }

    /// Reads one file: variables replaced, paths absolute, short forms expanded.
    pub fn document(
        &mut self,
        file: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<Node>, Problem> {
        self.charge_for(file, SIZE_OF_USING)?;
        let Some(yaml) = self.parsed(file)? else {
            return Ok(None);
        };
        let lookup = |name: &str| {
            let own = self.outside.variable(name);
            own.or_else(|| variables.get(name).cloned())
        };
        let mut filled = Variables::new(&lookup);
        let place = Rc::new(file.to_owned());
        let mut root = Node::of(steps::YamlNode::root(&yaml), &place, &mut |text| {
            filled.expand(text)
        });
        let unset = filled.unset;
        self.unset.extend(unset);
        if !matches!(root.value, Value::Map(_) | Value::Null) {
            return Err(root.problem("", "it must be a mapping with `services`"));
        }
        self.charge_for(file, root.size())?;
        root.keep_only(&["name", "include", "services", "secrets"]);
        let home = self.outside.variable("HOME").map(PathBuf::from);
        let from = FileOrigin { folder, home };
        root.change("services", |services| {
            services.each(|service| written_out(service, &from))
        });
        root.change("secrets", |secrets| {
            secrets.each(|secret| {
                let mut secret = secret.clone();
                secret.change("file", |file| anchored(file, &from));
                secret
            })
        });
        Ok(Some(root))
    }
}

/// What paths are relative to.
struct FileOrigin<'a> {
    folder: &'a Path,
    /// The folder of `~`.
    home: Option<PathBuf>,
}

impl FileOrigin<'_> {
    fn path(&self, text: &str) -> String {
        let beneath_home = text.strip_prefix("~/").zip(self.home.as_ref());
        let path = match beneath_home {
            Some((rest, home)) => seen_from(home, rest),
            None => seen_from(self.folder, text),
        };
        path.display().to_string()
    }
}

/// Returns only those keys of a service that decide about its build, in their long forms, with absolute paths.
fn written_out(service: &Node, from: &FileOrigin<'_>) -> Node {
    let mut service = service.clone();
    service.keep_only(&KEYS);
    service.change("env_file", |files| listed_env_files(files, from));
    service.change("build", |build| {
        let mut build = match &build.value {
            Value::Text(_) | Value::Bad(_) => {
                build.with(Value::Map(vec![("context".to_owned(), build.clone())]))
            }
            _ => build.clone(),
        };
        build.change("context", |context| anchored(context, from));
        for key in ["args", "labels", "additional_contexts", "ssh"] {
            build.change(key, Node::as_map);
        }
        build.change("extra_hosts", listed_hosts);
        build.change("ssh", |keys| keys.each(|path| anchored(path, from)));
        build.change("additional_contexts", |contexts| {
            contexts.each(|place| anchored_context(place, from))
        });
        build
    });
    service
}

/// Converts `env_file` to a list of absolute paths.
fn listed_env_files(files: &Node, from: &FileOrigin<'_>) -> Node {
    let entries = match &files.value {
        Value::List(entries) => entries,
        _ => std::slice::from_ref(files),
    };
    let paths = entries
        .iter()
        .map(|entry| entry.get("path").unwrap_or(entry));
    files.with(Value::List(
        paths.map(|path| anchored(path, from)).collect(),
    ))
}

/// Converts a mapping of hosts to a list of `HOST=ADDRESS`.
fn listed_hosts(hosts: &Node) -> Node {
    let Value::Map(entries) = &hosts.value else {
        return hosts.clone();
    };
    let mut all = Vec::new();
    for (host, node) in entries {
        let addresses = match &node.value {
            Value::List(addresses) => addresses,
            _ => std::slice::from_ref(node),
        };
        all.extend(addresses.iter().map(|address| match &address.value {
            Value::Text(text) => address.with(Value::Text(format!("{host}={text}"))),
            _ => address.clone(),
        }));
    }
    hosts.with(Value::List(all))
}

/// Makes a local path absolute.
fn anchored(path: &Node, from: &FileOrigin<'_>) -> Node {
    match &path.value {
        Value::Text(text) if !is_remote(text) => path.with(Value::Text(from.path(text))),
        _ => path.clone(),
    }
}

fn anchored_context(place: &Node, from: &FileOrigin<'_>) -> Node {
    match &place.value {
        Value::Text(text)
            if ["service:", "target:"]
                .iter()
                .any(|it| text.starts_with(it)) =>
        {
            place.clone()
        }
        _ => anchored(place, from),
    }
}
