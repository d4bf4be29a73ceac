//! The settings of the config file.

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Time, Weekday},
    fmt::strtime,
    tz::TimeZone,
};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::error::{Context as _, Error, Kind, Result};

use super::{
    builders::{self, BuilderKind, BuilderSettings, Names, PoolSettings, UnknownBuilder},
    config_edit,
    environment::{self, Pattern},
    ownership,
    secret::SecretPlace,
};

/// The largest config file, in bytes; a larger file must be a mistake.
const MAX_CONFIG: u64 = 1024 * 1024;

/// The config file: `$XDG_CONFIG_HOME/acrt/config.yaml`, or what `--config` or `ACRT_CONFIG` names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Defaults of options.
    pub defaults: Defaults,
    /// How each registry is reached, by login server.
    pub registries: BTreeMap<String, RegistrySettings>,
    /// The settings of builders, by name.
    #[serde(deserialize_with = "builders::named")]
    pub builders: BTreeMap<String, BuilderSettings>,
    /// Pools of builders that stand in for each other, by name.
    #[serde(deserialize_with = "builders::pools")]
    pub pools: BTreeMap<String, PoolSettings>,
    /// The intervals of `task watch`.
    pub watch: WatchSettings,
    /// How many finished runs are kept.
    pub runs: RunSettings,
    /// The resource limits of the process of one run.
    pub limits: LimitSettings,
    /// The programs that verify base images.
    pub verify: Vec<VerifySettings>,
    /// Mirrors of registries: from the beginning of an image's name to the beginning of its copy's name.
    pub mirrors: BTreeMap<String, String>,
    /// The senders of webhooks to `task watch --listen`, by the end of their path, `/hooks/NAME`.
    pub listen: BTreeMap<String, HookSettings>,
    /// The receivers of notifications about runs and failures.
    pub notify: Vec<NotifySettings>,
    /// The program with its arguments that is started after every successful run of a task, unless the task has its own.
    pub on_success: Vec<String>,
    /// The environment of the programs that acrt starts.
    pub environment: EnvironmentSettings,
    /// Who may read the metrics of `task watch --listen`.
    pub metrics: MetricsSettings,
    /// The status page of `task watch --listen` and `status --serve`.
    #[serde(deserialize_with = "page_settings")]
    pub page: PageSettings,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PageSettings {
    /// Whether `task watch --listen` serves the page without `--page`, too.
    #[serde(deserialize_with = "switch")]
    pub on: bool,
    /// The URL at which people open the page: `https://acrt.example.org`.
    pub url: Option<String>,
    /// Where the token is stored that the page requires.
    pub token: Option<SecretPlace>,
    /// The addresses, or networks as `10.0.0.0/8`, of proxies that authenticate users themselves.
    pub trust_proxy: Vec<String>,
}

