//! The receivers of notifications: those of the config file, and the hooks of tasks.

use std::path::PathBuf;

use crate::{
    builder::docker_client,
    error::{Error, Result},
    image::Digest,
    notify::{Address, DeliveryError, DeliveryResponse, NotificationPayload, Receiver, deliver},
    ops::{App, adopt::compose_call, credential::resolved},
    sys::{
        command::CommandLine,
        config::{DigestTime, NotificationKind, NotifySettings},
        environment, process,
        secret::{Secret, is_place},
        signal::Stop,
    },
    task::{SourceKind, Task, TaskKey, TaskSource, UpdatePayload},
    watch::notified::NotificationEvent,
};

use super::{
    message::with_variables,
    templates::{MessageTemplates, plain, unusable},
};

/// The events for receivers that name none.
const BY_DEFAULT: [NotificationEvent; 4] = [
    NotificationEvent::Failure,
    NotificationEvent::Recovery,
    NotificationEvent::Stalled,
    NotificationEvent::CheckFailing,
];

pub struct Channel {
    /// The key of its state; another receiver has another id.
    pub id: String,
    /// Its name in messages.
    pub name: String,
    pub receiver: Receiver,
    pub on: Vec<NotificationEvent>,
    of: ChannelScope,
    pub shape: Payload,
    /// The templates for its messages; `None` sends the message as it is.
    pub templates: Option<MessageTemplates>,
    /// Whether the same event of several tasks in one round is one message.
    pub groups: bool,
    /// After how many days a reminder of a task that still fails is sent.
    pub remind_days: Option<u32>,
    pub digest: Option<DigestTime>,
    /// The service, as `key`, that its command recreates, and the command that lists the running containers of the service.
    compose: Option<(Box<TaskSource>, CommandLine)>,
}

/// Of which tasks it is notified.
pub enum ChannelScope {
    /// Tasks of these names, or `registry/name`; all if empty.
    Named(Vec<String>),
    One(TaskKey),
}

pub enum Payload {
    /// The message as specified in `docs/notify.md`.
    Message,
    /// The payload of az's update trigger, for runs that a base update caused.
    Update(UpdatePayload, Option<Secret>),
}

/// Tells whether `full`, a name or `registry/name`, is that of a task.
fn is_name_of(app: &App, full: &str, task: &TaskKey) -> bool {
    let (registry, name) = match full.rsplit_once('/') {
        Some((registry, name)) => (Some(registry), name),
        None => (None, full),
    };
    task.name.as_str() == name
        && registry.is_none_or(|one| app.is_same_registry(one, &task.registry))
}

