//! A real registry, Docker Distribution, where it is installed: the speed of a round with a server that is not part of the
//! benchmark.

use std::{
    collections::BTreeSet,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use acrt::image::Digest;
use anyhow::{Context as _, Result, anyhow, ensure};
use tempfile::TempDir;

use crate::{
    cases::ACRT,
    content::{Document, TAG, repository},
    cores,
    home::{Home, Site},
    measure::{Row, Tool, in_turns},
    options::Options,
    peers,
    places::{Door, Place, Servers, Wire},
    tokens,
};

/// The program.
pub const PROGRAM: &str = "docker-registry";

/// A registry that runs until it is dropped.
pub struct Distribution {
    place: Place,
    tags: usize,
    site: Site,
    home: Home,
    folder: TempDir,
    process: Child,
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Distribution {
    /// Starts a registry with this many repositories, and writes a task for each.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start(servers: &mut Servers, place: Place, tags: usize) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("acrt-bench-").tempdir()?;
        for tag in 0..tags {
            put(&folder, tag, false)?;
        }
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let config = folder.path().join("config.yml");
        fs::write(&config, Self::config(servers, place, &folder, address)?)?;
        let process = spawn(&config.display().to_string())?;
        let far = servers.far(address, place)?;
        let site = Site {
            host: far.to_string(),
            tls: place.wire != Wire::Http,
            login: false,
            indexes: false,
        };
        let sites = [site.clone()];
        let started = Self {
            home: Home::make(&sites, tags, tags, &servers.identity.ca_file)?,
            place,
            tags,
            site,
            folder,
            process,
        };
        started.wait_for(address)?;
        Ok(started)
    }

    fn config(
        servers: &mut Servers,
        place: Place,
        folder: &TempDir,
        address: SocketAddr,
    ) -> Result<String> {
        let identity = |servers: &Servers| {
            let identity = &servers.identity;
            let certificate = identity.certificate_file.display().to_string();
            (certificate, identity.key_file.display().to_string())
        };
        let (certificate, key) = identity(servers);
        let tls = match place.wire {
            Wire::Http => String::new(),
            _ => format!("  tls: {{certificate: {certificate}, key: {key}}}\n"),
        };
        let auth = match place.door {
            Door::Bearer => {
                let issuer = servers.at(place)?;
                format!(
                    "auth:\n  token: {{realm: 'https://{}/token', service: {1}, issuer: {1}, rootcertbundle: {2}}}\n",
                    issuer.address,
                    tokens::SERVICE,
                    servers.identity.ca_file.display()
                )
            }
            _ => String::new(),
        };
        Ok(format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: {address}\n{tls}{auth}",
            folder.path().display()
        ))
    }

    fn wait_for(&self, address: SocketAddr) -> Result<()> {
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            ensure!(Instant::now() < patience, "`{PROGRAM}` does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Returns the heading of its figures.
    #[must_use]
    pub fn heading(place: Place, tags: usize) -> String {
        format!("{PROGRAM}, {place}, {tags} tags")
    }

    /// Measures acrt and the other tools, and checks acrt's answer.
    ///
    /// # Errors
    ///
    /// If one of them fails, or the answer is wrong.
    pub fn measure(&self, options: &Options, servers: &Servers) -> Result<Vec<Row>> {
        let watch = self.home.acrt(&["task", "watch", "--once"]);
        let mut tools = vec![Tool::new(ACRT, watch, options.runs())];
        if self.place.door == Door::Open && peers::is_installed("curl") {
            let ca_file = &servers.identity.ca_file;
            let runs = options.runs();
            tools.push(peers::curl(
                &self.site, self.tags, runs, &self.home, ca_file,
            )?);
        }
        tools.extend(peers::processes(options, &self.site, self.tags, servers));
        let heading = Self::heading(self.place, self.tags);
        let rows = in_turns(&heading, self.tags, &tools, None)?;
        put(&self.folder, 0, true)?;
        let checked = self.home.check(&BTreeSet::from([0]));
        put(&self.folder, 0, false)?;
        checked.with_context(|| format!("the answer of acrt is wrong: {heading}"))?;
        Ok(rows)
    }
}

/// Starts the program on the servers' core.
fn spawn(config: &str) -> Result<Child> {
    std::thread::scope(|scope| {
        let spawned = scope.spawn(|| {
            cores::take(cores::Side::Servers)?;
            Ok(Command::new(PROGRAM)
                .args(["serve", config])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?)
        });
        spawned
            .join()
            .map_err(|_| anyhow!("a thread ended badly"))?
    })
}

/// Writes a tag directly into the registry's storage: filling it over HTTP would take a minute.
fn put(folder: &TempDir, number: usize, moved: bool) -> Result<()> {
    let name = repository(number);
    let document = Document::of(&name, moved, false);
    let root = folder.path().join("docker/registry/v2");
    let manifests = root.join("repositories").join(&name).join("_manifests");
    let hex = |digest: &Digest| digest.to_string().replace("sha256:", "");
    let hex = hex(&document.digest);
    let blob = root.join("blobs/sha256").join(&hex[..2]).join(&hex);
    let link = document.digest.to_string();
    for (file, content) in [
        (blob.join("data"), &document.body[..]),
        (
            manifests.join("revisions/sha256").join(&hex).join("link"),
            link.as_bytes(),
        ),
        (
            manifests.join("tags").join(TAG).join("current/link"),
            link.as_bytes(),
        ),
    ] {
        fs::create_dir_all(file.parent().context("a file has no folder")?)?;
        fs::write(&file, content)?;
    }
    Ok(())
}
