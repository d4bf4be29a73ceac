//! `acrt completion`

use clap::ValueEnum;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::error::{Context as _, Kind, Result};

use super::{complete::VARIABLE, outcome::Outcome, report::Report};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt completion bash > ~/.local/share/bash-completion/completions/acrt\n  eval \"$(acrt completion zsh)\"    (in ~/.zshrc, behind compinit)\n  acrt completion fish > ~/.config/fish/completions/acrt.fish"
)]
pub struct CompletionArgs {
    /// Shell: bash, zsh, fish, powershell or elvish
    #[arg(value_enum, ignore_case = true, hide_possible_values = true)]
    shell: Shell,
}

/// The script for bash. The library's own script uses bash's words, which are split at each `:` and `=`, and so cannot complete a
/// registry with a port.
const BASH: &str = include_str!("completion.bash");

/// A supported shell.
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
            Self::Bash => &clap_complete::env::Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Powershell => &Powershell,
            Self::Elvish => &Elvish,
        }
    }
}

pub fn run(report: &Report, args: CompletionArgs) -> Result<Outcome> {
    if let Shell::Bash = args.shell {
        report.answer(BASH.as_bytes())?;
        return Ok(Outcome::default());
    }
    let mut script = Vec::new();
    args.shell
        .completer()
        .write_registration(VARIABLE, "acrt", "acrt", "acrt", &mut script)
        .context(Kind::Failed, || "cannot write the script".to_owned())?;
    report.answer(&script)?;
    Ok(Outcome::default())
}
