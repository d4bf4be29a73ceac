//! Stores what a round has found out about tasks that it does not run.

use jiff::Timestamp;

use crate::{
    error::Result,
    image::Reference,
    ops::{App, EventSink},
    task::{RunId, TaskKey, TimerName},
    watch::{ReadFile, Snapshot, Tags, Verdict},
};

/// Something to store about a task although no run has changed it.
pub struct BaselineUpdate {
    key: TaskKey,
    /// The run that the baseline comes from.
    run_id: Option<RunId>,
    /// The change that has been reported now; `Some(None)` clears it.
    pub reported: Option<Option<Vec<Reference>>>,
    /// The runs that count no more: see [`Snapshot::outlived_runs`].
    outlived: Vec<RunId>,
    /// The bases that its files name, and the state of the files.
    pub renewed: Option<(Vec<Reference>, Vec<ReadFile>)>,
}

impl BaselineUpdate {
    pub fn of(node: &Snapshot, verdict: &Verdict, tags: &Tags, now: Timestamp) -> Option<Self> {
        let told = &node.baseline.reported_change;
        let (reported, outlived) = match verdict {
            Verdict::Changed(change) => (Some(Some(change.named.clone())), Vec::new()),
            Verdict::Current | Verdict::FollowsNothing | Verdict::ImageMissing { .. } => {
                (Some(None), node.outlived_runs(tags, now))
            }
            _ => (None, Vec::new()),
        };
        let reported = reported.filter(|reported| reported != told);
        let renewed = node
            .reading
            .as_ref()
            .and_then(|reading| reading.renewed.clone());
        let is_news = reported.is_some() || renewed.is_some() || !outlived.is_empty();
        is_news.then(|| Self {
            key: node.task.key(),
            run_id: node.baseline.run_id,
            reported,
            outlived,
            renewed,
        })
    }

    /// Stores it, unless the task is or has been run meanwhile: then the baseline is that run's.
    pub fn write(self, app: &App) -> Result<()> {
        let Some(_lock) = app.store.try_lock_task(&self.key)? else {
            return Ok(());
        };
        let mut baseline = app.store.baseline(&self.key)?;
        if baseline.run_id != self.run_id {
            return Ok(());
        }
        if let Some(reported) = self.reported {
            baseline.reported_change = reported;
        }
        let is_outlived = |id: &RunId| self.outlived.contains(id);
        baseline.failure.take_if(|run| is_outlived(&run.run_id));
        baseline.canceled.take_if(|run| is_outlived(&run.run_id));
        baseline.away.take_if(|away| is_outlived(&away.run.run_id));
        if let Some((named, files)) = self.renewed {
            baseline.named = Some(named);
            baseline.files = files;
        }
        app.store.save_baseline(&self.key, &baseline)
    }
}

/// Stores when timers that are new in hand-written definitions begin to count. Where that fails, the task is reported and counted, and its
/// timer begins in a later round.
pub fn begin_timers(
    app: &App,
    loaded: &mut [Snapshot],
    now: Timestamp,
    broken: &mut usize,
    events: &EventSink<'_>,
) {
    for one in loaded {
        let begun = events.report(begin_timers_of(app, one, now));
        *broken += usize::from(begun.is_none());
    }
}

fn begin_timers_of(app: &App, one: &mut Snapshot, now: Timestamp) -> Result<()> {
    let names: Vec<TimerName> = one.unserved(now).map(|timer| timer.name.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let key = one.task.key();
    // While a run is in progress, the baseline belongs to it; the next round stores the time.
    if let Some(_lock) = app.store.try_lock_task(&key)? {
        let mut baseline = app.store.baseline(&key)?;
        let begun = names.into_iter().map(|name| (name, now));
        baseline.timers.extend(begun);
        app.store.save_baseline(&key, &baseline)?;
        one.baseline = baseline;
    }
    Ok(())
}
