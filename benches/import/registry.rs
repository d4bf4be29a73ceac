//! A real registry, Docker Distribution, with an image of random bytes.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use acrt::image::Digest;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program.
pub const PROGRAM: &str = "docker-registry";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry that runs until it is dropped.
pub struct Registry {
    folder: TempDir,
    host: String,
    process: Child,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    /// Starts an empty registry.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("acrt-bench-").tempdir()?;
        let host = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let config = folder.path().join("config.yml");
        let data = folder.path().join("data");
        fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{host}'}}\n",
                data.display()
            ),
        )?;
        let process = Command::new(PROGRAM)
            .arg("serve")
            .arg(&config)
            .stdout(fs::File::create(folder.path().join("log"))?)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{PROGRAM}`"))?;
        let patience = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(&host).is_err() {
            ensure!(Instant::now() < patience, "`{PROGRAM}` does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Self {
            folder,
            host,
            process,
        })
    }

    /// Returns the name of the image.
    pub fn image(&self) -> String {
        image_at(&self.host)
    }

    /// Returns the address of the registry.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns how many requests it has answered.
    ///
    /// # Errors
    ///
    /// If its log cannot be read.
    pub fn requests(&self) -> Result<usize> {
        let log = fs::read_to_string(self.folder.path().join("log"))?;
        Ok(log
            .lines()
            .filter(|line| line.contains(" HTTP/1.1\" "))
            .count())
    }

    /// Pushes an image with the given number of platforms, layers per platform and bytes per layer.
    ///
    /// # Errors
    ///
    /// If the registry refuses a part.
    pub fn push(
        &self,
        repository: &str,
        platforms: usize,
        layers: usize,
        bytes: usize,
    ) -> Result<()> {
        let mut entries = Vec::new();
        let mut seed = 0;
        for platform in 0..platforms {
            let config = json!({"os": "linux", "architecture": format!("a{platform}")}).to_string();
            let config = self.blob(
                repository,
                "application/vnd.oci.image.config.v1+json",
                config.as_bytes(),
            )?;
            let mut parts = Vec::new();
            for _ in 0..layers {
                seed += 1;
                let layer = noise(seed, bytes);
                parts.push(self.blob(
                    repository,
                    "application/vnd.oci.image.layer.v1.tar+gzip",
                    &layer,
                )?);
            }
            let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": parts}).to_string();
            let tag = if platforms == 1 {
                "1".to_owned()
            } else {
                Digest::of(manifest.as_bytes()).to_string()
            };
            self.manifest(repository, &tag, MANIFEST, &manifest)?;
            let mut entry = descriptor(MANIFEST, manifest.as_bytes());
            entry["platform"] = json!({"os": "linux", "architecture": format!("a{platform}")});
            entries.push(entry);
        }
        if platforms > 1 {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
            self.manifest(repository, "1", INDEX, &index.to_string())?;
        }
        Ok(())
    }

    fn blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Result<Value> {
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let started = ureq::post(url).send_empty()?;
        let place = started
            .headers()
            .get("location")
            .context("no place for a blob")?;
        let place = format!("{}&digest={}", place.to_str()?, Digest::of(bytes));
        ureq::put(place)
            .content_type("application/octet-stream")
            .send(bytes)?;
        Ok(descriptor(media_type, bytes))
    }

    fn manifest(&self, repository: &str, tag: &str, media_type: &str, text: &str) -> Result<()> {
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.host);
        ureq::put(url)
            .content_type(media_type)
            .send(text.as_bytes())?;
        Ok(())
    }
}

/// Returns the name of the image at this address.
pub fn image_at(host: &str) -> String {
    format!("{host}/image:1")
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes).as_str(), "size": bytes.len()})
}

/// Returns incompressible bytes, the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
