//! Edits a YAML text and keeps its comments, its order and its style.
//!
//! The places of values come from the marks of `saphyr-parser`; new values are written by `serde_yaml`. Nothing here checks that the new
//! text means what it should: the caller compares.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_yaml::{Mapping, Value};

/// A value with its range of bytes.
struct ConfigNode {
    span: Range<usize>,
    kind: NodeKind,
}

enum NodeKind {
    /// No value is written where one could be.
    Nothing,
    /// A plain or quoted scalar, or an alias.
    Scalar,
    /// A block scalar: a text on its own lines, after `|` or `>`.
    Lines,
    /// A list, in block style (an item per line) or in brackets.
    List,
    /// A mapping, in block style or in braces.
    Map(Vec<ConfigEntry>),
}

/// A key with its value. A key that is not a scalar has no name.
struct ConfigEntry {
    name: Option<String>,
    key: Range<usize>,
    value: ConfigNode,
}

impl ConfigEntry {
    /// Returns where the entry ends, without the rest of its last line.
    fn end(&self) -> usize {
        self.value.span.end.max(self.key.end)
    }
}

/// Returns the text with `value` at the path of keys. `None` where the text has no mapping that could hold it.
pub fn set(text: &str, path: &[String], value: &Value) -> Option<String> {
    let text = ConfigText(text);
    let root = text.parse()?;
    let (mut map, mut path) = (&root, path);
    loop {
        let (NodeKind::Map(entries), (first, rest)) = (&map.kind, path.split_first()?) else {
            return None;
        };
        let entry = entries.iter().find(|e| e.name.as_ref() == Some(first));
        match entry {
            None => return text.add(map, entries, first, &wrapped(rest, value)),
            Some(entry) if !rest.is_empty() && matches!(entry.value.kind, NodeKind::Map(_)) => {
                (map, path) = (&entry.value, rest);
            }
            Some(entry) => return text.replace(map, entry, first, &wrapped(rest, value)),
        }
    }
}

/// Returns the line of the value at a path of keys, counted from 1; `None` where there is no value.
pub fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let root = ConfigText(text).parse()?;
    let (mut node, mut start) = (&root, 0);
    for name in path {
        let NodeKind::Map(entries) = &node.kind else {
            return None;
        };
        let entry = entries.iter().find(|e| e.name.as_ref() == Some(name))?;
        (node, start) = (&entry.value, entry.key.start);
    }
    Some(text.get(..start)?.matches('\n').count() + 1)
}

/// Returns the text without the entry at a path of keys. `None` where there is no entry, or it cannot be cut out.
pub fn remove(text: &str, path: &[String]) -> Option<String> {
    let text = ConfigText(text);
    let root = text.parse()?;
    let (mut map, mut path) = (&root, path);
    loop {
        let (NodeKind::Map(entries), (first, rest)) = (&map.kind, path.split_first()?) else {
            return None;
        };
        let at = entries
            .iter()
            .position(|e| e.name.as_ref() == Some(first))?;
        if rest.is_empty() {
            return text.cut(map, entries, at);
        }
        (map, path) = (&entries.get(at)?.value, rest);
    }
}

/// Wraps a value in nested mappings of one key each.
fn wrapped(path: &[String], value: &Value) -> Value {
    path.iter().rev().fold(value.clone(), |inner, name| {
        Value::Mapping(Mapping::from_iter([(name.as_str().into(), inner)]))
    })
}

#[derive(Clone, Copy)]
struct ConfigText<'t>(&'t str);

