//! nginx in front of a registry, a common setup: redirects, limits, TLS, and changed responses.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{
    distribution::request_of,
    service::{Service, free_port, pause, program},
};

#[path = "../support/authority.rs"]
mod authority;

pub use authority::Authority;

/// A running nginx.
pub struct Nginx {
    dir: tempfile::TempDir,
    port: u16,
    marks: AtomicUsize,
    tls: bool,
    _service: Service,
}

impl Nginx {
    /// Starts nginx in front of the registry on `upstream`, with `rules` in its `server` block.
    pub fn start(upstream: u16, rules: &str) -> Self {
        Self::run(upstream, rules, "", None)
    }

    /// The same with TLS and HTTP/2, with a certificate of the authority.
    pub fn with_tls(upstream: u16, rules: &str, authority: &Authority) -> Self {
        Self::run(upstream, rules, "ssl http2", Some(authority))
    }

    fn run(upstream: u16, rules: &str, listen: &str, authority: Option<&Authority>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = dir.path().display();
        let tls = authority.map_or_else(String::new, |authority| {
            let (certificate, key) = authority.issue("server", "127.0.0.1");
            format!(
                "ssl_certificate {}; ssl_certificate_key {};",
                certificate.display(),
                key.display()
            )
        });
        let config = format!(
            r#"
            daemon off; master_process off; pid {path}/pid; error_log {path}/error.log;
            events {{ worker_connections 1024; }}
            http {{
                log_format tests '$connection "$request" $status';
                access_log {path}/access.log tests;
                client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
                fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
                limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m;
                keepalive_requests 100000; http2_max_concurrent_streams 128;
                upstream registry {{ server 127.0.0.1:{upstream}; keepalive 64; }}
                server {{
                    listen 127.0.0.1:{port} {listen};
                    {tls}
                    {rules}
                    location / {{
                        proxy_pass http://registry; proxy_http_version 1.1;
                        proxy_set_header Connection ""; proxy_set_header Host $http_host;
                        proxy_set_header X-Forwarded-Proto $scheme;
                        client_max_body_size 0; proxy_request_buffering off;
                    }}
                    location = /mark {{ return 204; }}
                }}
            }}
            "#
        );
        let file = dir.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut command = program("/usr/sbin/nginx");
        command
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(dir.path())
            .arg("-e")
            .arg(dir.path().join("error.log"));
        let service = Service::start(command, &dir.path().join("log"), port);
        Self {
            dir,
            port,
            marks: AtomicUsize::new(0),
            tls: authority.is_some(),
            _service: service,
        }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns `name` with nginx's address in front.
    pub fn image(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// Returns the requests, as `HEAD /v2/a/manifests/1 200`.
    pub async fn requests(&self) -> Vec<String> {
        self.log()
            .await
            .iter()
            .filter_map(|line| request_of(line))
            .collect()
    }

    /// Returns how many connections had requests.
    pub async fn connections(&self) -> usize {
        let mut connections: Vec<String> = self
            .log()
            .await
            .iter()
            .filter_map(|line| Some(line.split(' ').next()?.to_owned()))
            .collect();
        connections.sort_unstable();
        connections.dedup();
        connections.len()
    }

    async fn log(&self) -> Vec<String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .tls_danger_accept_invalid_certs(true);
        let mark = format!("/mark?{}", self.marks.fetch_add(1, Ordering::Relaxed));
        let scheme = if self.tls { "https" } else { "http" };
        let url = format!("{scheme}://{}{mark}", self.host());
        client
            .no_proxy()
            .build()
            .unwrap()
            .get(url)
            .send()
            .await
            .unwrap();
        loop {
            let log = fs::read_to_string(self.dir.path().join("access.log")).unwrap();
            if log.contains(&format!("{mark} ")) {
                return log
                    .lines()
                    .filter(|line| !line.contains("/mark?"))
                    .map(str::to_owned)
                    .collect();
            }
            pause();
        }
    }
}
