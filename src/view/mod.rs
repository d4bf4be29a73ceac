//! Prints an answer as json, yaml, table, tsv or nothing. Knows no domain type: all formats are drawn from the same
//! JSON.

mod canvas;
pub mod column;
pub mod drawing;
mod list;
mod order;
mod query;
pub mod sanitize;
mod table;
mod text;
mod tsv;
mod yaml;

use std::{fmt, str::FromStr, sync::Arc};

use serde::Serialize;
use serde_json::Value;

pub use canvas::Canvas;
pub use column::{Cell, Column, Narrow};
pub use drawing::{DrawnVertex, Picture, VertexStatus, svg};
pub use list::{Part, Shape};
pub use query::{InvalidQuery, Query};

use list::Prepare;

/// The output format. The names are az's, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, indented, with sorted keys and nulls.
    #[default]
    Json,
    /// JSON, in colour on a terminal.
    Jsonc,
    Yaml,
    /// YAML, in colour on a terminal.
    Yamlc,
    /// A table for people.
    Table,
    /// Values separated by tabs, for scripts.
    Tsv,
    /// A picture, for answers that are graphs.
    Picture(Picture),
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no format `{}`; there are json, jsonc, yaml, yamlc, table, tsv and none", .0.escape_debug())]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "json" => Self::Json,
            "jsonc" => Self::Jsonc,
            "yaml" => Self::Yaml,
            "yamlc" => Self::Yamlc,
            "table" => Self::Table,
            "tsv" => Self::Tsv,
            "text" => Self::Picture(Picture::Text),
            "dot" => Self::Picture(Picture::Dot),
            "mermaid" => Self::Picture(Picture::Mermaid),
            "svg" => Self::Picture(Picture::Svg),
            "none" => Self::None,
            _ => return Err(UnknownFormat(text.into())),
        })
    }
}

/// A list in parts, each created when it is drawn.
type Parts = Box<dyn Iterator<Item = Result<Part, serde_json::Error>>>;

/// The answer of a command, before it is known whether it is shown.
enum AnswerForm {
    Whole(Box<dyn FnOnce() -> Result<Value, serde_json::Error>>),
    List(Box<dyn FnOnce(Shape) -> Parts>),
}

impl AnswerForm {
    fn whole(self) -> Result<Value, serde_json::Error> {
        let parts = match self {
            Self::Whole(make) => return make(),
            Self::List(parts) => parts(Shape::Values),
        };
        let mut all = Vec::new();
        for part in parts {
            if let Part::Values(values) = part? {
                all.extend(values);
            }
        }
        Ok(Value::Array(all))
    }
}

/// An answer in pieces, as they are printed.
pub type Pieces = Box<dyn Iterator<Item = Result<String, CannotRender>>>;

/// The answer of a command, with the columns of its table.
pub struct View {
    answer: AnswerForm,
    columns: &'static [Column],
    rows: Rows,
    prepare: Option<Arc<Prepare>>,
    /// Whether the answer is for people.
    pub is_for_people: bool,
    vertices: Option<Vec<DrawnVertex>>,
}

