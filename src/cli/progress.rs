//! What stands at the foot of a terminal: what is being done, for how long, and how far the blobs of a copy have come.

use std::{cell::RefCell, collections::HashMap, io::IsTerminal as _, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    image::Digest, ops::event::Progress as CopyProgress, sys::settings::wants_progress,
    view::column::harmless,
};

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// How a blob on its way is drawn.
const BLOB: &str = "  {prefix} {bar:16} {bytes:>10} of {total_bytes}";

/// How all blobs of a copy together are drawn.
const TOTAL: &str = "  all blobs           {bar:16} {bytes:>10} of {total_bytes}, {bytes_per_sec}";

/// The lines. They are drawn on stderr, and are gone when the program ends.
#[derive(Debug)]
pub struct Progress {
    all: MultiProgress,
    line: ProgressBar,
    copy: RefCell<Option<CopyBars>>,
}

/// The bars of a copy.
#[derive(Debug)]
struct CopyBars {
    total: ProgressBar,
    blobs: HashMap<Digest, ProgressBar>,
}

impl Progress {
    /// Returns lines with nothing in them, where a person sees them: not in a file, a pipe or a job of CI.
    #[must_use]
    pub fn new() -> Option<Self> {
        wants_progress(std::io::stderr().is_terminal()).then(|| {
            let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
            let line = ProgressBar::new_spinner();
            line.set_style(style("{spinner} {wide_msg} {elapsed}"));
            Self {
                all,
                line,
                copy: RefCell::new(None),
            }
        })
    }

    /// Says what is being done from now on.
    pub fn doing(&self, text: &str) {
        self.end_copy();
        self.all.add(self.line.clone());
        self.line.reset();
        self.line.set_message(harmless(text));
        self.line.enable_steady_tick(TICK);
    }

    /// Shows how far the blobs of a copy have come.
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
                    bar.finish_and_clear();
                    self.all.remove(&bar);
                }
            }
        }
    }

    /// Prints something above the lines.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Takes the lines away: nothing is being done any more.
    pub fn clear(&self) {
        self.end_copy();
        self.line.finish_and_clear();
    }

    fn end_copy(&self) {
        if let Some(copy) = self.copy.borrow_mut().take() {
            for bar in copy.blobs.values().chain([&copy.total]) {
                bar.finish_and_clear();
                self.all.remove(bar);
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
