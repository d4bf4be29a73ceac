//! The settings of builders and pools in the config file: where each builder is, what it may be given, and which stand in for each other.

use std::{collections::BTreeMap, fmt, marker::PhantomData, path::PathBuf, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::near::near;

/// Defines the kinds with their names, so that `ALL` has each of them.
macro_rules! builder_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// The builders that acrt knows how to call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(try_from = "String")]
        pub enum BuilderKind {
            $($(#[$doc])* $kind,)*
        }

        impl BuilderKind {
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// Returns its name, as `--builder` takes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

builder_kinds! {
    /// docker, with or without buildx
    Docker = "docker",
    /// docker's buildx, with the BuildKit that it is set to
    Buildx = "buildx",
    Podman = "podman",
    Buildah = "buildah",
    /// buildctl, BuildKit's own client
    Buildctl = "buildctl",
    /// Any program, by a template in the config file.
    Command = "command",
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no builder `{}`; there are {}", .name.escape_debug(), listed(.known))]
pub struct UnknownBuilder {
    name: String,
    known: Vec<String>,
}

impl UnknownBuilder {
    fn new(name: &str, own: impl Iterator<Item = String>) -> Self {
        let kinds = BuilderKind::ALL.map(|kind| kind.name().to_owned());
        Self {
            name: name.to_owned(),
            known: own.chain(kinds).collect(),
        }
    }

    /// Returns the known name that is most similar to the unknown one, if one is similar at all.
    pub fn meant(&self) -> Option<String> {
        near(&self.name, self.known.iter().cloned())
    }
}

/// Returns words joined as in a sentence.
fn listed(words: &[String]) -> String {
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

impl FromStr for BuilderKind {
    type Err = UnknownBuilder;

    fn from_str(text: &str) -> Result<Self, UnknownBuilder> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownBuilder::new(text, std::iter::empty()))
    }
}

impl TryFrom<String> for BuilderKind {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|unknown: UnknownBuilder| {
            let (name, known) = (text.escape_debug(), listed(&unknown.known));
            let meant = unknown.meant().map(|it| format!("; did you mean `{it}`?"));
            let meant = meant.unwrap_or_default();
            format!("no kind of builder `{name}`: the kinds are {known}{meant}")
        })
    }
}

impl fmt::Display for BuilderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The settings of one builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BuilderSettings {
    /// The kind of builder; if unset, its name is the name of a kind.
    pub kind: Option<BuilderKind>,
    /// The address of its daemon, as `tcp://arm1:1234`, `ssh://build@old` or `unix:///run/user/1000/docker.sock`.
    pub address: Option<String>,
    /// The name of its daemon in its own program: a context of docker, a connection of podman.
    pub connection: Option<String>,
    /// The certificates for an address of `tcp://` with TLS.
    pub tls: TlsSettings,
    /// The private key for podman's SSH.
    pub identity: Option<PathBuf>,
    /// The builder of buildx, as `docker buildx ls` names it.
    pub builder: Option<String>,
    /// The platforms that it may be given, its own first; all if empty.
    pub platforms: Vec<String>,
    /// How many builds it may be given at once: 1 if unset, or without a limit for a builder that is only the name of a kind.
    pub jobs: Option<usize>,
    /// For the kind `command`: program and arguments, with `{dockerfile}`, `{context}` and the other placeholders of docs/builders.md.
    pub build: Vec<String>,
    /// For the kind `command`: the command line that pushes one image, `{image}`. Left out where the build itself pushes.
    pub push: Vec<String>,
    /// What is removed from its image store after each run.
    pub clean: Clean,
    /// Gigabytes of its cache that are kept when the cache is pruned, once a week.
    pub keep_storage: Option<u32>,
    /// For how many hours unused records of its cache are kept when the cache is pruned, once a week.
    pub until: Option<u32>,
    /// Arguments after the program's name in every call of a builder that acrt knows.
    pub global_args: Vec<String>,
    /// Arguments after `build` in every build by a builder that acrt knows.
    pub build_args: Vec<String>,
}

/// What is removed from a builder's image store after a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clean {
    Off,
    /// What earlier runs of the task have left, and bases that no task is built on any more.
    #[default]
    Superseded,
    /// `Superseded`, and what the run itself has left: its images and their bases.
    All,
}

/// The PEM files for TLS with a builder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    default,
    expecting = "the files `ca`, `cert` and `key`"
)]
pub struct TlsSettings {
    /// The certificate authority of the builder's certificate.
    pub ca: Option<PathBuf>,
    /// This machine's certificate.
    pub cert: Option<PathBuf>,
    /// The key to `cert`.
    pub key: Option<PathBuf>,
}

