//! What git repositories last answered: the commit that each had, for commands that ask none; and which do not answer, so that the pauses
//! between requests grow, even across a restart.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{error::Result, task::GitContext};

use super::{ReadResult, Store, file, recall::recall};

/// The schema version of the file that this program writes.
const SCHEMA: u32 = 1;

/// A git repository that did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SilentSource {
    #[serde(flatten)]
    pub git: GitContext,
    /// How many times in a row it did not answer.
    pub misses: u32,
    /// When it was last asked.
    pub asked: Timestamp,
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The commit that a git repository had when it last answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenCommit {
    #[serde(flatten)]
    pub git: GitContext,
    pub commit: String,
    /// When it was first asked with this answer.
    pub asked: Timestamp,
}

/// What git repositories last answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceAnswers {
    pub silent: Vec<SilentSource>,
    #[serde(default)]
    pub seen: Vec<SeenCommit>,
}

#[derive(Serialize, Deserialize)]
struct SourcesFile {
    schema: u32,
    #[serde(flatten)]
    answers: SourceAnswers,
}

impl Store {
    /// Reads what git repositories last answered; nothing, where there is no file. A broken file is set aside.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it cannot be read at the moment.
    pub fn source_answers(&self, now: Timestamp) -> Result<ReadResult<SourceAnswers>> {
        recall(&self.layout.sources(), now, |path| {
            let Some(sources) = file::read_json::<SourcesFile>(path)? else {
                return Ok(None);
            };
            file::check_schema(path, sources.schema, SCHEMA)?;
            Ok(Some(sources.answers))
        })
    }

    /// Writes what git repositories last answered; removes the file where there is nothing.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_source_answers(&self, answers: SourceAnswers) -> Result<()> {
        let path = self.layout.sources();
        if answers == SourceAnswers::default() {
            file::remove(&path)
        } else {
            let schema = SCHEMA;
            self.write_json(&path, &SourcesFile { schema, answers })
        }
    }
}
