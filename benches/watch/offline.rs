//! Commands without network requests: start-up time, and reading many tasks.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    home::{Home, Site},
    launch::Job,
    measure::{Row, Tool, in_turns},
    options::Options,
    places::Servers,
};

/// The heading of these figures.
pub const HEADING: &str = "no registry";

/// The name of the program that does nothing, in the tables.
pub const HELLO: &str = "clap hello world";

/// Homes with few and with many tasks.
pub struct Offline {
    hello: PathBuf,
    few: Home,
    many: Vec<(usize, Home)>,
}

impl Offline {
    /// Builds the program that does nothing, and writes the tasks.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn new(servers: &Servers, quick: bool) -> Result<Self> {
        let site = [Site {
            host: "r.example".to_owned(),
            tls: true,
            login: false,
            indexes: true,
        }];
        // Each task has a base of its own, which has been looked at.
        let home = |tasks: usize| -> Result<Home> {
            let home = Home::make(&site, tasks, tasks, &servers.identity.ca_file)?;
            home.remember_looks(&site)?;
            Ok(home)
        };
        let mut many = vec![(1000, home(1000)?)];
        if !quick {
            many.push((10_000, home(10_000)?));
        }
        Ok(Self {
            hello: build_hello()?,
            few: home(1)?,
            many,
        })
    }

    /// Measures all commands.
    ///
    /// # Errors
    ///
    /// If one fails.
    pub fn measure(&self, options: &Options) -> Result<Vec<Row>> {
        let runs = if options.quick { 15 } else { 40 };
        let hello = Job::new([self.hello.display().to_string()]);
        let mut tools = vec![Tool::new(HELLO, hello, runs)];
        for args in [
            &["--version"][..],
            &["--help"],
            &["task", "show", "--name", "t0"],
        ] {
            let name = format!("acrt {}", args.join(" "));
            tools.push(Tool::new(&name, self.few.acrt(args), runs));
        }
        for (tasks, home) in &self.many {
            for format in ["none", "json", "table"] {
                let list = home.acrt(&["task", "list", "-o", format]);
                tools.push(Tool::new(&listing(*tasks, format), list, runs));
            }
            let status = home.acrt(&["status", "-o", "table"]);
            tools.push(Tool::new(&status_of(*tasks), status, runs));
        }
        in_turns(HEADING, 0, &tools, None)
    }
}

/// Returns the name of a listing in the tables.
#[must_use]
pub fn listing(tasks: usize, format: &str) -> String {
    format!("acrt task list -o {format}, {tasks} tasks")
}

/// Returns the name of `status` in the tables.
#[must_use]
pub fn status_of(tasks: usize) -> String {
    format!("acrt status -o table, {tasks} tasks")
}

/// Builds the program that does nothing with acrt's own profile, and returns its path.
fn build_hello() -> Result<PathBuf> {
    let acrt = PathBuf::from(env!("CARGO_BIN_EXE_acrt"));
    let folder = acrt.parent().context("acrt is in no folder")?;
    let profile = if folder.ends_with("debug") {
        "dev"
    } else {
        "bench"
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--profile", profile])
        .args(["--example", "hello_clap"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(built.success(), "the yardstick `hello_clap` does not build");
    Ok(folder.join("examples/hello_clap"))
}
