//! Help is written for people: each command has examples that can be typed, and its options in groups.

use clap::Command;

use crate::support::World;

/// The headings of options, in every command's help.
const HEADINGS: &[&str] = &[
    "What is built",
    "Multi-step files",
    "Images",
    "Triggers",
    "Global options",
    "Azure only, without effect",
];

/// Calls `look` with every command that people see and that does something, and the line that it is typed as.
fn every_command(look: &mut dyn FnMut(&str, &Command)) {
    fn visit(line: &str, command: &Command, look: &mut dyn FnMut(&str, &Command)) {
        let visible = |sub: &&Command| !sub.is_hide_set() && sub.get_name() != "help";
        for sub in command.get_subcommands().filter(visible) {
            let line = format!("{line} {}", sub.get_name());
            match sub.has_subcommands() {
                true => visit(&line, sub, look),
                false => look(&line, sub),
            }
        }
    }
    let mut root = acrt::cli::command();
    root.build();
    visit("acrt", &root, look);
}

/// Returns the lines to type in the examples of a command: without what only the shell sees.
fn examples(command: &Command) -> Vec<Vec<String>> {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default().replace("\\\n", " ");
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    lines
        .map(|line| {
            let line = line.split("    (").next().unwrap();
            let line = &line[line.find("acrt").unwrap_or_else(|| panic!("{line}"))..];
            // `eval "$(acrt …)"` is still a line of acrt.
            let line = line.strip_suffix(")\"").unwrap_or(line);
            let words = shlex::split(line).unwrap_or_else(|| panic!("{line}"));
            let ends = ["<", ">", "|", "||"];
            words
                .into_iter()
                .take_while(|word| !ends.contains(&word.as_str()))
                .collect()
        })
        .collect()
}

#[test]
fn every_command_has_an_example_that_parses_and_fits_a_narrow_terminal() {
    every_command(&mut |line, command| {
        let examples = examples(command);
        assert!(!examples.is_empty(), "`{line}` has no example");
        for example in examples {
            let typed = example.join(" ");
            assert!(
                typed.starts_with(line),
                "`{line}` has an example of `{typed}`"
            );
            if let Err(problem) = acrt::cli::command().try_get_matches_from(&example) {
                panic!("`{typed}`: {problem}");
            }
        }
        let help = command.get_after_help().unwrap().to_string();
        let head = help.lines().next().unwrap();
        assert!(
            head == "Example:" || head == "Examples:",
            "`{line}`: {head}"
        );
        for text in help.lines() {
            assert!(text.len() <= 78, "`{line}`: longer than 78 columns: {text}");
        }
    });
}

#[test]
fn options_stand_under_one_of_a_few_headings() {
    every_command(&mut |line, command| {
        for arg in command.get_arguments() {
            let heading = arg.get_help_heading();
            assert!(
                heading.is_none_or(|heading| HEADINGS.contains(&heading)),
                "`{line}` {}: {heading:?}",
                arg.get_id()
            );
        }
    });
}

#[test]
fn every_option_is_explained_in_a_line_without_a_full_stop() {
    every_command(&mut |line, command| {
        for arg in command.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                !help.is_empty() && help.len() <= 140 && !help.ends_with('.'),
                "`{line}` {}: {help:?}",
                arg.get_id()
            );
        }
    });
}

#[test]
fn colours_of_help_follow_the_terminal_and_the_variables() {
    let world = World::new();
    let plain = world.acrt(&["task", "--help"]).ok().stdout;
    assert!(!plain.contains('\u{1b}'));
    world.set("CLICOLOR_FORCE", "1");
    assert!(
        world
            .acrt(&["task", "--help"])
            .ok()
            .stdout
            .contains('\u{1b}')
    );
    world.set("NO_COLOR", "1");
    assert!(
        !world
            .acrt(&["task", "--help"])
            .ok()
            .stdout
            .contains('\u{1b}')
    );
}
