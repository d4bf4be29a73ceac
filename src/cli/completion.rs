//! `acrt completion`

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::error::Result;

use super::{Cli, Outcome, report::Report};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt completion bash > ~/.local/share/bash-completion/completions/acrt\n  acrt completion zsh > ~/.zfunc/_acrt\n  acrt completion fish > ~/.config/fish/completions/acrt.fish"
)]
pub struct CompletionArgs {
    /// Shell: bash, zsh, fish, powershell or elvish
    #[arg(value_enum, hide_possible_values = true)]
    shell: Shell,
}

pub fn run(report: &Report, args: CompletionArgs) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "acrt", &mut script);
    report.answer(&script)?;
    Ok(Outcome::default())
}
