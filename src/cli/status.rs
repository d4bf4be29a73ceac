//! `acrt status`, also known as `acrt task status`.

use std::{net::SocketAddr, time::Duration};

use crate::{
    cli::{columns, flags::address::address, outcome::Outcome, report::Report},
    error::Result,
    ops::{
        App, page,
        status::{StatusReport, status},
        task::none_yet,
    },
    sys::{
        signal::{OnHangup, Stop},
        terminal::terminal_height,
    },
    view::column::harmless,
};

/// The interval of `--watch`.
const STANDS: Duration = Duration::from_secs(2);

/// Moves the cursor to the top left of a terminal, and clears the screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Show how all tasks are doing, the worst first
///
/// From what is known, without asking any registry; a table also in a pipe, unless -o is given. The exit code is that of `acrt task check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt status\n  acrt status --look -o json --query '[?state != \"current\"].name'\n  acrt status --watch\n  acrt status --serve 127.0.0.1:8585"
)]
pub struct StatusArgs {
    /// Only tasks of this registry
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Look at every tag first
    #[arg(long)]
    look: bool,
    /// Show it again every two seconds, until Ctrl-C
    #[arg(long, conflicts_with = "look")]
    watch: bool,
    /// Show it as a page at this address, as 127.0.0.1:8585, until Ctrl-C: see docs/page.md
    #[arg(long, value_name = "ADDRESS", value_parser = address, conflicts_with_all = ["registry", "look", "watch", "exit_code"])]
    serve: Option<SocketAddr>,
    /// End with 10 if something is stale, or changed
    #[arg(long)]
    exit_code: bool,
}

pub fn run(app: &App, report: &Report, args: StatusArgs) -> Result<Outcome> {
    let registry = args.registry.as_deref();
    app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        if let Some(address) = args.serve {
            let signal = page::serve(app, address, &stop, &report.events()).await?;
            return Ok(Outcome::exit(Some(signal.kind())));
        }
        while args.watch && report.is_read() {
            let found = status(app, registry, false, &report.events()).await?;
            let summary = [found.outages.clone(), vec![summary(app, registry, &found)]].concat();
            let summary: String = summary.iter().map(|line| harmless(line) + "\n").collect();
            let mut table = report.drawn(columns::status_view(app, found.tasks), None)?;
            if report.is_terminal()
                && let Some(height) = terminal_height()
            {
                // The cursor is in the last row.
                let free = height.saturating_sub(summary.lines().count() + 1);
                table = first_rows(table, free);
            }
            let clear = if report.is_terminal() { CLEAR } else { "" };
            report.answer(format!("{clear}{table}{summary}").as_bytes())?;
            tokio::select! {
                signal = stop.wait() => return Ok(Outcome::exit(Some(signal.kind()))),
                () = app.clock.pause(STANDS) => {}
            }
        }
        let found = status(app, registry, args.look, &report.events()).await?;
        for line in found.outages.iter().cloned() {
            report.summary(line);
        }
        report.summary(summary(app, registry, &found));
        let view = columns::status_view(app, found.tasks);
        Ok(Outcome::answer(view).with_worst(found.worst, args.exit_code))
    })
}

/// Cuts a table to this many rows of a terminal: the first tasks are the worst ones, and would scroll out of sight.
fn first_rows(table: String, rows: usize) -> String {
    let all = table.lines().count();
    if all <= rows {
        return table;
    }
    let kept = rows.saturating_sub(1);
    let more = all - kept;
    let kept: String = table.split_inclusive('\n').take(kept).collect();
    format!("{kept}… and {more} more; to see all: acrt status\n")
}

/// Summarizes the number of tasks in each state, and the age of the data, on one line.
fn summary(app: &App, registry: Option<&str>, found: &StatusReport) -> String {
    if let (true, Some(registry)) = (found.tasks.is_empty(), registry) {
        let registry = registry.escape_debug();
        return format!("no tasks of registry `{registry}`; to see all: acrt status");
    }
    if let (true, Ok(Some(none))) = (found.tasks.is_empty(), none_yet(app)) {
        return none;
    }
    let counts = found.counts.iter().rev();
    let counts: Vec<String> = counts
        .map(|(state, count)| format!("{count} {}", state.word()))
        .collect();
    let looked = match found.looked {
        Some(looked) => format!("looked {}", columns::age(looked, app.clock.now())),
        None => "never looked".to_owned(),
    };
    format!("{}; {looked}", counts.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_longer_than_the_terminal_is_cut_and_says_how_many_more() {
        let table = "NAME\n----\na\nb\nc\n".to_owned();
        assert_eq!(first_rows(table.clone(), 5), table);
        let cut = first_rows(table.clone(), 4);
        assert_eq!(
            cut,
            "NAME\n----\na\n… and 2 more; to see all: acrt status\n"
        );
        assert_eq!(first_rows(table, 0).lines().count(), 1);
    }
}
