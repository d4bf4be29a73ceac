//! Which images the target of a Dockerfile stands on, as BuildKit reads it, and the copy pinned to their digests.
//!
//! Bytes in, values out: nothing here reads a file or asks a registry.

mod directive;
mod expand;
mod heredoc;
mod lines;
mod pattern;
mod problem;
mod text;
mod words;

pub use problem::{DockerfileError, DockerfileErrorKind};
pub use text::Place;
