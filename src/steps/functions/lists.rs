//! Functions on lists and mappings.

use std::{collections::BTreeMap, sync::Arc};

use gotmpl::Value;

use super::{Answer, Function, arg, fail, shown, text, whole};
use crate::steps::render;

/// The longest list that a function makes.
const LONGEST: i64 = 100_000;

pub(super) const ALL: &[(&str, Function)] = &[
    ("list", |a| Ok(list(a.to_vec()))),
    ("tuple", |a| Ok(list(a.to_vec()))),
    ("first", |a| {
        Ok(items(arg(a, 0)).first().cloned().unwrap_or(Value::Nil))
    }),
    ("last", |a| {
        Ok(items(arg(a, 0)).last().cloned().unwrap_or(Value::Nil))
    }),
    ("rest", |a| {
        Ok(list(items(arg(a, 0)).into_iter().skip(1).collect()))
    }),
    ("initial", |a| {
        let mut all = items(arg(a, 0));
        all.pop();
        Ok(list(all))
    }),
    ("append", |a| {
        Ok(list([items(arg(a, 0)), vec![arg(a, 1).clone()]].concat()))
    }),
    ("prepend", |a| {
        Ok(list([vec![arg(a, 1).clone()], items(arg(a, 0))].concat()))
    }),
    ("concat", |a| Ok(list(a.iter().flat_map(items).collect()))),
    ("reverse", |a| {
        Ok(list(items(arg(a, 0)).into_iter().rev().collect()))
    }),
    ("uniq", |a| {
        let mut seen: Vec<String> = Vec::new();
        Ok(list(kept(a, |one| {
            let shown = shown(one);
            let new = !seen.contains(&shown);
            seen.push(shown);
            new
        })))
    }),
    ("compact", |a| Ok(list(kept(a, Value::is_truthy)))),
    ("without", |a| {
        let out: Vec<String> = a.iter().skip(1).map(shown).collect();
        Ok(list(kept(a, |one| !out.contains(&shown(one)))))
    }),
    ("has", |a| {
        let wanted = text(a, 0);
        Ok(Value::Bool(
            items(arg(a, 1)).iter().any(|one| shown(one) == wanted),
        ))
    }),
    ("sortAlpha", |a| {
        let mut all: Vec<String> = items(arg(a, 0)).iter().map(shown).collect();
        all.sort();
        Ok(texts(all))
    }),
    ("join", |a| {
        let all: Vec<String> = items(arg(a, 1)).iter().map(shown).collect();
        Ok(Value::String(all.join(&text(a, 0)).into()))
    }),
    ("splitList", |a| {
        Ok(texts(text(a, 1).split(&text(a, 0)).map(str::to_owned)))
    }),
    ("split", |a| {
        let whole = text(a, 1);
        let parts = whole
            .split(&text(a, 0))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        let named = parts.into_iter().enumerate();
        Ok(map(named.map(|(n, part)| {
            (format!("_{n}"), Value::String(part.into()))
        })))
    }),
    ("toStrings", |a| {
        Ok(texts(items(arg(a, 0)).iter().map(shown)))
    }),
    ("until", |a| numbers(0, whole(a, 0), 1)),
    ("untilStep", |a| {
        numbers(whole(a, 0), whole(a, 1), whole(a, 2))
    }),
    ("dict", |a| {
        let pairs = a
            .chunks(2)
            .map(|pair| (shown(&pair[0]), arg(pair, 1).clone()));
        Ok(map(pairs))
    }),
    ("get", |a| {
        Ok(arg(a, 0).field(&text(a, 1)).cloned().unwrap_or(Value::Nil))
    }),
    ("hasKey", |a| {
        Ok(Value::Bool(arg(a, 0).field(&text(a, 1)).is_some()))
    }),
    ("keys", |a| {
        Ok(texts(a.iter().flat_map(pairs).map(|(name, _)| name)))
    }),
    ("values", |a| {
        Ok(list(
            pairs(arg(a, 0))
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
        ))
    }),
    ("pick", |a| {
        let wanted: Vec<String> = a.iter().skip(1).map(shown).collect();
        Ok(map(pairs(arg(a, 0))
            .into_iter()
            .filter(|(name, _)| wanted.contains(name))))
    }),
    ("omit", |a| {
        let out: Vec<String> = a.iter().skip(1).map(shown).collect();
        Ok(map(pairs(arg(a, 0))
            .into_iter()
            .filter(|(name, _)| !out.contains(name))))
    }),
    ("merge", |a| {
        // The first that has a key counts, as in Sprig.
        Ok(map(a.iter().rev().flat_map(pairs)))
    }),
    ("toJson", |a| {
        Ok(Value::String(json(arg(a, 0)).to_string().into()))
    }),
    ("toPrettyJson", |a| {
        let pretty = serde_json::to_string_pretty(&json(arg(a, 0))).unwrap_or_default();
        Ok(Value::String(pretty.into()))
    }),
    ("fromJson", |a| match serde_json::from_str(&text(a, 0)) {
        Ok(data) => Ok(render::value(&data)),
        Err(_) => fail("`fromJson` takes JSON"),
    }),
];

fn list(items: Vec<Value>) -> Value {
    Value::List(items.into())
}

fn texts(items: impl IntoIterator<Item = String>) -> Value {
    list(
        items
            .into_iter()
            .map(|one| Value::String(one.into()))
            .collect(),
    )
}

fn map(pairs: impl IntoIterator<Item = (String, Value)>) -> Value {
    let map: BTreeMap<Arc<str>, Value> = pairs
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
    Value::Map(Arc::new(map))
}

fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => items.to_vec(),
        _ => Vec::new(),
    }
}

fn pairs(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the items of the first argument that `keep` wants.
fn kept(args: &[Value], mut keep: impl FnMut(&Value) -> bool) -> Vec<Value> {
    let mut all = items(arg(args, 0));
    all.retain(|one| keep(one));
    all
}

fn numbers(from: i64, to: i64, step: i64) -> Answer {
    if step == 0
        || to
            .saturating_sub(from)
            .checked_div(step)
            .is_none_or(|n| n > LONGEST)
    {
        return fail("`until` counts to 100000 at most, by steps other than 0");
    }
    let mut out = Vec::new();
    let mut n = from;
    while (step > 0 && n < to) || (step < 0 && n > to) {
        out.push(Value::Int(n));
        n = n.saturating_add(step);
    }
    Ok(list(out))
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(map) => {
            let pairs = map
                .iter()
                .map(|(name, value)| (name.to_string(), json(value)));
            serde_json::Value::Object(pairs.collect())
        }
        Value::Nil | Value::Function(_) => serde_json::Value::Null,
    }
}
