//! Renders the status page as HTML. Does no I/O; all text from outside is escaped here.
//!
//! Every page works without the script and the style sheet, which are separate files: nothing is inline.

mod graph;
mod list;
mod log;
mod parts;
mod run;
mod task;
mod timeline;

pub use graph::{GraphVertex, graph};
pub use list::{BuilderRow, Overview, PAGE_ROWS, RegistryRow, RunMark, TaskFilter, TaskRow, list};
pub use log::{Lines, lines, steps};
pub use parts::{base_path, login, problem, run_path, task_path};
pub use run::{LogWindow, RunView, StepLog, run, runs};
pub use task::{BaseRow, BaseView, DigestRow, TaskView, base, bases, task};
pub use timeline::{TimelineEvent, TimelineEventKind, since, timeline};

/// The static files of the page: path, media type and content.
pub const ASSETS: [(&str, &str, &str); 3] = [
    (
        "page.css",
        "text/css; charset=utf-8",
        include_str!("page.css"),
    ),
    (
        "page.js",
        "text/javascript; charset=utf-8",
        include_str!("page.js"),
    ),
    ("icon.svg", "image/svg+xml", include_str!("icon.svg")),
];
