//! One step of a task file: what it does, when it may start, and how often it is tried.

use std::fmt;

use crate::{image::Reference, secret::MaskedText};

use super::{build::BuildStep, resources::Mount};

/// The name of a step: unique in its file, without white space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(String);

impl StepId {
    /// Takes a name that a file gives.
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

    /// Returns the name of a step that has none, by its place in the file, counted from 0.
    pub fn numbered(n: usize) -> Self {
        Self(format!("acb_step_{n}"))
    }

    /// Returns the name.
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
    /// The steps that must have succeeded before it starts; all of them stand before it in the file.
    pub after: Vec<StepId>,
    pub action: Action,
    /// How long and how often.
    pub limits: Limits,
    /// Whether it counts as succeeded however it ends.
    pub ignores_errors: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Build(Box<BuildStep>),
    /// Pushes images, each once.
    Push(Vec<Pushed>),
    Cmd(Box<CmdStep>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What the file says; an earlier step may have built it under just that name.
    pub written: String,
    /// Where it goes: to the task's registry, unless it names another.
    pub image: Reference,
}

/// How long a step may take, and how often it is tried. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For all tries and repeats together; the delay before the start is not in it.
    pub timeout: u32,
    /// How long it waits before it starts.
    pub start_delay: u32,
    /// How often it is tried again after a failure.
    pub retries: u32,
    /// The pause before it is tried again.
    pub retry_delay: u32,
    /// If there are any, it is tried again only after a failure that printed one of these.
    pub retry_on: Vec<String>,
    /// How often it is done again; failures do not end the series, and one makes it fail.
    pub repeat: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmdStep {
    /// Its image, by docker's own reading of the name.
    pub image: Reference,
    /// What is given to the image's entry point, word by word.
    pub args: Vec<MaskedText>,
    pub place: Place,
    /// Whether it goes on by itself while the next steps run.
    pub detach: bool,
    /// Whether it is kept after it ended, until the run ends.
    pub keep: bool,
    /// Whether it may do anything to the machine. Only with leave from the user who runs the file.
    pub privileged: bool,
    /// Whether the image is fetched anew even if the machine has it.
    pub pull: bool,
}

/// What acrt does itself, in the place of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnCommand<'a> {
    /// `acr …`, with the words behind it: acr-cli can only talk to Azure.
    Acr(&'a [MaskedText]),
    /// `docker stop …`, and what is like it: a step is not handed Docker's socket.
    End {
        /// `stop`, `kill` or `rm`.
        verb: &'a str,
        /// The steps whose containers are meant.
        names: Vec<&'a str>,
    },
}

/// The image of docker's client.
const DOCKER_CLIENT: (&str, &str) = (crate::image::reference::DOCKER_HUB, "library/docker");

/// How containers are ended, in words of docker's client.
const ENDS: [&str; 3] = ["kill", "rm", "stop"];

/// Where the image of acr-cli is, for which `acr` stands in task files; and what `acr` is in a file that has no aliases.
const ACR_CLI: [(&str, &str); 2] = [
    ("mcr.microsoft.com", "acr/acr-cli"),
    (crate::image::reference::DOCKER_HUB, "library/acr"),
];

impl CmdStep {
    /// Returns what acrt does itself, if that is what it asks for: `acr …`, by the alias or by any tag of acr-cli's image, or the end of
    /// containers that go on.
    pub fn own(&self) -> Option<OwnCommand<'_>> {
        let image = (self.image.registry(), self.image.repository());
        // A daemon of its own is the one that is meant.
        let has_daemon = self.place.env.iter().any(|(name, _)| name == "DOCKER_HOST");
        if self.place.entry_point.is_some() || has_daemon {
            return None;
        }
        if ACR_CLI.contains(&image) {
            return Some(OwnCommand::Acr(&self.args));
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
        (!names.is_empty()).then_some(OwnCommand::End { verb, names })
    }
}

/// The surroundings of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its working directory, relative to `/workspace`; none leaves the image's own.
    pub working_directory: Option<String>,
    /// Its working directory as an absolute path in the container, before the other one.
    pub directory: Option<String>,
    pub env: Vec<(String, MaskedText)>,
    /// What is run instead of the image's entry point.
    pub entry_point: Option<String>,
    /// The user, as a name or a number, perhaps with a group.
    pub user: Option<String>,
    /// The network, by the name that the file gives it.
    pub network: Option<String>,
    /// Ports that it opens to the other containers.
    pub expose: Vec<String>,
    /// Ports of the machine that lead to it.
    pub ports: Vec<String>,
    /// How many processors it may use.
    pub cpus: Option<String>,
    /// Volumes of the file.
    pub mounts: Vec<Mount>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_no_white_space() {
        assert_eq!(StepId::new("build-web").unwrap().as_str(), "build-web");
        assert_eq!(StepId::new("a b"), Err("`id` must not contain white space"));
        assert_eq!(StepId::new(""), Err("`id` is empty"));
        assert!(StepId::new("acb_root").is_err());
        assert_eq!(StepId::numbered(2).as_str(), "acb_step_2");
    }
}
