//! CloudEvents: those of Harbor and Azure Event Grid, and others that name an image.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{
    image::{Digest, Reference},
    listen::hint::Hint,
};

use super::{
    fields::{image, text},
    registries,
};

/// The type of the event with which Event Grid validates a subscription.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Returns the validation code that Event Grid expects in the response, if this is its validation event.
///
/// <https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema>
pub fn validation_code(event: &Value) -> Option<String> {
    if text(event, "/eventType") != Some(VALIDATION) {
        return None;
    }
    text(event, "/data/validationCode").map(str::to_owned)
}

/// Reads an event in structured mode, with its attributes in the body. Event Grid's own format is read in the same way.
pub fn structured(event: &Value, registry: Option<&str>) -> Vec<Hint> {
    let kind = text(event, "/type").or_else(|| text(event, "/eventType"));
    let (kind, subject) = (kind.unwrap_or_default(), text(event, "/subject"));
    let decoded = || {
        let data = BASE64_STANDARD.decode(text(event, "/data_base64")?).ok()?;
        serde_json::from_slice(&data).ok()
    };
    let data = event.get("data").cloned().or_else(decoded);
    binary(kind, subject, &data.unwrap_or_default(), registry)
}

/// Decodes the value of a header with an attribute: it may be quoted, and is percent-encoded (section 3.1.3.2).
pub fn header_value(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let plain = inner.map(|quoted| {
        let mut escaped = quoted.chars();
        std::iter::from_fn(|| match escaped.next()? {
            '\\' => escaped.next(),
            plain => Some(plain),
        })
        .collect::<String>()
    });
    let plain = plain.as_deref().unwrap_or(value);
    percent_decode_str(plain).decode_utf8_lossy().into_owned()
}

/// Reads an event in binary mode, with its attributes in headers.
pub fn binary(
    kind: &str,
    subject: Option<&str>,
    data: &Value,
    registry: Option<&str>,
) -> Vec<Hint> {
    if kind == "harbor.artifact.pushed" {
        return registries::harbor_resources(data, registry);
    }
    if data.get("target").is_some() {
        return Vec::from_iter(registries::distribution(data, registry));
    }
    let named: Vec<&str> = match data.get("image") {
        Some(Value::String(image)) => vec![image],
        Some(Value::Array(images)) => images.iter().filter_map(Value::as_str).collect(),
        _ => subject.into_iter().collect(),
    };
    let hint = |name: &str| {
        let reference: Reference = name.parse().ok()?;
        let host = registry.unwrap_or(reference.registry());
        let digest = reference.digest().map(Digest::as_str);
        let repository = reference.repository();
        // Only on Docker Hub does a name without a folder mean one in `library`.
        let is_short = registry.is_some() && !name.contains('/');
        let written = repository.strip_prefix("library/").filter(|_| is_short);
        let repository = written.unwrap_or(repository);
        image(host, repository, reference.tag()?, digest)
    };
    named.into_iter().filter_map(hint).collect()
}
