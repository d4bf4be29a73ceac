//! One step of a task file: its action, when it may start, and its retries.

use std::fmt;

use crate::{image::Reference, secret::MaskedText};

use super::{build::BuildStep, resources::Mount};

/// The name of a step: unique in its file, without white space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(String);

impl StepId {
    /// Parses a name from a task file.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("`id` is empty");
        }
        if text.len() > 256 {
            return Err("`id` is longer than 256 bytes");
        }
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("`id` must not contain white space");
        }
        if text == "acb_root" {
            return Err("the id `acb_root` is taken: it is where every file begins");
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the default name of a step, from its position in the file, counted from 0.
    pub fn numbered(n: usize) -> Self {
        Self(format!("acb_step_{n}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub id: StepId,
    /// The line at which it begins, counted from 1.
    pub line: Option<usize>,
    /// The steps that must succeed before this one starts; all of them are earlier in the file.
    pub after: Vec<StepId>,
    pub action: Action,
    /// Timeout, delays and retries.
    pub limits: Limits,
    /// Whether the step counts as succeeded even if it fails.
    pub ignores_errors: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Build(Box<BuildStep>),
    /// Pushes images, each once.
    Push(Vec<PushTarget>),
    Cmd(Box<CmdStep>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTarget {
    /// The image as written in the file; an earlier step may have built it under exactly this name.
    pub written: String,
    /// The destination: on the task's registry, unless the file names another one.
    pub image: Reference,
}

/// The timeout of a step and its retries. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The timeout for all attempts and repetitions together, without the start delay.
    pub timeout: u32,
    /// The delay before the step starts.
    pub start_delay: u32,
    /// How often the step is retried after a failure.
    pub retries: u32,
    pub retry_delay: u32,
    /// If not empty, the step is retried only after a failure that printed one of these texts.
    pub retry_on: Vec<String>,
    /// How often the step is repeated; a failure does not end the series, but makes the step fail.
    pub repeat: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmdStep {
    /// The image, its name parsed as docker does.
    pub image: Reference,
    /// The arguments of the image's entry point.
    pub args: Vec<MaskedText>,
    pub place: ContainerSettings,
    /// Whether the container keeps running while the next steps run.
    pub detach: bool,
    /// Whether the stopped container is kept until the run ends.
    pub keep: bool,
    /// Whether the container is privileged. The user who runs the file must allow it.
    pub privileged: bool,
    /// Whether the image is pulled even if the machine has it.
    pub pull: bool,
}

/// A command that acrt carries out itself instead of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuiltinCommand<'a> {
    /// `acr …`, with its arguments: acr-cli itself can only talk to Azure.
    Acr(&'a [MaskedText]),
    /// `docker stop …` and similar commands, because a step gets no Docker socket.
    End {
        /// `stop`, `kill` or `rm`.
        verb: &'a str,
        /// The steps whose containers are to be stopped.
        names: Vec<&'a str>,
    },
}

/// The image of docker's client.
const DOCKER_CLIENT: (&str, &str) = (crate::image::reference::DOCKER_HUB, "library/docker");

/// The commands of docker's client that stop containers.
const ENDS: [&str; 3] = ["kill", "rm", "stop"];

/// The image of acr-cli, for which the alias `acr` stands; and `acr` itself, for a file without aliases.
const ACR_CLI: [(&str, &str); 2] = [
    ("mcr.microsoft.com", "acr/acr-cli"),
    (crate::image::reference::DOCKER_HUB, "library/acr"),
];

impl CmdStep {
    /// Returns the command that acrt carries out itself, if the step asks for one: `acr …`, by the alias or by any tag of acr-cli's
    /// image, or a command that stops detached containers.
    pub fn own(&self) -> Option<BuiltinCommand<'_>> {
        let image = (self.image.registry(), self.image.repository());
        // With `DOCKER_HOST` the step talks to a daemon of its own.
        let has_daemon = self.place.env.iter().any(|(name, _)| name == "DOCKER_HOST");
        if self.place.entry_point.is_some() || has_daemon {
            return None;
        }
        if ACR_CLI.contains(&image) {
            return Some(BuiltinCommand::Acr(&self.args));
        }
        if image != DOCKER_CLIENT {
            return None;
        }
        let mut words = self.args.iter().map(MaskedText::reveal);
        let verb = words.next().filter(|verb| ENDS.contains(verb))?;
        let mut names = Vec::new();
        while let Some(word) = words.next() {
            match word {
                "-t" | "--time" | "--timeout" | "-s" | "--signal" => drop(words.next()),
                option if option.starts_with('-') => {}
                name => names.push(name),
            }
        }
        (!names.is_empty()).then_some(BuiltinCommand::End { verb, names })
    }
}

/// The environment of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerSettings {
    /// Its working directory, relative to `/workspace`; `None` for the image's own.
    pub working_directory: Option<String>,
    /// Its working directory as an absolute path in the container; it takes precedence over `working_directory`.
    pub directory: Option<String>,
    pub env: Vec<(String, MaskedText)>,
    /// The entry point, in place of the image's own.
    pub entry_point: Option<String>,
    /// The user, as a name or a number, optionally with a group.
    pub user: Option<String>,
    /// The network, by its name in the file.
    pub network: Option<String>,
    /// Ports that are open to other containers.
    pub expose: Vec<String>,
    /// Ports of the machine that are forwarded to the container.
    pub ports: Vec<String>,
    /// The limit of CPUs.
    pub cpus: Option<String>,
    /// Mounts of the file's volumes.
    pub mounts: Vec<Mount>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_id_with_white_space_is_refused() {
        assert_eq!(StepId::new("build-web").unwrap().as_str(), "build-web");
        assert_eq!(StepId::new("a b"), Err("`id` must not contain white space"));
        assert_eq!(StepId::new(""), Err("`id` is empty"));
        assert!(StepId::new("acb_root").is_err());
        assert_eq!(StepId::numbered(2).as_str(), "acb_step_2");
    }
}
