//! Replaces `${A:-b}` in compose files and their `.env`, by the rules of compose-go's `template` package.

use std::collections::BTreeSet;

use crate::{
    secret::MaskedText,
    steps::{YamlNode, parse_yaml},
};

/// How deep defaults may nest.
const MAX_DEPTH: usize = 32;

/// How many bytes all texts may have after replacement, and all values that are looked up for them.
pub const MAX_TEXT: usize = 8 * 1024 * 1024;

const TOO_LONG: &str = "its variables make it too long";

/// Replaces variables by their values, and records missing ones.
pub struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The variables without a value and a default.
    pub unset: BTreeSet<String>,
    /// How many bytes may still be produced.
    pub left: usize,
}

/// The operators for variables that have a value or none.
const OPERATORS: [&str; 6] = [":-", "-", ":?", "?", ":+", "+"];

impl<'a> Variables<'a> {
    /// Returns an expander that takes values from `lookup`.
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            lookup,
            unset: BTreeSet::new(),
            left: MAX_TEXT,
        }
    }

    /// Returns an expander that takes values from `lookup`, and may produce only what another one has left.
    pub fn within(lookup: &'a dyn Fn(&str) -> Option<String>, left: usize) -> Self {
        Self {
            left,
            ..Self::new(lookup)
        }
    }

    /// Returns a text with its variables replaced.
    pub fn expand(&mut self, text: &str) -> Result<String, String> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        self.expand_at(text, 0)
    }

    fn expand_at(&mut self, text: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err(format!("variables are nested more than {MAX_DEPTH} deep"));
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let name = name_of(after);
            if let Some(after) = after.strip_prefix('$') {
                result.push('$');
                rest = after;
            } else if !name.is_empty() {
                result.push_str(&self.value(name)?);
                rest = &after[name.len()..];
            } else if let Some(inside) = after.strip_prefix('{') {
                let end = closing(inside).ok_or_else(|| invalid(text))?;
                result.push_str(&self.braced(&inside[..end], depth)?);
                rest = &inside[end + 1..];
            } else {
                result.push('$');
                rest = after;
            }
            if result.len() > self.left {
                return Err(TOO_LONG.to_owned());
            }
        }
        result.push_str(rest);
        self.left = self.left.saturating_sub(result.len());
        Ok(result)
    }

    fn value(&mut self, name: &str) -> Result<String, String> {
        let value = self.looked_up(name)?;
        Ok(value.unwrap_or_else(|| {
            self.unset.insert(name.to_owned());
            String::new()
        }))
    }

    /// Returns the value of a variable, and counts it, even where it is not used.
    fn looked_up(&mut self, name: &str) -> Result<Option<String>, String> {
        let value = (self.lookup)(name);
        let size = value.as_ref().map_or(0, String::len);
        self.left = self.left.checked_sub(size).ok_or(TOO_LONG)?;
        Ok(value)
    }

    /// Looks up the variables of all texts of a part of a file.
    fn read(&mut self, part: &YamlNode<'_>) {
        if let Ok(Some(text)) = part.text() {
            // What is wrong with it, docker compose says itself.
            let _ = self.expand(text.reveal());
        }
        for item in part.items().unwrap_or_default() {
            self.read(&item);
        }
        for (_, value) in part.entries().unwrap_or_default() {
            self.read(&value);
        }
    }

    /// Returns the replacement of an expression in braces.
    fn braced(&mut self, inside: &str, depth: usize) -> Result<String, String> {
        let name = name_of(inside);
        let rest = &inside[name.len()..];
        if name.is_empty() {
            return Err(invalid(&format!("${{{inside}}}")));
        }
        if rest.is_empty() {
            return self.value(name);
        }
        let Some(operator) = OPERATORS.iter().find(|it| rest.starts_with(**it)) else {
            return Err(invalid(&format!("${{{inside}}}")));
        };
        let word = &rest[operator.len()..];
        let value = self.looked_up(name)?;
        let value = value.filter(|value| !operator.starts_with(':') || !value.is_empty());
        match (operator.trim_start_matches(':'), value) {
            ("+", Some(_)) | ("-", None) => self.expand_at(word, depth + 1),
            ("+", None) => Ok(String::new()),
            ("?", None) => {
                let word = self.expand_at(word, depth + 1)?;
                Err(if word.is_empty() {
                    format!("variable `{name}` has to be set")
                } else {
                    format!("variable `{name}` has to be set: {word}")
                })
            }
            (_, Some(value)) => Ok(value),
            (_, None) => Err(invalid(inside)),
        }
    }
}

