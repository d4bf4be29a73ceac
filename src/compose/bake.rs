//! Reads `docker-bake.json` and the output of `docker buildx bake --print` for a bake file of any kind.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Map, Value};

use super::{
    ComposeBuild, ComposeBuilds, ComposeInputs, LeftOut, NamedContext, Problem, is_remote,
    seen_from, service::needs,
};

/// How many targets a matrix may produce.
const MAX_TARGETS: usize = 1000;

/// How deep targets may inherit, groups may name groups, and the defaults of variables may use other variables.
const MAX_DEPTH: usize = 32;

/// How large the targets may be together, in bytes, with what they inherit and with their variables replaced.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// What a value counts beside its text.
const SIZE_OF_A_VALUE: usize = 64;

/// Tells whether something was left out only because it needs an evaluator for HCL.
pub fn has_expression(recipes: &ComposeBuilds) -> bool {
    recipes.left_out.iter().any(
        |(_, why)| matches!(why, LeftOut::Unusable(problem) if problem.text.contains(EXPRESSION)),
    )
}

const EXPRESSION: &str = "is an expression that only docker buildx reads";

/// The file that is merged over `docker-bake.json` in the same folder.
pub const OVERRIDE: &str = "docker-bake.override.json";

/// Keys of a target that acrt ignores, though they say how it is built or pushed.
const UNHEEDED: [&str; 8] = [
    "no-cache-filter",
    "cache-from",
    "cache-to",
    "pull",
    "attest",
    "annotations",
    "output",
    "call",
];

/// Reads a JSON bake file, as [`bake`], and what docker buildx merges over it.
///
/// # Errors
///
/// [`Problem`] where a file as a whole cannot be read.
pub fn bake_file(outside: &dyn ComposeInputs, file: &Path) -> Result<ComposeBuilds, Problem> {
    let read = |file: &Path| {
        outside
            .read(file)
            .map_err(|why| Problem::new(file, "", &why))
    };
    let text = read(file)?.ok_or_else(|| Problem::new(file, "", "there is no such file"))?;
    let mut document = parsed(file, &text)?;
    let mut files = vec![file.to_owned()];
    if file
        .file_name()
        .is_some_and(|name| name == "docker-bake.json")
    {
        let over = file.with_file_name(OVERRIDE);
        if let Some(text) = read(&over)? {
            merge(&mut document, parsed(&over, &text)?);
        }
        files.push(over);
    }
    Ok(ComposeBuilds {
        files,
        ..of_document(outside, file, &document)
    })
}

/// Merges another file over one: targets key by key, groups and variables as a whole.
fn merge(document: &mut Map<String, Value>, over: Map<String, Value>) {
    for (kind, over) in over {
        let Value::Object(over) = over else { continue };
        let into = document.entry(&kind).or_insert_with(|| Map::new().into());
        let Value::Object(into) = into else { continue };
        for (name, over) in over {
            match (into.get_mut(&name), over) {
                (Some(Value::Object(old)), Value::Object(mut new)) if kind == "target" => {
                    // What a target inherits is added.
                    let more = new.get_mut("inherits").and_then(Value::as_array_mut);
                    let own = old.get("inherits").and_then(Value::as_array);
                    if let Some((more, own)) = more.zip(own) {
                        more.splice(0..0, own.iter().cloned());
                    }
                    lay_over(old, new);
                }
                (_, over) => drop(into.insert(name, over)),
            }
        }
    }
}

/// Reads a JSON bake file: the targets of the group `default`, or all where there is none.
///
/// # Errors
///
/// [`Problem`] where the file as a whole cannot be read; an invalid target does not affect the others.
pub fn bake(
    outside: &dyn ComposeInputs,
    file: &Path,
    text: &str,
) -> Result<ComposeBuilds, Problem> {
    Ok(of_document(outside, file, &parsed(file, text)?))
}

fn parsed(file: &Path, text: &str) -> Result<Map<String, Value>, Problem> {
    let document: Value = serde_json::from_str(text).map_err(|error| Problem {
        line: (error.line() > 0).then(|| error.line()),
        ..Problem::new(file, "", error.to_string())
    })?;
    match document {
        Value::Object(mut document) => {
            for section in ["target", "group", "variable"] {
                let Some(section) = document.get_mut(section) else {
                    continue;
                };
                join_blocks(section);
                let blocks = section.as_object_mut().into_iter().flatten();
                blocks.for_each(|(_, block)| join_blocks(block));
            }
            Ok(document)
        }
        _ => Err(Problem::new(file, "", "it must be an object with `target`")),
    }
}

