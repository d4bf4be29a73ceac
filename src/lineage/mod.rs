//! What an image says, or shows, of the images that it was built on: annotations, attestations of how it was made, layers.
//!
//! It only parses and compares values: it fetches nothing and trusts nothing. The caller decides which source takes precedence.

mod annotation;
mod attestation;
mod base;
mod bounded;
mod layers;
mod purl;
mod record;

pub use annotation::{Annotated, annotated, annotations_of};
pub use attestation::{MAX_ATTESTATION, Provenance, is_attestation, may_be_provenance};
pub use base::{Base, Evidence};
pub use layers::{LayerMatch, compare};
pub use record::ImageRecord;

/// Tells whether the creation time in an image's config is a real one. Reproducible builds write the year 1, 1970 or 1980.
pub fn is_build_time(time: &jiff::Timestamp) -> bool {
    const TEN_YEARS: i64 = 11 * 366 * 24 * 3600;
    time.as_second() > TEN_YEARS
}
