//! The program of a builder, and how its arguments are written.

use std::path::{Path, PathBuf};

use crate::sys::command::CommandLine;

use super::{platform_args::without_platforms, request::BuildRequest};

/// A program that builds images, found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    /// Arguments that the user wants in every call.
    pub global_args: Vec<String>,
    /// Arguments that the user wants in every build.
    pub build_args: Vec<String>,
}

impl Program {
    /// Begins a call of the program.
    pub fn call(&self, command: &[&str]) -> CommandLine {
        CommandLine::new(&self.path)
            .args(&self.global_args)
            .args(command.iter().copied())
    }

    /// Returns the arguments that the user wants in every build, without platforms where the build itself says for which it is.
    pub(super) fn args_for(&self, request: &BuildRequest) -> Vec<String> {
        if request.platforms.is_empty() {
            self.build_args.clone()
        } else {
            without_platforms(&self.build_args)
        }
    }

    /// Tells whether a build is for platforms that were named, and not for the builder's own.
    pub(super) fn is_for_named_platforms(&self, request: &BuildRequest) -> bool {
        let is_every_build = || without_platforms(&self.build_args) != self.build_args;
        !request.platforms.is_empty() || is_every_build()
    }
}

/// A question to a builder, and how what it prints is read.
#[derive(Clone, Debug)]
pub struct Question<T> {
    pub line: CommandLine,
    pub(super) read: fn(&str) -> T,
}

impl<T> Question<T> {
    /// Reads what the command has printed, where it has ended well.
    pub fn read(&self, printed: &str) -> T {
        (self.read)(printed)
    }
}

/// Hands the logins of a run to a command, in the words of docker and of podman; `folder` has a `config.json` and an `auth.json`.
pub(super) fn with_logins(line: CommandLine, folder: Option<&Path>) -> CommandLine {
    let Some(folder) = folder else {
        return line;
    };
    let auth = folder.join("auth.json").display().to_string();
    line.env("DOCKER_CONFIG", folder.display().to_string())
        .env("REGISTRY_AUTH_FILE", auth)
}

/// Writes a field of comma-separated values, as options of docker, podman and BuildKit take them.
pub fn csv_field(text: String) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
