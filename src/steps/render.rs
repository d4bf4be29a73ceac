//! The templates of a task file, by `gotmpl`: Go's own syntax, with the functions of Sprig that people use.
//!
//! The only module that knows that crate. What a missing key comes to is Go's `missingkey=zero`: nothing.

use std::{collections::BTreeMap, sync::Arc};

use gotmpl::{MissingKey, Template, Value};

use super::{functions, problem::InvalidTaskFile, variables::Variables, yaml::MAX_BYTES};

/// How often `range` may turn in one file: far beyond any file, and no endless loop.
const MAX_TURNS: u64 = 100_000;

/// How Go prints what is not there; ACR takes it out, as Helm does.
const NO_VALUE: &str = "<no value>";

/// Fills in the templates of `text`. Lines that are comments are left out first, so that what they quote is not read; an empty
/// line stays in their place, so that lines keep their numbers.
///
/// # Errors
///
/// [`InvalidTaskFile`] where a template does not parse, a function fails, or nothing is left.
pub fn render(text: &str, variables: &Variables) -> Result<String, InvalidTaskFile> {
    let text = without_comments(text);
    if !text.contains("{{") {
        return Ok(text);
    }
    let invalid = |problem: gotmpl::TemplateError| match problem {
        // Told of the end of the file, where nobody would look.
        gotmpl::TemplateError::Lex { message, .. } if message.contains("unclosed action") => {
            let opened = text.rfind("{{").unwrap_or_default();
            let line = text[..opened].matches('\n').count() + 1;
            InvalidTaskFile::at(Some(line), "template: `{{` without `}}`")
        }
        gotmpl::TemplateError::Parse { line, message, .. }
        | gotmpl::TemplateError::Lex { line, message, .. } => {
            InvalidTaskFile::at(Some(line), format!("template: {message}"))
        }
        other => InvalidTaskFile::new(format!("template: {other}")),
    };
    let template = Template::new("task file")
        .missing_key(MissingKey::ZeroValue)
        .max_range_iters(MAX_TURNS)
        .funcs(functions::all(&variables.run.date))
        .parse(&text)
        .map_err(invalid)?;
    let mut out = Limited(String::new());
    template
        .execute_fmt(&mut out, &value(&variables.to_json()))
        .map_err(|problem| match problem {
            gotmpl::TemplateError::Write => {
                InvalidTaskFile::new("templates make the file larger than 1 MiB")
            }
            other => invalid(other),
        })?;
    Ok(out.0.replace(NO_VALUE, ""))
}

/// Takes text up to the size that a task file may have.
struct Limited(String);

impl std::fmt::Write for Limited {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > MAX_BYTES {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('#') {
            out.push_str(if line.ends_with('\n') { "\n" } else { "" });
        } else {
            out.push_str(line);
        }
    }
    out
}

/// Returns data as templates read it.
pub(super) fn value(data: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match data {
        Json::Null => Value::Nil,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Nil,
        },
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(map) => {
            let map: BTreeMap<Arc<str>, Value> = map
                .iter()
                .map(|(name, inner)| (name.as_str().into(), value(inner)))
                .collect();
            Value::Map(Arc::new(map))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::variables::{Run, Values};

    fn rendered(text: &str) -> String {
        let mut values =
            Values::parse("list: [a, b]\nport: 80\nnested: {deep: {x: 1}}\nname: web").unwrap();
        values.set("on", "yes");
        let variables = Variables {
            run: Run {
                id: "ca1".into(),
                registry: "r.io".into(),
                date: "20260102-030405z".into(),
                ..Run::default()
            },
            values,
            secrets: [("token".to_owned(), "hunter2".to_owned())].into(),
        };
        render(text, &variables).unwrap_or_else(|problem| format!("! {problem}"))
    }

    #[test]
    fn variables_are_filled_in() {
        assert_eq!(
            rendered("{{.Run.ID}} {{ .Run.Registry }} {{.Build.ID}}"),
            "ca1 r.io ca1"
        );
        assert_eq!(
            rendered("{{.Values.name}}:{{.Values.port}} {{.Values.nested.deep.x}}"),
            "web:80 1"
        );
        assert_eq!(rendered("{{.Secrets.token}}"), "hunter2");
    }

    #[test]
    fn what_is_missing_is_empty() {
        assert_eq!(rendered("[{{.Values.nope}}]"), "[]");
        assert_eq!(rendered("[{{.Values.nope.deeper}}]"), "[]");
        assert_eq!(rendered("[{{.Run.Nope}}] [{{.Nope}}]"), "[] []");
        assert_eq!(rendered("[{{.Values.nope | upper}}]"), "[]");
    }

    #[test]
    fn conditions_loops_and_scopes_work() {
        assert_eq!(
            rendered("{{if .Values.on}}a{{else}}b{{end}}{{if .Values.off}}c{{else}}d{{end}}"),
            "ad"
        );
        assert_eq!(
            rendered("{{range $i, $x := .Values.list}}{{$i}}{{$x}} {{end}}"),
            "0a 1b "
        );
        assert_eq!(rendered("{{with .Values.nested.deep}}{{.x}}{{end}}"), "1");
        assert_eq!(rendered("{{if eq .Values.name \"web\"}}yes{{end}}"), "yes");
        assert_eq!(
            rendered("{{$a := .Values.name}}{{printf \"%s-%d\" $a 3}}"),
            "web-3"
        );
    }

    #[test]
    fn trim_markers_and_comments_leave_nothing_behind() {
        assert_eq!(rendered("a {{- .Run.ID -}} b"), "aca1b");
        assert_eq!(rendered("a{{/* nothing */}}b"), "ab");
        assert_eq!(
            rendered("x: 1\n  # {{ broken\ny: {{.Run.ID}}\n"),
            "x: 1\n\ny: ca1\n"
        );
    }

    #[test]
    fn a_broken_template_names_its_line() {
        assert!(rendered("a: 1\nb: {{ .Run.ID\n").starts_with("! line 2: template: "));
        assert!(rendered("a: {{ nosuch 1 }}").contains("nosuch"));
        assert!(rendered("{{if}}").starts_with("! line 1: template: "));
    }

    #[test]
    fn endless_output_is_refused() {
        assert_eq!(
            rendered("{{range until 90000}}{{repeat 100 \"x\"}}{{end}}"),
            "! templates make the file larger than 1 MiB"
        );
    }
}
