//! Reads fields that are the same in the JSON of all senders.

use serde_json::Value;

use crate::{
    image::{Digest, Reference},
    listen::hint::Hint,
};

/// Returns the text at a JSON pointer (RFC 6901).
pub fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Returns a hint for a tag. `None` where `tag` is no tag: Harbor may send a digest there, GitHub an empty text. An invalid digest is left
/// out.
pub fn image(registry: &str, repository: &str, tag: &str, digest: Option<&str>) -> Option<Hint> {
    if tag.is_empty() || tag.contains([':', '@', '/']) {
        return None;
    }
    // GitHub keeps the case of owners; references are in lower case.
    let name = format!("{registry}/{}:{tag}", repository.to_lowercase());
    let digest = digest.filter(|text| text.parse::<Digest>().is_ok());
    let name = match digest {
        Some(digest) => format!("{name}@{digest}"),
        None => name,
    };
    let reference: Reference = name.parse().ok()?;
    Some(Hint::Image(reference))
}
