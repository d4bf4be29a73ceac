//! A context in a folder of this machine.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{
    error::{Context as _, Error, Kind, Result},
    sys::beneath::{self, Unreadable},
    task::context::address_in,
};

/// The largest Dockerfile or ignore file that is read, in bytes: far larger than a person or a generator writes.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The default name of a Dockerfile.
const DOCKERFILE: &str = "Dockerfile";

/// Other default names: each builder accepts one of them where there is no file of the first name.
const OTHER_NAMES: [&str; 2] = ["dockerfile", "Containerfile"];

/// A folder that holds the files of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalContext {
    folder: PathBuf,
    /// The folder that no path may lead out of, where the files are a guest's.
    root: Option<PathBuf>,
}

impl LocalContext {
    /// Opens `folder` as a context.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is missing or no folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let cannot = || format!("cannot use the context `{}`", folder.display());
        let metadata = std::fs::metadata(folder).context(Kind::Invalid, cannot);
        let metadata = metadata.map_err(|error| {
            let repository =
                address_in(folder).map(|it| format!(", or a repository: https://{}", it.display()));
            error.hint(format!(
                "name an existing folder{}",
                repository.unwrap_or_default()
            ))
        })?;
        if !metadata.is_dir() {
            return Err(Error::invalid(cannot())
                .because(anyhow::anyhow!("it is not a folder"))
                .hint("name its folder, and the file in it with --file"));
        }
        Ok(Self {
            folder: folder.into(),
            root: None,
        })
    }

    /// Refuses any path and any link from below `root` that leads out of it.
    #[must_use]
    pub fn confined_to(self, root: &Path) -> Self {
        Self {
            root: Some(root.into()),
            ..self
        }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a Dockerfile, with a path relative to the context, and returns its full path with it. Where there is no `Dockerfile`, it may
    /// be a `dockerfile`, as for BuildKit, or a `Containerfile`, as for Podman.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is missing, no regular file, or too large.
    pub fn dockerfile(&self, file: &Path) -> Result<(PathBuf, Vec<u8>)> {
        let path = self.folder.join(file);
        let path = match path.file_name() {
            Some(name) if name == DOCKERFILE && !path.exists() => {
                let others = OTHER_NAMES.map(|name| path.with_file_name(name));
                others.into_iter().find(|other| other.exists())
            }
            _ => None,
        }
        .unwrap_or(path);
        match self.read(&path, MAX_FILE) {
            Ok(bytes) => Ok((path, bytes)),
            Err(problem) => {
                let is_absent = problem.is_absent();
                let error = self.unreadable("the Dockerfile ", &path, problem);
                Err(if is_absent {
                    error.hint("name it with --file, relative to the context")
                } else {
                    error
                })
            }
        }
    }

    /// Reads the ignore file that belongs to one Dockerfile: that with the first of the `suffixes`. The builder finds that of the context.
    ///
    /// As in BuildKit, that of a `dockerfile` or `Containerfile` may also be called `Dockerfile.dockerignore`.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is no regular file, or too large.
    pub fn ignore_file_of(&self, dockerfile: &Path, suffixes: &[&str]) -> Result<Option<Vec<u8>>> {
        let name = dockerfile.file_name();
        let has_other_name =
            name.is_some_and(|name| OTHER_NAMES.iter().any(|other| name == *other));
        let instead = has_other_name.then(|| dockerfile.with_file_name(DOCKERFILE));
        let dockerfiles = [Some(dockerfile.to_owned()), instead];
        let dockerfiles = dockerfiles.iter().flatten();
        for (dockerfile, suffix) in dockerfiles.flat_map(|it| suffixes.iter().map(move |s| (it, s)))
        {
            let mut name = dockerfile.clone().into_os_string();
            name.push(suffix);
            let path = PathBuf::from(name);
            match self.read(&path, MAX_FILE) {
                Err(problem) if problem.is_absent() => {}
                Err(problem) => return Err(self.unreadable("", &path, problem)),
                Ok(bytes) => return Ok(Some(bytes)),
            }
        }
        Ok(None)
    }

    /// Reads the ignore file of the context: the first of `names` that exists.
    pub fn ignore_file(&self, names: &[&str]) -> Result<Option<Vec<u8>>> {
        for name in names {
            if let Some(bytes) = self.file("", Path::new(name), MAX_FILE)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Reads a file of the context; `what` names it in messages, as `the task file `.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is no regular file or larger than `limit` bytes; `None` where it does not exist.
    pub fn file(&self, what: &str, file: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        let path = self.folder.join(file);
        match self.read(&path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(problem) if problem.is_absent() => Ok(None),
            Err(problem) => Err(self.unreadable(what, &path, problem)),
        }
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Unreadable> {
        let below = self.root.as_ref().and_then(|root| {
            let below = path.strip_prefix(root).ok()?;
            Some((root, below))
        });
        match below {
            Some((root, below)) => beneath::read_in(root, below, limit),
            // A file of the owner's, or one that the owner has named outside of the context.
            None => beneath::read(path, limit),
        }
    }

    fn unreadable(&self, what: &str, path: &Path, problem: Unreadable) -> Error {
        let is_outside = match &problem {
            Unreadable::Outside => true,
            // A link to the context that another user can change.
            Unreadable::Io(error) => error.kind() == ErrorKind::Other,
            Unreadable::Folder | Unreadable::NoFile | Unreadable::TooLarge(_) => false,
        };
        let error =
            Error::invalid(format!("cannot read {what}`{}`", path.display())).because(problem);
        if is_outside {
            error.hint(TRUST_HINT)
        } else {
            error
        }
    }
}

/// Returns the files that would be read instead of a Dockerfile if they existed.
pub fn preferred_to(dockerfile: &Path) -> Vec<PathBuf> {
    let name = dockerfile.file_name();
    let names = || std::iter::once(DOCKERFILE).chain(OTHER_NAMES);
    let is_own = |other: &str| name.is_some_and(|name| name == other);
    if names().any(is_own) {
        names()
            .take_while(|other| !is_own(other))
            .map(|other| dockerfile.with_file_name(other))
            .collect()
    } else {
        Vec::new()
    }
}

/// The hint where a guest's context is refused something.
pub const TRUST_HINT: &str =
    "if what the context brings may do that to this machine, allow it: --trust-context";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SUFFIXES: &[&str] = &[".dockerignore", ".containerignore"];

    #[test]
    fn dockerfile_is_read_from_the_context_with_its_own_ignore_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        fs::write(folder.path().join("Dockerfile.dockerignore"), "*.log\n").unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let (path, bytes) = context.dockerfile(Path::new("Dockerfile")).unwrap();
        assert_eq!(bytes, b"FROM scratch\n");
        let ignore = context.ignore_file_of(&path, SUFFIXES).unwrap();
        assert_eq!(ignore.as_deref(), Some(b"*.log\n".as_slice()));
    }

    #[test]
    fn containerfile_is_found_where_no_dockerfile_exists() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("sub");
        fs::create_dir(&sub).unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let read = |file: &str| {
            let (path, bytes) = context.dockerfile(Path::new(file)).unwrap();
            assert_eq!(bytes, path.file_name().unwrap().as_encoded_bytes());
            path.strip_prefix(folder.path()).unwrap().to_owned()
        };
        for name in ["Containerfile", "dockerfile", "Dockerfile"] {
            fs::write(folder.path().join(name), name).unwrap();
            fs::write(sub.join(name), name).unwrap();
            assert_eq!(read("Dockerfile"), Path::new(name));
            assert_eq!(read("sub/Dockerfile"), Path::new("sub").join(name));
        }
        assert_eq!(
            preferred_to(Path::new("a/Containerfile")),
            [Path::new("a/Dockerfile"), Path::new("a/dockerfile")]
        );
        assert!(preferred_to(Path::new("a/Dockerfile")).is_empty());
        assert!(preferred_to(Path::new("a/Dockerfile.prod")).is_empty());
        let error = context.dockerfile(Path::new("Dockerfile.prod"));
        assert!(error.is_err(), "a name that was chosen is that name");
    }

    #[test]
    fn dockerfile_under_another_spelling_uses_the_dockerfile_ignore_file() {
        let folder = tempfile::tempdir().unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let ignore = |name: &str| {
            let ignore = context
                .ignore_file_of(&folder.path().join(name), SUFFIXES)
                .unwrap();
            ignore.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        fs::write(folder.path().join("Dockerfile.dockerignore"), "a").unwrap();
        assert_eq!(ignore("dockerfile").as_deref(), Some("a"));
        assert_eq!(ignore("Dockerfile.prod"), None);
        fs::write(folder.path().join("dockerfile.dockerignore"), "b").unwrap();
        assert_eq!(ignore("dockerfile").as_deref(), Some("b"));
        assert_eq!(ignore("Containerfile").as_deref(), Some("a"));
        fs::write(folder.path().join("Containerfile.containerignore"), "c").unwrap();
        assert_eq!(ignore("Containerfile").as_deref(), Some("c"));
        fs::write(folder.path().join("Containerfile.dockerignore"), "d").unwrap();
        assert_eq!(ignore("Containerfile").as_deref(), Some("d"));
    }

    #[test]
    fn ignore_file_that_is_no_regular_file_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let dockerfile = folder.path().join("Dockerfile");
        assert_eq!(context.ignore_file_of(&dockerfile, SUFFIXES).unwrap(), None);
        let ignore = folder.path().join("Dockerfile.dockerignore");
        let file = fs::File::create(&ignore).unwrap();
        file.set_len(16 * 1024 * 1024 + 1).unwrap();
        let error = context.ignore_file_of(&dockerfile, SUFFIXES).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot read `{}`", ignore.display())
        );
        assert_eq!(error.causes(), ["it is larger than 16 MiB"]);
        assert_eq!(error.kind(), Kind::Invalid);
        fs::remove_file(&ignore).unwrap();
        fs::create_dir(&ignore).unwrap();
        let error = context.ignore_file_of(&dockerfile, SUFFIXES).unwrap_err();
        assert_eq!(error.causes(), ["it is a folder"]);
    }

    #[test]
    fn missing_or_wrong_kind_of_context_file_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let error = context.dockerfile(Path::new("Dockerfile")).unwrap_err();
        assert!(error.to_string().ends_with("/Dockerfile`"), "{error}");
        assert_eq!(error.kind(), Kind::Invalid);
        fs::create_dir(folder.path().join("sub")).unwrap();
        let error = context.dockerfile(Path::new("sub")).unwrap_err();
        assert_eq!(error.causes(), ["it is a folder"]);
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = LocalContext::open(&file).unwrap_err();
        assert_eq!(error.causes(), ["it is not a folder"]);
    }

    #[test]
    fn symlinks_of_an_untrusted_context_cannot_lead_outside_it() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("context");
        fs::create_dir(&folder).unwrap();
        fs::write(outer.path().join("secret"), "FROM hunter2\n").unwrap();
        fs::write(folder.join("real"), "FROM scratch\n").unwrap();
        let link = std::os::unix::fs::symlink;
        link("../secret", folder.join("Dockerfile")).unwrap();
        link("real", folder.join("inside")).unwrap();
        link("../secret", folder.join("real.dockerignore")).unwrap();
        let own = LocalContext::open(&folder).unwrap();
        assert!(own.dockerfile(Path::new("Dockerfile")).is_ok());
        let guest = own.confined_to(&folder);
        for file in ["Dockerfile", "../secret"] {
            let error = guest.dockerfile(Path::new(file)).unwrap_err();
            assert_eq!(error.causes(), ["it leads out of the context"]);
            assert_eq!(error.advice(), Some(TRUST_HINT));
        }
        let (path, _) = guest.dockerfile(Path::new("inside")).unwrap();
        assert_eq!(guest.ignore_file_of(&path, SUFFIXES).unwrap(), None);
        let ignore = guest.ignore_file_of(&folder.join("real"), SUFFIXES);
        assert!(ignore.unwrap_err().one_line().contains("leads out"));
        // A file that the owner names outside of the context is trusted.
        let own = outer.path().join("secret");
        assert!(guest.dockerfile(&own).is_ok());
    }
}