/// Reads `page: on`, `page: off`, or its settings.
fn page_settings<'de, D: Deserializer<'de>>(input: D) -> Result<PageSettings, D::Error> {
    struct OnOrMore;
    impl<'de> Visitor<'de> for OnOrMore {
        type Value = PageSettings;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("on, off, or a mapping of on, url, token and trustProxy")
        }

        fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<PageSettings, E> {
            Ok(PageSettings {
                on,
                ..PageSettings::default()
            })
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PageSettings, E> {
            switch_of(text)
                .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
                .and_then(|on| self.visit_bool(on))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<PageSettings, E> {
            Ok(PageSettings::default())
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<PageSettings, A::Error> {
            PageSettings::deserialize(MapAccessDeserializer::new(fields))
        }
    }
    input.deserialize_any(OnOrMore)
}

/// Reads a boolean, or `on` or `off`.
fn switch<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    struct OnOrOff;
    impl Visitor<'_> for OnOrOff {
        type Value = bool;

        fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            out.write_str("on or off")
        }

        fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<bool, E> {
            Ok(on)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<bool, E> {
            switch_of(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    input.deserialize_any(OnOrOff)
}

/// Returns what `on` and `off` mean, which YAML 1.2 takes for texts.
pub(super) fn switch_of(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// The environment of the programs that acrt starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EnvironmentSettings {
    /// The variables that are handed on besides the usual ones.
    pub pass: Vec<Pattern>,
}

/// Access to the metrics of `task watch --listen`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Where the secret is stored that a reader must send.
    pub secret: Option<SecretPlace>,
}

/// A receiver of notifications: a program or a webhook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NotifySettings {
    /// Its name in messages and in the state directory; the program or host, if unset.
    pub name: Option<String>,
    /// The program with its arguments, which reads the message on its standard input.
    pub command: Vec<String>,
    /// The URL to which the message is sent by POST; `env:NAME` or `file:PATH` say where it is.
    pub url: Option<String>,
    /// Where the secret is stored that signs each POST.
    pub secret: Option<SecretPlace>,
    /// The events to send; all but `success` if unset.
    pub on: Option<Vec<NotificationKind>>,
    /// The names of the tasks whose events are sent; all if empty.
    pub tasks: Vec<String>,
    /// The service whose templates are used.
    pub preset: Option<String>,
    /// The templates of the headers of a POST.
    pub headers: BTreeMap<String, String>,
    pub title: Option<String>,
    /// The template of the body that is sent instead of acrt's JSON.
    pub body: Option<String>,
    /// After how many days a task that still fails is told again; never, if unset.
    pub remind_days: Option<u32>,
    /// When a digest of what has happened is sent: `daily 08:00`, or `weekly mon 08:00`, in UTC as all schedules.
    pub digest: Option<DigestTime>,
    /// Whether the events of several tasks in one round make one message; if unset, true with templates.
    pub group: Option<bool>,
    /// The variables of templates, `.Values`; each may be `env:NAME` or `file:PATH`.
    pub values: BTreeMap<String, String>,
}

/// A time of each day, or of one day of each week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DigestTime {
    day: Option<Weekday>,
    time: Time,
}

impl TryFrom<String> for DigestTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let problem = || format!("`{text}` is neither `daily 08:00` nor `weekly mon 08:00`");
        let words: Vec<&str> = text.split_whitespace().collect();
        let (day, time) = match words.as_slice() {
            ["daily", time] => (None, time),
            ["weekly", day, time] => {
                let day = strtime::parse("%a", day).ok().and_then(|it| it.weekday());
                (Some(day.ok_or_else(problem)?), time)
            }
            _ => return Err(problem()),
        };
        let time = Time::strptime("%H:%M", time).map_err(|_| problem())?;
        Ok(Self { day, time })
    }
}

impl DigestTime {
    /// Returns the last such time up to `now`.
    pub fn last(self, now: Timestamp) -> Option<Timestamp> {
        let today = now.to_zoned(TimeZone::UTC).date();
        let days = (0..=7).filter_map(|back| today.checked_sub(back.days()).ok());
        days.filter(|date| self.day.is_none_or(|day| day == date.weekday()))
            .filter_map(|date| TimeZone::UTC.to_timestamp(date.to_datetime(self.time)).ok())
            .find(|time| *time <= now)
    }
}

/// A kind of event for notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotificationKind {
    Success,
    /// A run has failed, of a task whose last one had not.
    Failure,
    /// What had failed works again.
    Recovery,
    /// A task has failed many times in a row.
    Stalled,
    /// A registry or repository gives no answer that tasks need.
    CheckFailing,
}

/// A sender of webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HookSettings {
    /// Where the secret is stored that it must send.
    pub secret: Option<SecretPlace>,
    /// The name by which tasks know its registry, where the webhooks use another one.
    pub registry: Option<String>,
}

