//! What people have been told, so that each change is told once, whoever watches and however often it is restarted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{error::Result, watch::told::Told};

use super::{
    Recalled, Store, file,
    recall::{check_schema, recall},
};

/// What each receiver has been told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldFile {
    /// The layout of the file.
    pub schema: u32,
    /// By the receiver.
    #[serde(default)]
    pub receivers: BTreeMap<String, Told>,
}

impl ToldFile {
    /// The layout of the file that this program writes.
    pub const SCHEMA: u32 = 1;
}

impl Store {
    /// Reads what people have been told: nothing, where there is no file. One that cannot be used is set aside.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] where it cannot be read at the moment.
    pub fn told(&self, now: Timestamp) -> Result<Recalled<ToldFile>> {
        recall(&self.layout.told(), now, |path| {
            let told: Option<ToldFile> = file::read_json(path)?;
            if let Some(told) = &told {
                check_schema(path, told.schema, ToldFile::SCHEMA)?;
            }
            Ok(told)
        })
    }

    /// Writes what people have been told.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn save_told(&self, told: &ToldFile) -> Result<()> {
        let told = ToldFile {
            schema: ToldFile::SCHEMA,
            receivers: told.receivers.clone(),
        };
        file::write_json(&self.layout.told(), &told)
    }
}
