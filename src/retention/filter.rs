//! `--filter REPOSITORY:TAG`: two regular expressions, as in acr-cli.

use fancy_regex::Regex;

/// Filters that select repositories, and tags of each.
#[derive(Clone, Debug)]
pub struct Filters(Vec<Filter>);

#[derive(Clone, Debug)]
struct Filter {
    /// The repository's expression, as written.
    written: String,
    repository: Regex,
    tag: Regex,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter `{}`: {problem}", .text.escape_debug())]
pub struct InvalidFilter {
    text: String,
    problem: String,
}

/// An expression that takes too long to match a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the expression of a filter takes too long on `{0}`")]
pub struct TooComplex(String);

impl Filters {
    /// Parses filters.
    pub fn new(texts: &[String]) -> Result<Self, InvalidFilter> {
        let filters = texts.iter().map(|text| {
            Filter::new(text).map_err(|problem| InvalidFilter {
                text: text.clone(),
                problem,
            })
        });
        Ok(Self(filters.collect::<Result<_, _>>()?))
    }

    /// Parses filters that may be omitted, which selects all repositories.
    pub fn of(texts: &[String], may_be_left_out: bool) -> Result<Self, InvalidFilter> {
        if may_be_left_out && texts.is_empty() {
            Self::new(&[".*:.*".to_owned()])
        } else {
            Self::new(texts)
        }
    }

    /// Tells whether a filter selects a repository. The expression must match the whole name.
    pub fn takes_repository(&self, name: &str) -> Result<bool, TooComplex> {
        self.any(name, |filter| is_match(&filter.repository, name))
    }

    /// Tells whether a filter selects a tag of a repository. The expression may match anywhere in the tag.
    pub fn takes(&self, repository: &str, tag: &str) -> Result<bool, TooComplex> {
        self.any(tag, |filter| {
            Ok(is_match(&filter.repository, repository)? && is_match(&filter.tag, tag)?)
        })
    }

    /// Returns the repository names that are plain text rather than expressions.
    pub fn plain_repositories(&self) -> impl Iterator<Item = &str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_');
        let written = self.0.iter().map(|filter| filter.written.as_str());
        written.filter(move |written| written.chars().all(plain))
    }

    /// Tells whether a filter selects repositories by an expression.
    pub fn has_expressions(&self) -> bool {
        self.plain_repositories().count() < self.0.len()
    }

    fn any(
        &self,
        name: &str,
        takes: impl Fn(&Filter) -> Result<bool, Box<fancy_regex::Error>>,
    ) -> Result<bool, TooComplex> {
        for filter in &self.0 {
            if takes(filter).map_err(|_| TooComplex(name.to_owned()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_match(regex: &Regex, text: &str) -> Result<bool, Box<fancy_regex::Error>> {
    regex.is_match(text).map_err(Box::new)
}

impl Filter {
    fn new(text: &str) -> Result<Self, String> {
        let (repository, tag) = parted(text).ok_or("it is not of the form REPOSITORY:TAG")?;
        if repository.is_empty() {
            return Err("missing repository name/expression".into());
        }
        if tag.is_empty() {
            return Err("missing tag name/expression".into());
        }
        let regex = |text: &str| {
            Regex::new(text).map_err(|problem| format!("`{text}` is no expression: {problem}"))
        };
        Ok(Self {
            repository: regex(&format!("^(?:{repository})$"))?,
            tag: regex(tag)?,
            written: repository.to_owned(),
        })
    }
}

/// Splits a filter at its only colon outside of groups, such as `(?:…)`, and of classes, such as `[[:alnum:]]`.
fn parted(text: &str) -> Option<(&str, &str)> {
    let mut colon = None;
    let (mut depth, mut escaped) = (0_usize, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' => escaped = true,
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            ':' if depth > 0 || opens_group(&text[..at]) => {}
            ':' if colon.is_some() => return None,
            ':' => colon = Some(at),
            _ => {}
        }
    }
    colon.map(|at| (&text[..at], &text[at + 1..]))
}

/// Tells whether a text ends with the start of a group with flags: `(?`, `(?i`, `(?s-i`.
fn opens_group(text: &str) -> bool {
    let flags = |c: char| matches!(c, 'i' | 'm' | 's' | 'U' | '-');
    text.trim_end_matches(flags).ends_with("(?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(texts: &[&str]) -> Filters {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Filters::new(&texts).unwrap()
    }

    #[test]
    fn purge_filter_matches_a_repository_whole_and_a_tag_anywhere() {
        let some = filters(&["hello-world:^v1", "team/.*:test"]);
        assert_eq!(some.takes_repository("hello-world"), Ok(true));
        assert_eq!(some.takes_repository("hello-world2"), Ok(false));
        assert_eq!(some.takes_repository("team/a/b"), Ok(true));
        for (repository, tag, expected) in [
            ("hello-world", "v1.2", true),
            ("hello-world", "av1", false),
            ("hello-world", "test", false),
            ("team/a", "my-test-1", true),
            ("other", "v1", false),
        ] {
            assert_eq!(
                some.takes(repository, tag),
                Ok(expected),
                "{repository}:{tag}"
            );
        }
        let plain: Vec<&str> = some.plain_repositories().collect();
        assert_eq!(plain, ["hello-world"]);
        assert_eq!(filters(&["a|b:x"]).takes_repository("ab"), Ok(false));
    }

    #[test]
    fn purge_filter_may_use_lookahead_as_in_acr_cli() {
        let all_but = filters(&["web:^(?!latest$|v\\d+).*"]);
        assert_eq!(all_but.takes("web", "latest"), Ok(false));
        assert_eq!(all_but.takes("web", "v12"), Ok(false));
        assert_eq!(all_but.takes("web", "latest-1"), Ok(true));
    }

    #[test]
    fn purge_filter_is_split_only_at_the_colon_between_repository_and_tag() {
        assert_eq!(parted("a:b"), Some(("a", "b")));
        assert_eq!(parted("(?:a|b):(?i:c)"), Some(("(?:a|b)", "(?i:c)")));
        assert_eq!(parted("a:[[:alnum:]]+"), Some(("a", "[[:alnum:]]+")));
        for text in ["a", "a:b:c", "", "(?:a)"] {
            assert_eq!(parted(text), None, "{text}");
        }
        let problem = |text: &str| Filters::new(&[text.to_owned()]).unwrap_err().to_string();
        assert_eq!(
            problem(":x"),
            "filter `:x`: missing repository name/expression"
        );
        assert_eq!(problem("x:"), "filter `x:`: missing tag name/expression");
        assert!(problem("x:(").contains("is no expression"));
    }

    #[test]
    fn purge_filter_that_backtracks_endlessly_is_an_error_and_matches_nothing() {
        let evil = filters(&["a:^(?=(a+)+$)(a|a)*\\1b$"]);
        let tag = "a".repeat(60);
        assert_eq!(evil.takes("a", &tag), Err(TooComplex(tag.clone())));
    }
}
