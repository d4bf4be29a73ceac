//! CloudEvents: those of Harbor and Azure Event Grid, and any other that names an image.
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

/// The type of the event with which Event Grid makes sure that its events are wanted.
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// Returns the code that Event Grid wants back, if this is the event in which it asks for it.
///
/// <https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema>
pub fn validation_code(event: &Value) -> Option<String> {
    if text(event, "/eventType") != Some(VALIDATION) {
        return None;
    }
    text(event, "/data/validationCode").map(str::to_owned)
}

/// Reads an event whose attributes are in the body. Event Grid's own format is read alike.
pub fn structured(event: &Value, registry: Option<&str>) -> Vec<Hint> {
    let kind = text(event, "/type").or_else(|| text(event, "/eventType"));
    let data = event.get("data").unwrap_or(&Value::Null);
    binary(
        kind.unwrap_or_default(),
        text(event, "/subject"),
        data,
        registry,
    )
}

/// Reads an event whose attributes were in headers.
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
        return registries::distribution(data, registry)
            .into_iter()
            .collect();
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
        image(host, reference.repository(), reference.tag()?, digest)
    };
    named.into_iter().filter_map(hint).collect()
}
