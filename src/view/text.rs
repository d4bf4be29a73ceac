//! JSON as people read it.

use serde_json::Value;

/// Draws JSON with two blanks of indent and sorted keys, with keys and values in colour if asked for.
pub(super) fn json(value: &Value, colour: bool) -> Result<String, serde_json::Error> {
    if colour {
        let mut out = String::new();
        coloured(value, 0, &mut out)?;
        out.push('\n');
        return Ok(out);
    }
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(text)
}

const KEY: &str = "\u{1b}[94m";
const TEXT: &str = "\u{1b}[33m";
const OTHER: &str = "\u{1b}[36m";
const END: &str = "\u{1b}[0m";

fn coloured(value: &Value, depth: usize, out: &mut String) -> Result<(), serde_json::Error> {
    let indent = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('{');
            for (n, (key, value)) in fields.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                indent(out, depth + 1);
                let key = serde_json::to_string(key)?;
                out.push_str(&format!("{KEY}{key}{END}: "));
                coloured(value, depth + 1, out)?;
            }
            indent(out, depth);
            out.push('}');
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                indent(out, depth + 1);
                coloured(item, depth + 1, out)?;
            }
            indent(out, depth);
            out.push(']');
        }
        Value::String(_) => {
            let text = serde_json::to_string(value)?;
            out.push_str(&format!("{TEXT}{text}{END}"));
        }
        other => out.push_str(&format!("{OTHER}{other}{END}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn coloured_json_is_the_same_json_without_its_colours() {
        let value = json!({"b": [1, "x", {}], "a": null});
        let mut text = json(&value, true).unwrap();
        for colour in [KEY, TEXT, OTHER, END] {
            text = text.replace(colour, "");
        }
        assert_eq!(text, json(&value, false).unwrap());
    }
}
