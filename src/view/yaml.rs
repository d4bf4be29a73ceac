//! YAML.

use serde_json::Value;

/// Draws YAML, with the keys in colour if asked for.
pub(super) fn draw(value: &Value, colour: bool) -> Result<String, serde_yaml::Error> {
    let text = serde_yaml::to_string(value)?;
    if !colour {
        return Ok(text);
    }
    let coloured = text.lines().map(|line| match line.split_once(':') {
        Some((key, rest)) => format!("\u{1b}[94m{key}\u{1b}[0m:{rest}\n"),
        None => format!("{line}\n"),
    });
    Ok(coloured.collect())
}