/// Defaults of options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Defaults {
    /// The registry: a login server or a name among `registries`.
    pub registry: Option<String>,
    pub builder: Option<String>,
    /// The output format, as of `-o`.
    pub output: Option<String>,
    /// The minimum age of a base's digest before anything is built on it, as `3d`.
    pub min_age: Option<String>,
    /// The windows in which triggers may begin runs, each as `* 1-5 * * SAT,SUN`.
    pub windows: Vec<String>,
}

/// Images, and the program that verifies them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VerifySettings {
    /// The images: `registry/repository`, with `*` for any characters.
    pub images: Vec<String>,
    /// The program with its arguments; `{image}` stands for `name@digest`.
    pub command: Vec<String>,
    /// Whether an image that it verifies may be built on at any age.
    pub exempt_from_min_age: bool,
}

/// How one registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RegistrySettings {
    /// The login server that the short name stands for.
    pub login_server: Option<String>,
    /// Other names of the same registry, `host[:port]`: an image is the same under any of them.
    pub aliases: Vec<String>,
    /// Use plain http. The default for loopback registries.
    pub plain_http: Option<bool>,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with this machine's certificate, for registries that ask for one.
    pub client_certificate: Option<PathBuf>,
    /// The PEM file with the key to `client_certificate`.
    pub client_key: Option<PathBuf>,
    /// Do not verify the registry's certificate. Each run's log says so.
    pub skip_verify: bool,
    /// Whether this registry's tags are looked at as those of a public registry, whatever the built-in list says.
    pub public: Option<bool>,
    /// Seconds between two looks at a tag of this registry.
    pub every_seconds: Option<u64>,
    /// Requests in flight at once.
    pub concurrency: Option<usize>,
    /// Requests a second, at most.
    pub requests_per_second: Option<u32>,
}

/// The intervals of `task watch`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WatchSettings {
    /// Seconds between two looks at a tag of a registry that is not public.
    pub every_seconds: u64,
    /// The shortest pause between two looks at a tag of a public registry, in seconds.
    pub public_min_seconds: u64,
    /// The longest pause between two looks at a tag of a public registry, in seconds.
    pub public_max_seconds: u64,
    /// The pause between two looks at the images that tasks have pushed, in seconds; 0 looks at none.
    pub images_every_seconds: u64,
    /// Seconds that a round may take, without its runs, before `/healthz` and the service manager are told so.
    pub round_seconds: u32,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            every_seconds: 60,
            public_min_seconds: 600,
            public_max_seconds: 3600,
            images_every_seconds: 86_400,
            round_seconds: 600,
        }
    }
}

/// How many finished runs are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RunSettings {
    /// How many finished runs of each task are kept; older ones are removed, with their logs.
    pub keep: usize,
    /// Days that a finished run is kept.
    pub keep_days: u32,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            keep: 100,
            keep_days: 30,
        }
    }
}

/// The resource limits of the process of one run; 0 is no limit. They do not bind the builder that it starts, and of those for git only the
/// memory counts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Address space, in MiB; for git, memory that it can write to.
    pub memory_mib: u64,
    /// Stack, in MiB.
    pub stack_mib: u64,
    /// CPU time, in seconds.
    pub cpu_seconds: u64,
    /// Open files.
    pub open_files: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            memory_mib: 2048,
            stack_mib: 8,
            cpu_seconds: 3600,
            open_files: 4096,
        }
    }
}

impl Config {
    /// Reads the text of the config file; `None` without a file, unless it must exist.
    pub(super) fn text(path: &Path, must_exist: bool, insists: bool) -> Result<Option<String>> {
        let file = match std::fs::File::open(path) {
            // A link that leads nowhere is not nothing.
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && !must_exist
                    && !path.is_symlink() =>
            {
                return Ok(None);
            }
            opened => opened.map_err(|error| unreadable(path, error))?,
        };
        // Of the opened file, because the path may name another one a moment later.
        let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
        if !insists {
            ownership::check("the config file", path, &metadata)?;
        }
        let mut text = String::new();
        file.take(MAX_CONFIG + 1)
            .read_to_string(&mut text)
            .map_err(|error| unreadable(path, error))?;
        if text.len() as u64 > MAX_CONFIG {
            return Err(Error::invalid(cannot_read(path))
                .because(anyhow::anyhow!("it is larger than 1 MiB")));
        }
        Ok(Some(text))
    }

