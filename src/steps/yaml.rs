//! YAML as a tree whose nodes know their lines. The only module of this room that knows `serde_yaml`.
//!
//! `serde_yaml` tells lines only in errors. A node that is found wrong is therefore looked for again, by reading the text with a
//! visitor that fails on purpose when it gets there.

use std::{collections::BTreeMap, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::Value;

use super::problem::{InvalidTaskFile, Notice};

/// The largest file that is read, in bytes, before and after its templates are filled in.
pub const MAX_BYTES: usize = 1024 * 1024;

/// A document.
pub(super) type Document = Value;

/// Reads a document. An empty text is an empty document.
pub(super) fn parse(text: &str) -> Result<Document, InvalidTaskFile> {
    if text.len() > MAX_BYTES {
        return Err(InvalidTaskFile::new("the file is larger than 1 MiB"));
    }
    let invalid = |problem: serde_yaml::Error| {
        let line = problem.location().map(|location| location.line());
        let text = problem.to_string();
        // The line is told in front.
        let text = text.split(" at line ").next().unwrap_or(&text);
        InvalidTaskFile::at(line, text)
    };
    let mut document: Value = serde_yaml::from_str(text).map_err(invalid)?;
    document.apply_merge().map_err(invalid)?;
    Ok(document)
}

/// Reads a values file: a mapping of anything.
pub(super) fn values(text: &str) -> Result<BTreeMap<String, serde_json::Value>, InvalidTaskFile> {
    match parse(text)? {
        Value::Null => Ok(BTreeMap::new()),
        Value::Mapping(map) => serde_yaml::from_value(Value::Mapping(map)).map_err(|problem| {
            InvalidTaskFile::new(format!("a values file has texts as keys: {problem}"))
        }),
        _ => Err(InvalidTaskFile::new("a values file must be a mapping")),
    }
}

/// One step on the way to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Item(usize),
}

/// A place in a document, and what is there.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    text: &'a str,
    value: &'a Value,
    path: Vec<Part>,
}

impl<'a> Node<'a> {
    /// Returns the whole document.
    pub fn root(text: &'a str, value: &'a Value) -> Self {
        Self {
            text,
            value,
            path: Vec::new(),
        }
    }

    /// Says that this node is wrong.
    pub fn problem(&self, text: impl Into<String>) -> InvalidTaskFile {
        InvalidTaskFile::at(self.line(), text)
    }

    /// Returns the line of this node, counted from 1.
    pub fn line(&self) -> Option<usize> {
        line_of(self.text, &self.path)
    }

