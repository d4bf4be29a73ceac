//! What an image says, or shows, of the images that it was built on: annotations, attestations of how it was made, layers.
//!
//! Values in, values out: nothing here fetches, and nothing here believes. Whose word counts before whose is decided by who asks.

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
pub use layers::{Likeness, compare};
pub use record::ImageRecord;
