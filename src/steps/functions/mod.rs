//! The functions of Sprig that people use in task files, besides those that Go's templates bring themselves.
//!
//! Left out are those whose answer is not the same twice (`randAlpha`, `uuidv4`), those that look at the machine (`env`,
//! `osBase`) and cryptography; `now` is the time of the run.

mod lists;
mod numbers;
mod texts;

use std::sync::Arc;

use gotmpl::{FuncMap, TemplateError, Value};

type Answer = Result<Value, TemplateError>;
type Function = fn(&[Value]) -> Answer;

/// Returns all functions. `date` is the run's, as `yyyyMMdd-HHmmssz`.
pub(super) fn all(date: &str) -> FuncMap {
    let mut map = FuncMap::new();
    for (name, function) in [texts::ALL, lists::ALL, numbers::ALL].concat() {
        map.insert(name.to_owned(), Arc::new(function));
    }
    let now = texts::text_value(date);
    map.insert(
        "now".to_owned(),
        Arc::new(move |_: &[Value]| Ok(now.clone())),
    );
    map
}

/// Returns an argument; what is not there is nothing.
fn arg(args: &[Value], n: usize) -> &Value {
    args.get(n).unwrap_or(&Value::Nil)
}

/// Returns an argument as text; nothing is empty.
fn text(args: &[Value], n: usize) -> String {
    shown(arg(args, n))
}

/// Returns the last argument as text: what a pipe hands over.
fn last_text(args: &[Value]) -> String {
    args.last().map(shown).unwrap_or_default()
}

/// Returns a value as a template prints it; nothing is empty.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// Returns an argument as a whole number; text is read, and what is none is 0, as in Sprig.
fn whole(args: &[Value], n: usize) -> i64 {
    let value = arg(args, n);
    match value {
        Value::Bool(yes) => i64::from(*yes),
        Value::String(text) => text
            .trim()
            .parse()
            .unwrap_or_else(|_| truncated(float(value))),
        other => other.as_int().unwrap_or_else(|| truncated(float(other))),
    }
}

/// Returns a value as a number; what is none is 0.
fn float(value: &Value) -> f64 {
    match value {
        Value::String(text) => text.trim().parse().unwrap_or(0.0),
        other => other.as_float().unwrap_or(0.0),
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
    use crate::steps::{Run, Variables, render::render};

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
