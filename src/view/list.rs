//! Lists whose items are drawn in parts, on any thread.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{column::Column, table, text};

/// Completes an answer, or an item of one, just before it is shown.
pub(super) type Prepare = dyn Fn(&mut Value) + Send + Sync;

/// How the items of a list are drawn.
#[derive(Clone)]
pub struct Shape(pub(super) ShapeKind);

#[derive(Clone)]
pub(super) enum ShapeKind {
    Json,
    /// As rows of a table.
    Rows(&'static [Column], Option<Arc<Prepare>>),
    /// As values, which are drawn once all of them exist.
    Values,
}

/// A drawn part of a list.
pub struct Part(pub(super) Drawn);

pub(super) enum Drawn {
    /// The items as JSON, each preceded by a comma.
    Json(String),
    Rows(Vec<Vec<String>>),
    Values(Vec<Value>),
}

impl Shape {
    /// Tells whether items become rows of a table, so that they need only the fields of its columns.
    pub fn makes_rows(&self) -> bool {
        matches!(self.0, ShapeKind::Rows(..))
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
        Ok(Part(match &self.0 {
            ShapeKind::Json => Drawn::Json(text::json_items(items)?),
            ShapeKind::Rows(columns, prepare) => {
                let row = |item: T| {
                    let mut item = serde_json::to_value(item)?;
                    if let Some(prepare) = prepare {
                        prepare(&mut item);
                    }
                    Ok(table::row(&item, columns))
                };
                Drawn::Rows(items.map(row).collect::<Result<_, serde_json::Error>>()?)
            }
            ShapeKind::Values => {
                let values = items.map(serde_json::to_value);
                Drawn::Values(values.collect::<Result<_, _>>()?)
            }
        }))
    }
}
