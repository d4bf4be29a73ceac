//! The page of a run, and the list of runs.

use maud::{Markup, PreEscaped, html};

use crate::task::Run;

use super::{
    log,
    parts::{base_link, brief, frame, moment, path, run_path, run_status, short, task_path, text},
};

/// The shown part of a log.
#[derive(Clone, Debug, Default)]
pub struct LogWindow {
    pub bytes: Vec<u8>,
    /// The number of its first line, counted from 1.
    pub first: usize,
    pub lines: usize,
    pub size: u64,
    /// The byte offset in the log at which it ends.
    pub end: u64,
}

pub type StepLog = (String, Vec<u8>);

#[derive(Debug)]
pub struct RunView<'a> {
    pub run: &'a Run,
    pub log: LogWindow,
    /// Whether the run has steps that can be shown side by side.
    pub has_steps: bool,
    /// The logs of the steps, where they are shown side by side.
    pub steps: Option<Vec<StepLog>>,
}

/// Shows a run.
pub fn run(view: &RunView<'_>) -> String {
    let run = view.run;
    let id = run.run_id;
    let here = run_path(id);
    let main = html! {
        h1 { "Run " (id) @if let Some(name) = &run.task { " of " (name) } }
        (facts(run))
        h2 { "Log" }
        p {
            @if view.log.size > 0 { a href={ (here) "/log" } { "As text" } " · " (view.log.size) " bytes" }
            @if view.has_steps {
                " · "
                @match view.steps {
                    Some(_) => a href=(here) { "In the order of time" },
                    None => a href=(path(&here, &[("view", "steps")])) { "Steps side by side" },
                }
            }
        }
        @match &view.steps {
            Some(steps) => (side_by_side(steps)),
            None => (log_of(view, &here)),
        }
    };
    frame(&format!("Run {id}"), "/runs", &main)
}

fn facts(run: &Run) -> Markup {
    html! {
        section id="run" data-live aria-label="Run" role="status" {
            dl {
                dt { "Status" } dd { (run_status(run.status)) @if let Some(why) = &run.run_error_message { " " (text(why)) } }
                @if let Some(key) = run.task_key() { dt { "Task" } dd { a href=(task_path(&key)) { (key.name) } " on " (text(&key.registry)) } }
                dt { "Why" } dd { (text(&run.cause())) }
                dt { "Asked for" } dd { (moment(run.create_time)) }
                @if let Some(end) = run.finish_time { dt { "Ended" } dd { (moment(end)) } }
                @if let Some(builder) = &run.builder { dt { "Builder" } dd { (text(builder)) } }
                @if let Some(commit) = &run.source_commit { dt { "Commit" } dd { code { (text(commit)) } } }
                @if let Some(images) = &run.output_images {
                    dt { "Pushed" }
                    dd { @for image in images {
                        div { code { (text(&image.tagged())) @if let Some(digest) = &image.digest { " " (short(&digest.to_string())) } } }
                    } }
                }
                @if let Some(bases) = &run.base_image_dependencies {
                    dt { "Built on" }
                    dd { @for base in bases {
                        div { (base_link(&base.image.tagged())) @if let Some(digest) = &base.image.digest { " " code { (short(&digest.to_string())) } } }
                    } }
                }
            }
        }
    }
}

fn log_of(view: &RunView<'_>, here: &str) -> Markup {
    let window = &view.log;
    let (lines, next) = log::lines(&window.bytes, window.first);
    let is_end = next > window.lines;
    let follows = (view.run.status.is_open() && is_end).then_some(view.run.run_id);
    let from = |line: usize| path(here, &[("from", &line.to_string())]);
    html! {
        @if window.first > 1 || !is_end {
            nav.pages aria-label="Parts of the log" {
                @if window.first > 1 {
                    a href=(from(1)) { "Beginning" }
                    a rel="prev" href=(from(window.first.saturating_sub(next - window.first).max(1))) { "Earlier" }
                }
                span { "Lines " (window.first) " to " (next - 1) " of " (window.lines) }
                @if !is_end {
                    a rel="next" href=(from(next)) { "Later" }
                    a href=(here) { "End" }
                }
            }
        }
        @if lines.is_empty() && follows.is_none() { p.dim { "There is none." } }
        ol.log data-run=[follows] data-after={ (next - 1) "." (window.end) } aria-label="Log" tabindex="0" { (PreEscaped(lines)) }
    }
}

fn side_by_side(steps: &[StepLog]) -> Markup {
    html! {
        div.steps {
            @for (name, lines) in steps {
                section {
                    h3 { @if name.is_empty() { "The run" } @else { (text(name)) } }
                    ol.log.plain tabindex="0" aria-label=(name) { (PreEscaped(without_anchors(lines))) }
                }
            }
        }
    }
}

/// Returns lines without anchors, because the lines of several steps would have the same numbers.
fn without_anchors(lines: &[u8]) -> String {
    let (all, _) = log::lines(lines, 1);
    let mut out = String::with_capacity(all.len());
    for line in all.lines() {
        let rest = line.split_once("</a>").map_or(line, |(_, rest)| rest);
        out.push_str("<li>");
        out.push_str(rest);
        out.push('\n');
    }
    out
}

/// Shows runs, the newest first.
pub fn runs<'r>(all: impl Iterator<Item = &'r Run>) -> String {
    let main = html! {
        h1 { "Runs" }
        div id="runs" data-live { (table(all)) }
    };
    frame("Runs", "/runs", &main)
}

/// Shows runs as the rows of a table.
pub(super) fn table<'r>(runs: impl Iterator<Item = &'r Run>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table {
                thead { tr {
                    th scope="col" { "Run" } th scope="col" { "Task" } th scope="col" { "Status" } th scope="col" { "Why" } th scope="col" { "When" }
                } }
                tbody { @for run in runs { tr {
                    td { a href=(run_path(run.run_id)) { (run.run_id) } }
                    td { @match run.task_key() {
                        Some(key) => a href=(task_path(&key)) { (key.name) },
                        None => span.dim { "no task" },
                    } }
                    td { (run_status(run.status)) }
                    td.reason { (brief(&run.cause())) @if let Some(why) = &run.run_error_message { br; span.s4 { (brief(why)) } } }
                    td { (moment(run.finish_time.unwrap_or(run.create_time))) }
                } } }
            }
        }
    }
}
