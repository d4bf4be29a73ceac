//! Checks that files are safe from other users, as ssh does for its own: a user who can write the config file or the state directory can
//! run commands as the user who started acrt. And tells whether a file or a folder is the user's own, by all that leads to it.

use std::{
    ffi::{OsStr, OsString},
    fs::{File, Metadata},
    io,
    os::unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{self as fs_at, Mode, OFlags},
    io::Errno,
    process::{getegid, geteuid},
};

use crate::error::{Error, Result};

/// The variable that allows the use of files that other users may write.
pub const INSIST: &str = "ACRT_ALLOW_UNSAFE_PERMISSIONS";

/// The bits of a mode that let users other than the owner write.
const WRITABLE: u32 = 0o022;

/// Why other users could change a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwnershipFault {
    /// It belongs to another user, of this id.
    Foreign(u32),
    /// Other users may write to it; this is its mode.
    Writable(u32),
}

impl OwnershipFault {
    /// Says it of `what`: of `it`, or of a path.
    fn of(self, what: &str) -> String {
        match self {
            Self::Foreign(user) => format!("{what} belongs to another user, of the id {user}"),
            Self::Writable(mode) => format!(
                "users other than its owner may write to {what}: its mode is {:03o}",
                mode & 0o7777
            ),
        }
    }
}

/// Judges by owner and mode. Files of root are as safe as the machine.
fn fault(owner: u32, mode: u32, me: u32) -> Option<OwnershipFault> {
    if owner != me && owner != 0 {
        return Some(OwnershipFault::Foreign(owner));
    }
    (mode & WRITABLE != 0).then_some(OwnershipFault::Writable(mode))
}

/// Checks that no other user can change a file or a folder. Pipes and devices were given on the command line, and are accepted. The parent
/// folders are not checked: in a folder that every user may write to, such as `/tmp`, no user can touch the files of others.
///
/// `what` names the file in messages: `the config file`.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where another user can change it.
pub fn check(what: &str, path: &Path, metadata: &Metadata) -> Result<()> {
    if !metadata.is_file() && !metadata.is_dir() {
        return Ok(());
    }
    let me = geteuid().as_raw();
    let Some(fault) = fault(metadata.uid(), metadata.mode(), me) else {
        return Ok(());
    };
    let mend = match fault {
        OwnershipFault::Foreign(_) => "work as that user".to_owned(),
        OwnershipFault::Writable(_) => format!("type: chmod go-w '{}'", path.display()),
    };
    let refused = format!("refused to use {what} `{}`", path.display());
    Err(Error::invalid(refused)
        .because(anyhow::anyhow!(fault.of("it")))
        .hint(format!(
            "{mend}; or insist on it: --allow-unsafe-permissions, or {INSIST}=true"
        )))
}

/// The most links on the way to a file, as for the kernel.
const MAX_LINKS: usize = 40;

/// Tells whether a file or a folder is the user's own: see [`foreign`].
pub fn is_own(path: &Path) -> bool {
    foreign(path).is_none()
}

/// Says why a file or a folder is not the user's own: it cannot be found, or users other than this one and root can change it, or put another
/// one in its place. The path counts as it is written: each folder and each link on the way, and where that leads.
pub fn foreign(path: &Path) -> Option<String> {
    match open(path) {
        Ok((_, foreign)) => foreign,
        Err(error) => Some(error.to_string()),
    }
}

/// Opens a file or a folder as a path alone, and says as [`foreign`] why it is not the user's own. No link is followed that others can change.
///
/// # Errors
///
/// Where it cannot be opened, or where such a link is on the way.
pub fn open(path: &Path) -> io::Result<(File, Option<String>)> {
    let path = std::path::absolute(path)?;
    let (mut ahead, mut links, mut foreign) = (names(&path), 0, None);
    let (mut at, mut here) = (PathBuf::from("/"), root()?);
    loop {
        let is_end = ahead.is_empty();
        judge(&mut foreign, &here.metadata()?, &at, is_end);
        let Some(name) = ahead.pop() else {
            return Ok((here, foreign));
        };
        let next = entry(&here, &name)?;
        let found = next.metadata()?;
        if !found.is_symlink() {
            if name == ".." {
                at.pop();
            } else {
                at.push(&name);
            }
            here = next;
            continue;
        }
        let link = at.join(&name);
        judge(&mut foreign, &found, &link, false);
        links += 1;
        if let Some(why) = foreign {
            let link = link.display();
            return Err(io::Error::other(format!(
                "`{link}` is a link that other users can change: {why}"
            )));
        }
        if links > MAX_LINKS {
            return Err(Errno::LOOP.into());
        }
        let target = fs_at::readlinkat(&next, "", Vec::new())?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            (at, here) = (PathBuf::from("/"), root()?);
        }
        ahead.extend(names(&target));
    }
}

/// Returns the names that a path consists of, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        });
    names.collect()
}

/// The flags for a file that is opened as a path alone. It is not followed if it is a link.
const ON_THE_WAY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn root() -> io::Result<File> {
    let root = fs_at::open("/", ON_THE_WAY | OFlags::DIRECTORY, Mode::empty())?;
    Ok(root.into())
}

/// Opens an entry of a folder. Asked for as a folder, an automounter mounts it.
fn entry(folder: &File, name: &OsStr) -> io::Result<File> {
    let open = |flags| fs_at::openat(folder, name, flags, Mode::empty());
    let opened = match open(ON_THE_WAY | OFlags::DIRECTORY) {
        Err(Errno::NOTDIR | Errno::LOOP) => open(ON_THE_WAY)?,
        opened => opened?,
    };
    Ok(opened.into())
}

