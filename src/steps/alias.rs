//! Aliases: `$Registry` for `{{.Run.Registry}}` and the like, from version v1.1.0 on.
//!
//! They are replaced anywhere in the text before templates are rendered, and may expand to templates themselves. An image
//! alias also works without `$` at the start of a `cmd`.

use std::collections::BTreeMap;

use crate::secret::MaskedText;

use super::{
    keys::{entries, items},
    problem::{FileWarnings, InvalidTaskFile},
    render::Renderer,
    yaml::{self, MAX_BYTES, YamlNode},
};

/// The first version with aliases; versions are compared as text, as ACR does.
const SINCE: &str = "v1.1.0";

/// The aliases of every file.
const BUILT_IN: [(&str, &str); 9] = [
    ("ID", "{{.Run.ID}}"),
    ("SharedVolume", "{{.Run.SharedVolume}}"),
    ("Registry", "{{.Run.Registry}}"),
    ("RegistryName", "{{.Run.RegistryName}}"),
    ("Date", "{{.Run.Date}}"),
    ("OS", "{{.Run.OS}}"),
    ("Architecture", "{{.Run.Architecture}}"),
    ("Commit", "{{.Run.Commit}}"),
    ("Branch", "{{.Run.Branch}}"),
];

/// The images that may be named without `$` at the start of a `cmd`.
const IMAGES: [(&str, &str); 5] = [
    ("acr", "mcr.microsoft.com/acr/acr-cli:0.19"),
    ("az", "mcr.microsoft.com/acr/azure-cli:2ff604c"),
    ("bash", "mcr.microsoft.com/acr/bash:2ff604c"),
    ("curl", "mcr.microsoft.com/acr/curl:2ff604c"),
    ("cssc", "mcr.microsoft.com/acr/cssc:2ff604c"),
];

/// Reads an aliases file, which a task file names under `src`.
pub type Load<'a> = &'a mut dyn FnMut(&str) -> Result<String, String>;

/// How many aliases files a task file may name.
const MAX_SOURCES: usize = 20;

/// How many bytes the aliases of a task file may have in total.
const MAX_ALIASES: usize = 4 * 1024 * 1024;

/// The text of a task file with its aliases replaced.
#[derive(Debug)]
pub struct Expanded {
    /// The text. The lines of the section `alias` are kept empty, so that line numbers stay.
    pub text: String,
    /// The first words of a `cmd` that are replaced.
    pub commands: Commands,
    /// Warnings about the file.
    pub notices: FileWarnings,
    /// Whether aliases were read from files of the context.
    pub is_from_context: bool,
}

/// The words that a `cmd` may start with, each with the image or template that it stands for.
#[derive(Debug, Default)]
pub struct Commands {
    own: BTreeMap<String, String>,
    has_images: bool,
}

impl Commands {
    /// Returns the replacement of a first word, if it has one.
    pub fn get(&self, word: &str) -> Option<&str> {
        let own = self.own.get(word).map(String::as_str);
        own.or_else(|| of(&IMAGES, word).filter(|_| self.has_images))
    }
}

fn of(pairs: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let found = pairs.iter().find(|(other, _)| *other == name);
    found.map(|(_, value)| *value)
}

/// Replaces the aliases of a task file.
///
/// # Errors
///
/// [`InvalidTaskFile`] where the section `alias` is invalid, or a file that it names cannot be read.
pub fn expand(
    text: &str,
    renderer: &Renderer,
    load: Load<'_>,
) -> Result<Expanded, InvalidTaskFile> {
    let (section, rest) = separated(text);
    if version(text).as_str() < SINCE {
        return Ok(Expanded {
            notices: ignored_parts(&rest, section.trim().is_empty()),
            text: rest,
            commands: Commands::default(),
            is_from_context: false,
        });
    }
    let Section {
        directive,
        own,
        sources,
    } = read(&section, renderer, load)?;
    let value = |name: &str| {
        let own = own.get(name).map(String::as_str);
        own.or_else(|| of(&BUILT_IN, name))
            .or_else(|| of(&IMAGES, name))
    };
    Ok(Expanded {
        text: replaced(&rest, directive, &value)?,
        commands: Commands {
            own,
            has_images: true,
        },
        notices: FileWarnings::default(),
        is_from_context: !sources.is_empty(),
    })
}

