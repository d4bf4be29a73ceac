//! Parses `acr …` in a task file: the commands and options of acr-cli.

use super::{
    age::{self, Age},
    filter::Filters,
};

/// A command of acr-cli.
#[derive(Clone, Debug)]
pub enum AcrCommand {
    Purge(PurgeOptions),
    /// `acr tag` and `acr manifest`
    Repository(RepositoryOptions),
    /// `--help`, or no arguments.
    Help,
}

/// The options of a purge.
#[derive(Clone, Debug)]
pub struct PurgeOptions {
    /// The registry, as written.
    pub registry: Option<String>,
    /// The filters that select repositories and tags.
    pub filters: Filters,
    /// The minimum age of tags and manifests.
    pub ago: Age,
    /// Whether untagged manifests are removed too.
    pub untagged: bool,
    /// Whether no tag is removed.
    pub untagged_only: bool,
    /// How many of the newest matching tags are kept in each repository.
    pub keep: usize,
    /// How many requests run at once, as written.
    pub concurrency: Option<i64>,
    /// Whether the purge only reports what it would remove.
    pub dry_run: bool,
}

/// The options of a command on one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryOptions {
    /// The registry, as written.
    pub registry: Option<String>,
    pub repository: String,
    /// Whether the command is about manifests instead of tags.
    pub is_of_manifests: bool,
    /// The tags or manifests to delete; `None` to list all.
    pub delete: Option<Vec<String>>,
}

/// Why the words are no supported command of acr-cli.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCommand(String);

/// The help text.
pub const HELP: &str = "\
acr purge --filter REPOSITORY:TAG --ago AGE [--untagged] [--keep COUNT] [--concurrency COUNT] [--dry-run]
acr purge --untagged-only [--filter REPOSITORY:TAG] [--ago AGE] [--dry-run]
acr tag list --repository NAME
acr tag delete --repository NAME TAG...
acr manifest list --repository NAME
acr manifest delete --repository NAME DIGEST...
Each takes --registry; without, it is the registry of the task.";

/// Options that take a value, with their short names. Those of logins, pages and locks are accepted and ignored.
const VALUES: [(&str, Option<char>); 11] = [
    ("ago", None),
    ("concurrency", None),
    ("config", Some('c')),
    ("filter", Some('f')),
    ("filter-timeout-seconds", None),
    ("keep", None),
    ("password", Some('p')),
    ("registry", Some('r')),
    ("repository", None),
    ("repository-page-size", None),
    ("username", Some('u')),
];

/// Options without a value.
const SWITCHES: [&str; 4] = ["dry-run", "include-locked", "untagged", "untagged-only"];

/// Options that only `acr purge` has.
const OF_PURGE: [&str; 7] = [
    "ago",
    "concurrency",
    "dry-run",
    "filter",
    "keep",
    "untagged",
    "untagged-only",
];

/// The options behind the verb.
#[derive(Default)]
struct CommandOptions<'w> {
    values: Vec<(&'static str, String)>,
    switches: Vec<&'static str>,
    plain: Vec<&'w str>,
}

/// Parses the words behind `acr`.
///
/// # Errors
///
/// [`InvalidCommand`] for a word that acr-cli does not know, or for a missing one.
pub fn parse(words: &[String]) -> Result<AcrCommand, InvalidCommand> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let asks = |word: &&str| matches!(*word, "--help" | "-h");
    if words.first().is_none_or(|word| *word == "help") || words.iter().any(asks) {
        return Ok(AcrCommand::Help);
    }
    match words[..] {
        ["purge", ref rest @ ..] => {
            let options = CommandOptions::read("acr purge", rest)?;
            match options.plain.first() {
                Some(word) => Err(unknown("acr purge", word)),
                None => options.purge().map(AcrCommand::Purge),
            }
        }
        [
            noun @ ("tag" | "manifest"),
            verb @ ("list" | "delete"),
            ref rest @ ..,
        ] => {
            let name = format!("acr {noun} {verb}");
            let options = CommandOptions::read(&name, rest)?;
            let options = options.of_repository(&name, noun == "manifest", verb == "delete")?;
            Ok(AcrCommand::Repository(options))
        }
        _ => Err(InvalidCommand(format!(
            "`acr {}` is not supported: `acr` is acr-cli, of which acrt has `purge`, `tag` and `manifest`",
            words.join(" ")
        ))),
    }
}

