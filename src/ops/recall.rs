//! Reads and writes cached state. A failure is reported and stops nothing, because this state can be rebuilt.

use std::thread::{self, JoinHandle};

use crate::{
    error::{Error, Result},
    image::Reference,
    store::{ReadResult, file, notified::NotifiedFile, sources::SourceAnswers},
    watch::Tags,
};

use super::{App, Event, EventSink};

/// Reads the remembered tags, by canonical name.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the file cannot be read at the moment.
pub fn tags(app: &App, events: &EventSink<'_>) -> Result<Tags> {
    let tags = with_warning(app.store.tags(app.clock.now())?, events);
    Ok(own(app, tags))
}

/// The state of tags, while another thread reads it.
pub struct ReadTags(Option<JoinHandle<Result<ReadResult<Tags>>>>);

impl ReadTags {
    pub fn begin(app: &App) -> Self {
        let (store, now) = (app.store.clone(), app.clock.now());
        let reader = thread::Builder::new().name("tags".to_owned());
        Self(reader.spawn(move || store.tags(now)).ok())
    }

    /// Returns what [`tags`] does.
    ///
    /// # Errors
    ///
    /// As [`tags`].
    pub fn end(self, app: &App, events: &EventSink<'_>) -> Result<Tags> {
        match self.0.and_then(|reader| reader.join().ok()) {
            Some(read) => Ok(own(app, with_warning(read?, events))),
            None => tags(app, events),
        }
    }
}

/// Gives each tag the one name of its registry.
fn own(app: &App, tags: Tags) -> Tags {
    let is_own = |tag: &Reference| app.aliases.registry(tag.registry()) == tag.registry();
    match tags.records().keys().all(is_own) {
        true => tags,
        // Version 0.1 wrote names as the files have them, and the aliases in the config file may have changed since.
        false => tags.renamed(|tag| app.canonical(tag)),
    }
}

/// Reads the notified state of receivers.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the file cannot be read at the moment.
pub(super) fn notified(app: &App, events: &EventSink<'_>) -> Result<NotifiedFile> {
    Ok(with_warning(app.store.notified(app.clock.now())?, events))
}

/// Reads what git repositories last answered.
///
/// # Errors
///
/// [`crate::error::Kind::Failed`] where the file cannot be read at the moment.
pub(super) fn source_answers(app: &App, events: &EventSink<'_>) -> Result<SourceAnswers> {
    Ok(with_warning(
        app.store.source_answers(app.clock.now())?,
        events,
    ))
}

fn with_warning<T>(recalled: ReadResult<T>, events: &EventSink<'_>) -> T {
    if let Some(problem) = recalled.problem {
        events.send(Event::Warning(problem));
    }
    recalled.value
}

/// Stores what was seen of tags for the next look. A failure is reported, and does not invalidate the answer.
pub fn keep_tags(app: &App, tags: &Tags, events: &EventSink<'_>) {
    if let Err(error) = app.store.save_tags(tags) {
        report_unkept("cannot store what was found", &error, events);
    }
}

/// Reports that a file could not be written: only as a detail if the state directory is read-only.
pub(super) fn report_unkept(what: &str, error: &Error, events: &EventSink<'_>) {
    let text = format!("{what}: {}", error.one_line());
    events.send(if file::is_read_only(error) {
        Event::Detail(text)
    } else {
        Event::Warning(text)
    });
}
