//! A real registry: Docker Distribution on a loopback port, with its own data.

use std::{
    cell::{Cell, RefCell},
    fs,
    io::Read as _,
    net::TcpStream,
    sync::atomic::{AtomicU16, Ordering},
};

use serde_json::Value;

use super::{
    authority::Authority,
    command, eventually,
    image::{Blob, Image, Parts, own_platform},
    program,
    service::Service,
    spare::{self, Kind, Spare},
};

/// The `User-Agent` of the tests, to tell their own requests from others in the access log.
const AGENT: &str = "acrt-tests";

/// All media types of manifests.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// The password of a registry with authorization; the user is `acrt`.
pub const PASSWORD: &str = "hunter2-canary";

/// User and password in base64, as in requests and Docker's config file.
const LOGIN: &str = "YWNydDpodW50ZXIyLWNhbmFyeQ==";

/// The same as `htpasswd -Bbn -C 5` writes it, also for the user name of tokens.
const HTPASSWD: &str = "acrt:$2y$05$LufAs.7oo706fGEje.JS5.B22skbqVsxGtzhxwaJ0XT7JPYjVEAMi\n00000000-0000-0000-0000-000000000000:$2y$05$LufAs.7oo706fGEje.JS5.B22skbqVsxGtzhxwaJ0XT7JPYjVEAMi\n";

/// A running or stopped registry. Its data is removed with it.
pub struct Registry {
    dir: tempfile::TempDir,
    port: Cell<u16>,
    service: RefCell<Option<Service>>,
    agent: ureq::Agent,
    kind: Kind,
    /// The `notifications` of its config file.
    notifications: RefCell<String>,
    /// How many lines of the access log [`Registry::forget_requests`] has skipped.
    forgotten: Cell<usize>,
}

/// The same registry at another, undeclared address.
pub struct Twin {
    host: String,
    _service: Service,
}

impl Twin {
    /// Returns its address, as in image names.
    pub fn host(&self) -> String {
        self.host.clone()
    }

    /// Returns `name`, such as `web:latest`, with this address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }
}

/// A request that the test itself did not send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub status: u16,
    pub agent: String,
}

impl Registry {
    /// Returns a registry without authorization.
    pub fn start() -> Self {
        Self::new(Kind {
            password: false,
            deletes: true,
        })
    }

    /// Returns a registry that does not support deletion, which is Docker Distribution's default.
    pub fn without_delete() -> Self {
        Self::new(Kind {
            password: false,
            deletes: false,
        })
    }

    /// Returns a registry that requires a login.
    pub fn with_login() -> Self {
        Self::new(Kind {
            password: true,
            deletes: true,
        })
    }

    fn new(kind: Kind) -> Self {
        let config = ureq::Agent::config_builder()
            .user_agent(AGENT)
            .http_status_as_error(false)
            .build();
        let spare = spare::take(kind);
        let (dir, port, service) = match spare {
            Some(spare) => (
                super::folder_again(&spare.dir),
                spare.port,
                Some(spare.service),
            ),
            None => (super::folder(), 0, None),
        };
        let registry = Self {
            dir,
            port: Cell::new(port),
            service: RefCell::new(service),
            agent: config.into(),
            kind,
            notifications: RefCell::default(),
            forgotten: Cell::new(0),
        };
        if kind.password {
            fs::write(registry.dir.path().join("htpasswd"), HTPASSWD).unwrap();
        }
        if port != 0 {
            registry.forget_requests();
            return registry;
        }
        eventually("a free port", || {
            registry.port.set(next_port());
            registry.try_to_serve().then_some(())
        });
        registry
    }

    /// Stops it. Its address answers nothing until [`Registry::restart`].
    pub fn stop(&self) {
        *self.service.borrow_mut() = None;
        eventually("the end of the registry", || {
            TcpStream::connect(self.host()).is_err().then_some(())
        });
    }

    /// Starts it again on the same address with the same data.
    pub fn restart(&self) {
        self.stop();
        eventually("the registry's own port", || {
            self.try_to_serve().then_some(())
        });
    }

