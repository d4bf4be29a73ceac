//! Digests.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use crate::error::excerpt;

/// A digest: an algorithm, a colon and lower-case hex digits, as in `sha256:9f86d0…`.
///
/// The algorithms are those that the OCI image specification registers: `sha256`, `sha384`, `sha512`.
/// Only a validated digest is put into a path or a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// The part before the colon is missing or no registered algorithm.
    #[error("digest `{0}` does not start with `sha256:`, `sha384:` or `sha512:`")]
    Algorithm(String),
    /// The part behind the colon has a wrong length, or other characters than lower-case hex digits.
    #[error("digest `{text}` must have {wanted} lower-case hex digits behind the colon")]
    Hex {
        text: String,
        /// The number of digits for its algorithm.
        wanted: usize,
    },
}

impl Digest {
    /// Returns the SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(sha2::Sha256::digest(bytes))).into())
    }

    /// Tells whether this is the digest of `bytes` by its algorithm.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut checker = self.checker();
        checker.update(bytes);
        checker.digest() == *self
    }

    /// Returns a hasher for the digest's algorithm, to check content piece by piece.
    pub fn checker(&self) -> DigestHasher {
        match self.0.split_once(':').map(|(algorithm, _)| algorithm) {
            Some("sha512") => DigestHasher::Sha512(sha2::Sha512::new()),
            Some("sha384") => DigestHasher::Sha384(sha2::Sha384::new()),
            _ => DigestHasher::Sha256(sha2::Sha256::new()),
        }
    }

    /// Returns the whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digits behind the colon.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }

    /// Returns the algorithm and the first twelve digits, enough for people to distinguish two digests.
    pub fn short(&self) -> &str {
        let end = self.0.find(':').map_or(0, |colon| colon + 13);
        &self.0[..end.min(self.0.len())]
    }
}

/// Hashes content piece by piece.
#[derive(Clone, Debug)]
pub enum DigestHasher {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl DigestHasher {
    /// Adds the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// Returns the digest of all pieces.
    #[must_use]
    pub fn digest(self) -> Digest {
        let text = match self {
            Self::Sha256(hash) => format!("sha256:{}", hex::encode(hash.finalize())),
            Self::Sha384(hash) => format!("sha384:{}", hex::encode(hash.finalize())),
            Self::Sha512(hash) => format!("sha512:{}", hex::encode(hash.finalize())),
        };
        Digest(text.into())
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let wanted = match text.split_once(':').map(|(algorithm, _)| algorithm) {
            Some("sha256") => 64,
            Some("sha384") => 96,
            Some("sha512") => 128,
            _ => return Err(InvalidDigest::Algorithm(excerpt(text))),
        };
        let hex = &text[7..];
        // Without a jump out of the loop, so that the compiler checks many digits at once.
        let is_hex = hex
            .bytes()
            .fold(true, |all, b| all & matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() == wanted && is_hex {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDigest::Hex {
                text: excerpt(text),
                wanted,
            })
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        super::parsed(input)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_bytes_is_their_sha256() {
        assert_eq!(
            Digest::of(b"abc").as_str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn content_is_verified_with_the_algorithm_of_its_digest() {
        for digest in [
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha384:cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let digest: Digest = digest.parse().unwrap();
            assert!(digest.matches(b"abc"), "{digest}");
            assert!(!digest.matches(b"abd"), "{digest}");
            let mut checker = digest.checker();
            checker.update(b"a");
            checker.update(b"bc");
            assert_eq!(checker.digest(), digest);
        }
    }

    #[test]
    fn every_registered_digest_algorithm_is_accepted_with_its_own_length() {
        for (algorithm, digits) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
            let text = format!("{algorithm}:{}", "a".repeat(digits));
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
            let short = format!("{algorithm}:{}", "a".repeat(digits - 1));
            assert_eq!(
                short.parse::<Digest>(),
                Err(InvalidDigest::Hex {
                    text: short.clone(),
                    wanted: digits
                })
            );
        }
    }

    #[test]
    fn unknown_digest_algorithm_and_upper_case_are_refused() {
        let md5 = format!("md5:{}", "a".repeat(64));
        assert_eq!(md5.parse::<Digest>(), Err(InvalidDigest::Algorithm(md5)));
        assert!("hello".parse::<Digest>().is_err());
        assert!("".parse::<Digest>().is_err());
        assert!(
            format!("sha256:{}", "A".repeat(64))
                .parse::<Digest>()
                .is_err()
        );
        assert!(
            format!("sha256:{}", "é".repeat(32))
                .parse::<Digest>()
                .is_err()
        );
    }

    #[test]
    fn short_digest_has_the_algorithm_and_twelve_digits() {
        assert_eq!(Digest::of(b"abc").short(), "sha256:ba7816bf8f01");
    }
}
