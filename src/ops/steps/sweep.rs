//! Removes what a multi-step run has left on the builder: containers, networks, folders.

use crate::{
    builder::{self, Builder, Leftover},
    ops::App,
    sys::process,
    task::{Run, RunId},
};

use super::{LABEL, step_context::prefix_of, workspace};

/// Removes everything that a run has on its builder. Returns messages about what could not be removed.
pub async fn sweep(app: &App, builder: &Builder, id: RunId) -> Vec<String> {
    let mut stays = Vec::new();
    for left in [Leftover::Containers, Leftover::Networks] {
        for name in left_of(app, builder, id, left).await {
            let line = match left {
                Leftover::Containers => builder.remove_container(&name),
                Leftover::Networks => builder.remove_network(&name),
            };
            let Some(line) = line else { continue };
            match process::ask(&line).await {
                Ok(answer) if answer.succeeded() => {}
                Ok(answer) => stays.push(format!("cannot remove `{name}`: {}", answer.problem())),
                Err(error) => stays.push(error.one_line()),
            }
        }
    }
    if let Err(error) = workspace::remove(app, id, Some(builder)).await {
        stays.push(error.one_line());
    }
    stays
}

/// Removes what a crashed run has left.
pub async fn sweep_crashed_run(app: &App, run: &Run) -> Vec<String> {
    if !app.store.layout().run_steps(run.run_id).exists() {
        return Vec::new();
    }
    let builder = match run.builder.as_deref() {
        // The run had no builder yet, or needed none.
        None => Ok(Builder::none()),
        named => builder::detect(named, &app.settings).await,
    };
    match builder {
        Ok(builder) => sweep(app, &builder, run.run_id).await,
        Err(error) => vec![format!(
            "cannot tell what run `{}` has left running: {}",
            run.run_id,
            error.one_line()
        )],
    }
}

async fn left_of(app: &App, builder: &Builder, id: RunId, left: Leftover) -> Vec<String> {
    let marker = app.store.layout().run_folder(id);
    let Some(line) = builder.list_left(left, LABEL, &marker.display().to_string()) else {
        return Vec::new();
    };
    let Ok(answer) = process::ask(&line).await else {
        return Vec::new();
    };
    let text = answer.text();
    let prefix = prefix_of(app, id);
    let names = text
        .lines()
        .map(str::trim)
        .filter(|name| name.starts_with(&prefix));
    names.map(str::to_owned).collect()
}
