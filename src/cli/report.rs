//! The only code that prints: answers and logs to stdout, everything else to stderr.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ffi::OsString,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde_json::{Value, json};

use crate::{
    error::{Context as _, Error, Kind, Result},
    ops::{
        Event, EventSink,
        answer::resume,
        check::{outage_text, reason},
        joined::joined_first,
    },
    secret::{Masks, Secret, secrets_of_argument},
    sys::{
        clock::Clock,
        signal::Signal,
        terminal::{read_hidden_line, terminal_width, wants_colour},
    },
    task::{RunId, TaskKey, TaskName},
    view::{
        CannotRender, Canvas, Format, Pieces, Query, View, column::harmless, sanitize::LogSanitizer,
    },
};

use super::{global::Global, progress::Progress};

/// The error where stdout cannot be written.
const UNWRITTEN: &str = "cannot write to stdout";

/// What a suggested command line needs to mean the same state directory and config file.
#[derive(Debug)]
struct Typed {
    /// The options of this command line, quoted for a shell, each with a blank before it.
    options: String,
    /// The names of all commands.
    commands: Vec<String>,
}

impl Typed {
    fn of(global: &Global, root: &clap::Command) -> Self {
        let places = [
            ("--state-dir", &global.state_dir),
            ("--config", &global.config),
        ];
        let options = places.into_iter().filter_map(|(name, path)| {
            let path = path.as_ref()?.to_string_lossy();
            Some(format!(" {name} {}", shell_words::quote(&path)))
        });
        Self {
            options: options.collect(),
            commands: root
                .get_subcommands()
                .map(|it| it.get_name().to_owned())
                .collect(),
        }
    }

    /// Returns a text with the options behind the `acrt` of each command line in it.
    fn added_to(&self, text: &str) -> String {
        let mut parts = text.split("acrt ");
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_word = !all.ends_with(|c: char| c.is_alphanumeric() || "-_./".contains(c));
            let end = part.find(|c: char| c != '-' && !c.is_ascii_lowercase());
            let command = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
            all.push_str("acrt");
            if is_word && self.commands.iter().any(|it| it == command) {
                all.push_str(&self.options);
            }
            all.push(' ');
            all.push_str(part);
        }
        all
    }
}

/// Prints everything that a command outputs.
#[derive(Debug)]
pub struct Report {
    only_errors: bool,
    verbose: bool,
    /// The requested format.
    format: Option<Format>,
    /// Whether the answer is printed as a table.
    pub shows_tables: bool,
    /// Whether an answer for programs was asked for: by a format or by a query.
    pub is_for_programs: bool,
    /// The same, where a default format does not count: under cron, an answer that nobody asked for would be mailed.
    pub asks_for_answer: bool,
    typed: Typed,
    summary: RefCell<Vec<String>>,
    progress: Option<Progress>,
    /// Whether the reader of stdout has closed it: the rest of the log is dropped, and the work goes on.
    reader_gone: Cell<bool>,
    /// Whether output to stdout was lost, as on a full disk, while the work went on.
    output_lost: Cell<bool>,
    /// The clock for the time in each line on stderr, if these lines are JSON.
    json: RefCell<Option<Clock>>,
    /// The clock for the time in front of each line, where a person watches the loop.
    stamps: RefCell<Option<Clock>>,
    /// The names that several registries have a task of: these are printed with the registry.
    shared: RefCell<BTreeSet<TaskName>>,
    /// Makes logs safe for a terminal; `None` to print them unchanged.
    sanitizer: RefCell<Option<LogSanitizer>>,
}

/// How many bytes of an answer are written at once.
const PIECE: usize = 64 * 1024;

fn undrawable(problem: CannotRender) -> Error {
    Error::invalid(problem.to_string())
}

