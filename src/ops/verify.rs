//! Verifies bases: a program of the owner's accepts or refuses each new digest before anything is built on it.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    error::{Error, Kind, Result},
    image::{Digest, Reference},
    store::Store,
    sys::{
        aliases::Aliases,
        command::CommandLine,
        config::VerifySettings,
        process::{self, Ended, Limits},
        settings::Settings,
        signal::Stop,
    },
};

/// The placeholder for the image in the arguments of the program.
const PLACEHOLDER: &str = "{image}";

/// How long the program may take: it may have to ask a registry for a signature and a transparency log for its proof.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of the program's output is kept, in bytes.
const MAX_PRINTED: usize = 4096;

/// The rules of the config file, and the images that were accepted.
#[derive(Debug)]
pub struct Verifier {
    /// The rules. A registry in a pattern has its one name, unless the pattern has a `*` in it.
    rules: Vec<VerifySettings>,
    aliases: Aliases,
    store: Store,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{image}` is not verified: {why}")]
pub struct Refusal {
    /// The image, with its digest.
    pub image: String,
    /// The output of the program, on one line.
    pub why: String,
}

impl Verifier {
    /// Reads the rules of the config file.
    ///
    /// # Errors
    ///
    /// As [`check`].
    pub fn new(settings: &Settings, store: Store) -> Result<Self> {
        let mut rules = settings.config.verify.clone();
        check(&rules)?;
        let aliases = settings.aliases();
        for pattern in rules.iter_mut().flat_map(|rule| &mut rule.images) {
            if !pattern.contains('*')
                && let Ok(image) = pattern.parse::<Reference>()
            {
                *pattern = format!("{}/{}", image.registry(), image.repository());
            }
            if let Some((registry, rest)) = pattern.split_once('/')
                && !registry.contains('*')
            {
                *pattern = format!("{}/{rest}", aliases.registry(registry));
            }
        }
        Ok(Self {
            rules,
            aliases,
            store,
        })
    }

    /// Returns whether an image is exempt from the minimum age, because it is verified.
    pub fn exempts_from_age(&self, image: &Reference) -> bool {
        self.rules_for(image).any(|rule| rule.exempt_from_min_age)
    }

    /// Returns whether an image has to be verified.
    pub fn has_rules_for(&self, image: &Reference) -> bool {
        self.rules_for(image).next().is_some()
    }

    /// Runs the programs of all rules for `named` with `image`, which is `named` or its mirror, by digest. An acceptance is stored by the
    /// digest.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where a program refuses it, cannot be started, or takes too long.
    pub async fn verify(&self, named: &Reference, image: &Reference) -> Result<(), Refusal> {
        for rule in self.rules_for(named) {
            let call = called(&rule.command, image);
            let answer = Digest::of(&serde_json::to_vec(&call).unwrap_or_default());
            if self.store.is_verified(&answer) {
                continue;
            }
            ask(&call).await.map_err(|why| Refusal {
                image: image.to_string(),
                why,
            })?;
            // If the acceptance cannot be stored, the program is run again next time.
            let _ = self.store.remember_verified(&answer, &image.to_string());
        }
        Ok(())
    }

    /// Returns the rules for an image. Every name of its registry counts, so that another name does not bypass a rule.
    fn rules_for(&self, image: &Reference) -> impl Iterator<Item = &VerifySettings> {
        let registries = match self.rules.as_slice() {
            [] => BTreeSet::new(),
            _ => self.aliases.names_of(image.registry()),
        };
        let names = registries.iter();
        let names: Vec<String> = names
            .map(|registry| format!("{registry}/{}", image.repository()))
            .collect();
        self.rules.iter().filter(move |rule| {
            let mut patterns = rule.images.iter();
            patterns.any(|pattern| names.iter().any(|name| matches(pattern, name)))
        })
    }
}

/// Refuses rules that would verify nothing.
///
/// # Errors
///
/// [`Kind::Invalid`] for a rule that names no image, has a pattern that no image matches, or whose program does not get the image as an
/// argument.
pub fn check(rules: &[VerifySettings]) -> Result<()> {
    for (rule, place) in rules.iter().zip(1..) {
        let mut arguments = rule.command.iter().skip(1);
        let why = if rule.images.is_empty() {
            "it names no images".to_owned()
        } else if rule.command.is_empty() {
            "it has no command".to_owned()
        } else if !arguments.any(|it| it.contains(PLACEHOLDER)) {
            "no argument of its command holds `{image}`".to_owned()
        } else if let Some(why) = rule.images.iter().find_map(|it| never_matches(it)) {
            why
        } else {
            continue;
        };
        return Err(Error::invalid(format!("cannot use rule {place} of `verify` in the config file: {why}"))
            .hint("as in: verify: [{images: ['docker.io/library/*'], command: [cosign, verify, --key, k.pub, '{image}']}]"));
    }
    Ok(())
}

/// Returns why no image matches a pattern, if none does.
fn never_matches(pattern: &str) -> Option<String> {
    let quoted = pattern.escape_debug();
    let name = pattern.split_once('/').map_or(pattern, |(_, name)| name);
    if pattern.contains("://") {
        return Some(format!("`{quoted}` has a scheme, and images have none"));
    }
    if pattern.contains('@') || (name.contains(':') && pattern.contains('/')) {
        let repository = name.split([':', '@']).next().unwrap_or_default();
        let registry = pattern.strip_suffix(name).unwrap_or_default();
        return Some(format!(
            "`{quoted}` has a tag or a digest, and rules are for repositories: `{registry}{repository}`"
        ));
    }
    if pattern.contains('*') {
        return None;
    }
    match pattern.parse::<Reference>() {
        Err(problem) => Some(format!("`{quoted}` is no image: {problem}")),
        Ok(image) if !pattern.contains('/') => Some(format!(
            "`{quoted}` has no registry: write `{}/{}` for that image, or `{quoted}/*` for a registry",
            image.registry(),
            image.repository()
        )),
        Ok(_) => None,
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(Kind::Failed, refusal.to_string()).hint(
            "it is asked again at the next look; `verify` in the config file names the program",
        )
    }
}

fn called(command: &[String], image: &Reference) -> Vec<String> {
    let image = image.to_string();
    let arguments = command.iter();
    arguments
        .map(|it| it.replace(PLACEHOLDER, &image))
        .collect()
}

async fn ask(call: &[String]) -> Result<(), String> {
    let (program, arguments) = call.split_first().ok_or("it has no command")?;
    let line = CommandLine::new(program).args(arguments);
    let allowed = Limits {
        timeout: Some(PATIENCE),
        grace: Duration::from_secs(1),
    };
    let mut printed = Vec::new();
    let ended = process::run(&line, &allowed, &Stop::never(), &mut |bytes| {
        printed.extend_from_slice(bytes);
        let too_many = printed.len().saturating_sub(MAX_PRINTED);
        printed.drain(..too_many);
    })
    .await;
    let ended = ended.map_err(|error| error.one_line())?;
    let said = process::last_line(&printed).map_or(String::new(), |line| format!(": {line}"));
    match ended {
        Ended::Exited(0) => Ok(()),
        Ended::Exited(code) => Err(format!("`{program}` ended with {code}{said}")),
        Ended::Killed(signal) => Err(format!("`{program}` was killed by signal {signal}{said}")),
        Ended::TimedOut | Ended::Stopped(_) => Err(format!(
            "`{program}` took longer than {} seconds",
            PATIENCE.as_secs()
        )),
    }
}

/// Matches a name against a pattern in which `*` matches any characters, slashes too.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(last) = parts.next_back() else {
        return name == pattern;
    };
    let between = name.strip_prefix(first);
    let between = between.and_then(|rest| rest.strip_suffix(last));
    between
        .and_then(|rest| parts.try_fold(rest, |rest, part| Some(rest.split_once(part)?.1)))
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_pattern_matches_registries_and_repositories() {
        for (pattern, name, is_match) in [
            ("docker.io/library/*", "docker.io/library/node", true),
            ("docker.io/library/*", "docker.io/me/node", false),
            ("r.lan:5000/*", "r.lan:5000/a/b", true),
            ("*", "anything/at/all", true),
            ("*/node", "docker.io/library/node", true),
            ("r.lan/*/base-*", "r.lan/team/base-go", true),
            ("r.lan/*/base-*", "r.lan/team/app", false),
            ("r.lan/app", "r.lan/app", true),
            ("r.lan/app", "r.lan/app2", false),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} {name}");
        }
    }

    fn verifier(config: &str) -> Result<Verifier> {
        let mut settings = Settings::default();
        settings.config = serde_yaml::from_str(config).unwrap();
        Verifier::new(&settings, Store::at(std::path::Path::new("/nowhere")))
    }

    #[test]
    fn invalid_verify_rule_is_refused_with_its_position() {
        for (rule, why) in [
            ("{command: [a, '{image}']}", "names no images"),
            ("{images: ['*']}", "no command"),
            ("{images: ['*'], command: ['{image}']}", "holds `{image}`"),
            ("{images: [''], command: [a, '{image}']}", "is no image"),
            (
                "{images: ['node'], command: [a, '{image}']}",
                "write `docker.io/library/node` for that image",
            ),
            (
                "{images: ['r.lan:5000'], command: [a, '{image}']}",
                "or `r.lan:5000/*` for a registry",
            ),
            (
                "{images: ['*', 'docker.io/library/node:20'], command: [a, '{image}']}",
                "rules are for repositories: `docker.io/library/node`",
            ),
            (
                "{images: ['r.lan:5000/*:1'], command: [a, '{image}']}",
                "rules are for repositories: `r.lan:5000/*`",
            ),
            (
                "{images: ['https://r.lan/*'], command: [a, '{image}']}",
                "has a scheme",
            ),
            (
                "{images: ['r.lan/App'], command: [a, '{image}']}",
                "is no image",
            ),
        ] {
            let error = verifier(&format!("verify: [{rule}]")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(error.kind(), Kind::Invalid);
        }
    }

    #[test]
    fn verify_rule_is_for_every_name_of_a_registry() {
        let registries = "registries: {hub: {loginServer: 'r.lan:5000', aliases: [pull.lan]}}\n";
        for (pattern, image, is_for) in [
            ("localhost:6200/*", "127.0.0.1:6200/base:1", true),
            ("127.0.0.1:6200/*", "localhost:6200/base:1", true),
            ("127.*/base", "localhost:6200/base:1", true),
            ("localhost:6200/*", "127.0.0.1:6201/base:1", false),
            ("R.lan:5000/*", "pull.lan/base:1", true),
            ("pull.lan/*", "r.lan:5000/base:1", true),
            ("*.lan/*", "r.lan:5000/base:1", true),
            ("index.docker.io/library/*", "node", true),
            ("docker.io/node", "node:20", true),
            ("docker.io/node", "me/node", false),
            ("other.lan/*", "pull.lan/base:1", false),
        ] {
            let rule = format!("{{images: ['{pattern}'], command: [a, '{{image}}']}}");
            let verifier = verifier(&format!("{registries}verify: [{rule}]")).unwrap();
            let image = image.parse().unwrap();
            assert_eq!(verifier.has_rules_for(&image), is_for, "{pattern} {image}");
        }
    }

    #[tokio::test]
    async fn verify_command_gets_the_image_and_its_refusal_is_reported() {
        let verifier = verifier(
            "verify: [{images: ['r.lan/*'], command: [sh, -c, 'echo no \"$1\" >&2; exit 3', x, '{image}']}]",
        )
        .unwrap();
        let image: Reference = "r.lan/base:1".parse().unwrap();
        let at = image.at(Digest::of(b"x"));
        let refusal = verifier.verify(&image, &at).await.unwrap_err();
        assert_eq!(refusal.why, format!("`sh` ended with 3: no {at}"));
        let other: Reference = "other.lan/base:1".parse().unwrap();
        assert_eq!(verifier.verify(&other, &other).await, Ok(()));
    }
}
