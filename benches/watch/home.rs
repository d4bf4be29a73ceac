//! State directories as acrt writes them: tasks, their state, and a config file that says how to reach the registries.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use acrt::{
    image::{Digest, Reference},
    store::Store,
    task::{Dependency, DependencyKind, ImageDescriptor, Manifests, RunId, Task, TaskKey},
    watch::{Baseline, FileStamp, FileState, Observation, ReadFile, Tags},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    content::{Document, TAG, repository},
    launch::Job,
};

/// A registry, as clients see it.
#[derive(Clone, Debug)]
pub struct Site {
    /// The login server.
    pub host: String,
    /// Whether it uses TLS.
    pub tls: bool,
    /// Whether it requires the login of `bench`.
    pub login: bool,
    /// Whether its tags name indexes.
    pub indexes: bool,
}

/// A state directory with everything else that acrt reads.
pub struct Home {
    folder: TempDir,
    tasks: Vec<(String, usize)>,
}

impl Home {
    /// Creates `tasks` tasks, distributed over the sites and, on each, over its first `tags` repositories.
    ///
    /// # Errors
    ///
    /// If the files cannot be written.
    pub fn make(sites: &[Site], tasks: usize, tags: usize, ca_file: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("acrt-bench-").tempdir()?;
        // Only bases are counted here: the images that tasks push would be on a registry that does not exist.
        let mut config = "watch: {imagesEverySeconds: 0}\nregistries:\n".to_owned();
        let mut logins = Vec::new();
        for site in sites {
            let (host, plain, ca) = (&site.host, !site.tls, ca_file.display());
            writeln!(
                config,
                "  \"{host}\": {{plainHttp: {plain}, caFile: \"{ca}\"}}"
            )?;
            if site.login {
                logins.push(format!("\"{host}\":{{\"auth\":\"YmVuY2g6YmVuY2g=\"}}"));
            }
        }
        fs::write(folder.path().join("config.yaml"), config)?;
        fs::create_dir(folder.path().join("docker"))?;
        let logins = format!("{{\"auths\":{{{}}}}}", logins.join(","));
        fs::write(folder.path().join("docker/config.json"), logins)?;
        let mut home = Self {
            folder,
            tasks: Vec::with_capacity(tasks),
        };
        for number in 0..tasks {
            let site = &sites[number % sites.len()];
            let tag = number / sites.len() % tags;
            home.write_task(&format!("t{number}"), site, tag)?;
            home.tasks.push((format!("t{number}"), tag));
        }
        Ok(home)
    }