    /// Parses the text of the config file at `path`. Relative paths in it begin in its folder.
    pub(super) fn read(text: &str, path: &Path) -> Result<Self> {
        let mut config = Self::parse(text).context(Kind::Invalid, || cannot_read(path))?;
        if let Ok(path) = std::path::absolute(path)
            && let Some(folder) = path.parent()
        {
            config.resolve_paths(folder);
        }
        Ok(config)
    }

    /// Makes all paths of files absolute, so that they do not depend on where acrt is started.
    fn resolve_paths(&mut self, folder: &Path) {
        let registries = self.registries.values_mut();
        let registries = registries.flat_map(|it| {
            [
                &mut it.ca_file,
                &mut it.client_certificate,
                &mut it.client_key,
            ]
        });
        let builders = self.builders.values_mut();
        let builders = builders.flat_map(|it| {
            let tls = &mut it.tls;
            [&mut it.identity, &mut tls.ca, &mut tls.cert, &mut tls.key]
        });
        for path in registries.chain(builders).flatten() {
            *path = environment::resolved(path, folder);
        }
        let receivers = self.notify.iter_mut();
        let texts = receivers.flat_map(|it| it.url.iter_mut().chain(it.values.values_mut()));
        for text in texts {
            if let Some(path) = text.strip_prefix("file:") {
                *text = format!(
                    "file:{}",
                    environment::resolved(Path::new(path), folder).display()
                );
            }
        }
        let senders = self.listen.values_mut().map(|it| &mut it.secret);
        let receivers = self.notify.iter_mut().map(|it| &mut it.secret);
        let secrets = senders.chain(receivers);
        let secrets = secrets.chain([&mut self.metrics.secret, &mut self.page.token]);
        for place in secrets.flatten() {
            if let SecretPlace::File(path) = place {
                *path = environment::resolved(path, folder);
            }
        }
    }

    /// Returns the kind and the settings of a builder; `None` where no builder has that name. Each kind is also the name of a builder.
    pub fn builder(&self, name: &str) -> Option<(BuilderKind, BuilderSettings)> {
        self.names().builder(name)
    }

    /// Refuses a name that is neither a builder's nor a pool's.
    pub fn check_builder(&self, name: &str) -> Result<(), UnknownBuilder> {
        self.names().check(name)
    }

    fn names(&self) -> Names<'_> {
        Names {
            builders: &self.builders,
            pools: &self.pools,
        }
    }

    /// Parses a config file, and checks that the names in it exist.
    pub(super) fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        // The parser takes a byte order mark for a column, in which no second key stands.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let config = serde_yaml::from_str::<Option<Self>>(text).map_err(without_secret)?;
        let config = config.unwrap_or_default();
        let default = config.defaults.builder.as_deref();
        let Some((path, why)) = config.names().problem(default) else {
            return Ok(config);
        };
        let line = config_edit::line_of(text, &path);
        let at = line.map_or_else(String::new, |line| format!(" at line {line}"));
        let problem = format!("{}: {why}{at}", path.join("."));
        Err(serde::de::Error::custom(problem))
    }
}

/// Says that the file cannot be read. What the machine lacks for a moment, such as free file descriptors, is no error in the configuration: a
/// service manager may start the loop again.
fn unreadable(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let kind = match error.kind() {
        Io::NotFound
        | Io::PermissionDenied
        | Io::IsADirectory
        | Io::NotADirectory
        | Io::InvalidData
        | Io::InvalidFilename => Kind::Invalid,
        _ => Kind::Failed,
    };
    Error::new(kind, cannot_read(path)).because(error)
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read the config file `{}`", path.display())
}

