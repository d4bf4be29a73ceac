//! The settings from the environment and the config file, read once.

use std::path::{Path, PathBuf};

use crate::error::{Context as _, Error, Kind, Result};

use super::{
    aliases::Aliases,
    config::{Config, RegistrySettings},
    environment::{self, Rules},
    ownership,
    secret::SecretPlace,
};

/// The settings: the environment variables that acrt reads, and the config file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `ACRT_NOW`: the time to start from, for tests.
    pub now: Option<String>,
    /// `ACRT_REGISTRY`: the default registry of commands.
    pub registry: Option<String>,
    /// `ACRT_BUILDER`: the default builder of tasks.
    pub builder: Option<String>,
    /// `ACRT_STATE_DIR`.
    state_dir: Option<PathBuf>,
    /// `HOME`, if it is set and not empty.
    pub home: Option<PathBuf>,
    /// `PATH`, unchanged.
    pub path: std::ffi::OsString,
    /// Whether `DOCKER_BUILDKIT` makes docker build with BuildKit even without buildx.
    pub has_buildkit: bool,
    /// Where credentials may be stored.
    pub credentials: CredentialPaths,
    /// `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY`, in either case: the proxies that may be in use; [`super::proxy`] chooses between
    /// them.
    pub proxies: Vec<String>,
    pub config: Config,
    /// The text of the config file, if there is one.
    pub config_text: Option<String>,
    /// The path of the config file, whether or not it exists.
    pub config_path: Option<PathBuf>,
    /// Whether files that other users may change are used nevertheless.
    pub allows_unsafe_permissions: bool,
}

