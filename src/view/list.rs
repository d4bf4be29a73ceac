//! Lists, of which some items are drawn at a time, and on any thread.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::{column::Column, table, text};

/// Completes an answer that is going to be shown, or an item of one.
pub(super) type Prepare = dyn Fn(&mut Value) + Send + Sync;

/// What becomes of the items of a list.
#[derive(Clone)]
pub struct Shape(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Json,
    /// Rows of a table.
    Rows(&'static [Column], Option<Arc<Prepare>>),
    /// Values, which are drawn once all are there.
    Values,
}

/// Some items of a list, drawn.
pub struct Part(pub(super) Drawn);

pub(super) enum Drawn {
    /// The items, with a comma in front of each.
    Json(String),
    Rows(Vec<Vec<String>>),
    Values(Vec<Value>),
}

impl Shape {
    /// Tells whether rows of a table are made of items: they need to have no more than its columns show.
    pub fn makes_rows(&self) -> bool {
        matches!(self.0, Kind::Rows(..))
    }

    /// Draws some items.
    ///
    /// # Errors
    ///
    /// Where one cannot be written as JSON.
    pub fn draw<T: Serialize>(
        &self,
        items: impl IntoIterator<Item = T>,
    ) -> Result<Part, serde_json::Error> {
        let items = items.into_iter();
        Ok(Part(match &self.0 {
            Kind::Json => Drawn::Json(text::json_items(items)?),
            Kind::Rows(columns, prepare) => {
                let row = |item: T| {
                    let mut item = serde_json::to_value(item)?;
                    if let Some(prepare) = prepare {
                        prepare(&mut item);
                    }
                    Ok(table::row(&item, columns))
                };
                Drawn::Rows(items.map(row).collect::<Result<_, serde_json::Error>>()?)
            }
            Kind::Values => {
                let values = items.map(serde_json::to_value);
                Drawn::Values(values.collect::<Result<_, _>>()?)
            }
        }))
    }
}
