//! YAML as a tree whose nodes have line numbers. The only module here that uses `saphyr-parser`.
//!
//! The parser emits events, so that reading stops at the limit that a document exceeds, before it takes much time or memory. An
//! alias is counted before it is resolved, and shares the node that it names.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    rc::Rc,
};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::secret::{MaskedText, Secret};

use super::{
    marks,
    problem::{FileWarnings, InvalidTaskFile},
};

/// The largest file that is read, in bytes, before and after its templates are rendered.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The error for a larger file.
pub(super) const TOO_LARGE: &str = "the file is larger than 1 MiB";

/// How many nodes a document may have with its aliases resolved: keys, values, lists and mappings.
pub const MAX_NODES: usize = 100_000;

/// How many bytes its texts may have with its aliases resolved.
const MAX_TEXT: usize = 2 * MAX_BYTES;

/// How deep its lists and mappings may nest.
pub const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub struct YamlValue {
    line: usize,
    value: Rc<Value>,
    merge_tag: Option<MergeTag>,
}

/// The tags by which a value in a compose file says how it overrides another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeTag {
    /// `!reset`: the value is removed.
    Reset,
    /// `!override`: the value replaces the other one instead of being merged.
    Override,
}

impl MergeTag {
    fn of(tag: Option<&Tag>) -> Option<Self> {
        match tag.filter(|tag| tag.handle == "!")?.suffix.as_ref() {
            "reset" => Some(Self::Reset),
            "override" => Some(Self::Override),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Value {
    Scalar {
        text: MaskedText,
        /// Whether it has neither quotes nor a tag, so that it may be a number, a boolean or null.
        is_plain: bool,
    },
    List(Vec<YamlValue>),
    Map(Vec<(String, YamlValue)>),
}

/// Reads a document. An empty text is an empty document.
pub fn parse(text: &MaskedText) -> Result<YamlValue, InvalidTaskFile> {
    if text.reveal().len() > MAX_BYTES {
        return Err(InvalidTaskFile::new(TOO_LARGE));
    }
    let known = if text.has_secret() {
        Some(secret_scalars(text)?)
    } else {
        None
    };
    let mut loader = Loader::new(known);
    let mut documents = 0;
    for event in Parser::new_from_str(text.reveal()) {
        let (event, span) = event.map_err(|problem| invalid(&problem))?;
        match event {
            Event::DocumentStart(_) => documents += 1,
            event => loader.take(event, span)?,
        }
        if documents > 1 {
            return Err(InvalidTaskFile::at(
                Some(span.start.line()),
                "the file has more than one document",
            ));
        }
    }
    Ok(loader.root.unwrap_or_else(|| YamlValue {
        line: 1,
        value: Rc::new(Value::Scalar {
            text: MaskedText::default(),
            is_plain: true,
        }),
        merge_tag: None,
    }))
}

fn invalid(problem: &ScanError) -> InvalidTaskFile {
    let line = Some(problem.marker().line());
    match problem.info() {
        // The parser reads a little ahead, and has a recursion limit of its own.
        "recursion limit exceeded" => InvalidTaskFile::at(line, too_deep()),
        info => InvalidTaskFile::at(line, info),
    }
}

fn too_deep() -> String {
    format!("the file is nested more than {MAX_DEPTH} deep")
}

/// The size of a node with its aliases resolved.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    nodes: usize,
    text: usize,
    /// The nesting depth, counting the node itself.
    depth: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.text += other.text;
        self.depth = self.depth.max(1 + other.depth);
    }
}

/// A list or a mapping whose end has not been read.
struct OpenNode {
    line: usize,
    anchor: usize,
    size: Size,
    kind: OpenKind,
    merge_tag: Option<MergeTag>,
}

enum OpenKind {
    List(Vec<YamlValue>),
    Map {
        entries: Vec<(String, YamlValue)>,
        names: HashSet<String>,
        merged: Vec<YamlValue>,
        /// The key whose value follows, and its line.
        key: Option<(String, usize)>,
    },
}

/// Builds a tree from the parser's events.
struct Loader {
    root: Option<YamlValue>,
    open: Vec<OpenNode>,
    anchors: HashMap<usize, (Rc<Value>, Size)>,
    /// The size of everything read so far, with aliases resolved.
    total: Size,
    /// The scalars of the document in order, where some of them are secret.
    known: Option<std::vec::IntoIter<MaskedText>>,
}

impl Loader {
    fn new(known: Option<Vec<MaskedText>>) -> Self {
        Self {
            root: None,
            open: Vec::new(),
            anchors: HashMap::new(),
            total: Size::default(),
            known: known.map(Vec::into_iter),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), InvalidTaskFile> {
        let line = span.start.line();
        match event {
            Event::Alias(anchor) => {
                let Some((value, size)) = self.anchors.get(&anchor) else {
                    let told = "an alias stands within what it names";
                    return Err(InvalidTaskFile::at(Some(line), told));
                };
                let (value, size) = (Rc::clone(value), *size);
                self.count(size, line)?;
                let node = YamlValue {
                    line,
                    value,
                    merge_tag: None,
                };
                self.place(node, size)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let size = Size {
                    nodes: 1,
                    text: text.len(),
                    depth: 0,
                };
                self.count(size, line)?;
                let known = self.known.as_mut().and_then(Iterator::next);
                let value = Rc::new(Value::Scalar {
                    is_plain: style == ScalarStyle::Plain && tag.is_none(),
                    text: known.unwrap_or_else(|| MaskedText::from(text.into_owned())),
                });
                self.name(anchor, &value, size);
                let node = YamlValue {
                    line,
                    value,
                    merge_tag: MergeTag::of(tag.as_deref()),
                };
                self.place(node, size)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(anchor, line, OpenKind::List(Vec::new()), tag.as_deref())
            }
            Event::MappingStart(anchor, tag) => {
                let kind = OpenKind::Map {
                    entries: Vec::new(),
                    names: HashSet::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.begin(anchor, line, kind, tag.as_deref())
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    /// Charges a node that is about to be added to the document.
    fn count(&mut self, size: Size, line: usize) -> Result<(), InvalidTaskFile> {
        let told = |text: String| Err(InvalidTaskFile::at(Some(line), text));
        self.total.nodes += size.nodes;
        self.total.text += size.text;
        if self.total.nodes > MAX_NODES {
            return told(format!(
                "the file has more than {MAX_NODES} nodes, aliases followed"
            ));
        }
        if self.total.text > MAX_TEXT {
            return told("the texts of the file are longer than 2 MiB, aliases followed".into());
        }
        if self.open.len() + size.depth > MAX_DEPTH {
            return told(too_deep());
        }
        Ok(())
    }

    fn begin(
        &mut self,
        anchor: usize,
        line: usize,
        kind: OpenKind,
        tag: Option<&Tag>,
    ) -> Result<(), InvalidTaskFile> {
        let size = Size {
            nodes: 1,
            text: 0,
            depth: 1,
        };
        self.count(size, line)?;
        self.open.push(OpenNode {
            line,
            anchor,
            size,
            kind,
            merge_tag: MergeTag::of(tag),
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), InvalidTaskFile> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = Rc::new(match open.kind {
            OpenKind::List(items) => Value::List(items),
            OpenKind::Map {
                mut entries,
                mut names,
                merged,
                ..
            } => {
                for other in merged {
                    merge(&other, &mut entries, &mut names)?;
                }
                Value::Map(entries)
            }
        });
        self.name(open.anchor, &value, open.size);
        self.place(
            YamlValue {
                line: open.line,
                value,
                merge_tag: open.merge_tag,
            },
            open.size,
        )
    }

    fn name(&mut self, anchor: usize, value: &Rc<Value>, size: Size) {
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(value), size));
        }
    }

    /// Adds a node to the list or mapping that is being read.
    fn place(&mut self, node: YamlValue, size: Size) -> Result<(), InvalidTaskFile> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size.add(size);
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Map {
                entries,
                names,
                merged,
                key,
            } => match key.take() {
                None => {
                    let at = Some(node.line);
                    let Value::Scalar { text, .. } = &*node.value else {
                        return Err(InvalidTaskFile::at(at, "keys must be strings"));
                    };
                    let name = text.reveal().to_owned();
                    if name != MERGE && !names.insert(name.clone()) {
                        return Err(InvalidTaskFile::at(at, format!("duplicate key `{text}`")));
                    }
                    *key = Some((name, node.line));
                }
                Some((name, _)) if name == MERGE => merged.push(node),
                Some((name, line)) => entries.push((name, YamlValue { line, ..node })),
            },
        }
        Ok(())
    }
}

/// The merge key: its value is a mapping, or a list of mappings, whose entries are merged.
const MERGE: &str = "<<";

/// Adds the entries of another mapping whose keys are missing.
fn merge(
    other: &YamlValue,
    entries: &mut Vec<(String, YamlValue)>,
    names: &mut HashSet<String>,
) -> Result<(), InvalidTaskFile> {
    match &*other.value {
        Value::Map(others) => {
            for (name, node) in others {
                if names.insert(name.clone()) {
                    entries.push((name.clone(), node.clone()));
                }
            }
            Ok(())
        }
        Value::List(others) if others.iter().all(|one| matches!(*one.value, Value::Map(_))) => {
            others.iter().try_for_each(|one| merge(one, entries, names))
        }
        _ => Err(InvalidTaskFile::at(
            Some(other.line),
            "`<<` takes a mapping or a list of mappings",
        )),
    }
}

/// Returns the scalars of a document in their order, each with its secret parts.
///
/// The positions of scalars in the text are known. Where a secret begins and ends in a scalar, after quotes and escapes are read, is
/// found by reading the document again with marks in it.
fn secret_scalars(text: &MaskedText) -> Result<Vec<MaskedText>, InvalidTaskFile> {
    let plain = scalars(text.reveal()).map_err(|problem| invalid(&problem))?;
    let (mut marked, mut at) = (String::new(), 0);
    let mut secret = text.secret_ranges();
    let mut has_secret = Vec::with_capacity(plain.len());
    for scalar in &plain {
        while secret
            .first()
            .is_some_and(|range| range.end <= scalar.inside.start)
        {
            secret = &secret[1..];
        }
        let ranges = secret.iter();
        let pieces: Vec<Range<usize>> = ranges
            .take_while(|range| range.start < scalar.inside.end)
            .flat_map(|range| pieces(text.reveal(), range, &scalar.inside))
            .collect();
        has_secret.push(!pieces.is_empty());
        for piece in pieces {
            if piece.start < at {
                continue;
            }
            marked.push_str(&text.reveal()[at..piece.start]);
            marked.push_str(&marks::around(&text.reveal()[piece.clone()]));
            at = piece.end;
        }
    }
    marked.push_str(&text.reveal()[at..]);
    let marked = scalars(&marked).unwrap_or_default();
    let is_same = marked.len() == plain.len();
    let found = plain.into_iter().zip(has_secret).enumerate();
    Ok(found
        .map(|(n, (scalar, has_secret))| {
            if !has_secret {
                return MaskedText::from(scalar.text);
            }
            // Where the marks changed how the text is read, all of it is secret.
            let parts = marked.get(n).filter(|_| is_same);
            parts
                .map(|scalar| marks::read(&scalar.text))
                .filter(|parts| parts.reveal() == scalar.text)
                .unwrap_or_else(|| MaskedText::from(Secret::new(scalar.text)))
        })
        .collect())
}

/// The value of a scalar, and its byte range in the document without its quotes.
struct Scalar {
    text: String,
    inside: Range<usize>,
}

/// Returns the scalars of a document in order. A scalar whose position the parser does not give gets the range of the whole
/// document.
fn scalars(text: &str) -> Result<Vec<Scalar>, ScanError> {
    let mut all = Vec::new();
    let mut offsets = text.char_indices().map(|(at, _)| at).enumerate();
    // Scalars come in the order of the text, so their positions are computed in one pass.
    let mut last = (0, 0);
    let mut is_in_order = true;
    let mut byte = |character: usize| {
        is_in_order &= last.0 <= character;
        while last.0 < character {
            match offsets.next() {
                Some(next) => last = next,
                None => last = (character, text.len()),
            }
        }
        last.1
    };
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        match event {
            Event::Scalar(found, style, ..) => {
                let start = byte(span.start.index());
                let quote = match style {
                    ScalarStyle::SingleQuoted => Some('\''),
                    ScalarStyle::DoubleQuoted => Some('"'),
                    _ => None,
                };
                let inside = match quote {
                    // An anchor or a tag may precede the quote.
                    Some(quote) => {
                        let open = text[start..].find(quote).map_or(start, |at| start + at + 1);
                        open..byte(span.end.index().saturating_sub(1))
                    }
                    None => start..byte(span.end.index()),
                };
                let text = found.into_owned();
                all.push(Scalar { text, inside });
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        // [`parse`] reports these limits.
        if all.len() > MAX_NODES || depth > MAX_DEPTH {
            break;
        }
    }
    if !is_in_order {
        for scalar in &mut all {
            scalar.inside = 0..text.len();
        }
    }
    Ok(all)
}

/// Returns the parts of a secret that lie in a scalar, line by line, because the blanks around a line belong to YAML.
fn pieces(text: &str, secret: &Range<usize>, inside: &Range<usize>) -> Vec<Range<usize>> {
    let start = secret.start.max(inside.start);
    let end = secret.end.min(inside.end);
    if start >= end {
        return Vec::new();
    }
    let mut pieces = Vec::new();
    let mut at = start;
    for line in text[start..end].split_inclusive('\n') {
        let begin = at + (line.len() - line.trim_start().len());
        let piece = begin..begin + line.trim().len();
        if !piece.is_empty() {
            pieces.push(piece);
        }
        at += line.len();
    }
    pieces
}

/// Reads a values file: a mapping of any values.
pub(super) fn values(text: &str) -> Result<BTreeMap<String, serde_json::Value>, InvalidTaskFile> {
    let document = parse(&MaskedText::from(text))?;
    match &*document.value {
        Value::Map(entries) => Ok(entries
            .iter()
            .map(|(name, node)| (name.clone(), json(node)))
            .collect()),
        _ if is_nothing(&document.value) => Ok(BTreeMap::new()),
        _ => Err(InvalidTaskFile::new("a values file must be a mapping")),
    }
}

/// Returns a node as JSON; plain scalars are typed by the core schema of YAML 1.2.
fn json(node: &YamlValue) -> serde_json::Value {
    match &*node.value {
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter();
            let object = entries.map(|(name, node)| (name.clone(), json(node)));
            serde_json::Value::Object(object.collect())
        }
        value if is_nothing(value) => serde_json::Value::Null,
        Value::Scalar { text, is_plain } => {
            let text = text.reveal();
            match (is_plain, text) {
                (true, "true" | "True" | "TRUE") => true.into(),
                (true, "false" | "False" | "FALSE") => false.into(),
                (true, text) => match whole(text) {
                    Some(number) => number.into(),
                    None => float(text).map_or_else(|| text.into(), Into::into),
                },
                (false, text) => text.into(),
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Scalar {
            text,
            is_plain: true,
        } => matches!(text.reveal(), "" | "~" | "null" | "Null" | "NULL"),
        _ => false,
    }
}

/// Parses an integer as in YAML: decimal, `0x` or `0o`. With leading zeros it is a text.
fn whole(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = |digits: &str, radix| {
        let starts = digits.starts_with(|c: char| c.is_digit(radix));
        let number = starts.then(|| i128::from_str_radix(digits, radix).ok())??;
        i64::try_from(sign * number).ok()
    };
    match digits.get(..2) {
        Some("0x") => number(&digits[2..], 16),
        Some("0o") => number(&digits[2..], 8),
        Some(two) if two.starts_with('0') => None,
        _ => number(digits, 10),
    }
}

/// Parses a number with a point or an exponent.
fn float(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['-', '+']);
    let leads = digits.strip_prefix('.').unwrap_or(digits);
    let is_number = leads.starts_with(|c: char| c.is_ascii_digit())
        && text.contains(['.', 'e', 'E'])
        && text.len() - digits.len() <= 1;
    text.parse().ok().filter(|_| is_number)
}

/// A node of a document, with its position for messages.
#[derive(Clone, Copy, Debug)]
pub struct YamlNode<'a> {
    document: &'a YamlValue,
    /// The nearest key above it.
    key: Option<&'a str>,
    is_item: bool,
}

impl<'a> YamlNode<'a> {
    pub fn root(document: &'a YamlValue) -> Self {
        Self {
            document,
            key: None,
            is_item: false,
        }
    }

