//! Git repositories, and an HTTP server for them with a token: `git http-backend` behind a few lines of code.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
};

use base64::Engine as _;

use super::World;

/// A repository with files.
pub struct Repository {
    work: PathBuf,
    bare: PathBuf,
}

impl World {
    /// Puts git on the `PATH`.
    pub fn git(&self) {
        std::os::unix::fs::symlink("/usr/bin/git", self.path("bin/git")).unwrap();
    }

    /// Creates a repository `NAME.git` with one commit on `main`.
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> Repository {
        let repository = Repository {
            work: self.path(&format!("{name}-work")),
            bare: self.path(&format!("repos/{name}.git")),
        };
        fs::create_dir_all(&repository.work).unwrap();
        fs::create_dir_all(&repository.bare).unwrap();
        git(
            &repository.bare,
            &["init", "--quiet", "--bare", "--initial-branch=main"],
        );
        git(&repository.bare, &["config", "http.receivepack", "false"]);
        git(
            &repository.work,
            &["init", "--quiet", "--initial-branch=main"],
        );
        repository.commit(files);
        repository
    }
}

impl Repository {
    /// Commits files to `main`, and returns the commit.
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let path = self.work.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        git(&self.work, &["add", "--all"]);
        git(
            &self.work,
            &["commit", "--quiet", "--allow-empty", "-m", "change"],
        );
        git(
            &self.work,
            &["push", "--quiet", self.bare.to_str().unwrap(), "HEAD:main"],
        );
        git(&self.work, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Commits a submodule `module` that is another repository, with the URL `url`.
    pub fn add_submodule(&self, url: &str, of: &Repository) {
        let commit = git(&of.work, &["rev-parse", "HEAD"]);
        let link = format!("160000,{},module", commit.trim());
        git(&self.work, &["update-index", "--add", "--cacheinfo", &link]);
        let text = format!("[submodule \"module\"]\n\tpath = module\n\turl = {url}\n");
        fs::write(self.work.join(".gitmodules"), text).unwrap();
        git(&self.work, &["add", ".gitmodules"]);
        git(&self.work, &["commit", "--quiet", "-m", "submodule"]);
        let bare = self.bare.to_str().unwrap();
        git(&self.work, &["push", "--quiet", bare, "HEAD:main"]);
    }

    /// Tags the newest commit.
    pub fn tag(&self, name: &str) {
        self.make(&["tag", name], name);
    }

    /// Makes a branch or tag with a call of git, and pushes it by its name.
    pub fn make(&self, call: &[&str], name: &str) {
        git(&self.work, call);
        let bare = self.bare.to_str().unwrap();
        git(&self.work, &["push", "--quiet", bare, name]);
    }

    /// Returns its path as a `file://` URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.bare.display())
    }
}

/// Runs git without user settings.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = super::command("/usr/bin/git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// An HTTP server for the repositories below a folder.
pub struct GitServer {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl GitServer {
    /// Serves `root`; with a token, only to clients that send it.
    pub fn start(root: &Path, token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (root, log) = (root.to_owned(), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, log) = (root.clone(), Arc::clone(&log));
                thread::spawn(move || answer(&stream, &root, token, &log));
            }
        });
        Self { host, asked }
    }

    /// Returns the address of a repository.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}.git", self.host)
    }

    /// Returns the first line of each request, and resets them.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// Returns the response to a request without the right login. It repeats a wrong one, as some servers do, and git passes that on.
fn refusal(sent: Option<String>) -> String {
    let Some(sent) = sent else {
        return "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into();
    };
    let encoded = sent.trim_start_matches("Basic ");
    let login = base64::engine::general_purpose::STANDARD.decode(encoded);
    let said = format!(
        "no such login: {}",
        String::from_utf8(login.unwrap()).unwrap()
    );
    format!(
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{said}",
        said.len()
    )
}

/// Answers one request with `git http-backend`.
fn answer(stream: &TcpStream, root: &Path, token: Option<&str>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let Some(first) = lines.first() else { return };
    log.lock().unwrap().push(first.clone());
    let header = |name: &str| {
        let found = lines[1..].iter().filter_map(|line| line.split_once(": "));
        let mut found = found.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    let mut out = stream;
    if let Some(token) = token {
        let login =
            base64::engine::general_purpose::STANDARD.encode(format!("x-access-token:{token}"));
        let sent = header("Authorization");
        if sent != Some(format!("Basic {login}")) {
            let _ = out.write_all(refusal(sent).as_bytes());
            return;
        }
    }
    let mut body = vec![0; header("Content-Length").map_or(0, |it| it.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = super::command("/usr/bin/git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("Content-Type").unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string())
        .env(
            "HTTP_CONTENT_ENCODING",
            header("Content-Encoding").unwrap_or_default(),
        )
        .env("GIT_PROTOCOL", header("Git-Protocol").unwrap_or_default())
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = backend.stdin.take().unwrap().write_all(&body);
    let output = backend.wait_with_output().unwrap().stdout;
    let end = output
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&output[..end]);
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\n{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        output.len() - end - 4
    );
    let _ = out.write_all(&output[end + 4..]);
}
