//! `acrt completion`

use clap::ValueEnum;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::error::{Context as _, Kind, Result};

use super::{complete::VARIABLE, outcome::Outcome, report::Report};

/// Print the completion script of a shell
///
/// The script asks acrt itself, and so knows the names of tasks and runs too.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt completion bash > ~/.local/share/bash-completion/completions/acrt\n  eval \"$(acrt completion zsh)\"    (in ~/.zshrc, behind compinit)\n  acrt completion fish > ~/.config/fish/completions/acrt.fish"
)]
pub struct CompletionArgs {
    /// Shell: bash, zsh, fish, powershell or elvish
    #[arg(value_enum, ignore_case = true, hide_possible_values = true)]
    shell: Shell,
}

/// A shell that can complete.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Powershell => &Powershell,
            Self::Elvish => &Elvish,
        }
    }
}

pub fn run(report: &Report, args: CompletionArgs) -> Result<Outcome> {
    let mut script = Vec::new();
    args.shell
        .completer()
        .write_registration(VARIABLE, "acrt", "acrt", "acrt", &mut script)
        .context(Kind::Failed, || "cannot write the script".to_owned())?;
    report.answer(&script)?;
    Ok(Outcome::default())
}