    /// Returns an error about this node.
    pub fn problem(&self, text: impl Into<String>) -> InvalidTaskFile {
        InvalidTaskFile::at(self.line(), text)
    }

    /// Returns the line of this node, counted from 1; for a value of a mapping, that of its key.
    pub fn line(&self) -> Option<usize> {
        Some(self.document.line)
    }

    /// Tells whether this is a scalar without quotes and tag, which may be a number.
    pub fn is_plain(&self) -> bool {
        matches!(&*self.document.value, Value::Scalar { is_plain: true, .. })
    }

    /// Returns how a value of a compose file overrides another, where it says so.
    pub fn merge_tag(&self) -> Option<MergeTag> {
        self.document.merge_tag
    }

    /// Returns the value of a key. Null counts as missing.
    pub fn get(&self, key: &str) -> Option<Self> {
        let Value::Map(entries) = &*self.document.value else {
            return None;
        };
        let (name, node) = entries.iter().find(|(name, _)| name == key)?;
        (!is_nothing(&node.value)).then(|| Self::below(node, name))
    }

    /// Returns the keys and values of a mapping; null has none.
    pub fn entries(&self) -> Result<Vec<(&'a str, Self)>, InvalidTaskFile> {
        match &*self.document.value {
            Value::Map(entries) => Ok(entries
                .iter()
                .map(|(name, node)| (name.as_str(), Self::below(node, name)))
                .collect()),
            value if is_nothing(value) => Ok(Vec::new()),
            _ => Err(self.problem(format!("{} must be a mapping", self.name()))),
        }
    }

