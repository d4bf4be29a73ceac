//! Tables as az prints them: a row of headings, a row of dashes, two blanks between columns.

use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::{
    canvas::{Canvas, cut, wrap},
    column::{Column, Narrow, harmless, plain},
    order,
};

/// Columns that a generic table leaves out, as az does.
const LEFT_OUT: [&str; 3] = ["id", "type", "etag"];

/// Draws a table with the given columns, or with the fields of the value where there are none. An empty list is an
/// empty line.
pub(super) fn draw(value: &Value, columns: Option<&[Column]>, canvas: Canvas) -> String {
    let items = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    if items.is_empty() {
        return "\n".into();
    }
    match columns {
        Some(columns) => {
            let rows = items.iter().map(|item| row(item, columns));
            of_rows(columns, rows.collect(), canvas)
        }
        None => generic(items, canvas),
    }
}

pub(super) fn row(item: &Value, columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.text(item)).collect()
}

/// Draws a table of rows; without rows, an empty line.
pub(super) fn of_rows(columns: &[Column], rows: Vec<Vec<String>>, canvas: Canvas) -> String {
    if rows.is_empty() {
        return "\n".into();
    }
    let titles: Vec<String> = columns.iter().map(|c| c.title.to_owned()).collect();
    lay_out(&titles, rows, columns, canvas)
}

