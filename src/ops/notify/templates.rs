//! The format of notifications: the message as JSON, or what a receiver's templates make of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    error::{Error, Result},
    notify::{NotificationPayload, preset},
    ops::{credential::resolved, joined::joined},
    steps::{InvalidTaskFile, render::Renderer},
    sys::{
        config::NotifySettings,
        secret::{Secret, is_place},
    },
    watch::notified::NotificationEvent,
};

use super::message::pushed_images;

/// How many of the last lines of a log are in a message.
pub const LOG_LINES: usize = 10;

/// The maximum length of such a line, in characters.
const LONGEST_LINE: usize = 300;

#[derive(Debug)]
pub struct MessageTemplates {
    title: Option<String>,
    body: Option<String>,
    headers: BTreeMap<String, String>,
    values: BTreeMap<String, Secret>,
    /// The values of headers that come from variables and files.
    secret_headers: Vec<Secret>,
}

impl MessageTemplates {
    /// Reads the templates of a receiver; `None` where it has none.
    ///
    /// # Errors
    ///
    /// [`crate::error::Kind::Invalid`](crate::error::Kind::Invalid) where the preset does not exist, or a required value, a variable or a file is missing.
    pub fn of(settings: &NotifySettings, what: &str) -> Result<Option<Self>> {
        let preset = match &settings.preset {
            None => None,
            Some(name) => Some(preset::preset(name).ok_or_else(|| {
                let known = joined(preset::all().map(|(name, _)| name), ", ");
                unusable(
                    what,
                    format!("there is no preset `{name}`; there are {known}"),
                )
            })?),
        };
        if preset.is_none()
            && settings.title.is_none()
            && settings.body.is_none()
            && settings.headers.is_empty()
        {
            return Ok(None);
        }
        let preset = preset.unwrap_or_default();
        let mut headers = preset.headers;
        headers.extend(settings.headers.clone());
        let mut values = BTreeMap::new();
        for (name, value) in &settings.values {
            let value = resolved(&Secret::new(value.clone()), &format!("`{name}` of {what}"))?;
            values.insert(name.clone(), value);
        }
        if let Some(missing) = preset
            .values
            .iter()
            .find(|name| !values.contains_key(*name))
        {
            return Err(unusable(
                what,
                format!("its preset needs `{missing}` in `values`"),
            ));
        }
        let mut secret_headers = Vec::new();
        for value in headers.values_mut().filter(|value| is_place(value)) {
            let secret = resolved(&Secret::new(value.clone()), what)?;
            *value = secret.reveal().to_owned();
            secret_headers.push(secret);
        }
        let body = settings.body.clone();
        Ok(Some(Self {
            title: settings.title.clone().or(preset.title),
            body: body.or(Some(preset.body).filter(|body| !body.is_empty())),
            headers,
            values,
            secret_headers,
        }))
    }

    /// Fills in the templates. The error says what is wrong with a template, with the line.
    pub fn fill(&self, message: &Value, log: &[String]) -> Result<NotificationPayload, String> {
        let mut data = data(message, log);
        data["Values"] = self
            .values
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.reveal())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        if let Some(title) = &self.title {
            data["Title"] = filled(title, &data, "title")?.into();
        }
        let mut secrets: Vec<Secret> = self.values.values().cloned().collect();
        secrets.extend_from_slice(&self.secret_headers);
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let value = filled(template, &data, &format!("header `{name}`"))?;
            if name.eq_ignore_ascii_case("authorization") {
                secrets.extend(value.split_whitespace().last().map(Secret::new));
            }
            headers.push((name.clone(), value));
        }
        Ok(NotificationPayload {
            headers,
            body: match &self.body {
                Some(body) => filled(body, &data, "body")?.into_bytes(),
                None => message.to_string().into_bytes(),
            },
            secrets,
        })
    }
}

/// Returns the message as it is, for a receiver without templates.
pub fn plain(message: &Value) -> NotificationPayload {
    NotificationPayload {
        body: message.to_string().into_bytes(),
        ..NotificationPayload::default()
    }
}

fn filled(template: &str, data: &Value, of: &str) -> Result<String, String> {
    let renderer = Renderer::of(data)
        .with("markdown", markdown)
        .with("mrkdwn", mrkdwn)
        .with_number("fit", fit);
    let text = renderer.fill(template.to_owned());
    let text = text.map_err(|problem: InvalidTaskFile| format!("its {of}: {problem}"))?;
    Ok(text.reveal().to_owned())
}

