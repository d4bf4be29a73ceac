//! What is left out of a context that is a folder of this machine: the data of version control, with the tokens stored in it, and the state
//! directory, with the passwords of tasks. A `COPY . .` would publish them.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// The names that az leaves out when it packs a folder, at any depth.
const VERSION_CONTROL: [&str; 8] = [
    ".git",
    ".gitignore",
    ".bzr",
    ".bzrignore",
    ".hg",
    ".hgignore",
    ".svn",
    ".venv",
];

/// Tells whether a file or folder of this name is data of version control.
pub fn is_version_control(name: &OsStr) -> bool {
    VERSION_CONTROL.iter().any(|other| name == *other)
}

/// Device and inode of a folder: the same whatever path leads to it, also that of a bind mount.
pub type FolderId = (u64, u64);

/// Returns device and inode of a file or folder; `None` where there is none.
pub fn id_of(path: &Path) -> Option<FolderId> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// What is left out of one folder.
#[derive(Debug)]
pub struct LeftOut {
    folder: PathBuf,
    version_control: bool,
    /// The paths of the state directory in the folder; empty where it is the folder itself. Bind mounts can show it at several.
    state: Vec<PathBuf>,
    /// The path at which a client adds a file of another place to the folder, if it does.
    sent: Option<PathBuf>,
}

impl LeftOut {
    /// Returns what is left out of `folder`: the state directory, and if asked for, the data of version control.
    pub fn of(folder: &Path, version_control: bool, state: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            version_control,
            state: id_of(state).map_or_else(Vec::new, |state| places_of(state, folder)),
            sent: None,
        }
    }

    /// Returns that nothing of `folder` is left out.
    pub fn nothing(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            version_control: false,
            state: Vec::new(),
            sent: None,
        }
    }

    /// Leaves out a file of another place that a client adds to the folder under its whole path, with the folders of that path that the
    /// folder does not have itself.
    pub fn add_sent(&mut self, file: &Path) {
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let below = file.strip_prefix("/").unwrap_or(&file);
        let is_new = |path: &&Path| self.folder.join(path).symlink_metadata().is_err();
        let highest_new = below.ancestors().take_while(is_new).last();
        self.sent = Some(highest_new.unwrap_or(below).to_owned());
    }

    /// Tells whether the state directory is in the folder, or is the folder.
    pub fn has_state(&self) -> bool {
        !self.state.is_empty()
    }

    /// Tells whether the data of version control is left out.
    pub fn has_version_control(&self) -> bool {
        self.version_control
    }

    /// Adds what is left out to the text of an ignore file, at its end, where it takes precedence. `None` if there is nothing to add.
    pub fn added_to(&self, ignore: &[u8]) -> Option<Vec<u8>> {
        let names = VERSION_CONTROL.iter().filter(|_| self.version_control);
        let patterns = names.map(|name| format!("**/{name}\n"));
        let paths = self.state.iter().chain(&self.sent);
        let paths = paths.map(|path| match path.as_os_str().is_empty() {
            true => "**\n".to_owned(),
            false => pattern(path) + "\n",
        });
        let patterns: String = patterns.chain(paths).collect();
        if patterns.is_empty() {
            return None;
        }
        let mut text = ignore.to_vec();
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend_from_slice(patterns.as_bytes());
        Some(text)
    }

    /// Returns the names of version control at the top of the folder that are left out, sorted.
    pub fn names_at_top(&self) -> Vec<&'static str> {
        let names = VERSION_CONTROL.into_iter().filter(|_| self.version_control);
        let is_there = |name: &&str| self.folder.join(name).symlink_metadata().is_ok();
        names.filter(is_there).collect()
    }

    /// Tells whether the folder contains anything that is left out, at any depth.
    ///
    /// # Errors
    ///
    /// Where a folder cannot be read.
    pub fn is_there(&self) -> io::Result<bool> {
        if self.has_state() || !self.version_control {
            return Ok(self.has_state());
        }
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if is_version_control(&entry.file_name()) {
                    return Ok(true);
                }
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        Ok(false)
    }
}