/// Where the rows of the table are in the answer.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// At this JSON pointer.
    At(&'static str),
    /// The values of the answer itself; their keys go into this field.
    Map(&'static str),
}

impl Rows {
    fn of(self, value: &Value) -> Option<Value> {
        match self {
            Self::At(pointer) => value.pointer(pointer).cloned(),
            Self::Map(field) => Some(Value::Array(
                value
                    .as_object()?
                    .iter()
                    .map(|(key, item)| {
                        let mut item = item.clone();
                        if let Some(fields) = item.as_object_mut() {
                            fields.insert(field.to_owned(), Value::from(key.as_str()));
                        }
                        item
                    })
                    .collect(),
            )),
        }
    }
}

impl View {
    /// Takes an answer, which is serialized only when it is shown. Without columns, its table is az's generic one.
    pub fn of<T: Serialize + 'static>(answer: T, columns: &'static [Column]) -> Self {
        let whole = move || serde_json::to_value(&answer);
        Self::showing(AnswerForm::Whole(Box::new(whole)), columns)
    }

    /// Takes a function that draws the items of a list in parts when they are shown. Formats that draw items one by one never hold all of
    /// them in memory.
    pub fn list<P>(parts: impl FnOnce(Shape) -> P + 'static, columns: &'static [Column]) -> Self
    where
        P: Iterator<Item = Result<Part, serde_json::Error>> + 'static,
    {
        let parts = move |shape| -> Parts { Box::new(parts(shape)) };
        Self::showing(AnswerForm::List(Box::new(parts)), columns)
    }

    fn showing(answer: AnswerForm, columns: &'static [Column]) -> Self {
        Self {
            answer,
            columns,
            rows: Rows::At(""),
            prepare: None,
            is_for_people: false,
            vertices: None,
        }
    }

    /// Marks the answer as one for people: its default format is a table.
    #[must_use]
    pub fn for_people(mut self) -> Self {
        self.is_for_people = true;
        self
    }

    /// Lets the answer be drawn as a graph.
    #[must_use]
    pub fn with_graph(mut self, vertices: Vec<DrawnVertex>) -> Self {
        self.vertices = Some(vertices);
        self
    }

    /// Returns the best format for people.
    pub fn best_format(&self) -> Format {
        match self.vertices {
            Some(_) => Format::Picture(Picture::Text),
            None => Format::Table,
        }
    }

    /// Adds fields to the rows of the table that no other format shows.
    #[must_use]
    pub fn with_rows(mut self, prepare: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.prepare = Some(Arc::new(prepare));
        self
    }

    /// Takes the rows of the table from this JSON pointer into the answer.
    #[must_use]
    pub fn rows_at(mut self, pointer: &'static str) -> Self {
        self.rows = Rows::At(pointer);
        self
    }

    /// Makes each entry of the answer, a map, a row of the table, with its key in `field`.
    #[must_use]
    pub fn rows_of_map(mut self, field: &'static str) -> Self {
        self.rows = Rows::Map(field);
        self
    }

    /// Draws the result of `query` on the answer in pieces. An empty result draws nothing, as in az.
    pub fn pieces(
        self,
        format: Format,
        query: Option<&Query>,
        canvas: Canvas,
    ) -> Result<Pieces, CannotRender> {
        let one = |text| -> Pieces { Box::new(std::iter::once(Ok(text))) };
        let is_plain = format == Format::Json || (format == Format::Jsonc && !canvas.colour);
        match self.answer {
            AnswerForm::List(parts) if is_plain && query.is_none() => {
                let parts = parts(Shape::Json).filter_map(|part| match part {
                    Ok(Part::Json(text)) => Some(Ok(text)),
                    Ok(_) => None,
                    Err(error) => Some(Err(error.into())),
                });
                Ok(Box::new(text::json_list(parts)))
            }
            AnswerForm::List(parts) if format == Format::Table && query.is_none() => {
                let mut all = Vec::new();
                for part in parts(Shape::Rows(self.columns, self.prepare)) {
                    if let Part::Rows(rows) = part? {
                        all.extend(rows);
                    }
                }
                Ok(one(table::of_rows(self.columns, all, canvas)))
            }
            answer => Self { answer, ..self }.draw(format, query, canvas).map(one),
        }
    }

    fn draw(
        self,
        format: Format,
        query: Option<&Query>,
        canvas: Canvas,
    ) -> Result<String, CannotRender> {
        let colour = canvas.colour;
        if format == Format::None {
            return Ok(String::new());
        }
        if let Format::Picture(picture) = format {
            return match self.vertices {
                Some(vertices) => Ok(drawing::draw(&vertices, picture, canvas)),
                None => Err(CannotRender::NoPicture),
            };
        }
        let mut value = self.answer.whole()?;
        let mut columns = Some(self.columns).filter(|columns| !columns.is_empty());
        if let Some(query) = query {
            value = query.pick(&value)?;
            if value.is_null() {
                return Ok(String::new());
            }
            columns = None;
        }
        if !matches!(format, Format::Table | Format::Tsv) {
            order::forget(&mut value);
        }
        Ok(match format {
            Format::Json => text::json(&value, false)?,
            Format::Jsonc => text::json(&value, colour)?,
            Format::Yaml => yaml::draw(&value, false),
            Format::Yamlc => yaml::draw(&value, colour),
            Format::Table => {
                let mut rows = columns.and_then(|_| self.rows.of(&value));
                if let (Some(rows), Some(prepare)) = (&mut rows, self.prepare) {
                    prepare(rows);
                }
                table::draw(rows.as_ref().unwrap_or(&value), columns, canvas)
            }
            Format::Tsv => tsv::draw(&value),
            Format::None | Format::Picture(_) => String::new(),
        })
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum CannotRender {
    #[error("the answer is not JSON")]
    Json(#[from] serde_json::Error),
    #[error(
        "text, dot, mermaid and svg are pictures of graphs: acrt task graph has them; there are json, yaml, table, tsv and none"
    )]
    NoPicture,
    #[error(transparent)]
    Query(#[from] InvalidQuery),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[Column::at("NAME", "/name")];

    fn draw(format: Format, query: Option<&str>) -> String {
        let query = query.map(|text| text.parse::<Query>().unwrap());
        let answer = json!([{"name": "web", "b": null, "a": "é"}]);
        View::of(answer, COLUMNS)
            .draw(format, query.as_ref(), Canvas::default())
            .unwrap()
    }

    #[test]
    fn list_printed_item_by_item_equals_the_list_printed_whole() {
        let all = [
            json!([]),
            json!([{"name": "a\nb", "list": [1, {"x": {}}], "z": null}]),
            json!([{"name": "b", "y": [], "a": "[\n"}, {"name": "cc"}, 7, "text", [1, 2]]),
        ];
        for value in all {
            for (format, query) in [
                (Format::Json, None),
                (Format::Jsonc, None),
                (Format::Table, None),
                (Format::Yaml, None),
                (Format::Tsv, None),
                (Format::None, None),
                (Format::Json, Some("[].name")),
                (Format::Table, Some("[].name")),
            ] {
                let query: Option<Query> = query.map(|query| query.parse().unwrap());
                let draw = |view: View| -> String {
                    let pieces = view
                        .pieces(format, query.as_ref(), Canvas::default())
                        .unwrap();
                    pieces.map(Result::unwrap).collect()
                };
                let items = value.as_array().unwrap().clone();
                let parts = items.chunks(2).map(<[Value]>::to_vec).collect::<Vec<_>>();
                let parts = move |shape: Shape| {
                    let parts = std::iter::once(Vec::new()).chain(parts);
                    parts.map(move |part| shape.draw(part))
                };
                let by_item = draw(View::list(parts, COLUMNS));
                assert_eq!(
                    by_item,
                    draw(View::of(value.clone(), COLUMNS)),
                    "{format:?}"
                );
            }
        }
    }

    #[test]
    fn json_is_indented_and_sorted_with_nulls_and_unicode() {
        assert_eq!(
            draw(Format::Json, None),
            "[\n  {\n    \"a\": \"é\",\n    \"b\": null,\n    \"name\": \"web\"\n  }\n]\n"
        );
    }

    #[test]
    fn yaml_table_and_tsv_show_the_same_value() {
        assert_eq!(draw(Format::Yaml, None), "- a: é\n  b: null\n  name: web\n");
        assert_eq!(draw(Format::Table, None), "NAME\n------\nweb\n");
        assert_eq!(draw(Format::Tsv, None), "é\tNone\tweb\n");
        assert_eq!(draw(Format::None, None), "");
    }

    #[test]
    fn query_is_applied_before_any_format_and_null_prints_nothing() {
        assert_eq!(draw(Format::Json, Some("[0].name")), "\"web\"\n");
        assert_eq!(draw(Format::Tsv, Some("[0].name")), "web\n");
        assert_eq!(draw(Format::Json, Some("nothing")), "");
    }

    #[test]
    fn query_orders_the_columns_of_tables_and_tsv_only() {
        let query = Some("[].{z: name, b: b, c: a}");
        assert_eq!(draw(Format::Tsv, query), "web\tNone\té\n");
        assert_eq!(draw(Format::Table, query), "Z    C\n---  ---\nweb  é\n");
        assert_eq!(draw(Format::Yaml, query), "- b: null\n  c: é\n  z: web\n");
        assert!(draw(Format::Json, query).starts_with("[\n  {\n    \"b\": null,"));
    }

    #[test]
    fn formats_are_parsed_in_any_case() {
        assert_eq!("TSV".parse(), Ok(Format::Tsv));
        assert_eq!(
            "xml".parse::<Format>().unwrap_err().to_string(),
            "no format `xml`; there are json, jsonc, yaml, yamlc, table, tsv and none"
        );
    }
}