/// The variables that say where registry credentials are stored.
#[derive(Clone, Debug, Default)]
pub struct CredentialPaths {
    pub registry_auth_file: Option<PathBuf>,
    pub runtime_dir: Option<PathBuf>,
    pub config_home: Option<PathBuf>,
    pub docker_config: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment, and the config file that `--config`, `ACRT_CONFIG` or the platform names, unless its text is given. With
    /// `insists`, the file is used although other users may change it; [`ownership::INSIST`] has the same effect.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] if a config file is named but missing, does not parse, or may be changed by another user.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn load(config: Option<&Path>, config_text: Option<String>, insists: bool) -> Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let path = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let (config_path, is_named) = Self::config_path(config);
        let allows_unsafe_permissions = insists || Self::insists();
        let config_home = path("XDG_CONFIG_HOME").filter(|p| p.is_absolute());
        let config_text = match (config_text, &config_path) {
            (None, Some(path)) => Config::text(path, is_named, allows_unsafe_permissions)?,
            (text, _) => text,
        };
        Ok(Self {
            now: text("ACRT_NOW"),
            registry: text("ACRT_REGISTRY"),
            builder: text("ACRT_BUILDER"),
            state_dir: path("ACRT_STATE_DIR"),
            home: path("HOME"),
            path: std::env::var_os("PATH").unwrap_or_default(),
            // Parsed like a boolean in Go, as docker does.
            has_buildkit: text("DOCKER_BUILDKIT")
                .is_some_and(|it| ["1", "t", "true"].contains(&it.to_lowercase().as_str())),
            credentials: CredentialPaths {
                registry_auth_file: path("REGISTRY_AUTH_FILE"),
                runtime_dir: path("XDG_RUNTIME_DIR"),
                config_home,
                docker_config: path("DOCKER_CONFIG"),
            },
            proxies: ["http_proxy", "https_proxy", "all_proxy"]
                .iter()
                .flat_map(|name| [text(name), text(&name.to_ascii_uppercase())])
                .flatten()
                .collect(),
            config: match (&config_text, &config_path) {
                (Some(text), Some(path)) => Config::read(text, path)?,
                _ => Config::default(),
            },
            config_text,
            config_path,
            allows_unsafe_permissions,
        })
    }

    /// Tells whether the environment allows the use of files that other users may change.
    pub fn insists() -> bool {
        environment::variable(ownership::INSIST).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            matches!(value.as_str(), "true" | "1" | "yes")
        })
    }

    /// Returns the rules for the variables that programs get: those of the config file, without those in which it says that a secret is.
    pub fn environment(&self) -> Rules {
        let config = &self.config;
        let places = config.listen.values().map(|source| &source.secret);
        let places = places.chain(config.notify.iter().map(|it| &it.secret));
        let places = places.chain([&config.metrics.secret, &config.page.token]);
        let named = places.filter_map(|place| match place {
            Some(SecretPlace::Variable(name)) => Some(name.as_str()),
            _ => None,
        });
        let urls = config.notify.iter().filter_map(|it| it.url.as_deref());
        let urls = urls.filter_map(|url| url.strip_prefix("env:"));
        Rules::new(
            config.environment.pass.clone(),
            named.chain(urls).map(str::to_owned),
        )
    }

    /// Returns the path of the config file, whether or not it exists: `flag`, else `ACRT_CONFIG`, else the platform's default; and whether
    /// one of the first two names it, so that it must exist.
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn config_path(flag: Option<&Path>) -> (Option<PathBuf>, bool) {
        let variable = || std::env::var_os("ACRT_CONFIG").filter(|value| !value.is_empty());
        let named = flag
            .map(Path::to_owned)
            .or_else(|| variable().map(PathBuf::from));
        if named.is_some() {
            return (named, true);
        }
        let dirs = directories::ProjectDirs::from("", "", "acrt");
        (dirs.map(|d| d.config_dir().join("config.yaml")), false)
    }

    /// Returns the state directory: `flag`, else `ACRT_STATE_DIR`, else the platform's default.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where none of them is set, as under cron without `HOME`.
    pub fn state_dir(&self, flag: Option<&Path>) -> Result<PathBuf> {
        let platform = || {
            let dirs = directories::ProjectDirs::from("", "", "acrt")?;
            Some(
                dirs.state_dir()
                    .unwrap_or_else(|| dirs.data_local_dir())
                    .to_owned(),
            )
        };
        let chosen = flag
            .map(Path::to_owned)
            .or_else(|| self.state_dir.clone())
            .or_else(platform)
            .ok_or_else(|| {
                Error::invalid("cannot tell where the state directory is")
                    .hint("set ACRT_STATE_DIR or give --state-dir")
            })?;
        std::path::absolute(&chosen).context(Kind::Invalid, || {
            format!("cannot use the state directory `{}`", chosen.display())
        })
    }

    /// Returns the settings of `registry`, with the built-in defaults where the config has none.
    pub fn registry(&self, registry: &str) -> RegistrySettings {
        let registries = &self.config.registries;
        let found = registries.get(registry).or_else(|| {
            if registries.is_empty() {
                return None;
            }
            let aliases = self.aliases();
            let wanted = aliases.registry(registry);
            let mut all = registries.iter();
            let named = |(name, own): &(&String, &RegistrySettings)| {
                aliases.registry(own.login_server.as_ref().unwrap_or(name)) == wanted
            };
            all.find(named).map(|(_, own)| own)
        });
        found.cloned().unwrap_or_default()
    }

    /// Returns the aliases of registries.
    pub fn aliases(&self) -> Aliases {
        let registries = self.config.registries.iter();
        Aliases::new(registries.flat_map(|(name, own)| {
            let server = own.login_server.as_ref().unwrap_or(name);
            let others = own.aliases.iter();
            others.map(move |alias| (alias.as_str(), server.as_str()))
        }))
    }

    /// Tells whether `registry` is reached without TLS: declared so, or on loopback without any setting that only makes sense for TLS.
    pub fn is_plain_http(&self, registry: &str) -> bool {
        let own = self.registry(registry);
        let is_for_tls =
            own.ca_file.is_some() || own.client_certificate.is_some() || own.skip_verify;
        own.plain_http
            .unwrap_or_else(|| is_loopback(registry) && !is_for_tls)
    }

    /// Tells whether the identity of `registry` is not verified: it uses plain http, or its certificate is not checked.
    pub fn is_unverified(&self, registry: &str) -> bool {
        self.is_plain_http(registry) || self.registry(registry).skip_verify
    }

    /// Returns the login server for a value of `--registry`: the value itself where it has a dot or a colon or is `localhost`, the login
    /// server of a name in the config file, and for any other name that of an ACR.
    pub fn login_server(&self, name: &str) -> String {
        let registries = &self.config.registries;
        let in_any_case = || {
            let mut all = registries.iter();
            let own = all.find(|(other, _)| other.eq_ignore_ascii_case(name))?;
            Some(own.1)
        };
        if let Some(settings) = registries.get(name).or_else(in_any_case) {
            let server = settings.login_server.as_deref().unwrap_or(name);
            return server.to_ascii_lowercase();
        }
        if name.contains(['.', ':']) || name.eq_ignore_ascii_case("localhost") {
            name.to_ascii_lowercase()
        } else {
            format!("{}.azurecr.io", name.to_ascii_lowercase())
        }
    }
}

