//! The config file as text: one value is read, changed or removed, and the rest stays as written.

use serde_yaml::{Mapping, Value};

use crate::secret::without_login;

use super::{
    config::{Config, switch_of},
    config_edit,
    secret::is_place,
};

/// The keys with fixed names. Registries, builders and others with names of their own come in addition.
pub const KEYS: &[&str] = &[
    "defaults.registry",
    "defaults.builder",
    "defaults.output",
    "defaults.minAge",
    "defaults.windows",
    "watch.everySeconds",
    "watch.publicMinSeconds",
    "watch.publicMaxSeconds",
    "watch.imagesEverySeconds",
    "watch.roundSeconds",
    "runs.keep",
    "runs.keepDays",
    "environment.pass",
    "metrics.secret",
    "page.on",
    "page.url",
    "page.token",
    "page.trustProxy",
];

/// The sections that are one value, a list or a switch.
const WHOLE: [&str; 4] = ["notify", "onSuccess", "page", "verify"];

/// The path of a value: a section, a name in it if the section has names, and a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Vec<String>);

/// Why a config file cannot be changed as requested.
#[derive(Debug, thiserror::Error)]
pub enum ConfigEditError {
    /// The key has no section or no field.
    #[error("`{}` is not of the form section.key, as defaults.registry, or section.name.key", .0.escape_debug())]
    Form(String),
    /// The changed file would be invalid.
    #[error("{0}")]
    Refused(String),
    /// The file does not parse as it is.
    #[error("the file does not parse")]
    Broken(#[from] serde_yaml::Error),
    /// It can be read, but the value cannot be changed without touching the rest.
    #[error("it cannot be changed without touching what else is written in it")]
    Style,
}

impl std::str::FromStr for Key {
    type Err = ConfigEditError;

