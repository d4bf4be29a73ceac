//! Options about builds.

use std::{collections::BTreeMap, io::Read as _};

use crate::{
    cli::report::Report,
    error::{Context as _, Error, Kind, Result},
    image::{InvalidPlatform, Platform},
    sys::{environment, secret::Secret},
    task::Argument,
};

/// The largest Dockerfile that is read from standard input, in bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Reads a Dockerfile from standard input.
///
/// # Errors
///
/// [`Kind::Invalid`] where it cannot be read, or is too large: a part of it would build something else.
pub fn standard_input() -> Result<Vec<u8>> {
    let cannot = || "cannot read the Dockerfile from standard input".to_owned();
    let mut text = Vec::new();
    let mut input = std::io::stdin().take(MAX_FILE + 1);
    input
        .read_to_end(&mut text)
        .context(Kind::Invalid, cannot)?;
    if text.len() as u64 > MAX_FILE {
        let why = anyhow::anyhow!("it is larger than {} MiB", MAX_FILE >> 20);
        return Err(Error::invalid(cannot()).because(why));
    }
    Ok(text)
}

// `--arg` and `--secret-arg`.
#[derive(Debug, Default, clap::Args)]
pub struct ArgumentArgs {
    /// Build argument, NAME=VALUE; without a value it is taken from the environment (can be repeated)
    #[arg(
        long = "arg",
        help_heading = "What is built",
        value_name = "NAME[=VALUE]"
    )]
    args: Vec<String>,
    /// Build argument whose value is never shown, NAME=VALUE (can be repeated)
    #[arg(
        long = "secret-arg",
        help_heading = "What is built",
        value_name = "NAME[=VALUE]"
    )]
    secret_args: Vec<Secret>,
}

impl ArgumentArgs {
    pub fn is_given(&self) -> bool {
        !self.args.is_empty() || !self.secret_args.is_empty()
    }

    /// Tells whether a definition shall have no arguments: `--arg ""`.
    pub fn are_emptied(&self) -> bool {
        is_empty_text(&self.args) && self.secret_args.is_empty()
    }

    /// Warns of arguments without a value whose variable is not set either: they are empty, as in az, and not the default of the Dockerfile.
    pub fn warn_of_unset(&self, report: &Report) {
        let plain = self.args.iter().map(String::as_str);
        let all = plain.chain(self.secret_args.iter().map(Secret::reveal));
        let all = all.filter(|it| !it.is_empty() && !it.contains('='));
        for name in all.filter(|it| environment::variable(it).is_none()) {
            report.warning(&format!(
                "the build argument `{0}` is empty: it has no value, and the variable `{0}` is not set",
                name.escape_debug()
            ));
        }
    }

    /// Returns the arguments in the order given, and the secret values separately. Of two with one name the last wins.
    pub fn arguments(&self) -> (Vec<Argument>, BTreeMap<String, Secret>) {
        named_values(&self.args, &self.secret_args, split)
    }
}

/// Tells whether a list was given as one empty text, which stands for no list.
pub fn is_empty_text(list: &[String]) -> bool {
    matches!(list, [text] if text.is_empty())
}

/// Returns named values in the order given, and the secret ones separately. Of two with one name the last wins.
pub fn named_values(
    plain: &[String],
    secret: &[Secret],
    split: fn(&str) -> (String, String),
) -> (Vec<Argument>, BTreeMap<String, Secret>) {
    let mut all: Vec<Argument> = Vec::new();
    let mut secrets = BTreeMap::new();
    let mut add = |argument: Argument| {
        all.retain(|other| other.name != argument.name);
        all.push(argument);
    };
    for text in plain {
        let (name, value) = split(text);
        add(Argument {
            name,
            value: Some(value),
            is_secret: false,
        });
    }
    for text in secret {
        let (name, value) = split(text.reveal());
        secrets.insert(name.clone(), Secret::new(value));
        add(Argument {
            name,
            value: None,
            is_secret: true,
        });
    }
    (all, secrets)
}

/// Splits `NAME=VALUE`; a name alone takes its value from the environment, or else is empty, as in az.
fn split(text: &str) -> (String, String) {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (
            text.to_owned(),
            environment::variable(text).unwrap_or_default(),
        ),
    }
}

/// Reads a list of platforms, as `linux/amd64,linux/arm64`, each once.
pub fn platforms(text: &str) -> Result<Platforms, String> {
    let all = text.split(',').map(|one| one.trim().parse());
    let all = all.collect::<Result<_, _>>();
    let all = all.map_err(|problem: InvalidPlatform| problem.to_string())?;
    Ok(Platforms(Platform::each_once(all)))
}

/// Reads a list of platforms; an empty text is none.
pub fn platforms_or_none(text: &str) -> Result<Platforms, String> {
    if text.is_empty() {
        Ok(Platforms::default())
    } else {
        platforms(text)
    }
}

/// A list of platforms as one value of an option.
#[derive(Clone, Debug, Default)]
pub struct Platforms(pub Vec<Platform>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_of_two_build_arguments_with_one_name_wins() {
        let args = ArgumentArgs {
            args: vec!["A=1".into(), "B=x=y".into(), "A=2".into()],
            secret_args: vec![Secret::new("T=hunter2")],
        };
        let (arguments, secrets) = args.arguments();
        let told: Vec<_> = arguments
            .iter()
            .map(|a| (a.name.as_str(), a.value.as_deref()))
            .collect();
        assert_eq!(told, [("B", Some("x=y")), ("A", Some("2")), ("T", None)]);
        assert_eq!(secrets["T"].reveal(), "hunter2");
    }

    #[test]
    fn platform_option_is_a_list() {
        assert_eq!(platforms("linux/amd64, linux/arm64").unwrap().0.len(), 2);
        let twice = platforms("amd64,linux/arm64,linux/amd64").unwrap().0;
        assert_eq!(twice, platforms("linux/amd64,linux/arm64").unwrap().0);
        assert!(platforms("linux/amd64,").is_err());
    }
}
