//! Functions on lists and mappings.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use gotmpl::{TemplateError, Value};

use super::call::{BYTES_OF_ENTRY, Call, CallResult, Function, fail};
use crate::steps::{budget::BYTES_OF_ITEM, data, marks};

/// The longest list of numbers that a function returns.
const LONGEST: i64 = 100_000;

pub(super) const ALL: &[(&str, Function)] = &[
    ("list", list),
    ("tuple", list),
    ("first", |c| {
        Ok(c.items(0)?.first().cloned().unwrap_or(Value::Nil))
    }),
    ("last", |c| {
        Ok(c.items(0)?.last().cloned().unwrap_or(Value::Nil))
    }),
    ("rest", |c| {
        c.list(c.items(0)?.iter().skip(1).cloned().collect())
    }),
    ("initial", |c| match c.items(0)? {
        [initial @ .., _] => c.list(initial.to_vec()),
        [] => c.list(Vec::new()),
    }),
    ("append", append),
    ("push", append),
    ("chunk", |c| {
        let Some(size) = usize::try_from(c.whole(0)?).ok().filter(|it| *it > 0) else {
            return fail("`chunk` takes a size of at least 1");
        };
        let chunks = c.items(1)?.chunks(size);
        let chunks = chunks.map(|chunk| c.list(chunk.to_vec()));
        c.list(chunks.collect::<Result<_, _>>()?)
    }),
    ("prepend", |c| {
        c.check_part(c.value(1))?;
        c.list([&[c.value(1).clone()], c.items(0)?].concat())
    }),
    ("concat", |c| {
        let mut all = Vec::new();
        for n in 0..c.args.len() {
            let items = c.items(n)?;
            c.check((all.len() + items.len()) * BYTES_OF_ITEM)?;
            all.extend_from_slice(items);
        }
        c.list(all)
    }),
    ("reverse", |c| {
        c.list(c.items(0)?.iter().rev().cloned().collect())
    }),
    ("uniq", |c| {
        let mut seen = HashSet::new();
        c.list(kept(c, |shown| seen.insert(shown))?)
    }),
    ("compact", |c| {
        let items = c.items(0)?.iter();
        c.list(items.filter(|one| one.is_truthy()).cloned().collect())
    }),
    ("without", |c| {
        let out = shown_from(c, 1)?;
        c.list(kept(c, |shown| !out.contains(&shown))?)
    }),
    ("has", |c| {
        let wanted = c.text(0)?;
        for item in c.items(1)? {
            if c.text_of(item)? == wanted {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    ("sortAlpha", |c| {
        let mut all = shown(c, c.items(0)?)?;
        all.sort();
        c.texts(all)
    }),
    ("join", |c| {
        let separator = c.marked(c.value(0))?;
        let mut out = String::new();
        for (n, item) in c.items(1)?.iter().enumerate() {
            let item = c.marked(item)?;
            c.check(out.len() + separator.len() + item.len())?;
            if n > 0 {
                out.push_str(&separator);
            }
            out.push_str(&item);
        }
        c.made_marked(out)
    }),
    ("splitList", |c| c.texts(parts(c)?)),
    ("split", |c| {
        let mut map = BTreeMap::new();
        for (n, part) in parts(c)?.into_iter().enumerate() {
            map.insert(format!("_{n}").into(), c.made(part)?);
        }
        c.map(map)
    }),
    ("splitn", |c| {
        let (separator, text) = (c.text(0)?, c.text(2)?);
        let most = usize::try_from(c.whole(1)?).unwrap_or(usize::MAX);
        let mut map = BTreeMap::new();
        for (n, part) in text.splitn(most, &separator).enumerate() {
            c.check(text.len() + (n + 1) * BYTES_OF_ENTRY)?;
            map.insert(format!("_{n}").into(), c.made(part.to_owned())?);
        }
        c.map(map)
    }),
    ("seq", |c| {
        let (from, step, to) = match c.args.len() {
            1 => (1, None, c.whole(0)?),
            2 => (c.whole(0)?, None, c.whole(1)?),
            3 => (c.whole(0)?, Some(c.whole(1)?), c.whole(2)?),
            _ => return c.made(String::new()),
        };
        let towards = if to < from { -1 } else { 1 };
        let step = step.unwrap_or(towards);
        if step.signum() != towards {
            return c.made(String::new());
        }
        let all = numbers(c, from, to.saturating_add(towards), step)?;
        c.made(c.text_of(&all)?.trim_matches(['[', ']']).to_owned())
    }),
    ("toStrings", |c| c.texts(shown(c, c.items(0)?)?)),
    ("until", |c| numbers(c, 0, c.whole(0)?, 1)),
    ("untilStep", |c| {
        numbers(c, c.whole(0)?, c.whole(1)?, c.whole(2)?)
    }),
    ("dict", |c| {
        let mut map: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        for pair in c.args.chunks(2) {
            let value = pair.get(1).unwrap_or(&Value::Nil);
            c.check_part(value)?;
            map.insert(c.marked(&pair[0])?.into(), value.clone());
        }
        c.map(map)
    }),
    ("get", |c| {
        let key = c.marked(c.value(1))?;
        Ok(c.value(0).field(&key).cloned().unwrap_or(Value::Nil))
    }),
    ("dig", |c| {
        let [keys @ .., default, value] = c.args else {
            return fail("`dig` takes keys, a default and a mapping");
        };
        let mut value = value;
        for key in keys {
            if !matches!(value, Value::Map(_)) {
                return fail(format!(
                    "`dig` takes a mapping, and not {}",
                    value.type_name()
                ));
            }
            match value.field(&c.marked(key)?) {
                Some(inner) => value = inner,
                None => return Ok(default.clone()),
            }
        }
        Ok(value.clone())
    }),
    ("pluck", |c| {
        let key = c.marked(c.value(0))?;
        let maps = c.args.iter().skip(1);
        let found: Vec<Value> = maps.filter_map(|map| map.field(&key).cloned()).collect();
        found.iter().try_for_each(|one| c.check_part(one))?;
        c.list(found)
    }),
    ("hasKey", |c| {
        let key = c.marked(c.value(1))?;
        Ok(Value::Bool(c.value(0).field(&key).is_some()))
    }),
    ("keys", |c| {
        let mut all = Vec::new();
        for n in 0..c.args.len() {
            let keys = c.entries(n)?.keys();
            c.check((all.len() + keys.len()) * BYTES_OF_ITEM)?;
            all.extend(keys.map(|key| Value::String(Arc::clone(key))));
        }
        c.list(all)
    }),
    ("values", |c| {
        c.list(c.entries(0)?.values().cloned().collect())
    }),
    ("pick", |c| {
        let wanted = shown_from(c, 1)?;
        c.map(entries_if(c, |name| wanted.contains(name))?)
    }),
    ("omit", |c| {
        let out = shown_from(c, 1)?;
        c.map(entries_if(c, |name| !out.contains(name))?)
    }),
    ("merge", |c| {
        // The first mapping that has a key wins, as in Sprig.
        let mut map: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        for n in 0..c.args.len() {
            for (name, value) in c.entries(n)? {
                map.entry(Arc::clone(name)).or_insert_with(|| value.clone());
            }
            c.check(map.len() * BYTES_OF_ENTRY)?;
        }
        c.map(map)
    }),
    ("toJson", |c| c.made_marked(json(c)?.to_string())),
    ("toRawJson", |c| c.made_marked(json(c)?.to_string())),
    ("toPrettyJson", |c| {
        let pretty = serde_json::to_string_pretty(&json(c)?).unwrap_or_default();
        c.made_marked(pretty)
    }),
    ("fromJson", |c| {
        let text = c.text(0)?;
        // Each byte can become a value: one of serde's, and one of templates.
        c.check(text.len().saturating_mul(16))?;
        let Ok(data) = serde_json::from_str::<serde_json::Value>(&text) else {
            return fail("`fromJson` takes JSON");
        };
        c.budget.pay_made(text.len().saturating_mul(4))?;
        let data = if c.is_secret.get() {
            hidden(data)
        } else {
            data
        };
        let value = data::value(&data);
        c.check_part(&value)?;
        Ok(value)
    }),
];

fn append(call: &Call<'_>) -> CallResult {
    call.check_part(call.value(1))?;
    call.list([call.items(0)?, &[call.value(1).clone()]].concat())
}

fn list(call: &Call<'_>) -> CallResult {
    call.args.iter().try_for_each(|one| call.check_part(one))?;
    call.list(call.args.to_vec())
}

fn shown(call: &Call<'_>, items: &[Value]) -> Result<Vec<String>, TemplateError> {
    let mut all = Vec::with_capacity(items.len());
    let mut bytes = 0;
    for item in items {
        let text = call.text_of(item)?;
        bytes += text.len() + BYTES_OF_ITEM;
        call.check(bytes)?;
        all.push(text);
    }
    Ok(all)
}

/// Returns the arguments from the `n`th on as texts.
fn shown_from(call: &Call<'_>, n: usize) -> Result<BTreeSet<String>, TemplateError> {
    Ok(shown(call, call.args.get(n..).unwrap_or_default())?
        .into_iter()
        .collect())
}

/// Returns the items of the first argument whose printed text `keep` accepts.
fn kept(
    call: &Call<'_>,
    mut keep: impl FnMut(String) -> bool,
) -> Result<Vec<Value>, TemplateError> {
    let mut all = Vec::new();
    let mut bytes = 0;
    for item in call.items(0)? {
        let text = call.text_of(item)?;
        bytes += text.len() + 2 * BYTES_OF_ITEM;
        call.check(bytes)?;
        if keep(text) {
            all.push(item.clone());
        }
    }
    Ok(all)
}

/// Splits the second argument at each occurrence of the first.
fn parts(call: &Call<'_>) -> Result<Vec<String>, TemplateError> {
    let (separator, text) = (call.text(0)?, call.text(1)?);
    let count = text.matches(&separator).count() + 1;
    call.check(text.len() + count * (BYTES_OF_ITEM + BYTES_OF_ENTRY))?;
    Ok(text.split(&separator).map(str::to_owned).collect())
}

fn entries_if(
    call: &Call<'_>,
    keep: impl Fn(&str) -> bool,
) -> Result<BTreeMap<Arc<str>, Value>, TemplateError> {
    let entries = call.entries(0)?.iter();
    Ok(entries
        .filter(|(name, _)| keep(name))
        .map(|(name, value)| (Arc::clone(name), value.clone()))
        .collect())
}

fn numbers(call: &Call<'_>, from: i64, to: i64, step: i64) -> CallResult {
    let count = to.saturating_sub(from).checked_div(step);
    let Some(count) = count.filter(|count| *count <= LONGEST) else {
        return fail("`until` counts to 100000 at most, by steps other than 0");
    };
    call.check(usize::try_from(count).unwrap_or(0) * BYTES_OF_ITEM)?;
    let mut out = Vec::new();
    let mut n = from;
    while (step > 0 && n < to) || (step < 0 && n > to) {
        out.push(Value::Int(n));
        n = n.saturating_add(step);
    }
    call.list(out)
}

/// Returns the first argument as JSON.
fn json(call: &Call<'_>) -> Result<serde_json::Value, TemplateError> {
    let mut bytes = 0;
    json_of(call, call.value(0), 0, &mut bytes)
}

fn json_of(
    call: &Call<'_>,
    value: &Value,
    depth: usize,
    bytes: &mut usize,
) -> Result<serde_json::Value, TemplateError> {
    // The size of a value in memory, and of its line in pretty-printed JSON.
    *bytes += BYTES_OF_ENTRY + 2 * depth + value.as_str().map_or(0, str::len);
    call.check(*bytes)?;
    call.budget.pay_steps(1)?;
    Ok(match value {
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(items) => items
            .iter()
            .map(|item| json_of(call, item, depth + 1, bytes))
            .collect::<Result<_, _>>()?,
        Value::Map(map) => {
            let mut object = serde_json::Map::new();
            for (name, value) in map.iter() {
                *bytes += name.len();
                object.insert(name.to_string(), json_of(call, value, depth + 1, bytes)?);
            }
            serde_json::Value::Object(object)
        }
        Value::Nil | Value::Function(_) => serde_json::Value::Null,
    })
}

/// Marks every text of a JSON document as secret.
fn hidden(data: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match data {
        Json::String(text) => marks::around(&text).into(),
        Json::Array(items) => items.into_iter().map(hidden).collect(),
        Json::Object(map) => {
            let map = map.into_iter().map(|(name, value)| (name, hidden(value)));
            Json::Object(map.collect())
        }
        other => other,
    }
}