impl Report {
    /// Returns a report with the verbosity of the options; `root` has all commands.
    pub fn new(global: &Global, format: Option<Format>, root: &clap::Command) -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            only_errors: global.only_show_errors,
            verbose: global.verbose || global.debug,
            format,
            shows_tables: format == Some(Format::Table) || (format.is_none() && is_terminal),
            is_for_programs: format.is_some_and(|it| it != Format::Table) || global.query.is_some(),
            asks_for_answer: global.output.is_some_and(|it| it != Format::Table)
                || global.query.is_some(),
            typed: Typed::of(global, root),
            summary: RefCell::default(),
            progress: (!global.only_show_errors).then(Progress::new).flatten(),
            reader_gone: Cell::new(false),
            output_lost: Cell::new(false),
            json: RefCell::new(None),
            stamps: RefCell::new(None),
            shared: RefCell::default(),
            sanitizer: RefCell::new(Some(LogSanitizer::default())),
        }
    }

    /// With `raw`, prints logs unchanged, with all control sequences.
    pub fn shows_raw(&self, raw: bool) {
        if raw {
            *self.sanitizer.borrow_mut() = None;
        }
    }

    /// Prints a part of a log. Output lost on a full disk is still in the log file.
    fn log(&self, bytes: &[u8]) {
        let sanitized = self
            .sanitizer
            .borrow_mut()
            .as_mut()
            .map(|it| it.sanitize(bytes));
        self.stream(sanitized.as_deref().unwrap_or(bytes));
    }

    /// From now on, prints the registry of tasks with these names.
    pub fn show_registries_of(&self, shared: BTreeSet<TaskName>) {
        *self.shared.borrow_mut() = shared;
    }

    fn name_of(&self, task: &TaskKey) -> String {
        task.shown(&self.shared.borrow())
    }

    /// From now on, prints every line on stderr as a JSON object, for log collectors.
    pub fn log_as_json(&self, clock: Clock) {
        *self.json.borrow_mut() = Some(clock);
    }

    /// From now on, prints the time of day, in UTC, in front of each line on a terminal.
    pub fn stamp_lines(&self, clock: Clock) {
        if io::stderr().is_terminal() {
            *self.stamps.borrow_mut() = Some(clock);
        }
    }

    /// Returns the time of day to print in front of a line; empty unless a person watches the loop.
    fn stamp(&self) -> String {
        let stamps = self.stamps.borrow();
        let now = stamps.as_ref().map(Clock::now);
        now.map_or(String::new(), |now| now.strftime("%H:%M:%SZ ").to_string())
    }

    /// Tells whether stdout supports colours.
    pub fn colour(&self) -> bool {
        wants_colour(io::stdout().is_terminal())
    }

    /// Tells whether a person can answer questions.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal()
    }

    /// Asks a question on stderr and returns the typed line.
    pub fn ask(&self, question: &str) -> Result<String> {
        self.print(question);
        let mut line = String::new();
        io::stdin()
            .read_line(&mut line)
            .context(Kind::Failed, || "cannot read the answer".to_owned())?;
        Ok(line.trim().to_owned())
    }

    /// Asks for something on stderr that is not shown while it is typed.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where stdin is no terminal; the kind of SIGINT after Ctrl-C.
    pub async fn ask_hidden(&self, question: &str) -> Result<String> {
        let line = read_hidden_line(|| self.print(question)).await;
        self.print("\n");
        line.context(Kind::Failed, || "cannot read the answer".to_owned())?
            .ok_or_else(|| Error::new(Signal::Interrupt.kind(), "operation cancelled"))
    }

    /// Formats an answer in the requested format; by default, for people on a terminal, and for programs elsewhere.
    pub fn drawn(&self, view: View, query: Option<&Query>) -> Result<String> {
        let pieces = self.pieces(view, query)?;
        pieces.map(|piece| piece.map_err(undrawable)).collect()
    }

    /// Prints an answer like [`Report::drawn`]; a list is printed item by item where its format allows, to save memory.
    pub fn show(&self, view: View, query: Option<&Query>) -> Result<()> {
        let mut text = String::new();
        for piece in self.pieces(view, query)? {
            text.push_str(&piece.map_err(undrawable)?);
            if text.len() >= PIECE {
                self.answer(text.as_bytes())?;
                text.clear();
            }
        }
        self.answer(text.as_bytes())
    }

    fn pieces(&self, view: View, query: Option<&Query>) -> Result<Pieces> {
        let is_for_people = io::stdout().is_terminal() || view.is_for_people;
        let format = self.format.unwrap_or(if is_for_people && query.is_none() {
            view.best_format()
        } else {
            Format::Json
        });
        let canvas = Canvas {
            colour: self.colour(),
            width: terminal_width(),
        };
        view.pieces(format, query, canvas).map_err(undrawable)
    }

    /// Prints an answer. A closed reader is no error; a full disk is.
    pub fn answer(&self, bytes: &[u8]) -> Result<()> {
        if self.reader_gone.get() {
            return Ok(());
        }
        let print = || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        };
        match self.above(print) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.reader_gone.set(true);
                Ok(())
            }
            written => written.context(Kind::Failed, || UNWRITTEN.to_owned()),
        }
    }

    /// Prints output that comes while a command works. A failed write is reported once, and the work goes on: the lost output is
    /// still in the log file.
    fn stream(&self, bytes: &[u8]) {
        if let Err(error) = self.answer(bytes)
            && !self.output_lost.replace(true)
        {
            self.error(&error);
        }
    }

    /// Tells whether output to stdout was lost.
    pub fn output_is_lost(&self) -> bool {
        self.output_lost.get()
    }

    /// Tells whether stdout is still read, by the result of the last write.
    pub fn is_read(&self) -> bool {
        !self.reader_gone.get() && !self.output_lost.get()
    }

    /// Tells whether a person reads stderr, or asked for all messages.
    pub fn is_watched(&self) -> bool {
        self.verbose || io::stderr().is_terminal()
    }

    /// Returns a sink that prints each event, for an answer that leaves out what cannot be used: `broken` says then how the command ends.
    pub fn events_noting<'a>(&'a self, broken: &'a Cell<Option<Kind>>) -> EventSink<'a> {
        EventSink::new(|event| {
            if let Event::Problem(_) = event {
                broken.set(Some(Kind::Failed));
            }
            self.event(event);
        })
    }

    /// Returns a sink that prints each event.
    pub fn events(&self) -> EventSink<'_> {
        EventSink::new(|event| self.event(event))
    }

    /// Returns a sink that prints each event; with `has_answer`, what goes to stdout otherwise makes way for the answer.
    pub fn events_beside(&self, has_answer: bool) -> EventSink<'_> {
        EventSink::new(move |event| match event {
            Event::Log(bytes) if has_answer => {
                let text = String::from_utf8_lossy(bytes);
                let lines = text.lines().filter(|line| !line.is_empty());
                lines.for_each(|line| self.note(line));
            }
            Event::Rebuilt(line) if has_answer => self.note(&line),
            event => self.event(event),
        })
    }

    pub fn event(&self, event: Event<'_>) {
        match event {
            Event::Doing(text) => self.draw(|progress| progress.doing(&text)),
            Event::RunDoing { id, what } => self.draw(|progress| progress.run_doing(id, &what)),
            Event::Copying(copying) => self.draw(|progress| progress.copying(copying)),
            Event::Log(bytes) => self.log(bytes),
            Event::Rebuilt(line) => {
                let time = self.stamp();
                self.stream(format!("{time}{}\n", harmless(&line)).as_bytes());
            }
            Event::Queued { id, is_build, .. } => self.queued(id, is_build),
            Event::Begun { id, task, why } => {
                let task = self.name_of(task);
                let fields = json!({"event": "runBegun", "task": task, "run": id});
                self.detail(&format!("run {id} of task `{task}`: {why}"), fields);
            }
            Event::WaitingForTask(key) => {
                let key = self.name_of(key);
                self.note(&format!("waiting for another run of task `{key}`"));
                self.event(Event::Doing(format!("waiting for another run of {key}")));
            }
            Event::Ended {
                id,
                status,
                task,
                reason,
            } => {
                self.draw(|progress| progress.run_ended(id));
                let task = self.name_of(task);
                let fields = json!({
                    "event": "runEnded", "task": task, "run": id, "status": status,
                    "reason": reason
                });
                self.detail(&format!("run {id} of task `{task}`: {status}"), fields);
            }
            Event::Decided { task, verdict } => {
                let (word, why) = (verdict.word(), reason(task, verdict));
                let task = self.name_of(task);
                let fields = json!({"event": "decided", "task": task, "state": word});
                self.line(
                    "warning",
                    &format!("{task}: {word}: {}\n", harmless(&why)),
                    &why,
                    fields,
                );
            }
            Event::Silent { place, outage } => {
                let text = outage_text(place, outage, &self.shared.borrow());
                let tasks: Vec<String> = outage.tasks.iter().map(|it| self.name_of(it)).collect();
                let fields = json!({
                    "event": "decided", "place": place, "tasks": tasks, "state": "unknown"
                });
                self.line("warning", &format!("{}\n", harmless(&text)), &text, fields);
            }
            Event::AnswersAgain(place) => {
                // Nothing asks it any more if its tasks are disabled or deleted.
                let text = format!("{place}: answers again, or is no longer needed");
                let fields = json!({"event": "answersAgain", "place": place});
                self.line("info", &format!("{}\n", harmless(&text)), &text, fields);
            }
            Event::Detail(text) if self.verbose => self.note(&text),
            Event::Detail(_) => {}
            Event::Note(text) => self.note(&text),
            Event::Warning(text) => self.warning(&text),
            Event::Problem(error) => self.error(&error),
        }
    }

    /// Tells whether stdout is a terminal.
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Keeps a line to print on stderr below the table; dropped with other formats, which programs read.
    pub fn summary(&self, text: String) {
        if self.format.is_none_or(|format| format == Format::Table) {
            self.summary.borrow_mut().push(text);
        }
    }

    /// Prints the kept line below the table.
    pub fn summarize(&self) {
        for text in self.summary.take() {
            self.note(&text);
        }
    }

    /// Reports beside a table which tasks follow nothing yet; az's columns have no place for it.
    pub fn never_run(&self, tasks: impl Iterator<Item = TaskKey>) {
        if !self.shows_tables {
            return;
        }
        let names: Vec<String> = tasks.map(|task| self.name_of(&task)).collect();
        if !names.is_empty() {
            self.note(&format!(
                "nothing is followed until a run has succeeded: {}",
                joined_first(names, 10)
            ));
        }
    }

    /// Reports beside a table which tasks have failed many times in a row, and how to retry each at once.
    pub fn stalled(&self, tasks: impl Iterator<Item = TaskKey>) {
        if !self.shows_tables {
            return;
        }
        for key in tasks {
            self.warning(&format!(
                "task `{}` has failed many times in a row and is retried less and less often; to try it now: {}",
                self.name_of(&key),
                resume(&key)
            ));
        }
    }

    pub fn note(&self, text: &str) {
        if !self.only_errors {
            let text = &self.typed.added_to(text);
            self.line("info", &format!("{}\n", harmless(text)), text, json!({}));
        }
    }

    /// Prints the id of a run, in the words of az, which scripts look for.
    pub fn queued(&self, id: RunId, is_build: bool) {
        let what = if is_build { "a build" } else { "a run" };
        self.as_az(&format!("Queued {what} with ID: {id}"));
    }

    /// Prints one of az's messages as az does, as a `WARNING` although it warns of nothing.
    pub fn as_az(&self, text: &str) {
        if !self.only_errors {
            let plain = format!("WARNING: {}\n", harmless(text));
            self.line("info", &plain, text, json!({}));
        }
    }

    pub fn warning(&self, text: &str) {
        if !self.only_errors {
            let text = &self.typed.added_to(text);
            let plain = format!("{} {}\n", tagged("warning"), harmless(text));
            self.line("warning", &plain, text, json!({}));
        }
    }

    /// Prints a message for those who asked for details, and for log collectors.
    fn detail(&self, text: &str, fields: Value) {
        let is_json = self.json.borrow().is_some();
        if (self.verbose || is_json) && !self.only_errors {
            let plain = format!("{}\n", harmless(text));
            self.line("info", &plain, text, fields);
        }
    }

    /// Prints an error: what failed, why, and what to do next.
    pub fn error(&self, error: &Error) {
        let hint = error.advice().map(|hint| self.typed.added_to(hint));
        let text = plain(error, hint.as_deref());
        let fields = json!({"causes": error.causes(), "hint": hint});
        self.line("error", &text, &error.to_string(), fields);
    }

    /// Prints a line on stderr: `plain`, or the message and its fields as a JSON object.
    fn line(&self, level: &str, plain: &str, message: &str, fields: Value) {
        let json = self.json.borrow();
        let Some(clock) = &*json else {
            self.print(&format!("{}{plain}", self.stamp()));
            return;
        };
        let mut line = json!({"time": clock.now(), "level": level, "message": message});
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        self.print(&format!("{line}\n"));
    }

    /// Prints the rest of a log, and removes the progress lines, because the activity has ended.
    pub fn done(&self) {
        let rest = self
            .sanitizer
            .borrow_mut()
            .as_mut()
            .map(LogSanitizer::finish);
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            drop(self.answer(&rest));
        }
        self.draw(Progress::clear);
    }

    fn draw(&self, change: impl FnOnce(&Progress)) {
        if let Some(progress) = &self.progress {
            change(progress);
        }
    }

    fn print(&self, text: &str) {
        // Where stderr is closed, nothing can be reported.
        let _ = self.above(|| io::stderr().lock().write_all(text.as_bytes()));
    }

    fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.progress {
            Some(progress) => progress.above(print),
            None => print(),
        }
    }
}

