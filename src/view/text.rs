//! JSON for people.

use serde_json::Value;

/// Formats JSON with an indent of two blanks and sorted keys, optionally with keys and values in colour.
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

/// Formats a list item by item; the result equals that of the whole list.
pub(super) fn json_list(
    items: impl Iterator<Item = Result<Value, serde_json::Error>> + 'static,
) -> impl Iterator<Item = Result<String, serde_json::Error>> {
    let mut is_first = true;
    let mut items = items.map(move |item| {
        let before = if std::mem::take(&mut is_first) {
            "[\n"
        } else {
            ",\n"
        };
        let text = serde_json::to_string_pretty(&item?)?;
        let mut piece = String::with_capacity(text.len() + text.len() / 4);
        piece.push_str(before);
        // Texts hold no line ends here: they are escaped.
        for (n, line) in text.lines().enumerate() {
            piece.push_str(if n == 0 { "  " } else { "\n  " });
            piece.push_str(line);
        }
        Ok(piece)
    });
    let first = items.next();
    let end = if first.is_some() { "\n]\n" } else { "[]\n" };
    let all = first.into_iter().chain(items);
    all.chain(std::iter::once(Ok(end.to_owned())))
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
