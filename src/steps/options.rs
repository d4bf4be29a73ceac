//! Words that are options of docker's command line: long ones, and groups of short ones, with their values.

use crate::secret::MaskedText;

/// An option: its name, its letter or a blank, whether it takes a value, and what becomes of it.
pub(super) type OptionRow<U> = (&'static str, char, bool, U);

#[derive(Debug)]
pub(super) enum InvalidOption {
    Unknown(String),
    /// What was written has no value: an option of this name.
    NoValue(String, &'static str),
    /// It is known, and cannot be used.
    Refused(String),
}

/// Reads one word of options, as `--name=value`, `--name` before its value, `-t x`, `-tx`, `-t=x` and `-qt x`: `next` gives the words behind
/// it. Each option is handed to `take` as it is read.
pub(super) fn read<U: Copy>(
    table: &'static [OptionRow<U>],
    word: &MaskedText,
    mut next: impl FnMut() -> Option<MaskedText>,
    mut take: impl FnMut(&str, Option<MaskedText>, U) -> Result<(), String>,
) -> Result<(), InvalidOption> {
    let mut take =
        |name: &str, value, usage| take(name, value, usage).map_err(InvalidOption::Refused);
    if word.reveal().starts_with("--") {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word.clone(), None),
        };
        let is_meant = |row: &&OptionRow<U>| name.reveal().strip_prefix("--") == Some(row.0);
        let found = table.iter().find(is_meant);
        let found = found.ok_or_else(|| InvalidOption::Unknown(name.to_string()))?;
        let (name, _, takes_value, usage) = *found;
        let value = match (takes_value, value) {
            (true, None) => {
                let missing = || InvalidOption::NoValue(word.to_string(), name);
                Some(next().ok_or_else(missing)?)
            }
            (_, value) => value,
        };
        return take(name, value, usage);
    }
    let mut at = 1;
    while let Some(letter) = word.reveal()[at..].chars().next() {
        at += letter.len_utf8();
        let option = format!("-{letter}");
        let is_meant = |row: &&OptionRow<U>| row.1 == letter && letter != ' ';
        let found = table.iter().find(is_meant);
        let found = found.ok_or_else(|| InvalidOption::Unknown(option.clone()))?;
        let (name, _, takes_value, usage) = *found;
        if !takes_value {
            take(name, None, usage)?;
            continue;
        }
        let rest = &word.reveal()[at..];
        let value = match rest.strip_prefix('=') {
            None if rest.is_empty() => next().ok_or(InvalidOption::NoValue(option, name))?,
            None => word.skip(at),
            Some(_) => word.skip(at + 1),
        };
        return take(name, Some(value), usage);
    }
    Ok(())
}
