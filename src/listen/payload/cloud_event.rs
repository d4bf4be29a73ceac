//! CloudEvents: those of Harbor and Azure Event Grid, and others that name an image.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

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
    let data = event.get("data").unwrap_or(&Value::Null);
    binary(kind, subject, data, registry)
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
