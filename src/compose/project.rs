//! Merges the files of a compose project: overrides, `include` and `extends`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    ComposeBuilds, ComposeInputs, LeftOut, Problem,
    files::{FileSelection, Files},
    is_remote, seen_from,
    service::{self, ProjectContext},
    tree::{Node, Value},
};

/// How deep files may include files, and services may extend services.
const MAX_DEPTH: usize = 16;

/// The variable with a project's name, which its files may refer to.
const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";

/// How many services a project may have, and how many secrets.
const MAX_SERVICES: usize = 5000;

/// Reads a compose project: its files merged, relative to `folder`.
///
/// # Errors
///
/// [`Problem`] where a file as a whole cannot be read; an invalid service does not affect the others.
pub fn open(
    outside: &dyn ComposeInputs,
    folder: &Path,
    choice: &FileSelection,
) -> Result<ComposeBuilds, Problem> {
    let mut reader = Files::new(outside);
    let none = BTreeMap::new();
    let beside = reader.variables(&reader.env_files(folder, folder), &none)?;
    let files = match choice {
        FileSelection::Files(files) => files.clone(),
        choice => reader.found(folder, &beside, choice)?,
    };
    // The project's folder is that of its first file.
    let own = files.first().and_then(|file| file.parent());
    let (folder, variables) = match own.filter(|own| *own != folder) {
        None => (folder, beside),
        Some(own) => {
            let named = outside.variable("COMPOSE_FILE").filter(|it| !it.is_empty());
            let is_of_environment = *choice == FileSelection::Environment && named.is_some();
            let parent = if is_of_environment { none } else { beside };
            let variables = reader.variables(&reader.env_files(folder, own), &parent)?;
            (own, variables)
        }
    };
    let project = {
        let own = outside.variable(PROJECT_NAME);
        let own = own.or_else(|| variables.get(PROJECT_NAME).cloned());
        let own = own.filter(|name| !name.is_empty());
        let name = own.map_or_else(
            || reader.name(&files, folder, &variables),
            |it| Ok(Some(it)),
        )?;
        normal_name(&name.unwrap_or_else(|| {
            let base = folder.file_name().unwrap_or_default();
            base.to_string_lossy().into_owned()
        }))
    };
    // Files may refer to the project's name.
    let mut variables = variables;
    variables.insert(PROJECT_NAME.to_owned(), project.clone());
    let lookup = |name: &str| {
        let own = outside.variable(name).filter(|_| name != PROJECT_NAME);
        own.or_else(|| variables.get(name).cloned())
    };
    let part = reader.part(folder, &files, &variables, 0)?;
    let around = ProjectContext {
        project: &project,
        folder,
        lookup: &lookup,
        secrets: &part.secrets,
    };
    let mut recipes = ComposeBuilds::default();
    for (name, node) in &part.services {
        let env_files = node.get("env_file").map(|files| files.texts(""));
        let env_files = env_files.into_iter().flatten().flatten();
        recipes.env_files.extend(env_files.map(PathBuf::from));
        let of_node = part
            .unusable
            .get(name)
            .map_or(Ok(node), |problem| Err(problem.clone()));
        let image = of_node
            .clone()
            .and_then(|node| service::image(name, node, &around));
        let image = image.transpose().map(|image| (name.clone(), image));
        recipes.services.extend(image);
        let why = match of_node.and_then(|node| service::recipe(name, node, &around)) {
            Ok(Some(recipe)) => {
                recipes.recipes.push(recipe);
                continue;
            }
            Ok(None) => LeftOut::NoBuild,
            Err(problem) => LeftOut::Unusable(problem),
        };
        recipes.left_out.push((name.clone(), why));
    }
    recipes.project = project;
    recipes.main_files = files;
    recipes.files = reader.read.into_iter().collect();
    recipes.unset = reader.unset.into_iter().collect();
    Ok(recipes)
}

/// Returns a variable's value for a project: from the environment, else from `.env` in its folder, or the files of `COMPOSE_ENV_FILES`.
///
/// # Errors
///
/// [`Problem`] where such a file cannot be read.
pub fn project_variable(
    outside: &dyn ComposeInputs,
    folder: &Path,
    name: &str,
) -> Result<Option<String>, Problem> {
    if let Some(value) = outside.variable(name) {
        return Ok(Some(value));
    }
    let mut reader = Files::new(outside);
    let variables = reader.variables(&reader.env_files(folder, folder), &BTreeMap::new())?;
    Ok(variables.get(name).cloned())
}

