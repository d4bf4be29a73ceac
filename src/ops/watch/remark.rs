//! What a round remembers of tasks that it does not run.

use jiff::Timestamp;

use crate::{
    error::Result,
    image::Reference,
    ops::App,
    store::lock,
    task::{RunId, TaskKey, TimerName},
    watch::{Node, ReadFile, Snapshot, Verdict},
};

/// Something about a task that is to be remembered although no run has changed it.
pub struct Remark {
    key: TaskKey,
    /// The run that what is known of it comes from.
    run_id: Option<RunId>,
    /// The change that people have been told of now, or that none is told any more.
    pub reported: Option<Option<Vec<Reference>>>,
    /// What its files name, and the state that they are in.
    pub renewed: Option<(Vec<Reference>, Vec<ReadFile>)>,
}

impl Remark {
    pub fn of(node: &Node<'_>, verdict: &Verdict) -> Option<Self> {
        let told = &node.baseline.reported_change;
        let reported = match verdict {
            Verdict::Changed(change) => Some(Some(change.named.clone())),
            Verdict::Current | Verdict::FollowsNothing | Verdict::ImageMissing { .. } => Some(None),
            _ => None,
        };
        let reported = reported.filter(|reported| reported != told);
        let renewed = node.reading.and_then(|reading| reading.renewed.clone());
        (reported.is_some() || renewed.is_some()).then(|| Self {
            key: node.task.key(),
            run_id: node.baseline.run_id,
            reported,
            renewed,
        })
    }

    /// Writes it down, unless the task is being run or has been: then what is known is that run's.
    pub fn write(self, app: &App) -> Result<()> {
        let Some(_lock) = lock::try_lock(&app.store.layout().task_lock(&self.key))? else {
            return Ok(());
        };
        let mut baseline = app.store.baseline(&self.key)?;
        if baseline.run_id != self.run_id {
            return Ok(());
        }
        if let Some(reported) = self.reported {
            baseline.reported_change = reported;
        }
        if let Some((named, files)) = self.renewed {
            baseline.named = Some(named);
            baseline.files = files;
        }
        app.store.save_baseline(&self.key, &baseline)
    }
}

/// Notes for timers that are new, in definitions written by hand, that they count from now on.
pub fn begin_timers(app: &App, loaded: &mut [Snapshot], now: Timestamp) -> Result<()> {
    for one in loaded {
        let names: Vec<TimerName> = one
            .node()
            .unserved(now)
            .map(|timer| timer.name.clone())
            .collect();
        if names.is_empty() {
            continue;
        }
        let key = one.task.key();
        // While a run goes on, what is known is that run's; the next round notes it.
        if let Some(_lock) = lock::try_lock(&app.store.layout().task_lock(&key))? {
            let mut baseline = app.store.baseline(&key)?;
            baseline
                .timers
                .extend(names.into_iter().map(|name| (name, now)));
            app.store.save_baseline(&key, &baseline)?;
            one.baseline = baseline;
        }
    }
    Ok(())
}