/// The sections that may have secrets: URLs of webhooks, and what is written in place of `env:NAME`.
const WITH_SECRETS: [&str; 4] = ["notify", "listen", "metrics", "page"];

/// Leaves out of an error the text that it refuses, where that may be a secret.
fn without_secret(error: serde_yaml::Error) -> serde_yaml::Error {
    let told = error.to_string();
    let quote = told.find("string \"").zip(told.rfind("\", expected "));
    match quote {
        Some((start, end)) if WITH_SECRETS.iter().any(|section| told.starts_with(section)) => {
            let told = format!("{}a text{}", &told[..start], &told[end + 1..]);
            serde::de::Error::custom(told)
        }
        _ => error,
    }
}

impl WatchSettings {
    /// Returns the shortest and the longest pause between two looks at a tag of `registry`.
    pub fn pause(&self, registry: &RegistrySettings, public: bool) -> (Duration, Duration) {
        let seconds = match registry.every_seconds {
            Some(every) => (every, every),
            None if registry.public.unwrap_or(public) => {
                (self.public_min_seconds, self.public_max_seconds)
            }
            None => (self.every_seconds, self.every_seconds),
        };
        (
            Duration::from_secs(seconds.0.max(1)),
            Duration::from_secs(seconds.1.max(seconds.0).max(1)),
        )
    }

    /// Returns the longest pause between two looks at a tag whose registry does not answer.
    pub fn longest_pause(&self) -> Duration {
        Duration::from_secs(self.public_max_seconds.max(1))
    }

    /// Returns the pause between two looks at an image that a task has pushed.
    pub fn images_pause(&self) -> Duration {
        Duration::from_secs(self.images_every_seconds.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_file_that_cannot_be_opened_for_lack_of_descriptors_is_no_invalid_file() {
        let kind = |errno: rustix::io::Errno| unreadable(Path::new("c.yaml"), errno.into()).kind();
        assert_eq!(kind(rustix::io::Errno::MFILE), Kind::Failed);
        assert_eq!(kind(rustix::io::Errno::IO), Kind::Failed);
        assert_eq!(kind(rustix::io::Errno::ACCESS), Kind::Invalid);
        assert_eq!(kind(rustix::io::Errno::ISDIR), Kind::Invalid);
    }

    #[test]
    fn digest_time_is_daily_or_weekly() {
        let last = |digest: &str, now: &str| {
            let digest = DigestTime::try_from(digest.to_owned()).unwrap();
            digest.last(now.parse().unwrap()).unwrap().to_string()
        };
        // 2026-11-29 is a Sunday.
        for (digest, now, expected) in [
            (
                "daily 08:00",
                "2026-11-29T08:00:00Z",
                "2026-11-29T08:00:00Z",
            ),
            (
                "daily 08:00",
                "2026-11-29T07:59:00Z",
                "2026-11-28T08:00:00Z",
            ),
            (
                "weekly mon 08:00",
                "2026-11-29T12:00:00Z",
                "2026-11-23T08:00:00Z",
            ),
            (
                "weekly SUN 13:00",
                "2026-11-29T12:00:00Z",
                "2026-11-22T13:00:00Z",
            ),
        ] {
            assert_eq!(last(digest, now), expected, "{digest} {now}");
        }
        for digest in [
            "",
            "daily",
            "hourly 08:00",
            "weekly 08:00",
            "weekly day 08:00",
            "daily 25:00",
        ] {
            assert!(DigestTime::try_from(digest.to_owned()).is_err(), "{digest}");
        }
    }

    #[test]
    fn relative_path_in_the_config_file_begins_in_its_folder_and_a_tilde_in_the_home_folder() {
        let text = "{registries: {r.io: {caFile: ca.pem, clientCertificate: /c.pem, clientKey: ~/k.pem}}, builders: {docker: {address: 'tcp://b:2376', tls: {ca: ../b.pem, cert: /b, key: /k}}}, metrics: {secret: file:token}, notify: [{url: file:url, secret: env:S, values: {a: file:a, b: text}}]}";
        let config = Config::read(text, Path::new("/etc/acrt/config.yaml")).unwrap();
        let registry = &config.registries["r.io"];
        let home = environment::variable("HOME").unwrap_or_default();
        let paths = [
            &registry.ca_file,
            &registry.client_certificate,
            &registry.client_key,
        ];
        assert_eq!(
            [paths[0], paths[1], &config.builders["docker"].tls.ca].map(|it| it.as_deref()),
            ["/etc/acrt/ca.pem", "/c.pem", "/etc/acrt/../b.pem"].map(|it| Some(Path::new(it)))
        );
        if !home.is_empty() {
            assert_eq!(paths[2].as_deref(), Some(&*Path::new(&home).join("k.pem")));
        }
        let token = SecretPlace::File("/etc/acrt/token".into());
        assert_eq!(config.metrics.secret, Some(token));
        let receiver = &config.notify[0];
        assert_eq!(receiver.url.as_deref(), Some("file:/etc/acrt/url"));
        assert_eq!(receiver.values["a"], "file:/etc/acrt/a");
        assert_eq!(receiver.values["b"], "text");
    }

    #[test]
    fn empty_config_is_the_default_and_an_unknown_key_is_reported() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
        let error = Config::parse("watch:\n  evrySeconds: 5\n").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("watch: unknown field `evrySeconds`"),
            "{error}"
        );
        assert_eq!(error.location().unwrap().line(), 2);
    }

