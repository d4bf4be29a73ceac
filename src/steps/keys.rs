//! Readers for the values of a task file's keys.

use crate::secret::MaskedText;

use super::{problem::InvalidTaskFile, yaml::YamlNode};

/// Returns an error about a key, with its line or, if the key is missing, with that of its step.
pub fn blame(node: &YamlNode<'_>, key: &str, text: impl Into<String>) -> InvalidTaskFile {
    match node.get(key) {
        Some(at) => at.problem(text),
        None => node.problem(text),
    }
}

/// How many bytes a name or a path may have: each step that inherits it keeps a copy.
const LONGEST_NAME: usize = 4096;

/// Reads a text; blank is the same as missing.
pub fn value<'a>(
    node: &YamlNode<'a>,
    key: &str,
) -> Result<Option<&'a MaskedText>, InvalidTaskFile> {
    let text = node.get(key).map(|node| node.text()).transpose()?.flatten();
    Ok(text.filter(|text| !text.reveal().trim().is_empty()))
}

/// Reads a name or a path; blank is the same as missing.
pub fn text(node: &YamlNode<'_>, key: &str) -> Result<Option<String>, InvalidTaskFile> {
    let text = value(node, key)?.map(|text| text.reveal().to_owned());
    if text.as_ref().is_some_and(|text| text.len() > LONGEST_NAME) {
        Err(blame(
            node,
            key,
            format!("`{key}` is longer than {LONGEST_NAME} bytes"),
        ))
    } else {
        Ok(text)
    }
}

/// Returns the items of a list; a missing list has none.
pub fn items<'a>(node: &YamlNode<'a>, key: &str) -> Result<Vec<YamlNode<'a>>, InvalidTaskFile> {
    node.get(key).map_or(Ok(Vec::new()), |list| list.items())
}

/// Returns the entries of a mapping; a missing one has none.
pub fn entries<'a>(
    node: &YamlNode<'a>,
    key: &str,
) -> Result<Vec<(&'a str, YamlNode<'a>)>, InvalidTaskFile> {
    node.get(key).map_or(Ok(Vec::new()), |map| map.entries())
}

/// Reads a list of texts.
pub fn list(node: &YamlNode<'_>, key: &str) -> Result<Vec<String>, InvalidTaskFile> {
    let items = items(node, key)?;
    let texts = items
        .iter()
        .map(|item| Ok(item.text()?.map_or("", MaskedText::reveal).to_owned()));
    texts.collect()
}

/// Reads a boolean; a missing one is false.
pub fn switch(node: &YamlNode<'_>, key: &str) -> Result<bool, InvalidTaskFile> {
    node.get(key).map_or(Ok(false), |node| node.switch())
}

/// Reads a number of seconds; `default` where it is missing or not positive.
pub fn seconds_or(node: &YamlNode<'_>, key: &str, default: u32) -> Result<u32, InvalidTaskFile> {
    let whole = node.get(key).map(|node| node.whole()).transpose()?;
    let positive = whole.filter(|whole| *whole > 0);
    Ok(positive.map_or(default, |it| u32::try_from(it).unwrap_or(u32::MAX)))
}

/// Reads a number that must not be negative; a missing one is 0.
pub fn count(node: &YamlNode<'_>, key: &str) -> Result<u32, InvalidTaskFile> {
    let Some(at) = node.get(key) else {
        return Ok(0);
    };
    u32::try_from(at.whole()?).map_err(|_| at.problem(format!("`{key}` must be 0 or more")))
}
