//! Copies an image from one place to another, byte for byte, so that its digest stays the same.
//!
//! The order makes it safe: blobs first, then manifests from the leaves to the root, the tags last of all. A copy that breaks off has
//! changed no tag, and what it left is found and not sent again.
//!
//! `run` carries out a `request`: an `image_copy` goes from one `endpoint` to another, each a `remote` repository or a folder in the OCI
//! image `layout`. Blobs are mounted from other repositories where `mounts` knows of any, from the `memory` of earlier copies; else a
//! `reader` reads them, and an `upload` sends them or a `transfer` saves them. `push_check` begins an empty upload, to find out whether
//! pushing is allowed.

mod blob_stream;
mod download;
mod endpoint;
mod image_copy;
mod layout;
mod memory;
mod mounts;
mod problem;
mod push_check;
mod reader;
mod referrers;
mod remote;
mod remote_referrers;
mod request;
mod run;
mod subset;
mod tree;
mod upload;
mod upload_part;

pub use endpoint::Endpoint;
pub use layout::is_layout;
pub use memory::{CopyMemory, KeptUpload, RepositoryBlobs};
pub use problem::{CopyError, tags_left};
pub use request::{Amount, Copied, CopyProgress, CopyRequest, ImagePlace, ProgressWatcher, Tagged};
pub use tree::{Descriptor, RawDocument};
