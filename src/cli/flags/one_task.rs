//! Options that name one task, or one of something else, with an option as in az or as a bare word.

use std::fmt::Display;

use crate::{
    error::{Error, Kind, Result},
    ops::{App, task::find},
    task::{TaskKey, TaskName},
};

/// The name of a task: a bare word or `--name`.
#[derive(Debug, clap::Args)]
pub struct NameArgs {
    /// Name of the task
    #[arg(value_name = "NAME")]
    bare_name: Option<TaskName>,
    /// The same, as az takes it
    #[arg(short, long)]
    name: Option<TaskName>,
}

impl NameArgs {
    /// Returns the name, if one was given.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where two were.
    pub fn get(self) -> Result<Option<TaskName>> {
        one_of(self.bare_name, self.name, "--name")
    }
}

/// The name of a task that must be given, and `--registry`.
#[derive(Debug, clap::Args)]
#[command(mut_group("NameArgs", |group| group.required(true)))]
pub struct OneTaskArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Registry of the task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER")]
    registry: Option<String>,
}

impl OneTaskArgs {
    /// Finds the task.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if there is none; [`Kind::Invalid`] where two names were given.
    pub fn find(self, app: &App) -> Result<TaskKey> {
        let found = SomeTaskArgs::from(self).find(app)?;
        found.ok_or_else(|| Error::new(Kind::Invalid, "no task is named"))
    }
}

/// The name of a task that may be given, and `--registry`.
#[derive(Debug, clap::Args)]
pub struct SomeTaskArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Registry of that task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER", requires = "NameArgs")]
    registry: Option<String>,
}

impl From<OneTaskArgs> for SomeTaskArgs {
    fn from(OneTaskArgs { name, registry }: OneTaskArgs) -> Self {
        Self { name, registry }
    }
}

impl SomeTaskArgs {
    /// Finds the task, if one is named.
    ///
    /// # Errors
    ///
    /// [`Kind::NotFound`] if there is none; [`Kind::Invalid`] where two names were given.
    pub fn find(self, app: &App) -> Result<Option<TaskKey>> {
        let name = self.name.get()?;
        name.map(|name| find(app, &name, self.registry.as_deref()))
            .transpose()
    }
}

/// Returns what was given once, by a bare word or by an option; the same twice is once.
///
/// # Errors
///
/// [`Kind::Invalid`] where the two differ.
pub fn one_of<T: PartialEq + Display>(
    bare: Option<T>,
    given: Option<T>,
    option: &str,
) -> Result<Option<T>> {
    match (bare, given) {
        (Some(bare), Some(given)) if bare != given => Err(Error::new(
            Kind::Invalid,
            format!("`{bare}` and `{option} {given}` name two things: one is meant"),
        )
        .hint("leave one of the two out")),
        (bare, given) => Ok(bare.or(given)),
    }
}