/// Returns the first word of a line, in colour on a terminal.
fn tagged(word: &str) -> String {
    let colour = match word {
        "error" => "31",
        "warning" => "33",
        _ => "32",
    };
    if wants_colour(io::stderr().is_terminal()) {
        format!("\x1b[1;{colour}m{word}:\x1b[0m")
    } else {
        format!("{word}:")
    }
}

/// Formats an error and what to do next as lines for a person.
fn plain(error: &Error, hint: Option<&str>) -> String {
    let mut text = format!("{} {}\n", tagged("error"), harmless(&error.to_string()));
    for cause in error.causes() {
        text.push_str(&format!("  because: {}\n", harmless(&cause)));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("{} {}\n", tagged("hint"), harmless(hint)));
    }
    text
}

/// Prints an error for which there is no report yet, and returns its exit code.
pub fn refused(error: &Error) -> ExitCode {
    // Where stderr is closed, nothing can be reported.
    let _ = io::stderr()
        .lock()
        .write_all(plain(error, error.advice()).as_bytes());
    ExitCode::from(error.kind().exit_code())
}

/// Hides passwords that the command line has in addresses, which errors quote.
pub fn without_logins(error: Error, args: &[OsString]) -> Error {
    let masks = logins_of(args);
    error.with_texts(|text| masks.hide_in(text))
}

