//! The program of a builder, and the form of its arguments.

use std::path::{Path, PathBuf};

use crate::sys::command::CommandLine;

use super::{platform_args::without_platforms, request::BuildRequest};

/// A program that builds images, found on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    /// Arguments that the settings add to every call.
    pub global_args: Vec<String>,
    /// Arguments that the settings add to every build.
    pub build_args: Vec<String>,
}

impl Program {
    /// Begins a call of the program.
    pub fn call(&self, command: &[&str]) -> CommandLine {
        CommandLine::new(&self.path)
            .args(&self.global_args)
            .args(command.iter().copied())
    }

    /// Begins a call of buildx about the BuildKit that the settings choose.
    pub(super) fn call_buildx(&self, command: &[&str]) -> CommandLine {
        let chosen = option_values("--builder", &self.build_args).last();
        self.call(command).flags("--builder", chosen)
    }

    /// Tells whether it is a podman whose daemon is on another machine.
    pub(super) fn is_remote(&self) -> bool {
        self.global_args.iter().any(|it| it == "--remote")
    }

    /// Returns the arguments that the settings add to every build, without platforms where the build names its own.
    pub(super) fn args_for(&self, request: &BuildRequest) -> Vec<String> {
        if request.platforms.is_empty() {
            self.build_args.clone()
        } else {
            without_platforms(&self.build_args)
        }
    }

    /// Tells whether a build names its platforms, instead of using the builder's own.
    pub(super) fn is_for_named_platforms(&self, request: &BuildRequest) -> bool {
        let is_every_build = || without_platforms(&self.build_args) != self.build_args;
        !request.platforms.is_empty() || is_every_build()
    }
}

/// A query to a builder: its command, and how the output is read.
#[derive(Clone, Debug)]
pub struct Question<T> {
    pub line: CommandLine,
    read: fn(&str) -> T,
}

impl<T> Question<T> {
    pub(super) fn new(line: CommandLine, read: fn(&str) -> T) -> Self {
        Self { line, read }
    }

    /// Reads the output of the command, which has succeeded.
    pub fn read(&self, printed: &str) -> T {
        (self.read)(printed)
    }
}

/// Returns the values of an option, written as one argument or as two.
pub(super) fn option_values<'a>(
    option: &'a str,
    args: &'a [String],
) -> impl Iterator<Item = &'a str> {
    let all = args.iter().enumerate();
    all.filter_map(move |(n, arg)| match arg.strip_prefix(option)? {
        "" => args.get(n + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// Returns the rest of the first line that begins with a name, such as `Driver:`.
pub(super) fn field<'t>(printed: &'t str, name: &str) -> Option<&'t str> {
    let mut lines = printed.lines();
    lines.find_map(|line| Some(line.strip_prefix(name)?.trim()))
}

/// Tells whether the first version in the output of a program is at least this one, major and minor.
pub(super) fn is_since(printed: &str, version: (u32, u32)) -> bool {
    let mut words = printed.split_whitespace();
    let found = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let mut numbers = found.unwrap_or_default().split('.');
    let mut next = || numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    (next(), next()) >= version
}

/// Passes the credentials of a run to a command, in the ways of docker and podman; `folder` has a `config.json` and an `auth.json`.
pub(super) fn with_logins(line: CommandLine, folder: Option<&Path>) -> CommandLine {
    let Some(folder) = folder else {
        return line;
    };
    let auth = folder.join("auth.json").display().to_string();
    line.env("DOCKER_CONFIG", folder.display().to_string())
        .env("REGISTRY_AUTH_FILE", auth)
}

/// Quotes a field of comma-separated values, as options of docker, podman and BuildKit take them.
pub fn csv_field(text: String) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_compared_by_its_numbers() {
        let buildah = "buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)";
        assert!(!is_since(buildah, (1, 33)));
        assert!(is_since(buildah, (1, 9)));
        assert!(is_since("podman version 5.0.0-rc1\n", (4, 8)));
        assert!(is_since("26.1.5+dfsg1", (23, 0)));
        assert!(!is_since("unknown", (0, 1)));
    }
}