/// Returns the paths below `root` at which a folder is. What cannot be read is skipped: no builder can read it either.
fn places_of(wanted: FolderId, root: &Path) -> Vec<PathBuf> {
    let (mut folders, mut found) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        if id_of(&folder) == Some(wanted) {
            found.extend(folder.strip_prefix(root).map(Path::to_owned));
            continue;
        }
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        folders.extend(entries.filter(is_folder).map(|entry| entry.path()));
    }
    found.sort();
    found
}

/// Returns the line of an ignore file for a path. Each character with a meaning of its own there is replaced by the wildcard for one
/// character, and what is no UTF-8 by the one for any.
fn pattern(path: &Path) -> String {
    let text = path.to_string_lossy();
    let characters = text.chars().map(|c| match c {
        char::REPLACEMENT_CHARACTER => '*',
        '\\' | '*' | '?' | '[' | ']' | '!' | '#' => '?',
        c if c.is_whitespace() || c.is_control() => '?',
        c => c,
    });
    characters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcs_files_are_found_at_any_depth_and_added_last_to_the_ignore_file() {
        let folder = tempfile::tempdir().unwrap();
        let left_out = LeftOut::of(folder.path(), true, Path::new("/nowhere"));
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        assert!(!left_out.is_there().unwrap());
        fs::write(folder.path().join("a/b/.gitignore"), "").unwrap();
        assert!(left_out.is_there().unwrap());
        assert!(left_out.names_at_top().is_empty());
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert_eq!(left_out.names_at_top(), [".git"]);
        let text = String::from_utf8(left_out.added_to(b"*.log\n!.git").unwrap()).unwrap();
        assert!(text.starts_with("*.log\n!.git\n**/.git\n"), "{text}");
        let is_left_out = |name: &str| is_version_control(OsStr::new(name));
        assert!(is_left_out(".venv") && !is_left_out(".github"));
    }

    #[test]
    fn state_directory_in_a_folder_is_left_out_whatever_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("a/my [state]!");
        fs::create_dir_all(&state).unwrap();
        let left_out = LeftOut::of(folder.path(), false, &state);
        assert!(left_out.is_there().unwrap());
        let text = left_out.added_to(b"!a").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "!a\na/my??state??\n");
        // A link stands for a bind mount, which only root can make: both give the folder another path.
        let other = tempfile::tempdir().unwrap();
        let link = other.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        for (folder, state) in [
            (&*link, &*state),
            (folder.path(), &*link.join("a/my [state]!")),
        ] {
            let left_out = LeftOut::of(folder, false, state);
            assert_eq!(left_out.added_to(b"").unwrap(), b"a/my??state??\n");
        }
        let itself = LeftOut::of(folder.path(), false, folder.path());
        assert_eq!(itself.added_to(b"").unwrap(), b"**\n");
        let elsewhere = LeftOut::of(folder.path(), false, Path::new("/nowhere"));
        assert_eq!(elsewhere.added_to(b"x"), None);
        assert!(!elsewhere.is_there().unwrap());
    }

    #[test]
    fn sent_file_is_left_out_with_the_folders_that_the_context_does_not_have() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path().canonicalize().unwrap();
        let (folder, file) = (outer.join("context"), outer.join("runs/ca1/Dockerfile"));
        fs::create_dir_all(&folder).unwrap();
        let below = outer.strip_prefix("/").unwrap();
        let mut left_out = LeftOut::nothing(&folder);
        let line = |left_out: &mut LeftOut| {
            left_out.add_sent(&file);
            String::from_utf8(left_out.added_to(b"").unwrap()).unwrap()
        };
        let top = below.iter().next().unwrap().to_str().unwrap();
        assert_eq!(line(&mut left_out), format!("{top}\n"));
        fs::create_dir_all(folder.join(below)).unwrap();
        let runs = format!("{}\n", pattern(&below.join("runs")));
        assert_eq!(line(&mut left_out), runs);
        assert!(!left_out.is_there().unwrap());
    }
}
