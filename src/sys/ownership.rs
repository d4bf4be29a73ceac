//! Checks that files are safe from other users, as ssh does for its own: a user who can write the config file or the state directory can
//! run commands as the user who started acrt.

use std::{fmt, fs::Metadata, os::unix::fs::MetadataExt as _, path::Path};

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

impl fmt::Display for OwnershipFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(user) => write!(f, "it belongs to another user, of the id {user}"),
            Self::Writable(mode) => write!(
                f,
                "users other than its owner may write to it: its mode is {:03o}",
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
    let me = rustix::process::geteuid().as_raw();
    let Some(fault) = fault(metadata.uid(), metadata.mode(), me) else {
        return Ok(());
    };
    let mend = match fault {
        OwnershipFault::Foreign(_) => "work as that user".to_owned(),
        OwnershipFault::Writable(_) => format!("type: chmod go-w '{}'", path.display()),
    };
    let refused = format!("refused to use {what} `{}`", path.display());
    Err(Error::invalid(refused)
        .because(anyhow::anyhow!("{fault}"))
        .hint(format!(
            "{mend}; or insist on it: --allow-unsafe-permissions, or {INSIST}=true"
        )))
}

#[cfg(test)]
mod tests {
    use super::*;

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
                .to_string()
                .ends_with("1777")
        );
    }
}
