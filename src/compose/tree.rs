//! Compose files as trees whose nodes know file and line, and the merging of trees.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    rc::Rc,
};

use crate::steps::{MergeTag, YamlNode};

use super::{Problem, scalar};

/// How many bytes of text are as large as a node.
pub const TEXT_OF_A_NODE: usize = 100;

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub file: Rc<PathBuf>,
    pub line: usize,
    pub value: Value,
    tag: Option<MergeTag>,
}

#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// A text whose variables cannot be replaced, with the reason.
    Bad(String),
}

impl Node {
    /// Converts a YAML document; `expand` replaces the variables of each text.
    pub fn of(
        yaml: YamlNode<'_>,
        file: &Rc<PathBuf>,
        expand: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Self {
        let value = if let Ok(text) = yaml.text() {
            let text = text.map(|text| match text.reveal() {
                text if yaml.is_plain() && !text.contains('$') => Ok(scalar::handed_on(text)),
                text => expand(text),
            });
            match text {
                None => Value::Null,
                Some(Ok(text)) => Value::Text(text),
                Some(Err(why)) => Value::Bad(why),
            }
        } else if let Ok(items) = yaml.items() {
            let items = items.into_iter();
            Value::List(items.map(|it| Self::of(it, file, expand)).collect())
        } else {
            let entries = yaml.entries().unwrap_or_default().into_iter();
            let entries = entries.map(|(key, it)| (key.to_owned(), Self::of(it, file, expand)));
            Value::Map(entries.collect())
        };
        Self {
            file: Rc::clone(file),
            line: yaml.line().unwrap_or(1),
            value,
            tag: yaml.merge_tag(),
        }
    }

    /// Returns a node of the same place with another value.
    pub fn with(&self, value: Value) -> Self {
        Self {
            file: Rc::clone(&self.file),
            line: self.line,
            value,
            tag: self.tag,
        }
    }

    pub fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        Problem {
            line: Some(self.line),
            ..Problem::new(&self.file, key, text)
        }
    }

    /// Returns the value of a key; null counts as missing.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        let (_, node) = entries.iter().find(|(name, _)| name == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// Replaces the value of a key, if it exists.
    pub fn change(&mut self, key: &str, with: impl FnOnce(&Self) -> Self) {
        if let Value::Map(entries) = &mut self.value
            && let Some((_, node)) = entries.iter_mut().find(|(name, _)| name == key)
        {
            *node = with(node);
        }
    }

    /// Returns a mapping with each value replaced.
    pub fn each(&self, with: impl Fn(&Self) -> Self) -> Self {
        let Value::Map(entries) = &self.value else {
            return self.clone();
        };
        let entries = entries.iter();
        let entries = entries.map(|(name, node)| (name.clone(), with(node)));
        self.with(Value::Map(entries.collect()))
    }

    /// Removes all other keys from a mapping.
    pub fn keep_only(&mut self, keys: &[&str]) {
        if let Value::Map(entries) = &mut self.value {
            entries.retain(|(name, _)| keys.contains(&name.as_str()));
        }
    }

    pub fn text(&self, key: &str) -> Result<&str, Problem> {
        match &self.value {
            Value::Text(text) => Ok(text),
            Value::Bad(why) => Err(self.problem(key, why)),
            _ => Err(self.problem(key, "it must be a string")),
        }
    }

    pub fn is_on(&self, key: &str) -> Result<bool, Problem> {
        match self.text(key)?.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" | "t" => Ok(true),
            "false" | "no" | "off" | "n" | "0" | "f" => Ok(false),
            _ => Err(self.problem(key, "it must be true or false")),
        }
    }

    pub fn entries(&self, key: &str) -> Result<&[(String, Self)], Problem> {
        match &self.value {
            Value::Null => Ok(&[]),
            Value::Map(entries) => Ok(entries),
            Value::Bad(why) => Err(self.problem(key, why)),
            _ => Err(self.problem(key, "it must be a mapping")),
        }
    }

    pub fn items(&self, key: &str) -> Result<&[Self], Problem> {
        match &self.value {
            Value::Null => Ok(&[]),
            Value::List(items) => Ok(items),
            Value::Bad(why) => Err(self.problem(key, why)),
            _ => Err(self.problem(key, "it must be a list")),
        }
    }

    /// Returns the texts of a list, or a single text.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Problem> {
        if let Value::Text(text) = &self.value {
            return Ok(vec![text.clone()]);
        }
        let items = self.items(key)?.iter();
        items.map(|it| it.text(key).map(str::to_owned)).collect()
    }

    /// Converts a list of `NAME=VALUE` to a mapping. A name alone has no value, and overrides an earlier one.
    pub fn as_map(&self) -> Self {
        let Value::List(items) = &self.value else {
            return self.each(Self::overriding);
        };
        let mut entries: Vec<(String, Self)> = Vec::new();
        let mut names: HashSet<&str> = HashSet::new();
        // From the end, because the last value of a name counts.
        for item in items.iter().rev() {
            let Value::Text(text) = &item.value else {
                // Reading the item as text reports its error later.
                entries.push((String::new(), item.clone()));
                continue;
            };
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Value::Text(value.to_owned())),
                None => (text.as_str(), Value::Null),
            };
            if names.insert(name) {
                entries.push((name.to_owned(), item.with(value).overriding()));
            }
        }
        entries.reverse();
        self.with(Value::Map(entries))
    }

    /// Returns the node so that it overrides others even if it is null.
    fn overriding(&self) -> Self {
        let is_null = matches!(self.value, Value::Null);
        let tag = self.tag.or(is_null.then_some(MergeTag::Override));
        Self {
            tag,
            ..self.clone()
        }
    }

    /// Merges another tree over this one: mappings key by key, lists appended, other values replaced.
    pub fn under(self, over: Self) -> Self {
        match over.tag {
            Some(MergeTag::Reset) => return over.with(Value::Null),
            Some(MergeTag::Override) => return over,
            None => {}
        }
        let (file, line) = match &over.value {
            Value::Null => (self.file, self.line),
            _ => (over.file, over.line),
        };
        let value = match (self.value, over.value) {
            (Value::Map(mut entries), Value::Map(others)) => {
                let names = entries.iter().enumerate();
                let places: HashMap<String, usize> =
                    names.map(|(at, (name, _))| (name.clone(), at)).collect();
                for (name, node) in others {
                    match places.get(&name) {
                        Some(at) => entries[*at].1.cover(node),
                        None if node.tag == Some(MergeTag::Reset) => {}
                        None => entries.push((name, node)),
                    }
                }
                Value::Map(entries)
            }
            (Value::List(mut items), Value::List(others)) => {
                let texts = items.iter().filter_map(Self::own_text);
                let mut texts: HashSet<String> = texts.collect();
                items.extend(others.into_iter().filter(|node| {
                    let text = node.own_text();
                    text.is_none_or(|text| texts.insert(text))
                }));
                Value::List(items)
            }
            (value, Value::Null) | (_, value) => value,
        };
        Self {
            file,
            line,
            value,
            tag: None,
        }
    }

    fn own_text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Merges another tree over this one, in place.
    pub fn cover(&mut self, over: Self) {
        let nothing = self.with(Value::Null);
        *self = std::mem::replace(self, nothing).under(over);
    }

    /// Returns the number of nodes; long texts count as several.
    pub fn size(&self) -> usize {
        1 + match &self.value {
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| node.size()).sum(),
            Value::Text(text) | Value::Bad(text) => text.len() / TEXT_OF_A_NODE,
            Value::Null => 0,
        }
    }
}
