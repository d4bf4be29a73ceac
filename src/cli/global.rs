//! Options that every command has.

use std::path::PathBuf;

use clap::{ArgMatches, FromArgMatches as _};

use super::flags::AZURE;
use crate::{
    error::{Error, Result},
    ops::{GlobalOptions, config::default_format},
    view::{CannotRender, Format, Query},
};

// Options of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print the answer as json, jsonc, yaml, yamlc, table, tsv or none [default: table on a terminal, else json; or $ACRT_OUTPUT]
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// Pick from the answer, a JMESPath expression
    #[arg(long, value_name = "JMESPATH")]
    pub query: Option<Query>,
    /// Print errors only, no warnings
    #[arg(long)]
    pub only_show_errors: bool,
    /// Tell more about what is done
    #[arg(long)]
    pub verbose: bool,
    /// Tell everything about what is done
    #[arg(long, hide_short_help = true)]
    pub debug: bool,
    /// Builder: docker, buildx, podman, buildah, buildctl or command [default: the first that works, or $ACRT_BUILDER]
    #[arg(long, value_name = "BUILDER")]
    pub builder: Option<String>,
    /// Folder that keeps tasks and runs [default: the platform's, or $ACRT_STATE_DIR]
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Config file [default: the platform's, or $ACRT_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use a config file or state directory that other users may change [default: $ACRT_ALLOW_UNSAFE_PERMISSIONS]
    #[arg(long, hide_short_help = true)]
    pub allow_unsafe_permissions: bool,
    /// Name or id of a subscription; without effect
    #[arg(long, hide_short_help = true, help_heading = AZURE, value_name = "NAME")]
    pub subscription: Option<String>,
}

impl Global {
    /// Returns the options, wherever in the command line they are; of two, the last wins.
    ///
    /// They are defined as options of each command, because clap would copy options that it calls global into every command besides the
    /// typed one.
    pub fn typed(matches: &ArgMatches) -> clap::error::Result<Self> {
        let before = Self::from_arg_matches(matches)?;
        let Some((_, matches)) = matches.subcommand() else {
            return Ok(before);
        };
        let behind = Self::typed(matches)?;
        Ok(Self {
            output: behind.output.or(before.output),
            query: behind.query.or(before.query),
            only_show_errors: behind.only_show_errors || before.only_show_errors,
            verbose: behind.verbose || before.verbose,
            debug: behind.debug || before.debug,
            builder: behind.builder.or(before.builder),
            state_dir: behind.state_dir.or(before.state_dir),
            config: behind.config.or(before.config),
            allow_unsafe_permissions: behind.allow_unsafe_permissions
                || before.allow_unsafe_permissions,
            subscription: behind.subscription.or(before.subscription),
        })
    }

    /// Returns the format of `-o`, of `$ACRT_OUTPUT` or of the config file.
    pub fn format(&self) -> Result<Option<Format>> {
        match self.output {
            Some(format) => Ok(Some(format)),
            None => default_format(&self.options()),
        }
    }

    /// Like [`Self::format`], for answers that are no graphs: refuses a picture before anything is done.
    pub fn format_of_any_answer(&self) -> Result<Option<Format>> {
        match self.format()? {
            Some(Format::Picture(_)) => {
                let error = Error::invalid(CannotRender::NoPicture.to_string());
                Err(match self.output {
                    Some(_) => error,
                    None => error.hint("the format is that of $ACRT_OUTPUT, or of defaults.output in the config file; -o names another"),
                })
            }
            format => Ok(format),
        }
    }

    /// Returns the options that operations need.
    pub fn options(&self) -> GlobalOptions {
        GlobalOptions {
            state_dir: self.state_dir.clone(),
            config: self.config.clone(),
            builder: self.builder.clone(),
            allow_unsafe_permissions: self.allow_unsafe_permissions,
            config_text: None,
        }
    }
}
