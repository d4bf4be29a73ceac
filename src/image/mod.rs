//! Image references, digests and platforms.
//!
//! Pure values: nothing here uses a registry, a file or a clock.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};

pub mod digest;
pub mod mirrors;
pub mod platform;
pub mod reference;

pub use digest::{Digest, DigestHasher, InvalidDigest};
pub use mirrors::{InvalidMirror, Mirrors};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference};

/// Deserializes a value from borrowed text, without a copy: there are a dozen such values for each of ten thousand
/// tasks.
fn parsed<'de, T: FromStr<Err: fmt::Display>, D: Deserializer<'de>>(
    input: D,
) -> Result<T, D::Error> {
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    input.deserialize_str(Text(PhantomData))
}
