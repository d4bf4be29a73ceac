//! The home page: the number of tasks in each state, and a filtered and paginated list of tasks.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::{
    task::{RunId, TaskKey},
    watch::State,
};

use super::parts::{base_link, brief, frame, moment, path, run_path, state, task_path, text};

/// How many tasks a page of the list shows.
pub const PAGE_ROWS: usize = 100;

/// How many registries and bases the filter offers.
const OFFERED: usize = 200;

/// The groups of states, with their severity.
const GROUPS: [(&str, u8); 5] = [
    ("current", 0),
    ("stale", 2),
    ("failing", 4),
    ("unknown", 3),
    ("idle", 1),
];

/// A past run of a task.
#[derive(Clone, Debug)]
pub struct RunMark {
    pub id: RunId,
    pub is_well: bool,
    /// When it ended.
    pub time: Timestamp,
}

#[derive(Clone, Debug)]
pub struct TaskRow {
    pub key: TaskKey,
    pub state: State,
    /// The reason of the state, on one line.
    pub reason: String,
    /// The bases of the task.
    pub bases: Vec<String>,
    pub run: Option<RunMark>,
    /// The next automatic action and its time.
    pub next: Option<(String, Timestamp)>,
}

/// The status of a builder.
#[derive(Clone, Debug)]
pub struct BuilderRow {
    pub name: String,
    /// Since when it has not answered, and why.
    pub away: Option<(Timestamp, String)>,
    /// How many runs it has now, and how many it may have.
    pub jobs: Option<(usize, usize)>,
}

/// The status of a registry.
#[derive(Clone, Debug)]
pub struct RegistryRow {
    pub name: String,
    /// How many of its tags are followed.
    pub tags: usize,
    /// How many of these tags failed at their last look.
    pub errors: usize,
    /// The error of one of them.
    pub error: Option<String>,
    /// When its rate limit ends.
    pub paused_until: Option<Timestamp>,
}

/// The summary above the list.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The number of tasks in each state.
    pub states: Vec<(State, usize)>,
    /// The oldest of the tags' last looks.
    pub looked: Option<Timestamp>,
    /// The time of the next look at any tag.
    pub next_look: Option<Timestamp>,
    /// The named builders.
    pub builders: Vec<BuilderRow>,
    /// The registries of the followed tags.
    pub registries: Vec<RegistryRow>,
    /// The bases of tasks.
    pub bases: Vec<String>,
    /// State that could not be read.
    pub problems: Vec<String>,
}

impl Overview {
    /// Returns the number of tasks in states of a severity.
    pub fn count(&self, severity: u8) -> usize {
        let states = self.states.iter();
        let states = states.filter(|(state, _)| state.severity() == severity);
        states.map(|(_, count)| count).sum()
    }
}

/// The filter of the task list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// A part of a name or reason.
    pub search: String,
    /// A state, or a group of states.
    pub state: String,
    pub registry: String,
    /// A part of the name of a base.
    pub base: String,
    /// The page, counted from 1.
    pub page: usize,
}

impl TaskFilter {
    /// Parses the query of a request. Unknown fields are ignored.
    pub fn of(query: &str) -> Self {
        let mut filter = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.trim().to_owned();
            match &*name {
                "q" => filter.search = value.to_lowercase(),
                "state" => filter.state = value,
                "registry" => filter.registry = value,
                "base" => filter.base = value,
                "page" => filter.page = value.parse().unwrap_or(1),
                _ => {}
            }
        }
        filter.page = filter.page.max(1);
        filter
    }

    /// Tells whether a task matches.
    pub fn takes(&self, row: &TaskRow) -> bool {
        let group = GROUPS.iter().find(|(word, _)| *word == self.state);
        let is_state = match group {
            Some((_, severity)) => row.state.severity() == *severity,
            None => self.state.is_empty() || row.state.word() == self.state,
        };
        let has = |text: &str| text.to_lowercase().contains(&self.search);
        is_state
            && (self.registry.is_empty() || row.key.registry == self.registry)
            && (self.base.is_empty() || row.bases.iter().any(|it| it.contains(&self.base)))
            && (self.search.is_empty() || has(row.key.name.as_str()) || has(&row.reason))
    }

    fn is_any(&self) -> bool {
        let fields = [&self.search, &self.state, &self.registry, &self.base];
        fields.iter().any(|field| !field.is_empty())
    }

    fn path(&self, page: usize) -> String {
        let page = if page > 1 {
            page.to_string()
        } else {
            String::new()
        };
        let fields = [
            ("q", self.search.as_str()),
            ("state", &self.state),
            ("registry", &self.registry),
            ("base", &self.base),
            ("page", &page),
        ];
        path("/", &fields)
    }
}

