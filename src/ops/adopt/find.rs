//! Finds the files in a folder that say how images are built.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ignore::{
    WalkBuilder,
    gitignore::{Gitignore, GitignoreBuilder},
    overrides::OverrideBuilder,
};

use crate::{
    compose::{BAKE_OVERRIDE, FILE_NAMES, FileSelection},
    error::{Context as _, Error, Kind, Result},
    ops::NOT_UTF8,
    source::left_out::{FolderId, id_of},
    sys::{beneath, environment},
};

use super::proposal::{LeftOut, Search};

#[derive(Debug, Default)]
pub struct FoundFiles {
    /// Compose projects: their folder, and which files belong to them.
    pub compose: Vec<(PathBuf, FileSelection)>,
    /// Bake files, all of the same folder.
    pub bake: Vec<PathBuf>,
    /// Dockerfiles, each with the folder from which the search started.
    pub dockerfiles: Vec<(PathBuf, PathBuf)>,
    pub left_out: Vec<LeftOut>,
}

/// The names of bake files: the first one that exists is the main one.
const BAKE: [&str; 2] = ["docker-bake.json", "docker-bake.hcl"];

/// The names of all files that docker buildx merges by default, each over those before it.
const MERGED_BAKE: [&str; 4] = [
    "docker-bake.json",
    BAKE_OVERRIDE,
    "docker-bake.hcl",
    "docker-bake.override.hcl",
];

/// The largest ignore file that is read, in bytes.
const MAX_IGNORE: u64 = 1024 * 1024;

/// Searches files and folders. Links are not followed, and hidden folders are not searched, nor is the state directory, which has Dockerfiles
/// of runs.
///
/// # Errors
///
/// [`Kind::Invalid`] where a path does not exist, or a pattern is not valid.
pub fn find(paths: &[PathBuf], search: &Search, state: &Path) -> Result<FoundFiles> {
    let state = id_of(state);
    let mut found = FoundFiles::default();
    for path in paths {
        let cannot = || format!("cannot look in `{}`", path.display());
        let path = whole(path).context(Kind::Invalid, cannot)?;
        let metadata = std::fs::metadata(&path).context(Kind::Invalid, cannot)?;
        if path.to_str().is_none() {
            let why = anyhow::anyhow!("{NOT_UTF8}");
            return Err(Error::invalid(cannot()).because(why));
        }
        if metadata.is_dir() {
            folder(&path, search, state, &mut found)?
        } else {
            file(&path, &mut found)?
        }
    }
    found.compose.dedup();
    Ok(found)
}

/// Returns the one path of a file or folder, however it was typed: without `..`, and without links in its folders.
///
/// # Errors
///
/// Where its folder does not exist.
pub fn whole(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if !path.is_dir() => Ok(folder.canonicalize()?.join(name)),
        _ => path.canonicalize(),
    }
}

/// Adds a file that the user named; what it is follows from its name.
fn file(path: &Path, found: &mut FoundFiles) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
    let has_ending = |ending: &str| path.extension().is_some_and(|it| it == ending);
    if FILE_NAMES.contains(&&*name) {
        found.compose.push((folder, of_file(path)));
    } else if is_dockerfile(&name) {
        found.dockerfiles.push((path.to_owned(), folder));
    } else if has_ending("yaml") || has_ending("yml") {
        found.compose.push((folder, of_file(path)));
    } else if has_ending("json") || has_ending("hcl") {
        found.bake.push(path.to_owned());
    } else {
        return Err(
            Error::invalid(format!("cannot tell what `{}` is", path.display())).hint(
                "name a folder, a compose file (.yaml), a bake file (.json, .hcl) or a Dockerfile",
            ),
        );
    }
    Ok(())
}

/// Returns the project of a file that the user named: with its override file, where docker compose would find both of them by default.
/// `COMPOSE_FILE` is not considered.
pub fn of_file(file: &Path) -> FileSelection {
    if file.parent().and_then(main_of).as_deref() == Some(file) {
        FileSelection::Beside
    } else {
        FileSelection::Files(vec![file.to_owned()])
    }
}

/// Returns the project of a folder. `COMPOSE_FILE` of the environment counts for the current folder only.
pub fn of_folder(folder: &Path) -> FileSelection {
    if std::env::current_dir().is_ok_and(|current| current == folder) {
        FileSelection::Environment
    } else {
        FileSelection::Folder
    }
}

/// Returns the compose file that docker compose would take in a folder.
pub fn main_of(folder: &Path) -> Option<PathBuf> {
    let mut paths = FILE_NAMES.iter().map(|name| folder.join(name));
    paths.find(|path| path.exists())
}

