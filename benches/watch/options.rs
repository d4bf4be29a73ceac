//! The options of the benchmark.

use std::{path::PathBuf, str::FromStr};

use clap::Parser;

/// Measure acrt beside other tools, in one run
///
/// Prints tables, and which of the goals of docs/performance.md are met.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench watch --")]
pub struct Options {
    /// Measure the essential, in about a quarter of a minute
    #[arg(long)]
    pub quick: bool,
    /// Fail where a count is not exact, or a ratio more than half above its limit in three tries
    #[arg(long)]
    pub check: bool,
    /// Fail only where a count is not exact, whatever the times are: for machines that do something else meanwhile
    #[arg(long)]
    pub counts: bool,
    /// Measure only what has this in its heading (can be repeated)
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// Write all figures to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Measure another program too, a process for each image (can be repeated)
    #[arg(long = "peer", value_name = "NAME=COMMAND {ref}")]
    pub peers: Vec<Peer>,
    /// What cargo adds by itself
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// Returns how often each command is measured.
    #[must_use]
    pub fn runs(&self) -> usize {
        if self.quick { 3 } else { 5 }
    }

    /// Tells whether a heading is selected.
    #[must_use]
    pub fn wants(&self, heading: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| heading.contains(part))
    }
}

/// A program that prints the digest of an image.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name in the tables.
    pub name: String,
    /// Its command line, with `{ref}` for the image.
    pub command: Vec<String>,
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, command) = text.split_once('=').ok_or("it has no `=`")?;
        if !command.contains("{ref}") {
            return Err("its command has no `{ref}`".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            command: command.split_whitespace().map(str::to_owned).collect(),
        })
    }
}
