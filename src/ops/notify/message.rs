//! The message of a notification; `docs/notify.md` specifies its keys.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{
    notify::Receiver,
    ops::{
        answer::{ImageUpdateAnswer, RunAnswer, resume},
        joined::counted,
    },
    page,
    sys::secret::Secret,
    task::{Run, RunId, TaskKey, TaskName, UpdatePayload},
    watch::{
        Baseline, ProblemKind,
        notified::{NotificationEvent, Outage},
    },
};

/// How many of the tasks that wait for a registry are listed.
const SHOWN: usize = 20;

/// How many tasks with the same event are listed.
const MOST_OF_GROUP: usize = 100;

/// The message of a notification. Keys are added, and never changed or removed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    schema: u32,
    event: &'static str,
    time: Timestamp,
    message: String,
    task: Option<TaskName>,
    registry: Option<String>,
    run: Option<RunAnswer>,
    resume: Option<String>,
    /// The registry or repository that does not answer, the image that is missing, or the task whose files cannot be used; or the one that
    /// has recovered.
    pub subject: Option<String>,
    /// When the problem was first seen.
    pub since: Option<Timestamp>,
    tasks: Option<Vec<String>>,
}

/// The payload for the webhook of a base image trigger.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Update {
    /// All of the data.
    Default {
        schema: u32,
        event: &'static str,
        time: Timestamp,
        task: TaskName,
        registry: String,
        image_update_trigger: Option<ImageUpdateAnswer>,
        run: Box<RunAnswer>,
        token: Option<Secret>,
    },
    /// Only the token that the endpoint expects.
    Token { token: Option<Secret> },
}

/// Adds the URL of the page for the run or the task, on the status page at `url`. The payload of az's webhooks is not changed.
pub fn lead_to_page(message: &mut Value, url: &str) {
    if message.get("message").is_none() {
        return;
    }
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let run = text("/run/runId").and_then(|id| id.parse::<RunId>().ok());
    let task = text("/task").and_then(|name| {
        Some(TaskKey {
            registry: text("/registry")?.to_owned(),
            name: name.parse().ok()?,
        })
    });
    let path = match (run, task) {
        (Some(run), _) => page::run_path(run),
        (None, Some(task)) => page::task_path(&task),
        (None, None) => "/".to_owned(),
    };
    message["url"] = format!("{}{path}", url.trim_end_matches('/')).into();
}

impl Message {
    /// Returns a message that has only a text.
    pub fn new(news: NotificationEvent, message: String, now: Timestamp) -> Self {
        Self {
            schema: 1,
            event: news.word(),
            time: now,
            message,
            ..Self::default()
        }
    }

    /// Returns the message about the result of a run.
    pub fn of_run(
        news: NotificationEvent,
        key: &TaskKey,
        baseline: &Baseline,
        run: Option<&Run>,
        now: Timestamp,
    ) -> Self {
        let failures = baseline.failure.as_ref().map_or(0, |failure| failure.count);
        let of = run.map_or_else(
            || format!("task `{key}`"),
            |run| format!("run `{}` of task `{key}`", run.run_id),
        );
        let why = run.and_then(|run| run.run_error_message.clone());
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        let text = match news {
            NotificationEvent::Success => format!("{of} has succeeded"),
            NotificationEvent::Recovery => format!("{of} has succeeded, after others had failed"),
            NotificationEvent::Failure => format!("{of} has failed{why}"),
            NotificationEvent::Stalled => {
                format!("task `{key}` has failed {failures} times in a row{why}")
            }
            NotificationEvent::StillFailing => format!("task `{key}` still fails{why}"),
            NotificationEvent::CheckFailing | NotificationEvent::Digest => of,
        };
        let cause = run.map_or(String::new(), |run| format!("; cause: {}", run.cause()));
        let text = text + &cause;
        Self {
            task: Some(key.name.clone()),
            registry: Some(key.registry.clone()),
            run: run.map(RunAnswer::from),
            resume: news.is_of_failed_run().then(|| resume(key)),
            ..Self::new(news, text, now)
        }
    }

