//! Writes `docs/reference/` and `docs/man/` from the definitions of the commands: `make docs`.
//!
//! `tests/reference.rs` holds the files against what this would write.

use std::{collections::BTreeMap, fmt::Write as _, fs, io, path::Path};

use clap::{Arg, Command};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

/// The folders that hold nothing but what is written here.
pub const FOLDERS: [&str; 2] = ["docs/reference", "docs/man"];

/// What roff puts before every part of a page; once is enough.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in FOLDERS {
        match fs::remove_dir_all(root.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(root.join(folder))?,
        }
    }
    for (path, text) in pages()? {
        fs::write(root.join(path), text)?;
    }
    Ok(())
}

/// Returns the text of every page, by its path in the repository.
pub fn pages() -> io::Result<BTreeMap<String, String>> {
    let mut root = acrt::cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = BTreeMap::new();
    let mut index = String::from(
        "# Commands\n\nMade from the program's own help by `make docs`; the same pages for `man` are in [man](../man).\n\n| command | what it does |\n|---|---|\n",
    );
    add(&root, &mut pages, &mut index)?;
    pages.insert("docs/reference/README.md".into(), index);
    Ok(pages)
}

fn add(
    command: &Command,
    pages: &mut BTreeMap<String, String>,
    index: &mut String,
) -> io::Result<()> {
    let (line, file) = (typed(command), typed(command).replace(' ', "-"));
    let about = text(command.get_about());
    index.push_str(&format!("| [`{line}`]({file}.md) | {about} |\n"));
    pages.insert(format!("docs/reference/{file}.md"), page(command));
    pages.insert(format!("docs/man/{file}.1"), man(command)?);
    for sub in visible(command) {
        add(sub, pages, index)?;
    }
    Ok(())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

/// Returns a command as it is typed, as `acrt task create`.
fn typed(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    name.to_owned()
}

fn text(styled: Option<&clap::builder::StyledStr>) -> String {
    styled.map(ToString::to_string).unwrap_or_default()
}

fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").to_owned()
}

/// Returns the page of a command for people who read it in a browser.
fn page(command: &Command) -> String {
    let usage = usage(command);
    let about = command.get_long_about().or_else(|| command.get_about());
    let mut page = format!(
        "# {}\n\n{}\n\n```text\n{usage}\n```\n",
        typed(command),
        text(about)
    );
    let after = text(command.get_after_help());
    if let Some((heading, lines)) = after.split_once(":\n") {
        let lines = lines.replace("\n  ", "\n");
        let lines = lines.trim_start();
        page.push_str(&format!("\n## {heading}\n\n```sh\n{lines}\n```\n"));
    }
    if command.has_subcommands() {
        page.push_str("\n## Commands\n\n| command | what it does |\n|---|---|\n");
        for sub in visible(command) {
            let (line, about) = (typed(sub), text(sub.get_about()));
            let file = line.replace(' ', "-");
            page.push_str(&format!("| [`{line}`]({file}.md) | {about} |\n"));
        }
    }
    for (heading, options) in groups(command) {
        page.push_str(&format!(
            "\n## {heading}\n\n| option | meaning |\n|---|---|\n"
        ));
        page.extend(options.iter().map(|option| row(option)));
    }
    page
}

/// Returns the options of a command under their headings, in the order of its help.
fn groups(command: &Command) -> Vec<(&str, Vec<&Arg>)> {
    let mut groups: Vec<(&str, Vec<&Arg>)> = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let default = if arg.is_positional() {
            "Arguments"
        } else {
            "Options"
        };
        let heading = arg.get_help_heading().unwrap_or(default);
        match groups.iter_mut().find(|(other, _)| *other == heading) {
            Some((_, options)) => options.push(arg),
            None => groups.push((heading, vec![arg])),
        }
    }
    for (_, options) in &mut groups {
        options.sort_by_key(|option| option.get_display_order());
    }
    groups
}

fn row(arg: &Arg) -> String {
    let mut names = arg.to_string();
    if let Some(short) = arg.get_short() {
        names = format!("-{short}, {names}");
    }
    let mut meaning = match arg.get_id().as_str() {
        "help" => "Print help".to_owned(),
        _ => text(arg.get_help()),
    };
    // The action of `--enabled [<true|false>]` takes none.
    let takes_values = arg.get_num_args().is_some_and(|it| it.takes_values());
    let values = arg.get_possible_values();
    if !values.is_empty() && takes_values && !arg.is_hide_possible_values_set() {
        let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
        let _ = write!(meaning, ": {}", values.join(", "));
    }
    if arg.is_required_set() {
        meaning.push_str("; required");
    }
    let defaults = arg.get_default_values().iter().filter_map(|v| v.to_str());
    for default in defaults.filter(|_| takes_values) {
        let _ = write!(meaning, " [default: {default}]");
    }
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    format!("| `{}` | {} |\n", names.replace('|', "\\|"), cell(&meaning))
}

