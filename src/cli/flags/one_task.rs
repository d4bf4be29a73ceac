//! Options that name one task, with `--name` as in az or as a bare argument.

use crate::{
    error::{Error, Result},
    ops::{App, task::find},
    task::{TaskKey, TaskName},
};

use super::{azure::AzureArgs, bare::one_of};

// The name of a task: a bare argument or `--name`.
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
    pub fn get(self) -> Result<Option<TaskName>> {
        one_of(self.bare_name, self.name, "--name")
    }
}

// The name of a required task, and `--registry`.
#[derive(Debug, clap::Args)]
#[command(mut_group("NameArgs", |group| group.required(true)))]
pub struct OneTaskArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Registry of the task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
}

impl OneTaskArgs {
    pub fn find(self, app: &App) -> Result<TaskKey> {
        let name = self.name.get()?;
        let name = name.ok_or_else(|| Error::invalid("no task was given"))?;
        find(app, &name, self.registry.as_deref())
    }
}

// The same with the options of Azure.
#[derive(Debug, clap::Args)]
pub struct AzureOneTaskArgs {
    #[command(flatten)]
    task: OneTaskArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

impl AzureOneTaskArgs {
    pub fn find(self, app: &App) -> Result<TaskKey> {
        self.task.find(app)
    }
}

// The name of an optional task, and `--registry`.
#[derive(Debug, clap::Args)]
pub struct SomeTaskArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Registry of that task; needed only where several have a task of this name
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server, requires = "NameArgs")]
    registry: Option<String>,
}

impl SomeTaskArgs {
    /// Finds the task, if one is named.
    pub fn find(self, app: &App) -> Result<Option<TaskKey>> {
        let name = self.name.get()?;
        name.map(|name| find(app, &name, self.registry.as_deref()))
            .transpose()
    }
}