/// Shows the summary and one page of those tasks that the filter takes.
pub fn list<'r>(
    overview: &Overview,
    tasks: impl Iterator<Item = &'r TaskRow>,
    filter: &TaskFilter,
) -> String {
    let found: Vec<&TaskRow> = tasks.filter(|row| filter.takes(row)).collect();
    let pages = found.len().div_ceil(PAGE_ROWS).max(1);
    let page = filter.page.min(pages);
    let shown = found.iter().skip((page - 1) * PAGE_ROWS).take(PAGE_ROWS);
    let main = html! {
        h1 { "Tasks" }
        (summary(overview))
        (form(overview, filter))
        div id="tasks" data-live {
            p.dim {
                (found.len()) @if found.len() == 1 { " task" } @else { " tasks" }
                @if filter.is_any() { " found · " a href="/" { "show all" } }
            }
            @if !found.is_empty() { (table(shown.copied())) }
            @if pages > 1 {
                nav.pages aria-label="Pages of the list" {
                    @if page > 1 { a rel="prev" href=(filter.path(page - 1)) { "Previous" } }
                    span { "Page " (page) " of " (pages) }
                    @if page < pages { a rel="next" href=(filter.path(page + 1)) { "Next" } }
                }
            }
        }
        (surroundings(overview))
    };
    frame("Tasks", "/", &main)
}

fn summary(overview: &Overview) -> Markup {
    html! {
        section id="summary" data-live aria-label="Summary" role="status" {
            ul.counts {
                @for (word, severity) in GROUPS {
                    li { a href=(path("/", &[("state", word)])) {
                        b class={ "s" (severity) } { (overview.count(severity)) } (word)
                    } }
                }
            }
            p.dim {
                @match overview.looked {
                    Some(looked) => { "Last look at every tag " (moment(looked)) },
                    None => { "No tag was looked at yet" },
                }
                @if let Some(next) = overview.next_look { " · next look " (moment(next)) }
            }
            @for problem in &overview.problems { p.warn { (text(problem)) } }
        }
    }
}

fn form(overview: &Overview, filter: &TaskFilter) -> Markup {
    let option = |value: &str, chosen: &str| {
        html! { option value=(value) selected[value == chosen] { (value) } }
    };
    let is_group = |word: &str| GROUPS.iter().any(|(group, _)| *group == word);
    html! {
        form.filter method="get" action="/" role="search" {
            label { "Search" input type="search" name="q" value=(filter.search); }
            label { "State" select name="state" {
                option value="" { "any" }
                @for (word, _) in GROUPS { (option(word, &filter.state)) }
                @for word in State::ALL.map(State::word) {
                    @if !is_group(word) { (option(word, &filter.state)) }
                }
            } }
            label { "Registry" select name="registry" {
                option value="" { "any" }
                @for registry in registries(overview, filter) { (option(registry, &filter.registry)) }
            } }
            label { "Depends on" input name="base" list="bases" value=(filter.base); }
            datalist id="bases" { @for base in overview.bases.iter().take(OFFERED) { option value=(base) {} } }
            button { "Filter" }
        }
    }
}

/// Returns the registries to choose from, including the chosen one.
fn registries<'o>(overview: &'o Overview, filter: &'o TaskFilter) -> Vec<&'o str> {
    let known = overview.registries.iter().take(OFFERED);
    let mut all: Vec<&str> = known.map(|registry| registry.name.as_str()).collect();
    if !filter.registry.is_empty() && !all.contains(&filter.registry.as_str()) {
        all.push(&filter.registry);
    }
    all
}

/// Shows tasks as the rows of a table.
pub(super) fn table<'r>(rows: impl Iterator<Item = &'r TaskRow>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Tasks" {
            table {
                thead { tr {
                    th scope="col" { "Task" } th scope="col" { "State" } th scope="col" { "Why" }
                    th.wide scope="col" { "Depends on" } th scope="col" { "Last run" } th.wide scope="col" { "Next" }
                } }
                tbody { @for row in rows { tr {
                    td { a href=(task_path(&row.key)) { (row.key.name) } br; span.dim { (text(&row.key.registry)) } }
                    td.tight { (state(row.state)) }
                    td.reason { (brief(&row.reason)) }
                    td.wide {
                        @if let Some(first) = row.bases.first() { (base_link(first)) }
                        @if row.bases.len() > 1 { " +" (row.bases.len() - 1) }
                    }
                    td { @if let Some(run) = &row.run {
                        a href=(run_path(run.id)) { (run.id) }
                        @if !run.is_well { " " span.s4 { "failed" } }
                        br; span.dim { (moment(run.time)) }
                    } }
                    td.wide { @if let Some((what, time)) = &row.next { (text(what)) br; span.dim { (moment(*time)) } } }
                } } }
            }
        }
    }
}

