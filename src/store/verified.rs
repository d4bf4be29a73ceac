//! Which digests the owner's verification program has accepted: a small file for each.

use serde::Serialize;

use crate::{error::Result, image::Digest};

use super::Store;

#[derive(Serialize)]
struct Verified<'a> {
    schema: u32,
    image: &'a str,
}

impl Store {
    /// Tells whether a verification has succeeded before. `question` is the digest of its command line.
    pub fn is_verified(&self, question: &Digest) -> bool {
        self.layout.verified().join(question.hex()).is_file()
    }

    /// Records that a verification of `image` has succeeded.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Failed`] with the path.
    pub fn remember_verified(&self, question: &Digest, image: &str) -> Result<()> {
        let path = self.layout.verified().join(question.hex());
        self.write_json(&path, &Verified { schema: 1, image })
    }
}
