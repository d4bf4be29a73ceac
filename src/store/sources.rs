//! The git repositories that do not answer, so that the pauses between requests grow, even across a restart.

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
    pub url: String,
    /// The branch, the tag or the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// How many times in a row it did not answer.
    pub misses: u32,
    /// When it was last asked.
    pub asked: Timestamp,
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl SilentSource {
    pub fn git(&self) -> GitContext {
        GitContext {
            url: self.url.clone(),
            reference: self.reference.clone(),
            folder: self.folder.clone(),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct SourcesFile {
    schema: u32,
    silent: Vec<SilentSource>,
}

impl Store {
    /// Reads the git repositories that do not answer; none, where there is no file. A broken file is set aside.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it cannot be read at the moment.
    pub fn silent_sources(&self, now: Timestamp) -> Result<ReadResult<Vec<SilentSource>>> {
        recall(&self.layout.silent_sources(), now, |path| {
            let Some(sources) = file::read_json::<SourcesFile>(path)? else {
                return Ok(None);
            };
            file::check_schema(path, sources.schema, SCHEMA)?;
            Ok(Some(sources.silent))
        })
    }

    /// Writes the git repositories that do not answer; removes the file where all do.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_silent_sources(&self, silent: Vec<SilentSource>) -> Result<()> {
        let path = self.layout.silent_sources();
        if silent.is_empty() {
            file::remove(&path)
        } else {
            let schema = SCHEMA;
            file::write_json(&path, &SourcesFile { schema, silent })
        }
    }
}
