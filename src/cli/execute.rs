//! `acrt execute`

use std::io::Read as _;

use crate::{
    cli::{outcome::Outcome, report::Report},
    error::{Context as _, Error, Kind, Result},
    ops::{
        self, App, Event, EventSink, GlobalOptions,
        run::RunRequest,
        supervise::{WorkerInput, WorkerMessage},
    },
    sys::{
        limits,
        process::{die_with_parent, leave_session},
        signal::{OnHangup, Stop},
    },
    task::{Cause, RunId},
};

#[derive(Debug, clap::Args)]
pub struct ExecuteArgs {}

/// Carries out a run, with the config file as the process that hands it over has read it.
pub fn run(around: &GlobalOptions, report: &Report) -> Result<Outcome> {
    leave_session()?;
    let mut text = Vec::new();
    std::io::stdin()
        .read_to_end(&mut text)
        .context(Kind::Invalid, || {
            "cannot read the request from standard input".to_owned()
        })?;
    let input: WorkerInput<RunRequest> = serde_json::from_slice(&text)
        .context(Kind::Invalid, || "cannot use the request".to_owned())?;
    let app = &App::new(GlobalOptions {
        config_text: Some(input.config),
        ..around.clone()
    })?;
    app.check_state_directory()?;
    let request = input.request;
    if let Some(id) = request.run {
        return carry_out(app, report, &request, id);
    }
    let ran = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        // The id tells the parent that this process has taken over the run. The log is written to its file.
        let events = EventSink::new(|event| {
            if let Event::Queued { id, .. } = event {
                drop(report.answer(format!("{id}\n").as_bytes()));
            }
        });
        ops::run::run(app, &request, &Cause::Manual, &stop, &events).await
    });
    if let Err(error) = &ran {
        // Before the id, the parent reads this; later, no process does.
        let ended = WorkerMessage::Ended(Some(error.into()));
        drop(report.answer(ended.line().as_bytes()));
    }
    Ok(Outcome::exit(ran?.error.as_ref().map(Error::kind)))
}

/// Carries out a run for a parent process, which reads the output of this one.
fn carry_out(app: &App, report: &Report, request: &RunRequest, id: RunId) -> Result<Outcome> {
    die_with_parent();
    limits::bind(&app.settings.config.limits)?;
    let say = |message: &WorkerMessage| drop(report.answer(message.line().as_bytes()));
    let finished = app.wait(async {
        let stop = Stop::listen(OnHangup::Stop)?;
        let events = EventSink::new(|event| {
            if let Some(message) = WorkerMessage::of(&event, request.follows_log) {
                say(&message);
            }
        });
        ops::run::carry_out_for(app, request, id, &stop, &events).await
    })?;
    let error = finished.error.as_ref();
    say(&WorkerMessage::Ended(error.map(Into::into)));
    Ok(Outcome::exit(error.map(Error::kind)))
}
