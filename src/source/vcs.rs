//! The data of version control in a folder: histories, with the tokens stored in them, which are no part of a build.

use std::{ffi::OsStr, fs, io, path::Path};

/// The names that az leaves out when it packs a folder, at any depth.
pub const LEFT_OUT: [&str; 8] = [
    ".git",
    ".gitignore",
    ".bzr",
    ".bzrignore",
    ".hg",
    ".hgignore",
    ".svn",
    ".venv",
];

/// Tells whether a file or folder of this name is left out.
pub fn is_left_out(name: &OsStr) -> bool {
    LEFT_OUT.iter().any(|other| name == *other)
}

/// Adds the names that are left out to the text of an ignore file, at its end, where they take precedence.
pub fn with_left_out(ignore: &[u8]) -> Vec<u8> {
    let mut text = ignore.to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for name in LEFT_OUT {
        text.extend_from_slice(format!("**/{name}\n").as_bytes());
    }
    text
}

/// Returns the names in a folder that are left out, sorted.
pub fn at_top(folder: &Path) -> Vec<&'static str> {
    let is_there = |name: &&str| folder.join(name).symlink_metadata().is_ok();
    LEFT_OUT.into_iter().filter(is_there).collect()
}

/// Tells whether a folder contains anything that is left out, at any depth.
pub fn holds_any(folder: &Path) -> io::Result<bool> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if is_left_out(&entry.file_name()) {
                return Ok(true);
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcs_files_are_found_at_any_depth_and_added_last_to_the_ignore_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        assert!(!holds_any(folder.path()).unwrap());
        fs::write(folder.path().join("a/b/.gitignore"), "").unwrap();
        assert!(holds_any(folder.path()).unwrap());
        assert!(at_top(folder.path()).is_empty());
        fs::create_dir(folder.path().join(".git")).unwrap();
        assert_eq!(at_top(folder.path()), [".git"]);
        let text = String::from_utf8(with_left_out(b"*.log\n!.git")).unwrap();
        assert!(text.starts_with("*.log\n!.git\n**/.git\n"), "{text}");
        assert!(is_left_out(OsStr::new(".venv")) && !is_left_out(OsStr::new(".github")));
    }
}