    /// Returns the message about the same event of several tasks in one round, caused by the same base where `base` names one.
    pub fn of_group(
        news: NotificationEvent,
        base: Option<&str>,
        tasks: &[&TaskKey],
        now: Timestamp,
    ) -> Self {
        let many = tasks.len();
        let cause = base.map_or(String::new(), |base| format!(": `{base}` has moved"));
        let text = match news {
            NotificationEvent::Success => format!("{many} tasks have succeeded{cause}"),
            NotificationEvent::Recovery => {
                format!("{many} tasks have succeeded, after others had failed")
            }
            NotificationEvent::Failure => format!("{many} tasks have failed{cause}"),
            NotificationEvent::Stalled => format!("{many} tasks have failed many times in a row"),
            NotificationEvent::StillFailing => format!("{many} tasks still fail"),
            NotificationEvent::CheckFailing | NotificationEvent::Digest => {
                format!("{many} tasks wait")
            }
        };
        let tasks = tasks.iter().take(MOST_OF_GROUP).map(|key| key.full());
        Self {
            tasks: Some(tasks.collect()),
            ..Self::new(news, text, now)
        }
    }

    /// Returns the digest message for the time since `since`.
    pub fn of_digest(
        text: String,
        rebuilt: impl IntoIterator<Item = String>,
        since: Timestamp,
        now: Timestamp,
    ) -> Self {
        let rebuilt = rebuilt.into_iter().take(MOST_OF_GROUP);
        Self {
            since: Some(since),
            tasks: Some(rebuilt.collect()),
            ..Self::new(NotificationEvent::Digest, text, now)
        }
    }

    /// Returns the message about a registry or repository that does not answer, an image that is missing, or a task whose files cannot be
    /// used.
    pub fn of_silence(subject: &str, silence: &Outage, since: Timestamp, now: Timestamp) -> Self {
        let why = &silence.why;
        let concerned = counted(silence.tasks.len(), "task");
        let waiting = match silence.tasks.len() {
            1 => "1 task waits".to_owned(),
            _ => format!("{concerned} wait"),
        };
        let (what, is, images) = match silence.subjects {
            1 => (format!("`{subject}`"), "is", "image"),
            many => (format!("{many} {subject}"), "are", "images"),
        };
        let text = match silence.kind {
            ProblemKind::Silent => format!("`{subject}` does not say what {waiting} for: {why}"),
            ProblemKind::Gone => format!("{what} {is} missing for {concerned}: {why}"),
            ProblemKind::NoImage => format!("{what} {is} no {images}, for {concerned}: {why}"),
            ProblemKind::Unverified => {
                format!("{what} {is} not vouched for, which {waiting} for: {why}")
            }
            ProblemKind::Builder => format!("{subject} does not answer, for {concerned}: {why}"),
            ProblemKind::Files => {
                let whose = match silence.subjects {
                    1 => subject,
                    _ => &concerned,
                };
                format!("it is not known what {whose} depends on: {why}")
            }
        };
        let tasks = silence.tasks.iter().take(SHOWN).map(TaskKey::full);
        Self {
            subject: Some(subject.to_owned()),
            since: Some(since),
            tasks: Some(tasks.collect()),
            ..Self::new(NotificationEvent::CheckFailing, text, now)
        }
    }
}

/// Adds the main fields of the message to the environment of a program, so that a one-line script needs no JSON.
pub fn with_variables(receiver: &Receiver, message: &serde_json::Value) -> Receiver {
    let Receiver::Command(line) = receiver else {
        return receiver.clone();
    };
    let text = |pointer: &str| {
        let value = message.pointer(pointer).and_then(|value| value.as_str());
        value.unwrap_or_default().to_owned()
    };
    let line = line
        .clone()
        .env("ACRT_EVENT", text("/event"))
        .env("ACRT_MESSAGE", text("/message"))
        .env("ACRT_TASK", text("/task"))
        .env("ACRT_REGISTRY", text("/registry"))
        .env("ACRT_RUN_ID", text("/run/runId"))
        .env("ACRT_IMAGES", pushed_images(message).join(" "));
    Receiver::Command(line)
}

