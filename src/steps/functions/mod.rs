//! The functions of Sprig that people use in task files, and those that Go's templates bring themselves: all of them pay for what they
//! look at and make, and know which texts are secret.
//!
//! Left out are those whose answer is not the same twice (`randAlpha`, `uuidv4`), those that look at the machine (`env`,
//! `osBase`) and cryptography; `now` is the time of the run.

mod builtin;
mod lists;
mod numbers;
mod patterns;
mod texts;

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use gotmpl::{FuncMap, TemplateError, Value};

use super::{
    budget::{BYTES_OF_ITEM, Budget},
    marks,
};

type Answer = Result<Value, TemplateError>;
type Function = fn(&Call<'_>) -> Answer;

/// What an entry of a mapping takes up besides its text.
const BYTES_OF_ENTRY: usize = 64;

/// Returns all functions. `date` is the run's, as `yyyyMMdd-HHmmssz`.
pub(super) fn all(date: &str, budget: &Arc<Budget>) -> FuncMap {
    let mut map = FuncMap::new();
    let each = [
        texts::ALL,
        patterns::ALL,
        lists::ALL,
        numbers::ALL,
        builtin::ALL,
    ];
    for (name, function) in each.concat() {
        let budget = Arc::clone(budget);
        let counted = move |args: &[Value]| {
            budget.pay_steps(1 + args.len())?;
            function(&Call::new(args, &budget))
        };
        map.insert(name.to_owned(), Arc::new(counted));
    }
    for (name, templates) in builtin::templates() {
        let budget = Arc::clone(budget);
        let counted = move |args: &[Value]| {
            budget.pay_steps(1 + args.len())?;
            templates.call(&Call::new(args, &budget))
        };
        map.insert(name.to_owned(), Arc::new(counted));
    }
    let now = Value::String(date.into());
    map.insert(
        "now".to_owned(),
        Arc::new(move |_: &[Value]| Ok(now.clone())),
    );
    map
}

/// One call of a function.
struct Call<'a> {
    args: &'a [Value],
    budget: &'a Budget,
    /// Whether a text was looked at that is secret: what is made of it is secret too.
    is_secret: Cell<bool>,
}

impl<'a> Call<'a> {
    fn new(args: &'a [Value], budget: &'a Budget) -> Self {
        Self {
            args,
            budget,
            is_secret: Cell::new(false),
        }
    }