fn unknown(name: &str, word: &str) -> InvalidCommand {
    InvalidCommand(format!("unknown option of `{name}`: `{word}`"))
}

impl<'w> CommandOptions<'w> {
    fn read(name: &str, words: &[&'w str]) -> Result<Self, InvalidCommand> {
        let mut found = Self::default();
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                found.plain.push(word);
                continue;
            }
            let unknown = || unknown(name, word);
            let (long, value) = parted(word).ok_or_else(unknown)?;
            if name != "acr purge" && OF_PURGE.contains(&long) {
                return Err(unknown());
            }
            if let Some(switch) = SWITCHES.iter().find(|switch| **switch == long) {
                match value.as_deref() {
                    None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => {
                        found.switches.push(switch);
                    }
                    Some("false" | "0" | "f" | "F" | "FALSE" | "False") => {}
                    Some(_) => return Err(unknown()),
                }
                continue;
            }
            let known = VALUES.iter().find(|(other, _)| *other == long);
            let (long, _) = known.ok_or_else(unknown)?;
            let value = match value {
                Some(value) => value,
                None => words.next().map(str::to_owned).ok_or_else(|| {
                    InvalidCommand(format!("option `--{long}` of `{name}` needs a value"))
                })?,
            };
            found.values.push((long, value));
        }
        Ok(found)
    }

    fn last(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().rev().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Result<Option<i64>, InvalidCommand> {
        let parsed = self.last(name).map(str::parse::<i64>).transpose();
        parsed.map_err(|_| InvalidCommand(format!("`--{name}` of `acr purge` wants a number")))
    }

    fn has(&self, name: &str) -> bool {
        self.switches.contains(&name)
    }

    fn purge(&self) -> Result<PurgeOptions, InvalidCommand> {
        let filters = self.values.iter().filter(|(name, _)| *name == "filter");
        let filters: Vec<String> = filters.map(|(_, value)| value.clone()).collect();
        let untagged_only = self.has("untagged-only");
        if !untagged_only && (filters.is_empty() || self.last("ago").is_none()) {
            return Err(InvalidCommand(
                "`acr purge` needs `--filter` and `--ago`".into(),
            ));
        }
        let keep = usize::try_from(self.number("keep")?.unwrap_or(0)).unwrap_or(0);
        let options = PurgeOptions {
            registry: self.last("registry").map(str::to_owned),
            filters: Filters::of(&filters, untagged_only)
                .map_err(|problem| InvalidCommand(problem.to_string()))?,
            ago: age::parse(self.last("ago").unwrap_or("0d"))
                .map_err(|problem| InvalidCommand(problem.to_string()))?,
            untagged: self.has("untagged") || untagged_only,
            untagged_only,
            keep,
            concurrency: self.number("concurrency")?,
            dry_run: self.has("dry-run"),
        };
        options.checked().map_err(InvalidCommand)
    }

    fn of_repository(
        &self,
        name: &str,
        is_of_manifests: bool,
        deletes: bool,
    ) -> Result<RepositoryOptions, InvalidCommand> {
        let named = |text: &str| Err(InvalidCommand(format!("`{name}` {text}")));
        let Some(repository) = self.last("repository") else {
            return named("needs `--repository`");
        };
        match (deletes, self.plain.first()) {
            (true, None) => return named("does not name what to delete"),
            (false, Some(word)) => return Err(unknown(name, word)),
            _ => {}
        }
        let plain = self.plain.iter().map(|word| (*word).to_owned());
        Ok(RepositoryOptions {
            registry: self.last("registry").map(str::to_owned),
            repository: repository.to_owned(),
            is_of_manifests,
            delete: deletes.then(|| plain.collect()),
        })
    }
}

impl PurgeOptions {
    /// Returns the options, if they do not contradict each other.
    pub fn checked(self) -> Result<Self, String> {
        if self.untagged_only && self.keep > 0 {
            Err("`--keep` counts tags, and `--untagged-only` leaves all of them".into())
        } else {
            Ok(self)
        }
    }
}

