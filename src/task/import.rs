//! The step of a task that keeps a copy of an image.

use serde::{Deserialize, Serialize};

use crate::image::{InvalidReference, Reference};

/// Copies an image to where this task's images go, and runs again when it has moved. Nothing is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportStep {
    /// The image that is copied. In a quick run it may be in a folder, `oci:FOLDER[:NAME]`.
    pub source: String,
    /// What the copy is called, as `repository:tag`; without a registry it goes to the task's. May hold run variables.
    #[serde(default)]
    pub image_names: Vec<String>,
    /// Repositories that get it without a tag, found by its digest alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Whether signatures, SBOMs and whatever else refers to it are copied too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_referrers: bool,
    /// Whether tags that stand for another image are moved. To do that is what a stored task is for.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub force: bool,
    /// The program and its arguments that try a new copy before its tags move; none lets every copy through.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

impl ImportStep {
    /// Returns the image that is copied, as a tag or digest of a registry.
    ///
    /// # Errors
    ///
    /// [`InvalidReference`] where it is none.
    pub fn source(&self) -> Result<Reference, InvalidReference> {
        self.source.parse()
    }
}

/// Returns the tag under which a new copy is tried before `tag` moves: always the same one, so that there is never more than one.
/// Registries that delete a tag by deleting all that it stands for make it unwise to remove it.
pub fn candidate(tag: &str) -> String {
    const LONGEST: usize = 128;
    const SUFFIX: &str = "-candidate";
    let kept: String = tag.chars().take(LONGEST - SUFFIX.len()).collect();
    format!("{kept}{SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_as_long_as_tags_get_has_a_candidate_too() {
        assert_eq!(candidate("20-alpine"), "20-alpine-candidate");
        let long = candidate(&"a".repeat(128));
        assert_eq!(long.len(), 128);
        assert!(format!("r.io/a:{long}").parse::<Reference>().is_ok());
    }

    #[test]
    fn a_step_needs_no_more_than_a_source() {
        let step: ImportStep = serde_yaml::from_str("{source: 'node:20'}").unwrap();
        assert!(step.force && step.test.is_empty() && !step.all_referrers);
        assert_eq!(
            step.source().unwrap().to_string(),
            "docker.io/library/node:20"
        );
    }
}