/// What the exit codes of every command mean.
const EXIT_STATUS: [(&str, &str); 8] = [
    ("0", "Done."),
    (
        "1",
        "Something failed: a run, or an unexpected error; or tasks build on each other in a cycle.",
    ),
    ("2", "Wrong usage, or input that cannot be read."),
    ("3", "No such task, run, timer or credential."),
    (
        "4",
        "It could not be found out: a registry, repository or builder did not answer, refused, or limited us; or an image is gone or not approved.",
    ),
    ("5", "Another watcher holds the state directory."),
    (
        "10",
        "Something is stale, or was rebuilt, and --exit-code asked to be told.",
    ),
    ("130, 143", "Stopped by SIGINT or SIGTERM."),
];

/// The variables that every command reads; `docs/config.md` has all.
const ENVIRONMENT: [(&str, &str); 8] = [
    (
        "ACRT_STATE_DIR",
        "Folder that keeps tasks and runs, where --state-dir names none.",
    ),
    ("ACRT_CONFIG", "Config file, where --config names none."),
    ("ACRT_REGISTRY", "Registry of commands that name none."),
    ("ACRT_BUILDER", "Builder of commands that name none."),
    ("ACRT_OUTPUT", "Format of answers, where -o names none."),
    (
        "DOCKER_CONFIG, REGISTRY_AUTH_FILE",
        "Where logins are, as for docker and podman.",
    ),
    (
        "HTTP_PROXY, HTTPS_PROXY, NO_PROXY",
        "Proxies, as everywhere.",
    ),
    ("NO_COLOR, CLICOLOR_FORCE", "Colours."),
];

/// Where what acrt keeps is by itself.
const FILES: [(&str, &str); 2] = [
    (
        "~/.config/acrt/config.yaml",
        "The config file. None is needed.",
    ),
    (
        "~/.local/state/acrt",
        "The state directory: definitions, runs with their logs, and what was seen.",
    ),
];

/// Returns the pages that belong to a command: the one above it, those beneath it, else those beside it.
fn see_also(command: &Command) -> Vec<String> {
    let line = typed(command);
    let mut root = acrt::cli::command().disable_help_subcommand(true);
    root.build();
    let mut all = Vec::new();
    lines(&root, &mut all);
    let above = line.rsplit_once(' ').map_or("", |(above, _)| above);
    let is_beneath = |other: &String, group: &str| {
        let rest = other
            .strip_prefix(group)
            .and_then(|rest| rest.strip_prefix(' '));
        rest.is_some_and(|rest| !rest.contains(' '))
    };
    let group = if command.has_subcommands() {
        line.as_str()
    } else {
        above
    };
    let near = all
        .iter()
        .filter(|other| **other == above || is_beneath(other, group));
    let pages = near.filter(|other| **other != line);
    pages
        .map(|other| format!("{}(1)", other.replace(' ', "-")))
        .collect()
}

fn lines(command: &Command, all: &mut Vec<String>) {
    all.push(typed(command));
    visible(command).for_each(|sub| lines(sub, all));
}

/// Returns the page of a command for `man`.
fn man(command: &Command) -> io::Result<String> {
    let after = text(command.get_after_help());
    // What only `--help` shows would have no explanation.
    let whole = command.clone().mut_args(|arg| arg.hide_short_help(false));
    let page = Man::new(whole.override_usage(usage(command)))
        .source(concat!("acrt ", env!("CARGO_PKG_VERSION")))
        .manual("acrt");
    let mut out = Vec::new();
    page.render_title(&mut out)?;
    page.render_name_section(&mut out)?;
    page.render_synopsis_section(&mut out)?;
    page.render_description_section(&mut out)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut out)?;
    }
    page.render_options_section(&mut out)?;
    if let Some((heading, lines)) = after.split_once(":\n") {
        let mut examples = Roff::new();
        examples.control("SH", [heading.to_uppercase().as_str()]);
        examples.control("nf", []);
        examples.text([roman(lines)]);
        examples.control("fi", []);
        examples.to_writer(&mut out)?;
    }
    for (heading, rows) in [
        ("EXIT STATUS", &EXIT_STATUS[..]),
        ("ENVIRONMENT", &ENVIRONMENT),
        ("FILES", &FILES),
    ] {
        let mut section = Roff::new();
        section.control("SH", [heading]);
        for (name, meaning) in rows {
            section.control("TP", []);
            section.text([bold(*name)]);
            section.text([roman(*meaning)]);
        }
        section.to_writer(&mut out)?;
    }
    let mut also = Roff::new();
    also.control("SH", ["SEE ALSO"]);
    also.text([roman(see_also(command).join(", "))]);
    also.to_writer(&mut out)?;
    let text = String::from_utf8(out).map_err(io::Error::other)?;
    Ok(format!("{PREAMBLE}{}", text.replace(PREAMBLE, "")))
}
