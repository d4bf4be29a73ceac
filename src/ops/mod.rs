//! The operations: one file for each thing that acrt does. They join the modules, and neither print nor parse flags.

pub mod adopt;
pub mod answer;
mod assemble;
mod build_job;
mod builder_fault;
pub mod builders;
mod cache_traces;
pub mod chain;
pub mod check;
mod clean;
mod commands;
pub mod config;
mod config_values;
pub mod credential;
pub mod deps;
mod docker_run;
pub mod event;
mod execute;
pub mod execution;
pub mod fetch;
pub mod follow;
pub mod graph;
pub mod heads;
pub mod health;
pub mod image_check;
pub mod import;
mod inputs;
mod inventory;
pub mod joined;
mod keep;
pub mod local;
pub mod login;
pub mod look;
pub mod manifest;
pub mod mirror;
pub mod notify;
mod outputs;
pub mod page;
mod parts;
mod placing;
mod platforms;
pub mod purge;
mod push_login;
mod pushed;
mod reading;
pub mod recall;
mod recovery;
pub mod repository;
pub mod resolve;
pub mod run;
mod run_builders;
mod run_log;
mod run_record;
mod run_request;
pub mod runs;
pub mod show;
pub mod source_trigger;
pub mod status;
pub mod steps;
pub mod supervise;
mod survey;
pub mod task;
mod tidy;
pub mod timer;
pub mod trust;
mod unchanged;
pub mod verify;
pub mod watch;
pub mod why;
mod why_failed;
mod working_containers;

use std::{cell::RefCell, collections::BTreeMap, future::Future, path::PathBuf, rc::Rc};

pub use event::{Event, EventSink};
use verify::Verifier;

use crate::{
    builder,
    error::{Context as _, Kind, Result},
    image::{Mirrors, Platform, Reference},
    registry::{Login, Registries},
    store::Store,
    sys::{aliases::Aliases, clock::Clock, command::CommandLine, environment, settings::Settings},
    task::{Age, Window},
};

/// Why a path is refused: no answer in JSON, no definition and no crontab could name it.
const NOT_UTF8: &str = "its path is not UTF-8";

/// The global options of the command line.
#[derive(Clone, Debug, Default)]
pub struct GlobalOptions {
    pub state_dir: Option<PathBuf>,
    pub config: Option<PathBuf>,
    pub builder: Option<String>,
    pub allow_unsafe_permissions: bool,
    /// The text of the config file, where another process has read it.
    pub config_text: Option<String>,
}

/// What operations work with. Tests use a state directory, a `PATH` and a registry of their own.
pub struct App {
    pub settings: Settings,
    pub clock: Clock,
    pub store: Store,
    /// The mirrors that the config file names.
    pub mirrors: Mirrors,
    /// Which names belong to the same registry.
    pub aliases: Aliases,
    pub verifier: Rc<Verifier>,
    /// The minimum age of a base's digest, where a task does not say.
    pub min_age: Age,
    /// When triggers may begin runs, where a task does not say.
    pub windows: Vec<Window>,
    /// The global options, to pass them on to background processes.
    pub global_options: GlobalOptions,
    /// The URL of the status page for messages, if there is one.
    pub page_url: Option<String>,
    registries: RefCell<Option<(Vec<Login>, Rc<Registries>)>>,
    /// The platforms of builders, by the question that they have answered.
    builder_platforms: RefCell<BTreeMap<String, Platform>>,
}

impl App {
    /// Reads the environment and the config file. Opens nothing else.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where either is not valid.
    pub fn new(global_options: GlobalOptions) -> Result<Self> {
        let insists = global_options.allow_unsafe_permissions;
        let (config, text) = (
            global_options.config.as_deref(),
            &global_options.config_text,
        );
        let mut settings = Settings::load(config, text.clone(), insists)?;
        environment::rule(settings.environment());
        if let Some(name) = global_options
            .builder
            .as_deref()
            .filter(|it| !it.is_empty())
        {
            builder::check_name(name, &settings)?;
        }
        if global_options.builder.is_some() {
            settings.builder.clone_from(&global_options.builder);
        } else if let Some(name) = &settings.builder {
            builder::check_name(name, &settings)
                .context(Kind::Invalid, || "cannot use ACRT_BUILDER".to_owned())?;
        }
        let mut store = Store::at(&settings.state_dir(global_options.state_dir.as_deref())?);
        store.upgrade(settings.allows_unsafe_permissions)?;
        Ok(Self {
            verifier: Rc::new(Verifier::new(&settings, store.clone())?),
            min_age: config_values::min_age(&settings.config)?,
            windows: config_values::windows(&settings.config)?,
            store,
            clock: Clock::new(settings.now.as_deref())?,
            mirrors: config_values::mirrors(&settings)?,
            aliases: settings.aliases(),
            page_url: settings.config.page.url.clone(),
            settings,
            global_options,
            registries: RefCell::new(None),
            builder_platforms: RefCell::default(),
        })
    }

    /// Refuses a state directory that another user can change, unless the user allows it. For commands that use it.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] with its owner, or its mode.
    pub fn check_state_directory(&self) -> Result<()> {
        if self.settings.allows_unsafe_permissions {
            Ok(())
        } else {
            self.store.check_owner()
        }
    }

