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
const IGNORED: [&str; 8] = [
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
    let mut reader = BakeReader {
        outside,
        file,
        folder: file.parent().unwrap_or(Path::new("/")),
        variables: object(document, "variable"),
        targets: BTreeMap::new(),
        groups: BTreeMap::new(),
        size: Cell::new(0),
    };
    let mut recipes = ComposeBuilds {
        left_out: reader.evaluate(document),
        files: vec![file.to_owned()],
        ..ComposeBuilds::default()
    };
    let wanted = reader.wanted();
    for name in reader.targets.keys() {
        if !wanted.contains(name) {
            recipes.left_out.push((name.clone(), LeftOut::NoDefault));
            continue;
        }
        match reader
            .whole(name, 0)
            .and_then(|whole| reader.recipe(name, &whole))
        {
            Ok(recipe) => recipes.recipes.push(recipe),
            Err(why) => recipes
                .left_out
                .push((name.clone(), LeftOut::Unusable(why))),
        }
    }
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

/// The fields of a target.
type Target = Map<String, Value>;

struct BakeReader<'a> {
    outside: &'a dyn ComposeInputs,
    file: &'a Path,
    folder: &'a Path,
    variables: Map<String, Value>,
    /// What is written in each target, without expressions: those of a matrix one by one.
    targets: BTreeMap<String, Result<Target, Problem>>,
    groups: BTreeMap<String, Vec<String>>,
    /// How much was read, of [`MAX_SIZE`].
    size: Cell<usize>,
}

