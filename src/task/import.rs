//! The step of a task that copies an image.

use serde::{Deserialize, Serialize};

use crate::image::{InvalidReference, Reference};

/// Copies an image to the task's images, and again when the source has moved. Nothing is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportStep {
    /// The image to copy. In a quick run it may be in a folder, `oci:FOLDER[:NAME]`.
    pub source: String,
    /// The names of the copy, as `repository:tag`, on the task's registry unless they name another one. May hold run
    /// variables.
    #[serde(default)]
    pub image_names: Vec<String>,
    /// Repositories that get the copy without a tag, by digest only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<String>,
    /// Whether signatures, SBOMs and other referrers are copied too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_referrers: bool,
    /// Whether tags that name another image are moved; always true for a stored task.
    #[serde(default = "super::definition::yes", skip_serializing_if = "is_yes")]
    pub force: bool,
    /// The program, with its arguments, that tests a new copy before the tags move; empty for no test.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_yes(value: &bool) -> bool {
    *value
}

impl ImportStep {
    /// Returns the image to copy.
    ///
    /// # Errors
    ///
    /// [`InvalidReference`] where `source` is no reference.
    pub fn source(&self) -> Result<Reference, InvalidReference> {
        self.source.parse()
    }
}

/// Returns the tag under which a new copy is tested before `tag` moves. It is always the same one, so that there is never more
/// than one, and it is not removed: some registries delete a tag by deleting its manifest, with all other tags of it.
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
    fn candidate_tag_is_shortened_to_the_maximum_tag_length() {
        assert_eq!(candidate("20-alpine"), "20-alpine-candidate");
        let long = candidate(&"a".repeat(128));
        assert_eq!(long.len(), 128);
        assert!(format!("r.io/a:{long}").parse::<Reference>().is_ok());
    }

    #[test]
    fn import_step_needs_only_a_source() {
        let step: ImportStep = serde_yaml::from_str("{source: 'node:20'}").unwrap();
        assert!(step.force && step.test.is_empty() && !step.all_referrers);
        assert_eq!(
            step.source().unwrap().to_string(),
            "docker.io/library/node:20"
        );
    }
}
