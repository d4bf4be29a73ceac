//! What a command takes, made when the command is the one that is typed: all commands together take a thousand options, and to make these
//! would be most of the time that acrt takes to start.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, error::Result};

/// The options of a command. What it does stands on its variant, because the help of the group above says it too.
#[derive(Debug)]
pub struct Late<T>(pub Box<T>);

impl<T: Args> Args for Late<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| globals_last(T::augment_args(command)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| globals_last(T::augment_args_for_update(command)))
    }
}

impl<T: FromArgMatches> FromArgMatches for Late<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        T::from_arg_matches(matches).map(|it| Self(Box::new(it)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self> {
        T::from_arg_matches_mut(matches).map(|it| Self(Box::new(it)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches(matches)
    }
}

/// Puts the options that every command has behind its own, as help shows them: they have been there before.
fn globals_last(command: Command) -> Command {
    let all = command.get_arguments().cloned();
    let (globals, own): (Vec<Arg>, Vec<Arg>) = all.partition(Arg::is_global_set);
    let mut all = own.into_iter().chain(globals);
    command.mut_args(|arg| all.next().unwrap_or(arg))
}
