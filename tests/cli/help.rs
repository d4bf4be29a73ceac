//! Help is for people: each command has examples that work, and its options are grouped.

use clap::Command;

use crate::support::World;

/// The option headings in every command's help.
const HEADINGS: &[&str] = &[
    "What is built",
    "Multi-step files",
    "Images",
    "Triggers",
    "Global options",
    "Azure only, without effect",
];

/// Calls `look` with every visible command that is no group, and its command line.
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

/// Returns the command lines in the examples of a command, without shell syntax.
fn examples(command: &Command) -> Vec<Vec<String>> {
    let help = command.get_after_help().map(ToString::to_string);
    let help = help.unwrap_or_default().replace("\\\n", " ");
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    lines
        .map(|line| {
            let line = line.split("    (").next().unwrap();
            let line = &line[line.find("acrt").unwrap_or_else(|| panic!("{line}"))..];
            // `eval "$(acrt …)"` is also a command line of acrt.
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
fn help_of_every_command_has_a_parseable_example_and_fits_a_narrow_terminal() {
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
fn help_groups_options_under_a_few_headings() {
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
fn help_lists_only_azure_options_as_without_effect() {
    let mut found = std::collections::BTreeSet::new();
    every_command(&mut |_, command| {
        let arguments = command.get_arguments();
        let azure = arguments.filter(|it| it.get_help_heading() == HEADINGS.last().copied());
        found.extend(azure.map(|it| it.get_id().to_string()));
    });
    let words = "agent_pool assign_identity auth_mode cpu is_system_task log_template repository resource_group \
        source_acr_auth_id subscription suffix use_identity vnet";
    assert_eq!(
        Vec::from_iter(found),
        Vec::from_iter(words.split_whitespace())
    );
}

#[test]
fn task_run_options_of_a_single_task_are_refused_with_all() {
    let of_many = ["all", "stale", "failed", "jobs", "registry", "no_format"];
    let root = acrt::cli::command();
    let is_global = |id: &clap::Id| root.get_arguments().any(|it| it.get_id() == id);
    every_command(&mut |line, command| {
        if line != "acrt task run" {
            return;
        }
        let all = command.get_arguments().find(|it| it.get_id() == "all");
        let refused = command.get_arg_conflicts_with(all.unwrap());
        for option in command.get_arguments() {
            let id = option.get_id();
            let is_azure = option.get_help_heading() == HEADINGS.last().copied();
            let is_of_one = !(of_many.contains(&id.as_str()) || is_global(id) || is_azure);
            let is_refused = refused.iter().any(|it| it.get_id() == id);
            assert!(is_refused || !is_of_one || id == "help", "{id}");
        }
    });
}

#[test]
fn help_explains_every_option_in_one_line_without_a_full_stop() {
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
fn help_colours_follow_the_terminal_and_the_variables() {
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
