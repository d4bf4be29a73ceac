//! The order of keys that a query asks for. Keys of JSON objects are sorted otherwise.
//!
//! An object that a query constructs, as `{status: status, created: createTime}`, holds the order of its keys under a special key, which
//! no answer uses.

use serde_json::{Map, Value};

/// The key of an object that holds the order of its keys.
pub(super) const MARK: &str = "\u{0}order";

/// Returns the fields of an object in the order of the query, or else sorted.
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

/// Removes the order from a value, for formats that sort keys.
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
