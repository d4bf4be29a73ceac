//! The pages of a task and of a base.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{task::Run, watch::BaseState};

use super::{
    list::{self, TaskRow},
    parts::{base_link, brief, frame, moment, path, run_path, short, state, text},
    run,
};

#[derive(Clone, Debug)]
pub struct BaseRow {
    pub image: String,
    pub state: BaseState,
    /// The digest that the last run was built on.
    pub recorded: Option<String>,
    /// The current digest.
    pub current: Option<String>,
    pub looked: Option<Timestamp>,
    /// The error of the last look.
    pub error: Option<String>,
}

#[derive(Debug)]
pub struct TaskView<'a> {
    pub row: &'a TaskRow,
    pub bases: Vec<BaseRow>,
    /// The timers, each with its schedule and next time.
    pub timers: Vec<(String, String, Option<Timestamp>)>,
    /// The runs, the newest first.
    pub runs: Vec<Run>,
    /// The definition, without secrets.
    pub definition: String,
}

/// Shows a task.
pub fn task(view: &TaskView<'_>) -> String {
    let (row, key) = (view.row, &view.row.key);
    let graph = path(
        "/graph",
        &[("registry", &key.registry), ("name", key.name.as_str())],
    );
    let main = html! {
        h1 { (key.name) }
        section id="state" data-live aria-label="State" role="status" {
            p { (state(row.state)) " " (text(&row.reason)) }
            dl {
                dt { "Registry" } dd { (text(&key.registry)) }
                @if let Some((what, time)) = &row.next { dt { "Next" } dd { (text(what)) " " (moment(*time)) } }
            }
        }
        p { a href=(graph) { "What depends on what" } }
        h2 { "Depends on" }
        div id="bases" data-live { (bases_of(&view.bases)) }
        @if !view.timers.is_empty() {
            h2 { "Timers" }
            ul { @for (name, schedule, next) in &view.timers {
                li { (name) ": " code { (schedule) } @if let Some(next) = next { ", next " (moment(*next)) } }
            } }
        }
        h2 { "Why it was rebuilt" }
        div id="why" data-live { (causes(&view.runs)) }
        h2 { "Runs" }
        div id="runs" data-live {
            @if view.runs.is_empty() { p.dim { "None yet." } } @else { (run::table(view.runs.iter())) }
        }
        h2 { "Definition" }
        pre tabindex="0" aria-label="Definition" { (text_lines(&view.definition)) }
    };
    frame(key.name.as_str(), "/", &main)
}

fn text_lines(all: &str) -> String {
    all.lines().map(|line| text(line) + "\n").collect()
}

fn bases_of(bases: &[BaseRow]) -> Markup {
    html! {
        @if bases.is_empty() { p.dim { "Nothing that is followed." } }
        @else {
            div.scroll tabindex="0" role="region" aria-label="Bases" { table {
                thead { tr { th scope="col" { "Image" } th scope="col" { "State" } th scope="col" { "Built on" } th scope="col" { "Now" } th scope="col" { "Looked" } } }
                tbody { @for base in bases { tr {
                    td { (base_link(&base.image)) }
                    td { (base_state(base.state)) @if let Some(error) = &base.error { " " span.dim { (brief(error)) } } }
                    td { (digest(base.recorded.as_deref())) }
                    td { (digest(base.current.as_deref())) }
                    td { @if let Some(looked) = base.looked { (moment(looked)) } }
                } } }
            } }
        }
    }
}

fn base_state(state: BaseState) -> Markup {
    let class = match state {
        BaseState::Current => "s0",
        BaseState::Moved => "s2",
        BaseState::NotFollowed => "s1",
        BaseState::TooYoung | BaseState::Unverified | BaseState::Missing | BaseState::Unknown => {
            "s3"
        }
    };
    html! { span class={ "state " (class) } { (state.word()) } }
}

fn digest(digest: Option<&str>) -> Markup {
    html! { @if let Some(digest) = digest { code title=(digest) { (short(digest)) } } }
}

/// Shows the moves of bases that caused runs, with these runs.
fn causes(runs: &[Run]) -> Markup {
    let updates = runs
        .iter()
        .flat_map(|run| run.base_updates.iter().map(move |it| (run, it)));
    let updates: Vec<_> = updates.collect();
    html! {
        @if updates.is_empty() { p.dim { "No base of it has moved as far as its runs tell." } }
        @else { ul { @for (run, update) in updates {
            li {
                a href=(run_path(run.run_id)) { (run.run_id) } ": " (base_link(&update.image)) " "
                code { (short(&update.previous_digest.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string))) }
                " → "
                code { (short(&update.digest.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string))) }
                @if let Some(seen) = update.seen { ", seen " (moment(seen)) }
                @if let Some(by) = update.seen_by { " by " (by.word()) }
            }
        } } }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestRow {
    pub digest: String,
    /// Since when it is current, as far as known.
    pub since: Option<Timestamp>,
    /// How it was seen.
    pub seen_by: Option<&'static str>,
}

#[derive(Debug)]
pub struct BaseView<'a> {
    pub image: String,
    pub looked: Option<Timestamp>,
    /// When its next look is due.
    pub next_look: Option<Timestamp>,
    /// The error of the last look, and since when looks fail.
    pub error: Option<(String, Timestamp)>,
    /// Its digests, the newest first.
    pub digests: Vec<DigestRow>,
    pub tasks: Vec<&'a TaskRow>,
}

/// Shows a base.
pub fn base(view: &BaseView<'_>) -> String {
    let main = html! {
        h1 { (text(&view.image)) }
        section id="base" data-live aria-label="State" role="status" {
            dl {
                dt { "Looked at" } dd { @match view.looked { Some(time) => (moment(time)), None => "not yet" } }
                @if let Some(time) = view.next_look { dt { "Next look" } dd { (moment(time)) } }
                @if let Some((why, since)) = &view.error { dt { "No answer" } dd { span.s3 { (text(why)) } " since " (moment(*since)) } }
            }
        }
        h2 { "What it was" }
        div id="digests" data-live {
            @if view.digests.is_empty() { p.dim { "Nothing is known." } }
            ol { @for row in &view.digests {
                li {
                    code { (row.digest) }
                    @if let Some(since) = row.since { ", since " (moment(since)) }
                    @if let Some(by) = row.seen_by { ", seen by " (by) }
                }
            } }
        }
        h2 { "Who depends on it" }
        div id="tasks" data-live {
            @if view.tasks.is_empty() { p.dim { "No task." } } @else { (list::table(view.tasks.iter().copied())) }
        }
    };
    frame(&view.image, "/bases", &main)
}

/// Shows all bases, each with the number of its tasks.
pub fn bases(all: &[(&str, usize)], most: usize) -> String {
    let main = html! {
        h1 { "Bases" }
        div id="bases" data-live {
            p.dim {
                (all.len()) " images that tasks depend on"
                @if all.len() > most { ", of which these are the first " (most) }
            }
            ul { @for (image, count) in all.iter().take(most) {
                li { (base_link(image)) " " span.dim { (count) @if *count == 1 { " task" } @else { " tasks" } } }
            } }
        }
    };
    frame("Bases", "/bases", &main)
}