/// Tells by its spelling, without DNS, whether a login server is on this machine, as docker does for `127.0.0.0/8`.
pub fn is_loopback(registry: &str) -> bool {
    let registry = registry.to_ascii_lowercase();
    let host = match registry.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => registry.split(':').next().unwrap_or(&registry),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognized_by_spelling_alone() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:5000",
            "a.localhost:80",
            "LOCALHOST:5000",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.evil.example",
            "registry.lan:5000",
            "128.0.0.1",
            "[::2]",
            "docker.io",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn loopback_uses_plain_http_unless_tls_is_configured() {
        let is_plain = |settings: &str| {
            let text = format!("registries: {{'localhost:5000': {settings}}}");
            let settings = Settings {
                config: Config::parse(&text).unwrap(),
                ..Settings::default()
            };
            settings.is_plain_http("localhost:5000")
        };
        assert!(is_plain("{}"));
        assert!(is_plain("{plainHttp: true, caFile: /ca.pem}"));
        assert!(!is_plain("{plainHttp: false}"));
        assert!(!is_plain("{caFile: /ca.pem}"));
        assert!(!is_plain("{skipVerify: true}"));
        assert!(!Settings::default().is_plain_http("r.example"));
    }

    #[test]
    fn registry_settings_apply_to_every_spelling_of_its_name() {
        let text = "registries:
            R.lan:5000: {plainHttp: true, aliases: [pull.lan:5000]}
            dev: {loginServer: 'dev.lan:5000', plainHttp: true}
            LOCALHOST:7: {plainHttp: false}";
        let settings = Settings {
            config: Config::parse(text).unwrap(),
            ..Settings::default()
        };
        for name in ["r.lan:5000", "R.LAN:5000", "Pull.lan:5000", "dev.lan:5000"] {
            assert!(settings.is_plain_http(name), "{name}");
        }
        for name in ["127.0.0.1:7", "[::1]:7", "localhost:7", "pull.lan:5001"] {
            assert!(!settings.is_plain_http(name), "{name}");
        }
        assert!(settings.is_plain_http("127.0.0.1:8"), "loopback is");
    }

    #[test]
    fn registry_without_a_domain_is_looked_up_or_means_azurecr_io() {
        let settings = Settings {
            config: Config::parse("registries: {dev: {loginServer: 'registry.lan:5000'}}").unwrap(),
            ..Settings::default()
        };
        assert_eq!(settings.login_server("dev"), "registry.lan:5000");
        assert_eq!(settings.login_server("DEV"), "registry.lan:5000");
        assert_eq!(settings.login_server("LocalHost:5000"), "localhost:5000");
        assert_eq!(settings.login_server("MyReg"), "myreg.azurecr.io");
        assert_eq!(settings.login_server("localhost:5000"), "localhost:5000");
    }

    #[test]
    fn variables_with_acrt_secrets_are_not_passed_to_programs() {
        let text = "environment: {pass: ['AWS_*', GIT_HUB]}\n\
                    listen: {hub: {secret: 'env:DOCKER_HOOK'}}\n\
                    metrics: {secret: 'env:GIT_METRICS'}\n\
                    page: {token: 'env:LC_PAGE'}\n\
                    notify: [{url: 'env:XDG_CHAT', secret: 'env:GIT_HUB'}]\n";
        let settings = Settings {
            config: Config::parse(text).unwrap(),
            ..Settings::default()
        };
        let rules = settings.environment();
        for name in ["DOCKER_HOOK", "GIT_METRICS", "LC_PAGE", "XDG_CHAT"] {
            assert!(!rules.hands_on(name), "{name}");
        }
        for name in ["DOCKER_HOST", "AWS_PROFILE", "GIT_HUB"] {
            assert!(rules.hands_on(name), "{name}");
        }
        let error = Config::parse("environment: {pass: ['A=B']}").unwrap_err();
        assert!(
            error.to_string().contains("`A=B` is not the name"),
            "{error}"
        );
    }
}
