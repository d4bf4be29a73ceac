//! The available logins: those of a task, those in the files of podman and docker, and those in credential helpers.
//!
//! The `keychain` finds the one for a registry or a repository, in a `login_file` or from a `helper`; `auth_file` writes a login file for a
//! builder.

pub mod auth_file;
pub mod credential;
pub mod helper;
pub mod keychain;
pub mod login_file;
