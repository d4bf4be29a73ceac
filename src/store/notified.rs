//! What receivers of notifications have been told, so that each change is told once, however often the watcher is restarted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    watch::{notified::NotifiedState, reported_problems::ReportedProblems},
};

use super::{ReadResult, Store, file, recall::recall};

/// What each receiver has been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedFile {
    pub schema: u32,
    #[serde(default)]
    pub receivers: BTreeMap<String, NotifiedState>,
    /// What rounds of `watch --once` have reported on stderr.
    #[serde(default, skip_serializing_if = "ReportedProblems::is_empty")]
    pub said: ReportedProblems,
}

impl NotifiedFile {
    /// The schema version of the file that this program writes.
    pub const SCHEMA: u32 = 1;
}

impl Store {
    /// Reads what receivers have been told: nothing, where there is no file. A broken file is set aside.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it cannot be read at the moment.
    pub fn notified(&self, now: Timestamp) -> Result<ReadResult<NotifiedFile>> {
        recall(&self.layout.notified(), now, |path| {
            let notified: Option<NotifiedFile> = file::read_json(path)?;
            if let Some(notified) = &notified {
                file::check_schema(path, notified.schema, NotifiedFile::SCHEMA)?;
            }
            Ok(notified)
        })
    }

    /// Writes what receivers have been told.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_notified(&self, notified: &NotifiedFile) -> Result<()> {
        let notified = NotifiedFile {
            schema: NotifiedFile::SCHEMA,
            ..notified.clone()
        };
        self.write_json(&self.layout.notified(), &notified)
    }
}
