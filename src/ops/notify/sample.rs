//! Shows the templates for receivers, and sends sample notifications.

use serde::Serialize;

use crate::{
    error::{Context as _, Error, Kind, Result},
    image::{Digest, Reference},
    notify::{
        DeliveryError, DeliveryResponse,
        preset::{self, Preset},
    },
    ops::App,
    secret::Masks,
    sys::signal::Stop,
    task::{Cause, ImageDescriptor, Run, RunId, RunStatus, TaskKey, Triggers},
    watch::{
        Baseline, ProblemKind,
        notified::{NotificationEvent, Outage},
    },
};

use super::{
    channels::{Channel, of_config},
    message::Message,
    templates::last_lines,
};

const LOG: &str = "Step 2/3 : RUN npm ci\nnpm error 404 Not Found: left-pad@9.9.9\n";

/// The templates of a service.
#[derive(Debug, Serialize)]
pub struct PresetAnswer {
    /// The value of `preset` in the config file.
    pub name: &'static str,
    #[serde(flatten)]
    preset: Preset,
}

#[derive(Debug, Serialize)]
pub struct SampleAnswer {
    receiver: String,
    event: &'static str,
    sent: String,
    /// The response of the receiver; `None` where it was not accepted.
    answer: Option<String>,
    /// Why it was not accepted, or why the templates cannot be used.
    pub error: Option<String>,
}

/// Returns the presets, or the one of this name.
///
/// # Errors
///
/// [`Kind::NotFound`] where there is none.
pub fn presets(name: Option<&str>) -> Result<Vec<PresetAnswer>> {
    let wanted = |it: &str| name.is_none_or(|name| name == it);
    let found: Vec<PresetAnswer> = preset::all()
        .filter(|(name, _)| wanted(name))
        .filter_map(|(name, _)| {
            let preset = preset::preset(name)?;
            Some(PresetAnswer { name, preset })
        })
        .collect();
    match (found.is_empty(), name) {
        (true, Some(name)) => Err(Error::new(
            Kind::NotFound,
            format!("there is no preset `{name}`"),
        )
        .hint("acrt notify presets lists them")),
        _ => Ok(found),
    }
}

pub fn events() -> Vec<&'static str> {
    NotificationEvent::ALL.iter().map(|it| it.word()).collect()
}

/// Sends a sample to every receiver of the config file, or to the one of this name.
///
/// # Errors
///
/// [`Kind::Invalid`] where such a receiver cannot be used, [`Kind::NotFound`] where the config file has none.
pub async fn test(app: &App, name: Option<&str>, event: &str) -> Result<Vec<SampleAnswer>> {
    let event = NotificationEvent::of_word(event).ok_or_else(|| {
        let text = format!("there is no event `{event}`");
        Error::invalid(text).hint(format!("name one of {}", events().join(", ")))
    })?;
    let mut channels = Vec::new();
    for (settings, channel) in app.settings.config.notify.iter().zip(of_config(app)) {
        match (name, channel) {
            (None, channel) => channels.push(channel?),
            (Some(name), Ok(channel)) if channel.name == name => channels.push(channel),
            (Some(name), Err(error)) if settings.name.as_deref() == Some(name) => {
                return Err(error);
            }
            (Some(_), _) => {}
        }
    }
    if channels.is_empty() {
        let text = match name {
            Some(name) => format!("`notify` in the config file names no receiver `{name}`"),
            None => "`notify` in the config file names no receiver".to_owned(),
        };
        let hint = "docs/notify.md shows how to name one; `acrt config list` says what there is";
        return Err(Error::new(Kind::NotFound, text).hint(hint));
    }
    let message = serde_json::to_value(message(app, event)?).unwrap_or_default();
    let mut answers = Vec::new();
    for channel in &channels {
        answers.push(sample(app, channel, event, &message).await);
    }
    Ok(answers)
}

async fn sample(
    app: &App,
    channel: &Channel,
    event: NotificationEvent,
    message: &serde_json::Value,
) -> SampleAnswer {
    let log = if event.is_of_failed_run() { LOG } else { "" };
    let (payload, broken) = channel.payload(message, || last_lines(log.as_bytes()));
    let broken = broken.map(|why| format!("cannot use its templates: {why}"));
    let never = Stop::never();
    let sent = channel.send(app, event.word(), (message, &payload), &never);
    let (answer, error) = match sent.await {
        Ok(DeliveryResponse::Printed(printed)) => (
            Some(String::from_utf8_lossy(&printed).trim().to_owned()),
            broken,
        ),
        Ok(DeliveryResponse::Answered(answer)) => (Some(answer), broken),
        Err(DeliveryError::Failed(why) | DeliveryError::Refused(why)) => {
            (None, broken.or(Some(why)))
        }
        Err(DeliveryError::Stopped) => (None, broken),
    };
    // Its `values` may be secrets, as in the answer.
    let masks = Masks::of(&payload.secrets);
    let shown = masks.hide_in_answer(payload.body.clone());
    SampleAnswer {
        receiver: channel.name.clone(),
        event: event.word(),
        sent: String::from_utf8_lossy(&shown).into_owned(),
        answer,
        error,
    }
}

/// Returns the message about a task that does not exist.
fn message(app: &App, event: NotificationEvent) -> Result<Message> {
    let cannot = || "cannot make a sample".to_owned();
    let now = app.clock.now();
    let key = TaskKey {
        registry: "registry.example.com".to_owned(),
        name: "sample".parse().context(Kind::Failed, cannot)?,
    };
    let base = "registry.example.com/base:1".parse::<Reference>();
    let base = ImageDescriptor::new(
        &base.context(Kind::Failed, cannot)?,
        Some(Digest::of(b"sample")),
    );
    let cause = Cause::Triggered(Triggers {
        images: vec![base],
        ..Triggers::default()
    });
    let mut run = Run::queued(RunId::new(1), &key.registry, &cause, now);
    run.task = Some(key.name.clone());
    let mut baseline = Baseline::default();
    if event.is_of_failed_run() {
        run.fail(
            RunStatus::Failed,
            "this is a sample: the build failed".to_owned(),
            now,
        );
        baseline.failed(run.run_id, std::collections::BTreeMap::new(), None, now);
    } else {
        run.advance(RunStatus::Succeeded, now);
    }
    Ok(match event {
        NotificationEvent::CheckFailing => {
            let silence = Outage {
                kind: ProblemKind::Silent,
                subjects: 1,
                since: Some(now),
                why: "this is a sample: it cannot be reached".to_owned(),
                hint: None,
                tasks: vec![key],
            };
            Message::of_silence("registry.example.com", &silence, now, now)
        }
        NotificationEvent::Digest => {
            let text = "since yesterday: 1 run has succeeded, none has failed";
            Message::of_digest(text.to_owned(), [key.full()], now, now)
        }
        of_a_task => Message::of_run(of_a_task, &key, &baseline, Some(&run), now),
    })
}
