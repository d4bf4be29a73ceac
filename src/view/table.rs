//! Tables as az prints them: a row of headings, a row of dashes, two blanks between columns.

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::column::{Column, harmless, plain};

/// Columns that a generic table leaves out, as az does.
const LEFT_OUT: [&str; 3] = ["id", "type", "etag"];

/// Draws a table of the given columns, or of what the value holds where there are none. An empty list is an empty line.
pub(super) fn draw(value: &Value, columns: Option<&[Column]>) -> String {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    if items.is_empty() {
        return "\n".into();
    }
    match columns {
        Some(columns) => {
            let titles = columns.iter().map(|c| c.title.to_owned()).collect();
            let rows = items
                .iter()
                .map(|item| columns.iter().map(|column| column.text(item)).collect());
            lay_out(titles, rows.collect())
        }
        None => generic(items),
    }
}

/// Draws whatever a query has picked.
fn generic(items: &[Value]) -> String {
    let mut titles: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<(String, String)>> = Vec::new();
    for item in items {
        let row: Vec<(String, String)> = match item {
            Value::Object(fields) => fields
                .iter()
                .filter(|(key, value)| {
                    !LEFT_OUT.contains(&key.as_str())
                        && !value.is_null()
                        && !value.is_array()
                        && !value.is_object()
                })
                .map(|(key, value)| (capital(key), plain(value)))
                .collect(),
            Value::Array(values) => values
                .iter()
                .enumerate()
                .map(|(n, value)| (format!("Column{}", n + 1), plain(value)))
                .collect(),
            value => vec![("Result".into(), plain(value))],
        };
        for (title, _) in &row {
            if !titles.contains(title) {
                titles.push(title.clone());
            }
        }
        rows.push(row);
    }
    let rows = rows
        .into_iter()
        .map(|row| {
            let cell = |title: &String| {
                let found = row.iter().find(|(key, _)| key == title);
                found.map(|(_, text)| text.clone()).unwrap_or_default()
            };
            titles.iter().map(cell).collect()
        })
        .collect();
    lay_out(titles.clone(), rows)
}

fn capital(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn lay_out(titles: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| harmless(cell)).collect())
        .collect();
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(n, title)| {
            let cells = rows.iter().filter_map(|row| row.get(n));
            let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
            // A heading has two dashes more than letters, as in az.
            widest.max(title.width() + 2)
        })
        .collect();
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut out = String::new();
    for row in [&titles, &dashes].into_iter().chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(
                ' ',
                2 + width.saturating_sub(cell.width()),
            ));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_blanks_at_the_end_are_cut() {
        let columns = [Column::at("RUN ID", "/id"), Column::at("TASK", "/task")];
        let value = json!([{"id": "ca2", "task": "app-with-a-name"}, {"id": "ca1", "task": null}]);
        assert_eq!(
            draw(&value, Some(&columns)),
            "RUN ID    TASK\n--------  ---------------\nca2       app-with-a-name\nca1\n"
        );
    }

    #[test]
    fn an_empty_list_is_an_empty_line() {
        assert_eq!(draw(&json!([]), Some(&[])), "\n");
    }

    #[test]
    fn a_picked_value_makes_its_own_headings() {
        let value = json!([{"id": "x", "name": "web", "status": "Enabled", "step": {}}]);
        assert_eq!(
            draw(&value, None),
            "Name    Status\n------  --------\nweb     Enabled\n"
        );
        assert_eq!(
            draw(&json!([["a", 1]]), None),
            "Column1    Column2\n---------  ---------\na          1\n"
        );
        assert_eq!(draw(&json!("x"), None), "Result\n--------\nx\n");
    }

    #[test]
    fn a_cell_cannot_write_outside_its_place() {
        let columns = [Column::at("A", "/a")];
        assert_eq!(
            draw(&json!({"a": "x\u{1b}[2J\ny"}), Some(&columns)),
            "A\n-----------\nx\\u{1b}[2J\\ny\n".replace("-----------", &"-".repeat(13))
        );
    }
}