/// Makes one mapping of a list of blocks, which HCL takes wherever it takes a block.
fn join_blocks(value: &mut Value) {
    if let Value::Array(blocks) = value
        && blocks.iter().all(Value::is_object)
    {
        let mut whole = Map::new();
        for block in std::mem::take(blocks) {
            if let Value::Object(block) = block {
                lay_over(&mut whole, block);
            }
        }
        *value = Value::Object(whole);
    }
}

fn of_document(
    outside: &dyn ComposeInputs,
    file: &Path,
    document: &Map<String, Value>,
) -> ComposeBuilds {
    let reader = BakeReader {
        outside,
        file,
        folder: file.parent().unwrap_or(Path::new("/")),
        targets: object(document, "target"),
        groups: object(document, "group"),
        variables: object(document, "variable"),
        size: Cell::new(0),
    };
    let mut recipes = ComposeBuilds::default();
    let wanted = reader.wanted();
    reader.size.set(0);
    for (name, target) in &reader.targets {
        if !wanted.contains(name) {
            recipes.left_out.push((name.clone(), LeftOut::NoDefault));
            continue;
        }
        match reader.recipes(name, target) {
            Ok(found) => recipes.recipes.extend(found),
            Err(why) => recipes
                .left_out
                .push((name.clone(), LeftOut::Unusable(why))),
        }
    }
    recipes.files = vec![file.to_owned()];
    recipes
}

fn object(of: &Map<String, Value>, key: &str) -> Map<String, Value> {
    of.get(key)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn items<'m>(of: &'m Map<String, Value>, key: &str) -> impl Iterator<Item = &'m Value> {
    let items = of.get(key).and_then(Value::as_array);
    items.into_iter().flatten()
}

struct BakeReader<'a> {
    outside: &'a dyn ComposeInputs,
    file: &'a Path,
    folder: &'a Path,
    targets: Map<String, Value>,
    groups: Map<String, Value>,
    variables: Map<String, Value>,
    /// How much was read, of [`MAX_SIZE`].
    size: Cell<usize>,
}

