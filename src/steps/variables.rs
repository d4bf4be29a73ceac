//! What the variables of a task file stand for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::problem::InvalidTaskFile;

/// The `Run` of templates, in ACR's words. What a run does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Run {
    /// The run's id; also `.Build.ID`.
    #[serde(rename = "ID")]
    pub id: String,
    /// The commit of the context.
    pub commit: String,
    /// The repository of the context.
    pub repository: String,
    /// The branch of the context.
    pub branch: String,
    /// The git tag of the context.
    pub git_tag: String,
    /// What started the run.
    pub triggered_by: String,
    /// The task's registry, a login server.
    pub registry: String,
    /// The registry up to its first dot.
    pub registry_name: String,
    /// When the run was asked for, as `yyyyMMdd-HHmmssz` in UTC.
    pub date: String,
    /// The volume that steps share.
    pub shared_volume: String,
    /// The operating system of the platform.
    #[serde(rename = "OS")]
    pub os: String,
    /// Its version.
    #[serde(rename = "OSVersion")]
    pub os_version: String,
    /// The processor of the platform.
    pub architecture: String,
    /// The task's name; empty for a quick run.
    pub task_name: String,
}

/// The `Values` of templates: a values file, and what was set on the command line over it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(BTreeMap<String, Value>);

impl Values {
    /// Reads a values file: a mapping, which may be nested.
    ///
    /// # Errors
    ///
    /// [`InvalidTaskFile`] where it is not YAML, or no mapping.
    pub fn parse(text: &str) -> Result<Self, InvalidTaskFile> {
        Ok(Self(super::yaml::values(text)?))
    }

    /// Sets one value, over whatever the file says. A dot in the name is part of it, as in ACR.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Returns them as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone().into_iter().collect())
    }
}

/// Everything that a template may name.
#[derive(Clone, Default)]
pub struct Variables {
    /// `.Run`
    pub run: Run,
    /// `.Values`
    pub values: Values,
    /// `.Secrets`, by id.
    pub secrets: BTreeMap<String, String>,
}

impl Variables {
    /// Returns the data of templates.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let run = serde_json::to_value(&self.run).unwrap_or_default();
        let values = self.values.to_json();
        // Always in quotes, as ACR writes them, so that YAML takes braces for text.
        let quoted = |value: &Value| format!("'{}'", value.to_string().replace('\'', r"'\''"));
        serde_json::json!({
            "Build": { "ID": self.run.id },
            "RunJSON": quoted(&run),
            "ValuesJSON": quoted(&values),
            "Run": run,
            "Values": values,
            "Secrets": self.secrets,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_counts_over_the_file() {
        let mut values = Values::parse("a: file\nb: {c: 1}\n").unwrap();
        values.set("a", "set");
        values.set("x.y", "flat");
        assert_eq!(
            values.to_json(),
            serde_json::json!({ "a": "set", "b": { "c": 1 }, "x.y": "flat" })
        );
    }

    #[test]
    fn a_values_file_is_a_mapping_or_empty() {
        assert_eq!(Values::parse("").unwrap(), Values::default());
        let problem = Values::parse("- a\n").unwrap_err();
        assert_eq!(problem.to_string(), "a values file must be a mapping");
        assert_eq!(Values::parse("a: [\n").unwrap_err().line, Some(2));
    }

    #[test]
    fn the_run_has_the_names_of_acr() {
        let variables = Variables {
            run: Run {
                id: "ca1".into(),
                ..Run::default()
            },
            ..Variables::default()
        };
        let data = variables.to_json();
        assert_eq!(data["Run"]["ID"], "ca1");
        assert_eq!(data["Build"]["ID"], "ca1");
        assert_eq!(data["Run"]["OSVersion"], "");
        assert_eq!(data["Run"]["GitTag"], "");
        assert_eq!(data["ValuesJSON"], "'{}'");
    }
}