/// Returns the variables of templates, as listed in `docs/notify.md`.
fn data(message: &Value, log: &[String]) -> Value {
    let text = |pointer: &str| {
        let value = message.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let event = text("/event");
    let subject = [text("/task"), text("/subject")];
    let subject = subject.into_iter().find(|it| !it.is_empty());
    let title = match subject {
        Some(subject) => format!("{}: {event}", sanitize(&subject)),
        None => event.clone(),
    };
    json!({
        "Event": event,
        "Good": NotificationEvent::of_word(&event).is_some_and(NotificationEvent::is_good),
        "Time": text("/time"),
        "Title": title,
        "Message": sanitize(&text("/message")),
        "Task": text("/task"),
        "Registry": text("/registry"),
        "RunID": text("/run/runId"),
        "Status": text("/run/status"),
        "Base": text("/run/baseUpdates/0/image"),
        "Old": text("/run/baseUpdates/0/previousDigest"),
        "New": text("/run/baseUpdates/0/digest"),
        "Cause": text("/run/cause"),
        "Images": pushed_images(message),
        "Log": log.iter().map(|line| sanitize(line)).collect::<Vec<_>>(),
        "Subject": sanitize(&text("/subject")),
        "Since": text("/since"),
        "Tasks": message["tasks"],
        "Resume": text("/resume"),
        "Url": text("/url"),
    })
}

/// Returns the last lines of a log, each cut to the maximum length.
pub fn last_lines(log: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let first = lines.len().saturating_sub(LOG_LINES);
    let short = |line: &&str| line.chars().take(LONGEST_LINE).collect();
    lines[first..].iter().map(short).collect()
}

/// Removes control characters, which neither a chat nor a header can show and the template engine may use itself.
fn sanitize(text: &str) -> String {
    let is_text =
        |c: &char| *c == '\n' || !(c.is_control() || matches!(c, '\u{fdd0}' | '\u{fdd1}'));
    text.chars().filter(is_text).collect()
}

/// Escapes Slack's markup: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.
fn mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Escapes the punctuation of Markdown (CommonMark 0.31, section 2.4), and `@`, by which chats mention people.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '<' | '>' | '#' | '+'
            | '!' | '|' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.push_str("@\u{200b}"),
            c => out.push(c),
        }
    }
    out
}

/// Cuts a text to a number of bytes, because services count bytes.
fn fit(most: usize, text: &str) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub('…'.len_utf8()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    format!("{}…", &text[..end.unwrap_or_default()])
}

