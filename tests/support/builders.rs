//! The machine's own builders, each with a store for one test.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    SYSTEM_PATH, authority::Authority, command, eventually, processes, program, service::Service,
    world::World,
};

/// The calls of a program, with their arguments.
pub struct Calls {
    file: PathBuf,
}

impl Calls {
    /// Returns the arguments of each call so far, joined by blanks.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the calls whose first argument is `verb`, such as `build`.
    pub fn of(&self, verb: &str) -> Vec<String> {
        let begins = |line: &String| line.split(' ').next() == Some(verb);
        self.lines().into_iter().filter(begins).collect()
    }
}

/// Puts a program on the world's `PATH` that records its arguments and then runs the shell script `script`.
pub fn fake(world: &World, name: &str, script: &str) -> Calls {
    let file = world.path(&format!("calls/{name}"));
    let path = world.path(&format!("bin/{name}"));
    // One write per call, so that lines of concurrent calls do not mix.
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\nPATH={SYSTEM_PATH}\n{script}\n",
        file.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Calls { file }
}

/// Returns the line of a script that sets [`super::NO_COLLECTION`].
fn no_collection() -> String {
    super::NO_COLLECTION
        .map(|(name, value)| format!("export {name}={value}"))
        .join("; ")
}

/// Lets the shell of a `buildah run` live a moment longer: with `chroot` isolation, buildah ends without waiting for the relay of what its
/// container has printed last.
const RELAY: &str = r#"verb=$1 before= left=$#
while [ "$left" -gt 0 ]; do
    word=$1; shift; left=$((left - 1))
    [ "$verb $before" != "run -c" ] || word="trap 'code=\$?; sleep 0.2; exit \$code' EXIT
$word"
    set -- "$@" "$word"; before=$word
done"#;

/// Puts buildah or podman on the world's `PATH`.
///
/// The store is `overlay` if the kernel supports that in memory: with `vfs`, creating each layer waits for the next second of the clock.
/// Each call has a mount namespace, so that a killed one leaves no mounts. `chroot` isolation needs neither its own network nor cgroups;
/// podman obeys it too. Without `tmp_dir` and `static_dir`, podman would leave folders in `/run` and `/var/lib`. Limits are set because the
/// builders' defaults are higher than a machine that is itself a container may allow. podman asks dpkg five times per call which packages
/// have its helpers: an empty package list makes that fast.
pub fn containers_program(world: &World, name: &str) -> Calls {
    let dir = world.path("containers").display().to_string();
    let driver = if super::in_memory().is_some() {
        "overlay"
    } else {
        "vfs"
    };
    let storage = world.write(
        "containers/storage.conf",
        &format!(
            "[storage]\ndriver = \"{driver}\"\ngraphroot = \"{dir}/root\"\nrunroot = \"{dir}/run\"\n"
        ),
    );
    let conf = world.write(
        "containers/containers.conf",
        &format!(
            "[containers]\nnetns = \"host\"\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
             [network]\nnetwork_config_dir = \"{dir}/net\"\n\
             [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nlock_type = \"file\"\n\
             static_dir = \"{dir}/static\"\ntmp_dir = \"{dir}/tmp\"\nvolume_path = \"{dir}/volumes\"\n"
        ),
    );
    let relay = if name == "buildah" { RELAY } else { "" };
    let script = format!(
        "{}\n{relay}\nexport PATH CONTAINERS_STORAGE_CONF='{}' CONTAINERS_CONF='{}' BUILDAH_ISOLATION=chroot DPKG_ADMINDIR=/none\n\
         exec unshare --mount '{}' \"$@\"",
        no_collection(),
        storage.display(),
        conf.display(),
        program(name).display()
    );
    fake(world, name, &script)
}

/// Where `tests/packages.sh` unpacks a Docker that is newer than Debian 12's.
const NEWER: &str = "/usr/local/lib/acrt-tests/usr";

/// Returns a file of the newer Docker.
///
/// # Panics
///
/// If it is missing: a test never skips silently.
fn newer(path: &str) -> PathBuf {
    let path = Path::new(NEWER).join(path);
    assert!(
        path.exists(),
        "`{}` is missing: type `tests/packages.sh test`",
        path.display()
    );
    path
}

/// Returns docker's compose plugin, which can also be run by itself.
pub fn compose_plugin() -> PathBuf {
    newer("libexec/docker/cli-plugins/docker-compose")
}

/// A Docker daemon for one test.
pub struct Docker {
    // In the order in which they must be dropped.
    _daemon: Service,
    _traces: Traces,
    dir: tempfile::TempDir,
    client: PathBuf,
}

/// What a killed daemon leaves behind.
struct Traces {
    dir: PathBuf,
    cgroup: String,
}

/// Runs its arguments from the third on with a private `/run`, and if `$2` is set, with a disk of `$2` megabytes for the folder `$1`.
/// `mount -n` because `/run/mount` belongs to the machine.
const IN_OWN_RUN: &str = r#"mount -n -t tmpfs tmpfs /run && mkdir -p "$1" || exit
[ -z "$2" ] || mount -n -t tmpfs -o "size=$2m" tmpfs "$1" || exit
shift 2 && exec "$@""#;

/// Options of a daemon.
#[derive(Clone, Copy, Default)]
pub struct Lot {
    /// The size of a separate disk in megabytes; `None` for the machine's disk.
    pub disk: Option<u32>,
    /// The round-trip time of a delay in front of the daemon.
    pub round_trip: Option<Duration>,
}