/// A pool: builders of which any may carry out a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    default,
    expecting = "`builders`, and `by`"
)]
pub struct PoolSettings {
    /// The names of the builders.
    pub builders: Vec<String>,
    /// Which of the free builders gets a run.
    pub by: PoolOrder,
}

/// Which of several free builders gets a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolOrder {
    /// The one with the least load for its capacity; among similar ones the task's last builder, for its cache.
    #[default]
    Load,
    /// The task's last builder whenever it is free, for its cache; else as by load.
    Affinity,
    /// The first free builder, in the order of the list.
    Order,
}

/// The most builds that a builder may be given at once: each takes a lock file.
const MOST_JOBS: usize = 1000;

/// The error for an invalid name of a builder or a pool.
const NO_NAME: &str = "its name may have lowercase letters, digits, `-`, `_` and `.`, and begins with one of the first two";

fn is_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    text.chars().all(is_word) && text.starts_with(char::is_alphanumeric)
}

/// The operating systems and architectures that builders build for, as Go names them, with what machines report.
const KNOWN: [&[&str]; 2] = [
    &["linux", "windows", "freebsd", "darwin", "wasi"],
    &[
        "amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le",
        "mips64", "mips", "mipsle", "ppc64", "wasm", "x86_64", "x86-64", "i386", "aarch64",
        "armhf", "armel",
    ],
];

/// Returns why a text is not a platform, if so. An unknown system or architecture that resembles no known one may be new, and is
/// accepted.
fn no_platform(text: &str) -> Option<String> {
    let shown = text.escape_debug();
    let parts: Vec<&str> = text.split('/').collect();
    let is_word = |part: &&str| {
        let mut chars = part.chars();
        !part.is_empty() && chars.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(is_word) {
        return Some(format!("`{shown}` is not a platform, such as linux/arm64"));
    }
    for (part, known) in parts.iter().zip(KNOWN) {
        let is_known = known.contains(&part.to_ascii_lowercase().as_str());
        if !is_known && let Some(meant) = near(part, known.iter().map(|it| (*it).to_owned())) {
            return Some(format!(
                "`{shown}` is not a platform; did you mean `{meant}`?"
            ));
        }
    }
    None
}

impl BuilderSettings {
    /// Returns which of these settings a builder of this name cannot have, and why.
    fn problem(&self, name: &str) -> Option<String> {
        let named: Option<BuilderKind> = name.parse().ok();
        let kind = match (self.kind, named) {
            (Some(kind), Some(named)) if kind != named => {
                return Some(format!(
                    "`{name}` is a kind of builder itself; choose another name"
                ));
            }
            (kind, named) => kind.or(named),
        };
        if named.is_none() && !is_name(name) {
            return Some(NO_NAME.into());
        }
        if self
            .jobs
            .is_some_and(|jobs| !(1..=MOST_JOBS).contains(&jobs))
        {
            return Some(format!("`jobs` is at least 1, and at most {MOST_JOBS}"));
        }
        let mut wrong = self.platforms.iter().filter_map(|it| no_platform(it));
        wrong
            .next()
            .or_else(|| self.problem_of_address())
            .or_else(|| self.unfit(kind?))
    }

    fn problem_of_address(&self) -> Option<String> {
        let has_tls = self.tls != TlsSettings::default();
        let address = self.address.as_ref()?;
        let Some((scheme, rest)) = address.split_once("://") else {
            return Some(
                "`address` is of the form tcp://HOST:PORT, ssh://USER@HOST or unix:///PATH".into(),
            );
        };
        let login = rest
            .split('/')
            .next()
            .and_then(|host| host.rsplit_once('@'));
        if login.is_some_and(|(login, _)| login.contains(':')) {
            // It would be visible among the arguments of every call.
            return Some(
                "`address` has a password in it, which other users of the machine would see".into(),
            );
        }
        if self.connection.is_some() {
            return Some("it has both an `address` and a `connection`".into());
        }
        (has_tls && scheme != "tcp").then(|| format!("`tls` is for tcp:// and not for {scheme}://"))
    }

    /// Returns what `tls` lacks. This is about several keys, which may be set one by one.
    fn problem_of_tls(&self) -> Option<&'static str> {
        let tls = &self.tls;
        if tls.cert.is_some() != tls.key.is_some() {
            return Some("it has a `cert` without a `key`, or a `key` without a `cert`");
        }
        (*tls != TlsSettings::default() && self.address.is_none())
            .then_some("`tls` needs an `address`")
    }

    /// Returns which key a builder of this kind does not use.
    fn unfit(&self, kind: BuilderKind) -> Option<String> {
        use BuilderKind as B;
        let is = |kinds: &[B]| kinds.contains(&kind);
        let template = !self.build.is_empty() || !self.push.is_empty();
        let prune = self.keep_storage.is_some() || self.until.is_some();
        let args = !self.global_args.is_empty() || !self.build_args.is_empty();
        let keys = [
            (
                "address",
                self.address.is_some(),
                is(&[B::Docker, B::Podman, B::Buildctl]),
            ),
            (
                "connection",
                self.connection.is_some(),
                is(&[B::Docker, B::Podman]),
            ),
            (
                "tls",
                self.tls != TlsSettings::default(),
                is(&[B::Docker, B::Buildctl]),
            ),
            ("identity", self.identity.is_some(), is(&[B::Podman])),
            ("builder", self.builder.is_some(), is(&[B::Buildx])),
            ("clean", self.clean != Clean::default(), !is(&[B::Command])),
            (
                "keepStorage` and `until",
                prune,
                is(&[B::Docker, B::Buildx, B::Buildctl]),
            ),
            ("build` and `push", template, is(&[B::Command])),
            ("globalArgs` and `buildArgs", args, !is(&[B::Command])),
        ];
        let (key, ..) = keys.iter().find(|(_, given, fits)| *given && !fits)?;
        Some(format!("a builder of kind `{kind}` has no `{key}`"))
    }
}

