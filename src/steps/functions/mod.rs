//! The functions of templates: those of Sprig that task files use, and the built-in ones of Go. All of them charge what they read and
//! produce, and keep track of secret texts.
//!
//! Functions with a random result (`randAlpha`, `uuidv4`), functions that read the machine (`env`, `osBase`), those that change a mapping
//! (`set`), and cryptography are left out; docs/steps.md lists them. `now` is the time of the run.

mod builtin;
mod call;
mod lists;
mod numbers;
mod patterns;
mod texts;

use std::sync::Arc;

use gotmpl::{FuncMap, Value, ValueFunc};

use super::budget::TemplateBudget;
use call::{Call, CallResult};

/// The functions that also have a name with `must`, such as `mustToJson`.
const MUST: &[&str] = &[
    "append",
    "chunk",
    "compact",
    "deepCopy",
    "first",
    "fromJson",
    "has",
    "initial",
    "last",
    "merge",
    "prepend",
    "push",
    "regexFind",
    "regexFindAll",
    "regexMatch",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "regexSplit",
    "rest",
    "reverse",
    "slice",
    "toJson",
    "toPrettyJson",
    "toRawJson",
    "uniq",
    "without",
];

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
    let functions = each.concat();
    let named = functions
        .iter()
        .map(|(name, function)| ((*name).to_owned(), *function));
    // Functions of these names return an error in Sprig instead of ending the program, as all do here.
    let must = functions.iter().filter(|(name, _)| MUST.contains(name));
    let must = must.map(|(name, function)| {
        let (first, rest) = name.split_at(1);
        (format!("must{}{rest}", first.to_uppercase()), *function)
    });
    for (name, function) in named.chain(must) {
        map.insert(name, counted(budget, function));
    }
    for (name, templates) in builtin::templates() {
        let function = counted(budget, move |call| templates.call(call));
        map.insert(name.to_owned(), function);
    }
    let now = Value::String(date.into());
    map.insert(
        "now".to_owned(),
        Arc::new(move |_: &[Value]| Ok(now.clone())),
    );
    map
}

/// Returns a template function that charges each call.
fn counted(
    budget: &Arc<TemplateBudget>,
    function: impl Fn(&Call<'_>) -> CallResult + Send + Sync + 'static,
) -> ValueFunc {
    let budget = Arc::clone(budget);
    Arc::new(move |args: &[Value]| {
        budget.pay_steps(1 + args.len())?;
        function(&Call::new(args, &budget))
    })
}

/// Returns a template function that maps a text to a text.
pub(super) fn of_text(budget: &Arc<TemplateBudget>, function: fn(&str) -> String) -> ValueFunc {
    counted(budget, move |call| call.made(function(&call.last_text()?)))
}

/// Returns a template function that maps a number and a text to a text.
pub(super) fn of_number_and_text(
    budget: &Arc<TemplateBudget>,
    function: fn(usize, &str) -> String,
) -> ValueFunc {
    counted(budget, move |call| {
        let number = usize::try_from(call.whole(0)?).unwrap_or_default();
        call.made(function(number, &call.last_text()?))
    })
}

#[cfg(test)]
mod tests {
    use crate::steps::{InvalidTaskFile, TemplateRun, Variables, render::Renderer};

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
        (
            r#"regexFindAll "[2,4,6,8]" "123456789" -1 | join ",""#,
            "2,4,6,8",
        ),
        (r#"regexFindAll "a" "aaa" 2 | len"#, "2"),
        (r#"regexSplit "z+" "pizza" -1 | join ",""#, "pi,a"),
        (r#"regexSplit "," "a,b,c" 2 | join "|""#, "a|b,c"),
        (r#"regexSplit "," "a," -1 | len"#, "2"),
        (r#"regexQuoteMeta "1.2.3""#, r"1\.2\.3"),
        (r#"mustRegexMatch "^v" "v1""#, "true"),
        (r#"wrap 5 "aa bb cc dddddddd e""#, "aa bb\ncc\ndddddddd\ne"),
        (r#"wrapWith 5 "\t" "Hello World""#, "Hello\tWorld"),
        (r#"wrapWith 3 "-" "abcdefg""#, "abc-def-g"),
        (r#"swapcase "This Is A.Test""#, "tHIS iS a.tEST"),
        (r#"(splitn "$" 2 "foo$bar$baz")._1"#, "bar$baz"),
        (r#"chunk 2 (list 1 2 3)"#, "[[1 2] [3]]"),
        (r#"push (list 1) 2"#, "[1 2]"),
        (r#"dig "a" "b" "none" (dict "a" (dict "b" "yes"))"#, "yes"),
        (r#"dig "a" "c" "none" (dict "a" (dict "b" "yes"))"#, "none"),
        (
            r#"pluck "a" (dict "a" 1) (dict "b" 2) (dict "a" 3)"#,
            "[1 3]",
        ),
        ("addf 0.1 0.2", "0.3"),
        ("subf 7.5 2 3", "2.5"),
        ("mulf 1.5 2 2", "6"),
        ("divf 10 2 4", "1.25"),
        ("maxf 1 2.5 3", "3"),
        ("minf 1.5 2 3", "1.5"),
        (r#"any 0 "" "a""#, "true"),
        (r#"all 1 "" "a""#, "false"),
        (r#"list 1 "<" | toRawJson"#, r#"[1,"<"]"#),
        (r#"list 1 | mustToJson"#, "[1]"),
        (r#"mustFromJson "[1]" | mustFirst"#, "1"),
        (r#"mustHas 1 (list 1)"#, "true"),
        ("seq 5", "1 2 3 4 5"),
        ("seq -3", "1 0 -1 -2 -3"),
        ("seq 2 -2", "2 1 0 -1 -2"),
        ("seq 0 2 10", "0 2 4 6 8 10"),
        ("seq 0 -2 -5", "0 -2 -4"),
        ("seq 0 2 -5", ""),
        (r#"(deepCopy (dict "a" 1)).a"#, "1"),
        (r#"kindOf (list 1)"#, "slice"),
        (r#"kindIs "map" (dict "a" 1)"#, "true"),
        (r#"typeOf "a""#, "string"),
        (r#"b32enc "foobar""#, "MZXW6YTBOI======"),
        (r#"b32enc "hello""#, "NBSWY3DP"),
        (r#"base "a/b.txt""#, "b.txt"),
        (r#"dir "a/b.txt""#, "a"),
        (r#"clean "/a/../b//c/.""#, "/b/c"),
        (r#"ext "a/b.tar.gz""#, ".gz"),
    ];

    #[test]
    fn template_functions_match_sprig() {
        let variables = Variables {
            run: TemplateRun {
                date: "20260102-030405z".into(),
                ..TemplateRun::default()
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
            (".Values.x | required", "takes a message and a value"),
            ("chunk 0 (list 1)", "at least 1"),
            ("divf 1 0", "division by zero"),
            (r#"dig "a" "b" "none" (dict "a" 1)"#, "takes a mapping"),
            ("seq 99999999", "counts to 100000"),
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
