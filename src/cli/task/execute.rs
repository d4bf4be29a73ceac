//! `acrt task execute`

use std::io::Read as _;

use crate::{
    cli::{Outcome, report::Report},
    error::{Context as _, Error, Kind, Result},
    ops::{self, App, event::Event, run::RunRequest},
    sys::{
        process::leave_session,
        signal::{OnHangup, Stop},
    },
    task::Cause,
};

/// Carry out a run that `task run --no-wait` hands over on standard input
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct ExecuteArgs {}

pub fn run(app: &App, report: &Report, _: ExecuteArgs) -> Result<Outcome> {
    leave_session()?;
    let mut text = Vec::new();
    std::io::stdin()
        .read_to_end(&mut text)
        .context(Kind::Invalid, || {
            "cannot read the request from standard input".to_owned()
        })?;
    let request: RunRequest = serde_json::from_slice(&text)
        .context(Kind::Invalid, || "cannot use the request".to_owned())?;
    let finished = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        // The id tells whoever asked that this process has taken over. The log is in its file.
        let mut tell = |event: Event<'_>| {
            if let Event::Queued { id, .. } = event {
                drop(report.answer(format!("{id}\n").as_bytes()));
            }
        };
        ops::run::run(app, &request, &Cause::Manual, &stop, &mut tell).await
    })?;
    Ok(Outcome {
        view: None,
        exit: finished.error.as_ref().map(Error::kind),
    })
}
