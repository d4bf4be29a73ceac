//! After a successful run: removes what it and earlier runs have left on a builder.

use crate::task::Run;

use super::{
    cache_traces::CacheTraces,
    clean::{self, BuilderTraces},
    execution::Execution,
    run_builders::PlacedBuilder,
    run_log::RunLog,
};

/// Removes what nothing needs any more from one builder of a run.
pub(super) async fn after_run(
    execution: &Execution<'_>,
    on: &PlacedBuilder,
    run: &Run,
    log: &RunLog<'_>,
) {
    let (app, stop) = (execution.app, execution.stop);
    let outputs = run.output_images.as_ref();
    let is_pushed = outputs.is_some_and(|all| !all.is_empty());
    if let Some(traces) = BuilderTraces::of(execution, on, run).filter(|_| is_pushed) {
        log.doing("tidying up on the builder".into());
        traces.clean(log).await;
    }
    let cache = CacheTraces::of(execution, on, run, stop);
    if let Some(traces) = cache.filter(|_| is_pushed) {
        traces.clean(run, log).await;
    }
    clean::prune(app, on, stop, log).await;
}
