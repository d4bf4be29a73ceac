//! `acrt task watch`

use std::{net::SocketAddr, path::PathBuf};

use clap::ValueEnum as _;
use jiff::SignedDuration;

use crate::{
    cli::{
        columns,
        flags::{address::address, choice::LogFormat, duration::seconds},
        outcome::Outcome,
        report::Report,
    },
    error::{Kind, Result},
    ops::{
        self, App,
        watch::{Looks, WatchOptions},
    },
    sys::signal::{OnHangup, Stop},
};

use super::run::round;

/// The loop's default for `--settle`, in seconds: about as long as a push of several tags, or one that is reverted, takes.
const LOOP_SETTLE: i64 = 60;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task watch\n  acrt task watch --listen 127.0.0.1:8585 --page\n  acrt task watch --once\n  acrt task watch --dry-run -o table\n  acrt task watch --print-crontab\n  acrt task watch --print-unit"
)]
pub struct WatchArgs {
    /// Make one round, now, and end
    #[arg(long)]
    once: bool,
    /// Print the line of a crontab that makes a round every five minutes with this acrt, and end
    #[arg(long, conflicts_with_all = ["once", "dry_run", "listen"])]
    print_crontab: bool,
    /// Print the systemd unit of the loop with this acrt, and end
    #[arg(long, conflicts_with_all = ["once", "dry_run", "print_crontab"])]
    print_unit: bool,
    /// Look only at tags whose time has come, as the loop does, instead of at all
    #[arg(long, requires = "once", conflicts_with = "print_unit")]
    due: bool,
    /// Report all problems, also those that an earlier round of the last day has reported
    #[arg(long, requires = "once", conflicts_with = "print_unit")]
    repeat: bool,
    /// How long a moved tag must be quiet before anything is built on it, ten times as long at most [default: 60; 0 with --once]
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    settle: Option<u32>,
    /// Builds side by side, where no task depends on the other [default: what all builders of the config file may be given, or 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Say what would be run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Receive webhooks at this address, as 127.0.0.1:8585, and look at once at what they name
    #[arg(
        long,
        value_name = "ADDRESS",
        value_parser = address,
        conflicts_with_all = ["once", "dry_run"]
    )]
    listen: Option<SocketAddr>,
    /// Show the status page at the address of --listen too: see docs/page.md
    #[arg(long, requires = "listen", conflicts_with_all = ["once", "dry_run", "print_crontab"])]
    page: bool,
    /// Format of the lines on stderr: text, or json with one object on each line [default: text; json with --print-unit]
    #[arg(
        long,
        ignore_case = true,
        hide_possible_values = true,
        value_name = "FORMAT"
    )]
    log_format: Option<LogFormat>,
    /// File to write metrics to after each round, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    metrics_file: Option<PathBuf>,
    /// End with 10 if something was rebuilt, or is stale or changed
    #[arg(long)]
    exit_code: bool,
}

impl WatchArgs {
    /// Returns the options that a printed crontab line or unit has too.
    fn installed(&self) -> Result<Vec<String>> {
        let settle = self.settle.map(|it| it.to_string());
        let jobs = self.jobs.map(|it| it.to_string());
        let file = self.metrics_file.as_deref();
        let file = file.map(ops::watch::install::absolute).transpose()?;
        let default = self.print_unit.then_some(LogFormat::Json);
        let format = self.log_format.or(default);
        let format = format.and_then(|it| Some(it.to_possible_value()?.get_name().to_owned()));
        let listen = self.listen.map(|it| it.to_string());
        let named = [
            ("--log-format", format),
            ("--listen", listen),
            ("--settle", settle),
            ("--jobs", jobs),
            ("--metrics-file", file),
        ];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value?]));
        let mut words: Vec<String> = named.flatten().collect();
        let flags = [
            ("--page", self.page),
            ("--due", self.due),
            ("--repeat", self.repeat),
            ("--exit-code", self.exit_code),
        ];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        words.extend(given.map(|(name, _)| name.to_owned()));
        Ok(words)
    }
}

pub fn run(app: &App, report: &Report, args: WatchArgs) -> Result<Outcome> {
    if args.log_format == Some(LogFormat::Json) {
        report.log_as_json(app.clock.clone());
    }
    if args.print_crontab || args.print_unit {
        let options = args.installed()?;
        let text = if args.print_unit {
            ops::watch::install::unit(app, &options)?
        } else {
            ops::watch::install::crontab(app, &options)?
        };
        report.answer(text.as_bytes())?;
        return Ok(Outcome::default());
    }
    if args.dry_run {
        let (answers, round_result) = app.wait(ops::watch::dry_run(app, &report.events()))?;
        let view = columns::check_view(app, answers);
        return Ok(Outcome::answer(view).with_worst(round_result.worst, args.exit_code));
    }
    let options = WatchOptions {
        looks: if args.once && !args.due {
            Looks::All
        } else {
            Looks::Due
        },
        settle: SignedDuration::from_secs(
            args.settle
                .map_or(if args.once { 0 } else { LOOP_SETTLE }, i64::from),
        ),
        jobs: match args.jobs {
            Some(jobs) => jobs.into(),
            None => app.jobs_of_all_builders().max(1),
        },
        selection: None,
        listen: args.listen,
        page: args.page || app.settings.config.page.on,
        // A person who reads stderr wants to see every current problem, however often it was mailed.
        repeat: args.repeat || report.is_watched(),
        metrics_file: args.metrics_file,
    };
    report.show_registries_of(ops::task::ambiguous_names(&app.store));
    if !args.once {
        report.stamp_lines(app.clock.clone());
    }
    // cron mails all output, and every round would repeat this line.
    if !args.once || report.is_watched() {
        report.note(&ops::watch::scope(app)?);
    }
    let watched = if args.once {
        round(app, report, &options)
    } else {
        let watched = app.wait(async {
            let stop = Stop::listen(OnHangup::Reload)?;
            ops::watch::forever(app, &options, &stop, &report.events()).await
        });
        watched.map(|round_result| (round_result, Outcome::default()))
    };
    let (round_result, answer) = match watched {
        // A round that meets the previous round of cron, or a loop, is not worth a mail.
        Err(error) if args.once && error.kind() == Kind::Locked && !report.is_watched() => {
            return Ok(Outcome::exit(Some(Kind::Locked)));
        }
        watched => watched?,
    };
    Ok(answer.with_worst(round_result.worst, args.exit_code))
}