impl BakeReader<'_> {
    fn problem(&self, key: &str, text: &str) -> Problem {
        Problem::new(self.file, key, text)
    }

    /// Evaluates the groups and targets. A group that cannot be read is one without targets, and returned.
    fn evaluate(&mut self, document: &Map<String, Value>) -> Vec<(String, LeftOut)> {
        let mut left_out = Vec::new();
        for (name, group) in object(document, "group") {
            let key = format!("group.{name}.targets");
            let targets = self.evaluated(&group["targets"], &Map::new(), &key, 0);
            let members = targets.unwrap_or_else(|why| {
                left_out.push((name.clone(), LeftOut::Unusable(why)));
                Value::Null
            });
            let members = members.as_array().into_iter().flatten();
            let members = members.filter_map(|it| it.as_str().map(str::to_owned));
            let members = members.collect();
            self.groups.insert(name, members);
        }
        for (name, target) in object(document, "target") {
            match self.expanded(&name, &target) {
                Ok(several) => {
                    if target.get("matrix").is_some() {
                        let members = several.iter().map(|(name, _)| name.clone());
                        self.groups.insert(name, members.collect());
                    }
                    let several = several.into_iter();
                    self.targets
                        .extend(several.map(|(name, target)| (name, Ok(target))));
                }
                Err(why) => drop(self.targets.insert(name, Err(why))),
            }
        }
        self.size.set(0);
        left_out
    }

    /// Returns what is written in a target, with its expressions replaced: of a matrix, once for each combination of its values.
    fn expanded(&self, name: &str, target: &Value) -> Result<Vec<(String, Target)>, Problem> {
        let key = format!("target.{name}");
        let wrong = |why: &str| self.problem(&key, why);
        let fields = target.as_object().cloned();
        let mut fields = fields.ok_or_else(|| wrong("it must be an object"))?;
        let matrix = fields.remove("matrix").unwrap_or_default();
        let matrix = self.evaluated(&matrix, &Map::new(), &format!("{key}.matrix"), 0)?;
        let mut rows = vec![Map::new()];
        for (axis, values) in matrix.as_object().into_iter().flatten() {
            let values = values.as_array().map_or(&[][..], Vec::as_slice);
            if rows.len().saturating_mul(values.len()) > MAX_TARGETS {
                return Err(wrong("its matrix expands to too many targets"));
            }
            let with = |row: &Map<String, Value>, value: &Value| {
                let mut row = row.clone();
                row.insert(axis.clone(), value.clone());
                row
            };
            rows = rows
                .iter()
                .flat_map(|row| values.iter().map(move |value| with(row, value)))
                .collect();
            let cells = rows.iter().flat_map(Map::values).map(size).sum();
            self.charge(cells, &key)?;
        }
        let rows = rows.iter().map(|row| {
            let mut own = Map::new();
            for (field, value) in &fields {
                let value = self.evaluated(value, row, &format!("{key}.{field}"), 0)?;
                self.charge(size(&value), &key)?;
                own.insert(field.clone(), value);
            }
            match own.remove("name") {
                Some(Value::String(name)) if !matrix.is_null() => Ok((name, own)),
                None if matrix.is_null() => Ok((name.to_owned(), own)),
                _ => Err(wrong("it must have both `matrix` and `name`, or neither")),
            }
        });
        rows.collect()
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
        self.size.set(0);
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
        for member in group {
            if !wanted.contains(member) {
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
    fn whole(&self, name: &str, depth: usize) -> Result<Target, Problem> {
        let key = format!("target.{name}");
        let told = |text: &str| self.problem(&key, text);
        if depth >= MAX_DEPTH {
            return Err(told(
                "targets inherit from each other in a cycle, or too deeply",
            ));
        }
        self.charge(SIZE_OF_A_VALUE, &key)?;
        let own = self.targets.get(name).cloned();
        let own = own.unwrap_or_else(|| Err(told("there is no such target")))?;
        let mut whole = Map::new();
        for parent in items(&own, "inherits") {
            let parent = parent.as_str().unwrap_or_default();
            lay_over(&mut whole, self.whole(parent, depth + 1)?);
        }
        lay_over(&mut whole, own);
        self.charge(whole.values().map(size).sum(), &key)?;
        Ok(whole)
    }

    fn recipe(&self, name: &str, target: &Target) -> Result<ComposeBuild, Problem> {
        let wrong = |of: &str, why: &str| self.problem(&format!("target.{name}.{of}"), why);
        let text = |of: &str| match target.get(of) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(of, "it must be a string")),
        };
        let texts = |of: &str| {
            let list = match target.get(of) {
                None | Some(Value::Null) => Some(Vec::new()),
                Some(Value::Array(items)) => items
                    .iter()
                    .filter(|item| item.as_str() != Some(""))
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect(),
                Some(_) => None,
            };
            list.ok_or_else(|| wrong(of, "it must be a list of strings"))
        };
        let pairs = |of: &str| match target.get(of) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(pairs)) => Ok(pairs
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect()),
            Some(_) => Err(wrong(of, "it must be an object")),
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
        options.extend(hosts(target));
        options.extend(text("shm-size")?.map(|size| format!("--shm-size={size}")));
        for (of, option) in [("ssh", "--ssh"), ("secret", "--secret")] {
            for item in items(target, of) {
                let written = match item {
                    Value::Object(item) => csv(of, item),
                    item => plain(item),
                };
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
            ignored: ignored(target),
            no_cache: target
                .get("no-cache")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            ..ComposeBuild::default()
        })
    }

    /// Replaces the expressions in a value: in its texts, and in the names of its entries. `depth` is how many variables away from a target it is.
    fn evaluated(
        &self,
        value: &Value,
        row: &Map<String, Value>,
        key: &str,
        depth: usize,
    ) -> Result<Value, Problem> {
        Ok(match value {
            Value::String(text) => self.filled(text, row, key, depth)?,
            Value::Array(items) => {
                let items = items.iter();
                let items = items.map(|item| self.evaluated(item, row, key, depth));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(entries) => {
                let entries = entries.iter().map(|(name, value)| {
                    let name = self.filled(name, row, key, depth)?;
                    Ok((plain(&name), self.evaluated(value, row, key, depth)?))
                });
                Value::Object(entries.collect::<Result<_, Problem>>()?)
            }
            other => other.clone(),
        })
    }

    /// Replaces `${NAME}`: a text that is nothing else has the value of the variable, whatever it is. Other expressions of HCL are left to docker
    /// buildx.
    fn filled(
        &self,
        text: &str,
        row: &Map<String, Value>,
        key: &str,
        depth: usize,
    ) -> Result<Value, Problem> {
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
                let value = row.get(name).cloned().map(Ok);
                let value = value.or_else(|| self.variable(name, key, depth))?;
                Some((name, value, end)).filter(|_| sign == "${")
            });
            let Some((name, value, end)) = value else {
                let shown: String = after.chars().take(40).collect();
                let text = format!("`{}` {EXPRESSION}", shown.escape_debug());
                return Err(self.problem(key, &text));
            };
            let value = value?;
            self.charge(size(&value), key)?;
            rest = &inside[end + 1..];
            if rest.is_empty() && after.len() == text.len() {
                return Ok(value);
            }
            if value.is_null() {
                let shown = name.escape_debug();
                let why = format!("variable `{shown}` has to be set: its default is null");
                return Err(self.problem(key, &why));
            }
            result.push_str(&plain(&value));
        }
        result.push_str(rest);
        Ok(Value::String(result))
    }

    /// Returns the value of a variable; `None` where it is not declared. A default may use other variables.
    fn variable(&self, name: &str, key: &str, depth: usize) -> Option<Result<Value, Problem>> {
        let default = self.variables.get(name)?.get("default");
        if let Some(value) = self.outside.variable(name) {
            return Some(Ok(Value::String(value)));
        }
        Some(match default {
            Some(_) if depth >= MAX_DEPTH => {
                let name = name.escape_debug();
                let why =
                    format!("the default of variable `{name}` uses itself, or others too deeply");
                Err(self.problem(key, &why))
            }
            Some(default) => self.evaluated(default, &Map::new(), key, depth + 1),
            None => Ok(Value::String(String::new())),
        })
    }
}

