//! `--file` of quick builds and runs: relative to the current folder, as in docker and `az acr build`.

use std::path::{Path, PathBuf, absolute};

use crate::{
    cli::report::Report,
    error::{Context as _, Error, Kind, Result},
    task::Context,
};

/// Where a file was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuickFile {
    /// In the context: its path relative to the context.
    Inside(PathBuf),
    /// Elsewhere on this machine: its absolute path.
    Outside(PathBuf),
}

impl QuickFile {
    /// Returns the path to use from the context.
    pub fn into_path(self) -> PathBuf {
        match self {
            Self::Inside(path) | Self::Outside(path) => path,
        }
    }
}

/// Finds a file in the current folder, or else in the context, which is reported. In a remote context it is looked for after the
/// fetch.
pub fn quick_file(report: &Report, context: &Context, file: &Path) -> Result<QuickFile> {
    let Context::Local(folder) = context else {
        return Ok(QuickFile::Inside(file.to_owned()));
    };
    let here = absolute(file).context(Kind::Invalid, || {
        format!("cannot use the file `{}`", file.display())
    })?;
    if here.symlink_metadata().is_ok() && !here.is_dir() {
        // Resolves the file's folder only: a link counts as being where it is, not where it points.
        let real = |path: &Path| path.canonicalize().ok();
        let (above, name) = (here.parent().and_then(real), here.file_name());
        let inside = above.zip(real(folder)).and_then(|(above, folder)| {
            let below = above.strip_prefix(folder).ok()?;
            Some(below.join(name?))
        });
        return Ok(inside.map_or(QuickFile::Outside(here), QuickFile::Inside));
    }
    let beneath = folder.join(file);
    if beneath.symlink_metadata().is_ok() {
        report.note(&format!(
            "`{}` is not in the current folder: using `{}`",
            file.display(),
            beneath.display()
        ));
    } else if file.file_name().is_none_or(|name| name != "Dockerfile") {
        return Err(
            Error::invalid(format!("unable to find `{}`", file.display()))
                .hint("name it with --file, relative to the current folder"),
        );
    }
    Ok(QuickFile::Inside(file.to_owned()))
}
