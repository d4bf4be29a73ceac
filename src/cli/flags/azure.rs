//! Options that only mean something in Azure: accepted, so that scripts run, and without effect.

use crate::cli::{flags::AZURE, global::Global, report::Report};

// Options that only mean something in Azure.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = AZURE)]
pub struct AzureArgs {
    /// Name of resource group
    #[arg(short = 'g', long, hide_short_help = true, value_name = "NAME")]
    resource_group: Option<String>,
}

// More options that only mean something in Azure, of the commands that run builds.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = AZURE)]
pub struct AzureRunArgs {
    #[command(flatten)]
    common: AzureArgs,
    /// The name of the agent pool
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    agent_pool: Option<String>,
    /// The log repository
    #[arg(long, hide_short_help = true, value_name = "TEMPLATE")]
    log_template: Option<String>,
}

// Those of quick builds and runs.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = AZURE)]
pub struct AzureQuickArgs {
    #[command(flatten)]
    run: AzureRunArgs,
    /// Auth mode of the source registry
    #[arg(long, hide_short_help = true, ignore_case = true, value_parser = ["Default", "None"], value_name = "MODE")]
    auth_mode: Option<String>,
    /// Identity for the source registry
    #[arg(long, hide_short_help = true, ignore_case = true, value_parser = ["[caller]", "none"], value_name = "ID")]
    source_acr_auth_id: Option<String>,
}

impl AzureQuickArgs {
    /// Says once which of them were given.
    pub fn tell(&self, report: &Report) {
        let mut given = self.run.given();
        given.extend(named(&[
            ("--auth-mode", self.auth_mode.is_some()),
            ("--source-acr-auth-id", self.source_acr_auth_id.is_some()),
        ]));
        tell(&given, report);
    }
}

// Still more, of the commands that define tasks.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = AZURE)]
pub struct AzureTaskArgs {
    #[command(flatten)]
    run: AzureRunArgs,
    /// Managed identities
    #[arg(long, hide_short_help = true, num_args = 0.., value_name = "IDENTITY")]
    assign_identity: Option<Vec<String>>,
    /// Auth mode of the source registry
    #[arg(long, hide_short_help = true, ignore_case = true, value_parser = ["Default", "None"], value_name = "MODE")]
    auth_mode: Option<String>,
    /// The number of processors
    #[arg(long, hide_short_help = true, value_name = "COUNT")]
    cpu: Option<u32>,
    /// Whether the task is a system task
    #[arg(long, hide_short_help = true)]
    is_system_task: bool,
    /// Identity for the source registry
    #[arg(long, hide_short_help = true, value_name = "ID")]
    source_acr_auth_id: Option<String>,
}

// Those of `check-health`.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = AZURE)]
pub struct AzureHealthArgs {
    /// Repository whose permissions Azure checks
    #[arg(long, hide_short_help = true, value_name = "REPOSITORY")]
    repository: Option<String>,
    /// Virtual network that Azure checks
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    vnet: Option<String>,
}

impl AzureHealthArgs {
    /// Says once which of them were given.
    pub fn tell(&self, report: &Report) {
        let given = [
            ("--repository", self.repository.is_some()),
            ("--vnet", self.vnet.is_some()),
        ];
        tell(&named(&given), report);
    }
}

impl AzureArgs {
    fn given(&self) -> Vec<&'static str> {
        named(&[("--resource-group", self.resource_group.is_some())])
    }

    /// Says once which of them were given.
    pub fn tell(&self, report: &Report) {
        tell(&self.given(), report);
    }
}

impl AzureRunArgs {
    fn given(&self) -> Vec<&'static str> {
        let mut given = self.common.given();
        given.extend(named(&[
            ("--agent-pool", self.agent_pool.is_some()),
            ("--log-template", self.log_template.is_some()),
        ]));
        given
    }

    /// Says once which of them were given.
    pub fn tell(&self, report: &Report) {
        tell(&self.given(), report);
    }
}

impl AzureTaskArgs {
    /// Says once which of them were given.
    pub fn tell(&self, report: &Report) {
        let mut given = self.run.given();
        given.extend(named(&[
            ("--assign-identity", self.assign_identity.is_some()),
            ("--auth-mode", self.auth_mode.is_some()),
            ("--cpu", self.cpu.is_some()),
            ("--is-system-task", self.is_system_task),
            ("--source-acr-auth-id", self.source_acr_auth_id.is_some()),
        ]));
        tell(&given, report);
    }
}

/// Says once which of the global options that only mean something in Azure were given.
pub fn tell_global(global: &Global, report: &Report) {
    tell(
        &named(&[("--subscription", global.subscription.is_some())]),
        report,
    );
}

/// Says once which of these options were given.
pub fn tell_of(options: &[(&'static str, bool)], report: &Report) {
    tell(&named(options), report);
}

fn named(options: &[(&'static str, bool)]) -> Vec<&'static str> {
    let given = options.iter().filter(|(_, given)| *given);
    given.map(|(name, _)| *name).collect()
}

fn tell(given: &[&str], report: &Report) {
    if !given.is_empty() {
        report.warning(&format!(
            "without effect outside Azure: {}",
            given.join(", ")
        ));
    }
}