    /// Returns what is under a key of a mapping. Null is nothing.
    pub fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.as_mapping()?.get(key)?;
        (!value.is_null()).then(|| self.below(value, Part::Key(key.to_owned())))
    }

    /// Returns the keys and values of a mapping; null has none.
    pub fn entries(&self) -> Result<Vec<(String, Self)>, InvalidTaskFile> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Mapping(map) => map
                .iter()
                .map(|(key, value)| {
                    let name = scalar(key).ok_or_else(|| self.problem("keys must be texts"))?;
                    let node = self.below(value, Part::Key(name.clone()));
                    Ok((name, node))
                })
                .collect(),
            _ => Err(self.problem(format!("{} must be a mapping", self.name()))),
        }
    }

    /// Returns the items of a list; null has none.
    pub fn items(&self) -> Result<Vec<Self>, InvalidTaskFile> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Sequence(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(n, value)| self.below(value, Part::Item(n)))
                .collect()),
            _ => Err(self.problem(format!("{} must be a list", self.name()))),
        }
    }

    /// Returns a text; numbers and switches are texts too, as YAML writes them.
    pub fn text(&self) -> Result<Option<String>, InvalidTaskFile> {
        match self.value {
            Value::Null => Ok(None),
            value => match scalar(value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.problem(format!("{} must be a text", self.name()))),
            },
        }
    }

    /// Returns a whole number.
    pub fn whole(&self) -> Result<i64, InvalidTaskFile> {
        let number = match self.value {
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        number.ok_or_else(|| self.problem(format!("{} must be a whole number", self.name())))
    }

    /// Returns a switch, in any of YAML's words.
    pub fn switch(&self) -> Result<bool, InvalidTaskFile> {
        let word = scalar(self.value).unwrap_or_default().to_lowercase();
        match word.as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(self.problem(format!("{} must be true or false", self.name()))),
        }
    }

    /// Tells about keys of a mapping that mean nothing.
    pub fn unknown_keys(
        &self,
        known: &[&str],
        notices: &mut Vec<Notice>,
    ) -> Result<(), InvalidTaskFile> {
        for (key, node) in self.entries()? {
            if !known.contains(&key.as_str()) {
                notices.push(Notice {
                    line: node.line(),
                    text: format!("`{key}` means nothing here and is not heeded"),
                });
            }
        }
        Ok(())
    }

    fn below(&self, value: &'a Value, part: Part) -> Self {
        let mut path = self.path.clone();
        path.push(part);
        Self {
            text: self.text,
            value,
            path,
        }
    }

    /// Returns the nearest key, for messages.
    fn name(&self) -> String {
        match self.path.iter().rev().find_map(|part| match part {
            Part::Key(key) => Some(key),
            Part::Item(_) => None,
        }) {
            Some(key) if matches!(self.path.last(), Some(Part::Item(_))) => {
                format!("each of `{key}`")
            }
            Some(key) => format!("`{key}`"),
            None => "the file".to_owned(),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Finds the line of a key or an item, by reading the text until it is reached.
fn line_of(text: &str, path: &[Part]) -> Option<usize> {
    if path.is_empty() {
        return None;
    }
    let probe = Probe { path };
    let problem = probe
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?;
    problem.location().map(|location| location.line())
}

/// Reads the way to a node, and fails when it is there.
#[derive(Clone, Copy)]
struct Probe<'p> {
    path: &'p [Part],
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place that is looked for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Part::Key(wanted), rest)) = self.path.split_first() else {
            return Err(de::Error::custom("here"));
        };
        let key = KeyProbe {
            wanted,
            is_last: rest.is_empty(),
        };
        while let Some(found) = map.next_key_seed(key)? {
            if found {
                return map.next_value_seed(Probe { path: rest });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((Part::Item(wanted), rest)) = self.path.split_first() else {
            return Err(de::Error::custom("here"));
        };
        for _ in 0..*wanted {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        list.next_element_seed(Probe { path: rest }).map(|_| ())
    }
}

/// Reads a key, and fails if it is the end of the way.
#[derive(Clone, Copy)]
struct KeyProbe<'p> {
    wanted: &'p str,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for KeyProbe<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyProbe<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.is_last => Err(E::custom("here")),
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version: v1.0.0\n\nsteps:\n  - id: a\n    cmd: x\n  - id: b\n    when: [a,\n      c]\n    env:\n    - A=1\n";

    fn line(path: &[&str]) -> Option<usize> {
        let path: Vec<Part> = path
            .iter()
            .map(|part| match part.parse() {
                Ok(n) => Part::Item(n),
                Err(_) => Part::Key((*part).to_owned()),
            })
            .collect();
        line_of(TEXT, &path)
    }

    #[test]
    fn nodes_know_their_lines() {
        assert_eq!(line(&["version"]), Some(1));
        assert_eq!(line(&["steps"]), Some(3));
        assert_eq!(line(&["steps", "0"]), Some(4));
        assert_eq!(line(&["steps", "1"]), Some(6));
        assert_eq!(line(&["steps", "1", "when"]), Some(7));
        assert_eq!(line(&["steps", "1", "when", "1"]), Some(8));
        assert_eq!(line(&["steps", "1", "env", "0"]), Some(10));
        assert_eq!(line(&["nope"]), None);
    }

    #[test]
    fn kinds_are_told_apart_with_the_key_in_the_message() {
        let text = "a: [1]\nb: {c: d}\nn: 5\nyes: On\nl: x\n";
        let document = parse(text).unwrap();
        let root = Node::root(text, &document);
        let node = |key: &str| root.get(key).unwrap();
        assert_eq!(node("n").text().unwrap().as_deref(), Some("5"));
        assert_eq!(node("n").whole(), Ok(5));
        assert_eq!(node("yes").switch(), Ok(true));
        let told = |problem: InvalidTaskFile| problem.to_string();
        assert_eq!(
            told(node("b").text().unwrap_err()),
            "line 2: `b` must be a text"
        );
        assert_eq!(
            told(node("l").items().unwrap_err()),
            "line 5: `l` must be a list"
        );
        assert_eq!(
            told(node("l").whole().unwrap_err()),
            "line 5: `l` must be a whole number"
        );
        assert_eq!(
            told(node("a").entries().unwrap_err()),
            "line 1: `a` must be a mapping"
        );
        assert_eq!(
            told(node("l").switch().unwrap_err()),
            "line 5: `l` must be true or false"
        );
    }

    #[test]
    fn what_is_no_yaml_names_its_line() {
        let problem = parse("a: 1\nb: [1\n").unwrap_err();
        assert!(problem.line.is_some(), "{problem}");
        let problem = parse("a: 1\na: 2\n").unwrap_err();
        assert!(problem.text.contains("duplicate"), "{problem}");
        assert_eq!(parse("\t").unwrap_err().line, Some(1));
    }

    #[test]
    fn merge_keys_are_applied() {
        let text = "base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n";
        let document = parse(text).unwrap();
        let used = Node::root(text, &document).get("use").unwrap();
        assert_eq!(used.get("x").unwrap().whole(), Ok(1));
    }

    #[test]
    fn a_large_file_is_refused() {
        let problem = parse(&"#".repeat(MAX_BYTES + 1)).unwrap_err();
        assert_eq!(problem.to_string(), "the file is larger than 1 MiB");
    }
}