/// Returns an error about a receiver of the config file.
pub(super) fn unusable(what: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("cannot use {what}: {why}")).hint("docs/notify.md shows what it may say")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and logs with all that is dangerous in them.
    fn hostile() -> Value {
        json!({
            "event": "failure",
            "time": "2026-01-25T05:50:51Z",
            "message": "run `ca7` of task `web` has failed: </b> <!channel> @everyone \"quoted\" \\ {{.Values}} \u{1b}[31m ```",
            "task": "web",
            "registry": "r.io",
            "run": {"runId": "ca7", "status": "Failed", "outputImages": null},
            "tasks": null,
            "resume": "acrt task run --name web --registry r.io",
        })
    }

    fn templates(preset: &str) -> MessageTemplates {
        let settings = NotifySettings {
            preset: Some(preset.to_owned()),
            values: [("chat", "-100\"7"), ("token", "AbC")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..NotifySettings::default()
        };
        MessageTemplates::of(&settings, "it").unwrap().unwrap()
    }

    fn log() -> Vec<String> {
        let long = vec!["x ``` </pre> <script> \u{202e}\u{7}".repeat(20); 30].join("\n");
        last_lines(long.as_bytes())
    }

    fn json_of(preset: &str) -> Value {
        let payload = templates(preset).fill(&hostile(), &log()).unwrap();
        serde_json::from_slice(&payload.body).unwrap_or_else(|why| {
            panic!(
                "{preset}: {why}: {}",
                String::from_utf8_lossy(&payload.body)
            )
        })
    }

    #[test]
    fn slack_message_mentions_nobody() {
        let text = json_of("slack")["text"].as_str().unwrap().to_owned();
        assert!(text.starts_with("*web: failure*\n"), "{text}");
        assert!(!text.contains("<!channel>") && text.contains("&lt;!channel&gt;"));
        assert!(
            text.len() < 40_000 && text.matches("```\n").count() == 2,
            "{text}"
        );
    }

    #[test]
    fn discord_message_is_an_embed_within_its_limits() {
        let body = json_of("discord");
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
        let embed = &body["embeds"][0];
        let length = |key: &str| embed[key].as_str().unwrap().encode_utf16().count();
        assert!((1..=256).contains(&length("title")), "{embed}");
        assert!((1..=4096).contains(&length("description")), "{embed}");
        assert_eq!(embed["color"], 15_158_332);
        assert!(embed["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn teams_message_is_an_adaptive_card_under_28_kb() {
        let body = json_of("teams");
        let attachment = &body["attachments"][0];
        assert_eq!(body["type"], "message");
        assert_eq!(
            attachment["contentType"],
            "application/vnd.microsoft.card.adaptive"
        );
        assert_eq!(attachment["content"]["type"], "AdaptiveCard");
        assert!(body.to_string().len() < 28_000);
    }

    #[test]
    fn ntfy_message_is_under_4096_bytes_with_its_headers() {
        let payload = templates("ntfy").fill(&hostile(), &log()).unwrap();
        assert!(payload.body.len() < 4096 && payload.body.starts_with(b"run `ca7`"));
        let header = |name: &str| {
            let found = payload.headers.iter().find(|(known, _)| known == name);
            found.unwrap().1.clone()
        };
        assert_eq!(header("Title"), "web: failure");
        assert_eq!(
            (header("Priority").as_str(), header("Tags").as_str()),
            ("high", "warning")
        );
    }

    #[test]
    fn telegram_message_is_valid_html() {
        let body = json_of("telegram");
        assert_eq!(
            (body["chat_id"].as_str(), body["parse_mode"].as_str()),
            (Some("-100\"7"), Some("HTML"))
        );
        let text = body["text"].as_str().unwrap();
        assert_eq!(text.matches('<').count(), 6, "{text}");
        assert!(text.encode_utf16().count() < 4096 + 4 * text.matches('&').count());
    }

    #[test]
    fn gotify_message_has_its_token_in_a_header() {
        let payload = templates("gotify").fill(&hostile(), &[]).unwrap();
        assert_eq!(
            payload.headers,
            [("X-Gotify-Key".to_owned(), "AbC".to_owned())]
        );
        let body: Value = serde_json::from_slice(&payload.body).unwrap();
        assert_eq!(
            (body["title"].as_str(), body["priority"].as_i64()),
            (Some("web: failure"), Some(7))
        );
    }

    #[test]
    fn unknown_preset_and_preset_without_a_needed_value_are_refused() {
        let of = |preset: &str| {
            let settings = NotifySettings {
                preset: Some(preset.to_owned()),
                ..NotifySettings::default()
            };
            MessageTemplates::of(&settings, "`ops`")
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            of("telegram"),
            "cannot use `ops`: its preset needs `chat` in `values`"
        );
        assert!(of("slak").contains("there is no preset `slak`; there are discord, gotify"));
    }

    #[test]
    fn invalid_notification_template_is_reported_with_its_position() {
        let settings = NotifySettings {
            body: Some("# a heading\n{{ .Task | nosuch }}".to_owned()),
            ..NotifySettings::default()
        };
        let templates = MessageTemplates::of(&settings, "it").unwrap().unwrap();
        let why = templates.fill(&hostile(), &[]).unwrap_err();
        assert!(
            why.starts_with("its body: ") && why.contains("nosuch"),
            "{why}"
        );
        let settings = NotifySettings {
            body: Some("# {{ .Task }} {{ len .Log }} {{ .Nothing }}".to_owned()),
            ..NotifySettings::default()
        };
        let templates = MessageTemplates::of(&settings, "it").unwrap().unwrap();
        assert_eq!(templates.fill(&hostile(), &[]).unwrap().body, b"# web 0 ");
    }

    #[test]
    fn notification_text_is_cut_between_characters() {
        assert_eq!(fit(10, "äöü"), "äöü");
        assert_eq!(fit(5, "äöü"), "ä…");
        assert_eq!(fit(1, "abc"), "…");
    }
}
