//! A separate environment for one test.

use std::{
    cell::{Cell, RefCell},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use super::{
    authority::Authority,
    builders::{self, Calls, Docker, Lot},
    buildkit, command, processes,
    running::{Output, Running},
    service::Service,
};

/// Folders, an empty `PATH` and environment variables of its own, which are removed with it.
pub struct World {
    dir: tempfile::TempDir,
    env: RefCell<Vec<(String, String)>>,
    started: Cell<usize>,
    docker: RefCell<Option<Docker>>,
}

impl World {
    /// Returns a world without a builder.
    pub fn new() -> Self {
        let world = Self {
            dir: super::folder(),
            env: RefCell::default(),
            started: Cell::new(0),
            docker: RefCell::default(),
        };
        for dir in ["bin", "home", "config/acrt", "tmp", "out", "calls"] {
            fs::create_dir_all(world.path(dir)).unwrap();
        }
        world
    }

    /// Returns a path in the world's folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Returns the state directory. It does not exist until a command creates it.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a file, creating its folders, and returns its path.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Creates a folder with a Dockerfile and returns it, for `--context`.
    pub fn context(&self, name: &str, dockerfile: &str) -> String {
        self.write(&format!("{name}/Dockerfile"), dockerfile);
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes the config file.
    pub fn config(&self, yaml: &str) {
        self.write("config/acrt/config.yaml", yaml);
    }

    /// Sets a variable for every command from now on; `ACRT_NOW` moves the clock.
    pub fn set(&self, name: &str, value: &str) {
        let mut env = self.env.borrow_mut();
        env.retain(|(other, _)| other != name);
        env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs `acrt` to its end.
    pub fn acrt(&self, args: &[&str]) -> Output {
        self.spawn(args).wait()
    }

    /// Starts `acrt`.
    pub fn spawn(&self, args: &[&str]) -> Running {
        let mut acrt = self.command(env!("CARGO_BIN_EXE_acrt"));
        acrt.args(args);
        self.start(acrt, format!("acrt {}", args.join(" ")))
    }

    /// Starts `acrt` on a terminal of its own: standard output holds both of its streams.
    pub fn spawn_on_terminal(&self, args: &[&str]) -> Running {
        let acrt = std::iter::once(env!("CARGO_BIN_EXE_acrt")).chain(args.iter().copied());
        let quoted: Vec<String> = acrt.map(|word| format!("'{word}'")).collect();
        let script = self.on_terminal(&quoted.join(" "));
        self.start(script, format!("acrt {}", args.join(" ")))
    }

    /// Runs a shell line on a terminal of its own.
    pub fn shell_on_terminal(&self, line: &str) -> Output {
        let line = format!("PATH=$PATH:/bin:/usr/bin; {line}");
        self.start(self.on_terminal(&line), line).wait()
    }

    /// Returns the command that runs a shell line on a terminal of its own.
    fn on_terminal(&self, line: &str) -> Command {
        let mut script = self.command(super::program("script"));
        script.env("TERM", "xterm").env("SHELL", "/bin/sh");
        script.envs(self.env.borrow().iter().map(|(name, value)| (name, value)));
        script.args(["-qec", line, "/dev/null"]);
        script
    }

    /// Runs a shell line in which `"$0"` is acrt.
    pub fn shell(&self, line: &str) -> Output {
        let mut sh = self.command("/bin/sh");
        sh.args(["-c", line, env!("CARGO_BIN_EXE_acrt")]);
        self.start(sh, line.to_owned()).wait()
    }

    /// Runs `acrt` with the state directory mounted read-only.
    pub fn acrt_read_only(&self, args: &[&str]) -> Output {
        let script = "/bin/mount -n --bind \"$1\" \"$1\" && /bin/mount -n -o remount,bind,ro \"$1\"; shift; exec \"$@\"";
        let mut unshare = self.command(super::program("unshare"));
        unshare
            .args(["--mount", "/bin/sh", "-c", script, "sh"])
            .arg(self.state())
            .arg(env!("CARGO_BIN_EXE_acrt"))
            .args(args);
        self.start(unshare, format!("acrt {}, read-only", args.join(" ")))
            .wait()
    }

    /// Starts a program in this world.
    pub fn start(&self, command: Command, line: String) -> Running {
        let number = self.started.replace(self.started.get() + 1);
        Running::start(command, line, &self.path(&format!("out/{number}")))
    }

    /// Returns a command for a program in this world's environment. It handles every signal, however the tests were
    /// started.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        static IS_DEAF: LazyLock<bool> = LazyLock::new(processes::is_deaf);
        let mut command = if *IS_DEAF {
            let mut env = command("/usr/bin/env");
            env.arg("--default-signal=HUP,INT,QUIT").arg(program);
            env
        } else {
            command(program)
        };
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", self.path("bin"))
            .env("TMPDIR", self.path("tmp"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("ACRT_STATE_DIR", self.state())
            .envs(self.env.borrow().iter().map(|(name, value)| (name, value)))
            .current_dir(self.dir.path());
        command
    }

    /// Puts the machine's buildah on `PATH`, with a store of its own.
    pub fn buildah(&self) -> Calls {
        builders::containers_program(self, "buildah")
    }

    /// Puts the machine's podman on `PATH`, with a store of its own.
    pub fn podman(&self) -> Calls {
        builders::containers_program(self, "podman")
    }

    /// Puts the machine's docker on `PATH`, with a daemon of its own.
    pub fn docker(&self) -> Calls {
        let docker = Docker::start();
        let calls = docker.put_on_path(self);
        *self.docker.borrow_mut() = Some(docker);
        calls
    }

    /// Puts a newer docker with buildx on `PATH`, with a daemon of its own.
    pub fn newer_docker(&self) -> Calls {
        let docker = Docker::start_newer();
        let calls = docker.put_on_path(self);
        *self.docker.borrow_mut() = Some(docker);
        builders::add_buildx(self);
        calls
    }

    /// Puts docker with buildx on `PATH`, where buildx builds in a Docker daemon of its own.
    pub fn buildx(&self) -> Calls {
        let calls = self.newer_docker();
        self.set("ACRT_BUILDER", "buildx");
        calls
    }

    /// Puts docker with buildx on `PATH`, where buildx uses a BuildKit without access to the Docker daemon's images.
    pub fn buildx_elsewhere(&self) -> Calls {
        let calls = self.buildx();
        let address = self.buildkit();
        let mut create = self.command(self.path("bin/docker"));
        create.args(["buildx", "create", "--use", "--driver=remote", &address]);
        self.start(create, "docker buildx create".into())
            .wait()
            .ok();
        calls
    }

    /// Starts Docker daemons with mutual TLS, and puts a client on `PATH`. Returns the daemons, the calls of the client, and the builders'
    /// entries for a config file.
    pub fn dockers_over_tls(&self, names: &[&str]) -> (Vec<Docker>, Calls, String) {
        let all = names.iter().map(|name| (*name, Lot::default()));
        self.dockers_with(&all.collect::<Vec<_>>())
    }

    /// Like [`Self::dockers_over_tls`], with options for each daemon.
    pub fn dockers_with(&self, all: &[(&str, Lot)]) -> (Vec<Docker>, Calls, String) {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("client", "127.0.0.2");
        let kept = |from: PathBuf| {
            let to = self.path(from.file_name().unwrap().to_str().unwrap());
            fs::copy(from, &to).unwrap();
            to.display().to_string()
        };
        let (ca, cert, key) = (kept(authority.certificate()), kept(certificate), kept(key));
        let (mut daemons, mut config) = (Vec::new(), String::new());
        for (name, lot) in all {
            let port = super::registry::next_port();
            daemons.push(Docker::start_over_tls(&authority, port, lot.disk));
            let port = lot.round_trip.map_or(port, |it| super::wire(port, it));
            config.push_str(&format!(
                "  {name}: {{kind: docker, address: 'tcp://127.0.0.1:{port}', tls: {{ca: '{ca}', cert: '{cert}', key: '{key}'}}}}\n"
            ));
        }
        let calls = Docker::put_client_on_path(self);
        builders::add_buildx(self);
        (daemons, calls, config)
    }

    /// Starts podman's service with a store of its own, and puts a podman with another store on `PATH`. Returns the service and its
    /// address.
    pub fn podman_service(&self) -> (Service, String) {
        let socket = self.path("podman.sock");
        let address = format!("unix://{}", socket.display());
        self.podman();
        let mut line = command(self.path("bin/podman"));
        line.args(["system", "service", "--time=0", &address]);
        line.env("HOME", self.path("home"));
        let service = Service::start(
            &line,
            &self.path("out/podman"),
            &self.path("out/podman.err"),
        );
        super::eventually("podman's service", || socket.exists().then_some(()));
        let client = format!("exec '{}' \"$@\"", super::program("podman").display());
        builders::fake(self, "podman", &client);
        (service, address)
    }

    /// Returns the store of the world's builder.
    pub fn store(&self) -> PathBuf {
        match &*self.docker.borrow() {
            Some(docker) => docker.socket().with_file_name("data"),
            None => self.path("containers/root"),
        }
    }

    /// Makes the BuildKit of the newer docker available to all clients, and returns its address.
    pub fn buildkit(&self) -> String {
        let socket = self.path("buildkit.sock");
        let daemon = self.docker.borrow().as_ref().unwrap().socket();
        buildkit::listen(&socket, daemon);
        format!("unix://{}", socket.display())
    }

    /// Puts a program on `PATH` that records its arguments and then runs the shell script `script`.
    pub fn fake(&self, program: &str, script: &str) -> Calls {
        builders::fake(self, program, script)
    }

    /// Returns the running processes that were started in this world.
    pub fn processes(&self) -> Vec<processes::Process> {
        processes::inside(self.dir.path())
    }

    /// Returns every file under the state directory, with its text if it is text.
    pub fn state_files(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        collect(&self.state(), &mut found);
        found
    }

    /// Returns the temporary files under the state directory.
    pub fn temporary_files(&self) -> Vec<String> {
        let names = self.state_files().into_iter().map(|(path, _)| path);
        names
            .filter(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with(".tmp")
            })
            .map(|path| path.display().to_string())
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that kills acrt leaves the builder running, and a failed test may leave anything.
        processes::kill(&self.processes());
    }
}

fn collect(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, found);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            found.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}
