//! One call of a function of templates: its arguments, and what they cost.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use gotmpl::{TemplateError, Value};

use super::super::{
    budget::{BYTES_OF_ITEM, TemplateBudget},
    marks,
};

pub(super) type CallResult = Result<Value, TemplateError>;
pub(super) type Function = fn(&Call<'_>) -> CallResult;

/// What an entry of a mapping takes up besides its text.
pub(super) const BYTES_OF_ENTRY: usize = 64;

pub(super) struct Call<'a> {
    pub(super) args: &'a [Value],
    pub(super) budget: &'a TemplateBudget,
    /// Whether a text was looked at that is secret: what is made of it is secret too.
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

    /// Returns an argument; what is not there is nothing.
    pub(super) fn value(&self, n: usize) -> &'a Value {
        self.args.get(n).unwrap_or(&Value::Nil)
    }

    /// Returns an argument as text; nothing is empty.
    pub(super) fn text(&self, n: usize) -> Result<String, TemplateError> {
        self.text_of(self.value(n))
    }

    /// Returns the last argument as text: what a pipe hands over.
    pub(super) fn last_text(&self) -> Result<String, TemplateError> {
        self.text(self.args.len().saturating_sub(1))
    }

    /// Returns a value as text.
    pub(super) fn text_of(&self, value: &Value) -> Result<String, TemplateError> {
        let marked = self.budget.shown(value)?;
        if !marks::has_marks(&marked) {
            return Ok(marked);
        }
        self.is_secret.set(true);
        Ok(marks::without(&marked).into_owned())
    }

    /// Returns a value as text in which what is secret stays marked: for functions that put texts together as they are.
    pub(super) fn marked(&self, value: &Value) -> Result<String, TemplateError> {
        self.budget.shown(value)
    }

    /// Returns an argument as a whole number; text is read, and what is none is 0, as in Sprig.
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

    /// Returns an argument as a number; what is none is 0.
    pub(super) fn float(&self, n: usize) -> Result<f64, TemplateError> {
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
    pub(super) fn items(&self, n: usize) -> Result<&'a [Value], TemplateError> {
        let items: &[Value] = match self.value(n) {
            Value::List(items) => items,
            _ => &[],
        };
        self.budget.pay_look(items.len() * BYTES_OF_ITEM)?;
        Ok(items)
    }

    /// Returns the entries of a mapping; what is none has none.
    pub(super) fn entries(&self, n: usize) -> Result<&'a BTreeMap<Arc<str>, Value>, TemplateError> {
        static NONE: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let map = match self.value(n) {
            Value::Map(map) => map,
            _ => &NONE,
        };
        self.budget.pay_look(map.len() * BYTES_OF_ENTRY)?;
        Ok(map)
    }

    /// Checks that as much can still be made, before it is.
    pub(super) fn check(&self, bytes: usize) -> Result<(), TemplateError> {
        self.budget.check_made(bytes)
    }

    /// Answers with a text that is made of what was looked at.
    pub(super) fn made(&self, text: String) -> CallResult {
        if self.is_secret.get() {
            self.made_marked(marks::around(&text))
        } else {
            self.made_marked(text)
        }
    }

    /// Answers with a text in which what is secret is marked.
    pub(super) fn made_marked(&self, text: String) -> CallResult {
        self.budget.pay_made(text.len())?;
        Ok(Value::String(text.into()))
    }

    /// Answers with a list of values that were in one, or in nothing, before.
    pub(super) fn list(&self, items: Vec<Value>) -> CallResult {
        self.budget.pay_made(items.len() * BYTES_OF_ITEM)?;
        Ok(Value::List(items.into()))
    }

    /// Answers with a list of texts that are made of what was looked at.
    pub(super) fn texts(&self, texts: impl IntoIterator<Item = String>) -> CallResult {
        let items = texts.into_iter().map(|text| self.made(text));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        self.list(items)
    }

    /// Answers with a mapping of values that were in one, or in nothing, before.
    pub(super) fn map(&self, map: BTreeMap<Arc<str>, Value>) -> CallResult {
        self.budget.pay_made(map.len() * BYTES_OF_ENTRY)?;
        Ok(Value::Map(Arc::new(map)))
    }

    /// Checks that a value can become part of another.
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