/// Splits a word into the long name of an option and its value, if the word has one.
fn parted(word: &str) -> Option<(&str, Option<String>)> {
    if let Some(long) = word.strip_prefix("--") {
        return Some(match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        });
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let short = letters.next()?;
    let (long, _) = VALUES.iter().find(|(_, letter)| *letter == Some(short))?;
    let value = letters.as_str();
    let value = value.strip_prefix('=').unwrap_or(value);
    Some((long, (!value.is_empty()).then(|| value.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Result<AcrCommand, InvalidCommand> {
        parse(&shell_words::split(line).unwrap())
    }

    fn words(line: &str) -> Result<PurgeOptions, InvalidCommand> {
        match command(&format!("purge {line}"))? {
            AcrCommand::Purge(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_spelling_of_acr_cli_options_is_parsed() {
        let all = words(
            "-r example -f 'a:.*' --filter=b:^x --ago 2d --untagged --keep 3 --dry-run=false \
             --include-locked --concurrency=4 -c /x --repository-page-size 50",
        )
        .unwrap();
        assert_eq!(all.registry.as_deref(), Some("example"));
        assert_eq!(all.filters.takes("b", "x1"), Ok(true));
        assert_eq!(all.filters.takes("a", "anything"), Ok(true));
        assert_eq!(all.ago.as_hours(), 48);
        assert!(all.untagged && !all.dry_run);
        assert_eq!((all.keep, all.concurrency), (3, Some(4)));
        assert_eq!(words("-rexample -fa:b --ago=1h").unwrap().keep, 0);
    }

    #[test]
    fn unknown_and_missing_acr_cli_options_are_reported() {
        let problem = |line: &str| words(line).unwrap_err().to_string();
        assert_eq!(
            problem("--filter a:b --ago 1d --force"),
            "unknown option of `acr purge`: `--force`"
        );
        assert_eq!(
            problem("--filter a:b"),
            "`acr purge` needs `--filter` and `--ago`"
        );
        assert_eq!(
            problem("--filter a:b --ago"),
            "option `--ago` of `acr purge` needs a value"
        );
        assert!(problem("--filter a:b --ago soon").contains("`soon` is no age"));
        assert!(problem("--filter a --ago 1d").contains("REPOSITORY:TAG"));
        assert!(problem("x --filter a:b --ago 1d").contains("`x`"));
    }

    #[test]
    fn untagged_only_purge_needs_neither_filter_nor_age() {
        let all = words("--untagged-only").unwrap();
        assert!(all.untagged && all.untagged_only && all.ago.is_zero());
        assert_eq!(all.filters.takes_repository("any/thing"), Ok(true));
        let some = words("--untagged-only --filter 'a:.*' --ago 2d").unwrap();
        assert_eq!(some.filters.takes_repository("b"), Ok(false));
        assert!(words("--untagged-only --keep 3").is_err());
    }

    #[test]
    fn acr_tag_and_manifest_list_and_delete_are_parsed() {
        let options = |line: &str| match command(line).unwrap() {
            AcrCommand::Repository(options) => options,
            other => panic!("{other:?}"),
        };
        let listed = options("tag list -r example --repository web");
        assert_eq!(listed.registry.as_deref(), Some("example"));
        assert_eq!((listed.repository.as_str(), listed.delete), ("web", None));
        let gone = options("manifest delete --repository=web sha256:a sha256:b");
        assert!(gone.is_of_manifests);
        assert_eq!(gone.delete.unwrap(), ["sha256:a", "sha256:b"]);
        for (line, told) in [
            ("tag list", "`acr tag list` needs `--repository`"),
            (
                "tag delete --repository web",
                "does not name what to delete",
            ),
            ("tag list --repository web v1", "`v1`"),
            ("tag list --repository web --untagged", "`--untagged`"),
            ("login example", "`acr login example` is not supported"),
            ("tag rename", "is not supported"),
        ] {
            let problem = command(line).unwrap_err().to_string();
            assert!(problem.contains(told), "{line}: {problem}");
        }
        for line in ["", "help", "purge --help", "tag list -h"] {
            assert!(matches!(command(line), Ok(AcrCommand::Help)), "{line}");
        }
    }
}