    /// Reads `section.field` or `section.name.field`, of which the name may have dots, as login servers do; `builders.name.tls.field`; or
    /// `section.name` where the section has only names, or `section` where it is one value.
    fn from_str(text: &str) -> Result<Self, ConfigEditError> {
        let form = || ConfigEditError::Form(text.to_owned());
        if WHOLE.contains(&text) {
            return Ok(Self(vec![text.to_owned()]));
        }
        let (section, rest) = text.split_once('.').ok_or_else(form)?;
        let mut parts = vec![section];
        let split = rest.rsplit_once('.').filter(|_| section != "mirrors");
        let certificate = split.and_then(|(name, field)| {
            let is_file = section == "builders" && ["ca", "cert", "key"].contains(&field);
            Some((name.strip_suffix(".tls")?, field)).filter(|_| is_file)
        });
        match (certificate, split) {
            (Some((name, field)), _) => parts.extend([name, "tls", field]),
            (None, Some((name, field))) => parts.extend([name, field]),
            (None, None) => parts.push(rest),
        }
        if parts.iter().any(|part| part.is_empty()) {
            return Err(form());
        }
        Ok(Self(parts.into_iter().map(str::to_owned).collect()))
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl Key {
    /// Tells by its name whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.0.last().is_some_and(|field| is_secret_name(field))
    }

    /// Returns the key under which a file has the value: `page` for `page.on` where the file says `page: on`.
    fn written_in(&self, file: &Value) -> Self {
        let is_switch = file.get("page").and_then(switch).is_some();
        match self.0.as_slice() {
            [section, field] if section == "page" && field == "on" && is_switch => {
                Self(vec![section.clone()])
            }
            _ => self.clone(),
        }
    }

    /// Returns a value of this key without what may be secret in it, also where the file does not have the form that it should have.
    pub fn shown(&self, value: &Value) -> Value {
        let mut path = self.0.iter().map(String::as_str);
        let section = path.next().unwrap_or_default();
        let field = path.next_back();
        match (section, field, value) {
            ("page", Some("url"), Value::String(url)) => Value::String(host_and_path(url)),
            ("page", Some("url"), value) => stars_for(value),
            ("page", None, value) if switch(value).is_some() => value.clone(),
            ("notify", None, Value::Sequence(receivers)) => {
                receivers.iter().map(receiver_shown).collect()
            }
            ("notify", Some(field), value) => setting_shown(field, value),
            ("page" | "metrics" | "notify", None, value) => stars_for(value),
            // Each sender is a mapping.
            ("listen", field, value) if self.0.len() < 3 || field.is_none() => stars_for(value),
            (_, _, value) if self.is_secret() => stars_for(value),
            (_, _, value) => value.clone(),
        }
    }
}

/// Returns the value of a switch: a boolean, `on` or `off`.
fn switch(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| switch_of(value.as_str()?))
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let words = ["secret", "password", "token"];
    words.iter().any(|word| name.contains(word))
}

/// Returns stars in place of a secret, or the place where it is stored.
fn stars_for(value: &Value) -> Value {
    match value.as_str() {
        Some(text) if is_place(text) => value.clone(),
        _ => "***".into(),
    }
}

/// Returns the settings of a receiver of notifications without what may be secret in them.
fn receiver_shown(receiver: &Value) -> Value {
    let Value::Mapping(settings) = receiver else {
        return stars_for(receiver);
    };
    let shown = settings.iter().map(|(name, value)| {
        let shown = setting_shown(name.as_str().unwrap_or_default(), value);
        (name.clone(), shown)
    });
    Value::Mapping(shown.collect())
}

fn setting_shown(name: &str, value: &Value) -> Value {
    match (name, value) {
        (
            "name" | "command" | "on" | "tasks" | "preset" | "title" | "body" | "remindDays"
            | "digest" | "group",
            value,
        ) => value.clone(),
        ("url", Value::String(url)) if !is_place(url) => match url.split_once("://") {
            // The path is the secret of most webhooks.
            Some((scheme, rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                Value::String(format!("{scheme}://{host}/***"))
            }
            None => "***".into(),
        },
        ("headers" | "values", Value::Mapping(values)) => {
            let shown = values
                .iter()
                .map(|(name, value)| (name.clone(), stars_for(value)));
            Value::Mapping(shown.collect())
        }
        (_, value) => stars_for(value),
    }
}

/// Returns a URL without its login and its query.
fn host_and_path(url: &str) -> String {
    let url = without_login(url);
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// Returns all values of a config file, in the order in which they are written.
pub fn entries(text: &str) -> Result<Vec<(Key, Value)>, ConfigEditError> {
    fn collect(path: &[String], value: &Value, found: &mut Vec<(Key, Value)>) {
        let is_of_builder = path.first().is_some_and(|it| it == "builders");
        match value {
            // The certificates of a builder are one level deeper.
            Value::Mapping(fields) if path.len() < 3 || (is_of_builder && path.len() < 4) => {
                for (name, value) in fields {
                    let name = name.as_str().unwrap_or_default().to_owned();
                    collect(&[path, &[name]].concat(), value, found);
                }
            }
            Value::Null => {}
            value => found.push((Key(path.to_vec()), value.clone())),
        }
    }
    let mut found = Vec::new();
    collect(&[], &serde_yaml::from_str(text)?, &mut found);
    Ok(found)
}

/// Returns one value of a config file. `page: on` has the value of `page.on` too.
pub fn get(text: &str, key: &Key) -> Result<Option<Value>, ConfigEditError> {
    let key = key.written_in(&serde_yaml::from_str(text)?);
    let mut entries = entries(text)?.into_iter();
    Ok(entries.find(|(other, _)| *other == key).map(|it| it.1))
}

/// Returns the text with the value at `key` set to `value` as typed: a number or a boolean where the key takes one, else a text.
///
/// # Errors
///
/// [`ConfigEditError::Refused`] for a key that no config file has or a value that the key does not take.
pub fn set(text: &str, key: &Key, value: &str) -> Result<String, ConfigEditError> {
    let typed = accepted(key, value)?;
    let mut wanted: Value = serde_yaml::from_str(text)?;
    if is_section(&wanted, key) {
        return Err(ConfigEditError::Form(key.to_string()));
    }
    let (key, typed) =
        with_switch(&wanted, key, &typed).unwrap_or_else(|| (key.clone(), typed.clone()));
    put(&mut wanted, &key.0, typed.clone());
    let edited = config_edit::set(text, &key.0, &typed);
    // At the end of the text: right for a file that has only comments, and for a new section.
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let single = serde_yaml::to_string(&only(&key, typed))?.replace('\n', newline);
    let appended = if text.is_empty() || text.ends_with('\n') {
        format!("{text}{single}")
    } else {
        format!("{text}{newline}{single}")
    };
    first_that_says(&wanted, edited.into_iter().chain([appended]))
}

/// Returns the change of the whole section where it is a switch that a field joins: `page: on` is short for `page: {on: true}`.
fn with_switch(file: &Value, key: &Key, value: &Value) -> Option<(Key, Value)> {
    let on = switch(file.get("page")?)?;
    let [section, field] = key.0.as_slice() else {
        return None;
    };
    if section != "page" || field == "on" {
        return None;
    }
    let fields = [
        ("on".into(), on.into()),
        (field.as_str().into(), value.clone()),
    ];
    let whole = Value::Mapping(Mapping::from_iter(fields));
    Some((Key(vec![section.clone()]), whole))
}

/// Returns the config of a file with this value alone.
///
/// # Errors
///
/// As [`set`].
pub fn alone(key: &Key, value: &str) -> Result<Config, ConfigEditError> {
    let alone = only(key, accepted(key, value)?);
    Ok(serde_yaml::from_value(alone)?)
}

/// Returns a file with this value alone.
fn only(key: &Key, value: Value) -> Value {
    let mut file = Value::Null;
    put(&mut file, &key.0, value);
    file
}

/// Returns whether a key names a whole section of which the file has several values.
fn is_section(file: &Value, key: &Key) -> bool {
    matches!(key.0.as_slice(), [section] if file.get(section.as_str()).is_some_and(Value::is_mapping))
}

/// Refuses a change that makes a valid file invalid, such as the removal of a name that is still in use, and one that puts the shortest
/// pause above the longest.
///
/// # Errors
///
/// [`ConfigEditError::Refused`] with what would be wrong.
pub fn check_change(before: &str, after: &str) -> Result<(), ConfigEditError> {
    let is_reversed = |it: &Config| it.watch.public_min_seconds > it.watch.public_max_seconds;
    match (Config::parse(before), Config::parse(after)) {
        (Ok(_), Err(problem)) => Err(ConfigEditError::Refused(problem.to_string())),
        (Ok(old), Ok(new)) if is_reversed(&new) && !is_reversed(&old) => {
            let (min, max) = (new.watch.public_min_seconds, new.watch.public_max_seconds);
            Err(ConfigEditError::Refused(format!(
                "watch.publicMinSeconds, {min}, is longer than watch.publicMaxSeconds, {max}"
            )))
        }
        _ => Ok(()),
    }
}

/// Returns the text without a value, or `None` where it does not have the value.
///
/// # Errors
///
/// [`ConfigEditError::Style`] where it cannot be cut out.
pub fn unset(text: &str, key: &Key) -> Result<Option<String>, ConfigEditError> {
    let mut wanted: Value = serde_yaml::from_str(text)?;
    let key = &key.written_in(&wanted);
    if is_section(&wanted, key) || !take(&mut wanted, &key.0) {
        return Ok(None);
    }
    let edited = config_edit::remove(text, gone(&wanted, &key.0));
    first_that_says(&wanted, edited.into_iter().chain([String::new()])).map(Some)
}

/// Returns the first text that parses to `wanted`: whatever the editor did, nothing else has changed then.
fn first_that_says(
    wanted: &Value,
    texts: impl Iterator<Item = String>,
) -> Result<String, ConfigEditError> {
    let says = |text: &String| serde_yaml::from_str::<Value>(text).is_ok_and(|v| v == *wanted);
    texts.into_iter().find(says).ok_or(ConfigEditError::Style)
}

/// Parses a value to the type that the key takes.
fn accepted(key: &Key, text: &str) -> Result<Value, ConfigEditError> {
    let alone = |value: &Value| serde_yaml::from_value::<Config>(only(key, value.clone()));
    let as_yaml = serde_yaml::from_str::<Value>(text).ok();
    let as_yaml = as_yaml.filter(|value| !value.is_null() && !value.is_mapping());
    let mut of_value = None;
    if let Some(value) = as_yaml {
        match alone(&value) {
            Ok(_) => return Ok(value),
            Err(problem) => of_value = Some(problem).filter(|_| !value.is_string()),
        }
    }
    let as_text = Value::String(text.to_owned());
    match alone(&as_text).map_err(|problem| of_value.unwrap_or(problem)) {
        Ok(_) => Ok(as_text),
        Err(problem) => Err(ConfigEditError::Refused(if key.is_secret() {
            "the value is not what the key takes: a secret is given as env:NAME or file:PATH, where it is found".into()
        } else {
            ["u64", "u32", "usize"]
                .iter()
                .fold(problem.to_string(), |text, number| {
                    text.replace(&format!("expected {number}"), "expected a whole number")
                })
        })),
    }
}

fn put(value: &mut Value, path: &[String], new: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    if !value.is_mapping() {
        *value = Value::Mapping(Mapping::new());
    }
    if let Value::Mapping(fields) = value {
        let key = Value::String(first.clone());
        put(fields.entry(key).or_insert(Value::Null), rest, new);
    }
}

/// Removes a value, and the mappings that are empty without it. Returns whether it was there.
fn take(value: &mut Value, path: &[String]) -> bool {
    let (Some((first, rest)), Value::Mapping(fields)) = (path.split_first(), &mut *value) else {
        return false;
    };
    let was_there = match rest {
        [] => fields.shift_remove(first.as_str()).is_some(),
        rest => {
            let inner = fields.get_mut(first.as_str());
            let was_there = inner.is_some_and(|inner| take(inner, rest));
            let is_empty = fields.get(first.as_str()).is_some_and(Value::is_null);
            if was_there && is_empty {
                fields.shift_remove(first.as_str());
            }
            was_there
        }
    };
    if was_there && fields.is_empty() {
        *value = Value::Null;
    }
    was_there
}

/// Returns the shortest part of a path that does not exist in a value.
fn gone<'p>(value: &Value, path: &'p [String]) -> &'p [String] {
    let mut inner = Some(value);
    for (n, name) in path.iter().enumerate() {
        inner = inner.and_then(|value| value.get(name.as_str()));
        if inner.is_none() {
            return path.get(..=n).unwrap_or(path);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_value_has_no_secret_whatever_the_form_of_the_file() {
        let text = "\
notify:
- {name: n, url: 'https://u:canary@hooks.example:8443/canary?t=canary', headers: {A: canary}, values: {b: canary, c: 'env:C'}, secret: canary, bodi: canary, on: [failure]}
- canary
page: {on: true, url: 'https://u:canary@page.example/p?q=canary', token: [canary]}
listen: {a: canary, b: {secret: canary, registry: r.io}}
metrics: canary
registries: {r.io: {plainHttp: true}}
";
        let shown: Vec<String> = entries(text)
            .unwrap()
            .iter()
            .map(|(key, value)| {
                let value = serde_json::to_string(&key.shown(value)).unwrap();
                format!("{key}={value}")
            })
            .collect();
        assert_eq!(
            shown,
            [
                r#"notify=[{"name":"n","url":"https://hooks.example:8443/***","headers":{"A":"***"},"values":{"b":"***","c":"env:C"},"secret":"***","bodi":"***","on":["failure"]},"***"]"#,
                "page.on=true",
                r#"page.url="https://***@page.example/p""#,
                r#"page.token="***""#,
                r#"listen.a="***""#,
                r#"listen.b.secret="***""#,
                r#"listen.b.registry="r.io""#,
                r#"metrics="***""#,
                "registries.r.io.plainHttp=true",
            ]
        );
        for odd in [
            "notify: canary",
            "notify: {url: 'https://h/canary'}",
            "notify: {a: {b: canary}}",
            "listen: canary",
            "page: canary",
            "page: {url: [canary]}",
            "listen: [canary]",
        ] {
            for (key, value) in entries(odd).unwrap() {
                let shown = serde_json::to_string(&key.shown(&value)).unwrap();
                assert!(!shown.contains("canary"), "{odd}: {shown}");
            }
        }
    }

    #[test]
    fn setting_a_value_keeps_comments_and_order_in_every_yaml_style() {
        let mut wrong = Vec::new();
        for (before, name, value, after) in STYLES {
            let changed = set(before, &key(name), value).map_err(|e| e.to_string());
            if changed.as_deref() != Ok(*after) {
                wrong.push(format!(
                    "{before:?}\n{name}={value}: {changed:?}\n{after:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    #[test]
    fn setting_a_field_of_the_page_keeps_it_switched_on_or_off() {
        for (before, on) in [
            ("page: on # mine\n", true),
            ("page: true", true),
            ("page: off\n", false),
            ("page: {on: true}\n", true),
            ("page:\n", false),
        ] {
            let after = set(before, &key("page.url"), "https://a.test").unwrap();
            let page = Config::parse(&after).unwrap().page;
            assert_eq!(page.url.as_deref(), Some("https://a.test"), "{after}");
            assert_eq!(page.on, on, "{after}");
        }
        let off = set("page: on\n", &key("page.on"), "off").unwrap();
        assert!(!Config::parse(&off).unwrap().page.on);
    }

    #[test]
    fn switch_of_the_page_is_shown_and_removed_in_each_form() {
        for (text, shown) in [
            ("page: on", "\"on\""),
            ("page: true", "true"),
            ("page: {on: on}", "\"on\""),
            ("page: {on: off}", "\"off\""),
        ] {
            for (key, value) in entries(text).unwrap() {
                let listed = serde_json::to_string(&key.shown(&value)).unwrap();
                assert_eq!(listed, shown, "{text}");
            }
            let on = key("page.on");
            let value = on.shown(&get(text, &on).unwrap().unwrap());
            assert_eq!(serde_json::to_string(&value).unwrap(), shown, "{text}");
            let without = unset(text, &on).unwrap().unwrap();
            assert!(!Config::parse(&without).unwrap().page.on, "{without}");
        }
        assert_eq!(get("page: canary", &key("page.on")).unwrap(), None);
        assert_eq!(get("page: {on: true}", &key("page")).unwrap(), None);
    }

    #[test]
    fn certificates_of_a_builder_are_values_of_their_own() {
        let mut text = "builders: {arm1: {kind: docker, address: 'tcp://arm1:2376'}}\n".to_owned();
        for (name, file) in [("ca", "/ca"), ("cert", "/c"), ("key", "/k")] {
            text = set(&text, &key(&format!("builders.arm1.tls.{name}")), file).unwrap();
        }
        text = unset(&text, &key("builders.arm1.tls.ca")).unwrap().unwrap();
        let listed: Vec<String> = entries(&text)
            .unwrap()
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
            .collect();
        assert_eq!(
            listed,
            [
                "builders.arm1.kind=docker",
                "builders.arm1.address=tcp://arm1:2376",
                "builders.arm1.tls.cert=/c",
                "builders.arm1.tls.key=/k",
            ]
        );
        for (listed, _) in entries(&text).unwrap() {
            assert_eq!(key(&listed.to_string()), listed);
        }
        assert!(set(&text, &key("builders.arm1.tls.certs"), "/x").is_err());
        let alone = unset(&text, &key("builders.arm1.tls.key"));
        let problem = check_change(&text, &alone.unwrap().unwrap()).map_err(|it| it.to_string());
        assert!(problem.unwrap_err().contains("a `cert` without a `key`"));
    }

    #[test]
    fn unsetting_a_value_removes_its_line_only() {
        let mut wrong = Vec::new();
        for (before, name, after) in CUTS {
            let changed = unset(before, &key(name)).map_err(|e| e.to_string());
            if changed != Ok(Some((*after).to_owned())) {
                wrong.push(format!("{before:?}\n{name}: {changed:?}\n{after:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    #[test]
    fn value_shared_by_a_yaml_anchor_is_not_changed() {
        let shared = "watch: {everySeconds: &often 60, publicMinSeconds: *often}\n";
        let problem = set(shared, &key("watch.everySeconds"), "30").unwrap_err();
        assert!(
            problem.to_string().contains("without touching"),
            "{problem}"
        );
        let own = set(shared, &key("watch.publicMinSeconds"), "30").unwrap();
        assert_eq!(own, shared.replace("*often", "30"));
    }

    /// Cases: a file, a key and its new value, and the file afterwards.
    const STYLES: &[(&str, &str, &str, &str)] = &[
        // One line for each value, with various surroundings.
        (
            "runs:\n  keep: 5\t# few\n",
            "runs.keep",
            "7",
            "runs:\n  keep: 7\t# few\n",
        ),
        (
            "runs:\n    keep: 5",
            "runs.keepDays",
            "7",
            "runs:\n    keep: 5\n    keepDays: 7\n",
        ),
        (
            "defaults:\n  registry: \"a.io\" # 'x'\n",
            "defaults.registry",
            "b.io",
            "defaults:\n  registry: b.io # 'x'\n",
        ),
        (
            "defaults:\n  registry: 'it''s' # x\n",
            "defaults.registry",
            "b.io",
            "defaults:\n  registry: b.io # x\n",
        ),
        (
            "\"defaults\":\n  'registry' : a.io\n",
            "defaults.registry",
            "b.io",
            "\"defaults\":\n  'registry' : b.io\n",
        ),
        (
            "defaults:\n  registry: a#b\n",
            "defaults.registry",
            "c#d",
            "defaults:\n  registry: c#d\n",
        ),
        (
            "# größe\ndefaults: # ü\n  registry: ä # ö\n",
            "defaults.registry",
            "b.io",
            "# größe\ndefaults: # ü\n  registry: b.io # ö\n",
        ),
        (
            "defaults:\n  registry: a.io\n",
            "defaults.registry",
            "5000",
            "defaults:\n  registry: '5000'\n",
        ),
        (
            "defaults:\n  builder: x\n",
            "defaults.builder",
            "a: b\n'c'",
            "defaults:\n  builder: \"a: b\\n'c'\"\n",
        ),
        (
            "defaults:\n  builder: |\n    two\n    lines\n  registry: a.io\n",
            "defaults.builder",
            "podman",
            "defaults:\n  builder: podman\n  registry: a.io\n",
        ),
        (
            "defaults:\n  builder: two\n    words # x\n",
            "defaults.builder",
            "podman",
            "defaults:\n  builder: podman # x\n",
        ),
        (
            "defaults:\n  builder: \"a\\\"b\" # x\n",
            "defaults.builder",
            "podman",
            "defaults:\n  builder: podman # x\n",
        ),
        (
            "defaults:\n  builder: |\n    two\n\n# mine\nruns:\n  keep: 5\n",
            "defaults.registry",
            "a.io",
            "defaults:\n  builder: |\n    two\n  registry: a.io\n\n# mine\nruns:\n  keep: 5\n",
        ),
        (
            "defaults:\n  builder: >- # folded\n    two\n  # mine\n  registry: a.io\n",
            "defaults.builder",
            "podman",
            "defaults:\n  builder: podman\n  # mine\n  registry: a.io\n",
        ),
        // Sections: existing, empty, in comments, and new.
        ("runs:\n", "runs.keep", "7", "runs:\n  keep: 7\n"),
        (
            "runs: # mine\n  # keep: 5\nwatch:\n  everySeconds: 60\n",
            "runs.keep",
            "7",
            "runs: # mine\n  keep: 7\n  # keep: 5\nwatch:\n  everySeconds: 60\n",
        ),
        ("runs: ~\n", "runs.keep", "7", "runs: {keep: 7}\n"),
        ("runs:\n  keep:\n", "runs.keep", "7", "runs:\n  keep: 7\n"),
        (
            "runs:\n  keep: # all\n",
            "runs.keep",
            "7",
            "runs:\n  keep: 7 # all\n",
        ),
        (
            "runs:\n  keep: 5\n  # keepDays: 30\n\nwatch:\n  everySeconds: 60\n",
            "runs.keepDays",
            "7",
            "runs:\n  keep: 5\n  keepDays: 7\n  # keepDays: 30\n\nwatch:\n  everySeconds: 60\n",
        ),
        (
            "runs:\n  keep: 5\n  # keepDays: 30\n# the end\n",
            "watch.everySeconds",
            "60",
            "runs:\n  keep: 5\n  # keepDays: 30\nwatch:\n  everySeconds: 60\n# the end\n",
        ),
        (
            "# one\n\n# two\n",
            "runs.keep",
            "7",
            "# one\n\n# two\nruns:\n  keep: 7\n",
        ),
        (
            "---\n# one\n",
            "runs.keep",
            "7",
            "---\n# one\nruns:\n  keep: 7\n",
        ),
        (
            "--- # one\nruns:\n  keep: 5\n...\n",
            "runs.keepDays",
            "7",
            "--- # one\nruns:\n  keep: 5\n  keepDays: 7\n...\n",
        ),
        ("\n\n", "runs.keep", "7", "\n\nruns:\n  keep: 7\n"),
        ("{}\n", "runs.keep", "7", "{runs: {keep: 7}}\n"),
        // Sections with names.
        (
            "registries:\n  a.io:\n    plainHttp: true\n",
            "registries.b.io:5000.concurrency",
            "4",
            "registries:\n  a.io:\n    plainHttp: true\n  b.io:5000:\n    concurrency: 4\n",
        ),
        (
            "registries:\n  a.io: {plainHttp: true}\n",
            "registries.a.io.concurrency",
            "4",
            "registries:\n  a.io: {plainHttp: true, concurrency: 4}\n",
        ),
        (
            "registries: {a.io: {}}\n",
            "registries.a.io.concurrency",
            "4",
            "registries: {a.io: {concurrency: 4}}\n",
        ),
        (
            "registries: {}\n",
            "registries.[::1]:5000.concurrency",
            "4",
            "registries: {\"[::1]:5000\": {concurrency: 4}}\n",
        ),
        (
            "registries:\n  'a.io:5000': # lab\n    plainHttp: true # x\n\n  # second\n  b.io: {}\n",
            "registries.a.io:5000.concurrency",
            "4",
            "registries:\n  'a.io:5000': # lab\n    plainHttp: true # x\n    concurrency: 4\n\n  # second\n  b.io: {}\n",
        ),
        // In braces, on one line and on several.
        (
            "runs: { keep: 5 } # few\n",
            "runs.keep",
            "7",
            "runs: { keep: 7 } # few\n",
        ),
        (
            "runs: {keep: 5,}\n",
            "runs.keepDays",
            "7",
            "runs: {keep: 5, keepDays: 7,}\n",
        ),
        (
            "{\"runs\": {\"keep\": 5}}",
            "runs.keep",
            "7",
            "{\"runs\": {\"keep\": 7}}",
        ),
        (
            "runs: {\n  keep: 5, # few\n  keepDays: 3 # short\n}\n",
            "runs.keepDays",
            "7",
            "runs: {\n  keep: 5, # few\n  keepDays: 7 # short\n}\n",
        ),
        (
            "defaults: {registry: a.io}\n",
            "defaults.registry",
            "a,b",
            "defaults: {registry: \"a,b\"}\n",
        ),
        // Lists, in each style.
        (
            "environment: {pass: [A, B]} # two\n",
            "environment.pass",
            "[C]",
            "environment: {pass: [C]} # two\n",
        ),
        (
            "environment:\n  pass: [A] # one\n",
            "environment.pass",
            "[B, C]",
            "environment:\n  pass: [B, C] # one\n",
        ),
        (
            "environment:\n  pass: # one\n  - A\n  - B # last\n\nruns: {keep: 5}\n",
            "environment.pass",
            "[C]",
            "environment:\n  pass: # one\n  - C\n\nruns: {keep: 5}\n",
        ),
        (
            "environment:\n  pass:\n    - A\nruns: {keep: 5}\n",
            "environment.pass",
            "[]",
            "environment:\n  pass: []\nruns: {keep: 5}\n",
        ),
        (
            "environment:\n  pass:\n",
            "environment.pass",
            "[C]",
            "environment:\n  pass:\n  - C\n",
        ),
        (
            "environment:\n",
            "environment.pass",
            "['*']",
            "environment:\n  pass:\n  - '*'\n",
        ),
        (
            "environment:\n  pass:\n  - A\n",
            "runs.keep",
            "7",
            "environment:\n  pass:\n  - A\nruns:\n  keep: 7\n",
        ),
        // Line breaks of other systems.
        (
            "# a\r\nruns:\r\n  keep: 5 # few\r\n",
            "runs.keep",
            "7",
            "# a\r\nruns:\r\n  keep: 7 # few\r\n",
        ),
        (
            "runs:\r\n  keep: 5\r\n",
            "runs.keepDays",
            "7",
            "runs:\r\n  keep: 5\r\n  keepDays: 7\r\n",
        ),
        (
            "runs:\r\n  keep: 5\r\n",
            "watch.everySeconds",
            "7",
            "runs:\r\n  keep: 5\r\nwatch:\r\n  everySeconds: 7\r\n",
        ),
        ("# a\r\n", "runs.keep", "7", "# a\r\nruns:\r\n  keep: 7\r\n"),
    ];

    /// Cases: a file, a key to remove, and the file afterwards.
    const CUTS: &[(&str, &str, &str)] = &[
        (
            "runs:\n  keep: 5 # few\n  # short\n  keepDays: 3\n",
            "runs.keep",
            "runs:\n  # short\n  keepDays: 3\n",
        ),
        (
            "runs:\n  keep: 5\n  keepDays: 3",
            "runs.keepDays",
            "runs:\n  keep: 5\n",
        ),
        (
            "# one\nruns:\n  keep: 5\n# two\n",
            "runs.keep",
            "# one\n# two\n",
        ),
        (
            "environment:\n  pass:\n  - A\n  - B\nruns: {keep: 5}\n",
            "environment.pass",
            "runs: {keep: 5}\n",
        ),
        (
            "runs: {keep: 5, keepDays: 3} # x\n",
            "runs.keep",
            "runs: {keepDays: 3} # x\n",
        ),
        (
            "runs: {keep: 5, keepDays: 3} # x\n",
            "runs.keepDays",
            "runs: {keep: 5} # x\n",
        ),
        (
            "runs: {\n  keep: 5, # few\n  keepDays: 3 # short\n}\n",
            "runs.keepDays",
            "runs: {\n  keep: 5 # few\n   # short\n}\n",
        ),
        (
            "# one\n{runs: {keep: 5}}\n# two\n",
            "runs.keep",
            "# one\n\n# two\n",
        ),
        (
            "runs:\r\n  keep: 5\r\n  keepDays: 3\r\n",
            "runs.keep",
            "runs:\r\n  keepDays: 3\r\n",
        ),
        (
            "registries:\n  a.io:\n    plainHttp: true\n  b.io:\n    concurrency: 4\n",
            "registries.a.io.plainHttp",
            "registries:\n  b.io:\n    concurrency: 4\n",
        ),
    ];

    const FILE: &str = "# mine\nwatch:\n  everySeconds: 60 # a minute\n\nregistries:\n  # the lab\n  registry.lan:5000:\n    plainHttp: true\ndefaults: {registry: 'localhost:5000'}\n";

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn changed_value_keeps_its_position_and_comments() {
        assert_eq!(
            set(FILE, &key("watch.everySeconds"), "30").unwrap(),
            FILE.replace("everySeconds: 60", "everySeconds: 30")
        );
        let text = set(
            FILE,
            &key("registries.registry.lan:5000.plainHttp"),
            "false",
        )
        .unwrap();
        assert_eq!(text, FILE.replace("plainHttp: true", "plainHttp: false"));
    }

    #[test]
    fn new_value_is_added_to_its_section() {
        let text = set(FILE, &key("watch.publicMinSeconds"), "900").unwrap();
        assert!(text.contains("  everySeconds: 60 # a minute\n"), "{text}");
        assert!(text.contains("  publicMinSeconds: 900\n"), "{text}");
        let text = set(FILE, &key("defaults.builder"), "podman").unwrap();
        assert!(
            text.contains("builder: podman}") || text.contains("builder: podman }"),
            "{text}"
        );
        let text = set(FILE, &key("registries.ghcr.io.concurrency"), "4").unwrap();
        assert!(text.contains("# the lab"), "{text}");
        assert!(text.contains("ghcr.io:\n    concurrency: 4\n"), "{text}");
    }

    #[test]
    fn empty_or_comment_only_config_file_gets_its_first_value() {
        let first = "defaults:\n  registry: localhost:5000\n";
        let registry = key("defaults.registry");
        assert_eq!(set("", &registry, "localhost:5000").unwrap(), first);
        let text = set("# nothing yet", &registry, "localhost:5000").unwrap();
        assert_eq!(text, format!("# nothing yet\n{first}"));
    }

    #[test]
    fn unset_value_removes_its_empty_section() {
        let text = unset(FILE, &key("watch.everySeconds")).unwrap().unwrap();
        assert!(!text.contains("watch"), "{text}");
        assert!(text.contains("# the lab"), "{text}");
        let without = unset(FILE, &key("registries.registry.lan:5000.plainHttp"));
        assert!(!without.unwrap().unwrap().contains("registries"));
        assert_eq!(unset(FILE, &key("runs.keep")).unwrap(), None);
        let alone = "defaults:\n  registry: x\n";
        assert_eq!(
            unset(alone, &key("defaults.registry")).unwrap().unwrap(),
            ""
        );
    }

    #[test]
    fn values_are_parsed_as_the_number_boolean_list_or_text_of_the_key() {
        let text = set("", &key("registries.r.io.plainHttp"), "true").unwrap();
        assert_eq!(text, "registries:\n  r.io:\n    plainHttp: true\n");
        let text = set("", &key("defaults.registry"), "5000").unwrap();
        assert_eq!(text, "defaults:\n  registry: '5000'\n");
        let text = set(
            "",
            &key("builders.buildah.buildArgs"),
            "[--isolation=chroot]",
        )
        .unwrap();
        assert_eq!(
            text,
            "builders:\n  buildah:\n    buildArgs:\n    - --isolation=chroot\n"
        );
        let text = set("", &key("defaults.builder"), "a: b\n'c'").unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(value["defaults"]["builder"], "a: b\n'c'");
    }

    #[test]
    fn unknown_keys_and_invalid_values_are_refused_with_the_allowed_ones() {
        let refused = |name: &str, value: &str| set("", &key(name), value).unwrap_err().to_string();
        let text = refused("defaults.registri", "x");
        assert!(
            text.contains("`registry`") && text.contains("`builder`"),
            "{text}"
        );
        assert!(refused("watchh.everySeconds", "1").contains("`watch`"));
        assert!(refused("watch.everySeconds", "soon").contains("a whole number"));
        assert!(refused("builders.a.jobs", "0").contains("`jobs` is at least 1"));
        assert!("registry".parse::<Key>().is_err());
        assert!(set("page: {on: true}\n", &key("page"), "off").is_err());
        assert_eq!(unset("page: {on: true}\n", &key("page")).unwrap(), None);
        assert!("defaults.".parse::<Key>().is_err());
    }

    #[test]
    fn offered_keys_are_those_of_the_config_file() {
        for section in [
            "defaults",
            "watch",
            "runs",
            "environment",
            "metrics",
            "page",
        ] {
            let text = set("", &key(&format!("{section}.?")), "1")
                .unwrap_err()
                .to_string();
            let allowed = text
                .split('`')
                .skip(3)
                .step_by(2)
                .map(|name| format!("{section}.{name}"));
            let offered = KEYS.iter().filter(|key| key.starts_with(section));
            assert!(allowed.eq(offered.copied().map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn values_are_listed_as_written() {
        let listed: Vec<String> = entries(FILE)
            .unwrap()
            .iter()
            .map(|(key, _)| key.to_string())
            .collect();
        assert_eq!(
            listed,
            [
                "watch.everySeconds",
                "registries.registry.lan:5000.plainHttp",
                "defaults.registry"
            ]
        );
        assert!(key("webhooks.hub.sharedSecret").is_secret());
        assert!(!key("defaults.registry").is_secret());
    }
}
