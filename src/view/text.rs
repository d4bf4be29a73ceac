//! JSON for people.

use std::{
    cell::RefCell,
    io::{self, Write},
    ops::Range,
};

use serde::{Serialize, ser::Error as _};
use serde_json::{Serializer, Value, ser::Formatter};

use super::column::is_harmful_in_lines;

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
    Ok(harmless(text))
}

/// Escapes, in a JSON text, what could control a terminal: `\u009b` is the same character to a reader of JSON. Such characters are in strings
/// alone, and those below a blank are escaped already.
fn harmless(json: String) -> String {
    // Nearly all answers are ASCII, which this test is fast for.
    if json.is_ascii() && !json.contains('\u{7f}') || !json.contains(is_harmful_in_lines) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_harmful_in_lines(c) {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Formats items as in a list, each preceded by a comma.
pub(super) fn json_items<T: Serialize>(
    items: impl Iterator<Item = T>,
) -> Result<String, serde_json::Error> {
    let out = RefCell::new(Vec::new());
    for item in items {
        out.borrow_mut().extend(b",\n  ");
        let keys = SortedKeys {
            out: &out,
            objects: Vec::with_capacity(8),
            fields: Vec::with_capacity(64),
            depth: 1,
            is_empty: true,
        };
        item.serialize(&mut Serializer::with_formatter(Out(&out), keys))?;
    }
    let text = String::from_utf8(out.into_inner());
    text.map(harmless).map_err(serde_json::Error::custom)
}

/// Joins the output of [`json_items`] to a list; the result equals that of the whole list.
pub(super) fn json_list<E>(
    parts: impl Iterator<Item = Result<String, E>> + 'static,
) -> impl Iterator<Item = Result<String, E>> {
    let mut parts = parts.filter(|part| !part.as_ref().is_ok_and(String::is_empty));
    let mut first = parts.next();
    let end = if first.is_some() { "\n]\n" } else { "[]\n" };
    if let Some(Ok(first)) = &mut first {
        first.replace_range(..1, "[");
    }
    let all = first.into_iter().chain(parts);
    all.chain(std::iter::once_with(move || Ok(end.to_owned())))
}

/// The output so far, in which [`SortedKeys`] reorders fields.
struct Out<'t>(&'t RefCell<Vec<u8>>);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes JSON with an indent of two blanks, and sorts the keys of each object after the object has been written, so that answers need
/// not define their fields in order, and no tree of values is built.
struct SortedKeys<'t> {
    out: &'t RefCell<Vec<u8>>,
    /// For each unfinished object, where its fields begin in `fields`.
    objects: Vec<usize>,
    /// The fields of the unfinished objects.
    fields: Vec<JsonField>,
    depth: usize,
    /// Whether the innermost list or object is still empty.
    is_empty: bool,
}

const BLANKS: &[u8] = b"                ";

/// The byte ranges of a field in the output.
struct JsonField {
    start: usize,
    key: Range<usize>,
    end: usize,
}

impl SortedKeys<'_> {
    fn open(&mut self, bracket: u8) {
        self.out.borrow_mut().push(bracket);
        self.depth += 1;
        self.is_empty = true;
    }

    fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.is_empty {
            self.line();
        }
        self.is_empty = false;
        self.out.borrow_mut().push(bracket);
    }

    fn line(&self) {
        let mut out = self.out.borrow_mut();
        let mut blanks = 2 * self.depth;
        out.push(b'\n');
        while blanks > 0 {
            let some = blanks.min(BLANKS.len());
            out.extend_from_slice(&BLANKS[..some]);
            blanks -= some;
        }
    }

    fn separate(&self, is_first: bool) {
        if !is_first {
            self.out.borrow_mut().push(b',');
        }
    }

    fn at(&self) -> usize {
        self.out.borrow().len()
    }

    fn sort(&mut self, first: usize) {
        let mut out = self.out.borrow_mut();
        let fields = &mut self.fields[first..];
        let key = |field: &JsonField| &out[field.key.clone()];
        if fields.is_sorted_by(|one, next| key(one) <= key(next)) {
            return;
        }
        let start = fields.first().map_or(out.len(), |field| field.start);
        fields.sort_unstable_by(|one, other| key(one).cmp(key(other)));
        let mut sorted = Vec::with_capacity(out.len() - start);
        for (n, field) in fields.iter().enumerate() {
            if n > 0 {
                sorted.push(b',');
            }
            sorted.extend_from_slice(&out[field.start..field.end]);
        }
        out.truncate(start);
        out.append(&mut sorted);
    }
}

