//! Lists, shows and cancels runs, and reads their logs.

use std::time::Duration;

use crate::{
    error::{Error, Kind, Result},
    image::Reference,
    store::lock,
    sys::process,
    task::{Run, RunId, RunStatus, TaskKey, TaskName},
};

use super::{
    App, Event, EventSink,
    answer::RunAnswer,
    task::{default_registry, option_of},
};

/// How often a log is read again while its run is in progress.
const FOLLOW: Duration = Duration::from_millis(200);

/// How many bytes of a log are in memory at once.
const PIECE: usize = 64 * 1024;

/// How often the run is checked while it ends.
const LOOK: Duration = Duration::from_millis(50);

/// How long a run may take to end: its builder has ten seconds after it was asked to stop, and is then killed.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    pub task: Option<TaskName>,
    pub registry: Option<String>,
    pub status: Option<RunStatus>,
    /// Only runs that pushed this image, which is on `registry`, else on the default registry, else on the run's own, unless it names one.
    pub image: Option<String>,
    /// The maximum number of runs, the newest first.
    pub top: usize,
}

impl RunFilter {
    fn takes(&self, app: &App, run: &Run) -> bool {
        let image = self.image.as_ref();
        (self.task.is_none() || self.task == run.task)
            && app.is_shown(self.registry.as_deref(), &run.registry)
            && self.status.is_none_or(|status| run.status == status)
            && image.is_none_or(|image| self.has_image(app, run, image))
    }

    fn has_image(&self, app: &App, run: &Run, image: &str) -> bool {
        let registry = self.registry.clone().or_else(|| default_registry(app));
        let registry = registry.as_deref().unwrap_or(&run.registry);
        Reference::within(registry, image).is_ok_and(|image| has_pushed(app, run, &image))
    }
}

/// Returns whether a run pushed an image, under any alias of its registry.
fn has_pushed(app: &App, run: &Run, image: &Reference) -> bool {
    let outputs = run.output_images.iter().flatten();
    let registries = outputs.map(|output| output.registry());
    let mut names = registries
        .filter(|registry| app.is_same_registry(registry, image.registry()))
        .filter_map(|registry| image.on(registry));
    names.any(|image| run.pushed(&image))
}

/// Returns runs, the newest first. A record that cannot be read is reported and left out.
///
/// # Errors
///
/// [`Kind::Failed`] where the folder of runs cannot be read.
pub fn list(app: &App, filter: &RunFilter, events: &EventSink<'_>) -> Result<Vec<RunAnswer>> {
    let mut runs = Vec::new();
    for id in ids(app, filter)? {
        if runs.len() >= filter.top {
            break;
        }
        match app.store.run(id) {
            Ok(Some(run)) if filter.takes(app, &run) => runs.push(RunAnswer::from(&run)),
            Ok(_) => {}
            Err(error) => events.send(Event::Problem(error)),
        }
    }
    Ok(runs)
}

/// Returns the ids of the runs that may match `filter`, the newest first.
pub(super) fn ids(app: &App, filter: &RunFilter) -> Result<Vec<RunId>> {
    let listed = match &filter.task {
        Some(task) => app.store.listed_runs_of(task)?,
        None => None,
    };
    match listed {
        Some(ids) => Ok(ids),
        None => app.store.run_ids(),
    }
}

/// Returns one run.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none.
pub fn show(app: &App, id: RunId) -> Result<RunAnswer> {
    Ok(RunAnswer::from(&existing(app, id)?))
}

/// Locks a run against pruning, or unlocks it; `None` changes nothing.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none; [`Kind::Failed`] while the run is in progress: its record belongs to another process then.
pub fn keep(app: &App, id: RunId, keep: Option<bool>) -> Result<RunAnswer> {
    let mut run = existing(app, id)?;
    if let Some(keep) = keep {
        if run.status.is_open() {
            let text = format!("run `{id}` cannot be changed while it goes on");
            return Err(Error::failed(text).hint(format!(
                "wait until it has ended, or stop it: acrt task cancel-run --run-id {id}"
            )));
        }
        run.is_archive_enabled = keep;
        app.store.save_run(&run)?;
    }
    Ok(RunAnswer::from(&run))
}

/// Returns a run, or an error if it does not exist.
pub(super) fn existing(app: &App, id: RunId) -> Result<Run> {
    app.store
        .run(id)?
        .ok_or_else(|| not_found(app, &id.to_string()))
}