/// The names of all builders and pools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'c> {
    /// The builders, by name.
    pub builders: &'c BTreeMap<String, BuilderSettings>,
    /// The pools, by name.
    pub pools: &'c BTreeMap<String, PoolSettings>,
}

impl Names<'_> {
    /// Returns the kind and the settings of a builder; `None` where no builder has that name. Each kind is also the name of a builder.
    pub fn builder(self, name: &str) -> Option<(BuilderKind, BuilderSettings)> {
        let own = self.builders.get(name);
        let kind = own.and_then(|own| own.kind);
        let kind = match kind {
            Some(kind) => kind,
            None => name.parse().ok()?,
        };
        let own = own.or_else(|| self.builders.get(kind.name()));
        Some((kind, own.cloned().unwrap_or_default()))
    }

    /// Refuses a name that is neither a builder's nor a pool's.
    pub fn check(self, name: &str) -> Result<(), UnknownBuilder> {
        if self.builder(name).is_some() || self.pools.contains_key(name) {
            return Ok(());
        }
        let own = self.builders.iter().filter(|(_, own)| own.kind.is_some());
        let own = own.map(|(name, _)| name).chain(self.pools.keys());
        Err(UnknownBuilder::new(name, own.cloned()))
    }

    /// Finds a contradiction among the names of builders. Returns the path of the key that is wrong, and why.
    pub fn problem(self, default: Option<&str>) -> Option<(Vec<String>, String)> {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let unknown = |problem: UnknownBuilder| match problem.meant() {
            Some(meant) => format!("{problem}; did you mean `{meant}`?"),
            None => problem.to_string(),
        };
        for (name, own) in self.builders {
            if own.kind.is_none() && name.parse::<BuilderKind>().is_err() {
                let why = "it has no `kind`, such as docker, podman or buildctl";
                return Some((path(&["builders", name]), why.into()));
            }
            if let Some(why) = own.problem_of_tls() {
                return Some((path(&["builders", name, "tls"]), why.into()));
            }
        }
        for (name, pool) in self.pools {
            let place = path(&["pools", name]);
            if self.builder(name).is_some() {
                return Some((place, "there is a builder of this name".into()));
            }
            if !is_name(name) {
                return Some((place, NO_NAME.into()));
            }
            if pool.builders.is_empty() {
                return Some((place, "it has no `builders`".into()));
            }
            for (n, member) in pool.builders.iter().enumerate() {
                let place = path(&["pools", name, "builders"]);
                if pool.builders[..n].contains(member) {
                    return Some((place, format!("it has `{member}` twice")));
                }
                if self.pools.contains_key(member) {
                    return Some((
                        place,
                        format!("`{member}` is a pool; a pool is made of builders"),
                    ));
                }
                if let Err(problem) = self.check(member) {
                    return Some((place, unknown(problem)));
                }
            }
        }
        let problem = self.check(default?).err()?;
        Some((path(&["defaults", "builder"]), unknown(problem)))
    }
}