    #[test]
    fn value_of_a_section_with_secrets_is_not_quoted_in_an_error() {
        for (text, told) in [
            (
                "notify: https://h/canary",
                "notify: invalid type: a text, expected a sequence at line 1 column 9",
            ),
            (
                "listen: {a: 'canary\", expected'}",
                "listen.a: invalid type: a text, expected struct HookSettings at line 1 column 13",
            ),
            (
                "page: canary",
                "page: invalid value: a text, expected on, off, or a mapping of on, url, token and trustProxy at line 1 column 7",
            ),
        ] {
            assert_eq!(Config::parse(text).unwrap_err().to_string(), told);
        }
        let other = Config::parse("runs: {keep: many}").unwrap_err().to_string();
        assert!(other.contains("string \"many\""), "{other}");
    }

    #[test]
    fn page_setting_is_a_boolean_or_a_section() {
        let page = |text: &str| Config::parse(text).map(|config| config.page);
        assert!(page("page: on").unwrap().on && page("page: true").unwrap().on);
        assert!(!page("page: off").unwrap().on && !page("page:").unwrap().on);
        assert!(page("page: {on: on}").unwrap().on && !page("page: {on: off}").unwrap().on);
        assert!(!page("page: {url: 'https://a'}").unwrap().on);
        let full = "page: {on: true, url: 'https://a', token: 'env:T', trustProxy: [10.0.0.1]}";
        assert_eq!(page(full).unwrap().trust_proxy, ["10.0.0.1"]);
        for (wrong, why) in [
            ("page: maybe", "on, off, or a mapping"),
            (
                "page: {on: maybe}",
                "page.on: invalid value: a text, expected on or off",
            ),
            ("page: {tokn: x}", "unknown field `tokn`"),
            ("page: {token: x}", "env:NAME or file:PATH"),
        ] {
            let error = page(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn public_registries_are_looked_up_between_the_two_intervals() {
        let watch = WatchSettings::default();
        let plain = RegistrySettings::default();
        let minutes = |n: u64| Duration::from_secs(n * 60);
        assert_eq!(watch.pause(&plain, true), (minutes(10), minutes(60)));
        assert_eq!(watch.pause(&plain, false), (minutes(1), minutes(1)));
        let own = RegistrySettings {
            every_seconds: Some(5),
            ..plain
        };
        assert_eq!(watch.pause(&own, true).1, Duration::from_secs(5));
    }
}