impl ConfigText<'_> {
    /// Parses the text, if it is one document with a mapping.
    fn parse(self) -> Option<ConfigNode> {
        let starts: Vec<usize> = self.0.char_indices().map(|(at, _)| at).collect();
        let at = |index: usize| starts.get(index).copied().unwrap_or(self.0.len());
        let mut open: Vec<(ConfigNode, Option<ConfigNode>, Option<String>)> = Vec::new();
        for event in Parser::new_from_str(self.0) {
            let (event, span): (Event<'_>, Span) = event.ok()?;
            let span = at(span.start.index())..at(span.end.index());
            let (done, name) = match event {
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    let kind = match event {
                        Event::MappingStart(..) => NodeKind::Map(Vec::new()),
                        _ => NodeKind::List,
                    };
                    open.push((ConfigNode { span, kind }, None, None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let (mut node, ..) = open.pop()?;
                    // A flow collection has its own end; a block collection ends with its last value.
                    if self.is_flow(&node) {
                        node.span.end = span.start + 1;
                    }
                    (node, None)
                }
                Event::Scalar(name, style, ..) => {
                    (self.scalar(span, style), Some(name.into_owned()))
                }
                Event::Alias(_) => (self.scalar(span, ScalarStyle::Plain), None),
                _ => continue,
            };
            let Some((parent, key, key_name)) = open.last_mut() else {
                return Some(done).filter(|root| matches!(root.kind, NodeKind::Map(_)));
            };
            parent.span.end = parent.span.end.max(done.span.end);
            let NodeKind::Map(entries) = &mut parent.kind else {
                continue;
            };
            match key.take() {
                None => (*key, *key_name) = (Some(done), name),
                Some(key) => {
                    let entry = self.entry(key, key_name.take(), done);
                    parent.span.end = parent.span.end.max(entry.end());
                    entries.push(entry);
                }
            }
        }
        None
    }

    /// A scalar ends with its last character: the parser's mark may be further, at the next token.
    fn scalar(self, span: Range<usize>, style: ScalarStyle) -> ConfigNode {
        let written = self.part(span.clone());
        let length = match style {
            ScalarStyle::SingleQuoted => quoted(written, '\'', '\''),
            ScalarStyle::DoubleQuoted => quoted(written, '"', '\\'),
            _ => written.trim_end().len(),
        };
        ConfigNode {
            span: span.start..span.start + length,
            kind: match style {
                ScalarStyle::Literal | ScalarStyle::Folded => NodeKind::Lines,
                _ if length == 0 => NodeKind::Nothing,
                _ => NodeKind::Scalar,
            },
        }
    }

    /// A missing value is placed right after the colon of its key.
    fn entry(self, key: ConfigNode, name: Option<String>, mut value: ConfigNode) -> ConfigEntry {
        let behind = self.part(key.span.end..self.0.len());
        let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        if matches!(value.kind, NodeKind::Nothing) {
            let colon = behind.get(blanks..).is_some_and(|b| b.starts_with(':'));
            let end = key.span.end + if colon { blanks + 1 } else { 0 };
            value.span = end..end;
        }
        if matches!(value.kind, NodeKind::Lines)
            && let Some(sign) = self.part(key.span.end..value.span.start).find(['|', '>'])
        {
            value.span.start = key.span.end + sign;
        }
        let key = key.span;
        ConfigEntry { name, key, value }
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.0.get(range).unwrap_or_default()
    }

    fn is_flow(self, node: &ConfigNode) -> bool {
        self.part(node.span.start..self.0.len())
            .starts_with(['{', '['])
    }

    /// Returns the start of the line of a byte.
    fn line_start(self, at: usize) -> usize {
        self.part(0..at)
            .rfind('\n')
            .map_or(0, |newline| newline + 1)
    }

    /// Returns the end of the line of a byte, after its line break.
    fn line_end(self, at: usize) -> usize {
        let rest = self.part(at..self.0.len());
        rest.find('\n')
            .map_or(self.0.len(), |newline| at + newline + 1)
    }

    /// Returns the column of a key, if nothing is before it on its line.
    fn column(self, at: usize) -> Option<usize> {
        let before = self.part(self.line_start(at)..at);
        before.bytes().all(|b| b == b' ').then_some(before.len())
    }

    fn spliced(self, range: Range<usize>, new: &str) -> String {
        format!(
            "{}{new}{}",
            self.part(0..range.start),
            self.part(range.end..self.0.len())
        )
    }

    /// Inserts lines at the start of a line, or after a last line without a line break; they get the line breaks of the text.
    fn with_lines(self, at: usize, lines: &str) -> String {
        let first = if at > 0 && !self.part(0..at).ends_with('\n') {
            "\n"
        } else {
            ""
        };
        let lines = format!("{first}{lines}");
        let lines = if self.0.contains("\r\n") {
            lines.replace('\n', "\r\n")
        } else {
            lines
        };
        self.spliced(at..at, &lines)
    }

    /// Adds a key to a mapping, after its last one.
    fn add(
        self,
        map: &ConfigNode,
        entries: &[ConfigEntry],
        name: &str,
        value: &Value,
    ) -> Option<String> {
        let in_braces = || Some(format!("{}: {}", flow(&name.into())?, flow(value)?));
        let Some(last) = entries.last() else {
            let inside = map.span.start + 1;
            return Some(self.spliced(inside..inside, &in_braces()?));
        };
        if self.is_flow(map) {
            let new = format!(", {}", in_braces()?);
            return Some(self.spliced(last.end()..last.end(), &new));
        }
        let column = self.column(entries.first()?.key.start)?;
        Some(self.with_lines(
            self.behind(last.end(), column),
            &lines(column, name, value)?,
        ))
    }

    /// Returns where a new line of a mapping goes: after comments that are indented like the preceding value.
    fn behind(self, end: usize, column: usize) -> usize {
        let mut place = self.line_end(end);
        let mut next = place;
        while next < self.0.len() {
            let line = self.part(next..self.line_end(next));
            let indent = line.len() - line.trim_start().len();
            let is_inner = line.trim_start().starts_with('#') && indent > column;
            if !is_inner && !line.trim().is_empty() {
                break;
            }
            next = self.line_end(next);
            if is_inner {
                place = next;
            }
        }
        place
    }

    /// Writes a value in place of an existing or missing one.
    fn replace(
        self,
        map: &ConfigNode,
        entry: &ConfigEntry,
        name: &str,
        value: &Value,
    ) -> Option<String> {
        let old = &entry.value;
        let is_inline = self.is_flow(map) || self.is_flow(old);
        let is_nested = match value {
            Value::Sequence(items) => !items.is_empty(),
            Value::Mapping(fields) => !fields.is_empty(),
            _ => false,
        };
        let column = || self.column(entry.key.start);
        match old.kind {
            NodeKind::Nothing if self.is_flow(map) || !is_nested => {
                let new = if self.is_flow(map) {
                    flow(value)
                } else {
                    block(value)
                };
                Some(self.spliced(old.span.clone(), &format!(" {}", new?)))
            }
            NodeKind::Nothing => {
                let below = lines(column()?, name, value)?;
                let (_, below) = below.split_once('\n')?;
                Some(self.with_lines(self.line_end(old.span.end), below))
            }
            NodeKind::List | NodeKind::Map(_) if !is_inline => {
                // Lines above the first item stay; the rest of the key's line may be a comment.
                let start = self.line_start(old.span.start);
                let end = self.line_end(old.span.end);
                let rest = self.spliced(start..end, "");
                let whole = lines(column()?, name, value)?;
                if let Some((_, below)) = whole.split_once('\n').filter(|_| is_nested) {
                    return Some(ConfigText(&rest).with_lines(start, below));
                }
                let colon = self.part(entry.key.end..start).find(':')? + entry.key.end + 1;
                Some(ConfigText(&rest).spliced(colon..colon, &format!(" {}", block(value)?)))
            }
            _ => {
                let new = if is_inline || is_nested {
                    flow(value)
                } else {
                    block(value)
                };
                Some(self.spliced(old.span.clone(), &new?))
            }
        }
    }

    /// Cuts an entry out of a mapping, with the rest of its line.
    fn cut(self, map: &ConfigNode, entries: &[ConfigEntry], at: usize) -> Option<String> {
        let entry = entries.get(at)?;
        if !self.is_flow(map) {
            self.column(entry.key.start)?;
            let lines = self.line_start(entry.key.start)..self.line_end(entry.end());
            return Some(self.spliced(lines, ""));
        }
        let before = at.checked_sub(1).and_then(|before| entries.get(before));
        match (before, entries.get(at + 1)) {
            (_, Some(next)) => Some(self.spliced(entry.key.start..next.key.start, "")),
            (None, None) => Some(self.spliced(map.span.clone(), "")),
            (Some(before), None) => {
                let between = self.part(before.end()..entry.key.start);
                let (blanks, rest) = between.split_once(',')?;
                // A comment between the two is about the preceding entry.
                let kept = if rest.contains('#') { rest } else { "" };
                let new = format!("{}{kept}", blanks.trim());
                Some(self.spliced(before.end()..entry.end(), &new))
            }
        }
    }
}

/// Returns the length of a quoted text, in which `escape` before a quote escapes it.
fn quoted(text: &str, quote: char, escape: char) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if character == escape && (escape != quote || next == Some(quote)) {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    text.len()
}

/// Returns a key with its value as lines of a mapping at this column.
fn lines(column: usize, name: &str, value: &Value) -> Option<String> {
    let entry = wrapped(&[name.to_owned()], value);
    let text = serde_yaml::to_string(&entry).ok()?;
    let indent = " ".repeat(column);
    Some(text.lines().map(|l| format!("{indent}{l}\n")).collect())
}

/// Returns a value as the rest of a line, after a key.
fn block(value: &Value) -> Option<String> {
    let text = serde_yaml::to_string(value).ok()?;
    match text.trim_end_matches('\n') {
        // JSON is valid YAML, and writes line breaks as `
        // `.
        long if long.contains('\n') => serde_json::to_string(value).ok(),
        short => Some(short.to_owned()),
    }
}

/// Returns a value for a flow collection, where more characters are special.
fn flow(value: &Value) -> Option<String> {
    let joined = |parts: Vec<Option<String>>| {
        let parts: Option<Vec<String>> = parts.into_iter().collect();
        Some(parts?.join(", "))
    };
    match value {
        Value::Sequence(items) => Some(format!("[{}]", joined(items.iter().map(flow).collect())?)),
        Value::Mapping(fields) => {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, value)| Some(format!("{}: {}", flow(name)?, flow(value)?)));
            Some(format!("{{{}}}", joined(fields.collect())?))
        }
        scalar => match block(scalar)? {
            text if text.contains(['[', ']', '{', '}', ',']) => serde_json::to_string(scalar).ok(),
            text => Some(text),
        },
    }
}
