//! Which digests a program of the owner's has vouched for: a small file for each yes.

use serde::Serialize;

use crate::{error::Result, image::Digest};

use super::{Store, file};

#[derive(Serialize)]
struct Verified<'a> {
    schema: u32,
    image: &'a str,
}

impl Store {
    /// Tells whether a question was answered with yes. `question` is the digest of the command line that asked it.
    pub fn is_verified(&self, question: &Digest) -> bool {
        self.layout.verified().join(question.hex()).is_file()
    }

    /// Keeps that a question about `image` was answered with yes.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn remember_verified(&self, question: &Digest, image: &str) -> Result<()> {
        let path = self.layout.verified().join(question.hex());
        file::write_json(&path, &Verified { schema: 1, image })
    }
}