/// Returns the first of the images whose update caused a run.
pub fn base_of(run: &Run) -> Option<String> {
    let cause = run.image_update_trigger.as_ref()?;
    Some(cause.images.first()?.tagged())
}

/// Returns the images that the run of a message pushed, by their digests.
pub(super) fn pushed_images(message: &Value) -> Vec<String> {
    let images = message.pointer("/run/outputImages");
    let images = images.and_then(Value::as_array).into_iter().flatten();
    images.filter_map(pinned_name).collect()
}

/// Returns an image that a run pushed, by its digest, as `registry/repository@sha256:…`.
fn pinned_name(image: &Value) -> Option<String> {
    let text = |key: &str| image[key].as_str();
    let name = format!("{}/{}", text("registry")?, text("repository")?);
    Some(format!("{name}@{}", text("digest")?))
}

/// Returns the payload about a run for the webhook of a base image trigger.
pub fn update(
    payload: UpdatePayload,
    token: Option<Secret>,
    key: &TaskKey,
    run: &Run,
    now: Timestamp,
) -> Update {
    match payload {
        UpdatePayload::Token => Update::Token { token },
        UpdatePayload::Default => Update::Default {
            schema: 1,
            event: "image-update",
            time: now,
            task: key.name.clone(),
            registry: key.registry.clone(),
            image_update_trigger: run.image_update_trigger.as_ref().map(Into::into),
            run: Box::new(run.into()),
            token,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TaskKey {
        TaskKey {
            registry: "r.io".into(),
            name: "web".parse().unwrap(),
        }
    }

    #[test]
    fn outage_notification_names_the_registry_and_its_waiting_tasks() {
        let silence = Outage {
            kind: ProblemKind::Silent,
            subjects: 1,
            since: None,
            why: "it cannot be reached".into(),
            hint: None,
            tasks: vec![key()],
        };
        let epoch = Timestamp::UNIX_EPOCH;
        let message = Message::of_silence("docker.io", &silence, epoch, epoch);
        let message = serde_json::to_value(message).unwrap();
        assert_eq!(
            message["message"],
            "`docker.io` does not say what 1 task waits for: it cannot be reached"
        );
        assert_eq!(message["tasks"][0], "r.io/web");
        assert_eq!(message["run"], serde_json::Value::Null);
    }

    #[test]
    fn notification_links_to_its_run_or_task_page_and_an_az_update_does_not() {
        let led = |mut message: Value| {
            lead_to_page(&mut message, "https://acrt.lan/");
            message["url"].as_str().map(str::to_owned)
        };
        let task = serde_json::json!({"message": "x", "task": "web", "registry": "r.io:5000"});
        let of_task = "https://acrt.lan/task?registry=r.io%3A5000&name=web";
        assert_eq!(led(task.clone()).as_deref(), Some(of_task));
        let mut run = task;
        run["run"] = serde_json::json!({"runId": "ca7"});
        assert_eq!(led(run).as_deref(), Some("https://acrt.lan/runs/ca7"));
        let other = serde_json::json!({"message": "r.io does not answer"});
        assert_eq!(led(other).as_deref(), Some("https://acrt.lan/"));
        assert_eq!(led(serde_json::json!({"token": "x"})), None);
    }

    #[test]
    fn notification_names_images_by_what_was_pushed() {
        let image = serde_json::json!({"registry": "r.io", "repository": "a/web", "tag": "1", "digest": "sha256:0"});
        assert_eq!(pinned_name(&image).unwrap(), "r.io/a/web@sha256:0");
        assert_eq!(pinned_name(&serde_json::json!({"registry": "r.io"})), None);
    }
}