/// Reads the builders of a config file. An error in one is reported with its place.
pub(super) fn named<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, BuilderSettings>, D::Error> {
    deserializer.deserialize_any(ByName {
        kind: "builder",
        one: OneBuilder,
    })
}

/// Reads the pools of a config file, and refuses a name that comes twice.
pub(super) fn pools<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, PoolSettings>, D::Error> {
    deserializer.deserialize_any(ByName {
        kind: "pool",
        one: |_| PhantomData::<PoolSettings>,
    })
}

/// Reads a mapping from names to settings, and refuses a name that comes twice.
struct ByName<S> {
    kind: &'static str,
    /// Makes the deserializer for the settings under a name.
    one: fn(String) -> S,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for ByName<S> {
    type Value = BTreeMap<String, S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s by their names", self.kind)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let own = map.next_value_seed((self.one)(name.clone()))?;
            if all.insert(name.clone(), own).is_some() {
                let twice = format!("there are two {}s `{name}`", self.kind);
                return Err(A::Error::custom(twice));
            }
        }
        Ok(all)
    }
}

/// Reads the settings of one builder. Its name decides which keys it may have.
struct OneBuilder(String);

impl<'de> DeserializeSeed<'de> for OneBuilder {
    type Value = BuilderSettings;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<BuilderSettings, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneBuilder {
    type Value = BuilderSettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings of a builder")
    }

