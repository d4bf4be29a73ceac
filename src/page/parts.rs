//! The parts that all pages share: the frame, and the display of times, tasks, runs and states.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::{
    error::cut,
    task::{RunId, RunStatus, TaskKey},
    view::column::harmless,
    watch::State,
};

/// The pages of the navigation.
const PLACES: [(&str, &str); 5] = [
    ("/", "Tasks"),
    ("/graph", "Graph"),
    ("/bases", "Bases"),
    ("/runs", "Runs"),
    ("/timeline", "Timeline"),
];

/// How many characters of a reason a list shows.
const MAX_BRIEF: usize = 200;

/// Wraps a page in its frame. `here` is the path of its entry in the navigation.
pub fn frame(title: &str, here: &str, main: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text(title)) " · acrt" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    b { "acrt" }
                    nav aria-label="Pages" {
                        @for (path, name) in PLACES {
                            a href=(path) aria-current=[(path == here).then_some("page")] { (name) }
                        }
                    }
                }
                main id="main" tabindex="-1" { (*main) }
            }
        }
    }
    .into_string()
}

/// Returns text from outside without control characters and characters that change the direction of writing.
pub fn text(text: &str) -> String {
    harmless(text)
}

/// Returns the beginning of a text from outside, for the rows of a list: what they lead to has the whole text.
pub fn brief(long: &str) -> String {
    cut(text(long), MAX_BRIEF)
}

/// Returns the path of a task's page.
pub fn task_path(key: &TaskKey) -> String {
    path(
        "/task",
        &[("registry", &key.registry), ("name", key.name.as_str())],
    )
}

/// Returns the path of a run's page.
pub fn run_path(id: RunId) -> String {
    format!("/runs/{id}")
}

/// Returns the path of a base's page.
pub fn base_path(image: &str) -> String {
    path("/bases", &[("image", image)])
}

/// Returns a path with a query; fields without a value are omitted.
pub fn path(path: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Shows a time. The script adds how long ago it is.
pub fn moment(time: Timestamp) -> Markup {
    html! {
        time datetime=(time.strftime("%Y-%m-%dT%H:%M:%SZ")) { (time.strftime("%Y-%m-%d %H:%M UTC")) }
    }
}

pub fn state(state: State) -> Markup {
    html! { span class={ "state s" (state.severity()) } { (state.word()) } }
}

pub fn run_status(status: RunStatus) -> Markup {
    let class = match status {
        RunStatus::Succeeded => "s0",
        RunStatus::Queued | RunStatus::Started | RunStatus::Running => "s2",
        RunStatus::Canceled => "s1",
        RunStatus::Failed | RunStatus::Error | RunStatus::Timeout => "s4",
    };
    html! { span class={ "state " (class) } { (status) } }
}

/// Shows an image as a link to its page.
pub fn base_link(image: &str) -> Markup {
    html! { a href=(base_path(image)) { (text(image)) } }
}

/// Returns the first digits of a digest.
pub fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// Shows an error.
pub fn problem(title: &str, why: &str) -> String {
    let main = html! {
        h1 { (title) }
        p { (text(why)) }
        p { a href="/" { "All tasks" } }
    };
    frame(title, "", &main)
}

/// Asks for the token. `next` is the path to go to after the login; `why` is the error of the last try.
pub fn login(next: &str, why: Option<&str>) -> String {
    let main = html! {
        form.login method="post" action="/login" {
            h1 { "Log in" }
            @if let Some(why) = why { p.warn role="alert" { (why) } }
            input type="hidden" name="next" value=(next);
            label {
                "Token"
                input type="password" name="token" required autocomplete="current-password" autofocus;
            }
            button { "Log in" }
            p.dim { "It is what " code { "page.token" } " in the config file of acrt names." }
        }
    };
    frame("Log in", "", &main)
}