fn logins_of(args: &[OsString]) -> Masks {
    let args = args.iter().skip(1).map(|arg| arg.to_string_lossy());
    let secrets: Vec<Secret> = args.flat_map(|arg| secrets_of_argument(&arg)).collect();
    Masks::of(&secrets)
}

/// Prints clap's output: help and versions to stdout, usage errors to stderr, without the logins of addresses in the arguments.
pub fn usage(usage: &clap::Error, args: &[OsString]) -> ExitCode {
    let plain_text = usage.to_string();
    let hidden = logins_of(args).hide_in(&plain_text);
    let printed = if hidden == plain_text {
        usage.print().and_then(|()| io::stdout().flush())
    } else {
        io::stderr().lock().write_all(hidden.as_bytes())
    };
    if usage.use_stderr() {
        // Where it cannot be printed, nothing can be reported.
        return ExitCode::from(Kind::Invalid.exit_code());
    }
    match printed {
        Err(problem) if problem.kind() != ErrorKind::BrokenPipe => {
            refused(&Error::failed(UNWRITTEN).because(problem))
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_command_line_has_the_typed_state_directory_and_config_file() {
        let root = crate::cli::command();
        let told = |line: &str, text: &str| {
            let matches = root.clone().get_matches_from(line.split(' '));
            Typed::of(&Global::typed(&matches).unwrap(), &root).added_to(text)
        };
        let line = "acrt --state-dir /a task list --config $x";
        for (text, expected) in [
            (
                "to remove it: acrt config unset a; or `acrt task run`",
                "to remove it: acrt --state-dir /a --config '$x' config unset a; or `acrt --state-dir /a --config '$x' task run`",
            ),
            ("this acrt knows it", "this acrt knows it"),
            ("see /opt/acrt task", "see /opt/acrt task"),
        ] {
            assert_eq!(told(line, text), expected);
            assert_eq!(told("acrt task list", text), text);
        }
    }
}