    /// Returns an argument; what is not there is nothing.
    fn value(&self, n: usize) -> &'a Value {
        self.args.get(n).unwrap_or(&Value::Nil)
    }

    /// Returns an argument as text; nothing is empty.
    fn text(&self, n: usize) -> Result<String, TemplateError> {
        self.text_of(self.value(n))
    }

    /// Returns the last argument as text: what a pipe hands over.
    fn last_text(&self) -> Result<String, TemplateError> {
        self.text(self.args.len().saturating_sub(1))
    }

    /// Returns a value as text.
    fn text_of(&self, value: &Value) -> Result<String, TemplateError> {
        let marked = self.budget.shown(value)?;
        if !marks::has_marks(&marked) {
            return Ok(marked);
        }
        self.is_secret.set(true);
        Ok(marks::without(&marked).into_owned())
    }

    /// Returns a value as text in which what is secret stays marked: for functions that put texts together as they are.
    fn marked(&self, value: &Value) -> Result<String, TemplateError> {
        self.budget.shown(value)
    }

    /// Returns an argument as a whole number; text is read, and what is none is 0, as in Sprig.
    fn whole(&self, n: usize) -> Result<i64, TemplateError> {
        let value = self.value(n);
        Ok(match value {
            Value::Bool(yes) => i64::from(*yes),
            Value::String(_) => {
                let text = self.text(n)?;
                let text = text.trim();
                text.parse()
                    .unwrap_or_else(|_| truncated(text.parse().unwrap_or(0.0)))
            }
            other => other
                .as_int()
                .unwrap_or_else(|| truncated(other.as_float().unwrap_or(0.0))),
        })
    }

    /// Returns an argument as a number; what is none is 0.
    fn float(&self, n: usize) -> Result<f64, TemplateError> {
        Ok(match self.value(n) {
            Value::String(text) => {
                // Digits are read far more slowly than bytes are looked at.
                self.budget.pay_look(text.len().saturating_mul(8))?;
                self.text(n)?.trim().parse().unwrap_or(0.0)
            }
            other => other.as_float().unwrap_or(0.0),
        })
    }

    /// Returns the items of a list; what is none has none.
    fn items(&self, n: usize) -> Result<&'a [Value], TemplateError> {
        let items: &[Value] = match self.value(n) {
            Value::List(items) => items,
            _ => &[],
        };
        self.budget.pay_look(items.len() * BYTES_OF_ITEM)?;
        Ok(items)
    }

    /// Returns the entries of a mapping; what is none has none.
    fn entries(&self, n: usize) -> Result<&'a BTreeMap<Arc<str>, Value>, TemplateError> {
        static NONE: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let map = match self.value(n) {
            Value::Map(map) => map,
            _ => &NONE,
        };
        self.budget.pay_look(map.len() * BYTES_OF_ENTRY)?;
        Ok(map)
    }

    /// Checks that as much can still be made, before it is.
    fn check(&self, bytes: usize) -> Result<(), TemplateError> {
        self.budget.check_made(bytes)
    }

    /// Answers with a text that is made of what was looked at.
    fn made(&self, text: String) -> Answer {
        match self.is_secret.get() {
            true => self.made_marked(marks::around(&text)),
            false => self.made_marked(text),
        }
    }

    /// Answers with a text in which what is secret is marked.
    fn made_marked(&self, text: String) -> Answer {
        self.budget.pay_made(text.len())?;
        Ok(Value::String(text.into()))
    }

    /// Answers with a list of values that were in one, or in nothing, before.
    fn list(&self, items: Vec<Value>) -> Answer {
        self.budget.pay_made(items.len() * BYTES_OF_ITEM)?;
        Ok(Value::List(items.into()))
    }

    /// Answers with a list of texts that are made of what was looked at.
    fn texts(&self, texts: impl IntoIterator<Item = String>) -> Answer {
        let items = texts.into_iter().map(|text| self.made(text));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        self.list(items)
    }

    /// Answers with a mapping of values that were in one, or in nothing, before.
    fn map(&self, map: BTreeMap<Arc<str>, Value>) -> Answer {
        self.budget.pay_made(map.len() * BYTES_OF_ENTRY)?;
        Ok(Value::Map(Arc::new(map)))
    }

    /// Checks that a value can become part of another.
    fn check_part(&self, value: &Value) -> Result<(), TemplateError> {
        self.budget.check_depth(value)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, as wanted")]
fn truncated(number: f64) -> i64 {
    number as i64
}

fn fail<T>(text: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError::Exec(text.into()))
}
#[cfg(test)]
mod tests {
    use crate::steps::{InvalidTaskFile, Run, Variables, render::Renderer};

    fn render(text: &str, variables: &Variables) -> Result<String, InvalidTaskFile> {
        let text = Renderer::new(variables).unwrap().render(text)?;
        Ok(text.reveal().to_owned())
    }

