//! `--query`: JMESPath over an answer.

use std::str::FromStr;

use serde_json::Value;

/// The longest expression: longer ones are no questions that people ask, and deep ones would exhaust the stack.
const LONGEST: usize = 4096;

/// How deep brackets may be nested.
const DEEPEST: usize = 64;

/// A JMESPath expression, checked when it is read.
#[derive(Clone)]
pub struct Query(jmespath::Expression<'static>, String);

/// Why a text is no query, or fails on an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// It is too long or too deep.
    #[error("query is longer than {LONGEST} characters or nested deeper than {DEEPEST}")]
    TooLarge,
    /// It does not parse, or fails.
    #[error("query `{text}`: {problem}")]
    Wrong {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl FromStr for Query {
    type Err = InvalidQuery;

    fn from_str(text: &str) -> Result<Self, InvalidQuery> {
        let opening = |c: char| matches!(c, '(' | '[' | '{' | '!' | '&');
        if text.len() > LONGEST || text.chars().filter(|c| opening(*c)).count() > DEEPEST {
            return Err(InvalidQuery::TooLarge);
        }
        match jmespath::compile(text) {
            Ok(expression) => Ok(Self(expression, text.into())),
            Err(problem) => Err(wrong(text, &problem)),
        }
    }
}

impl Query {
    /// Picks from an answer.
    pub(super) fn pick(&self, value: &Value) -> Result<Value, InvalidQuery> {
        let found = self
            .0
            .search(value)
            .map_err(|problem| wrong(&self.1, &problem))?;
        let mut found = serde_json::to_value(&*found).unwrap_or(Value::Null);
        whole_numbers(&mut found);
        Ok(found)
    }
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Query").field(&self.1).finish()
    }
}

fn wrong(text: &str, problem: &jmespath::JmespathError) -> InvalidQuery {
    let told = problem.to_string();
    let first = told.lines().next().unwrap_or("it does not parse");
    InvalidQuery::Wrong {
        text: text.into(),
        problem: first.to_owned(),
    }
}

/// Sums and counts come back as floating point; `13.0` runs are `13` runs.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number
                .as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
                && number.is_f64()
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "checked to be whole and small"
                )]
                let whole = float as i64;
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pick(query: &str, value: &Value) -> Value {
        query.parse::<Query>().unwrap().pick(value).unwrap()
    }

    #[test]
    fn filters_and_functions_work_and_counts_stay_whole() {
        let runs = json!([{"id": "ca1", "n": 6}, {"id": "ca2", "n": 7}]);
        assert_eq!(pick("[?n > `6`].id", &runs), json!(["ca2"]));
        assert_eq!(pick("sum([].n)", &runs), json!(13));
    }

    #[test]
    fn a_wrong_expression_is_refused_when_it_is_read() {
        assert!(matches!(
            "[?(".parse::<Query>(),
            Err(InvalidQuery::Wrong { .. })
        ));
        let deep = "(".repeat(5000);
        assert_eq!(deep.parse::<Query>().unwrap_err(), InvalidQuery::TooLarge);
    }
}