/// Reads the section: its own values first, then the files under `src`, of which a later one overrides an earlier one.
fn read(text: &str, renderer: &Renderer, load: Load<'_>) -> Result<Section, InvalidTaskFile> {
    let mut section = with_templates(text, renderer, &mut read_section)?;
    let mut bytes = text.len();
    for (name, line) in section.sources.iter().rev() {
        let at = |text: String| InvalidTaskFile::at(*line, text);
        if name.contains("://") {
            return Err(at(format!(
                "aliases are read from files of the context, and `{name}` is a URL"
            )));
        }
        let cannot = |problem: String| at(format!("cannot use the aliases of `{name}`: {problem}"));
        let text = load(name).map_err(cannot)?;
        bytes += text.len();
        if bytes > MAX_ALIASES {
            return Err(at(
                "the aliases of the file are longer than 4 MiB in all".to_owned()
            ));
        }
        let pairs = with_templates(&text, renderer, &mut read_file);
        for (key, value) in pairs.map_err(|problem| cannot(problem.to_string()))? {
            section.own.entry(key).or_insert(value);
        }
    }
    Ok(section)
}

struct Section {
    directive: char,
    /// The values of the section itself, then also those of its files.
    own: BTreeMap<String, String>,
    /// The files under `src`, with the lines that name them.
    sources: Vec<(String, Option<usize>)>,
}

fn read_section(text: &str, templates: &AliasTemplates) -> Result<Section, InvalidTaskFile> {
    let mut section = Section {
        directive: '$',
        own: BTreeMap::new(),
        sources: Vec::new(),
    };
    let document = yaml::parse(&MaskedText::from(text))?;
    let Some(alias) = YamlNode::root(&document).get("alias") else {
        return Ok(section);
    };
    if let Some(node) = alias.get("directive") {
        let mut chars = node.text()?.map_or("", MaskedText::reveal).chars();
        section.directive = match (chars.next(), chars.next()) {
            (Some(one), None) if !one.is_alphanumeric() => one,
            _ => {
                return Err(node.problem(
                    "`directive` must be a single character that is no letter and no digit",
                ));
            }
        };
    }
    section.own = aliases(entries(&alias, "values")?, templates)?;
    let sources = items(&alias, "src")?;
    if let Some(last) = sources.get(MAX_SOURCES) {
        return Err(last.problem(format!("`src` names more than {MAX_SOURCES} files")));
    }
    for source in sources {
        section
            .sources
            .push((templates.text_of(&source)?, source.line()));
    }
    Ok(section)
}

fn read_file(
    text: &str,
    templates: &AliasTemplates,
) -> Result<BTreeMap<String, String>, InvalidTaskFile> {
    let document = yaml::parse(&MaskedText::from(text))?;
    aliases(YamlNode::root(&document).entries()?, templates)
}