    /// What each template comes to.
    const EXAMPLES: &[(&str, &str)] = &[
        (r#""hello world" | title"#, "Hello World"),
        (r#""  a b " | trim | nospace"#, "ab"),
        (r#"trimAll "/" "/a/b/""#, "a/b"),
        (r#""v1.2" | trimPrefix "v""#, "1.2"),
        (r#""latest" | trunc 3"#, "lat"),
        (r#""latest" | trunc -3"#, "est"),
        (r#"substr 1 3 "abcdef""#, "bc"),
        (r#"abbrev 5 "abcdefgh""#, "ab..."),
        (r#""a.b.c" | replace "." "-""#, "a-b-c"),
        (r#"list "a" 1 | join ",""#, "a,1"),
        (r#"splitList "/" "a/b" | first"#, "a"),
        (r#"(split "." "a.b")._1"#, "b"),
        (r#"quote "a b" 3"#, r#""a b" "3""#),
        (r#"squote "a""#, "'a'"),
        (r#"cat "a" "b" 3"#, "a b 3"),
        (r#"indent 2 "a\nb""#, "  a\n  b"),
        (r#""FooBar-baz" | snakecase"#, "foo_bar_baz"),
        (r#""foo_bar" | camelcase"#, "FooBar"),
        (r#""FooBar" | kebabcase"#, "foo-bar"),
        (r#""hi" | b64enc | b64dec"#, "hi"),
        (r#""abc" | sha256sum | trunc 8"#, "ba7816bf"),
        (r#"regexReplaceAll "[^a-z]+" "a1b2" "-""#, "a-b-"),
        (r#"regexMatch "^v[0-9]" "v1""#, "true"),
        (r#"contains "b" "abc""#, "true"),
        (r#"hasPrefix "a" "abc""#, "true"),
        (r#"default "x" """#, "x"),
        (r#"default "x" "y""#, "y"),
        (r#".Values.none | default "x" | upper"#, "X"),
        (r#"coalesce "" .Values.none "z""#, "z"),
        (r#"ternary "a" "b" (eq 1 2)"#, "b"),
        (r#"empty """#, "true"),
        ("add 1 2 3", "6"),
        ("sub 5 3", "2"),
        ("mul 2 3", "6"),
        ("div 7 2", "3"),
        ("mod 7 2", "1"),
        ("max 1 5 3", "5"),
        (r#"int "42" | add1"#, "43"),
        ("round 3.14159 2", "3.14"),
        ("until 3", "[0 1 2]"),
        (r#"list "b" "a" "b" | uniq | sortAlpha | join """#, "ab"),
        (r#"has "a" (list "a" "b")"#, "true"),
        (r#"without (list "a" "b") "a" | join ",""#, "b"),
        (r#"(dict "a" 1 "b" 2) | keys | join ",""#, "a,b"),
        (r#"get (dict "a" 1) "a""#, "1"),
        (r#"dict "a" (list 1 2) | toJson"#, r#"{"a":[1,2]}"#),
        (r#"(fromJson "{\"a\":{\"b\":5}}").a.b"#, "5"),
        (r#"now | date "2006-01-02 15:04:05""#, "2026-01-02 03:04:05"),
        (r#"now | date "20060102""#, "20260102"),
        (r#"plural "one" "many" 2"#, "many"),
        (r#"printf "%05d|%-4s|%q" 42 "a" "b""#, r#"00042|a   |"b""#),
    ];

    #[test]
    fn functions_answer_as_sprig_does() {
        let variables = Variables {
            run: Run {
                date: "20260102-030405z".into(),
                ..Run::default()
            },
            ..Variables::default()
        };
        for (template, expected) in EXAMPLES {
            let told = render(&format!("{{{{{template}}}}}"), &variables);
            assert_eq!(told.as_deref(), Ok(*expected), "{template}");
        }
    }

    #[test]
    fn what_cannot_be_answered_says_so() {
        for (template, expected) in [
            ("div 1 0", "division by zero"),
            (r#"fail "no tag""#, "no tag"),
            (r#"required "name it" .Values.x"#, "name it"),
            (r#"repeat 99999999 "abc""#, "more than 1 MiB"),
            ("until 99999999", "counts to 100000"),
            (r#"b64dec "%%""#, "base64"),
            (r#"regexMatch "(" "a""#, "no regular expression"),
        ] {
            let told = render(&format!("{{{{{template}}}}}"), &Variables::default());
            assert!(told.unwrap_err().text.contains(expected), "{template}");
        }
    }
}