/// Normalizes a project's name as compose does.
fn normal_name(name: &str) -> String {
    let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let name: String = name.to_lowercase().chars().filter(allowed).collect();
    name.trim_start_matches(['-', '_']).to_owned()
}

/// The merged services of some files.
#[derive(Debug, Default)]
struct ProjectPart {
    /// The folder that the files of `extends` are relative to.
    folder: PathBuf,
    services: Vec<(String, Node)>,
    /// The services that cannot be extended, which no other file can mend.
    unusable: BTreeMap<String, Problem>,
    secrets: Vec<(String, Node)>,
}

impl Files<'_> {
    /// Returns the project's name in files; the last one that is not empty wins.
    fn name(
        &mut self,
        files: &[PathBuf],
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Option<String>, Problem> {
        let mut found = None;
        for file in files {
            let document = self.document(file, folder, variables)?;
            if let Some(name) = document.as_ref().and_then(|it| it.get("name")) {
                let name = name.text("name")?.to_owned();
                found = Some(name).filter(|name| !name.is_empty()).or(found);
            }
        }
        self.unset.remove(PROJECT_NAME);
        Ok(found)
    }

    /// Reads files and merges them. Services are extended within each file, before others override them.
    fn part(
        &mut self,
        folder: &Path,
        files: &[PathBuf],
        variables: &BTreeMap<String, String>,
        depth: usize,
    ) -> Result<ProjectPart, Problem> {
        let mut part = ProjectPart {
            folder: folder.to_owned(),
            ..ProjectPart::default()
        };
        for file in files {
            let Some(document) = self.document(file, folder, variables)? else {
                return Err(Problem::new(file, "", "there is no such file"));
            };
            let own = ProjectPart {
                folder: folder.to_owned(),
                services: entries(&document, "services")?,
                ..ProjectPart::default()
            };
            let secrets = entries(&document, "secrets")?;
            // First, because one that extends too much is left out alone.
            for (name, node) in &own.services {
                self.count(node, &format!("services.{name}"))?;
            }
            for (name, node) in secrets {
                let key = format!("secrets.{name}");
                self.count(&node, &key)?;
                lay_over(&mut part.secrets, &name, node, &key)?;
            }
            for (name, node) in &own.services {
                let mut whole = node.clone();
                if node.get("extends").is_some() {
                    match self.extended(name, &own, variables, &mut Vec::new()) {
                        Ok(extended) => whole = extended,
                        Err(problem) => drop(part.unusable.insert(name.clone(), problem)),
                    }
                }
                lay_over(&mut part.services, name, whole, &format!("services.{name}"))?;
            }
            let includes = document.get("include");
            for include in includes.map_or(Ok(&[][..]), |it| it.items("include"))? {
                let mut included = self.include(include, folder, variables, depth)?;
                for (name, node) in included.services {
                    if !part.services.iter().any(|(other, _)| *other == name) {
                        let unusable = included.unusable.remove_entry(&name);
                        part.unusable.extend(unusable);
                        lay_over(&mut part.services, &name, node, "include")?;
                    }
                }
                part.secrets.extend(included.secrets);
            }
        }
        Ok(part)
    }

    /// Reads an included project, which has its own folder and variables.
    fn include(
        &mut self,
        include: &Node,
        folder: &Path,
        variables: &BTreeMap<String, String>,
        depth: usize,
    ) -> Result<ProjectPart, Problem> {
        if depth >= MAX_DEPTH {
            return Err(include.problem(
                "include",
                "files include each other in a cycle, or too deeply",
            ));
        }
        let (paths, own_folder, env) = match &include.value {
            Value::Map(_) => {
                let texts = |key: &str| include.get(key).map(|it| it.texts(key)).transpose();
                let own_folder = include.get("project_directory");
                (
                    texts("path")?.unwrap_or_default(),
                    own_folder
                        .map(|it| it.text("project_directory"))
                        .transpose()?,
                    texts("env_file")?,
                )
            }
            _ => (vec![include.text("include")?.to_owned()], None, None),
        };
        if let Some(remote) = paths.iter().find(|path| is_remote(path)) {
            let shown = remote.escape_debug();
            return Err(include.problem("include", format!("`{shown}` is not on this machine")));
        }
        let paths: Vec<PathBuf> = paths.iter().map(|it| seen_from(folder, it)).collect();
        let Some(first) = paths.first() else {
            return Err(include.problem("include", "it names no file"));
        };
        let beside = first.parent().unwrap_or(folder).to_owned();
        let own_folder = own_folder.map_or(beside, |it| seen_from(folder, it));
        let env: Vec<PathBuf> = match env {
            Some(files) => files.iter().map(|it| seen_from(folder, it)).collect(),
            None => vec![own_folder.join(".env")],
        };
        let variables = self.variables(&env, variables)?;
        self.part(&own_folder, &paths, &variables, depth + 1)
    }

    /// Returns a service merged over the one that it extends.
    fn extended(
        &mut self,
        name: &str,
        part: &ProjectPart,
        variables: &BTreeMap<String, String>,
        way: &mut Vec<(PathBuf, String)>,
    ) -> Result<Node, Problem> {
        let found = part.services.iter().find(|(other, _)| other == name);
        let Some((_, own)) = found else {
            let key = format!("services.{name}");
            return Err(Problem::new(&part.folder, &key, "there is no such service"));
        };
        let key = format!("services.{name}.extends");
        let Some(extends) = own.get("extends") else {
            return Ok(own.clone());
        };
        let (other, file) = match &extends.value {
            Value::Map(_) => {
                let service = extends.get("service");
                let service = service.ok_or_else(|| extends.problem(&key, "it names no service"));
                let file = extends.get("file").map(|it| it.text(&key)).transpose()?;
                (service?.text(&key)?.to_owned(), file.map(str::to_owned))
            }
            _ => (extends.text(&key)?.to_owned(), None),
        };
        way.push((own.file.as_ref().clone(), name.to_owned()));
        let file = file.map(|file| seen_from(&part.folder, &file));
        let target = file.clone().unwrap_or_else(|| own.file.as_ref().clone());
        if way.contains(&(target, other.clone())) {
            return Err(extends.problem(&key, "the services extend each other in a cycle"));
        }
        if way.len() > MAX_DEPTH {
            return Err(extends.problem(&key, "services extend each other too deeply"));
        }
        let base = match file {
            None => {
                if !part.services.iter().any(|(name, _)| *name == other) {
                    let shown = other.escape_debug();
                    return Err(extends.problem(&key, format!("there is no service `{shown}`")));
                }
                self.extended(&other, part, variables, way)
            }
            Some(file) => {
                let folder = file.parent().unwrap_or(&part.folder).to_owned();
                let document = self.document(&file, &folder, variables)?;
                let Some(document) = document else {
                    let shown = file.display();
                    return Err(extends.problem(&key, format!("there is no file `{shown}`")));
                };
                let from = ProjectPart {
                    folder,
                    services: entries(&document, "services")?,
                    ..ProjectPart::default()
                };
                if !from.services.iter().any(|(name, _)| *name == other) {
                    let (shown, file) = (other.escape_debug(), file.display());
                    let text = format!("there is no service `{shown}` in `{file}`");
                    return Err(extends.problem(&key, text));
                }
                self.extended(&other, &from, variables, way)
            }
        }?;
        self.count(&base, &key)?;
        let mut whole = base.under(own.clone());
        whole.keep_only(&["build", "image", "profiles", "platform"]);
        Ok(whole)
    }

    fn count(&mut self, node: &Node, key: &str) -> Result<(), Problem> {
        let counted = self.charge(node.size());
        counted.map_err(|why| node.problem(key, why))
    }
}

