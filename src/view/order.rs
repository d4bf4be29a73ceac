//! The order of keys that a query asks for. The objects of JSON have none here: their keys are sorted.
//!
//! An object that a query puts together, as `{status: status, created: createTime}`, says under a key of its own in which order its keys
//! were asked for. No answer has such a key.

use serde_json::{Map, Value};

/// Where an object says the order of its keys.
pub(super) const MARK: &str = "\u{0}order";

/// Returns the fields of an object: in the order that a query asked for, or else sorted.
pub(super) fn fields(object: &Map<String, Value>) -> Vec<(&str, &Value)> {
    match object.get(MARK).and_then(Value::as_array) {
        Some(keys) => keys
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|key| Some((key, object.get(key)?)))
            .collect(),
        None => object
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect(),
    }
}

/// Takes the order out of a value, for formats that sort keys.
pub(super) fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove(MARK);
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}