impl BakeReader<'_> {
    fn problem(&self, key: &str, text: &str) -> Problem {
        Problem::new(self.file, key, text)
    }

    /// Returns the targets that are built by default, and those that they use as contexts.
    fn wanted(&self) -> BTreeSet<String> {
        let mut wanted = BTreeSet::new();
        if self.groups.contains_key("default") {
            self.add_group("default", &mut wanted, &mut BTreeSet::new(), 0);
        } else if self.targets.contains_key("default") {
            wanted.insert("default".to_owned());
        } else {
            let own = self.targets.keys().filter(|name| !name.starts_with('_'));
            wanted.extend(own.cloned());
        }
        // A target may use, as a context, another one that was not named.
        let mut open: Vec<String> = wanted.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let whole = self.whole(&name, 0).unwrap_or_default();
            let places = object(&whole, "contexts").into_iter();
            let named =
                places.filter_map(|(_, it)| Some(it.as_str()?.strip_prefix("target:")?.to_owned()));
            open.extend(named.filter(|name| wanted.insert(name.clone())));
        }
        wanted
    }

    fn add_group(
        &self,
        name: &str,
        wanted: &mut BTreeSet<String>,
        seen: &mut BTreeSet<String>,
        depth: usize,
    ) {
        let Some(group) = self.groups.get(name).filter(|_| depth < MAX_DEPTH) else {
            wanted.insert(name.to_owned());
            return;
        };
        if !seen.insert(name.to_owned()) {
            return;
        }
        for member in group["targets"].as_array().into_iter().flatten() {
            if let Some(member) = member.as_str().filter(|it| !wanted.contains(*it)) {
                self.add_group(member, wanted, seen, depth + 1);
            }
        }
    }

    /// Counts what is read, because a few targets that inherit from each other several times stand for millions.
    fn charge(&self, size: usize, key: &str) -> Result<(), Problem> {
        self.size.set(self.size.get().saturating_add(size));
        if self.size.get() > MAX_SIZE {
            let why = "the targets are too large, with all that they inherit";
            Err(self.problem(key, why))
        } else {
            Ok(())
        }
    }

    /// Returns a target with the fields that it inherits.
    fn whole(&self, name: &str, depth: usize) -> Result<Map<String, Value>, Problem> {
        let key = format!("target.{name}");
        let told = |text: &str| self.problem(&key, text);
        if depth >= MAX_DEPTH {
            return Err(told(
                "targets inherit from each other in a cycle, or too deeply",
            ));
        }
        self.charge(SIZE_OF_A_VALUE, &key)?;
        let own = self.targets.get(name).and_then(Value::as_object);
        let own = own.ok_or_else(|| told("there is no such target"))?;
        let mut whole = Map::new();
        for parent in items(own, "inherits") {
            let parent = parent.as_str().unwrap_or_default();
            lay_over(&mut whole, self.whole(parent, depth + 1)?);
        }
        whole.remove("matrix");
        whole.remove("name");
        lay_over(&mut whole, own.clone());
        self.charge(whole.values().map(size).sum(), &key)?;
        Ok(whole)
    }

    /// Returns the builds of a target: for a matrix, one for each combination.
    fn recipes(&self, name: &str, target: &Value) -> Result<Vec<ComposeBuild>, Problem> {
        let key = format!("target.{name}");
        if !target.is_object() {
            return Err(self.problem(&key, "it must be an object"));
        }
        let whole = self.whole(name, 0)?;
        let Some(matrix) = whole.get("matrix").and_then(Value::as_object) else {
            return Ok(vec![self.recipe(name, &whole, &BTreeMap::new())?]);
        };
        let mut rows = vec![BTreeMap::new()];
        for (axis, values) in matrix {
            let values = values.as_array().cloned().unwrap_or_default();
            if rows.len().saturating_mul(values.len()) > MAX_TARGETS {
                return Err(self.problem(&key, "its matrix expands to too many targets"));
            }
            let cells = rows.len().saturating_mul(values.len());
            let axes = rows.first().map_or(0, BTreeMap::len) + 1;
            self.charge(cells * axes * SIZE_OF_A_VALUE, &key)?;
            let with = |row: &BTreeMap<String, String>, value: &Value| {
                let mut row = row.clone();
                row.insert(axis.clone(), plain(value));
                row
            };
            rows = rows
                .iter()
                .flat_map(|row| values.iter().map(move |value| with(row, value)))
                .collect();
        }
        let rows = rows.iter().map(|row| {
            let Some(pattern) = whole.get("name").and_then(Value::as_str) else {
                return Err(self.problem(&key, "it has a `matrix`, but no `name` for its targets"));
            };
            self.charge(whole.values().map(size).sum(), &key)?;
            let name = self.filled(pattern, row, &key)?;
            self.recipe(&name, &whole, row)
        });
        rows.collect()
    }

    fn recipe(
        &self,
        name: &str,
        target: &Map<String, Value>,
        row: &BTreeMap<String, String>,
    ) -> Result<ComposeBuild, Problem> {
        let key = |of: &str| format!("target.{name}.{of}");
        let text = |of: &str| match target.get(of) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => self.filled(text, row, &key(of)).map(Some),
            Some(_) => Err(self.problem(&key(of), "it must be a string")),
        };
        let texts = |of: &str| match target.get(of) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => self.filled(text, row, &key(of)),
                    _ => Err(self.problem(&key(of), "it must be a list of strings")),
                })
                .collect(),
            Some(_) => Err(self.problem(&key(of), "it must be a list of strings")),
        };
        let pairs = |of: &str| {
            let pairs = object(target, of).into_iter();
            let pairs = pairs.filter(|(_, value)| !value.is_null());
            pairs
                .map(|(name, value)| Ok((name, self.filled(&plain(&value), row, &key(of))?)))
                .collect::<Result<Vec<(String, String)>, Problem>>()
        };
        let here = |text: &str| {
            if is_remote(text) || text.starts_with("target:") {
                text.to_owned()
            } else {
                seen_from(self.folder, text).display().to_string()
            }
        };
        let contexts = pairs("contexts")?.into_iter().map(|(name, place)| {
            let place = match place.strip_prefix("target:") {
                Some(target) => NamedContext::Other(target.to_owned()),
                None => NamedContext::Given(here(&place)),
            };
            (name, place)
        });
        let mut options: Vec<String> = pairs("labels")?
            .into_iter()
            .map(|(name, value)| format!("--label={name}={value}"))
            .collect();
        options.extend(text("network")?.map(|network| format!("--network={network}")));
        options.extend(
            texts("entitlements")?
                .iter()
                .map(|of| format!("--allow={of}")),
        );
        options.extend(texts("ulimits")?.iter().map(|of| format!("--ulimit={of}")));
        options.extend(self.hosts(target, row, &key("extra-hosts"))?);
        options.extend(text("shm-size")?.map(|size| format!("--shm-size={size}")));
        for (of, option) in [("ssh", "--ssh"), ("secret", "--secret")] {
            for item in items(target, of) {
                let written = match item {
                    Value::Object(item) => csv(of, item),
                    item => plain(item),
                };
                let written = self.filled(&written, row, &key(of))?;
                options.push(format!("{option}={}", with_paths(of, &written, &here)));
            }
        }
        let tags = texts("tags")?;
        Ok(ComposeBuild {
            key: name.to_owned(),
            is_named: !tags.is_empty(),
            images: if tags.is_empty() {
                vec![name.to_owned()]
            } else {
                tags
            },
            context: here(&text("context")?.unwrap_or_else(|| ".".to_owned())),
            dockerfile: text("dockerfile")?,
            inline: text("dockerfile-inline")?,
            args: pairs("args")?,
            target: text("target")?,
            platforms: texts("platforms")?,
            contexts: contexts.collect(),
            needs: needs(&options),
            options,
            unheeded: unheeded(target),
            no_cache: target
                .get("no-cache")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            ..ComposeBuild::default()
        })
    }

    /// Returns the options for `extra-hosts`: a host has one address, or several.
    fn hosts(
        &self,
        target: &Map<String, Value>,
        row: &BTreeMap<String, String>,
        key: &str,
    ) -> Result<Vec<String>, Problem> {
        let mut options = Vec::new();
        for (host, addresses) in object(target, "extra-hosts") {
            let addresses = match addresses {
                Value::Null => Vec::new(),
                Value::Array(several) => several,
                one => vec![one],
            };
            for address in addresses {
                let address = self.filled(&plain(&address), row, key)?;
                options.push(format!("--add-host={host}:{address}"));
            }
        }
        Ok(options)
    }

    /// Replaces `${NAME}`. Other expressions of HCL are left to docker buildx.
    fn filled(
        &self,
        text: &str,
        row: &BTreeMap<String, String>,
        key: &str,
    ) -> Result<String, Problem> {
        self.filled_at(text, row, key, 0)
    }

    /// As [`Self::filled`], in a default that is `depth` variables away from the target.
    fn filled_at(
        &self,
        text: &str,
        row: &BTreeMap<String, String>,
        key: &str,
        depth: usize,
    ) -> Result<String, Problem> {
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['$', '%']) {
            let (before, after) = rest.split_at(at);
            result.push_str(before);
            let (sign, doubled) = if after.starts_with('$') {
                ("${", "$${")
            } else {
                ("%{", "%%{")
            };
            if let Some(after) = after.strip_prefix(doubled) {
                result.push_str(sign);
                rest = after;
                continue;
            }
            let Some(inside) = after.strip_prefix(sign) else {
                result.push_str(&after[..1]);
                rest = &after[1..];
                continue;
            };
            let value = inside.find('}').and_then(|end| {
                let name = inside[..end].trim();
                let value = row.get(name).cloned().map(|value| Ok(Some(value)));
                let value = value.or_else(|| self.variable(name, key, depth))?;
                Some((name, value, end)).filter(|_| sign == "${")
            });
            let Some((name, value, end)) = value else {
                let shown: String = after.chars().take(40).collect();
                let text = format!("`{}` {EXPRESSION}", shown.escape_debug());
                return Err(self.problem(key, &text));
            };
            let value = value?.ok_or_else(|| {
                let shown = name.escape_debug();
                let why = format!("variable `{shown}` has to be set: its default is null");
                self.problem(key, &why)
            })?;
            self.charge(SIZE_OF_A_VALUE + value.len(), key)?;
            result.push_str(&value);
            rest = &inside[end + 1..];
        }
        result.push_str(rest);
        Ok(result)
    }

    /// Returns the value of a variable, which is `None` inside where its default is null; `None` where it is not declared. A default may use
    /// other variables.
    fn variable(
        &self,
        name: &str,
        key: &str,
        depth: usize,
    ) -> Option<Result<Option<String>, Problem>> {
        let default = self.variables.get(name)?.get("default");
        if let Some(value) = self.outside.variable(name) {
            return Some(Ok(Some(value)));
        }
        Some(match default {
            Some(Value::Null) => Ok(None),
            Some(_) if depth >= MAX_DEPTH => {
                let name = name.escape_debug();
                let why =
                    format!("the default of variable `{name}` uses itself, or others too deeply");
                Err(self.problem(key, &why))
            }
            Some(default) => self
                .filled_at(&plain(default), &BTreeMap::new(), key, depth + 1)
                .map(Some),
            None => Ok(Some(String::new())),
        })
    }
}

