//! The verbs: one file for each thing that acrt does. They join the rooms, and neither print nor know flags.

pub mod answer;
mod assemble;
pub mod cancel_run;
pub mod chain;
pub mod check;
pub mod config;
pub mod credential;
pub mod deps;
pub mod event;
pub mod execute;
pub mod fetch;
pub mod heads;
pub mod health;
pub mod import;
mod inputs;
pub mod look;
pub mod mirror;
pub mod notify;
mod pushed;
pub mod resolve;
pub mod run;
pub mod runs;
pub mod show;
pub mod source_trigger;
pub mod steps;
pub mod task;
pub mod timer;
pub mod watch;

use std::{cell::RefCell, future::Future, path::PathBuf, rc::Rc};

use crate::{
    error::{Context as _, Kind, Result},
    image::{Mirrors, Reference},
    registry::{Login, Registries},
    store::Store,
    sys::{aliases::Aliases, clock::Clock, settings::Settings},
    watch::Tags,
};

/// What a command was told about its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--builder`
    pub builder: Option<String>,
}

/// What operations may touch. Concrete things; tests point them at a folder, a `PATH` and a registry of their own.
pub struct App {
    /// Environment and config file.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// The state directory.
    pub store: Store,
    /// The copies of one's own that the config file names.
    pub mirrors: Mirrors,
    /// Which names of registries are names of one registry.
    pub aliases: Aliases,
    /// What the command was told, to hand on to a process that goes on by itself.
    pub surroundings: Surroundings,
    registries: RefCell<Option<(Vec<Login>, Rc<Registries>)>>,
}

impl App {
    /// Reads the environment and the config file. Opens nothing else.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where either does not make sense.
    pub fn new(surroundings: Surroundings) -> Result<Self> {
        let mut settings = Settings::load(surroundings.config.as_deref())?;
        if surroundings.builder.is_some() {
            settings.builder.clone_from(&surroundings.builder);
        }
        Ok(Self {
            clock: Clock::new(settings.now.as_deref())?,
            mirrors: mirror::mirrors(&settings)?,
            aliases: settings.aliases(),
            store: Store::at(&settings.state_dir(surroundings.state_dir.as_deref())?),
            settings,
            surroundings,
            registries: RefCell::new(None),
        })
    }

    /// Reads the environment and the config file anew, for a process that goes on. The clock goes on too, and the state
    /// directory stays the one that this process has locked.
    ///
    /// # Errors
    ///
    /// As [`App::new`]; then the old settings still serve.
    pub fn read_again(&self) -> Result<Self> {
        Ok(Self {
            clock: self.clock.clone(),
            store: Store::at(self.store.layout().root()),
            ..Self::new(self.surroundings.clone())?
        })
    }

    /// Returns an image by the one name of its registry: what references are compared by.
    #[must_use]
    pub fn canonical(&self, image: &Reference) -> Reference {
        match self.aliases.registry(image.registry()) {
            name if name == image.registry() => image.clone(),
            name => image.on(&name).unwrap_or_else(|| image.clone()),
        }
    }

    /// Tells whether two names are names of one registry.
    #[must_use]
    pub fn is_same_registry(&self, one: &str, other: &str) -> bool {
        self.aliases.registry(one) == self.aliases.registry(other)
    }

    /// Returns the copy that the config file names for an image, by whatever name of its registry that is written.
    #[must_use]
    pub fn copy_of(&self, image: &Reference) -> Option<Reference> {
        match self.mirrors.is_empty() {
            true => None,
            false => self.mirrors.of(&self.canonical(image)),
        }
    }

    /// Reads what is remembered of tags, each by the one name of its registry.
    ///
    /// # Errors
    ///
    /// As [`Store::tags`].
    pub fn tags(&self) -> Result<Tags> {
        let tags = self.store.tags()?;
        let is_own = |tag: &Reference| self.aliases.registry(tag.registry()) == tag.registry();
        Ok(match tags.records().keys().all(is_own) {
            true => tags,
            // Version 0.1 wrote them as they were spelled, and the aliases of the config file may have changed.
            false => tags.renamed(|tag| self.canonical(tag)),
        })
    }

    /// Returns the registries, made ready at the first call: most commands never ask one.
    pub fn registries(&self) -> Rc<Registries> {
        let known = self
            .registries
            .borrow()
            .as_ref()
            .map(|(_, all)| all.clone());
        known.unwrap_or_else(|| self.registries_with(Vec::new()))
    }

    /// Lets the registries know the logins of tasks. Tokens and connections are kept while the logins stay the same.
    pub fn registries_with(&self, logins: Vec<Login>) -> Rc<Registries> {
        let mut registries = self.registries.borrow_mut();
        match &*registries {
            Some((known, all)) if *known == logins => all.clone(),
            _ => {
                let clock = self.clock.clone();
                let all = Rc::new(Registries::new(&self.settings, clock, logins.clone()));
                *registries = Some((logins, all.clone()));
                all
            }
        }
    }

    /// Carries out an operation that waits for registries or processes.
    ///
    /// # Errors
    ///
    /// [`Kind::Failed`] where the machine gives no event loop; else what the operation returns.
    pub fn wait<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(Kind::Failed, || "cannot start the event loop".to_owned())?;
        // Looks go on beside each other in one thread.
        let local = tokio::task::LocalSet::new();
        let result = local.block_on(&runtime, operation);
        // A helper or a look-up that hangs must not keep an answer back.
        runtime.shutdown_background();
        result
    }
}
