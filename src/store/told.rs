//! What people have been told, so that each change is told once, whoever watches and however often it is restarted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    watch::told::Told,
};

use super::{Store, file};

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
    /// Reads what people have been told: nothing, where there is no file.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with the file and the place, where it cannot be used.
    pub fn told(&self) -> Result<ToldFile> {
        let path = self.layout.told();
        let told: ToldFile = file::read_json(&path)?.unwrap_or_default();
        if told.schema > ToldFile::SCHEMA {
            return Err(
                Error::new(Kind::Invalid, format!("cannot use `{}`", path.display())).because(
                    anyhow::anyhow!(
                        "it has schema {}, and this acrt knows schema {}",
                        told.schema,
                        ToldFile::SCHEMA
                    ),
                ),
            );
        }
        Ok(told)
    }

    /// Writes what people have been told.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] with the path.
    pub fn save_told(&self, told: &ToldFile) -> Result<()> {
        let told = ToldFile {
            schema: ToldFile::SCHEMA,
            receivers: told.receivers.clone(),
        };
        file::write_json(&self.layout.told(), &told)
    }
}