impl Channel {
    /// Returns a receiver of each success of one task, and of nothing else.
    fn after_success(key: TaskKey, receiver: Receiver) -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            receiver,
            on: vec![NotificationEvent::Success],
            of: ChannelScope::One(key),
            shape: Payload::Message,
            templates: None,
            groups: false,
            remind_days: None,
            digest: None,
            compose: None,
        }
    }

    /// Returns the payload, and what is wrong with its templates. If these are broken, the message is sent as it is: a plain message is
    /// better than none. `log` is asked for the last lines of the run if templates are filled in.
    pub fn payload(
        &self,
        message: &serde_json::Value,
        log: impl FnOnce() -> Vec<String>,
    ) -> (NotificationPayload, Option<String>) {
        let filled = self.templates.as_ref().map(|it| it.fill(message, &log()));
        let (mut payload, why) = match filled {
            Some(Ok(payload)) => (payload, None),
            Some(Err(why)) => (plain(message), Some(why)),
            None => (plain(message), None),
        };
        if let Payload::Update(_, token) = &self.shape {
            payload.secrets.extend(token.clone());
        }
        (payload, why)
    }

    /// Sends one message with its payload. The error says why it was not accepted, without secrets.
    pub async fn send(
        &self,
        app: &App,
        event: &str,
        (message, payload): (&serde_json::Value, &NotificationPayload),
        stop: &Stop,
    ) -> Result<DeliveryResponse, DeliveryError> {
        let receiver = match with_variables(&self.receiver, message) {
            Receiver::Command(line) => match self.as_running(app, line).await? {
                Some(line) => Receiver::Command(app.within_reach(line)),
                None => return Ok(DeliveryResponse::Printed(Vec::new())),
            },
            webhook @ Receiver::Webhook { .. } => webhook,
        };
        deliver(&receiver, event, payload, &app.clock, stop).await
    }

    /// Returns the command as it has to be called now: the one of docker compose keeps the number of containers, and is not called (`None`)
    /// for a service that is not running.
    async fn as_running(
        &self,
        app: &App,
        line: CommandLine,
    ) -> Result<Option<CommandLine>, DeliveryError> {
        let Some((source, question)) = &self.compose else {
            return Ok(Some(line));
        };
        let reply = process::ask(&app.within_reach(question.clone())).await;
        let reply = reply.map_err(|error| DeliveryError::Failed(error.one_line()))?;
        if !reply.succeeded() {
            return Err(DeliveryError::Failed(reply.problem()));
        }
        let running = reply.text().split_whitespace().count();
        if running == 0 {
            return Ok(None);
        }
        // Each time: the owner of the files and the environment may be others than when the task was adopted.
        let mut line = compose_call(source, line).map_err(DeliveryError::Failed)?;
        if running > 1 {
            let before_service = line.args.len().saturating_sub(2);
            let scale = format!("--scale={}={running}", source.key);
            line.args.insert(before_service, scale.into());
        }
        Ok(Some(line))
    }

    pub fn hears_of(&self, app: &App, task: &TaskKey) -> bool {
        match &self.of {
            ChannelScope::Named(names) => {
                names.is_empty() || names.iter().any(|name| is_name_of(app, name, task))
            }
            ChannelScope::One(key) => key == task,
        }
    }

    /// Returns the names it has of tasks that are none of `tasks`: it is notified of nothing for them.
    pub fn names_without_a_task(&self, app: &App, tasks: &[TaskKey]) -> Vec<&str> {
        let names = match &self.of {
            ChannelScope::Named(names) => names.as_slice(),
            ChannelScope::One(_) => &[],
        };
        let names = names.iter().map(String::as_str);
        names
            .filter(|name| !tasks.iter().any(|task| is_name_of(app, name, task)))
            .collect()
    }

    /// Returns whether it is notified of registries, repositories and images that affect tasks.
    pub fn hears_of_registries(&self) -> bool {
        !matches!(self.of, ChannelScope::One(_))
            && self.on.contains(&NotificationEvent::CheckFailing)
    }
}

/// The receivers that can be used, and why others cannot: a variable that is unset must not silence the others.
#[derive(Default)]
pub struct Channels {
    pub usable: Vec<Channel>,
    pub broken: Vec<Error>,
}

impl Channels {
    pub fn of<'t>(app: &App, tasks: impl Iterator<Item = &'t Task>) -> Self {
        let mut channels = Self::default();
        of_config(app).for_each(|channel| channels.take(channel));
        for task in tasks {
            let own = if task.on_success.is_empty() {
                &app.settings.config.on_success
            } else {
                &task.on_success
            };
            channels.usable.extend(hook(task, own));
            channels.usable.extend(compose_up(app, task));
            if let Some(channel) = update_trigger(app, task).transpose() {
                channels.take(channel);
            }
        }
        channels
    }

    fn take(&mut self, channel: Result<Channel>) {
        match channel {
            Ok(channel) => self.usable.push(channel),
            Err(error) => self.broken.push(error),
        }
    }
}

/// Returns the program that a task starts when it has succeeded.
fn hook(task: &Task, command: &[String]) -> Option<Channel> {
    let (program, arguments) = command.split_first()?;
    let line = CommandLine::new(program).args(arguments.iter().cloned());
    let key = task.key();
    Some(Channel {
        id: format!("on-success {} {}", key.full(), short(&command.join("\0"))),
        name: format!("the program `{program}` that task `{key}` starts after success"),
        ..Channel::after_success(key, Receiver::Command(of_service(line, task)))
    })
}

