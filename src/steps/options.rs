//! Parser for options of docker's command line: long ones, and groups of short ones, with their values.

use crate::secret::MaskedText;

/// A treatment and the options that it applies to: their names, with `/x` for a short name, and `=` where a value
/// follows.
pub(super) type OptionGroup = (OptionUse, &'static str);

#[derive(Clone, Copy)]
pub(super) enum OptionUse {
    /// The option is a property of the step.
    Ours,
    /// The option is passed to the builder.
    Handed,
    /// The option has no effect here and is dropped.
    Dropped,
    /// The option is refused, for this reason.
    Refused(&'static str),
}

/// One option of the table.
struct KnownOption {
    name: &'static str,
    letter: Option<char>,
    takes_value: bool,
    usage: OptionUse,
}

impl KnownOption {
    fn of(usage: OptionUse, written: &'static str) -> Self {
        let bare = written.strip_suffix('=');
        let (name, letter) = match bare.unwrap_or(written).split_once('/') {
            Some((name, letter)) => (name, letter.chars().next()),
            None => (bare.unwrap_or(written), None),
        };
        Self {
            name,
            letter,
            takes_value: bare.is_some(),
            usage,
        }
    }
}

fn find(table: &[OptionGroup], is_meant: impl Fn(&KnownOption) -> bool) -> Option<KnownOption> {
    let all = table.iter().flat_map(|(usage, names)| {
        let names = names.split(' ');
        names.map(|written| KnownOption::of(*usage, written))
    });
    all.into_iter().find(is_meant)
}

#[derive(Debug)]
pub(super) enum InvalidOption {
    Unknown(String),
    /// An option of this name that lacks its value.
    NoValue(String, &'static str),
    /// An option of this name that is refused, and why.
    Refused(&'static str, &'static str),
    /// What is wrong with the value of an option.
    Wrong(String),
}

/// Parses one word of options: `--name=value`, `--name` before its value, `-t x`, `-tx`, `-t=x` and `-qt x`. `next` returns the words behind
/// it; `take` receives each option as it is parsed, and whether it is passed to the builder.
pub(super) fn read(
    table: &[OptionGroup],
    word: &MaskedText,
    mut next: impl FnMut() -> Option<MaskedText>,
    mut take: impl FnMut(&str, Option<MaskedText>, bool) -> Result<(), String>,
) -> Result<(), InvalidOption> {
    let mut take = |name, value, usage| match usage {
        OptionUse::Ours => take(name, value, false).map_err(InvalidOption::Wrong),
        OptionUse::Handed => take(name, value, true).map_err(InvalidOption::Wrong),
        OptionUse::Dropped => Ok(()),
        OptionUse::Refused(why) => Err(InvalidOption::Refused(name, why)),
    };
    if word.reveal().starts_with("--") {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.clone(), None),
        };
        let option = find(table, |known| {
            name.reveal().strip_prefix("--") == Some(known.name)
        })
        .ok_or_else(|| InvalidOption::Unknown(name.to_string()))?;
        let value = match (option.takes_value, value) {
            (true, None) => {
                Some(next().ok_or_else(|| InvalidOption::NoValue(word.to_string(), option.name))?)
            }
            (_, value) => value,
        };
        return take(option.name, value, option.usage);
    }
    let mut at = 1;
    while let Some(letter) = word.reveal()[at..].chars().next() {
        at += letter.len_utf8();
        let written = format!("-{letter}");
        let option = find(table, |known| known.letter == Some(letter))
            .ok_or_else(|| InvalidOption::Unknown(written.clone()))?;
        if !option.takes_value {
            take(option.name, None, option.usage)?;
            continue;
        }
        let rest = &word.reveal()[at..];
        let value = match rest.strip_prefix('=') {
            None if rest.is_empty() => {
                next().ok_or(InvalidOption::NoValue(written, option.name))?
            }
            None => word.skip(at),
            Some(_) => word.skip(at + 1),
        };
        return take(option.name, Some(value), option.usage);
    }
    Ok(())
}
