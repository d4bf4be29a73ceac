//! Values of keys, as the keys of a task file want them.

use super::{problem::InvalidTaskFile, yaml::Node};

/// Returns a problem with a key, at its line; at that of its step, if the key is not there.
pub fn blame(node: &Node<'_>, key: &str, text: impl Into<String>) -> InvalidTaskFile {
    match node.get(key) {
        Some(at) => at.problem(text),
        None => node.problem(text),
    }
}

/// Reads a text; one of nothing but white space is as good as none.
pub fn text(node: &Node<'_>, key: &str) -> Result<Option<String>, InvalidTaskFile> {
    let text = node.get(key).map(|node| node.text()).transpose()?.flatten();
    Ok(text.filter(|text| !text.trim().is_empty()))
}

/// Reads a list of texts.
pub fn list(node: &Node<'_>, key: &str) -> Result<Vec<String>, InvalidTaskFile> {
    let items = node
        .get(key)
        .map(|node| node.items())
        .transpose()?
        .unwrap_or_default();
    let texts = items
        .iter()
        .map(|item| Ok(item.text()?.unwrap_or_default()));
    texts.collect()
}

/// Reads a switch, which is off if it is not there.
pub fn switch(node: &Node<'_>, key: &str) -> Result<bool, InvalidTaskFile> {
    node.get(key).map_or(Ok(false), |node| node.switch())
}

/// Reads seconds; a negative number is as good as none.
pub fn seconds(node: &Node<'_>, key: &str) -> Result<Option<u32>, InvalidTaskFile> {
    let whole = node.get(key).map(|node| node.whole()).transpose()?;
    Ok(whole.map(|whole| u32::try_from(whole.max(0)).unwrap_or(u32::MAX)))
}

/// Reads a number that cannot be negative; 0 if it is not there.
pub fn count(node: &Node<'_>, key: &str) -> Result<u32, InvalidTaskFile> {
    let Some(at) = node.get(key) else {
        return Ok(0);
    };
    u32::try_from(at.whole()?).map_err(|_| at.problem(format!("`{key}` must be 0 or more")))
}