    /// Sets the environment of a user's program so that an acrt which it calls uses the same tasks and settings.
    pub fn within_reach(&self, line: CommandLine) -> CommandLine {
        let root = self.store.layout().root();
        let line = line.env("ACRT_STATE_DIR", root.display().to_string());
        let config = self.settings.config_path.as_ref();
        match config.and_then(|path| std::path::absolute(path).ok()) {
            Some(path) if path.exists() => line.env("ACRT_CONFIG", path.display().to_string()),
            _ => line,
        }
    }

    /// Reads the environment and the config file again, for a long-running process. The clock is kept, and so is the state directory that
    /// this process has locked.
    ///
    /// # Errors
    ///
    /// As [`App::new`]; then the old settings stay in use.
    pub fn read_again(&self) -> Result<Self> {
        let again = Self {
            clock: self.clock.clone(),
            store: self.store.clone(),
            ..Self::new(self.global_options.clone())?
        };
        // The pauses that registries have asked for hold, whatever the config file says now.
        let earlier = self.registries.borrow().as_ref().map(|(logins, all)| {
            let all = Rc::new(all.with(&again.settings, logins.clone()));
            (logins.clone(), all)
        });
        again.registries.replace(earlier);
        Ok(again)
    }

    /// Returns an image with the canonical name of its registry. References are compared by this name.
    pub fn canonical(&self, image: &Reference) -> Reference {
        match self.aliases.registry(image.registry()) {
            name if name == image.registry() => image.clone(),
            name => image.on(&name).unwrap_or_else(|| image.clone()),
        }
    }

    pub fn is_same_registry(&self, one: &str, other: &str) -> bool {
        self.aliases.registry(one) == self.aliases.registry(other)
    }

    /// Returns whether a list of those of the registry `only`, or of all, shows a task of this registry.
    fn is_shown(&self, only: Option<&str>, registry: &str) -> bool {
        only.is_none_or(|only| self.is_same_registry(only, registry))
    }

    /// Returns the mirror that the config file names for an image, whichever alias of its registry is used.
    pub fn copy_of(&self, image: &Reference) -> Option<Reference> {
        if self.mirrors.is_empty() {
            None
        } else {
            self.mirrors.of(&self.canonical(image))
        }
    }

    /// Returns the registries, created at the first call: most commands ask none.
    pub fn registries(&self) -> Rc<Registries> {
        let made = self
            .registries
            .borrow()
            .as_ref()
            .map(|(_, all)| all.clone());
        made.unwrap_or_else(|| self.registries_with(Vec::new()))
    }

    /// Returns the registries with these logins of tasks. Tokens and connections are kept while the logins stay the same; what does not
    /// depend on logins, such as the pauses that registries asked for, is kept in any case.
    pub fn registries_with(&self, logins: Vec<Login>) -> Rc<Registries> {
        let mut registries = self.registries.borrow_mut();
        match &*registries {
            Some((known, all)) if *known == logins => all.clone(),
            earlier => {
                let all = Rc::new(match earlier {
                    Some((_, all)) => all.with(&self.settings, logins.clone()),
                    None => Registries::new(&self.settings, self.clock.clone(), logins.clone()),
                });
                *registries = Some((logins, all.clone()));
                all
            }
        }
    }

    /// Runs an asynchronous operation to its end.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the event loop cannot be created; else what the operation returns.
    pub fn wait<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Kind::Failed, || "cannot start the event loop".to_owned())?;
        // Looks run concurrently in one thread.
        let local = tokio::task::LocalSet::new();
        let result = local.block_on(&runtime, operation);
        // A helper or a look-up that hangs must not delay the answer.
        runtime.shutdown_background();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;
    use crate::sys::secret::Secret;

    /// Starts a registry that asks for a pause of ten minutes. Returns its name, and how often it was asked.
    fn limiting_registry() -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let answer = "HTTP/1.1 429 Slow down\r\nRetry-After: 600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (name, asked)
    }

    #[test]
    fn registry_pause_outlives_changed_credentials_and_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        std::fs::write(&config, "").unwrap();
        let mut app = App::new(GlobalOptions {
            state_dir: Some(folder.path().to_owned()),
            config: Some(config),
            ..GlobalOptions::default()
        })
        .unwrap();
        app.clock = Clock::new(Some("1000000000")).unwrap();
        let (registry, asked) = limiting_registry();
        let tag = format!("{registry}/base:1").parse().unwrap();
        let login = Login {
            registry,
            username: "u".into(),
            secret: Secret::new("p"),
            repositories: std::collections::BTreeSet::new(),
            source: crate::registry::LoginSource::Options,
        };
        app.wait(async {
            let until = |looked: std::result::Result<_, crate::registry::LookupError>| {
                looked
                    .unwrap_err()
                    .retry_at()
                    .map(|until| until.as_second())
            };
            let all = Some(1_000_000_600);
            assert_eq!(until(app.registries().look(&tag).await), all);
            let others = app.registries_with(vec![login]);
            assert_eq!(until(others.look(&tag).await), all);
            let again = app.read_again()?;
            assert_eq!(until(again.registries().look(&tag).await), all);
            Ok(())
        })
        .unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