fn aliases(
    entries: Vec<(&str, YamlNode<'_>)>,
    templates: &AliasTemplates,
) -> Result<BTreeMap<String, String>, InvalidTaskFile> {
    let pairs = entries.into_iter().map(|(name, node)| {
        check_name(name).map_err(|problem| node.problem(problem))?;
        Ok((name.to_owned(), templates.text_of(&node)?))
    });
    pairs.collect()
}

/// Reads a text as YAML: first as it is; then with placeholders for its templates, because ACR renders templates before it reads YAML,
/// so that they need no quotes there; then with its templates rendered, except those with secrets.
fn with_templates<T>(
    text: &str,
    renderer: &Renderer,
    read: &mut dyn FnMut(&str, &AliasTemplates) -> Result<T, InvalidTaskFile>,
) -> Result<T, InvalidTaskFile> {
    let none = AliasTemplates::default();
    let first = match read(text, &none) {
        Err(problem) if text.contains("{{") => problem,
        read => return read,
    };
    let (replaced, templates) = AliasTemplates::taken_out(text);
    if let Ok(value) = read(&replaced, &templates) {
        return Ok(value);
    }
    let rendered = renderer.render(text)?;
    if rendered.has_secret() {
        Err(first)
    } else {
        read(rendered.reveal(), &none).map_err(|_| first)
    }
}

/// Templates that are replaced by placeholders while YAML is read.
#[derive(Default)]
struct AliasTemplates(Vec<String>);

impl AliasTemplates {
    /// The character around a placeholder's number: of Unicode's private use area, so that no text has it.
    const OPEN: char = '\u{f8f0}';
    const CLOSE: char = '\u{f8f1}';

    fn taken_out(text: &str) -> (String, Self) {
        let (mut out, mut templates, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inner, behind)) = after.split_once("}}") else {
                break;
            };
            out.push_str(before);
            out.push_str(&format!("{}{}{}", Self::OPEN, templates.len(), Self::CLOSE));
            // Keeps the line numbers.
            out.push_str(&"\n".repeat(inner.matches('\n').count()));
            templates.push(format!("{{{{{inner}}}}}"));
            rest = behind;
        }
        out.push_str(rest);
        (out, Self(templates))
    }

    fn text_of(&self, node: &YamlNode<'_>) -> Result<String, InvalidTaskFile> {
        let mut rest = node.text()?.map_or("", MaskedText::reveal);
        let mut out = String::with_capacity(rest.len());
        while let Some((before, after)) = rest.split_once(Self::OPEN) {
            let place = after.split_once(Self::CLOSE);
            let found = place.and_then(|(number, behind)| {
                let template = self.0.get(number.parse::<usize>().ok()?)?;
                Some((template, behind))
            });
            out.push_str(before);
            match found {
                Some((template, behind)) => {
                    out.push_str(template);
                    rest = behind;
                }
                None => {
                    out.push(Self::OPEN);
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Ok(out)
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err("names of aliases are made of letters and digits")
    }
}

/// Cuts the section `alias` out of a file. The section may hold templates, and the rest may not be valid YAML yet.
fn separated(text: &str) -> (String, String) {
    let (mut section, mut rest) = (String::new(), String::new());
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let is_key = line.starts_with(|c: char| !c.is_whitespace() && c != '#' && c != '-')
            && line.contains(':');
        if is_key {
            inside = line
                .split(':')
                .next()
                .is_some_and(|key| key.trim_end() == "alias");
        }
        let (to, other) = if inside {
            (&mut section, &mut rest)
        } else {
            (&mut rest, &mut section)
        };
        to.push_str(line);
        other.push('\n');
    }
    (section, rest)
}

/// Returns the version of a task file, in lower case.
pub(super) fn version(text: &str) -> String {
    let written = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim_end() == "version").then_some(value)
    });
    let written = written.unwrap_or_default();
    let value = written.split(" #").next().unwrap_or_default();
    value.trim().trim_matches(['"', '\'']).to_lowercase()
}

/// Replaces the aliases that every file has, as `$Registry`, in a text that is not in one.
pub fn with_built_in(text: &str) -> Option<String> {
    replaced(text, '$', &|name| of(&BUILT_IN, name)).ok()
}