/// Returns the options for `extra-hosts`: a host has one address, or several.
fn hosts(target: &Target) -> Vec<String> {
    let hosts = object(target, "extra-hosts").into_iter();
    let addresses = hosts.flat_map(|(host, addresses)| {
        let addresses = match addresses {
            Value::Null => Vec::new(),
            Value::Array(several) => several,
            one => vec![one],
        };
        let addresses = addresses.into_iter();
        addresses.map(move |address| format!("--add-host={host}:{}", plain(&address)))
    });
    addresses.collect()
}

/// Returns the keys of a target that are ignored.
fn ignored(target: &Target) -> Vec<String> {
    let is_given = |of: &&&str| target.get(**of).is_some_and(|it| !it.is_null());
    let given = IGNORED.iter().filter(is_given);
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
        assert_eq!(child.ignored, ["no-cache-filter"]);
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
    fn bake_targets_of_a_matrix_are_named_used_and_inherit_one_by_one() {
        let found = read(&json!({
            "group": {"default": {"targets": ["tool-b", "dep", "pair"]}},
            "variable": {"SYSTEM": {"default": "debian"}},
            "target": {
                "_a": {"args": {"BASE": "${SYSTEM}:a"}},
                "_b": {"args": {"BASE": "${SYSTEM}:b"}},
                "tool": {"name": "tool-${v}", "matrix": {"v": ["a", "b", "c"]}, "inherits": ["_${v}"]},
                "dep": {"contexts": {"x": "target:tool-a"}},
                "pair": {"name": "pair-${n}-${v}", "matrix": {"n": [1, 2], "v": ["x"]}},
                "nameless": {"matrix": {"v": ["a"]}},
            }
        }));
        let keys: Vec<&str> = found.recipes.iter().map(|it| &*it.key).collect();
        assert_eq!(keys, ["dep", "pair-1-x", "pair-2-x", "tool-a", "tool-b"]);
        let base = [("BASE".to_owned(), "debian:b".to_owned())];
        assert_eq!(found.recipes[4].args, base);
        let left_out: Vec<&str> = found.left_out.iter().map(|(name, _)| &**name).collect();
        assert_eq!(left_out, ["_a", "_b", "nameless", "tool-c"]);
    }

    #[test]
    fn bake_expressions_in_names_of_entries_groups_and_whole_values_are_replaced() {
        let found = read(&json!({
            "variable": {
                "E": {"default": "web"},
                "ALL": {"default": {"A": "${E}", "N": 3}},
                "TAGS": {"default": ["${E}:1", ""]},
                "NONE": {"default": null},
            },
            "group": {"default": {"targets": ["${E}", "bad"]}},
            "target": {
                "web": {"args": "${ALL}", "tags": "${TAGS}", "target": "${NONE}", "contexts": {"x-${E}": "docker-image://b"}},
                "bad": {"args": "${E}"},
            }
        }));
        let [web] = &found.recipes[..] else {
            panic!("{found:?}")
        };
        let args = [("A", "web"), ("N", "3")];
        assert_eq!(web.args, args.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(
            (&web.images[..], &web.target),
            (&["web:1".to_owned()][..], &None)
        );
        assert_eq!(web.contexts[0].0, "x-web");
        let why = format!("{:?}", found.left_out);
        assert!(
            why.contains("target.bad.args") && why.contains("must be an object"),
            "{why}"
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