    fn write_task(&self, name: &str, site: &Site, tag: usize) -> Result<()> {
        let context = self.file(&format!("src/{name}"));
        let task: Task = serde_yaml::from_str(&format!(
            "{{schema: 1, name: {name}, registry: r.example, step: {{type: Docker, contextPath: {}, dockerFilePath: Dockerfile, imageNames: ['{name}:latest', '{name}:{{{{.Run.ID}}}}']}}, trigger: {{baseImageTrigger: {{}}}}}}",
            context.display()
        ))?;
        let repository = repository(tag);
        let document = Document::of(&repository, false, site.indexes);
        let base: Reference = format!("{}/{repository}:{TAG}", site.host).parse()?;
        let platform = "linux/amd64".parse()?;
        let dependency = Dependency {
            image: ImageDescriptor::new(&base, Some(document.digest)),
            kind: DependencyKind::Runtime,
            manifests: Manifests::from_iter([(platform, Some(document.manifest))]),
            is_local: false,
            line: 1,
            mirror: None,
        };
        let store = Store::at(&self.state());
        // Written without fsync: ten thousand synced files would take minutes.
        let (definition, dockerfile) =
            (store.layout().task(&task.key()), context.join("Dockerfile"));
        write(&definition, &serde_yaml::to_string(&task)?)?;
        write(&dockerfile, &format!("FROM {base}\n"))?;
        let when = "2026-01-01T00:00:00Z".parse()?;
        let pushed = |tag: &str| -> Result<ImageDescriptor> {
            let image: Reference = format!("r.example/{name}:{tag}").parse()?;
            Ok(ImageDescriptor::new(
                &image,
                Some(Digest::of(name.as_bytes())),
            ))
        };
        let built = acrt::watch::Built {
            dependencies: vec![dependency],
            named: Some(vec![base]),
            files: vec![read(definition)?, read(dockerfile)?],
            outputs: vec![pushed("latest")?, pushed("ca1")?],
            ..acrt::watch::Built::default()
        };
        let known = Baseline::succeeded(RunId::new(1), built, when);
        write(
            &store.layout().baseline(&task.key()),
            &serde_json::to_string_pretty(&known)?,
        )
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Adds to the config file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn configure(&self, more: &str) -> Result<()> {
        let path = self.file("config.yaml");
        let text = fs::read_to_string(&path)?;
        write(&path, &format!("{text}{more}"))
    }

    /// Sets the interval between looks at a tag.
    ///
    /// # Errors
    ///
    /// If the config file cannot be written.
    pub fn look_every(&self, seconds: u32) -> Result<()> {
        let path = self.file("config.yaml");
        let text = fs::read_to_string(&path)?;
        let every = format!("watch: {{everySeconds: {seconds}, ");
        write(&path, &text.replacen("watch: {", &every, 1))
    }

    /// Records a look at every tag, with the digest that the tasks were built on.
    ///
    /// # Errors
    ///
    /// If that cannot be written.
    pub fn remember_looks(&self, sites: &[Site]) -> Result<()> {
        let when = "2026-01-02T00:00:00Z".parse()?;
        let mut tags = Tags::default();
        for (number, (_, tag)) in self.tasks.iter().enumerate() {
            let (site, repository) = (&sites[number % sites.len()], repository(*tag));
            let document = Document::of(&repository, false, site.indexes);
            let base: Reference = format!("{}/{repository}:{TAG}", site.host).parse()?;
            let seen = Observation {
                digest: document.digest,
                manifests: Manifests::from_iter([(
                    "linux/amd64".parse()?,
                    Some(document.manifest),
                )]),
                created: None,
            };
            tags.observe(&base, seen, when);
        }
        Ok(Store::at(&self.state()).save_tags(&tags)?)
    }

    /// Makes the tasks push nothing.
    ///
    /// # Errors
    ///
    /// If their definitions cannot be written.
    pub fn push_nothing(&self) -> Result<()> {
        let store = Store::at(&self.state());
        for (name, _) in &self.tasks {
            let key = TaskKey {
                registry: "r.example".to_owned(),
                name: name.parse()?,
            };
            let path = store.layout().task(&key);
            let text = fs::read_to_string(&path)?;
            let quiet = text.replace("isPushEnabled: true", "isPushEnabled: false");
            ensure!(
                text != quiet,
                "`{}` does not say that it pushes",
                path.display()
            );
            write(&path, &quiet)?;
        }
        Ok(())
    }

    /// Returns a command of acrt that uses only this home.
    #[must_use]
    pub fn acrt(&self, args: &[&str]) -> Job {
        let program = std::iter::once(env!("CARGO_BIN_EXE_acrt"));
        let place = |name: &str| self.folder.path().join(name);
        Job::new(program.chain(args.iter().copied()))
            .with("ACRT_STATE_DIR", self.state())
            .with("ACRT_CONFIG", place("config.yaml"))
            .with("DOCKER_CONFIG", place("docker"))
            .with("HOME", self.folder.path())
    }

    /// Checks that acrt finds exactly those tasks stale whose tag is one of `moved`.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn check(&self, moved: &BTreeSet<usize>) -> Result<()> {
        let answer = self.folder.path().join("answer.json");
        let mut job = self.acrt(&["task", "check", "-o", "json"]);
        job.stdout = Some(answer.clone());
        job.measure()?;
        let answer: Value = serde_json::from_slice(&fs::read(answer)?)?;
        let states = answer.as_array().context("the answer is no list")?;
        let name = |task: &Value| task["name"].as_str().unwrap_or_default().to_owned();
        let found: BTreeSet<String> = states
            .iter()
            .filter(|task| task["state"] != "current")
            .map(name)
            .collect();
        let tasks = self.tasks.iter().filter(|(_, tag)| moved.contains(tag));
        let expected: BTreeSet<String> = tasks.map(|(name, _)| name.clone()).collect();
        ensure!(
            states.len() == self.tasks.len(),
            "{} tasks of {} are in the answer",
            states.len(),
            self.tasks.len()
        );
        ensure!(
            found == expected,
            "{} tasks are found stale, and {} are",
            found.len(),
            expected.len()
        );
        Ok(())
    }

    /// Returns the path of a file in this home, for another tool.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Returns the record of a file that a run has read.
fn read(path: PathBuf) -> Result<ReadFile> {
    let stamp = FileStamp::of(&fs::metadata(&path)?);
    Ok(ReadFile {
        path,
        state: FileState::At(stamp),
    })
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().context("a file has no folder")?)?;
    fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}