/// Adds the compose project and the service to the environment of a program, if the task was adopted from a compose file.
fn of_service(line: CommandLine, task: &Task) -> CommandLine {
    let source = task.source.as_ref();
    match source.filter(|source| source.kind == SourceKind::Compose) {
        None => line,
        Some(source) => line
            .env("ACRT_COMPOSE_FILE", source.path.display().to_string())
            .env("ACRT_COMPOSE_PROJECT", source.project.clone())
            .env("ACRT_COMPOSE_SERVICE", source.key.clone()),
    }
}

/// Begins a call of docker that is about the daemon with the images of a task, and one of docker compose: docker's plugin, else the separate
/// program that some systems still have, which takes the same options for the daemon.
fn programs(app: &App, task: &Task) -> (CommandLine, CommandLine) {
    const SYSTEM: [&str; 4] = [
        "/usr/local/lib/docker",
        "/usr/local/libexec/docker",
        "/usr/lib/docker",
        "/usr/libexec/docker",
    ];
    let config = environment::variable("DOCKER_CONFIG").map(PathBuf::from);
    let home = environment::variable("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let mut folders = SYSTEM.iter().map(PathBuf::from).chain(config).chain(home);
    let has_plugin = folders.any(|it| it.join("cli-plugins/docker-compose").exists());
    let docker = match docker_client(&builder_with_images(app, task), &app.settings) {
        Some(client) => client.call(&[]),
        None => CommandLine::new("docker"),
    };
    let mut compose = docker.clone();
    match process::find("docker-compose", &app.settings.path).filter(|_| !has_plugin) {
        Some(program) => compose.program = program,
        None => compose = compose.arg("compose"),
    }
    (docker, compose)
}

/// Returns the builder that has the images of a local task; of a pool, the builder of the task's last run.
fn builder_with_images(app: &App, task: &Task) -> String {
    let name = app.builder_of(task).unwrap_or_else(|| "docker".to_owned());
    if !app.settings.config.pools.contains_key(&name) {
        return name;
    }
    let baseline = app.store.baseline(&task.key()).unwrap_or_default();
    let run = baseline.run_id.and_then(|id| app.store.run(id).ok()?);
    run.and_then(|run| run.builder).unwrap_or(name)
}

/// Returns the commands that restart the running services with the image of a task, one for each; docker compose leaves a service alone if
/// its image is the same.
fn compose_up(app: &App, task: &Task) -> Vec<Channel> {
    let source = task.source.as_ref().filter(|source| source.compose_up);
    let Some((source, folder)) = source.and_then(|it| Some((it, it.path.parent()?))) else {
        return Vec::new();
    };
    let is_default = source
        .path
        .file_stem()
        .is_some_and(|name| ["compose", "docker-compose"].iter().any(|it| name == *it));
    let files = if source.files.is_empty() && !is_default {
        vec![source.path.clone()]
    } else {
        source.files.clone()
    };
    let (docker, compose) = programs(app, task);
    let line = compose.arg("--project-name").arg(&source.project);
    let mut compose = files
        .iter()
        .fold(line, |line, file| line.arg("--file").arg(file));
    // docker compose looks for its files in the current folder.
    compose.dir = Some(folder.to_owned());
    let label = |of: &str, value: &str| format!("label=com.docker.compose.{of}={value}");
    let key = task.key();
    let of_service = |service: &String| {
        let running = docker
            .clone()
            .args(["ps", "--quiet", "--filter", "status=running"])
            .flag("--filter", label("project", &source.project))
            // Not those of `docker compose run`.
            .flag("--filter", label("oneoff", "False"))
            .flag("--filter", label("service", service));
        let up = ["up", "--detach", "--no-deps", "--no-build", "--"];
        let up = compose.clone().args(up).arg(service);
        let id = format!("compose-up {}", key.full());
        let source_of_service = TaskSource {
            key: service.clone(),
            ..TaskSource::clone(source)
        };
        Channel {
            id: if *service == source.key {
                id
            } else {
                format!("{id} {service}")
            },
            name: format!("docker compose, which recreates service `{service}`"),
            compose: Some((Box::new(source_of_service), running)),
            ..Channel::after_success(key.clone(), Receiver::Command(up))
        }
    };
    let services = std::iter::once(&source.key).chain(&source.services);
    services.map(of_service).collect()
}

/// Returns the webhook of a task's base image trigger.
fn update_trigger(app: &App, task: &Task) -> Result<Option<Channel>> {
    let trigger = task.trigger.base_image_trigger.as_ref();
    let Some(payload) = trigger.and_then(|trigger| trigger.update_trigger_payload_type) else {
        return Ok(None);
    };
    let key = task.key();
    let secrets = app.store.secrets(&key)?;
    let Some(endpoint) = &secrets.update_trigger_endpoint else {
        return Ok(None);
    };
    let what = format!("the update trigger endpoint of task `{key}`");
    let url = resolved(endpoint, &what)?;
    let url = Address::parse(url.reveal()).map_err(|problem| unusable(&what, problem))?;
    Ok(Some(Channel {
        id: format!("update-trigger {} {}", key.full(), short(endpoint.reveal())),
        name: format!("{url}"),
        shape: Payload::Update(payload, secrets.update_trigger_token),
        ..Channel::after_success(key, Receiver::Webhook { url, secret: None })
    }))
}

/// Returns each receiver of the config file, or why it cannot be used.
pub fn of_config(app: &App) -> impl Iterator<Item = Result<Channel>> {
    let all = app.settings.config.notify.iter().enumerate();
    all.map(|(place, settings)| configured(settings, place))
}

/// Refuses receivers that no command could use, whatever is in the variables and files that they name.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] with the receiver.
pub fn check(receivers: &[NotifySettings]) -> Result<()> {
    for (place, settings) in receivers.iter().enumerate() {
        let mut settings = settings.clone();
        settings.secret = None;
        let url = settings.url.iter_mut().filter(|url| is_place(url));
        url.for_each(|url| *url = "https://localhost/".to_owned());
        let values = settings.values.values_mut();
        let values = values.chain(settings.headers.values_mut());
        values
            .filter(|value| is_place(value))
            .for_each(|value| *value = "-".to_owned());
        configured(&settings, place)?;
    }
    Ok(())
}

fn configured(settings: &NotifySettings, place: usize) -> Result<Channel> {
    let what = match &settings.name {
        Some(name) => format!("`{name}` of `notify` in the config file"),
        None => format!("entry {} of `notify` in the config file", place + 1),
    };
    let (receiver, kept) = match (settings.command.split_first(), &settings.url) {
        (Some((program, arguments)), None) => {
            let line = CommandLine::new(program).args(arguments.iter().cloned());
            (Receiver::Command(line), settings.command.join("\0"))
        }
        (None, Some(url)) => {
            let read = resolved(&Secret::new(url.clone()), &what)?;
            let url = Address::parse(read.reveal()).map_err(|why| unusable(&what, why))?;
            let place = settings.secret.as_ref();
            let secret = place.map(|place| place.read(&format!("the secret of {what}")));
            let secret = secret.transpose()?;
            (Receiver::Webhook { url, secret }, read.reveal().to_owned())
        }
        _ => {
            return Err(unusable(&what, "it must have either `command` or `url`"));
        }
    };
    let on = match &settings.on {
        Some(on) => on.iter().copied().map(news_of).collect(),
        None => BY_DEFAULT.to_vec(),
    };
    let name = settings.name.clone();
    let templates = MessageTemplates::of(settings, &what)?;
    Ok(Channel {
        groups: settings.group.unwrap_or(templates.is_some()),
        remind_days: settings.remind_days.filter(|days| *days > 0),
        digest: settings.digest,
        templates,
        id: match &settings.name {
            Some(name) => format!("notify {name}"),
            None => format!("notify {}", short(&kept)),
        },
        name: name.unwrap_or_else(|| receiver.to_string()),
        receiver,
        on,
        of: ChannelScope::Named(settings.tasks.clone()),
        shape: Payload::Message,
        compose: None,
    })
}

/// Returns a short hash of a text that must not be shown.
fn short(text: &str) -> String {
    Digest::of(text.as_bytes()).hex().chars().take(12).collect()
}

fn news_of(occasion: NotificationKind) -> NotificationEvent {
    match occasion {
        NotificationKind::Success => NotificationEvent::Success,
        NotificationKind::Failure => NotificationEvent::Failure,
        NotificationKind::Recovery => NotificationEvent::Recovery,
        NotificationKind::Stalled => NotificationEvent::Stalled,
        NotificationKind::CheckFailing => NotificationEvent::CheckFailing,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;
    use crate::ops::GlobalOptions;

    #[test]
    fn zero_remind_days_send_no_reminders() {
        for (days, expected) in [(0, None), (2, Some(2))] {
            let settings = NotifySettings {
                command: vec!["cat".to_owned()],
                remind_days: Some(days),
                ..NotifySettings::default()
            };
            assert_eq!(configured(&settings, 0).unwrap().remind_days, expected);
        }
    }

    /// Returns the receiver that recreates service `web` of a compose file in a folder.
    fn compose_up_of(folder: &Path, file: &str) -> (App, Channel) {
        let path = folder.join("compose.yaml");
        fs::write(&path, file).unwrap();
        let app = App::new(GlobalOptions {
            state_dir: Some(folder.join("state")),
            ..GlobalOptions::default()
        });
        let app = app.unwrap();
        let task = format!(
            "{{schema: 1, name: web, registry: localhost, step: {{type: Docker, contextPath: /p, dockerFilePath: Dockerfile, isLocal: true}},
              source: {{path: {}, kind: compose, key: web, project: p, composeUp: true}}}}",
            path.display()
        );
        let task: Task = serde_yaml::from_str(&task).unwrap();
        let mut channel = compose_up(&app, &task).pop().unwrap();
        channel.compose.as_mut().unwrap().1 = CommandLine::new("echo").arg("id");
        (app, channel)
    }

    /// Returns the call of docker compose for a service with as many running containers as `ids` has words.
    async fn called(app: &App, channel: &mut Channel, ids: &str) -> Result<Option<String>, String> {
        channel.compose.as_mut().unwrap().1 = CommandLine::new("echo").arg(ids);
        let Receiver::Command(line) = channel.receiver.clone() else {
            panic!("{}", channel.name)
        };
        match channel.as_running(app, line).await {
            Ok(line) => Ok(line.map(|line| line.to_string())),
            Err(DeliveryError::Failed(why)) => Err(why),
            Err(_) => panic!("{}", channel.name),
        }
    }

    #[tokio::test]
    async fn compose_up_keeps_the_number_of_running_containers() {
        let folder = tempfile::tempdir().unwrap();
        let file = "services: {web: {image: web, build: .}}\n";
        let (app, mut channel) = compose_up_of(folder.path(), file);
        for (ids, end) in [
            ("a", "--no-build -- web"),
            ("a\nb\nc", "--no-build --scale=web=3 -- web"),
        ] {
            let line = called(&app, &mut channel, ids).await.unwrap().unwrap();
            assert!(line.ends_with(end), "{line}");
        }
        assert_eq!(called(&app, &mut channel, "").await, Ok(None));
    }

    #[tokio::test]
    async fn compose_up_gets_the_variables_of_its_files_and_fails_where_one_is_not_set() {
        let folder = tempfile::tempdir().unwrap();
        let file = "services: {web: {image: web, build: $NO_BUILD, volumes: ['$PWD:/p'], env_file: web.env,
            environment: ['A=$CARGO_PKG_NAME', 'B=$ACRT_NO_SUCH', 'C=${ACRT_NONE:-}', 'D=$COMPOSE_PROJECT_NAME']}}\n";
        let (app, mut channel) = compose_up_of(folder.path(), file);
        let why = called(&app, &mut channel, "id").await.unwrap_err();
        assert!(
            why.contains("/compose.yaml` uses variable `ACRT_NO_SUCH`, which is not set here"),
            "{why}"
        );
        fs::write(folder.path().join(".env"), "ACRT_NO_SUCH=1\n").unwrap();
        fs::write(folder.path().join("web.env"), "CARGO_PKG_AUTHORS\n").unwrap();
        let line = called(&app, &mut channel, "id").await.unwrap().unwrap();
        assert!(line.contains("CARGO_PKG_NAME=*** "), "{line}");
        assert!(line.contains("CARGO_PKG_AUTHORS=*** "), "{line}");
        assert!(!line.contains("CARGO_PKG_VERSION="), "{line}");
    }

    #[tokio::test]
    async fn compose_up_of_files_that_other_users_can_change_fails_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        let give_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode));
        let of_file = "services: {web: {image: web, build: .}}\n";
        let (app, mut channel) = compose_up_of(folder.path(), of_file);
        channel.receiver = Receiver::Command(CommandLine::new("true"));
        let (message, stop) = (serde_json::json!({}), Stop::never());
        let payload = plain(&message);
        let send = async || {
            channel
                .send(&app, "success", (&message, &payload), &stop)
                .await
        };
        give_mode(0o644).unwrap();
        assert!(send().await.is_ok());
        give_mode(0o646).unwrap();
        let Err(DeliveryError::Failed(why)) = send().await else {
            panic!("it is started")
        };
        assert!(why.contains("other users can change its files"), "{why}");
        assert!(why.ends_with("compose.yaml`: its mode is 646"), "{why}");
    }

    #[test]
    fn receiver_hears_of_tasks_under_all_names_of_their_registry() {
        let folder = tempfile::tempdir().unwrap();
        let app = App::new(GlobalOptions {
            state_dir: Some(folder.path().to_owned()),
            ..GlobalOptions::default()
        })
        .unwrap();
        let key = |registry: &str| TaskKey {
            registry: registry.to_owned(),
            name: "web".parse().unwrap(),
        };
        let channel = |task: &str| {
            let settings = NotifySettings {
                command: vec!["cat".to_owned()],
                tasks: vec![task.to_owned()],
                ..NotifySettings::default()
            };
            configured(&settings, 0).unwrap()
        };
        for (task, registry, expected) in [
            ("web", "r.io", true),
            ("api", "r.io", false),
            ("r.io/web", "r.io", true),
            ("r.io/web", "other.io", false),
            ("localhost:5000/web", "127.0.0.1:5000", true),
        ] {
            let (channel, key) = (channel(task), key(registry));
            assert_eq!(channel.hears_of(&app, &key), expected, "{task} {registry}");
            let unknown = channel.names_without_a_task(&app, &[key]);
            assert_eq!(unknown.is_empty(), expected, "{task} {registry}");
        }
    }

    #[test]
    fn compose_up_asks_the_daemon_of_the_builder_and_restarts_all_services_with_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("docker"), "").unwrap();
        fs::set_permissions(path("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(
            path("config.yaml"),
            "builders: {srv: {kind: docker, address: 'tcp://srv:2376', tls: {ca: /ca.pem}}}\n",
        )
        .unwrap();
        let mut app = App::new(GlobalOptions {
            state_dir: Some(path("state")),
            config: Some(path("config.yaml")),
            ..GlobalOptions::default()
        })
        .unwrap();
        app.settings.path = folder.path().as_os_str().to_owned();
        let task: Task = serde_yaml::from_str(
            "{schema: 1, name: web, registry: localhost, builder: srv, step: {type: Docker, contextPath: /p, dockerFilePath: Dockerfile, isLocal: true},
              source: {path: /p/compose.yaml, kind: compose, key: web, project: p, composeUp: true, services: [worker]}}",
        )
        .unwrap();
        let channels = compose_up(&app, &task);
        let daemon = "--host=tcp://srv:2376 --tlsverify --tlscacert=/ca.pem";
        let ids = channels.iter().map(|it| it.id.as_str());
        let ids: Vec<&str> = ids.collect();
        assert_eq!(
            ids,
            [
                "compose-up localhost/web",
                "compose-up localhost/web worker"
            ]
        );
        for (channel, service) in channels.iter().zip(["web", "worker"]) {
            let asked = channel.compose.as_ref().unwrap().1.to_string();
            assert!(
                asked.contains(&format!("docker {daemon} ps --quiet")),
                "{asked}"
            );
            assert!(
                asked.ends_with(&format!("service={service}'"))
                    || asked.ends_with(&format!("service={service}")),
                "{asked}"
            );
            let Receiver::Command(up) = &channel.receiver else {
                panic!("{}", channel.name)
            };
            let up = up.to_string();
            assert!(up.contains(&format!(" {daemon} ")), "{up}");
            assert!(up.ends_with(&format!("--no-build -- {service}")), "{up}");
        }
    }
}