impl Formatter for SortedKeys<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.open(b'[');
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.close(b']');
        Ok(())
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.separate(first);
        self.line();
        Ok(())
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.objects.push(self.fields.len());
        self.open(b'{');
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        if let Some(first) = self.objects.pop() {
            self.sort(first);
            self.fields.truncate(first);
        }
        self.close(b'}');
        Ok(())
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, _: &mut W, first: bool) -> io::Result<()> {
        self.separate(first);
        let start = self.at();
        self.line();
        let key = self.at();
        self.fields.push(JsonField {
            start,
            key: key..key,
            end: key,
        });
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.at();
        if let Some(field) = self.fields.last_mut() {
            // Without the quotes, so that a key sorts before its extensions.
            field.key = field.key.start + 1..end - 1;
        }
        Ok(())
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.borrow_mut().extend(b": ");
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        let end = self.at();
        if let Some(field) = self.fields.last_mut() {
            field.end = end;
        }
        Ok(())
    }
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
                let key = harmless(serde_json::to_string(key)?);
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
            let text = harmless(serde_json::to_string(value)?);
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
    fn coloured_json_equals_plain_json_without_colours() {
        let value = json!({"b": [1, "x", {}], "a": null});
        let mut text = json(&value, true).unwrap();
        for colour in [KEY, TEXT, OTHER, END] {
            text = text.replace(colour, "");
        }
        assert_eq!(text, json(&value, false).unwrap());
    }

    #[test]
    fn json_has_no_character_that_controls_a_terminal_and_the_same_value() {
        let value = json!({"a\u{9b}": "x\u{202e}\u{7f}é\u{1b}\n"});
        let text = json(&value, false).unwrap();
        assert_eq!(
            text,
            "{\n  \"a\\u009b\": \"x\\u202e\\u007fé\\u001b\\n\"\n}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        let coloured = json(&value, true).unwrap();
        assert!(!coloured.contains(['\u{9b}', '\u{202e}', '\u{7f}']));
        let items = json_items([&value].into_iter()).unwrap();
        assert!(!items.contains(['\u{9b}', '\u{202e}', '\u{7f}']));
    }

    #[test]
    fn serialized_items_equal_their_json_values_with_sorted_keys() {
        #[derive(Serialize)]
        struct Inner {
            z: Vec<Option<Inner>>,
            aa: &'static str,
            a: f64,
        }
        #[derive(Serialize)]
        struct Item {
            step: Inner,
            #[serde(flatten)]
            inner: Inner,
            none: Option<()>,
            map: std::collections::BTreeMap<&'static str, u8>,
            #[serde(rename = "Empty")]
            empty: [u8; 0],
            unit: (),
            pair: (char, bool),
        }
        let inner = |z| Inner {
            z,
            aa: "a\n\"{é",
            a: 0.5,
        };
        let item = || Item {
            step: inner(vec![Some(inner(Vec::new())), None]),
            inner: inner(Vec::new()),
            none: None,
            map: [("b", 1), ("B", 2)].into(),
            empty: [],
            unit: (),
            pair: ('x', true),
        };
        let items = json_items([item(), item()].into_iter()).unwrap();
        let list: Vec<_> = json_list([Ok::<_, ()>(items)].into_iter()).collect();
        let list: Result<String, ()> = list.into_iter().collect();
        let value = serde_json::to_value([item(), item()]).unwrap();
        assert_eq!(list, Ok(json(&value, false).unwrap()));
    }
}
