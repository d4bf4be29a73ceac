//! Names of images: what a person writes, what it means, and what it stands for.
//!
//! Values only. Nothing here knows a registry, a file or a clock.

pub mod digest;
pub mod mirrors;
pub mod platform;
pub mod reference;

pub use digest::{Digest, DigestHasher, InvalidDigest};
pub use mirrors::{InvalidMirror, Mirrors};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference};
