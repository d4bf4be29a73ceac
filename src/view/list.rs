//! Lists whose items are drawn in parts, on any thread.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{column::Column, table, text};

/// Completes an answer, or an item of one, just before it is shown.
pub type Prepare = dyn Fn(&mut Value) + Send + Sync;

/// How the items of a list are drawn.
#[derive(Clone)]
pub enum Shape {
    Json,
    /// As rows of a table.
    Rows(&'static [Column], Option<Arc<Prepare>>),
    /// As values, which are drawn once all of them exist.
    Values,
}

/// A drawn part of a list.
pub enum Part {
    /// The items as JSON, each preceded by a comma.
    Json(String),
    Rows(Vec<Vec<String>>),
    Values(Vec<Value>),
}

impl Shape {
    /// Tells whether items become rows of a table, so that they need only the fields of its columns.
    pub fn makes_rows(&self) -> bool {
        matches!(self, Self::Rows(..))
    }

    /// Draws some items.
    ///
    /// # Errors
    ///
    /// If an item cannot be serialized.
    pub fn draw<T: Serialize>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Part, serde_json::Error> {
        let items = items.into_iter();
        Ok(match self {
            Self::Json => Part::Json(text::json_items(items)?),
            Self::Rows(columns, prepare) => {
                let row = |item: T| {
                    let mut item = serde_json::to_value(item)?;
                    if let Some(prepare) = prepare {
                        prepare(&mut item);
                    }
                    Ok(table::row(&item, columns))
                };
                Part::Rows(items.map(row).collect::<Result<_, serde_json::Error>>()?)
            }
            Self::Values => {
                let values = items.map(serde_json::to_value);
                Part::Values(values.collect::<Result<_, _>>()?)
            }
        })
    }
}
