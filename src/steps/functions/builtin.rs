//! The built-in functions of Go's templates.
//!
//! Those of `gotmpl` have no limits. The short ones are implemented here; the others can only be called through a template with one
//! call.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use gotmpl::{Template, Value};

use super::call::{Call, CallResult, Function, fail};
use crate::steps::{budget::BYTES_OF_ITEM, marks};

pub(super) const ALL: &[(&str, Function)] = &[
    ("len", |c| match c.value(0) {
        Value::String(_) => {
            let text = c.text(0)?;
            Ok(Value::Int(i64::try_from(text.len()).unwrap_or(i64::MAX)))
        }
        value => match value.len() {
            Some(length) => Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX))),
            None => fail(format!(
                "`len` takes a text, a list or a mapping, and not {}",
                value.type_name()
            )),
        },
    }),
    ("index", |c| {
        if c.args.len() < 2 {
            return fail("`index` takes a list or a mapping, and where to look");
        }
        let mut value = c.value(0).clone();
        for key in &c.args[1..] {
            value = unmarked(c, &value)?.index(key)?;
        }
        Ok(value)
    }),
    ("slice", |c| {
        if c.args.is_empty() || c.args.len() > 4 {
            return fail("`slice` takes a text or a list, and from where to where");
        }
        let number = |n: usize| (n < c.args.len()).then(|| c.whole(n)).transpose();
        let (from, to) = (number(1)?, number(2)?);
        let value = unmarked(c, c.value(0))?;
        c.check(match &value {
            Value::List(items) => items.len() * BYTES_OF_ITEM,
            other => other.len().unwrap_or(0),
        })?;
        match value.slice(from, to)? {
            Value::String(text) => c.made(text.to_string()),
            Value::List(items) => c.list(items.to_vec()),
            other => Ok(other),
        }
    }),
    ("call", |_| fail("there is nothing to `call`")),
    ("not", |c| Ok(Value::Bool(!c.value(0).is_truthy()))),
    ("html", |c| escaped(c, 6, gotmpl::html_escape)),
    ("js", |c| escaped(c, 6, gotmpl::js_escape)),
    ("urlquery", |c| escaped(c, 3, gotmpl::url_encode)),
];

/// Returns a value unchanged; the secret marks of a text are removed.
fn unmarked(call: &Call<'_>, value: &Value) -> CallResult {
    match value {
        Value::String(text) if marks::has_marks(text) => {
            Ok(Value::String(call.text_of(value)?.into()))
        }
        other => Ok(other.clone()),
    }
}

/// Escapes a text, which makes it up to `factor` times longer.
fn escaped(call: &Call<'_>, factor: usize, escape: fn(&str) -> String) -> CallResult {
    let text = call.text(0)?;
    call.check(text.len() * factor)?;
    call.made(escape(&text))
}

/// Returns the functions that are called through a template, by name.
pub(super) fn templates() -> Vec<(&'static str, Templates)> {
    let compare = ["eq", "ne", "lt", "le", "gt", "ge"];
    let print = ["print", "println", "printf"];
    let compare = compare.map(|name| (name, Templates::new(name, ValueKind::Compare)));
    let print = print.map(|name| (name, Templates::new(name, ValueKind::Print)));
    compare.into_iter().chain(print).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    /// Returns a boolean.
    Compare,
    /// Returns a text.
    Print,
}

/// A function of `gotmpl`, as one template with one call for each number of arguments.
pub(super) struct Templates {
    name: &'static str,
    kind: ValueKind,
    parsed: Mutex<BTreeMap<usize, Template>>,
}

impl Templates {
    fn new(name: &'static str, kind: ValueKind) -> Self {
        Self {
            name,
            kind,
            parsed: Mutex::default(),
        }
    }

    pub fn call(&self, call: &Call<'_>) -> CallResult {
        let mut args = Vec::with_capacity(call.args.len());
        let mut longest = 0;
        let mut all = 0;
        // `%s` and `%v` print secret marks unchanged and in place; other verbs would alter them.
        let keeps_marks = self.kind == ValueKind::Print && {
            let format = call.value(0).as_str().unwrap_or_default();
            self.name != "printf" || only_prints(format)
        };
        for value in call.args {
            let shown = match self.kind == ValueKind::Compare && value.as_str().is_none() {
                // Only texts are compared in full.
                true => 0,
                false => call.marked(value)?.len(),
            };
            longest = longest.max(shown);
            all += shown + 64;
            args.push(if keeps_marks {
                value.clone()
            } else {
                unmarked(call, value)?
            });
        }
        call.check(match self.name {
            "printf" => all + length_of_printf(call, longest),
            _ => all,
        })?;
        let text = self.execute(args)?;
        match self.kind {
            ValueKind::Compare => Ok(Value::Bool(text == "true")),
            ValueKind::Print if keeps_marks => call.made_marked(text),
            ValueKind::Print => call.made(text),
        }
    }

    fn execute(&self, args: Vec<Value>) -> Result<String, gotmpl::TemplateError> {
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = args.len();
        if let Some(template) = parsed.get(&count) {
            return template.execute_to_string(&Value::List(args.into()));
        }
        let mut text = format!("{{{{{}", self.name);
        for n in 0..count {
            text.push_str(&format!(" (index . {n})"));
        }
        text.push_str("}}");
        let template = Template::new("").parse(&text)?;
        let done = template.execute_to_string(&Value::List(args.into()));
        parsed.insert(count, template);
        done
    }
}

/// Tells whether a format prints its arguments unchanged.
fn only_prints(format: &str) -> bool {
    let mut verbs = format.split('%').skip(1);
    let mut was_percent = false;
    verbs.all(|verb| {
        if std::mem::take(&mut was_percent) {
            return true;
        }
        was_percent = verb.is_empty();
        was_percent || verb.starts_with(['s', 'v', 'd'])
    })
}

/// Returns the maximum length of what `printf` prints besides its arguments themselves.
fn length_of_printf(call: &Call<'_>, longest: usize) -> usize {
    /// The largest width or precision that `gotmpl` accepts.
    const WIDEST: usize = u16::MAX as usize;
    let format = call.value(0).as_str().unwrap_or_default();
    let numbers = call.args.iter().filter_map(Value::as_int);
    let star = numbers.map(|n| usize::try_from(n.unsigned_abs()).unwrap_or(WIDEST));
    let star = star.max().unwrap_or(0).min(WIDEST);
    let verbs = format.split('%').skip(1).map(|verb| {
        let is_letter = |c: char| !c.is_ascii_digit() && !"+-# .*[]".contains(c);
        let flags = &verb[..verb.find(is_letter).unwrap_or(verb.len())];
        let numbers = flags.split(|c: char| !c.is_ascii_digit());
        let numbers = numbers.filter(|number| !number.is_empty());
        let wide = numbers.map(|number| number.parse().unwrap_or(WIDEST).min(WIDEST));
        let stars = flags.matches('*').count();
        // A number has up to 309 digits before the point; quoting turns one byte into at most six.
        400 + wide.sum::<usize>() + stars * star + 6 * longest
    });
    format.len() + verbs.sum::<usize>()
}