    /// Returns the items of a list; null has none.
    pub fn items(&self) -> Result<Vec<Self>, InvalidTaskFile> {
        match &*self.document.value {
            Value::List(items) => Ok(items
                .iter()
                .map(|document| Self {
                    document,
                    key: self.key,
                    is_item: true,
                })
                .collect()),
            value if is_nothing(value) => Ok(Vec::new()),
            _ => Err(self.problem(format!("{} must be a list", self.name()))),
        }
    }

    /// Returns a text; numbers and booleans are texts too, as they are written.
    pub fn text(&self) -> Result<Option<&'a MaskedText>, InvalidTaskFile> {
        match &*self.document.value {
            value if is_nothing(value) => Ok(None),
            Value::Scalar { text, .. } => Ok(Some(text)),
            _ => Err(self.problem(format!("{} must be a string", self.name()))),
        }
    }

    /// Returns an integer.
    pub fn whole(&self) -> Result<i64, InvalidTaskFile> {
        let number = match &*self.document.value {
            Value::Scalar {
                text,
                is_plain: true,
            } => whole(text.reveal()),
            _ => None,
        };
        number.ok_or_else(|| self.problem(format!("{} must be a whole number", self.name())))
    }

    /// Returns a boolean, in any of YAML's words.
    pub fn switch(&self) -> Result<bool, InvalidTaskFile> {
        let word = match &*self.document.value {
            Value::Scalar { text, .. } => text.reveal(),
            _ => "",
        };
        match word.to_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(self.problem(format!("{} must be true or false", self.name()))),
        }
    }

