//! Which images the target of a Dockerfile stands on, as BuildKit reads it, and the copy pinned to their digests.
//!
//! Bytes in, values out: nothing here reads a file or asks a registry.
