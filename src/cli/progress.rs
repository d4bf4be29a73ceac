//! The line at the foot of a terminal: what is being done, and for how long.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{sys::settings::wants_progress, view::column::harmless};

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// The line. It is drawn on stderr, and is gone when the program ends.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Returns a line with nothing in it, where a person sees it: not in a file, a pipe or a job of CI.
    #[must_use]
    pub fn new() -> Option<Self> {
        wants_progress(std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            Self(bar)
        })
    }

    /// Says what is being done from now on.
    pub fn doing(&self, text: &str) {
        self.0.reset();
        self.0.set_message(harmless(text));
        self.0.enable_steady_tick(TICK);
    }

    /// Prints something above the line.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    /// Takes the line away: nothing is being done any more.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