/// Returns the error about a run that does not exist, by the id as the user typed it.
pub fn not_found(app: &App, id: &str) -> Error {
    let error = Error::new(Kind::NotFound, format!("no run `{}`", id.escape_debug()));
    let keys = app.store.task_keys().unwrap_or_default();
    if let Some(key) = keys.iter().find(|key| key.name.as_str() == id) {
        return error.hint(format!(
            "`{key}` is a task; its runs: acrt task list-runs {}",
            option_of(app, key)
        ));
    }
    match newest(app, &RunFilter::default()) {
        Ok(newest) => error.hint(format!(
            "the newest is `{newest}`; to list all: acrt task list-runs"
        )),
        Err(_) => error.hint("there are none yet; to make one: acrt task run NAME"),
    }
}

/// Returns the newest run that matches `filter`.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is none.
pub fn newest(app: &App, filter: &RunFilter) -> Result<RunId> {
    for id in ids(app, filter)? {
        if let Ok(Some(run)) = app.store.run(id)
            && filter.takes(app, &run)
        {
            return Ok(id);
        }
    }
    let of = filter
        .task
        .as_ref()
        .map(|task| format!(" of task `{task}`"));
    let error = Error::new(Kind::NotFound, format!("no run{}", of.unwrap_or_default()));
    let name = filter.task.as_ref().map(TaskName::as_str);
    let is_run = name.and_then(|name| app.store.run(name.parse().ok()?).ok()?);
    let keys = app.store.task_keys().unwrap_or_default();
    let is_on = |key: &TaskKey| {
        let mut on = filter.registry.iter();
        on.all(|registry| app.is_same_registry(&key.registry, registry))
    };
    let named = |name: &str| {
        keys.iter()
            .find(|key| key.name.as_str() == name && is_on(key))
    };
    Err(match (is_run, name) {
        (Some(run), _) => error.hint(format!(
            "`{0}` is a run: acrt task logs --run-id {0}",
            run.run_id
        )),
        (None, Some(name)) => match named(name) {
            Some(key) => error.hint(format!("start one: acrt task run {}", option_of(app, key))),
            None => error.hint("there is no such task; to list all: acrt task list"),
        },
        (None, None) => error.hint("start one: acrt task run NAME"),
    })
}

/// Asks the process that carries out a run to stop, and waits until the run has ended.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such run; [`Kind::Failed`] if it has ended already, or does not end.
pub async fn cancel(app: &App, id: RunId) -> Result<Run> {
    let held = app.store.layout().open_run(id);
    let mut asked = None;
    let mut waited = Duration::ZERO;
    // The lock, not the process id, proves that a process carries out the run.
    while lock::is_held(&held) {
        let run = existing(app, id)?;
        if asked.is_none()
            && let Some(pid) = run.pid.filter(|_| run.status.is_open())
        {
            process::interrupt(pid)?;
            asked = Some(pid);
        }
        if waited > PATIENCE {
            return Err(not_ended(id, asked));
        }
        app.clock.pause(LOOK).await;
        waited += LOOK;
    }
    let run = existing(app, id)?;
    if asked.is_some() {
        return Ok(run);
    }
    let why = format!(
        "run `{id}` cannot be canceled: it has ended with {}",
        run.status
    );
    Err(Error::failed(why).hint("those that go on: acrt task list-runs --run-status Running"))
}

fn not_ended(id: RunId, asked: Option<u32>) -> Error {
    match asked {
        Some(pid) => Error::failed(format!(
            "run `{id}` was asked to stop, and goes on in process {pid}"
        ))
        .hint(format!("kill -9 {pid}; what it leaves behind is removed")),
        None => Error::failed(format!(
            "run `{id}` cannot be canceled: it has no process yet"
        ))
        .hint(format!("try again: acrt task cancel-run --run-id {id}")),
    }
}

/// Passes on a run's log, and follows it until the run has ended or the reader has gone.
///
/// # Errors
///
/// [`Kind::NotFound`] if there is no such run; [`Kind::Failed`] where its log cannot be read.
pub async fn logs(
    app: &App,
    id: RunId,
    is_read: &dyn Fn() -> bool,
    events: &EventSink<'_>,
) -> Result<()> {
    existing(app, id)?;
    let mut log = app.store.read_log(id);
    let mut piece = vec![0; PIECE];
    loop {
        // Checked before the log is read: what is written in between is read in the next turn.
        let goes_on = lock::is_held(&app.store.layout().open_run(id));
        while let read @ 1.. = log.read(&mut piece)? {
            events.send(Event::Log(&piece[..read]));
            if !is_read() {
                return Ok(());
            }
        }
        if !goes_on || !is_read() {
            return Ok(());
        }
        app.clock.pause(FOLLOW).await;
    }
}

pub fn of_task(key: &TaskKey) -> RunFilter {
    RunFilter {
        task: Some(key.name.clone()),
        registry: Some(key.registry.clone()),
        top: usize::MAX,
        ..RunFilter::default()
    }
}
