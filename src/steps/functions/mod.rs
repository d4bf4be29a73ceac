//! The functions of templates: those of Sprig that task files use, and the built-in ones of Go. All of them charge what they read and
//! produce, and keep track of secret texts.
//!
//! Functions with a random result (`randAlpha`, `uuidv4`), functions that read the machine (`env`, `osBase`) and
//! cryptography are left out; `now` is the time of the run.

mod builtin;
mod call;
mod lists;
mod numbers;
mod patterns;
mod texts;

use std::sync::Arc;

use gotmpl::{FuncMap, Value, ValueFunc};

use super::budget::TemplateBudget;
use call::Call;

/// Returns all functions. `date` is the run's date, as `yyyyMMdd-HHmmssz`.
pub(super) fn all(date: &str, budget: &Arc<TemplateBudget>) -> FuncMap {
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

/// Returns a template function that maps a text to a text.
pub(super) fn of_text(budget: &Arc<TemplateBudget>, function: fn(&str) -> String) -> ValueFunc {
    let budget = Arc::clone(budget);
    Arc::new(move |args: &[Value]| {
        budget.pay_steps(1 + args.len())?;
        let call = Call::new(args, &budget);
        call.made(function(&call.last_text()?))
    })
}

/// Returns a template function that maps a number and a text to a text.
pub(super) fn of_number_and_text(
    budget: &Arc<TemplateBudget>,
    function: fn(usize, &str) -> String,
) -> ValueFunc {
    let budget = Arc::clone(budget);
    Arc::new(move |args: &[Value]| {
        budget.pay_steps(1 + args.len())?;
        let call = Call::new(args, &budget);
        let number = usize::try_from(call.whole(0)?).unwrap_or_default();
        call.made(function(number, &call.last_text()?))
    })
}

#[cfg(test)]
mod tests {
    use crate::steps::{InvalidTaskFile, Run, Variables, render::Renderer};

    fn render(text: &str, variables: &Variables) -> Result<String, InvalidTaskFile> {
        let text = Renderer::new(variables).unwrap().render(text)?;
        Ok(text.reveal().to_owned())
    }

    /// Templates with their results.
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
    fn template_functions_match_sprig() {
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
    fn template_function_errors_are_reported() {
        for (template, expected) in [
            ("div 1 0", "division by zero"),
            (r#"fail "no tag""#, "no tag"),
            (r#"required "name it" .Values.x"#, "name it"),
            (r#"repeat 99999999 "abc""#, "more than 1 MiB"),
            ("until 99999999", "counts to 100000"),
            (r#"b64dec "%%""#, "base64"),
            (r#"regexMatch "(" "a""#, "not a regular expression"),
        ] {
            let told = render(&format!("{{{{{template}}}}}"), &Variables::default());
            assert!(told.unwrap_err().text.contains(expected), "{template}");
        }
    }
}
