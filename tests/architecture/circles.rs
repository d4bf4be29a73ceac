//! Finds import cycles between the files of a module, from the paths in their code.
//!
//! A file depends on the file that defines what it names by `use`, `crate::`, `super::`, `self::` or through one of its own modules. What
//! a `mod.rs` only re-exports (`pub use`) is looked up where it is defined. Tests inside a file are ignored.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The path of a module beneath `crate`.
type Module = Vec<String>;

/// The names in one file.
struct Source {
    path: PathBuf,
    /// The names of its items.
    items: BTreeSet<String>,
    /// An imported name -> the path as written.
    imports: BTreeMap<String, Module>,
    /// Paths that end in `*`.
    globs: Vec<Module>,
    /// Each path that its code names.
    named: Vec<Module>,
}

/// Returns the import cycles of files beneath `src`: for each the files that reach one another, as `file -> the files of the cycle
/// that it names`.
pub fn circles(src: &Path) -> Vec<Vec<String>> {
    let mut sources = BTreeMap::new();
    read(src, &[], &mut sources);
    let mut edges: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for (module, source) in &sources {
        let found = source
            .named
            .iter()
            .filter_map(|path| resolve(&sources, module, path, 0))
            .filter(|found| *found != module && found[0] == module[0])
            .collect();
        edges.insert(module, found);
    }
    let reached: BTreeMap<&Module, BTreeSet<&Module>> = sources
        .keys()
        .map(|module| (module, reach(&edges, module)))
        .collect();
    let mut found = BTreeSet::new();
    for (module, all) in &reached {
        if all.contains(module) {
            let circle: Vec<&Module> = all
                .iter()
                .copied()
                .filter(|other| reached[other].contains(module))
                .collect();
            let name = |module: &Module| {
                let path = &sources[module].path;
                path.strip_prefix(src).unwrap().display().to_string()
            };
            let names = |from: &&Module| {
                let to: Vec<String> = circle
                    .iter()
                    .filter(|to| edges[*from].contains(*to))
                    .map(|to| name(to))
                    .collect();
                format!("{} -> {}", name(from), to.join(" "))
            };
            found.insert(circle.iter().map(names).collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}

fn reach<'a>(
    edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
    from: &Module,
) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut next: Vec<_> = edges[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if found.insert(module) {
            next.extend(edges[module].iter().copied());
        }
    }
    found
}

/// Returns the module whose file defines what `path` names in `module`.
fn resolve<'a>(
    sources: &'a BTreeMap<Module, Source>,
    module: &Module,
    path: &[String],
    depth: usize,
) -> Option<&'a Module> {
    if depth > 8 {
        return None;
    }
    let (mut at, rest) = match path.first()?.as_str() {
        "crate" => (Module::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            (
                module[..module.len().checked_sub(ups)?].to_vec(),
                &path[ups..],
            )
        }
        _ => (module.clone(), path),
    };
    for (n, part) in rest.iter().enumerate() {
        let mut child = at.clone();
        child.push(part.clone());
        if sources.contains_key(&child) {
            at = child;
            continue;
        }
        let source = sources.get(&at)?;
        if source.items.contains(part) {
            break;
        }
        if let Some(import) = source
            .imports
            .get(part)
            .filter(|import| **import != rest[n..])
        {
            let whole: Module = import.iter().chain(&rest[n + 1..]).cloned().collect();
            return resolve(sources, &at, &whole, depth + 1);
        }
        let holds = |glob: &Module| {
            let found = resolve(sources, &at, glob, depth + 1)?;
            sources[found].items.contains(part).then_some(found)
        };
        return source.globs.iter().find_map(holds);
    }
    // A module named as a whole counts by the items that are used from it.
    let (module, source) = sources.get_key_value(&at)?;
    let is_whole = rest
        .last()
        .is_some_and(|last| !source.items.contains(last) && at.last() == Some(last));
    (!is_whole).then_some(module)
}

/// Reads every file beneath `dir`, whose module is `module`.
fn read(dir: &Path, module: &[String], sources: &mut BTreeMap<Module, Source>) {
    for entry in fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = entry.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut own = module.to_vec();
        if entry.is_dir() {
            own.push(name);
            read(&entry, &own, sources);
        } else if entry.extension().is_some_and(|end| end == "rs")
            && !(module.is_empty() && ["lib", "main"].contains(&name.as_str()))
        {
            if name != "mod" {
                own.push(name);
            }
            let source = parse(entry.clone(), &fs::read_to_string(&entry).unwrap());
            sources.insert(own, source);
        }
    }
}