/// Returns a bake file with those that docker buildx merges with it by default.
pub fn bake_files(file: &Path) -> Vec<PathBuf> {
    let is_default = file
        .file_name()
        .is_some_and(|name| BAKE.iter().any(|it| name == *it));
    let Some(folder) = file.parent().filter(|_| is_default) else {
        return vec![file.to_owned()];
    };
    let paths = MERGED_BAKE.iter().map(|name| folder.join(name));
    paths.filter(|path| path == file || path.exists()).collect()
}

/// Returns whether `COMPOSE_FILE`, in the environment or in `.env`, names the files of a folder's project.
fn names_files(folder: &Path) -> bool {
    let own = || environment::variable("COMPOSE_FILE").is_some_and(|files| !files.is_empty());
    let is_own = of_folder(folder) == FileSelection::Environment && own();
    let beside = beneath::read(&folder.join(".env"), MAX_IGNORE);
    is_own || beside.is_ok_and(|text| String::from_utf8_lossy(&text).contains("COMPOSE_FILE"))
}

fn folder(
    root: &Path,
    search: &Search,
    state: Option<FolderId>,
    found: &mut FoundFiles,
) -> Result<()> {
    let mut excluded = OverrideBuilder::new(root);
    for pattern in &search.exclude {
        excluded
            .add(&format!("!{pattern}"))
            .context(Kind::Invalid, || {
                format!("cannot use `--exclude {}`", pattern.escape_debug())
            })?;
    }
    let excluded = excluded
        .build()
        .context(Kind::Invalid, || "cannot use --exclude".to_owned())?;
    let mut walk = WalkBuilder::new(root);
    walk.follow_links(false)
        .require_git(false)
        .overrides(excluded)
        .max_depth(search.depth)
        .filter_entry(move |entry| {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            !is_folder || state.is_none() || id_of(entry.path()) != state
        })
        .sort_by_file_path(Path::cmp);
    let mut folders: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(problem) => {
                let file = unsearched(&problem).unwrap_or(root).to_owned();
                let why = problem.io_error().map(|error| error.kind().to_string());
                let why = why.unwrap_or_else(|| problem.to_string());
                found
                    .left_out
                    .push(LeftOut::problem(file, String::new(), why));
                continue;
            }
        };
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        let name = entry.file_name().to_string_lossy();
        let is_wanted =
            FILE_NAMES.contains(&&*name) || BAKE.contains(&&*name) || is_dockerfile(&name);
        let Some(parent) = entry.path().parent().filter(|_| is_file && is_wanted) else {
            continue;
        };
        if entry.path().to_str().is_none() {
            let file = entry.path().to_owned();
            let problem = LeftOut::problem(file, String::new(), NOT_UTF8.to_owned());
            found.left_out.push(problem);
            continue;
        }
        folders
            .entry(parent.to_owned())
            .or_default()
            .push(name.into_owned());
    }
    if names_files(root) {
        folders.entry(root.to_owned()).or_default();
    }
    let mut ignore_files = IgnoreFiles::new();
    for (folder, names) in folders {
        let has_usual = names.iter().any(|name| FILE_NAMES.contains(&name.as_str()));
        if has_usual || folder == root && names_files(root) {
            found.compose.push((folder.clone(), of_folder(&folder)));
        }
        let bake = BAKE.iter().find(|name| names.iter().any(|it| it == *name));
        found.bake.extend(bake.map(|name| folder.join(name)));
        let mut dockerfiles = names.iter().filter(|name| is_dockerfile(name)).peekable();
        if dockerfiles.peek().is_none() {
            continue;
        }
        for name in dockerfiles {
            let path = folder.join(name);
            match ignoring(root, &path, &mut ignore_files) {
                Some(by) => found.left_out.push(LeftOut {
                    why: format!("`{}` leaves its folder out", by.display()),
                    key: name.clone(),
                    file: path,
                    is_problem: false,
                }),
                None => found.dockerfiles.push((path, root.to_owned())),
            }
        }
    }
    Ok(())
}

/// Returns the file or folder that could not be searched.
fn unsearched(problem: &ignore::Error) -> Option<&Path> {
    match problem {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            unsearched(err)
        }
        ignore::Error::Partial(problems) => problems.iter().find_map(unsearched),
        _ => None,
    }
}

fn is_dockerfile(name: &str) -> bool {
    const NOT: &str = ".dockerignore .j2 .tmpl .template .orig .bak .swp ~";
    let name = name.to_ascii_lowercase();
    let is_called = ["dockerfile", "containerfile"].iter().any(|kind| {
        let rest = name.strip_prefix(kind);
        let has_more = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let before = name.strip_suffix(kind);
        has_more || before.is_some_and(|before| before.len() > 1 && before.ends_with('.'))
    });
    is_called && !NOT.split(' ').any(|ending| name.ends_with(ending))
}

