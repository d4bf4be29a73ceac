//! Limits for the templates of one task file: steps, bytes and time. All work of templates is charged to one budget.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use gotmpl::{TemplateError, Value};

use super::problem::InvalidTaskFile;

/// How many bytes the functions of one file may produce in total.
pub const MAX_MADE: usize = 8 * 1024 * 1024;

/// How many steps the templates of one file may take: far more than any real file needs, and well under a second.
pub const MAX_STEPS: u64 = 500_000;

/// How deep lists and mappings may nest.
pub(super) const MAX_DEPTH: usize = 100;

/// How many bytes may be read for one step.
const BYTES_OF_STEP: usize = 64;

/// How many steps lie between two checks of the clock.
const STEPS_OF_LOOK: u64 = 256;

/// The size of a value in a list.
pub(super) const BYTES_OF_ITEM: usize = size_of::<Value>();

/// Tells whether the time for templates has run out.
pub type IsLate = Arc<dyn Fn() -> bool + Send + Sync>;

/// What remains of the limits for one file.
pub(super) struct TemplateBudget {
    steps: AtomicU64,
    made: AtomicUsize,
    line: AtomicUsize,
    is_late: Option<IsLate>,
    /// The first limit that was exceeded.
    met: Mutex<Option<&'static str>>,
}

impl TemplateBudget {
    pub fn new(is_late: Option<IsLate>) -> Self {
        Self {
            steps: AtomicU64::new(0),
            made: AtomicUsize::new(0),
            line: AtomicUsize::new(0),
            is_late,
            met: Mutex::new(None),
        }
    }

    /// Sets the current line, for messages.
    pub fn at(&self, line: usize) {
        self.line.store(line, Relaxed);
    }

    /// Returns the current line.
    pub fn line(&self) -> Option<usize> {
        Some(self.line.load(Relaxed)).filter(|line| *line > 0)
    }

    /// Returns the error of the exceeded limit, if one was.
    pub fn problem(&self) -> Option<InvalidTaskFile> {
        let met = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.map(|text| InvalidTaskFile::at(self.line(), text))
    }

    /// Charges steps.
    pub fn pay_steps(&self, count: usize) -> Result<(), TemplateError> {
        let count = count as u64;
        let before = self.steps.fetch_add(count, Relaxed);
        let now = before.saturating_add(count);
        if now > MAX_STEPS {
            return self.meet("templates take more than 500000 steps");
        }
        let looks = before / STEPS_OF_LOOK != now / STEPS_OF_LOOK;
        if looks && self.is_late.as_ref().is_some_and(|is_late| is_late()) {
            return self.meet("templates take too long");
        }
        Ok(())
    }

    /// Charges the reading of `bytes` bytes.
    pub fn pay_look(&self, bytes: usize) -> Result<(), TemplateError> {
        self.pay_steps(bytes / BYTES_OF_STEP)
    }

    /// Charges the production of `bytes` bytes.
    pub fn pay_made(&self, bytes: usize) -> Result<(), TemplateError> {
        let before = self.made.fetch_add(bytes, Relaxed);
        if before.saturating_add(bytes) > MAX_MADE {
            return self.meet(TOO_MUCH);
        }
        self.pay_look(bytes)
    }

    /// Checks that `bytes` bytes may be produced, before they are allocated.
    pub fn check_made(&self, bytes: usize) -> Result<(), TemplateError> {
        if self.made.load(Relaxed).saturating_add(bytes) > MAX_MADE {
            self.meet(TOO_MUCH)
        } else {
            Ok(())
        }
    }

    /// Returns a value as a template prints it; nil becomes an empty text.
    pub fn shown(&self, value: &Value) -> Result<String, TemplateError> {
        let mut out = ChargedOutput {
            budget: self,
            text: String::new(),
        };
        let written = match value {
            Value::Nil => return Ok(String::new()),
            Value::String(text) => fmt::Write::write_str(&mut out, text),
            other => fmt::write(&mut out, format_args!("{other}")),
        };
        match written {
            Ok(()) => Ok(out.text),
            Err(fmt::Error) => Err(TemplateError::Write),
        }
    }

    /// Checks that a value is not nested too deep to become part of another: printing and dropping it recurse.
    pub fn check_depth(&self, value: &Value) -> Result<(), TemplateError> {
        self.check_depth_from(value, 1)
    }

    fn check_depth_from(&self, value: &Value, depth: usize) -> Result<(), TemplateError> {
        if depth > MAX_DEPTH {
            return self.meet("templates nest lists and mappings more than 100 deep");
        }
        match value {
            Value::List(items) => {
                self.pay_steps(1 + items.len() / BYTES_OF_STEP)?;
                let mut items = items.iter();
                items.try_for_each(|item| self.check_depth_from(item, depth + 1))
            }
            Value::Map(map) => {
                self.pay_steps(1 + map.len() / BYTES_OF_STEP)?;
                let mut values = map.values();
                values.try_for_each(|value| self.check_depth_from(value, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn meet<T>(&self, text: &'static str) -> Result<T, TemplateError> {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.get_or_insert(text);
        Err(TemplateError::Exec(text.to_owned()))
    }
}

const TOO_MUCH: &str = "templates make more than 8 MiB";

/// Collects what a value prints and charges it while it is printed: a value that contains itself many times could print
/// without end.
struct ChargedOutput<'a> {
    budget: &'a TemplateBudget,
    text: String,
}

impl fmt::Write for ChargedOutput<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = self.budget.check_made(self.text.len() + text.len());
        let paid = fits.and_then(|()| self.budget.pay_steps(1 + text.len() / BYTES_OF_STEP));
        paid.map_err(|_| fmt::Error)?;
        self.text.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_exceeded_limit_is_reported_with_its_line() {
        let budget = TemplateBudget::new(None);
        budget.at(7);
        assert_eq!(budget.problem(), None);
        assert!(budget.pay_made(MAX_MADE).is_ok());
        assert!(budget.pay_made(1).is_err());
        assert!(budget.pay_steps(1_000_000).is_err());
        let problem = budget.problem().unwrap();
        assert_eq!(
            problem.to_string(),
            "line 7: templates make more than 8 MiB"
        );
    }

    #[test]
    fn evaluation_over_its_time_limit_is_stopped() {
        let budget = TemplateBudget::new(Some(Arc::new(|| true)));
        assert!(budget.pay_steps(1).is_ok());
        assert!(budget.pay_steps(1000).is_err());
        let told = budget.problem().unwrap().to_string();
        assert_eq!(told, "templates take too long");
    }

    #[test]
    fn self_containing_value_is_not_printed_endlessly() {
        let budget = TemplateBudget::new(None);
        let mut value = Value::String("x".into());
        for _ in 0..60 {
            value = Value::List([value.clone(), value].into());
        }
        assert!(budget.shown(&value).is_err());
        assert!(budget.problem().is_some());
    }
}