fn entries(document: &Node, key: &str) -> Result<Vec<(String, Node)>, Problem> {
    let found = document.get(key).map(|it| it.entries(key)).transpose()?;
    Ok(found.unwrap_or_default().to_vec())
}

fn lay_over(
    into: &mut Vec<(String, Node)>,
    name: &str,
    node: Node,
    key: &str,
) -> Result<(), Problem> {
    if let Some((_, old)) = into.iter_mut().find(|(other, _)| other == name) {
        old.cover(node);
    } else if into.len() < MAX_SERVICES {
        into.push((name.to_owned(), node));
    } else {
        let why = format!("the project has more than {MAX_SERVICES} of them");
        return Err(node.problem(key, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by their path.
    #[derive(Default)]
    struct Given {
        files: BTreeMap<String, String>,
        variables: BTreeMap<String, String>,
    }

    impl ComposeInputs for Given {
        fn read(&self, path: &Path) -> Result<Option<String>, String> {
            Ok(self.files.get(&*path.to_string_lossy()).cloned())
        }

        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).cloned()
        }
    }

    fn opened(files: impl IntoIterator<Item = (String, String)>) -> Result<ComposeBuilds, Problem> {
        let named = |(name, text)| (format!("/p/{name}"), text);
        let given = Given {
            files: files.into_iter().map(named).collect(),
            ..Given::default()
        };
        open(&given, Path::new("/p"), &FileSelection::Beside)
    }

    /// Reads files and variables, and returns the arguments of each build by the name of its service.
    fn args(files: &[(&str, &str)], variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let given = Given {
            files: files
                .iter()
                .map(|(name, text)| (format!("/p/{name}"), (*text).to_owned()))
                .collect(),
            variables: variables.iter().map(owned).collect(),
        };
        let read = open(&given, Path::new("/p"), &FileSelection::Beside).unwrap();
        let args = |args: &[(String, String)]| {
            let args = args.iter().map(|(name, value)| format!("{name}={value}"));
            args.collect::<Vec<_>>().join(" ")
        };
        let recipes = read.recipes.iter();
        recipes.map(|it| (it.key.clone(), args(&it.args))).collect()
    }

    #[test]
    fn compose_services_are_extended_within_each_file_before_others_override_them() {
        let main = "services: {base: {build: {context: ., args: {A: own}}}, web: {extends: base}}";
        let over = "services: {base: {build: {args: {A: over}}}}";
        let found = args(
            &[("compose.yaml", main), ("compose.override.yaml", over)],
            &[],
        );
        assert_eq!((&*found["base"], &*found["web"]), ("A=over", "A=own"));
        let files = [
            ("compose.yaml".to_owned(), main.to_owned()),
            (
                "compose.override.yaml".to_owned(),
                "services: {web: {build: .}, other: {extends: base}}".to_owned(),
            ),
        ];
        let read = opened(files).unwrap();
        let why = format!("{:?}", read.left_out);
        assert!(why.contains("there is no service `base`"), "{why}");
        // What cannot be extended in an included file is left out with the place in that file.
        let files = [
            ("compose.yaml".to_owned(), "include: [x.yaml]".to_owned()),
            (
                "x.yaml".to_owned(),
                "services: {a: {build: .}, b: {extends: nowhere}}".to_owned(),
            ),
        ];
        let read = opened(files).unwrap();
        assert_eq!(read.recipes.len(), 1);
        let LeftOut::Unusable(problem) = &read.left_out[0].1 else {
            panic!("{:?}", read.left_out);
        };
        assert_eq!(problem.key, "services.b.extends");
    }

    #[test]
    fn compose_files_of_variables_are_those_of_docker_compose_and_the_last_one_wins() {
        let service = "services: {a: {build: {context: ., args: {T: '${T-none}'}}}}";
        let files = [
            ("compose.yaml", service),
            (".env", "T=1"),
            ("prod.env", "T=2"),
        ];
        let with = |variables: &[(&str, &str)]| args(&files, variables)["a"].clone();
        assert_eq!(with(&[]), "T=1");
        assert_eq!(with(&[("COMPOSE_ENV_FILES", "prod.env")]), "T=2");
        assert_eq!(with(&[("COMPOSE_ENV_FILES", "/p/prod.env,.env")]), "T=1");
        assert_eq!(with(&[("COMPOSE_ENV_FILES", "/dev/null")]), "T=none");
        assert_eq!(with(&[("COMPOSE_DISABLE_ENV_FILE", "True")]), "T=none");
        assert_eq!(with(&[("COMPOSE_DISABLE_ENV_FILE", "0")]), "T=1");
        let include = "include: [{path: i.yaml, env_file: [x.env, prod.env, /dev/null]}]";
        let files = [
            ("compose.yaml", include),
            ("i.yaml", service),
            ("x.env", "T=1\nU=x"),
            ("prod.env", "T=2$U"),
        ];
        assert_eq!(args(&files, &[])["a"], "T=2x");
        let files = [("compose.yaml", include), ("i.yaml", service)];
        let owned = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let problem = opened(owned).unwrap_err().to_string();
        assert_eq!(problem, "`/p/x.env`: there is no such file");
    }

    #[test]
    fn env_files_of_services_are_named_in_each_of_their_forms() {
        let files = [
            (
                "compose.yaml",
                "services: {a: {env_file: a.env}, b: {env_file: [/b.env, {path: c.env, required: false}]}}",
            ),
            ("compose.override.yaml", "services: {b: {env_file: d.env}}"),
        ];
        let read = opened(files.map(|(name, text)| (name.to_owned(), text.to_owned()))).unwrap();
        let files = ["/p/a.env", "/b.env", "/p/c.env", "/p/d.env"].map(PathBuf::from);
        assert_eq!(read.env_files, files);
    }

    #[test]
    fn compose_values_in_override_files_are_merged_as_by_docker_compose() {
        let over = |main: &str, over: &str| {
            let service = |build: &str| format!("services: {{a: {{build: {build}}}}}");
            let (main, over) = (service(main), service(over));
            let files = [
                ("compose.yaml", main.as_str()),
                ("compose.override.yaml", over.as_str()),
            ];
            let found = opened(files.map(|(name, text)| (name.to_owned(), text.to_owned())));
            let args = args(&files, &[("A", "env")]);
            (args["a"].clone(), found.unwrap().recipes.remove(0))
        };
        for null in ["{A: null}", "[A]"] {
            let main = "{context: ., target: q, args: {A: 1, B: 2}, labels: {A: 1}}";
            let nulls = format!("{{target: null, args: {null}, labels: {null}}}");
            let (args, recipe) = over(main, &nulls);
            assert_eq!(args, "A=env B=2");
            assert_eq!(recipe.target.as_deref(), Some("q"));
            assert_eq!(recipe.options, ["--label=A="]);
        }
        let (map, list) = (
            "{a: 2.2.2.2, c: ['::1', 3.3.3.3]}",
            "[b=1.1.1.1, 'a:2.2.2.2']",
        );
        let hosts = |of: &str| format!("{{context: ., extra_hosts: {of}}}");
        let (_, recipe) = over(&hosts(map), &hosts(list));
        let wanted = ["a:2.2.2.2", "c:::1", "c:3.3.3.3", "b:1.1.1.1", "a:2.2.2.2"];
        assert_eq!(recipe.options, wanted.map(|it| format!("--add-host={it}")));
    }

    #[test]
    fn empty_name_of_a_compose_project_is_that_of_its_folder() {
        let main = "name: '${NAME:-}'\nservices: {a: {build: .}}";
        let read = opened([("compose.yaml".to_owned(), main.to_owned())]).unwrap();
        assert_eq!(read.project, "p");
    }

    #[test]
    fn compose_files_that_include_each_other_many_times_are_refused() {
        let one = |n: usize| {
            (
                format!("f{n}.yaml"),
                "include:\n".to_owned() + &format!("- f{}.yaml\n", n + 1).repeat(10),
            )
        };
        let mut files: BTreeMap<String, String> = (0..12).map(one).collect();
        files.insert("f12.yaml".into(), "services: {}".into());
        files.insert(
            "compose.yaml".into(),
            "include: [f9.yaml]\nservices: {a: {build: .}}".into(),
        );
        assert_eq!(opened(files.clone()).unwrap().recipes.len(), 1);
        files.insert("compose.yaml".into(), "include: [f0.yaml]".into());
        let problem = opened(files).unwrap_err().to_string();
        assert!(problem.contains("the project is too large"), "{problem}");
    }

    #[test]
    fn compose_services_that_all_extend_a_large_one_are_limited_together() {
        let large = format!(
            "services: {{base: {{build: {{dockerfile_inline: '{}'}}}}}}",
            "x".repeat(500_000)
        );
        let services: String = (0..1000)
            .map(|n| format!("  s{n}: {{extends: {{file: base.yaml, service: base}}}}\n"))
            .collect();
        let files = [
            ("base.yaml".to_owned(), large),
            ("compose.yaml".to_owned(), format!("services:\n{services}")),
        ];
        let read = opened(files).unwrap();
        assert!(
            (10..200).contains(&read.recipes.len()),
            "{}",
            read.recipes.len()
        );
        let why = format!("{:?}", read.left_out.last().unwrap());
        assert!(why.contains("the project is too large"), "{why}");
    }
}