fn replaced<'v>(
    text: &str,
    directive: char,
    value: &dyn Fn(&str) -> Option<&'v str>,
) -> Result<String, InvalidTaskFile> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(directive) {
        out.push_str(before);
        if let Some(escaped) = after.strip_prefix(directive) {
            out.push(directive);
            rest = escaped;
            continue;
        }
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(after.len());
        match value(&after[..end]) {
            Some(value) => out.push_str(value),
            None => {
                out.push(directive);
                out.push_str(&after[..end]);
            }
        }
        if out.len() > MAX_BYTES {
            let line = text[..text.len() - after.len()].matches('\n').count() + 1;
            return Err(InvalidTaskFile::at(
                Some(line),
                "aliases make the file larger than 1 MiB",
            ));
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Warns of aliases in a file whose version has none: nearly always its `version` line is missing.
fn ignored_parts(text: &str, no_section: bool) -> FileWarnings {
    let hint = "write `version: v1.1.0` at the top of the file to have aliases replaced";
    let mut notices = FileWarnings::default();
    if !no_section {
        notices.add(None, format!("`alias` is ignored; {hint}"));
    }
    for (n, line) in text.lines().enumerate() {
        if !line.contains('$') || line.trim_start().starts_with('#') {
            continue;
        }
        let used = BUILT_IN.iter().find(|(name, _)| {
            line.match_indices(&format!("${name}")).any(|(at, found)| {
                !line[at + found.len()..]
                    .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            })
        });
        if let Some((name, _)) = used {
            notices.add(Some(n + 1), format!("`${name}` stays as it is; {hint}"));
        }
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{secret::Secret, steps::Variables};

    fn expanded(text: &str) -> String {
        let mut load = |name: &str| match name {
            "one.yaml" => Ok("a: one\nb: one\n".to_owned()),
            "two.yaml" => Ok("b: two\nID: mine\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        match expand(text, &renderer(), &mut load) {
            Ok(expanded) => expanded.text,
            Err(problem) => format!("! {problem}"),
        }
    }

    fn renderer() -> Renderer {
        let mut variables = Variables::default();
        variables.run.registry = "r.io".into();
        variables.values.set("name", "web");
        variables.values.set_secret("token", Secret::new("hunter2"));
        Renderer::new(&variables).unwrap()
    }

    #[test]
    fn alias_values_may_be_templates_without_quotes() {
        let head = "version: v1.1.0\nalias:\n  values:\n";
        for (values, expected) in [
            ("    a: {{.Run.Registry}}\n", "{{.Run.Registry}}"),
            ("    a: {{.Run.Registry}}/x: y\n", "! "),
            ("    a: {{.Run.Registry}}/x\n", "{{.Run.Registry}}/x"),
            (
                "    a: x-{{ index .Values \"name\" }}\n",
                "x-{{ index .Values \"name\" }}",
            ),
            ("    a: '{{.Run.Registry}}'\n", "{{.Run.Registry}}"),
            ("    {{ if .Values.name }}\n    a: y\n    {{ end }}\n", "y"),
            (
                "    {{.Values.name}}: {{.Values.name}}\n    a: $web\n",
                "$web",
            ),
            // It stays a template, so that its secret is recognised when it is rendered.
            ("    a: {{.Values.token}}\n", "{{.Values.token}}"),
            (
                "    {{ if .Values.token }}\n    a: {{.Values.token}}\n    {{ end }}\n",
                "! ",
            ),
        ] {
            let lines = values.matches('\n').count();
            let text = expanded(&format!("{head}{values}steps:\n- cmd: $a\n"));
            if expected == "! " {
                assert!(text.starts_with("! "), "{values}: {text}");
                continue;
            }
            let expected = format!(
                "version: v1.1.0\n\n\n{}steps:\n- cmd: {expected}\n",
                "\n".repeat(lines)
            );
            assert_eq!(text, expected, "{values}");
        }
    }

    #[test]
    fn built_in_aliases_are_run_variables() {
        assert_eq!(
            expanded("version: v1.1.0\ncmd: $Registry/web:$ID\n"),
            "version: v1.1.0\ncmd: {{.Run.Registry}}/web:{{.Run.ID}}\n"
        );
        assert_eq!(
            expanded("version: v1.1.0\n$ID$ID"),
            "version: v1.1.0\n{{.Run.ID}}{{.Run.ID}}"
        );
    }

    #[test]
    fn unknown_alias_is_kept_and_a_doubled_sign_is_one() {
        assert_eq!(
            expanded("version: v1.1.0\n$nope $$ID $ $5 a$"),
            "version: v1.1.0\n$nope $ID $ $5 a$"
        );
    }

    #[test]
    fn alias_name_ends_at_the_first_non_alphanumeric_character() {
        assert_eq!(
            expanded("version: v1.1.0\n$ID_x $IDx $ID.x"),
            "version: v1.1.0\n{{.Run.ID}}_x $IDx {{.Run.ID}}.x"
        );
    }

    #[test]
    fn alias_of_the_file_overrides_included_ones_and_later_includes_earlier() {
        let file = "version: v1.1.0\nalias:\n  values:\n    a: own\n  src:\n    - one.yaml\n    - two.yaml\nsteps: $a $b $ID\n";
        assert_eq!(
            expanded(file),
            "version: v1.1.0\n\n\n\n\n\n\nsteps: own two mine\n"
        );
    }

    #[test]
    fn alias_sign_can_be_changed() {
        let file = "version: v1.1.0\nalias:\n  directive: '&'\n  values: {foo: bar}\nsteps: &foo $foo &&x\n";
        assert!(expanded(file).ends_with("steps: bar $foo &x\n"));
        for sign in ["a", "''", "ab", "7"] {
            let file = format!("version: v1.1.0\nalias:\n  directive: {sign}\nsteps: x\n");
            assert!(
                expanded(&file).starts_with("! line 3: `directive` must be"),
                "{sign}"
            );
        }
    }

    #[test]
    fn invalid_alias_is_reported_with_its_line() {
        assert_eq!(
            expanded("version: v1.1.0\nalias:\n  values:\n    a-b: x\n"),
            "! line 4: names of aliases are made of letters and digits"
        );
        assert_eq!(
            expanded("version: v1.1.0\nalias:\n  src: [nope.yaml]\n"),
            "! line 3: cannot use the aliases of `nope.yaml`: no such file"
        );
        assert!(expanded("version: v1.1.0\nalias:\n  src: ['https://x/y']\n").contains("is a URL"));
    }

    #[test]
    fn aliases_without_the_version_are_kept_and_warned_about() {
        let told = |text: &str| {
            let expanded = expand(text, &renderer(), &mut |_| Err(String::new())).unwrap();
            let notices = expanded.notices.into_shown();
            let notices = notices.iter().map(ToString::to_string);
            (expanded.text, notices.collect::<Vec<_>>())
        };
        let (text, notices) = told("steps:\n  - cmd: $Registry/x $IDx $HOME\n");
        assert_eq!(text, "steps:\n  - cmd: $Registry/x $IDx $HOME\n");
        assert_eq!(
            notices,
            [
                "line 2: `$Registry` stays as it is; write `version: v1.1.0` at the top of the file to have aliases replaced"
            ]
        );
        assert_eq!(told("steps: [$HOME]\n").1, Vec::<String>::new());
        assert_eq!(told("alias: {values: {a: b}}\nsteps: []\n").1.len(), 1);
    }

    #[test]
    fn aliases_that_make_a_file_too_large_are_refused() {
        let head = "version: v1.1.0\nalias:\n  values: {a: ";
        let file = format!(
            "{head}{}}}\nsteps:\n- {}\n",
            "x".repeat(500_000),
            "$a ".repeat(9)
        );
        let told = "! line 5: aliases make the file larger than 1 MiB";
        assert_eq!(expanded(&file), told);
        let file = format!(
            "version: v1.1.0\nalias:\n  src: [{}]\n",
            "one.yaml, ".repeat(21)
        );
        let told = "! line 3: `src` names more than 20 files";
        assert_eq!(expanded(&file), told);
    }

    #[test]
    fn version_is_read_before_aliases_are_expanded() {
        assert_eq!(version("a: {{\nversion: 'V1.1.0' # new\n"), "v1.1.0");
        assert_eq!(version("steps: []\n"), "");
    }
}
