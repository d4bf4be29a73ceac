//! `acrt purge`

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::{Context as _, Error, Kind, Result},
    ops::{
        App,
        credential::logins_at,
        purge::{self, Filters, PurgeOptions},
        task::named_registry,
    },
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt purge -r localhost:5000 --filter \"hello-world:.*\" --ago 7d --dry-run\n  acrt purge -r localhost:5000 --filter \"hello-world:.*\" --ago 1d --untagged\n  acrt purge -r localhost:5000 --filter \".*:^ca\" --ago 30d --keep 3"
)]
pub struct PurgeArgs {
    /// Registry [default: $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Expressions for the whole repository and for a part of the tag (can be repeated)
    #[arg(
        short,
        long = "filter",
        required_unless_present = "untagged_only",
        value_name = "REPOSITORY:TAG"
    )]
    filters: Vec<String>,
    /// How long ago a tag must have been pushed or made, as 7d, 12h or 2d3h6m
    #[arg(
        long,
        value_name = "AGE",
        required_unless_present = "untagged_only",
        allow_hyphen_values = true
    )]
    ago: Option<String>,
    /// Remove manifests too that no tag names any more
    #[arg(long)]
    untagged: bool,
    /// Remove manifests that no tag names any more, and leave all tags
    #[arg(long)]
    untagged_only: bool,
    /// How many of the newest tags that could go are kept in each repository
    #[arg(
        long,
        default_value_t = 0,
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    keep: usize,
    /// How much is asked and removed at once, at most 32 [default: the number of processors]
    #[arg(long, value_name = "COUNT", allow_hyphen_values = true)]
    concurrency: Option<i64>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Take locked tags too; without effect, because only ACR has locks
    #[arg(long, hide_short_help = true)]
    include_locked: bool,
    /// Seconds that an expression may take; no effect, because it is bounded in any case
    #[arg(long, hide = true, value_name = "SECONDS")]
    filter_timeout_seconds: Option<i64>,
    /// Repositories in a page; no effect, because the registry decides
    #[arg(long, hide = true, value_name = "COUNT")]
    repository_page_size: Option<i32>,
}

pub fn run(app: &App, report: &Report, args: PurgeArgs) -> Result<Outcome> {
    let cannot = || "cannot tell what to remove".to_owned();
    let options = PurgeOptions {
        registry: args.registry,
        filters: Filters::of(&args.filters, args.untagged_only).context(Kind::Invalid, cannot)?,
        ago: purge::parse_age(args.ago.as_deref().unwrap_or("0d"))
            .context(Kind::Invalid, cannot)?,
        untagged: args.untagged || args.untagged_only,
        untagged_only: args.untagged_only,
        keep: args.keep,
        concurrency: args.concurrency,
        dry_run: args.dry_run,
    };
    let options = options.checked();
    let options = options.map_err(Error::invalid)?;
    let is_for_programs = report.is_for_programs;
    let events = report.events_beside(is_for_programs);
    let registry = named_registry(app, options.registry.as_deref(), None)?;
    let is_wanted = |server: &str| app.is_same_registry(server, &registry);
    app.registries_with(logins_at(app, is_wanted, &[], &mut 0, &events)?);
    let purged = app.wait(purge::purge(app, &options, None, &events))?;
    if is_for_programs {
        return Ok(Outcome::of(purged, &[]));
    }
    Ok(Outcome::default())
}
