//! `acr purge …` as it is written in a task: acr-cli's own options.

use super::{
    age::{self, Age},
    filter::Filters,
};

/// What a purge is asked for.
#[derive(Clone, Debug)]
pub struct PurgeOptions {
    /// The registry, as it is written.
    pub registry: Option<String>,
    /// Which tags may go.
    pub filters: Filters,
    /// How old they must be.
    pub ago: Age,
    /// Whether manifests that no tag names any more go too.
    pub untagged: bool,
    /// How many of the newest tags that could go are kept in each repository.
    pub keep: usize,
    /// How much is asked and removed at once, as it is written.
    pub concurrency: Option<i64>,
    /// Whether it is only said what would go.
    pub dry_run: bool,
}

/// Why words are no `acr purge`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidCommand(String);

/// Options that take a value, with their short names. Those of logins, pages and locks mean nothing here and are taken.
const VALUES: [(&str, Option<char>); 10] = [
    ("ago", None),
    ("concurrency", None),
    ("config", Some('c')),
    ("filter", Some('f')),
    ("filter-timeout-seconds", None),
    ("keep", None),
    ("password", Some('p')),
    ("registry", Some('r')),
    ("repository-page-size", None),
    ("username", Some('u')),
];

/// Options that are there or not.
const SWITCHES: [&str; 3] = ["dry-run", "include-locked", "untagged"];

/// Reads the words behind `acr purge`.
///
/// # Errors
///
/// [`InvalidCommand`] where one is not of acr-cli, or one is missing that it wants.
pub fn parse(words: &[String]) -> Result<PurgeOptions, InvalidCommand> {
    let mut values: Vec<(&str, String)> = Vec::new();
    let mut switches: Vec<&str> = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let unknown = || InvalidCommand(format!("unknown option of `acr purge`: `{word}`"));
        let (name, value) = parted(word).ok_or_else(unknown)?;
        if let Some(switch) = SWITCHES.iter().find(|switch| **switch == name) {
            match value.as_deref() {
                None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => switches.push(switch),
                Some("false" | "0" | "f" | "F" | "FALSE" | "False") => {}
                Some(_) => return Err(unknown()),
            }
            continue;
        }
        let (name, _) = VALUES
            .iter()
            .find(|(long, _)| *long == name)
            .ok_or_else(unknown)?;
        let value = match value {
            Some(value) => value,
            None => words.next().map(str::to_owned).ok_or_else(|| {
                InvalidCommand(format!("option `--{name}` of `acr purge` needs a value"))
            })?,
        };
        values.push((name, value));
    }
    let last = |name: &str| {
        let found = values.iter().rev().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    };
    let number = |name: &str| {
        last(name)
            .map(|text| text.parse::<i64>())
            .transpose()
            .map_err(|_| InvalidCommand(format!("`--{name}` of `acr purge` wants a number")))
    };
    let filters: Vec<String> = values
        .iter()
        .filter(|(name, _)| *name == "filter")
        .map(|(_, value)| value.clone())
        .collect();
    let (Some(ago), false) = (last("ago"), filters.is_empty()) else {
        return Err(InvalidCommand(
            "`acr purge` needs `--filter` and `--ago`".into(),
        ));
    };
    let invalid = |problem: &dyn std::fmt::Display| InvalidCommand(problem.to_string());
    Ok(PurgeOptions {
        registry: last("registry").map(str::to_owned),
        filters: Filters::new(&filters).map_err(|problem| invalid(&problem))?,
        ago: age::parse(ago).map_err(|problem| invalid(&problem))?,
        untagged: switches.contains(&"untagged"),
        keep: usize::try_from(number("keep")?.unwrap_or(0)).unwrap_or(0),
        concurrency: number("concurrency")?,
        dry_run: switches.contains(&"dry-run"),
    })
}

/// Returns the long name of an option, and its value where that is in the same word.
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

    fn words(line: &str) -> Result<PurgeOptions, InvalidCommand> {
        parse(&shell_words::split(line).unwrap())
    }

    #[test]
    fn every_spelling_of_acr_cli_is_read() {
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
    fn what_is_not_of_acr_cli_or_is_missing_is_said() {
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
}