fn surroundings(overview: &Overview) -> Markup {
    html! {
        section id="surroundings" data-live aria-label="Builders and registries" {
            @if !overview.builders.is_empty() {
                h2 { "Builders" }
                table {
                    thead { tr { th scope="col" { "Builder" } th scope="col" { "State" } th scope="col" { "Runs" } } }
                    tbody { @for builder in &overview.builders { tr {
                        td { (text(&builder.name)) }
                        td { @match &builder.away {
                            Some((since, why)) => { span.state.s4 { "away" } " since " (moment(*since)) ": " (brief(why)) },
                            None => { span.state.s0 { "no trouble known" } },
                        } }
                        td { @if let Some((running, jobs)) = builder.jobs { (running) " of " (jobs) } }
                    } } }
                }
            }
            @if !overview.registries.is_empty() {
                h2 { "Registries" }
                table {
                    thead { tr { th scope="col" { "Registry" } th scope="col" { "Tags" } th scope="col" { "State" } } }
                    tbody { @for registry in &overview.registries { tr {
                        td { a href=(path("/", &[("base", &registry.name)])) { (text(&registry.name)) } }
                        td { (registry.tags) }
                        td {
                            @if registry.errors == 0 { span.state.s0 { "answers" } }
                            @else {
                                span.state.s3 { "no answer for " (registry.errors) }
                                @if let Some(error) = &registry.error { ": " (brief(error)) }
                            }
                            @if let Some(until) = registry.paused_until { " · wants to be left alone until " (moment(until)) }
                        }
                    } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: State, base: &str) -> TaskRow {
        TaskRow {
            key: TaskKey {
                registry: "r.io".into(),
                name: name.parse().unwrap(),
            },
            state,
            reason: "<script>alert(1)</script> \u{202e}odd".into(),
            bases: vec![base.into()],
            run: None,
            next: None,
        }
    }

    #[test]
    fn list_filters_match_states_groups_bases_and_name_parts() {
        let rows = [
            row("web", State::Stale, "node:20"),
            row("api", State::Settling, "node:22"),
            row("old", State::Current, "debian:12"),
        ];
        let found = |query: &str| -> Vec<&str> {
            let filter = TaskFilter::of(query);
            let found = rows.iter().filter(|row| filter.takes(row));
            found.map(|row| row.key.name.as_str()).collect()
        };
        assert_eq!(found(""), ["web", "api", "old"]);
        assert_eq!(found("state=stale"), ["web", "api"]);
        assert_eq!(found("state=settling&x=y"), ["api"]);
        assert_eq!(found("base=node%3A20"), ["web"]);
        assert_eq!(found("q=OL"), ["old"]);
        assert_eq!(found("registry=other"), [""; 0]);
    }

    #[test]
    fn list_escapes_foreign_text() {
        let rows = [row("web", State::Stale, "\"><img src=x>")];
        let filter = TaskFilter::of("q=%3Cscript%3E&base=%22onfocus%3D%22");
        let overview = Overview {
            problems: vec!["<b>".into()],
            bases: vec!["\"><script>".into()],
            ..Overview::default()
        };
        for filter in [filter, TaskFilter::of("")] {
            let page = list(&overview, rows.iter(), &filter);
            let scripts = page.matches("<script").count();
            assert_eq!(scripts, 1, "{page}");
            assert!(!page.contains("<img") && !page.contains("<b>\u{202e}"));
            assert!(!page.contains('\u{202e}') && !page.contains("\"onfocus"));
        }
    }

    #[test]
    fn list_of_ten_thousand_tasks_has_pages_under_100_kb() {
        let rows: Vec<TaskRow> = (0..10_000)
            .map(|n| TaskRow {
                reason: format!(
                    "run ca{n} has failed: {}",
                    "a long line of a builder ".repeat(100)
                ),
                run: Some(RunMark {
                    id: "ca100".parse().unwrap(),
                    is_well: false,
                    time: Timestamp::UNIX_EPOCH,
                }),
                next: Some(("again, as its base may move".into(), Timestamp::UNIX_EPOCH)),
                ..row(
                    &format!("task-{n}"),
                    State::Failing,
                    "docker.io/library/node:20",
                )
            })
            .collect();
        let page = list(&Overview::default(), rows.iter(), &TaskFilter::of("page=2"));
        assert!(page.contains("task-100<") && !page.contains("task-99<"));
        assert!(page.contains("Page 2 of 100") && page.contains("href=\"/?page=3\""));
        let assets: usize = super::super::ASSETS
            .iter()
            .map(|(_, _, text)| text.len())
            .sum();
        assert!(page.len() + assets < 100_000, "{}", page.len() + assets);
        let last = list(
            &Overview::default(),
            rows.iter(),
            &TaskFilter::of("page=999"),
        );
        assert!(last.contains("task-9999<"));
    }
}
