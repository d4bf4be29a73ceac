//! Values of keys, as the keys of a task file want them.

use crate::secret::MaskedText;

use super::{problem::InvalidTaskFile, yaml::YamlNode};

/// Returns a problem with a key, at its line; at that of its step, if the key is not there.
pub fn blame(node: &YamlNode<'_>, key: &str, text: impl Into<String>) -> InvalidTaskFile {
    match node.get(key) {
        Some(at) => at.problem(text),
        None => node.problem(text),
    }
}

/// How many bytes a name or a path may have: it is kept for each step that takes it over.
const LONGEST_NAME: usize = 4096;

/// Reads a text; one of nothing but white space is as good as none.
pub fn value<'a>(
    node: &YamlNode<'a>,
    key: &str,
) -> Result<Option<&'a MaskedText>, InvalidTaskFile> {
    let text = node.get(key).map(|node| node.text()).transpose()?.flatten();
    Ok(text.filter(|text| !text.reveal().trim().is_empty()))
}

/// Reads a name or a path; one of nothing but white space is as good as none.
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

/// Returns the items of a list; none, if it is not there.
pub fn items<'a>(node: &YamlNode<'a>, key: &str) -> Result<Vec<YamlNode<'a>>, InvalidTaskFile> {
    node.get(key).map_or(Ok(Vec::new()), |list| list.items())
}

/// Reads a list of texts.
pub fn list(node: &YamlNode<'_>, key: &str) -> Result<Vec<String>, InvalidTaskFile> {
    let items = items(node, key)?;
    let texts = items
        .iter()
        .map(|item| Ok(item.text()?.map_or("", MaskedText::reveal).to_owned()));
    texts.collect()
}

/// Reads a switch, which is off if it is not there.
pub fn switch(node: &YamlNode<'_>, key: &str) -> Result<bool, InvalidTaskFile> {
    node.get(key).map_or(Ok(false), |node| node.switch())
}

/// Reads seconds; a negative number is as good as none.
pub fn seconds(node: &YamlNode<'_>, key: &str) -> Result<Option<u32>, InvalidTaskFile> {
    let whole = node.get(key).map(|node| node.whole()).transpose()?;
    Ok(whole.map(|whole| u32::try_from(whole.max(0)).unwrap_or(u32::MAX)))
}

/// Reads a number that cannot be negative; 0 if it is not there.
pub fn count(node: &YamlNode<'_>, key: &str) -> Result<u32, InvalidTaskFile> {
    let Some(at) = node.get(key) else {
        return Ok(0);
    };
    u32::try_from(at.whole()?).map_err(|_| at.problem(format!("`{key}` must be 0 or more")))
}
