//! The copy of a Dockerfile that names digests in place of tags.

use std::{collections::BTreeMap, ops::Range};

use super::{
    bases::{BaseImage, Pinning},
    file::Dockerfile,
};
use crate::image::Digest;

impl Dockerfile {
    /// Returns the file with `name@digest` in the place of every image that has a pin; all else stays byte for byte.
    ///
    /// `bases` are those that [`Dockerfile::bases`] found in this file. A name is written in full, with its registry:
    /// it means the same to every builder, and needs neither quotes nor escapes. Where a name goes on behind a line
    /// continuation, the digest stands on its last line; comments between its parts stay.
    #[must_use]
    pub fn pinned(
        &self,
        bases: &[BaseImage],
        pin: &dyn Fn(&BaseImage) -> Option<Digest>,
    ) -> Vec<u8> {
        let mut edits: BTreeMap<usize, (Range<usize>, String)> = BTreeMap::new();
        for base in bases {
            let Pinning::Place(place) = &base.pinning else {
                continue;
            };
            let (Some(digest), Some((last, before))) = (pin(base), place.ranges().split_last())
            else {
                continue;
            };
            for range in before {
                edits.insert(range.start, (range.clone(), String::new()));
            }
            let name = base.reference.at(digest).to_string();
            edits.insert(last.start, (last.clone(), name));
        }
        let mut pinned = Vec::with_capacity(self.bytes.len() + 64 * edits.len());
        let mut at = 0;
        for (range, name) in edits.into_values() {
            // Bases of another file may lie anywhere.
            let Some(before) = self
                .bytes
                .get(at..range.start)
                .filter(|_| range.end <= self.bytes.len())
            else {
                continue;
            };
            pinned.extend_from_slice(before);
            pinned.extend_from_slice(name.as_bytes());
            at = range.end;
        }
        pinned.extend_from_slice(self.bytes.get(at..).unwrap_or_default());
        pinned
    }
}
