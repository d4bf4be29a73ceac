//! Copies an image from one place to another, byte for byte, so that its digest stays the same.
//!
//! The order is what makes it safe: blobs first, then manifests from the leaves to the root, the tags last of all. Whatever breaks
//! off before has changed no tag, and what it left is found and not sent again.
//!
//! What is copied (`request`) is done by `run`: an `image_copy` goes from one `endpoint` to another, each a `remote` repository or a
//! folder with an OCI image `layout`. Its blobs are taken over from other repositories where `mounts` knows of any, by what copies before
//! have left in a `memory`; else they are read by a `reader`, and sent by an `upload` or saved by a `transfer`. `push_check` begins an
//! upload of nothing, to find out whether one is allowed.

mod blob_stream;
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
mod transfer;
mod tree;
mod upload;
mod upload_part;

pub use endpoint::Endpoint;
pub use memory::{CopyMemory, KeptUpload, RepositoryBlobs};
pub use problem::CopyError;
pub use request::{Amount, Copied, CopyRequest, Place, Progress, ProgressWatcher, Tagged};
pub use tree::{Descriptor, RawDocument};