/// Returns the variables without a value and a default in what a compose file says about running one service: docker compose takes them as
/// empty. Of another file, none.
pub fn unset_of_service(
    file: &str,
    service: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> BTreeSet<String> {
    let mut variables = Variables::new(lookup);
    let Ok(yaml) = parse_yaml(&MaskedText::from(file)) else {
        return variables.unset;
    };
    for (key, part) in YamlNode::root(&yaml).entries().unwrap_or_default() {
        if key != "services" {
            if !key.starts_with("x-") {
                variables.read(&part);
            }
            continue;
        }
        let own = part.get(service);
        let extends = own.is_some_and(|own| own.get("extends").is_some());
        let services = part.entries().unwrap_or_default().into_iter();
        let services = services.filter(|(name, _)| extends || *name == service);
        let parts = services.flat_map(|(_, it)| it.entries().unwrap_or_default());
        parts
            .filter(|(key, _)| *key != "build")
            .for_each(|(_, part)| variables.read(&part));
    }
    variables.unset
}

fn invalid(text: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!(
        "`{}` is not a valid variable; write a dollar sign as `$$`",
        shown.escape_debug()
    )
}

/// Returns the variable name at the start of a text; empty where there is none.
fn name_of(text: &str) -> &str {
    let is_part = |(n, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (n > 0 && c.is_ascii_digit())
    };
    let end = text.char_indices().find(|it| !is_part(*it));
    &text[..end.map_or(text.len(), |(at, _)| at)]
}

/// Returns the position of the brace that closes the one opened before `text`. Each brace within counts, so that a default may be JSON; where
/// they are not in pairs, the last one of the line closes it, as in compose-go.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    text.split('\n').next()?.rfind('}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "A" => Some("a".to_owned()),
            "E" => Some(String::new()),
            _ => None,
        };
        Variables::new(&lookup).expand(text)
    }

    #[test]
    fn compose_variable_forms_are_expanded() {
        for (text, wanted) in [
            ("x$A-${A}y", "xa-ay"),
            ("$$A ${A:-b} ${E:-b} ${U:-b}", "$A a b b"),
            ("${A-b}|${E-b}|${U-b}", "a||b"),
            ("${A:+b}|${E:+b}|${U:+b}", "b||"),
            ("${A+b}|${E+b}|${U+b}", "b|b|"),
            ("${A?no}|${E?no}", "a|"),
            ("${U:-${E:-${A}x}}", "ax"),
            ("${U:-a-b:?c}", "a-b:?c"),
            ("${U}$U", ""),
            ("${U:-{}}|${A:-{}}", "{}|a"),
            (
                "${U:-{\"a\":{\"b\":1}}}|${U:-{a}-${A}}",
                "{\"a\":{\"b\":1}}|{a}-a",
            ),
            ("${U:-{a}b}c}{${U:-{${A}}}", "{a}bc}{{a}"),
            ("${U:-{}x", "{x"),
            ("${U:-{${A}}", "{a"),
            ("plain", "plain"),
            ("^v.*$ $5 a $ b s3cr$!t$", "^v.*$ $5 a $ b s3cr$!t$"),
            ("$$$A$$", "$a$"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn unset_required_compose_variable_is_reported_with_the_message_of_the_file() {
        let problem = |text: &str| expanded(text).unwrap_err();
        assert_eq!(
            problem("${U:?give it}"),
            "variable `U` has to be set: give it"
        );
        assert_eq!(problem("${E:?}"), "variable `E` has to be set");
        for text in ["${", "a $ ${", "${}", "${A", "${A!b}", "${1}"] {
            assert!(problem(text).contains("is not a valid variable"), "{text}");
        }
    }

    #[test]
    fn compose_variable_nesting_and_growth_are_limited() {
        let deep = format!("{}{}", "${U:-".repeat(10_000), "}".repeat(10_000));
        assert!(expanded(&deep).unwrap_err().contains("nested"));
        let long = |_: &str| Some("x".repeat(1024 * 1024));
        let mut variables = Variables::new(&long);
        assert!(variables.expand(&"$A".repeat(100)).is_err());
    }

    #[test]
    fn variables_that_running_a_service_needs_are_named_where_they_are_unset() {
        let file = "
x-env: {X: $X}
networks: {n: {name: $N}}
services:
  a: {build: $B, environment: {P: $P, A: $A, D: '${D:-d}'}, volumes: ['$V:/v'], ports: [{published: '${Q}'}]}
  b: {image: $I}
  c: {extends: b}
";
        let lookup = |name: &str| (name == "A").then(String::new);
        for (service, wanted) in [
            ("a", &["N", "P", "Q", "V"][..]),
            ("b", &["I", "N"]),
            ("c", &["I", "N", "P", "Q", "V"]),
        ] {
            let unset = unset_of_service(file, service, &lookup);
            assert_eq!(unset.iter().collect::<Vec<_>>(), wanted, "{service}");
        }
        assert!(unset_of_service("A=$B", "a", &lookup).is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_expanded_or_refused_without_a_panic(text in "[$A{}:?+\\-a]{0,30}") {
            let _ = expanded(&text);
        }
    }
}
