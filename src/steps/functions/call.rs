//! One call of a template function: its arguments and their cost.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use gotmpl::{TemplateError, Value};

use super::super::{
    budget::{BYTES_OF_ITEM, TemplateBudget},
    marks,
};

pub(super) type CallResult = Result<Value, TemplateError>;
pub(super) type Function = fn(&Call<'_>) -> CallResult;

/// The size of a mapping's entry besides its text.
pub(super) const BYTES_OF_ENTRY: usize = 64;

pub(super) struct Call<'a> {
    pub(super) args: &'a [Value],
    pub(super) budget: &'a TemplateBudget,
    /// Whether a secret text was read: the function's result is then secret too.
    pub(super) is_secret: Cell<bool>,
}

impl<'a> Call<'a> {
    pub(super) fn new(args: &'a [Value], budget: &'a TemplateBudget) -> Self {
        Self {
            args,
            budget,
            is_secret: Cell::new(false),
        }
    }

    /// Returns an argument; a missing one is nil.
    pub(super) fn value(&self, n: usize) -> &'a Value {
        self.args.get(n).unwrap_or(&Value::Nil)
    }

    /// Returns an argument as text; nil is empty.
    pub(super) fn text(&self, n: usize) -> Result<String, TemplateError> {
        self.text_of(self.value(n))
    }

    /// Returns the last argument as text: the value that a pipe passes.
    pub(super) fn last_text(&self) -> Result<String, TemplateError> {
        self.text(self.args.len().saturating_sub(1))
    }

    pub(super) fn text_of(&self, value: &Value) -> Result<String, TemplateError> {
        let marked = self.budget.shown(value)?;
        if !marks::has_marks(&marked) {
            return Ok(marked);
        }
        self.is_secret.set(true);
        Ok(marks::without(&marked).into_owned())
    }

    /// Returns a value as text with its secret marks, for functions that join texts unchanged.
    pub(super) fn marked(&self, value: &Value) -> Result<String, TemplateError> {
        self.budget.shown(value)
    }

    /// Returns an argument as an integer; text is parsed, and anything else is 0, as in Sprig.
    pub(super) fn whole(&self, n: usize) -> Result<i64, TemplateError> {
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

    /// Returns an argument as a number; anything else is 0.
    pub(super) fn float(&self, n: usize) -> Result<f64, TemplateError> {
        Ok(match self.value(n) {
            Value::String(text) => {
                // Parsing digits takes far longer than reading bytes.
                self.budget.pay_look(text.len().saturating_mul(8))?;
                self.text(n)?.trim().parse().unwrap_or(0.0)
            }
            other => other.as_float().unwrap_or(0.0),
        })
    }

    /// Returns the items of a list; anything else has no items.
    pub(super) fn items(&self, n: usize) -> Result<&'a [Value], TemplateError> {
        let items: &[Value] = match self.value(n) {
            Value::List(items) => items,
            _ => &[],
        };
        self.budget.pay_look(items.len() * BYTES_OF_ITEM)?;
        Ok(items)
    }

    /// Returns the entries of a mapping; anything else has no entries.
    pub(super) fn entries(&self, n: usize) -> Result<&'a BTreeMap<Arc<str>, Value>, TemplateError> {
        static NONE: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let map = match self.value(n) {
            Value::Map(map) => map,
            _ => &NONE,
        };
        self.budget.pay_look(map.len() * BYTES_OF_ENTRY)?;
        Ok(map)
    }

    /// Checks that `bytes` more bytes may be produced, before they are.
    pub(super) fn check(&self, bytes: usize) -> Result<(), TemplateError> {
        self.budget.check_made(bytes)
    }

    /// Returns a text made from the arguments; it is secret if one of them was.
    pub(super) fn made(&self, text: String) -> CallResult {
        if self.is_secret.get() {
            self.made_marked(marks::around(&text))
        } else {
            self.made_marked(text)
        }
    }

    /// Returns a text that holds secret marks.
    pub(super) fn made_marked(&self, text: String) -> CallResult {
        self.budget.pay_made(text.len())?;
        Ok(Value::String(text.into()))
    }

    /// Returns a list of existing values, whose nesting is checked.
    pub(super) fn list(&self, items: Vec<Value>) -> CallResult {
        self.budget.pay_made(items.len() * BYTES_OF_ITEM)?;
        Ok(Value::List(items.into()))
    }

    /// Returns a list of texts made from the arguments.
    pub(super) fn texts(&self, texts: impl IntoIterator<Item = String>) -> CallResult {
        let items = texts.into_iter().map(|text| self.made(text));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        self.list(items)
    }

    /// Returns a mapping of existing values, whose nesting is checked.
    pub(super) fn map(&self, map: BTreeMap<Arc<str>, Value>) -> CallResult {
        self.budget.pay_made(map.len() * BYTES_OF_ENTRY)?;
        Ok(Value::Map(Arc::new(map)))
    }

    /// Checks that a value is not nested too deep to become part of another.
    pub(super) fn check_part(&self, value: &Value) -> Result<(), TemplateError> {
        self.budget.check_depth(value)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, as wanted")]
pub(super) fn truncated(number: f64) -> i64 {
    number as i64
}

pub(super) fn fail<T>(text: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError::Exec(text.into()))
}