fn parse(path: PathBuf, text: &str) -> Source {
    let tokens = without_tests(tokens(text));
    let mut source = Source {
        path,
        items: BTreeSet::new(),
        imports: BTreeMap::new(),
        globs: Vec::new(),
        named: Vec::new(),
    };
    let mut passed_on = Vec::new();
    let mut words = BTreeSet::new();
    let mut n = 0;
    while n < tokens.len() {
        match tokens[n].as_str() {
            "use" => {
                let is_public = n > 0 && ["pub", ")"].contains(&tokens[n - 1].as_str());
                let mut found = Vec::new();
                n = tree(&tokens, n + 1, &[], &mut found);
                for (path, name) in found {
                    if name == "*" {
                        source.globs.push(path);
                        continue;
                    }
                    if is_public {
                        passed_on.push((name.clone(), path.clone()));
                    } else {
                        source.named.push(path.clone());
                    }
                    source.imports.insert(name, path);
                }
            }
            "mod" if tokens.get(n + 2).is_some_and(|token| token == ";") => n += 3,
            "struct" | "enum" | "fn" | "trait" | "type" | "const" | "static" | "union"
            | "macro_rules" => {
                let name = if tokens[n] == "macro_rules" {
                    n + 2
                } else {
                    n + 1
                };
                source.items.extend(tokens.get(name).cloned());
                n += 1;
            }
            word if is_word(word) && tokens.get(n + 1).is_some_and(|token| token == "::") => {
                let mut path = vec![word.to_owned()];
                while tokens.get(n + 1).is_some_and(|token| token == "::")
                    && tokens.get(n + 2).is_some_and(|token| is_word(token))
                {
                    path.push(tokens[n + 2].clone());
                    n += 2;
                }
                words.insert(path[0].clone());
                source.named.push(path);
                n += 1;
            }
            word => {
                words.insert(word.to_owned());
                n += 1;
            }
        }
    }
    // Items that are re-exported and also used here.
    source.named.extend(
        passed_on
            .into_iter()
            .filter(|(name, _)| words.contains(name))
            .map(|(_, path)| path),
    );
    source
}

/// Reads the tree of a `use` from token `n` on. Returns where it ends.
fn tree(
    tokens: &[String],
    mut n: usize,
    before: &[String],
    found: &mut Vec<(Module, String)>,
) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(n) {
        match token.as_str() {
            "::" => n += 1,
            "{" => {
                n += 1;
                while tokens.get(n).is_some_and(|token| token != "}") {
                    n = tree(tokens, n, &path, found);
                    if tokens.get(n).is_some_and(|token| token == ",") {
                        n += 1;
                    }
                }
                return n + 1;
            }
            "*" => {
                found.push((path, "*".to_owned()));
                return n + 1;
            }
            "as" => {
                found.push((path, tokens[n + 1].clone()));
                return n + 2;
            }
            "self" if !path.is_empty() => n += 1,
            word if is_word(word) => {
                path.push(word.to_owned());
                n += 1;
            }
            _ => break,
        }
    }
    if let Some(name) = path.last().cloned() {
        found.push((path, name));
    }
    n
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Removes each item under `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut n = 0;
    while n < tokens.len() {
        if tokens[n..].iter().take(mark.len()).eq(mark.iter()) {
            let mut depth = 0;
            while n < tokens.len() {
                n += 1;
                match tokens[n - 1].as_str() {
                    "{" => depth += 1,
                    "}" if depth == 1 => break,
                    "}" => depth -= 1,
                    ";" if depth == 0 => break,
                    _ => {}
                }
            }
        } else {
            kept.push(tokens[n].clone());
            n += 1;
        }
    }
    kept
}

/// Splits code into words, `::` and single characters, without comments and texts.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if let Some(raw) = raw_text(rest) {
            rest = &rest[raw..];
        } else if c == '"' {
            rest = &rest[quoted(rest)..];
        } else if c == '\'' {
            rest = &rest[character(rest)..];
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            rest = &rest[2..];
        } else if c.is_alphanumeric() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else {
            if !c.is_whitespace() {
                found.push(c.to_string());
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

/// Returns the length of `r"…"` or `r#"…"#` at the start.
fn raw_text(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let signs = after.len() - after.trim_start_matches('#').len();
    let inside = after[signs..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(signs));
    let start = text.len() - inside.len();
    Some(start + inside.find(&end)? + end.len())
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (n, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return n + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of a character literal such as `'{'`; 1 for a lifetime.
fn character(text: &str) -> usize {
    let after = &text[1..];
    let Some(c) = after.chars().next() else {
        return 1;
    };
    if c == '\\' {
        return after[2..].find('\'').map_or(1, |n| n + 4);
    }
    match after[c.len_utf8()..].starts_with('\'') {
        true => c.len_utf8() + 2,
        false => 1,
    }
}