/// Draws any result of a query.
fn generic(items: &[Value], canvas: Canvas) -> String {
    let mut titles: Vec<String> = Vec::new();
    let mut rows: Vec<Vec<(String, String)>> = Vec::new();
    for item in items {
        let row: Vec<(String, String)> = match item {
            Value::Object(fields) => order::fields(fields)
                .into_iter()
                .filter(|(key, value)| {
                    !LEFT_OUT.contains(key)
                        && !value.is_null()
                        && !value.is_array()
                        && !value.is_object()
                })
                .map(|(key, value)| (capital(key), plain(value)))
                .collect(),
            Value::Array(values) => values
                .iter()
                .enumerate()
                .map(|(n, value)| (format!("Column{}", n + 1), inner(value)))
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
    if titles.is_empty() {
        return "\n".into();
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
    lay_out(&titles, rows, &[], canvas)
}

/// Returns a value of a list as az shows it: lists and objects as Python prints them.
fn inner(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => python(value),
        other => plain(other),
    }
}

/// Writes a value as Python prints it.
fn python(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::String(text) => {
            let quote = if text.contains('\'') && !text.contains('"') {
                '"'
            } else {
                '\''
            };
            let mut out = String::from(quote);
            for c in text.chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c == quote => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
            out.push(quote);
            out
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let is_ordered = fields.contains_key(order::MARK);
            let fields = order::fields(fields).into_iter().map(|(key, value)| {
                let (key, value) = (python(&Value::from(key)), python(value));
                if is_ordered {
                    format!("({key}, {value})")
                } else {
                    format!("{key}: {value}")
                }
            });
            let fields = fields.collect::<Vec<_>>().join(", ");
            if is_ordered {
                format!("OrderedDict([{fields}])")
            } else {
                format!("{{{fields}}}")
            }
        }
        other => plain(other),
    }
}

fn capital(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The minimum width of a column on a narrow terminal.
const NARROWEST: usize = 8;

fn lay_out(
    titles: &[String],
    rows: Vec<Vec<String>>,
    columns: &[Column],
    canvas: Canvas,
) -> String {
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| row.iter().map(|cell| harmless(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(n, title)| {
            let cells = rows.iter().filter_map(|row| row.get(n));
            let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
            // Dashes are at least two wider than the heading, as in az.
            widest.max(title.width() + 2)
        })
        .collect();
    let narrow = |n: usize| columns.get(n).map_or(Narrow::Cut, |column| column.narrow);
    if let Some(width) = canvas.width {
        fit(&mut widths, |n| narrow(n) == Narrow::Whole, width);
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .flat_map(|row| wrapped(row, &widths, |n| narrow(n) == Narrow::Wrapped))
        .collect();
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let colour = |n: usize, cell: &str| {
        let paint = columns.get(n).and_then(|column| column.paint);
        paint
            .filter(|_| canvas.colour)
            .and_then(|paint| paint(cell))
    };
    let mut out = String::new();
    for (row, is_body) in [(titles, false), (&dashes, false)]
        .into_iter()
        .chain(rows.iter().map(|row| (row.as_slice(), true)))
    {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell = cut(cell, *width);
            match colour(n, &cell).filter(|_| is_body) {
                Some(colour) => line.push_str(&format!("\x1b[{colour}m{cell}\x1b[0m")),
                None => line.push_str(&cell),
            }
            let blanks = 2 + width.saturating_sub(cell.width());
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Returns the lines of a row with wrapped cells.
fn wrapped(row: Vec<String>, widths: &[usize], wraps: impl Fn(usize) -> bool) -> Vec<Vec<String>> {
    if !(0..row.len()).any(&wraps) {
        return vec![row];
    }
    let cells: Vec<Vec<String>> = row
        .into_iter()
        .enumerate()
        .map(|(n, cell)| match widths.get(n).filter(|_| wraps(n)) {
            Some(width) => wrap(&cell, *width),
            None => vec![cell],
        })
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(1);
    let line = |n: usize| {
        let cells = cells.iter();
        cells
            .map(|cell| cell.get(n).cloned().unwrap_or_default())
            .collect()
    };
    (0..height).map(line).collect()
}

/// Shrinks the widest columns until a line fits, except those that stay whole, and none below the minimum width; then the last columns are
/// dropped.
fn fit(widths: &mut Vec<usize>, is_whole: impl Fn(usize) -> bool, most: usize) {
    let line = |widths: &[usize]| widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
    while line(widths) > most {
        let narrowed = widths.iter_mut().enumerate().filter(|(n, _)| !is_whole(*n));
        let widest = narrowed.map(|(_, width)| width).max();
        if let Some(widest) = widest.filter(|it| **it > NARROWEST) {
            *widest -= 1;
        } else if widths.len() > 1 {
            widths.pop();
        } else {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn draw(value: &Value, columns: Option<&[Column]>) -> String {
        super::draw(value, columns, Canvas::default())
    }

    #[test]
    fn table_columns_are_as_wide_as_their_widest_cell_without_trailing_blanks() {
        let columns = [Column::at("RUN ID", "/id"), Column::at("TASK", "/task")];
        let value = json!([{"id": "ca2", "task": "app-with-a-name"}, {"id": "ca1", "task": null}]);
        assert_eq!(
            draw(&value, Some(&columns)),
            "RUN ID    TASK\n--------  ---------------\nca2       app-with-a-name\nca1\n"
        );
    }

    #[test]
    fn table_of_an_empty_list_is_an_empty_line() {
        assert_eq!(draw(&json!([]), Some(&[])), "\n");
    }

    #[test]
    fn table_of_a_queried_value_derives_its_headings() {
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
        // Lists and objects beside other values are no column of their own.
        assert_eq!(draw(&json!([{"step": {}}, {"id": "x"}]), None), "\n");
        let parts = json!([[{"a": "it's", "b": [null, true, 1]}]]);
        assert!(draw(&parts, None).ends_with("{'a': \"it's\", 'b': [None, True, 1]}\n"));
        let mut asked = json!([[{"b": 1, "a": 2}]]);
        asked[0][0][order::MARK] = json!(["b", "a"]);
        assert!(draw(&asked, None).ends_with("OrderedDict([('b', 1), ('a', 2)])\n"));
    }

    #[test]
    fn table_cell_control_characters_are_escaped() {
        let columns = [Column::at("A", "/a")];
        assert_eq!(
            draw(&json!({"a": "x\u{1b}[2J\ny"}), Some(&columns)),
            "A\n-----------\nx\\u{1b}[2J\\ny\n".replace("-----------", &"-".repeat(13))
        );
    }

    #[test]
    fn widest_table_column_is_cut_to_fit_the_terminal() {
        let columns = [Column::at("NAME", "/n"), Column::at("REASON", "/r")];
        let value = json!([{"n": "web", "r": "node:20 has moved from 1f0c to 8c31"}, {"n": "a-long-name", "r": "x"}]);
        let at = |width| {
            let canvas = Canvas {
                width: Some(width),
                colour: false,
            };
            super::draw(&value, Some(&columns), canvas)
        };
        assert!(at(24).lines().all(|line| line.width() <= 24), "{}", at(24));
        assert_eq!(at(24).lines().nth(2), Some("web          node:20 ha…"));
        assert_eq!(at(200), draw(&value, Some(&columns)));
        // The last columns are dropped where not even their beginnings fit; the first one never is.
        assert_eq!(at(12), "NAME\n--------\nweb\na-long-…\n");
        assert_eq!(at(1), at(12));
    }

    #[test]
    fn table_columns_stay_whole_or_wrap_where_requested() {
        let columns = [
            Column::at("STATE", "/s").where_narrow(Narrow::Whole),
            Column::at("HOW", "/h").where_narrow(Narrow::Wrapped),
        ];
        let canvas = Canvas {
            width: Some(25),
            ..Canvas::default()
        };
        let row = json!([{"s": "follows-nothing", "h": "ab cd efghijklmnop"}]);
        let table = super::draw(&row, Some(&columns), canvas);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "follows-nothing  ab cd",
                "                 efghijkl",
                "                 mnop"
            ]
        );
    }

    #[test]
    fn table_width_ignores_colours() {
        let columns = [
            Column::at("STATE", "/s").painted(|_| Some("31")),
            Column::at("X", "/x"),
        ];
        let canvas = Canvas {
            width: None,
            colour: true,
        };
        let drawn = super::draw(&json!([{"s": "stale", "x": 1}]), Some(&columns), canvas);
        assert_eq!(
            drawn,
            "STATE    X\n-------  ---\n\x1b[31mstale\x1b[0m    1\n"
        );
    }
}
