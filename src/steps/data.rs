//! Conversion of JSON to values of templates.

use std::{collections::BTreeMap, sync::Arc};

use gotmpl::Value;

/// Converts JSON to a value of templates.
pub(super) fn value(data: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match data {
        Json::Null => Value::Nil,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(float)) => Value::Float(float),
            (None, None) => Value::Nil,
        },
        Json::String(text) => Value::String(text.as_str().into()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(map) => {
            let map: BTreeMap<Arc<str>, Value> = map
                .iter()
                .map(|(name, inner)| (name.as_str().into(), value(inner)))
                .collect();
            Value::Map(Arc::new(map))
        }
    }
}
