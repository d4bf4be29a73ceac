//! Options that only have a meaning in Azure: accepted without effect, so that scripts for az run. They share one heading in the help, by
//! which those in a command line are found and reported.

use clap::{ArgMatches, Command, parser::ValueSource};

use crate::cli::{flags::AZURE, report::Report};

/// The option that names an account; all commands have it.
const ACCOUNT: &str = "--subscription";

/// The one Azure option that its own command reports, because another credential may replace it.
const SAID_ELSEWHERE: &str = "use_identity";

// Azure options of most commands.
#[derive(Debug, Default, clap::Args)]
pub struct AzureArgs {
    /// Name of resource group
    #[arg(short = 'g', long, help_heading = AZURE, hide_short_help = true, value_name = "NAME")]
    resource_group: Option<String>,
}

// Azure options of commands that run builds.
#[derive(Debug, Default, clap::Args)]
pub struct AzureRunArgs {
    #[command(flatten)]
    common: AzureArgs,
    /// The name of the agent pool
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "NAME")]
    agent_pool: Option<String>,
    /// The log repository
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "TEMPLATE")]
    log_template: Option<String>,
}

// Azure options of quick builds and quick runs.
#[derive(Debug, Default, clap::Args)]
pub struct AzureQuickArgs {
    #[command(flatten)]
    run: AzureRunArgs,
    /// Auth mode of the source registry
    #[arg(long, help_heading = AZURE, hide_short_help = true, ignore_case = true, value_parser = ["Default", "None"], value_name = "MODE")]
    auth_mode: Option<String>,
    /// Identity for the source registry
    #[arg(long, help_heading = AZURE, hide_short_help = true, ignore_case = true, value_parser = ["[caller]", "none"], value_name = "ID")]
    source_acr_auth_id: Option<String>,
}

// Azure options of commands that define tasks.
#[derive(Debug, Default, clap::Args)]
pub struct AzureTaskArgs {
    #[command(flatten)]
    run: AzureRunArgs,
    /// Managed identities
    #[arg(long, help_heading = AZURE, hide_short_help = true, num_args = 0.., value_name = "IDENTITY")]
    assign_identity: Option<Vec<String>>,
    /// Auth mode of the source registry
    #[arg(long, help_heading = AZURE, hide_short_help = true, ignore_case = true, value_parser = ["Default", "None"], value_name = "MODE")]
    auth_mode: Option<String>,
    /// The number of processors
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "COUNT")]
    cpu: Option<u32>,
    /// Whether the task is a system task
    #[arg(long, help_heading = AZURE, hide_short_help = true)]
    is_system_task: bool,
    /// Identity for the source registry
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "ID")]
    source_acr_auth_id: Option<String>,
}

// Azure options of `check-health`.
#[derive(Debug, Default, clap::Args)]
pub struct AzureHealthArgs {
    /// Repository whose permissions Azure checks
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// Virtual network that Azure checks
    #[arg(long, help_heading = AZURE, hide_short_help = true, value_name = "NAME")]
    vnet: Option<String>,
}

/// Warns once about all options in the command line that have no effect outside of Azure.
pub fn warn_without_effect(
    command: &Command,
    matches: &ArgMatches,
    subscription: Option<&str>,
    report: &Report,
) {
    let account = subscription.map(|_| ACCOUNT.to_owned());
    let own = typed(command, matches);
    for options in [Vec::from_iter(account), own] {
        if !options.is_empty() {
            let options = options.join(", ");
            report.warning(&format!("without effect outside Azure: {options}"));
        }
    }
}

/// Returns the command's own options that were typed.
fn typed(command: &Command, matches: &ArgMatches) -> Vec<String> {
    if let Some((name, matches)) = matches.subcommand()
        && let Some(sub) = command.find_subcommand(name)
    {
        return typed(sub, matches);
    }
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    command
        .get_arguments()
        .filter(|arg| arg.get_help_heading() == Some(AZURE))
        .map(|arg| (arg.get_id().as_str(), arg.get_long()))
        .filter(|(id, _)| *id != SAID_ELSEWHERE && is_typed(id))
        .filter_map(|(_, long)| Some(format!("--{}", long?)))
        .filter(|option| option != ACCOUNT)
        .collect()
}
