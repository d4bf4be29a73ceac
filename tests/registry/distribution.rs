//! Docker Distribution, with data of its own.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use reqwest::{Client, Method, Response, StatusCode};

use super::{
    documents::{self, Document},
    service::{Service, free_port, pause, program},
};

/// The user and the password for [`Access::Password`].
pub const USER: &str = "acrt";
pub const PASSWORD: &str = "hunter2-canary";

/// The output of `htpasswd -Bbn -C 5` for them.
const HTPASSWD: &str = "acrt:$2y$05$LufAs.7oo706fGEje.JS5.B22skbqVsxGtzhxwaJ0XT7JPYjVEAMi\n";

/// The `User-Agent` of the tests' own requests, which are not counted.
const AGENT: &str = "acrt-tests";

/// The authorization of a registry.
pub enum Access {
    Everybody,
    Password,
    /// Tokens: the realm that grants them, and the file with its certificate.
    Token {
        realm: String,
        certificate: PathBuf,
    },
}

/// A running registry.
pub struct Distribution {
    dir: tempfile::TempDir,
    port: u16,
    client: Client,
    login: Option<(&'static str, &'static str)>,
    token: Option<String>,
    marks: AtomicUsize,
    _service: Service,
}

impl Distribution {
    pub fn start() -> Self {
        Self::with(Access::Everybody)
    }

    pub fn with(access: Access) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = dir.path().display();
        let auth = match &access {
            Access::Everybody => String::new(),
            Access::Password => {
                fs::write(dir.path().join("htpasswd"), HTPASSWD).unwrap();
                format!("auth: {{htpasswd: {{realm: acrt, path: {path}/htpasswd}}}}\n")
            }
            Access::Token { realm, certificate } => format!(
                "auth: {{token: {{realm: '{realm}', service: registry.test, issuer: issuer.test, rootcertbundle: {}}}}}\n",
                certificate.display()
            ),
        };
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\n\
             storage: {{filesystem: {{rootdirectory: {path}/data}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:{port}', secret: tests}}\n{auth}"
        );
        fs::write(dir.path().join("config.yml"), config).unwrap();
        let mut command = program("docker-registry");
        command.arg("serve").arg(dir.path().join("config.yml"));
        let service = Service::start(command, &dir.path().join("log"), port);
        Self {
            login: matches!(access, Access::Password).then_some((USER, PASSWORD)),
            client: client(),
            token: None,
            marks: AtomicUsize::new(0),
            dir,
            port,
            _service: service,
        }
    }

    /// Sends a token with the tests' own uploads.
    pub fn upload_with(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns `name` with the registry's address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Pushes an image as `name`, such as `a/b:1`, and returns its digest. Images with different seeds differ.
    pub async fn push(&self, name: &str, seed: &str) -> String {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let document = self.image_of(repository, seed).await;
        self.put(repository, tag, &document).await
    }

    /// Uploads an image, without a tag.
    pub async fn image_of(&self, repository: &str, seed: &str) -> Document {
        self.image_with(repository, &documents::config(seed, serde_json::json!({})))
            .await
    }

    /// Uploads an image with this config, without a tag.
    pub async fn image_with(&self, repository: &str, config: &[u8]) -> Document {
        self.upload(repository, config).await;
        let document = documents::manifest(config);
        self.put(repository, &document.digest(), &document).await;
        document
    }

    /// Uploads a document under a tag or its digest, and returns the digest.
    pub async fn put(&self, repository: &str, tag: &str, document: &Document) -> String {
        let request = self
            .request(Method::PUT, &format!("/v2/{repository}/manifests/{tag}"))
            .header("Content-Type", document.media_type)
            .body(document.bytes.clone());
        let answer = request.send().await.unwrap();
        created(answer).await;
        document.digest()
    }

    /// Deletes a manifest, and with it all tags that name it.
    pub async fn delete(&self, repository: &str, digest: &str) {
        let path = format!("/v2/{repository}/manifests/{digest}");
        let answer = self.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }

    /// Uploads an image with these layers, without a tag.
    pub async fn layered(&self, repository: &str, seed: &str, layers: &[&[u8]]) -> Document {
        let config = documents::config(seed, serde_json::json!({}));
        self.upload(repository, &config).await;
        for layer in layers {
            self.upload(repository, layer).await;
        }
        let document = documents::manifest_of(&config, layers);
        self.put(repository, &document.digest(), &document).await;
        document
    }

    /// Returns the content at a path below `/v2/`, such as `name/manifests/1`, if it exists.
    pub async fn get(&self, path: &str) -> Option<Vec<u8>> {
        let request = self.request(Method::GET, &format!("/v2/{path}")).header(
            "Accept",
            "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
        );
        let answer = request.send().await.unwrap();
        match answer.status() {
            StatusCode::OK => Some(answer.bytes().await.unwrap().to_vec()),
            _ => None,
        }
    }

    /// Uploads a blob.
    pub async fn upload(&self, repository: &str, blob: &[u8]) {
        let path = format!("/v2/{repository}/blobs/uploads/");
        let started = self.request(Method::POST, &path).send().await.unwrap();
        assert_eq!(started.status(), StatusCode::ACCEPTED);
        let place = started.headers()["location"].to_str().unwrap();
        let place = place.replace(&format!("http://{}", self.host()), "");
        let digest = acrt::image::Digest::of(blob);
        let request = self.request(Method::PUT, &format!("{place}&digest={digest}"));
        created(request.body(blob.to_vec()).send().await.unwrap()).await;
    }

    /// Returns the requests of the client under test, as `HEAD /v2/a/manifests/1 200`.
    pub async fn requests(&self) -> Vec<String> {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed);
        let path = format!("/v2/?mark={mark}");
        self.request(Method::GET, &path).send().await.unwrap();
        let log = loop {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap();
            if log.contains(&format!("{path} ")) {
                break log;
            }
            pause();
        };
        log.lines()
            .filter(|line| !line.contains(AGENT))
            .filter_map(request_of)
            .collect()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .client
            .request(method, format!("http://{}{path}", self.host()));
        match (&self.token, self.login) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some((user, password))) => request.basic_auth(user, Some(password)),
            (None, None) => request,
        }
    }
}

/// Parses a line of an access log in Apache's common format.
pub fn request_of(line: &str) -> Option<String> {
    let mut parts = line.split('"');
    let request = parts
        .nth(1)?
        .strip_suffix(" HTTP/1.1")
        .or_else(|| line.split('"').nth(1)?.strip_suffix(" HTTP/2.0"))?;
    let status = parts.next()?.split_whitespace().next()?;
    Some(format!("{request} {status}"))
}

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .tls_certs_only([])
        .no_proxy()
        .user_agent(AGENT)
        .build()
        .unwrap()
}

async fn created(answer: Response) {
    let status = answer.status();
    assert_eq!(
        status,
        StatusCode::CREATED,
        "{}",
        answer.text().await.unwrap()
    );
}