    /// Serves the same data at another address as well.
    pub fn twin(&self) -> Twin {
        self.serve_twin("")
    }

    /// Serves the same data over TLS, with a certificate of the authority.
    pub fn twin_over_tls(&self, authority: &Authority) -> Twin {
        let (certificate, key) = authority.issue("registry", "127.0.0.1");
        let (certificate, key) = (certificate.display(), key.display());
        self.serve_twin(&format!(
            ", tls: {{certificate: {certificate}, key: {key}}}"
        ))
    }

    fn serve_twin(&self, tls: &str) -> Twin {
        eventually("a second address", || {
            let host = format!("127.0.0.1:{}", next_port());
            let service = self.serve(&host, "twin", tls)?;
            Some(Twin {
                host,
                _service: service,
            })
        })
    }

    /// Sends all its events, pulls included, to `url` from now on, with this header; failed deliveries are repeated.
    pub fn notify(&self, url: &str, (header, value): (&str, &str)) {
        *self.notifications.borrow_mut() = format!(
            "notifications:\n  endpoints:\n  - {{name: acrt, url: '{url}', timeout: 10s, threshold: 10, backoff: 100ms, \
             headers: {{{header}: ['{value}']}}}}\n"
        );
        self.restart();
    }

    /// Returns its address, as in image names.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port.get())
    }

    /// Returns the docker config file that `docker login` would write for it.
    pub fn docker_config(&self) -> String {
        format!(r#"{{"auths":{{"{}":{{"auth":"{LOGIN}"}}}}}}"#, self.host())
    }

    /// Returns `name`, such as `web:latest`, with the registry's address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Pushes an image of some files as `name` and returns its digest.
    pub fn push(&self, name: &str, files: &[(&str, &str)]) -> String {
        self.push_image(name, &Image::of(files))
    }

    /// Pushes an image of some files, a shell and the usual small programs as `name` and returns its digest.
    pub fn push_shell(&self, name: &str, files: &[(&str, &str)]) -> String {
        self.push_image(name, &Image::of(files).shell())
    }

    /// Pushes `image` as `name` and returns its digest.
    pub fn push_image(&self, name: &str, image: &Image) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let parts = image.parts();
        self.upload(repository, &parts.layer);
        self.upload(repository, &parts.config);
        self.put_manifest(repository, tag, &parts.manifest)
    }

    /// Pushes an image with these layers, which may hold any bytes, as `name`.
    pub fn push_layers(&self, name: &str, layers: &[Vec<u8>]) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers: Vec<Blob> = layers
            .iter()
            .map(|bytes| Blob::new(media_type, bytes.clone()))
            .collect();
        let (config, manifest) = Image::of_layers(&layers);
        for blob in layers.iter().chain([&config]) {
            self.upload(repository, blob);
        }
        self.put_manifest(repository, tag, &manifest)
    }

    /// Pushes an index of two images as `name`, for amd64 and arm64, each with a file `version` of this text, and returns the index's digest.
    pub fn push_both(&self, name: &str, amd64: &str, arm64: &str) -> String {
        let image = |platform: &str, text: &str| Image::of(&[("version", text)]).platform(platform);
        let images = [image("linux/amd64", amd64), image("linux/arm64", arm64)];
        self.push_index(name, &images)
    }

    /// Pushes an index of `images` as `name` and returns the index's digest.
    pub fn push_index(&self, name: &str, images: &[Image]) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let parts: Vec<Parts> = images.iter().map(Image::parts).collect();
        for part in &parts {
            self.upload(repository, &part.layer);
            self.upload(repository, &part.config);
            self.put_manifest(repository, &part.manifest.digest, &part.manifest);
        }
        self.put_manifest(repository, tag, &Parts::index(&parts))
    }

    /// Pushes a custom manifest as `name`.
    pub fn put_document(&self, name: &str, manifest: &Value) {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let bytes = serde_json::to_vec(manifest).unwrap();
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        self.put_manifest(repository, tag, &Blob::new(media_type, bytes));
    }

    /// Pushes a custom manifest without a tag, and returns its digest.
    pub fn put_untagged(
        &self,
        repository: &str,
        media_type: &'static str,
        manifest: &Value,
    ) -> String {
        let blob = Blob::new(media_type, serde_json::to_vec(manifest).unwrap());
        self.put_manifest(repository, &blob.digest.clone(), &blob)
    }

    /// Uploads a blob, and returns its digest.
    pub fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let blob = Blob::new("application/octet-stream", bytes.to_vec());
        self.upload(repository, &blob);
        blob.digest
    }

    /// Points the tag of `name` to `digest` of the same repository.
    pub fn retag(&self, name: &str, digest: &str) {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let (media_type, bytes) = self.get(&format!("{repository}/manifests/{digest}"), MANIFESTS);
        let answer = self
            .request("PUT", &format!("{repository}/manifests/{tag}"))
            .header("Content-Type", media_type);
        assert_eq!(self.send(answer, &bytes).status(), 201);
    }

    /// Returns the manifest or index of `name`.
    pub fn document(&self, name: &str) -> Value {
        let (_, bytes) = self.get(&manifest_path(name), MANIFESTS);
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Deletes the manifest `digest`, and with it every tag that points to it.
    pub fn delete(&self, repository: &str, digest: &str) {
        let request = self.request("DELETE", &format!("{repository}/manifests/{digest}"));
        assert_eq!(self.send(request, &[]).status(), 202);
    }

    /// Returns the current digest of `name`, if it exists.
    pub fn digest(&self, name: &str) -> Option<String> {
        let request = self
            .request("HEAD", &manifest_path(name))
            .header("Accept", MANIFESTS);
        let answer = self.send(request, &[]);
        (answer.status() == 200).then(|| {
            let digest = &answer.headers()["docker-content-digest"];
            digest.to_str().unwrap().to_owned()
        })
    }

    /// Returns the tags of `repository`, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let (_, bytes) = self.get(&format!("{repository}/tags/list"), "application/json");
        let list: Value = serde_json::from_slice(&bytes).unwrap();
        let mut tags: Vec<_> = match &list["tags"] {
            Value::Null => Vec::new(),
            tags => strings(tags),
        };
        tags.sort();
        tags
    }

    /// Returns the manifest of `name`; of an index, the one for the machine's own platform.
    pub fn manifest(&self, name: &str) -> Value {
        let (_, bytes) = self.get(&manifest_path(name), MANIFESTS);
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let Some(entries) = document["manifests"].as_array() else {
            return document;
        };
        let (_, architecture) = own_platform();
        let own = entries
            .iter()
            .find(|entry| entry["platform"]["architecture"] == *architecture)
            .unwrap();
        let digest = own["digest"].as_str().unwrap();
        self.manifest(&format!("{}@{digest}", repository_of(name)))
    }

    /// Returns the platforms that the index `name` lists, sorted.
    pub fn platforms(&self, name: &str) -> Vec<String> {
        let (_, bytes) = self.get(&manifest_path(name), MANIFESTS);
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let part = |entry: &Value, key: &str| entry["platform"][key].as_str().unwrap().to_owned();
        let platform =
            |entry: &Value| format!("{}/{}", part(entry, "os"), part(entry, "architecture"));
        let mut platforms: Vec<_> = document["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(platform)
            .collect();
        platforms.sort();
        platforms
    }

    /// Returns the config of `name`.
    pub fn config(&self, name: &str) -> Value {
        let digest = &self.manifest(name)["config"]["digest"];
        serde_json::from_slice(&self.blob(name, digest)).unwrap()
    }

    /// Returns the value of a label of `name`.
    pub fn label(&self, name: &str, label: &str) -> Option<String> {
        let value = &self.config(name)["config"]["Labels"][label];
        value.as_str().map(str::to_owned)
    }

    /// Tells whether the image `name` was built on `base`.
    ///
    /// Builders recompress layers when they push, so the digests of the uncompressed layers are compared.
    pub fn depends_on(&self, name: &str, base: &str) -> bool {
        let layers = |name: &str| strings(&self.config(name)["rootfs"]["diff_ids"]);
        layers(name).starts_with(&layers(base))
    }

    /// Returns the text of a file in the image `name`, from the topmost layer that has it.
    pub fn file(&self, name: &str, path: &str) -> Option<String> {
        let manifest = self.manifest(name);
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().rev().find_map(|layer| {
            let bytes = self.blob(name, &layer["digest"]);
            // The magic number of gzip.
            let unpacked = if bytes.starts_with(&[0x1f, 0x8b]) {
                let mut unpacked = Vec::new();
                flate2::read::GzDecoder::new(bytes.as_slice())
                    .read_to_end(&mut unpacked)
                    .unwrap();
                unpacked
            } else {
                bytes
            };
            file_in(&unpacked, path)
        })
    }

    /// Returns the requests since the last [`Registry::forget_requests`], without those of the test itself.
    pub fn requests(&self) -> Vec<Request> {
        let lines = self.access_log();
        let requests = lines.iter().skip(self.forgotten.get());
        requests
            .filter_map(|line| Request::parse(line))
            .filter(|request| request.agent != AGENT)
            .collect()
    }

    /// Makes [`Registry::requests`] start from here.
    pub fn forget_requests(&self) {
        self.forgotten.set(self.access_log().len());
    }

    /// Returns the lines of the access log, with all requests that were answered before this call.
    fn access_log(&self) -> Vec<String> {
        static MARKS: AtomicU16 = AtomicU16::new(0);
        // A line is written just after its response, so the test sends a request of its own and waits for its line.
        let mark = format!("?mark={}", MARKS.fetch_add(1, Ordering::Relaxed));
        self.send(self.request("GET", &mark), &[]);
        eventually("the access log", || {
            let log = self.service.borrow().as_ref().unwrap().printed();
            log.contains(&format!("{mark} "))
                .then(|| log.lines().map(str::to_owned).collect())
        })
    }

    fn upload(&self, repository: &str, blob: &Blob) {
        let start = self.request("POST", &format!("{repository}/blobs/uploads/"));
        let answer = self.send(start, &[]);
        assert_eq!(answer.status(), 202);
        let place = answer.headers()["location"].to_str().unwrap();
        let end = self
            .authorised(ureq::http::Request::builder().method("PUT"))
            .uri(format!("{place}&digest={}", blob.digest))
            .header("Content-Type", "application/octet-stream");
        assert_eq!(self.send(end, &blob.bytes).status(), 201);
    }

    fn put_manifest(&self, repository: &str, reference: &str, manifest: &Blob) -> String {
        let request = self
            .request("PUT", &format!("{repository}/manifests/{reference}"))
            .header("Content-Type", manifest.media_type);
        assert_eq!(self.send(request, &manifest.bytes).status(), 201);
        manifest.digest.clone()
    }

    fn blob(&self, name: &str, digest: &Value) -> Vec<u8> {
        let path = format!("{}/blobs/{}", repository_of(name), digest.as_str().unwrap());
        self.get(&path, "*/*").1
    }

    /// Returns the media type and the body.
    fn get(&self, path: &str, accept: &str) -> (String, Vec<u8>) {
        let mut answer = self.send(self.request("GET", path).header("Accept", accept), &[]);
        let body = answer.body_mut().read_to_vec().unwrap();
        let text = String::from_utf8_lossy(&body);
        assert_eq!(answer.status(), 200, "GET {path}: {text}");
        let media_type = answer.headers()["content-type"].to_str().unwrap();
        (media_type.to_owned(), body)
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        self.authorised(ureq::http::Request::builder().method(method))
            .uri(format!("http://{}/v2/{path}", self.host()))
    }

    fn authorised(&self, request: ureq::http::request::Builder) -> ureq::http::request::Builder {
        if self.kind.password {
            return request.header("Authorization", format!("Basic {LOGIN}"));
        }
        request
    }

    fn send(
        &self,
        request: ureq::http::request::Builder,
        body: &[u8],
    ) -> ureq::http::Response<ureq::Body> {
        let request = request.body(body).unwrap();
        // A tag is rewritten in place, and a read at that moment gets a 500.
        eventually("an answer of the registry", || {
            let answer = self.agent.run(request.clone()).unwrap();
            (answer.status() != 500).then_some(answer)
        })
    }

    /// Starts the program; returns whether its port was free.
    fn try_to_serve(&self) -> bool {
        let service = self.serve(&self.host(), "config", "");
        self.forgotten.set(0);
        *self.service.borrow_mut() = service;
        self.service.borrow().is_some()
    }

    /// Starts the program at an address, with files of this name; `None` if the address is taken.
    fn serve(&self, host: &str, name: &str, tls: &str) -> Option<Service> {
        let dir = self.dir.path();
        let auth = if self.kind.password {
            format!(
                "auth: {{htpasswd: {{realm: acrt, path: {}/htpasswd}}}}\n",
                dir.display()
            )
        } else {
            String::new()
        };
        let config = format!(
            "version: 0.1\n\
             storage:\n  filesystem: {{rootdirectory: {}/data}}\n  delete: {{enabled: {}}}\n\
             http: {{addr: '{host}'{tls}}}\n{auth}{}",
            dir.display(),
            self.kind.deletes,
            self.notifications.borrow()
        );
        let file = dir.join(format!("{name}.yml"));
        fs::write(&file, config).unwrap();
        let mut serve = command(program("docker-registry"));
        serve.arg("serve").arg(file);
        // It lives until all tests have ended.
        serve.env("GOMEMLIMIT", "32MiB");
        // The access log goes to standard output, everything else to standard error.
        let logs = match name {
            "config" => ["access.log", "events.log"],
            _ => ["twin-access.log", "twin-events.log"],
        };
        let [access, events] = logs.map(|name| dir.join(name));
        let service = Service::start(&serve, &access, &events);
        let serves = eventually("docker-registry", || {
            let log = fs::read_to_string(&events).unwrap();
            if log.contains("listening on") {
                return Some(true);
            }
            assert!(!log.contains("configuration error"), "{log}");
            log.contains("address already in use").then_some(false)
        });
        serves.then_some(service)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let tells_nobody = self.notifications.get_mut().is_empty();
        // Its log is read from the beginning each time.
        let is_fit = |service: &Service| tells_nobody && service.printed_bytes() < 1_000_000;
        if let Some(service) = self.service.take().filter(is_fit) {
            spare::hand_on(Spare {
                kind: self.kind,
                dir: self.dir.path().to_owned(),
                port: self.port.get(),
                service,
            });
        }
    }
}