/// Returns the keys of a target that are ignored.
fn unheeded(target: &Map<String, Value>) -> Vec<String> {
    let is_given = |of: &&&str| target.get(**of).is_some_and(|it| !it.is_null());
    let given = UNHEEDED.iter().filter(is_given);
    given.map(|of| (*of).to_owned()).collect()
}

/// Formats an object of `secret` or `ssh` as the equivalent text.
fn csv(of: &str, item: &Map<String, Value>) -> String {
    let part = |name: &str| item.get(name).map(plain);
    if of == "ssh" {
        let paths: Vec<String> = items(item, "paths").map(plain).collect();
        let id = part("id").unwrap_or_else(|| "default".to_owned());
        return if paths.is_empty() {
            id
        } else {
            format!("{id}={}", paths.join(","))
        };
    }
    let parts = ["id", "src", "env"].map(|name| part(name).map(|value| format!("{name}={value}")));
    parts.into_iter().flatten().collect::<Vec<_>>().join(",")
}

/// Makes the paths in a `secret` or `ssh` absolute.
fn with_paths(of: &str, text: &str, here: &dyn Fn(&str) -> String) -> String {
    if of == "ssh" {
        return match text.split_once('=') {
            None => text.to_owned(),
            Some((id, paths)) => {
                let paths: Vec<String> = paths.split(',').map(here).collect();
                format!("{id}={}", paths.join(","))
            }
        };
    }
    let is_variable = text.split(',').any(|part| part == "type=env");
    let parts = text.split(',').filter(|part| !part.starts_with("type="));
    let parts = parts.map(|part| match part.split_once('=') {
        Some(("src" | "source", variable)) if is_variable => format!("env={variable}"),
        Some(("src" | "source", path)) => format!("src={}", here(path)),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// Merges a target into what it inherits: mappings key by key, other values replaced. Null replaces nothing.
fn lay_over(into: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (into.get_mut(&name), value) {
            (Some(_), Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => {
                let new = new.into_iter();
                old.extend(new.filter(|(_, value)| !value.is_null()));
            }
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// Returns about how many bytes a value takes.
fn size(value: &Value) -> usize {
    SIZE_OF_A_VALUE
        + match value {
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(entries) => {
                let entries = entries.iter();
                entries.map(|(name, value)| name.len() + size(value)).sum()
            }
            Value::String(text) => text.len(),
            _ => 0,
        }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::*;

    struct Nothing;

    impl ComposeInputs for Nothing {
        fn read(&self, _: &Path) -> Result<Option<String>, String> {
            Ok(None)
        }

        fn variable(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn read(document: &Value) -> ComposeBuilds {
        let file = PathBuf::from("/p/docker-bake.json");
        bake(&Nothing, &file, &document.to_string()).unwrap()
    }

    #[test]
    fn bake_targets_and_groups_that_name_each_other_many_times_are_refused() {
        let (mut targets, mut groups) = (Map::new(), Map::new());
        for n in 0..30 {
            let next = vec![format!("t{}", n + 1); 10];
            targets.insert(format!("t{n}"), json!({"inherits": next, "tags": ["x:1"]}));
            let next = vec![format!("g{}", n + 1); 10];
            groups.insert(format!("g{n}"), json!({"targets": next}));
        }
        targets.insert("t30".into(), json!({"args": {"A": "1"}}));
        groups.insert("g30".into(), json!({"targets": ["t0", "t29"]}));
        groups.insert("default".into(), json!({"targets": ["g0"]}));
        let found = read(&json!({"target": targets, "group": groups}));
        assert!(found.recipes.is_empty());
        let problem = format!("{:?}", found.left_out);
        assert!(problem.contains("the targets are too large"), "{problem}");
    }

    #[test]
    fn null_in_a_bake_target_keeps_what_it_inherits_and_is_no_value_of_a_variable() {
        let found = read(&json!({
            "variable": {"TAG": {"default": null}, "EMPTY": {}},
            "target": {
                "_base": {
                    "args": {"A": "1", "N": null},
                    "labels": {"l": "1"},
                    "tags": ["x:1"],
                    "extra-hosts": {"a": "10.0.0.1", "b": ["::1", "10.0.0.2"]},
                    "no-cache-filter": ["x"],
                },
                "child": {"inherits": ["_base"], "args": {"A": null, "B": "b${EMPTY}"}, "tags": null},
                "unset": {"tags": ["child:${TAG}"]},
            }
        }));
        let [child] = &found.recipes[..] else {
            panic!("{found:?}")
        };
        let args = [("A", "1"), ("B", "b")];
        assert_eq!(
            child.args,
            args.map(|(name, it)| (name.to_owned(), it.to_owned()))
        );
        assert_eq!(child.images, ["x:1"]);
        let hosts = ["a:10.0.0.1", "b:::1", "b:10.0.0.2"].map(|it| format!("--add-host={it}"));
        assert_eq!(
            child.options,
            [&["--label=l=1".to_owned()], &hosts[..]].concat()
        );
        assert_eq!(child.unheeded, ["no-cache-filter"]);
        let unset = found.left_out.iter().find(|(name, _)| name == "unset");
        let why = format!("{:?}", unset.unwrap());
        assert!(
            why.contains("variable `TAG` has to be set: its default is null"),
            "{why}"
        );
        assert!(!has_expression(&found));
    }

    #[test]
    fn bake_variable_whose_default_uses_other_variables_is_expanded_and_a_cycle_is_refused() {
        let found = read(&json!({
            "variable": {
                "VERSION": {"default": "1.27"},
                "TAG": {"default": "${VERSION}-$${x}"},
                "FULL": {"default": "v${TAG}"},
                "A": {"default": "${B}"},
                "B": {"default": "${A}"},
                "UP": {"default": "${upper(VERSION)}"},
            },
            "target": {
                "web": {"args": {"BASE": "${FULL}"}},
                "cycle": {"args": {"BASE": "${A}"}},
                "call": {"args": {"BASE": "${UP}"}},
            }
        }));
        let [web] = &found.recipes[..] else {
            panic!("{found:?}")
        };
        assert_eq!(web.args, [("BASE".to_owned(), "v1.27-${x}".to_owned())]);
        let why = format!("{:?}", found.left_out);
        assert!(why.contains("uses itself, or others too deeply"), "{why}");
        assert!(has_expression(&found));
    }

    #[test]
    fn bake_variables_that_multiply_are_limited() {
        let mut variables = Map::new();
        for n in 0..30 {
            let next = format!("${{V{}}}", n + 1).repeat(10);
            variables.insert(format!("V{n}"), json!({"default": next}));
        }
        variables.insert("V30".into(), json!({"default": ""}));
        let targets = json!({"web": {"args": {"A": "${V0}"}}});
        let found = read(&json!({"variable": variables, "target": targets}));
        let why = format!("{:?}", found.left_out);
        assert!(why.contains("the targets are too large"), "{why}");
    }

    #[test]
    fn large_bake_target_that_many_inherit_is_limited_together() {
        let mut targets = Map::new();
        targets.insert(
            "_base".into(),
            json!({"dockerfile-inline": "x".repeat(500_000)}),
        );
        for n in 0..1000 {
            targets.insert(format!("t{n}"), json!({"inherits": ["_base"]}));
        }
        let found = read(&json!({"target": targets}));
        assert!(
            (10..200).contains(&found.recipes.len()),
            "{}",
            found.recipes.len()
        );
    }

    #[test]
    fn bake_blocks_in_lists_are_read_as_blocks() {
        let found = read(&json!({
            "variable": [{"TAG": [{"default": "1"}]}],
            "group": {"default": [{"targets": ["web"]}]},
            "target": [{"web": [{"tags": ["web:${TAG}"]}]}, {"other": {}}],
        }));
        let images: Vec<&[String]> = found.recipes.iter().map(|it| &it.images[..]).collect();
        assert_eq!(images, [["web:1".to_owned()]]);
        let [(other, LeftOut::NoDefault)] = &found.left_out[..] else {
            panic!("{found:?}")
        };
        assert_eq!(other, "other");
    }
}
