//! Every option of `az acr`, from its own parser in `tests/data/az-acr-options.txt`: acrt has it, with the same short
//! name, values in any case, default and requirement.

use std::fs;

use clap::{Arg, Command, error::ErrorKind};

/// Intended differences of acrt, which `docs/az-differences.md` documents.
const DIFFERENT: &[(&str, &str, &str)] = &[
    // The registry comes from the task's name, the images, the environment or the config file.
    ("*", "--registry", "required"),
    // The same for the destination of a copy.
    ("acrt import", "--name", "required"),
    // Only Azure's system tasks have none, and the default is Dockerfile.
    ("acrt task create", "--context", "required"),
    ("acrt task create", "--file", "default"),
    // The default name is the folder's.
    ("acrt task create", "--name", "required"),
    // Most contexts are local folders, which have no commits to follow.
    ("acrt task create", "--commit-trigger-enabled", "default"),
    // One hour, the service's default where az sets none.
    ("acrt run", "--timeout", "default"),
    ("acrt build", "--timeout", "default"),
    // Without effect, so a default would only be noise.
    ("acrt task create", "--cpu", "default"),
    (
        "acrt task create",
        "--update-trigger-payload-type",
        "default",
    ),
];

/// The options that every az command has.
const GLOBAL: &[(&str, Option<char>)] = &[
    ("debug", None),
    ("help", Some('h')),
    ("only-show-errors", None),
    ("output", Some('o')),
    ("query", None),
    ("subscription", None),
    ("verbose", None),
];

/// One line of the list.
struct Listed<'t> {
    command: &'t str,
    long: &'t str,
    short: Option<char>,
    required: bool,
    values: Vec<&'t str>,
    default: Option<&'t str>,
}

impl Listed<'_> {
    fn name(&self) -> String {
        format!("{} {}", self.command, self.long)
    }

    fn is_different(&self, aspect: &str) -> bool {
        DIFFERENT.iter().any(|(command, option, what)| {
            (*command == "*" || *command == self.command) && *option == self.long && *what == aspect
        })
    }
}

fn list() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/az-acr-options.txt");
    fs::read_to_string(path).unwrap()
}

fn options(list: &str) -> Vec<Listed<'_>> {
    let mut command = "";
    let mut options = Vec::new();
    for line in list.lines().filter(|line| !line.is_empty()) {
        if let Some(heading) = line.strip_prefix("## ") {
            command = heading;
            continue;
        }
        let mut words = line.split_whitespace();
        let long = words.next().unwrap();
        let rest: Vec<&str> = words.collect();
        let short = rest
            .iter()
            .find(|word| word.len() == 2 && word.starts_with('-'));
        let values = line.split_once("values=").map(|(_, rest)| rest);
        let values = values.map(|rest| rest.split(" default=").next().unwrap());
        options.push(Listed {
            command,
            long,
            short: short.and_then(|word| word.chars().nth(1)),
            required: rest.contains(&"required"),
            values: values.map_or(Vec::new(), |values| values.split(", ").collect()),
            default: line
                .split_once("default=")
                .map(|(_, default)| default.trim()),
        });
    }
    options
}

/// Finds a command by its command line.
fn find<'c>(root: &'c Command, line: &str) -> Option<&'c Command> {
    let mut words = line.split(' ').skip(1);
    words.try_fold(root, |command, word| command.find_subcommand(word))
}

fn option<'c>(command: &'c Command, long: &str) -> Option<&'c Arg> {
    let long = long.trim_start_matches('-');
    command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(long))
}

/// Returns clap's error about the value of one option, ignoring missing options.
fn value_is_taken(root: &Command, listed: &Listed<'_>, value: &str) -> bool {
    let option = format!("{}={value}", listed.long);
    let line = listed.command.split(' ').chain([option.as_str()]);
    match root.clone().try_get_matches_from(line) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::UnknownArgument
        ),
    }
}

fn check(root: &Command, command: &Command, listed: &Listed<'_>, arg: &Arg) -> Vec<String> {
    let name = listed.name();
    let mut wrong = Vec::new();
    if arg.get_short() != listed.short {
        wrong.push(format!("{name}: short name {:?}", arg.get_short()));
    }
    // A name may also be a bare argument: one of the two is required.
    let is_one_of_two = |group: &clap::ArgGroup| {
        group.is_required_set() && group.get_args().any(|id| id == arg.get_id())
    };
    let required = arg.is_required_set() || command.get_groups().any(is_one_of_two);
    if required != listed.required && !listed.is_different("required") {
        wrong.push(format!("{name}: required {required}"));
    }
    for value in &listed.values {
        for value in [
            (*value).to_owned(),
            value.to_uppercase(),
            value.to_lowercase(),
        ] {
            if !value_is_taken(root, listed, &value) {
                wrong.push(format!("{name}: refuses `{value}`"));
            }
        }
    }
    let is_closed = !listed.values.is_empty() && !listed.values.iter().any(|v| v.starts_with('['));
    if is_closed && value_is_taken(root, listed, "nosuch") {
        wrong.push(format!("{name}: takes any value"));
    }
    let defaults: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|value| value.to_str().unwrap().to_lowercase())
        .collect();
    let takes_value = arg.get_action().takes_values();
    let wanted: Vec<String> = listed
        .default
        .iter()
        .map(|text| text.to_lowercase())
        .collect();
    if takes_value && defaults != wanted && !listed.is_different("default") {
        wrong.push(format!("{name}: default {defaults:?}"));
    }
    wrong
}

#[test]
fn every_option_of_az_is_known_with_its_values_and_its_default() {
    let (mut root, list) = (acrt::cli::command(), list());
    root.build();
    let mut wrong = Vec::new();
    for listed in options(&list) {
        let name = listed.name();
        let command = find(&root, listed.command);
        let found = command.and_then(|command| Some((command, option(command, listed.long)?)));
        match found {
            Some((command, arg)) => wrong.extend(check(&root, command, &listed, arg)),
            None => wrong.push(format!("{name} is missing")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_has_the_global_options_of_az() {
    fn check(command: &Command, path: &str) {
        for (long, short) in GLOBAL {
            let arg = option(command, long).unwrap_or_else(|| panic!("{path} has no --{long}"));
            assert_eq!(arg.get_short(), *short, "{path} --{long}");
        }
        for sub in command
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            check(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    let mut root = acrt::cli::command();
    root.build();
    check(&root, "acrt");
}

#[test]
fn every_boolean_flag_of_az_may_be_given_without_a_value() {
    let (mut root, list) = (acrt::cli::command(), list());
    root.build();
    for listed in options(&list) {
        let known = find(&root, listed.command).and_then(|command| option(command, listed.long));
        if let Some(arg) = known.filter(|_| listed.values == ["false", "true"]) {
            assert_eq!(
                arg.get_num_args().unwrap().min_values(),
                0,
                "{}",
                listed.name()
            );
        }
    }
}