impl Docker {
    /// Starts a daemon and waits until it answers.
    ///
    /// It runs in namespaces of its own: when the first process of the PID namespace ends, all containers and shims
    /// end, and the mount namespace takes its mounts with it. It has no bridge, because that would be the machine's.
    pub fn start() -> Self {
        Self::of((&program("dockerd"), program("docker")), "{}", None)
    }

    /// Starts a newer daemon with the containerd image store, which supports images for several platforms.
    pub fn start_newer() -> Self {
        let settings = r#"{"features": {"containerd-snapshotter": true}}"#;
        Self::of(
            (&newer("sbin/dockerd"), newer("bin/docker")),
            settings,
            None,
        )
    }

    /// Starts a newer daemon on a loopback port with TLS for clients with a certificate of the authority, optionally with a disk of this
    /// many megabytes.
    pub fn start_over_tls(authority: &Authority, port: u16, disk: Option<u32>) -> Self {
        let (certificate, key) = authority.issue("daemon", "127.0.0.1");
        let settings = serde_json::json!({
            "features": {"containerd-snapshotter": true},
            "hosts": [format!("tcp://127.0.0.1:{port}")],
            "tlsverify": true,
            "tlscacert": authority.certificate(),
            "tlscert": certificate,
            "tlskey": key,
        });
        let programs = (&*newer("sbin/dockerd"), newer("bin/docker"));
        Self::of(programs, &settings.to_string(), disk)
    }

    fn of((program, client): (&Path, PathBuf), settings: &str, disk: Option<u32>) -> Self {
        let dir = super::folder();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let cgroup = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        fs::write(path("daemon.json"), settings).unwrap();
        let mut unshare = command(super::program("unshare"));
        unshare
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", IN_OWN_RUN, "dockerd", &path("data")])
            .arg(disk.map(|it| it.to_string()).unwrap_or_default())
            .arg(program)
            .args(["--data-root", &path("data"), "--exec-root", &path("exec")])
            .args([
                "--pidfile",
                &path("pid"),
                "--config-file",
                &path("daemon.json"),
            ])
            .args(["--bridge=none", "--iptables=false", "--ip-forward=false"])
            .arg(format!("--cgroup-parent=/{cgroup}"))
            .env("HOME", dir.path())
            // The daemon finds its containerd here; everything else is the machine's.
            .env("PATH", path_of(program));
        // A daemon may have its address in its settings or its arguments, but not in both.
        if !settings.contains("\"hosts\"") {
            unshare.args(["--host", &format!("unix://{}", path("sock"))]);
        }
        let log = dir.path().join("log");
        let daemon = Service::start(&unshare, &dir.path().join("out"), &log);
        eventually("dockerd", || {
            let text = fs::read_to_string(&log).unwrap();
            assert!(!text.contains("failed to start daemon"), "{text}");
            text.contains("API listen on").then_some(())
        });
        Self {
            _daemon: daemon,
            _traces: Traces {
                dir: dir.path().to_owned(),
                cgroup,
            },
            dir,
            client,
        }
    }

    /// Returns its socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// Puts the client of newer daemons on the world's `PATH`, without an address of a daemon.
    pub fn put_client_on_path(world: &World) -> Calls {
        fake(
            world,
            "docker",
            &format!(
                "{}\nexec '{}' \"$@\"",
                no_collection(),
                newer("bin/docker").display()
            ),
        )
    }

    /// Puts the client on the world's `PATH`.
    pub fn put_on_path(&self, world: &World) -> Calls {
        let script = format!(
            "{}\nexport PATH DOCKER_HOST='unix://{}'\nexec '{}' \"$@\"",
            no_collection(),
            self.socket().display(),
            self.client.display()
        );
        fake(world, "docker", &script)
    }
}

/// Adds docker's buildx plugin to the world's docker.
pub fn add_buildx(world: &World) {
    let plugins = world.path("home/.docker/cli-plugins");
    fs::create_dir_all(&plugins).unwrap();
    let plugin = newer("libexec/docker/cli-plugins/docker-buildx");
    std::os::unix::fs::symlink(plugin, plugins.join("docker-buildx")).unwrap();
    std::os::unix::fs::symlink(compose_plugin(), plugins.join("docker-compose")).unwrap();
}

/// Returns the `PATH` of a daemon: its own folder first, then the machine's.
fn path_of(daemon: &Path) -> String {
    let own = daemon.parent().and_then(Path::parent).unwrap().join("bin");
    format!("{}:{SYSTEM_PATH}", own.display())
}

impl Drop for Traces {
    fn drop(&mut self) {
        // The kernel ends a namespace's processes with a delay, and never removes their cgroups.
        eventually("the end of dockerd", || {
            processes::inside(&self.dir).is_empty().then_some(())
        });
        let root = Path::new("/sys/fs/cgroup");
        remove_groups(&root.join(&self.cgroup));
        for hierarchy in fs::read_dir(root).into_iter().flatten().flatten() {
            remove_groups(&hierarchy.path().join(&self.cgroup));
        }
    }
}

/// Removes a cgroup and those in it. The files in such a folder are virtual and disappear with it.
fn remove_groups(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_groups(&entry.path());
        }
    }
    fs::remove_dir(dir).ok();
}
