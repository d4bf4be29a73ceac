//! A context that is a folder of this machine.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use crate::error::{Context as _, Error, Kind, Result};

/// The largest Dockerfile that is read: far beyond any that a person or a generator writes.
const MAX_DOCKERFILE: u64 = 16 * 1024 * 1024;

/// A folder that holds the files of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalContext {
    folder: PathBuf,
}

impl LocalContext {
    /// Takes `folder` as a context.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is missing or no folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let cannot = || format!("cannot use the context `{}`", folder.display());
        let metadata = fs::metadata(folder).context(Kind::Invalid, cannot)?;
        if !metadata.is_dir() {
            return Err(
                Error::new(Kind::Invalid, cannot()).because(anyhow::anyhow!("it is not a folder"))
            );
        }
        Ok(Self {
            folder: folder.into(),
        })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a Dockerfile, seen from the context, and returns its path with it.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is missing, no file, or too large.
    pub fn dockerfile(&self, file: &Path) -> Result<(PathBuf, Vec<u8>)> {
        let path = self.folder.join(file);
        let cannot = || format!("cannot read the Dockerfile `{}`", path.display());
        let metadata = fs::metadata(&path)
            .context(Kind::Invalid, cannot)
            .map_err(|error| error.hint("name it with --file, relative to the context"))?;
        let problem = if metadata.is_dir() {
            Some("it is a folder")
        } else if !metadata.is_file() {
            // A pipe would keep whoever reads it waiting for ever.
            Some("it is not a file")
        } else if metadata.len() > MAX_DOCKERFILE {
            Some("it is larger than 16 MiB")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::new(Kind::Invalid, cannot()).because(anyhow::anyhow!(problem)));
        }
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .and_then(|opened| opened.take(MAX_DOCKERFILE).read_to_end(&mut bytes))
            .context(Kind::Invalid, cannot)?;
        Ok((path, bytes))
    }

    /// Reads the `.dockerignore` that belongs to one Dockerfile alone. The context's own is found by the builder.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the path, where it is there and cannot be read.
    pub fn ignore_file_of(&self, dockerfile: &Path) -> Result<Option<Vec<u8>>> {
        let mut name = dockerfile.as_os_str().to_owned();
        name.push(".dockerignore");
        let path = PathBuf::from(name);
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some).context(Kind::Invalid, || {
                format!("cannot read `{}`", path.display())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dockerfile_is_read_from_the_context_with_its_own_ignore_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        fs::write(folder.path().join("Dockerfile.dockerignore"), "*.log\n").unwrap();
        let context = LocalContext::open(folder.path()).unwrap();
        let (path, bytes) = context.dockerfile(Path::new("Dockerfile")).unwrap();
        assert_eq!(bytes, b"FROM scratch\n");
        let ignore = context.ignore_file_of(&path).unwrap();
        assert_eq!(ignore.as_deref(), Some(b"*.log\n".as_slice()));
    }

    #[test]
    fn what_is_missing_or_of_the_wrong_kind_is_named() {
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
}
