//! The progress lines at the bottom of a terminal: the current activity and its duration, one line for each concurrent run, and the
//! progress of the blobs of a copy.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io::IsTerminal as _,
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    image::Digest, ops::event::CopyProgress, sys::terminal::wants_progress, task::RunId,
    view::column::harmless,
};

/// The interval between redraws.
const TICK: Duration = Duration::from_millis(120);

/// The template for one blob.
const BLOB: &str = "  {prefix} {bar:16} {bytes:>10} of {total_bytes}";

/// The template for all blobs of a copy together.
const TOTAL: &str = "  all blobs           {bar:16} {bytes:>10} of {total_bytes}, {bytes_per_sec}";

/// The template for an activity.
const LINE: &str = "{spinner} {wide_msg} {elapsed}";

/// The progress lines. They are drawn on stderr and removed when the program ends.
#[derive(Debug)]
pub struct Progress {
    all: MultiProgress,
    /// The activity of the program itself.
    line: ProgressBar,
    is_drawn: Cell<bool>,
    /// The activity of each run, in the order in which the runs started.
    runs: RefCell<Vec<(RunId, ProgressBar)>>,
    copy: RefCell<Option<CopyBars>>,
}

/// The progress bars of a copy.
#[derive(Debug)]
struct CopyBars {
    total: ProgressBar,
    blobs: HashMap<Digest, ProgressBar>,
}

impl Progress {
    /// Returns empty progress lines if stderr is a terminal; `None` for a file, a pipe or a CI job.
    pub fn new() -> Option<Self> {
        wants_progress(std::io::stderr().is_terminal()).then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let line = ProgressBar::new_spinner();
            line.set_style(style(LINE));
            Self {
                all,
                line,
                is_drawn: Cell::new(false),
                runs: RefCell::default(),
                copy: RefCell::new(None),
            }
        })
    }

    /// Sets the program's current activity.
    pub fn doing(&self, text: &str) {
        self.end_copy();
        if !self.is_drawn.replace(true) {
            self.all.add(self.line.clone());
        }
        say(&self.line, text);
    }

    /// Sets a run's current activity, on a line of its own. The program's own activity ends.
    pub fn run_doing(&self, run: RunId, text: &str) {
        self.end_line();
        let mut runs = self.runs.borrow_mut();
        if let Some((_, line)) = runs.iter().find(|(id, _)| *id == run) {
            return say(line, text);
        }
        let line = self.all.add(ProgressBar::new_spinner());
        line.set_style(style(LINE));
        say(&line, text);
        runs.push((run, line));
    }

    /// Removes the line of a run.
    pub fn run_ended(&self, run: RunId) {
        let mut runs = self.runs.borrow_mut();
        if let Some(at) = runs.iter().position(|(id, _)| *id == run) {
            let (_, line) = runs.remove(at);
            self.take_away(&line);
        }
    }

    /// Shows the progress of a copy's blobs.
    pub fn copying(&self, progress: CopyProgress<'_>) {
        let mut copy = self.copy.borrow_mut();
        let bars = copy.get_or_insert_with(|| {
            let total = self.all.add(ProgressBar::new(0));
            total.set_style(style(TOTAL));
            CopyBars {
                total,
                blobs: HashMap::new(),
            }
        });
        match progress {
            CopyProgress::Total(bytes) => bars.total.inc_length(bytes),
            CopyProgress::Begun(digest, size) => {
                let bar = self.all.insert_before(&bars.total, ProgressBar::new(size));
                bar.set_style(style(BLOB));
                bar.set_prefix(digest.short().to_owned());
                bars.blobs.insert(digest.clone(), bar);
            }
            CopyProgress::Sent(digest, sent) => {
                if let Some(bar) = bars.blobs.get(digest) {
                    bars.total.inc(sent.saturating_sub(bar.position()));
                    bar.set_position(sent);
                }
            }
            CopyProgress::Done(digest, size) => {
                let bar = bars.blobs.remove(digest);
                let shown = bar.as_ref().map_or(0, ProgressBar::position);
                bars.total.inc(size.saturating_sub(shown));
                if let Some(bar) = bar {
                    self.take_away(&bar);
                }
            }
        }
    }

    /// Prints above the progress lines.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Removes all progress lines.
    pub fn clear(&self) {
        self.end_copy();
        self.end_line();
        for (_, line) in self.runs.take() {
            self.take_away(&line);
        }
    }

    fn end_line(&self) {
        if self.is_drawn.replace(false) {
            self.take_away(&self.line);
        }
    }

    fn end_copy(&self) {
        if let Some(copy) = self.copy.borrow_mut().take() {
            for bar in copy.blobs.values().chain([&copy.total]) {
                self.take_away(bar);
            }
        }
    }

    fn take_away(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.all.remove(bar);
    }
}

fn say(line: &ProgressBar, text: &str) {
    line.reset();
    line.set_message(harmless(text));
    line.enable_steady_tick(TICK);
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
