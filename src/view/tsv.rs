//! Values separated by tabs, as az prints them.

use serde_json::Value;

use super::{column::harmless, order};

/// Draws a line for each item. Keys are in the order of the query, or sorted. Inside of a row, an object is empty and a list is its
/// length.
pub(super) fn draw(value: &Value) -> String {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut out = String::new();
    for item in items {
        let line = match item {
            Value::Object(fields) => {
                let fields = order::fields(fields);
                let cells: Vec<String> = fields.iter().map(|(_, value)| cell(value)).collect();
                cells.join("\t")
            }
            Value::Array(values) => {
                let cells: Vec<String> = values.iter().map(cell).collect();
                cells.join("\t")
            }
            Value::Bool(value) => value.to_string(),
            other => cell(other),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => harmless(text),
        Value::Array(items) => items.len().to_string(),
        Value::Object(_) => String::new(),
        Value::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tsv_rows_match_az() {
        let value = json!([{"b": null, "a": true, "d": [1, 2], "c": {"x": 1}, "e": "x\ty"}]);
        assert_eq!(draw(&value), "True\tNone\t\t2\tx\\ty\n");
    }

    #[test]
    fn tsv_scalar_is_one_line() {
        assert_eq!(draw(&json!("ca1")), "ca1\n");
        assert_eq!(draw(&json!(true)), "true\n");
        assert_eq!(draw(&json!([])), "");
    }
}
