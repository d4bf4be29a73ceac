//! The documents in registries. Pure: parses headers and bytes.
//!
//! `head` interprets the headers of a response, and `body` its bytes: a `manifest` or an index. `index` chooses from an index, and `kinds`
//! tells images from other contents of registries.

pub mod body;
pub mod head;
pub mod index;
pub mod kinds;
pub mod manifest;
