//! The variables of a task file's templates.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::secret::Secret;

use super::{budget::IsLate, marks, problem::InvalidTaskFile};

/// The `Run` of templates, in ACR's words. Values that a run does not have are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TemplateRun {
    /// The run's id; also `.Build.ID`.
    #[serde(rename = "ID")]
    pub id: String,
    pub commit: String,
    pub repository: String,
    pub branch: String,
    pub git_tag: String,
    pub triggered_by: String,
    /// The task's registry, a login server.
    pub registry: String,
    /// The registry up to its first dot.
    pub registry_name: String,
    /// When the run was queued, as `yyyyMMdd-HHmmssz` in UTC.
    pub date: String,
    /// The volume that steps share.
    pub shared_volume: String,
    /// The operating system of the platform.
    #[serde(rename = "OS")]
    pub os: String,
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// The processor of the platform.
    pub architecture: String,
    /// The task's name; empty for a quick run.
    pub task_name: String,
}

/// The `Values` of templates: a values file, overridden by the command line.
#[derive(Clone, Default, PartialEq)]
pub struct Values {
    plain: BTreeMap<String, Value>,
    secret: BTreeMap<String, Secret>,
}

impl Values {
    /// Parses a values file: a mapping, which may be nested.
    ///
    /// # Errors
    ///
    /// [`InvalidTaskFile`] where the text is no YAML mapping.
    pub fn parse(text: &str) -> Result<Self, InvalidTaskFile> {
        Ok(Self {
            plain: super::yaml::values(text)?,
            secret: BTreeMap::new(),
        })
    }

    /// Sets one value, overriding the file. A dot in the name is part of the name, as in ACR.
    pub fn set(&mut self, name: &str, value: &str) {
        self.secret.remove(name);
        self.plain.insert(name.to_owned(), value.into());
    }

    /// Sets one secret value, overriding the file.
    pub fn set_secret(&mut self, name: &str, value: Secret) {
        self.plain.remove(name);
        self.secret.insert(name.to_owned(), value);
    }
}

impl std::fmt::Debug for Values {
    /// Shows only the names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.plain.keys().chain(self.secret.keys()))
            .finish()
    }
}

/// All variables of templates, and the time limit for rendering.
#[derive(Clone, Default)]
pub struct Variables {
    pub run: TemplateRun,
    pub values: Values,
    /// `.Secrets`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// Tells whether the time for templates has run out; `None` for no time limit.
    pub is_late: Option<IsLate>,
}

impl Variables {
    /// Removes secrets from a message: a file may use a secret as a name.
    pub(super) fn redacted(&self, text: &str) -> String {
        let secrets = self.secrets.values().chain(self.values.secret.values());
        let secrets = secrets.filter(|secret| !secret.reveal().is_empty());
        secrets.fold(text.to_owned(), |text, secret| {
            text.replace(secret.reveal(), &secret.to_string())
        })
    }

    /// Returns the data of templates, with marks around secrets.
    ///
    /// # Errors
    ///
    /// [`InvalidTaskFile`] where a secret contains marks already.
    pub(super) fn data(&self) -> Result<Value, InvalidTaskFile> {
        let run = cleaned(serde_json::to_value(&self.run).unwrap_or_default());
        let plain = self.values.plain.iter();
        let plain = plain.map(|(name, value)| (name.clone(), cleaned(value.clone())));
        let mut values: serde_json::Map<String, Value> = plain.collect();
        values.extend(marked(&self.values.secret, "value")?);
        let values = Value::Object(values);
        // Always in quotes, as ACR writes them, so that YAML reads braces as text.
        let quoted = |value: &Value| format!("'{}'", value.to_string().replace('\'', r"'\''"));
        Ok(serde_json::json!({
            "Build": { "ID": run["ID"] },
            "RunJSON": quoted(&run),
            "ValuesJSON": quoted(&values),
            "Run": run,
            "Values": values,
            "Secrets": marked(&self.secrets, "secret")?,
        }))
    }
}

fn marked(
    secrets: &BTreeMap<String, Secret>,
    what: &str,
) -> Result<serde_json::Map<String, Value>, InvalidTaskFile> {
    let each = secrets.iter().map(|(name, secret)| {
        if marks::has_marks(secret.reveal()) {
            return Err(InvalidTaskFile::new(format!(
                "the {what} `{name}` has U+FDD0 or U+FDD1, which are no characters"
            )));
        }
        Ok((name.clone(), marks::around(secret.reveal()).into()))
    });
    each.collect()
}

/// Removes marks from data of other origin.
fn cleaned(data: Value) -> Value {
    match data {
        Value::String(text) => marks::without(&text).into(),
        Value::Array(items) => items.into_iter().map(cleaned).collect(),
        Value::Object(map) => {
            let map = map.into_iter();
            Value::Object(map.map(|(name, value)| (name, cleaned(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_values_override_the_values_file() {
        let mut values = Values::parse("a: file\nb: {c: 1}\n").unwrap();
        values.set("a", "set");
        values.set("x.y", "flat");
        values.set_secret("s", Secret::new("hunter2"));
        let shown = format!("{values:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let variables = Variables {
            values,
            ..Variables::default()
        };
        assert_eq!(
            variables.data().unwrap()["Values"],
            serde_json::json!({ "a": "set", "b": { "c": 1 }, "x.y": "flat", "s": "\u{fdd0}hunter2\u{fdd1}" })
        );
    }

    #[test]
    fn values_file_is_a_mapping_or_empty() {
        assert_eq!(Values::parse("").unwrap(), Values::default());
        let problem = Values::parse("- a\n").unwrap_err();
        assert_eq!(problem.to_string(), "a values file must be a mapping");
        assert_eq!(Values::parse("a: [\n").unwrap_err().line, Some(2));
    }

    #[test]
    fn run_variables_have_the_names_of_acr() {
        let variables = Variables {
            run: TemplateRun {
                id: "ca1".into(),
                ..TemplateRun::default()
            },
            ..Variables::default()
        };
        let data = variables.data().unwrap();
        assert_eq!(data["Run"]["ID"], "ca1");
        assert_eq!(data["Build"]["ID"], "ca1");
        assert_eq!(data["Run"]["OSVersion"], "");
        assert_eq!(data["Run"]["GitTag"], "");
        assert_eq!(data["ValuesJSON"], "'{}'");
    }
}
