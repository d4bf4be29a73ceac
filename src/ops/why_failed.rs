//! Completes the error of a failed run: adds the last lines of its builder, and what to do.

use crate::{
    builder::{
        BuildRequest, Builder, Purpose, has_lost_its_daemon, is_out_of_disk, lacks_netavark,
        refusal,
    },
    error::Error,
    registry::LookupError,
    task::TaskKey,
};

use super::{App, answer::resume, chain::ImageMakers, commands::FailedCommand};

/// The last lines of a builder's output.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct BuilderWords {
    text: String,
    is_out_of_disk: bool,
    has_lost_its_daemon: bool,
}

/// Returns whether a builder has failed because its disk is full.
pub fn has_no_disk(error: &Error) -> bool {
    let words = error.find::<BuilderWords>();
    words.is_some_and(|words| words.is_out_of_disk)
}

/// Returns whether a builder's client has lost its daemon during a build; the daemon may be back by now.
pub fn has_lost_the_builder(error: &Error) -> bool {
    let words = error.find::<BuilderWords>();
    words.is_some_and(|words| words.has_lost_its_daemon)
}

/// Adds the last lines of a builder, and how to give it a login if a registry has refused it, or the package that it lacks.
pub fn with_last_words(
    error: Error,
    command: &FailedCommand,
    builder: &Builder,
    purpose: &Purpose,
    request: &BuildRequest,
) -> Error {
    let said = &command.said;
    if said.is_empty() {
        return error;
    }
    let is_last = |is_it: fn(&str) -> bool| command.last.as_deref().is_some_and(is_it);
    let refused = refusal(said, purpose, request.bases.keys());
    let error = error.because(BuilderWords {
        text: said.join("; "),
        is_out_of_disk: is_last(is_out_of_disk),
        has_lost_its_daemon: is_last(has_lost_its_daemon),
    });
    match refused {
        Some(refused) => {
            let plain_http = request.plain_http.contains(&refused.registry);
            error.hint(format!(
                "give it a login: {}",
                refused.login(builder.kind(), plain_http)
            ))
        }
        None if is_last(lacks_netavark) => {
            error.hint("install what the builder needs: apt-get install netavark")
        }
        None => error,
    }
}

/// Returns which task makes the image that a run has missed, if one does.
pub fn maker_of_missing(app: &App, key: &TaskKey, error: &Error) -> Option<String> {
    let missing = error.find::<LookupError>().filter(|it| it.is_absent())?;
    let image = missing.asked().image.parse().ok()?;
    let others = ImageMakers::of(app).others_that_push(key, &[image]).ok()?;
    Some(made_by(others.first()?))
}

/// Says which task makes a missing image, and how to run it.
pub fn made_by(maker: &TaskKey) -> String {
    let (name, run) = (&maker.name, resume(maker));
    format!("task `{name}` makes it: {run} (or: acrt task run --all)")
}