impl Request {
    /// Parses a line in Apache's combined format: `host - user [time] "HEAD /path HTTP/1.1" 200 5 "referrer" "agent"`.
    fn parse(line: &str) -> Option<Self> {
        let quoted: Vec<&str> = line.split('"').collect();
        let [_, request, numbers, _, _, agent, _] = quoted.as_slice() else {
            return None;
        };
        let mut words = request.split(' ');
        Some(Self {
            method: words.next()?.to_owned(),
            path: words.next()?.to_owned(),
            status: numbers.split_whitespace().next()?.parse().ok()?,
            agent: (*agent).to_owned(),
        })
    }
}

/// Returns a port below the ephemeral range, so that it is not taken while a registry is stopped.
pub fn next_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() % 1_000).unwrap() * 10;
    20_000 + (seed + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000
}

fn repository_of(name: &str) -> &str {
    let end = name.find(['@', ':']).unwrap();
    &name[..end]
}

fn manifest_path(name: &str) -> String {
    let repository = repository_of(name);
    format!("{repository}/manifests/{}", &name[repository.len() + 1..])
}

fn strings(list: &Value) -> Vec<String> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn file_in(layer: &[u8], path: &str) -> Option<String> {
    let mut archive = tar::Archive::new(layer);
    let mut entry = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .find(|entry| entry.path().unwrap().to_str() == Some(path))?;
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    Some(text)
}