/// Judges one file, folder or link on the way, or at its end, and keeps the first fault.
fn judge(foreign: &mut Option<String>, found: &Metadata, at: &Path, is_end: bool) {
    let (owner, mode) = (found.uid(), found.mode());
    let user = (geteuid().as_raw(), getegid().as_raw());
    // Links have no mode of their own.
    let matters = if found.is_symlink() { 0 } else { mode };
    let fault = fault_on_the_way((owner, found.gid()), matters, user, is_end);
    if let Some(fault) = fault.filter(|_| foreign.is_none()) {
        *foreign = Some(fault.of(&format!("`{}`", at.display())));
    }
}

/// Judges by owner and group, mode, and the user with the user's group. In a folder on the way that every user may write to, such as `/tmp`, no
/// user can touch the files of others. The user's own group may write: with umask 002, each user has a group alone.
fn fault_on_the_way(
    (owner, group): (u32, u32),
    mode: u32,
    (me, my_group): (u32, u32),
    is_end: bool,
) -> Option<OwnershipFault> {
    const STICKY: u32 = 0o1000;
    let is_private = [0, me, my_group].contains(&group);
    let accepted = match (is_private, !is_end && mode & STICKY != 0) {
        (_, true) => WRITABLE,
        (true, false) => 0o020,
        (false, false) => 0,
    };
    fault(owner, mode & !accepted, me).map(|fault| match fault {
        OwnershipFault::Writable(_) => OwnershipFault::Writable(mode),
        foreign @ OwnershipFault::Foreign(_) => foreign,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    fn give_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn folder_is_own_only_if_no_other_user_can_replace_what_leads_to_it() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path();
        let folder = outer.join("a/b");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir(outer.join("tmp")).unwrap();
        symlink("a/b", outer.join("link")).unwrap();
        symlink("nowhere", outer.join("broken")).unwrap();
        symlink("loop", outer.join("loop")).unwrap();
        symlink(&folder, outer.join("tmp/link")).unwrap();
        symlink(outer.join("tmp"), outer.join("a/tmp")).unwrap();
        for (mode, own, own_below) in [
            (0o755, true, true),
            (0o700, true, true),
            (0o1777, false, true),
            (0o777, false, false),
            (0o757, false, false),
        ] {
            give_mode(&outer.join("tmp"), mode);
            for path in ["tmp", "tmp/.", "a/tmp", "a/../tmp", "a/b/../../tmp"] {
                assert_eq!(is_own(&outer.join(path)), own, "{path} {mode:o}");
            }
            for path in ["tmp/link", "a/tmp/link", "tmp/link/../b"] {
                assert_eq!(is_own(&outer.join(path)), own_below, "{path} {mode:o}");
            }
        }
        assert!(is_own(&outer.join("link")) && is_own(&folder));
        let told = foreign(&outer.join("tmp")).unwrap();
        assert!(told.ends_with("/tmp`: its mode is 757"), "{told}");
        let told = foreign(&outer.join("tmp/link")).unwrap();
        assert!(told.contains("/tmp/link` is a link that other"), "{told}");
        for path in ["none", "broken", "loop"] {
            assert!(!is_own(&outer.join(path)), "{path}");
        }
        // An open folder is the one that a builder would find.
        let opened = open(&outer.join("link")).unwrap().0.metadata().unwrap();
        assert_eq!(opened.ino(), fs::metadata(&folder).unwrap().ino());
    }

    #[test]
    fn private_group_of_a_user_may_write_and_another_group_may_not() {
        let fault = |owner, group, mode| fault_on_the_way((owner, group), mode, (7, 9), true);
        for group in [0, 7, 9] {
            assert_eq!(fault(7, group, 0o40_775), None, "{group}");
            assert_eq!(fault(0, group, 0o40_775), None, "{group}");
        }
        for (owner, group, mode) in [(7, 8, 0o40_775), (0, 8, 0o40_770), (7, 7, 0o40_777)] {
            let writable = Some(OwnershipFault::Writable(mode));
            assert_eq!(fault(owner, group, mode), writable);
        }
        assert_eq!(fault(8, 7, 0o40_700), Some(OwnershipFault::Foreign(8)));
    }

    #[test]
    fn entry_of_another_user_in_a_folder_for_everybody_is_unsafe() {
        let fault = |owner, mode| fault_on_the_way((owner, owner), mode, (7, 7), false);
        assert_eq!(fault(0, 0o41_777), None);
        assert_eq!(fault(7, 0o41_777), None);
        assert_eq!(fault(8, 0o41_777), Some(OwnershipFault::Foreign(8)));
        // A link, of which only the owner counts.
        assert_eq!(fault(7, 0), None);
        assert_eq!(fault(8, 0), Some(OwnershipFault::Foreign(8)));
    }

    #[test]
    fn file_of_the_user_or_root_not_writable_by_others_is_safe() {
        for (owner, mode, me) in [
            (7, 0o100_600, 7),
            (7, 0o40_755, 7),
            (0, 0o100_644, 7),
            (0, 0o40_700, 0),
            (7, 0o41_755, 7),
        ] {
            assert_eq!(fault(owner, mode, me), None, "{owner} {mode:o} {me}");
        }
    }

    #[test]
    fn file_of_another_user_or_writable_by_others_is_unsafe() {
        assert_eq!(fault(8, 0o100_600, 7), Some(OwnershipFault::Foreign(8)));
        assert_eq!(fault(7, 0o40_700, 0), Some(OwnershipFault::Foreign(7)));
        for mode in [0o40_770, 0o40_702, 0o41_777, 0o100_664] {
            assert_eq!(
                fault(7, mode, 7),
                Some(OwnershipFault::Writable(mode)),
                "{mode:o}"
            );
        }
        assert!(
            OwnershipFault::Writable(0o41_777)
                .of("it")
                .ends_with("1777")
        );
    }
}