    fn visit_unit<E: de::Error>(self) -> Result<BuilderSettings, E> {
        Ok(BuilderSettings::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<BuilderSettings, A::Error> {
        let own = BuilderSettings::deserialize(MapAccessDeserializer::new(map))?;
        match own.problem(&self.0) {
            Some(problem) => Err(A::Error::custom(problem)),
            None => Ok(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::config::Config, *};

    fn refusal(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn builder_kinds_are_parsed_in_any_case() {
        assert_eq!("Podman".parse(), Ok(BuilderKind::Podman));
        assert_eq!(
            "kaniko".parse::<BuilderKind>().unwrap_err().to_string(),
            "no builder `kaniko`; there are docker, buildx, podman, buildah, buildctl and command"
        );
    }

    #[test]
    fn unknown_builder_kind_or_key_is_refused_with_its_line() {
        let kind = refusal("builders:\n  a1:\n    kind: buildclt\n");
        assert!(
            kind.contains("builders.a1") && kind.contains("at line 3"),
            "{kind}"
        );
        assert!(kind.contains("did you mean `buildctl`?"), "{kind}");
        let key = refusal("builders:\n  a1:\n    kind: docker\n    adress: x\n");
        assert!(
            key.contains("unknown field `adress`") && key.contains("at line 4"),
            "{key}"
        );
        for (own, why) in [
            ("{kind: buildah, address: 'tcp://a:1'}", "has no `address`"),
            ("{kind: docker, address: 'a:1'}", "of the form tcp://"),
            ("{kind: podman, address: 'ssh://u:p@a'}", "has a password"),
            (
                "{kind: docker, address: 'ssh://a', tls: {ca: c}}",
                "`tls` is for tcp://",
            ),
            (
                "{kind: docker, address: 'tcp://a', tls: {cert: c}}",
                "without a `key`",
            ),
            ("{kind: docker, identity: i}", "has no `identity`"),
            ("{kind: docker, jobs: 0}", "at least 1"),
            (
                "{kind: docker, platforms: [arm64]}",
                "`arm64` is not a platform",
            ),
            (
                "{kind: docker, platforms: [linux/amd64, linux/arm46]}",
                "did you mean `arm64`?",
            ),
            (
                "{kind: docker, platforms: [linx/arm64]}",
                "did you mean `linux`?",
            ),
            (
                "{kind: docker, platforms: [linux/]}",
                "`linux/` is not a platform",
            ),
            ("{kind: docker, jobs: 1001}", "at most 1000"),
            ("{kind: docker, jobs: -1}", "builders.a1.jobs"),
            (
                "{kind: docker, address: 'tcp://a:1', tls: {caa: c}}",
                "builders.a1.tls: unknown field `caa`",
            ),
            (
                "{kind: docker, address: 'tcp://a:1', tls: yes}",
                "expected the files `ca`",
            ),
            (
                "{kind: command, globalArgs: [a]}",
                "has no `globalArgs` and `buildArgs`",
            ),
            ("{kind: docker, clean: some}", "unknown variant `some`"),
            ("{kind: command, clean: all}", "has no `clean`"),
            (
                "{kind: podman, keepStorage: 5}",
                "has no `keepStorage` and `until`",
            ),
            ("{globalArgs: [a]}", "has no `kind`"),
        ] {
            let refused = refusal(&format!("builders:\n  a1: {own}\n"));
            assert!(refused.contains(why), "{refused}");
            assert!(
                refused.contains("builders.a1") && refused.contains("line 2"),
                "{refused}"
            );
        }
        assert!(refusal("builders: {docker: {kind: podman}}").contains("kind of builder itself"));
        assert!(refusal("builders: {A/b: {kind: podman}}").contains("lowercase"));
    }

    #[test]
    fn inconsistent_pool_and_builder_names_are_refused_with_their_line() {
        let own = "builders: {arm1: {kind: docker}}\n";
        for (rest, why) in [
            (
                "pools:\n  p: {builders: [arm2]}",
                "no builder `arm2`; there are arm1, p, docker,",
            ),
            ("pools:\n  p: {builders: [arm2]}", "did you mean `arm1`?"),
            ("pools:\n  p: {builders: [arm1, arm1]}", "has `arm1` twice"),
            ("pools:\n  p: {builders: []}", "has no `builders`"),
            (
                "pools:\n  arm1: {builders: [docker]}",
                "there is a builder of this name",
            ),
            ("pools:\n  p: {builders: [p]}", "`p` is a pool"),
            ("pools:\n  p: [arm1]", "expected `builders`, and `by`"),
            ("pools:\n  'P Q': {builders: [arm1]}", "lowercase letters"),
            ("defaults:\n  builder: arm", "did you mean `arm1`?"),
        ] {
            let refused = refusal(&format!("{own}{rest}\n"));
            assert!(
                refused.contains(why) && refused.contains("line 3"),
                "{refused}"
            );
        }
        assert!(refusal("pools: {p: {builders: [docker], by: age}}").contains("`age`"));
        let twice = refusal("pools: {p: {builders: [docker]}, p: {builders: [podman]}}");
        assert!(twice.contains("there are two pools `p`"), "{twice}");
        for platform in ["linux/arm/v7", "linux/aarch64", "wasi/wasm", "linux/e2k"] {
            let text = format!("builders: {{docker: {{platforms: [{platform}]}}}}");
            assert!(Config::parse(&text).is_ok(), "{platform}");
        }
        let config = Config::parse(&format!("{own}pools: {{p: {{builders: [arm1, docker]}}}}"));
        let config = config.unwrap();
        let off = Config::parse("builders: {docker: {clean: off, keepStorage: 20, until: 48}}");
        let off = off.unwrap().builder("docker").unwrap().1;
        assert_eq!((off.clean, off.until), (Clean::Off, Some(48)));
        assert_eq!(config.builder("arm1").unwrap().0, BuilderKind::Docker);
        assert_eq!(config.builder("Podman").unwrap().0, BuilderKind::Podman);
        assert!(config.builder("p").is_none() && config.check_builder("p").is_ok());
    }
}