/// The lines of the `.dockerignore` files that have been read, by their folders: what each matches, and whether it excludes that.
type IgnoreFiles = BTreeMap<PathBuf, Vec<(bool, Gitignore)>>;

/// Reads the lines of the `.dockerignore` file in a folder; none if it cannot be read.
fn ignore_lines(folder: &Path) -> Vec<(bool, Gitignore)> {
    let bytes = beneath::read(&folder.join(".dockerignore"), MAX_IGNORE).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rule = |line: &str| {
        // Its patterns are relative to its own folder, wherever they contain a slash.
        let (is_out, pattern) = match line.strip_prefix('!') {
            Some(pattern) => (false, pattern),
            None => (true, line),
        };
        let pattern = pattern.trim_start_matches("./").trim_start_matches('/');
        let mut rule = GitignoreBuilder::new(folder);
        // A line that is no valid pattern matches nothing.
        let _ = rule.add_line(None, &format!("/{pattern}"));
        Some((is_out, rule.build().ok()?))
    };
    lines.filter_map(rule).collect()
}

/// Returns the `.dockerignore` file in a parent folder that excludes the folder of this Dockerfile, and the Dockerfile too, from builds of the
/// parent. Each file is read once into `read`.
fn ignoring(root: &Path, dockerfile: &Path, read: &mut IgnoreFiles) -> Option<PathBuf> {
    let folder = dockerfile.parent()?;
    let above = folder.ancestors().skip(1);
    let above = above.take_while(|it| it.starts_with(root));
    for parent in above {
        if !read.contains_key(parent) {
            read.insert(parent.to_owned(), ignore_lines(parent));
        }
        // As in docker, the last line counts that matches the path or a folder above it.
        let is_out = |path: &Path, is_dir: bool| {
            let lines = read.get(parent).into_iter().flatten().rev();
            let mut lines = lines
                .filter(|(_, rule)| rule.matched_path_or_any_parents(path, is_dir).is_ignore());
            lines.next().is_some_and(|(is_out, _)| *is_out)
        };
        if is_out(folder, true) && is_out(dockerfile, false) {
            return Some(parent.join(".dockerignore"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerfiles_are_recognized_by_file_name() {
        for name in [
            "Dockerfile",
            "dockerfile",
            "Containerfile",
            "Dockerfile.prod",
            "api.Dockerfile",
            "Containerfile.x",
        ] {
            assert!(is_dockerfile(name), "{name}");
        }
        for name in [
            "Dockerfile.dockerignore",
            "Dockerfiles",
            "MyDockerfile",
            ".Dockerfile",
            "Dockerfile.j2",
            "Dockerfile~",
        ] {
            assert!(!is_dockerfile(name), "{name}");
        }
    }

    #[test]
    fn folder_is_left_out_where_the_last_matching_line_of_dockerignore_excludes_it() {
        let folder = tempfile::tempdir().unwrap();
        let dockerfile = folder.path().join("web/deep/Dockerfile");
        for (ignore, is_out) in [
            ("web\n", true),
            ("*\n", true),
            ("web/\n", true),
            ("**/deep\n", true),
            ("*\n!web/**\n", false),
            ("*\n!web\n", false),
            ("*\n!web/deep\n", false),
            ("*\n!web\nweb/deep\n", true),
            ("web/*\n!web\n", false),
            ("**/Dockerfile\n", false),
            ("other\n[\n", false),
        ] {
            std::fs::write(folder.path().join(".dockerignore"), ignore).unwrap();
            let mut read = IgnoreFiles::new();
            let found = ignoring(folder.path(), &dockerfile, &mut read).is_some();
            assert_eq!(found, is_out, "{ignore:?}");
        }
    }

    #[test]
    fn searched_path_is_the_same_however_it_is_typed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("shop/web")).unwrap();
        std::os::unix::fs::symlink("shop", root.join("link")).unwrap();
        std::fs::write(root.join("real"), "").unwrap();
        std::os::unix::fs::symlink("../real", root.join("shop/Dockerfile")).unwrap();
        for typed in ["shop", "shop/web/..", "link", "link/.", "shop/./"] {
            assert_eq!(
                whole(&root.join(typed)).unwrap(),
                root.join("shop"),
                "{typed}"
            );
        }
        // The name of a file says what it is: a link stays.
        let file = whole(&root.join("link/web/../Dockerfile")).unwrap();
        assert_eq!(file, root.join("shop/Dockerfile"));
        assert!(whole(&root.join("missing/x")).is_err());
    }
}
