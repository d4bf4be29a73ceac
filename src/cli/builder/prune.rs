//! `acrt builder prune`

use crate::{
    cli::{columns, outcome::Outcome, report::Report},
    error::{Kind, Result},
    ops::{self, App, builders::CacheLimits},
    sys::signal::{OnHangup, Stop},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt builder prune arm1\n  acrt builder prune farm --keep-storage 20 --older-than 168"
)]
pub struct BuilderPruneArgs {
    /// Builders or pools to free [default: those of the config file, or of this machine]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Gigabytes of cache to keep
    #[arg(long, value_name = "GIGABYTES", allow_negative_numbers = true)]
    keep_storage: Option<u32>,
    /// Free only what was not used for this many hours
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    older_than: Option<u32>,
}

pub fn run(app: &App, report: &Report, args: BuilderPruneArgs) -> Result<Outcome> {
    let keep = CacheLimits {
        bytes: args.keep_storage.map(|it| u64::from(it) * 1_000_000_000),
        hours: args.older_than,
    };
    let answers = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        ops::builders::prune(app, &args.names, &keep, &stop, &report.events()).await
    })?;
    let is_done = answers.iter().all(|one| one.is_pruned);
    Ok(Outcome::of(answers, columns::PRUNED).with_exit((!is_done).then_some(Kind::Failed)))
}