    /// Warns of unknown keys of a mapping. `known` lists the known ones, separated by blanks.
    pub fn unknown_keys(
        &self,
        known: &str,
        notices: &mut FileWarnings,
    ) -> Result<(), InvalidTaskFile> {
        for (key, node) in self.entries()? {
            if !known.split(' ').any(|known| known == key) {
                let text = format!("`{key}` has no meaning here and is ignored");
                notices.add(node.line(), text);
            }
        }
        Ok(())
    }

    fn below(document: &'a YamlValue, key: &'a str) -> Self {
        Self {
            document,
            key: Some(key),
            is_item: false,
        }
    }

    /// Returns the nearest key, for messages.
    fn name(&self) -> String {
        match (self.key, self.is_item) {
            (Some(key), true) => format!("each of `{key}`"),
            (Some(key), false) => format!("`{key}`"),
            (None, _) => "the file".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> YamlValue {
        parse(&MaskedText::from(text)).unwrap()
    }

    fn problem(text: &str) -> InvalidTaskFile {
        parse(&MaskedText::from(text)).unwrap_err()
    }

    const TEXT: &str = "version: v1.0.0\n\nsteps:\n  - id: a\n    cmd: x\n  - id: b\n    when: [a,\n      c]\n    env:\n    - A=1\n";

    #[test]
    fn yaml_nodes_have_their_lines() {
        let document = document(TEXT);
        let root = YamlNode::root(&document);
        let steps = root.get("steps").unwrap();
        let second = steps.items().unwrap()[1];
        let (when, env) = (second.get("when").unwrap(), second.get("env").unwrap());
        let item = |node: YamlNode<'_>, n: usize| node.items().unwrap()[n].line();
        assert_eq!(root.get("version").unwrap().line(), Some(1));
        assert_eq!(steps.line(), Some(3));
        assert_eq!(item(steps, 0), Some(4));
        assert_eq!(second.line(), Some(6));
        assert_eq!(when.line(), Some(7));
        assert_eq!(item(when, 1), Some(8));
        assert_eq!(item(env, 0), Some(10));
    }

    #[test]
    fn yaml_value_of_the_wrong_type_is_reported_with_its_key() {
        let document = document("a: [1]\nb: {c: d}\nn: 5\nyes: On\nl: x\nq: '7'\n");
        let root = YamlNode::root(&document);
        let node = |key: &str| root.get(key).unwrap();
        assert_eq!(node("n").text().unwrap(), Some(&MaskedText::from("5")));
        assert_eq!(node("n").whole(), Ok(5));
        assert_eq!(node("yes").switch(), Ok(true));
        let told = |problem: InvalidTaskFile| problem.to_string();
        assert_eq!(
            told(node("b").text().unwrap_err()),
            "line 2: `b` must be a string"
        );
        assert_eq!(
            told(node("l").items().unwrap_err()),
            "line 5: `l` must be a list"
        );
        assert_eq!(
            told(node("q").whole().unwrap_err()),
            "line 6: `q` must be a whole number"
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
    fn invalid_yaml_is_reported_with_its_line() {
        assert_eq!(problem("a: 1\nb: [1\n").line, Some(3));
        assert_eq!(
            problem("a: 1\nb: 3\na: 2\n").to_string(),
            "line 3: duplicate key `a`"
        );
        assert_eq!(problem("a: 1\nb: @\n").line, Some(2));
        assert_eq!(problem("a: 1\n---\nb: 2\n").line, Some(2));
        assert_eq!(problem("a: *nowhere\n").line, Some(1));
    }

    #[test]
    fn yaml_scalars_follow_the_core_schema() {
        let text = "i: -5\nx: 0x1F\no: 0o17\nz: 007\nf: 1.50\ne: 1e3\nt: True\nn: ~\nq: 'true'\nl: [1, a]\ns: !!str 5\nv: 1.2.3\n";
        let found = serde_json::to_value(values(text).unwrap()).unwrap();
        assert_eq!(
            found,
            serde_json::json!({
                "i": -5, "x": 31, "o": 15, "z": "007", "f": 1.5, "e": 1000.0, "t": true, "n": null,
                "q": "true", "l": [1, "a"], "s": "5", "v": "1.2.3"
            })
        );
    }

    #[test]
    fn yaml_merge_keys_are_applied_and_own_entries_win() {
        let text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nuse:\n  <<: [*b, *o]\n  x: 5\n";
        let document = document(text);
        let used = YamlNode::root(&document).get("use").unwrap();
        let of = |key: &str| used.get(key).unwrap().whole();
        assert_eq!((of("x"), of("y"), of("z")), (Ok(5), Ok(2), Ok(4)));
        assert_eq!(
            problem("a:\n  <<: 5\n").to_string(),
            "line 2: `<<` takes a mapping or a list of mappings"
        );
    }

    #[test]
    fn yaml_file_over_1_mib_is_refused() {
        let large = problem(&"#".repeat(MAX_BYTES + 1));
        assert_eq!(large.to_string(), "the file is larger than 1 MiB");
    }

    #[test]
    fn yaml_aliases_are_counted_before_they_are_expanded() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..300 {
            let before = format!("*a{}", n - 1);
            text += &format!("a{n}: &a{n} [{}]\n", vec![before; 2].join(", "));
        }
        assert!(text.len() < 8 * 1024);
        assert_eq!(
            problem(&text).to_string(),
            "line 14: the file has more than 100000 nodes, aliases followed"
        );
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1000), "*a, ".repeat(3000));
        let told = "line 2: the texts of the file are longer than 2 MiB, aliases followed";
        assert_eq!(problem(&text).to_string(), told);
        assert_eq!(
            problem("a: &a [*a]\n").to_string(),
            "line 1: an alias stands within what it names"
        );
    }

    #[test]
    fn yaml_file_nested_over_64_levels_is_refused() {
        let told = "line 1: the file is nested more than 64 deep";
        assert_eq!(problem(&"[".repeat(32 * 1024)).to_string(), told);
        assert_eq!(problem(&"{a: ".repeat(9000)).to_string(), told);
        assert!(
            parse(&MaskedText::from(format!(
                "{}{}",
                "[".repeat(64),
                "]".repeat(64)
            )))
            .is_ok()
        );
        let mut text = "a0: &a0 [x]\n".to_owned();
        for n in 1..80 {
            text += &format!("a{n}: &a{n} [*a{}]\n", n - 1);
        }
        assert!(problem(&text).text.contains("nested more than 64 deep"));
    }

    #[test]
    fn secrets_are_found_in_yaml_scalars_of_every_style() {
        let template = "plain: A=@\nsingle: 'A=@'\ndouble: \"A=\\t@\"\nliteral: |\n  A=@\n  b\nfolded: >-\n  A=@\n  b\nlist: [@, b]\nwhole: @\n";
        for secret in ["hunter2", "a", "x y", "q\\u0041"] {
            let (mut text, mut ranges) = (String::new(), Vec::new());
            for (n, part) in template.split('@').enumerate() {
                if n > 0 {
                    ranges.push(text.len()..text.len() + secret.len());
                    text.push_str(secret);
                }
                text.push_str(part);
            }
            let plain = document(&text);
            let marked = parse(&MaskedText::with_secrets(text.clone(), ranges)).unwrap();
            let shown = |document: &YamlValue| -> Vec<(String, String)> {
                let root = YamlNode::root(document);
                let entries = root.entries().unwrap().into_iter();
                let texts = entries.flat_map(|(_, node)| node.items().unwrap_or(vec![node]));
                texts
                    .map(|node| node.text().unwrap().unwrap())
                    .map(|text| (text.reveal().to_owned(), text.to_string()))
                    .collect()
            };
            let (plain, marked) = (shown(&plain), shown(&marked));
            let shown: Vec<&str> = marked.iter().map(|(_, shown)| shown.as_str()).collect();
            assert_eq!(
                shown,
                [
                    "A=***",
                    "A=***",
                    "A=\t***",
                    "A=***\nb\n",
                    "A=*** b",
                    "***",
                    "b",
                    "***"
                ],
                "{secret}"
            );
            let revealed = |all: &[(String, String)]| -> Vec<String> {
                all.iter().map(|(revealed, _)| revealed.clone()).collect()
            };
            assert_eq!(revealed(&plain), revealed(&marked));
        }
    }

    #[test]
    fn secret_that_changes_yaml_parsing_never_reveals_more() {
        for (before, secret, after) in [
            ("a: ", "b: c", "\n"),
            ("a: [", "b, c", "]\n"),
            ("a: ", "|\n  b\n  c", "\n"),
            ("a: \"", "b\\", "n\"\n"),
            ("a: '", "b''", "c'\n"),
            ("a: \"x \\", "n\\", "n\"\n"),
        ] {
            let text = format!("{before}{secret}{after}");
            let range = before.len()..before.len() + secret.len();
            let Ok(document) = parse(&MaskedText::with_secrets(text, vec![range])) else {
                continue;
            };
            let node = YamlNode::root(&document).get("a").unwrap();
            for node in node.items().unwrap_or(vec![node]) {
                let text = node.text().unwrap().unwrap();
                assert!(
                    !text.to_string().contains(['b', 'c']) || after.contains('c'),
                    "{text}"
                );
                assert!(text.has_secret(), "{}", text.reveal());
            }
        }
    }
}
