//! The steps of a task that carry out a multi-step file from the context or from the definition itself.

use std::path::PathBuf;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::image::Reference;

use super::{Argument, Context};

/// Carries out a task file from the context, which is read again in every run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileStep {
    /// Where the files of the run are.
    pub context_path: Context,
    /// The task file, relative to the context.
    pub task_file_path: PathBuf,
    /// A file of values for its templates, relative to the context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_file_path: Option<PathBuf>,
    /// Values for its templates, which override those of the file. The values of secret ones are stored separately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Argument>,
    /// Whether its steps may be privileged containers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_privileged: bool,
    /// Whether the context is trusted: its content may do all that the definition may, wherever it comes from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_context: bool,
    /// The images that it pushes under names that are the same in every run, where they are known.
    #[serde(skip)]
    pub pushes: Vec<Reference>,
}

/// Carries out a task file that the definition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EncodedStep {
    /// Where the files of the run are, if it needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_path: Option<Context>,
    /// The task file, in base64 as ACR keeps it.
    pub encoded_task_content: String,
    /// A file of values for its templates, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded_values_content: Option<String>,
    /// Values for its templates, which override those of the file. The values of secret ones are stored separately.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Argument>,
    /// Whether its steps may be privileged containers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_privileged: bool,
    /// Whether the context is trusted: its content may do all that the definition may, wherever it comes from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_context: bool,
    /// The images that it pushes under names that are the same in every run, where they are known.
    #[serde(skip)]
    pub pushes: Vec<Reference>,
}

/// Encodes a file for a definition.
pub fn encoded(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// Decodes a file of a definition; `None` where it is no base64 of text.
pub fn decoded(content: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(content.trim()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Writes the task file for the single command of `--cmd`.
pub fn file_of_command(command: &str, timeout: u32) -> String {
    // JSON is YAML, so this quotes any command.
    let command = serde_json::Value::from(command);
    format!(
        "version: v1.1.0\nsteps:\n  - cmd: {command}\n    disableWorkingDirectoryOverride: true\n    timeout: {timeout}\n"
    )
}

/// Tells whether a file name is that of a multi-step task file rather than of a Dockerfile.
pub fn is_task_file(path: &std::path::Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn task_file_is_encoded_and_decoded_unchanged() {
        let text = "steps:\n- cmd: bash echo ü\n";
        assert_eq!(decoded(&encoded(text)).as_deref(), Some(text));
        assert_eq!(decoded("%%"), None);
    }

    #[test]
    fn command_becomes_a_task_file() {
        assert_eq!(
            file_of_command("bash -c \"echo: a\"", 60),
            "version: v1.1.0\nsteps:\n  - cmd: \"bash -c \\\"echo: a\\\"\"\n    disableWorkingDirectoryOverride: true\n    timeout: 60\n"
        );
    }

    #[test]
    fn task_files_are_recognized_by_their_names() {
        assert!(is_task_file("acb.yaml".as_ref()));
        assert!(is_task_file("dir/acb.yml".as_ref()));
        assert!(!is_task_file("Dockerfile".as_ref()));
        assert!(!is_task_file("Dockerfile.yaml.in".as_ref()));
    }
}
