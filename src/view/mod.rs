//! An answer as json, yaml, table, tsv or nothing. Knows no domain type: every format is drawn from the same JSON.

mod canvas;
pub mod column;
pub mod drawing;
mod query;
mod table;
pub mod tame;
mod text;
mod tsv;
mod yaml;

use std::{fmt, str::FromStr};

use serde::Serialize;
use serde_json::Value;

pub use canvas::Canvas;
pub use column::{Cell, Column};
pub use drawing::{Picture, Tone, Vertex};
pub use query::{InvalidQuery, Query};

/// How an answer is printed. The names are az's, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, indented, keys sorted, nulls shown.
    #[default]
    Json,
    /// JSON in colour, on a terminal.
    Jsonc,
    /// YAML.
    Yaml,
    /// YAML in colour, on a terminal.
    Yamlc,
    /// A table for people.
    Table,
    /// Values alone, with tabs between, for scripts.
    Tsv,
    /// A picture, of answers that can be drawn.
    Picture(Picture),
    /// Nothing.
    None,
}

/// A text that names no format.
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

/// Completes an answer that is going to be shown.
type Prepare = Box<dyn FnOnce(&mut Value)>;

/// A command's answer, with the columns of its table.
pub struct View {
    answer: Box<dyn FnOnce() -> Result<Value, serde_json::Error>>,
    columns: &'static [Column],
    rows: Rows,
    prepare: Option<Prepare>,
    is_for_people: bool,
    vertices: Option<Vec<Vertex>>,
}

/// Where in an answer the rows of its table are.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// At this JSON pointer.
    At(&'static str),
    /// In the values of the answer itself; the keys go into this field.
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
    /// Takes an answer. It becomes JSON only when somebody wants to see it. Without columns its table is az's for any answer.
    pub fn of<T: Serialize + 'static>(answer: T, columns: &'static [Column]) -> Self {
        Self::later(move || serde_json::to_value(&answer), columns)
    }

    /// Takes what makes an answer when somebody wants to see it.
    pub fn later(
        answer: impl FnOnce() -> Result<Value, serde_json::Error> + 'static,
        columns: &'static [Column],
    ) -> Self {
        Self {
            answer: Box::new(answer),
            columns,
            rows: Rows::At(""),
            prepare: None,
            is_for_people: false,
            vertices: None,
        }
    }

    /// Says that people are who asks for it: it is a table where nobody wants another format.
    #[must_use]
    pub fn for_people(mut self) -> Self {
        self.is_for_people = true;
        self
    }

    /// Lets the answer be drawn as a graph.
    #[must_use]
    pub fn with_graph(mut self, vertices: Vec<Vertex>) -> Self {
        self.vertices = Some(vertices);
        self
    }

    /// Tells whether people are who asks for it.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        self.is_for_people
    }

    /// Returns the format in which people read it best.
    #[must_use]
    pub fn best_format(&self) -> Format {
        match self.vertices {
            Some(_) => Format::Picture(Picture::Text),
            None => Format::Table,
        }
    }

    /// Adds to the rows of the table what no other format shows.
    #[must_use]
    pub fn with_rows(mut self, prepare: impl FnOnce(&mut Value) + 'static) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Takes the rows of the table from this JSON pointer into the answer.
    #[must_use]
    pub fn rows_at(mut self, pointer: &'static str) -> Self {
        self.rows = Rows::At(pointer);
        self
    }

    /// Takes each entry of the answer, a map, for a row of the table, with its key in `field`.
    #[must_use]
    pub fn rows_of_map(mut self, field: &'static str) -> Self {
        self.rows = Rows::Map(field);
        self
    }

    /// Draws the answer, after `query` has picked from it. A query that picks nothing draws nothing, as in az.
    ///
    /// # Errors
    ///
    /// [`Undrawable`] where the answer is no JSON or the query fails on it.
    pub fn draw(
        self,
        format: Format,
        query: Option<&Query>,
        canvas: Canvas,
    ) -> Result<String, Undrawable> {
        let colour = canvas.colour;
        if format == Format::None {
            return Ok(String::new());
        }
        if let Format::Picture(picture) = format {
            return match self.vertices {
                Some(vertices) => Ok(drawing::draw(&vertices, picture, canvas)),
                None => Err(Undrawable::NoPicture),
            };
        }
        let mut value = (self.answer)()?;
        let mut columns = Some(self.columns).filter(|columns| !columns.is_empty());
        if let Some(query) = query {
            value = query.pick(&value)?;
            if value.is_null() {
                return Ok(String::new());
            }
            columns = None;
        }
        Ok(match format {
            Format::Json => text::json(&value, false)?,
            Format::Jsonc => text::json(&value, colour)?,
            Format::Yaml => yaml::draw(&value, false)?,
            Format::Yamlc => yaml::draw(&value, colour)?,
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

/// Why an answer cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum Undrawable {
    /// It is no JSON.
    #[error("the answer is not JSON")]
    Json(#[from] serde_json::Error),
    /// It is no graph.
    #[error(
        "text, dot, mermaid and svg are pictures of graphs: acrt task graph has them; there are json, yaml, table, tsv and none"
    )]
    NoPicture,
    /// It is no YAML.
    #[error("the answer is not YAML")]
    Yaml(#[from] serde_yaml::Error),
    /// The query fails on it.
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
    fn json_is_indented_sorted_and_shows_nulls_and_other_letters() {
        assert_eq!(
            draw(Format::Json, None),
            "[\n  {\n    \"a\": \"é\",\n    \"b\": null,\n    \"name\": \"web\"\n  }\n]\n"
        );
    }

    #[test]
    fn yaml_table_and_tsv_come_from_the_same_value() {
        assert_eq!(draw(Format::Yaml, None), "- a: é\n  b: null\n  name: web\n");
        assert_eq!(draw(Format::Table, None), "NAME\n------\nweb\n");
        assert_eq!(draw(Format::Tsv, None), "é\tNone\tweb\n");
        assert_eq!(draw(Format::None, None), "");
    }

    #[test]
    fn a_query_picks_before_any_format_and_null_prints_nothing() {
        assert_eq!(draw(Format::Json, Some("[0].name")), "\"web\"\n");
        assert_eq!(draw(Format::Tsv, Some("[0].name")), "web\n");
        assert_eq!(draw(Format::Json, Some("nothing")), "");
    }

    #[test]
    fn formats_are_known_in_any_case() {
        assert_eq!("TSV".parse(), Ok(Format::Tsv));
        assert_eq!(
            "xml".parse::<Format>().unwrap_err().to_string(),
            "no format `xml`; there are json, jsonc, yaml, yamlc, table, tsv and none"
        );
    }
}
