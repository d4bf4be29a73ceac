//! The restrictions for a guest's task file: it may do what a Dockerfile can do inside its workspace, and no more.
//!
//! This is an allowlist of options and keys: builders get new options, and each could give access to the machine.

use std::fmt;

use crate::secret::MaskedText;

use super::{
    Graph,
    build::BuildStep,
    resources::{DEFAULT_NETWORK, Mount, Network},
    step::{Action, BuiltinCommand, CmdStep, ContainerSettings, Step, StepId},
};

/// A forbidden request of a guest's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestViolation {
    /// The line at which its step begins, counted from 1.
    pub line: Option<usize>,
    /// The step; `None` where the file as a whole is refused.
    pub step: Option<StepId>,
    /// What is requested, and why it is forbidden.
    pub what: String,
}

impl fmt::Display for GuestViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        match &self.step {
            Some(step) => write!(f, "step `{step}` asks for {}", self.what),
            None => write!(f, "it asks for {}", self.what),
        }
    }
}

/// Returns the first forbidden request of a guest's file. `may_push` tells whether the file may push to a registry.
pub fn refusal(graph: &Graph, may_push: &dyn Fn(&str) -> bool) -> Option<GuestViolation> {
    let of_file = graph.networks.iter().find_map(network);
    if let Some(what) = of_file {
        return Some(GuestViolation {
            line: None,
            step: None,
            what,
        });
    }
    graph.steps().iter().find_map(|step| {
        Some(GuestViolation {
            line: step.line,
            step: Some(step.id.clone()),
            what: of_step(graph, step, may_push)?,
        })
    })
}

fn of_step(graph: &Graph, step: &Step, may_push: &dyn Fn(&str) -> bool) -> Option<String> {
    // Here and below each field is named, so that a new one does not compile until it is considered. Names, order, times and retries give
    // access to nothing.
    let Step {
        id: _,
        line: _,
        after: _,
        action,
        limits: _,
        ignores_errors: _,
    } = step;
    match action {
        Action::Cmd(cmd) => container(graph, cmd),
        Action::Build(build) => option(graph, build, may_push),
        Action::Push(images) => {
            let mut registries = images.iter().map(|pushed| pushed.image.registry());
            let other = registries.find(|registry| !may_push(registry))?;
            Some(format!(
                "a push to `{other}`, which is neither the task's registry nor one that the task has a credential for"
            ))
        }
    }
}

fn network(network: &Network) -> Option<String> {
    let Network {
        name,
        driver,
        ipv6: _,
        is_external,
    } = network;
    if *is_external {
        return Some(format!(
            "the network `{name}` of this machine (`skipCreation`)"
        ));
    }
    match driver.as_deref() {
        None | Some("bridge") => None,
        Some(driver) => Some(format!(
            "the driver `{driver}` for the network `{name}`, which can reach into networks of this machine"
        )),
    }
}

fn container(graph: &Graph, cmd: &CmdStep) -> Option<String> {
    if matches!(cmd.own(), Some(BuiltinCommand::Acr(_))) {
        return Some("`acr`, which changes registries with this machine's logins".into());
    }
    // `CmdStep::own` judges the image and the arguments. `privileged` is refused in each file, whoever wrote it, unless the run allows it.
    let CmdStep {
        image: _,
        args: _,
        place,
        detach: _,
        keep: _,
        privileged: _,
        pull: _,
    } = cmd;
    let ContainerSettings {
        working_directory: _,
        directory: _,
        env,
        entry_point: _,
        user: _,
        network,
        expose: _,
        ports,
        cpus: _,
        mounts: _,
    } = place;
    let is_own = |name: &str| {
        matches!(name, DEFAULT_NETWORK | "none" | "bridge" | "default")
            || graph.networks.iter().any(|own| own.name == name)
    };
    if let Some(name) = network.as_deref().filter(|name| !is_own(name)) {
        return Some(format!(
            "`network: {name}`, which is no network of the file's own"
        ));
    }
    if let Some(port) = ports.first() {
        return Some(format!(
            "`ports: {port}`, which opens a port of this machine"
        ));
    }
    handed_over(env.iter().filter(|(_, value)| value.has_secret()))
}

/// Returns the error of a secret that would reach the builder under a variable with a meaning for programs.
fn handed_over<'a, T: 'a>(mut variables: impl Iterator<Item = &'a (String, T)>) -> Option<String> {
    let (name, _) = variables.find(|(name, _)| is_of_programs(name))?;
    Some(format!(
        "a secret in the variable `{name}`, which would also reach the builder's own program"
    ))
}

/// Tells whether a variable has a meaning for a builder, or for programs in general.
pub fn is_of_programs(name: &str) -> bool {
    const BEGINNINGS: &str = "_ ACRT_ AWS_ AZURE_ BASH BUILDAH BUILDKIT BUILDX CLOUDSDK_ CNI_ COMPOSE_ CONTAINER DBUS_ DOCKER DYLD_ \
        EXPERIMENTAL_ GCONV_ GIT_ GLIBC_ GNUPG GOOGLE_ GPG_ GRPC_ KUBE LC_ LD_ LISTEN_ MALLOC_ NETAVARK_ OTEL_ PERL PODMAN PYTHON REGISTR RUBY \
        SIGSTORE_ SSH_ SSL_ STORAGE_ SYSTEMD_ XDG_";
    const NAMES: &str = "ALL_PROXY ENV FTP_PROXY GETCONF_DIR GOCOVERDIR GODEBUG GOGC GOMAXPROCS GOMEMLIMIT GOTRACEBACK HOME \
        HOSTALIASES HTTPS_PROXY HTTP_PROXY IFS LANG LANGUAGE LOCALDOMAIN LOCPATH LOGNAME NLSPATH NOTIFY_SOCKET \
        NO_PROXY PATH PWD RES_OPTIONS SHELL TEMP TEMPDIR TERM TMP TMPDIR TZ USER";
    // Variables with these names are credentials, which change no program.
    const ENDS: &str = "_ACCESS_KEY _ACCESS_KEY_ID _API_KEY _CLIENT_ID _PASSWORD _SECRET _TENANT_ID _TOKEN _USERNAME";
    let name = name.to_ascii_uppercase();
    let begins = BEGINNINGS.split(' ').any(|it| name.starts_with(it));
    let ends = ENDS.split(' ').any(|end| name.ends_with(end));
    NAMES.split(' ').any(|it| it == name) || (begins && !ends)
}

/// Returns the variables and the options that the builder of a guest's build gets: two variables that choose how it builds, and those with
/// its secrets. These get names of acrt's own, because the builder's program could give any other name a meaning.
pub fn given_to_builder(build: &BuildStep) -> (Vec<(String, MaskedText)>, Vec<String>) {
    let harmless = ["DOCKER_BUILDKIT", "BUILDKIT_PROGRESS"];
    let env = build.env.iter();
    let env = env.filter(|(name, _)| harmless.contains(&name.as_str()));
    let mut env: Vec<(String, MaskedText)> = env.cloned().collect();
    let mut options = build.options.clone();
    for (n, option) in options.iter_mut().enumerate() {
        let secret = option.strip_prefix("--secret=").and_then(fields);
        let Some((fields, name)) = secret.and_then(|all| variable_of(&all).map(|one| (all, one)))
        else {
            continue;
        };
        let Some((_, value)) = build.env.iter().find(|(own, _)| own == name) else {
            continue;
        };
        let given = format!("ACRT_SECRET_{n}");
        env.push((given.clone(), value.clone()));
        let kept = fields.iter().filter(|(key, _)| *key != "env");
        let kept: Vec<String> = kept.map(|(key, value)| format!("{key}={value}")).collect();
        *option = format!("--secret={},env={given}", kept.join(","));
    }
    (env, options)
}

/// Returns the variable that a `--secret` takes its value from: without a source, builders take that of its id.
fn variable_of<'t>(fields: &[(&str, &'t str)]) -> Option<&'t str> {
    match value_of(fields, "src").or_else(|| value_of(fields, "source")) {
        Some(_) => None,
        None => value_of(fields, "env").or_else(|| value_of(fields, "id")),
    }
}

/// Returns the first forbidden option of a build.
fn option(graph: &Graph, build: &BuildStep, may_push: &dyn Fn(&str) -> bool) -> Option<String> {
    // `-t` only names images: each push is a step of its own. Paths are resolved beneath the workspace when they are used. `secret_of` judges
    // the mounts, `given_to_builder` the variables. A Dockerfile can do the rest itself.
    let BuildStep {
        context: _,
        remote,
        file: _,
        images: _,
        args,
        target: _,
        platforms: _,
        no_cache: _,
        labels: _,
        contexts,
        options,
        cache,
        env,
        working_directory: _,
        mounts: _,
        bares_secret: _,
    } = build;
    if let Some(remote) = remote {
        return Some(format!(
            "the context `{remote}`, which is fetched with the logins of this machine"
        ));
    }
    for (name, place) in contexts {
        let is_image = place.starts_with("docker-image://");
        if place.contains(':') && !is_image {
            return Some(format!(
                "`--build-context {name}={place}`, which is neither a folder of the workspace nor an image"
            ));
        }
    }
    if let Some(cache) = cache.as_ref().filter(|it| !may_push(it.registry())) {
        return Some(format!(
            "a cache on `{}`, which it may not push to",
            cache.registry()
        ));
    }
    let secret = args.iter().filter(|(name, value)| {
        let own = || env.iter().find(|(other, _)| other == name);
        let value = value.as_ref().or_else(|| own().map(|(_, value)| value));
        value.is_some_and(MaskedText::has_secret)
    });
    if let Some(what) = handed_over(secret) {
        return Some(what);
    }
    options.iter().find_map(|option| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let refused = |why: &str| Some(format!("`{option}`, {why}"));
        match name {
            "--add-host" | "--progress" | "--squash" => None,
            "--network" => match value {
                "none" | "default" | "bridge" => None,
                _ => refused("which reaches networks of this machine"),
            },
            "--cache-from" => match cached(value) {
                Some(_) => None,
                None => refused("which is no cache on a registry"),
            },
            "--cache-to" => match cached(value) {
                Some(registry) if may_push(&registry) => None,
                _ => refused("which is no cache on a registry that it may push to"),
            },
            "--secret" => match secret_of(graph, build, value) {
                Ok(()) => None,
                Err(why) => refused(why),
            },
            _ => refused("which is only for files of the owner's"),
        }
    })
}

/// Returns the registry of a cache: `type=registry,ref=IMAGE`, or the image alone.
fn cached(value: &str) -> Option<String> {
    let image: crate::image::Reference = if value.contains(['=', ',', '"']) {
        let (mut kind, mut image) = (None, None);
        for (key, value) in fields(value)? {
            match key {
                "type" => kind = Some(value),
                "ref" => image = Some(value),
                "mode" if matches!(value, "min" | "max") => {}
                _ => return None,
            }
        }
        kind.filter(|kind| *kind == "registry")?;
        image?.parse().ok()?
    } else {
        value.parse().ok()?
    };
    Some(image.registry().to_owned())
}

/// Checks `--secret`: it may come from a volume of the file, or from a variable that the file sets.
fn secret_of(graph: &Graph, build: &BuildStep, value: &str) -> Result<(), &'static str> {
    const WHY: &str =
        "whose value is neither in a volume of the file nor in a variable that it sets";
    let fields = fields(value).ok_or(WHY)?;
    let of = |wanted: &str| value_of(&fields, wanted);
    let known = ["id", "src", "source", "env", "type"];
    if !fields.iter().all(|(key, _)| known.contains(key)) {
        return Err(WHY);
    }
    let is_set = |name: &str| build.env.iter().any(|(own, _)| own == name);
    match (of("src"), of("source"), of("env"), of("type")) {
        (Some(path), None, None, None | Some("file"))
        | (None, Some(path), None, None | Some("file")) => {
            let mut mounts = build.mounts.iter();
            let is_own = mounts.any(|mount| is_file_of(graph, mount, path));
            is_own.then_some(()).ok_or(WHY)
        }
        (None, None, _, None | Some("env")) => {
            let name = variable_of(&fields);
            name.is_some_and(is_set).then_some(()).ok_or(WHY)
        }
        _ => Err(WHY),
    }
}

/// Tells whether a path is that of a file which the task file itself has put into a volume.
fn is_file_of(graph: &Graph, mount: &Mount, path: &str) -> bool {
    let below = path.strip_prefix(mount.path.trim_end_matches('/'));
    let Some(name) = below.and_then(|below| below.strip_prefix('/')) else {
        return false;
    };
    let mut volumes = graph.volumes.iter();
    volumes.any(|volume| volume.name == mount.name && volume.files.contains_key(name))
}

fn value_of<'t>(fields: &[(&str, &'t str)], wanted: &str) -> Option<&'t str> {
    let found = fields.iter().find(|(key, _)| *key == wanted);
    found.map(|(_, value)| *value)
}

/// Parses `key=value,key=value` as far as all builders agree on it: no quotes, no blanks, no repeated key.
fn fields(text: &str) -> Option<Vec<(&str, &str)>> {
    if text.contains(|c: char| {
        c == '"' || c == '\'' || c == '\\' || c.is_whitespace() || c.is_control()
    }) {
        return None;
    }
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for field in text.split(',') {
        let (key, value) = field.split_once('=')?;
        if fields.len() > 8 || fields.iter().any(|(other, _)| *other == key) {
            return None;
        }
        fields.push((key, value));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secret::Secret,
        steps::{Variables, read},
    };

    fn told(file: &str) -> Option<String> {
        let variables = Variables {
            secrets: [("s".to_owned(), Secret::new("hunter2"))].into(),
            ..Variables::default()
        };
        let read = read(file, &variables, &mut |_| Err(String::new())).unwrap();
        refusal(&read.graph, &|registry| registry == "r.io").map(|refusal| refusal.to_string())
    }

    #[test]
    fn untrusted_step_may_do_what_a_dockerfile_may() {
        for step in [
            "cmd: alpine sh -c 'echo hi'",
            "cmd: alpine\n  env: ['A={{.Secrets.s}}', PATH=/x]\n  user: root\n  entryPoint: sh\n  expose: ['80']\n  cpus: 2\n  workingDirectory: x",
            "cmd: alpine\n  network: none",
            "cmd: -it --entrypoint sh -e A={{.Secrets.s}} -w /x -u root --cpus 2 -d alpine",
            "cmd: alpine\n  volumeMounts: [{name: keys, mountPath: /keys}]",
            "build: -t r.io/a:1 -f x/Dockerfile --build-arg A=1 --target t --platform linux/amd64 --no-cache --label a=b .",
            "build: --build-context a=sub --build-context b=docker-image://alpine:3 .",
            "build: --network=none --add-host a:1.2.3.4 --progress plain --pull --rm --squash .",
            "build: --build-arg TOKEN .\n  env: ['TOKEN={{.Secrets.s}}', LD_PRELOAD=x]",
            "build: --secret id=a,src=/keys/key .\n  volumeMounts: [{name: keys, mountPath: /keys}]",
            "build: --secret id=a,env=TOKEN --secret id=TOKEN .\n  env: ['TOKEN={{.Secrets.s}}']",
            "build: --secret id=a,env=PATH .\n  env: [PATH=/x]",
            "build: --cache-from r.io/a:1 --cache-from type=registry,ref=docker.io/a:1 --cache-to=type=registry,ref=r.io/c:1,mode=max .",
            "push: [r.io/a:1]",
        ] {
            let file =
                format!("volumes:\n- {{name: keys, secret: {{key: aGk=}}}}\nsteps:\n- {step}\n");
            assert_eq!(told(&file), None, "{step}");
        }
        let own = "networks: [{name: n, driver: bridge}]\nsteps:\n- {cmd: x, network: n}\n";
        assert_eq!(told(own), None);
    }

    #[test]
    fn untrusted_step_that_needs_host_access_is_refused_with_step_and_line() {
        assert_eq!(
            told("steps:\n- cmd: x\n- id: b\n  cmd: x\n  network: host\n").as_deref(),
            Some(
                "line 3: step `b` asks for `network: host`, which is no network of the file's own"
            )
        );
        let volumes = "volumes:\n- {name: keys, secret: {key: aGk=}}\n";
        for step in [
            "cmd: x\n  network: container:other",
            "cmd: x\n  network: ns:/proc/1/ns/net",
            "cmd: x\n  network: mynet",
            "cmd: x\n  ports: ['80:80']",
            "cmd: x\n  env: ['LD_PRELOAD=/x{{.Secrets.s}}']",
            "cmd: x\n  env: ['docker_host={{.Secrets.s}}']",
            "cmd: acr purge --filter a:b",
            "cmd: mcr.microsoft.com/acr/acr-cli:0.1 purge\n  ignoreErrors: true",
            "cmd: --network host x",
            "cmd: -p 80:80 x",
            "cmd: -e LD_PRELOAD=/x{{.Secrets.s}} x",
            "build: https://example.com/x.git",
            "build: --network=host .",
            "build: --network container:a .",
            "build: --security-opt seccomp=unconfined .",
            "build: --ssh default .",
            "build: --cgroup-parent x .",
            "build: --ulimit nofile=9 .",
            "build: --memory 9g .",
            "build: -m 9g .",
            "build: --shm-size 9g .",
            "build: --cpuset-cpus 0 .",
            "build: --secret id=a,src=/etc/shadow .",
            "build: --secret id=a,source=/etc/shadow .",
            "build: --secret id=a,src=/keys/../../etc/shadow .\n  volumeMounts: [{name: keys, mountPath: /keys}]",
            "build: --secret id=a,src=/keys/other .\n  volumeMounts: [{name: keys, mountPath: /keys}]",
            "build: --secret id=a,src=/keysx/key .\n  volumeMounts: [{name: keys, mountPath: /keys}]",
            "build: --secret id=a,src=/keys/key .",
            "build: --secret id=a,env=AWS_SECRET_ACCESS_KEY .",
            "build: --secret id=a,env=PATH .",
            "build: --secret id=HOME .",
            "build: --secret id=a,env=A,env=HOME .\n  env: [A=1]",
            "build: --secret id=a,env=A,src=/etc/shadow .\n  env: [A=1]",
            "build: --secret id=a,ENV=HOME .",
            "build: --secret 'id=a,\"src=/etc/shadow\"' .",
            "build: --secret type=file,id=a .",
            "build: --build-arg LD_PRELOAD=/x{{.Secrets.s}} .",
            "build: --build-arg PATH .\n  env: ['PATH={{.Secrets.s}}']",
            "build: --cache-to type=local,dest=/root .",
            "build: --cache-to=type=local,dest=/root .",
            "build: --cache-to type=registry,ref=docker.io/other:1 .",
            "build: --cache-to type=inline .",
            "build: --cache-from type=local,src=/root .",
            "build: --cache-from type=gha .",
            "build: --build-context e=oci-layout:///root/x .",
            "build: --build-context e=https://example.com/x.git .",
            "build: --build-context e=git@example.com:x .",
            "push: [docker.io/library/other:1]",
            "push: [other]",
        ] {
            let refused = told(&format!("{volumes}steps:\n- {step}\n"));
            let refused = refused.unwrap_or_default();
            assert!(
                refused.starts_with("line 4: step `acb_step_0` asks for "),
                "{step}: {refused}"
            );
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        for networks in [
            "{name: n, skipCreation: true}",
            "{name: n, driver: macvlan}",
        ] {
            let refused = told(&format!("networks: [{networks}]\nsteps:\n- cmd: x\n"));
            assert!(refused.is_some(), "{networks}");
        }
    }

    #[test]
    fn variables_of_an_untrusted_step_reach_the_builder_only_as_secrets_under_other_names() {
        let words = [
            "--secret=id=a,env=LD_PRELOAD",
            "--secret=id=B,type=env",
            "--secret=id=LD_PRELOAD,src=/keys/key",
            "--secret=id=PATH",
            ".",
        ];
        let mut build = super::super::build::parse(&words.map(Into::into)).unwrap();
        let names = ["LD_PRELOAD", "B", "DOCKER_HOST", "DOCKER_BUILDKIT"];
        build.env = names.map(|name| (name.to_owned(), name.into())).into();
        let (env, options) = given_to_builder(&build);
        let env: Vec<String> = env.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(
            env,
            [
                "DOCKER_BUILDKIT=DOCKER_BUILDKIT",
                "ACRT_SECRET_0=LD_PRELOAD",
                "ACRT_SECRET_1=B"
            ]
        );
        assert_eq!(
            options,
            [
                "--secret=id=a,env=ACRT_SECRET_0",
                "--secret=id=B,type=env,env=ACRT_SECRET_1",
                "--secret=id=LD_PRELOAD,src=/keys/key",
                "--secret=id=PATH"
            ]
        );
    }

    #[test]
    fn program_variables_are_distinguished_from_credentials() {
        for name in [
            "PATH",
            "LD_PRELOAD",
            "ld_library_path",
            "DOCKER_HOST",
            "GIT_ASKPASS",
            "AWS_CONFIG_FILE",
            "https_proxy",
            "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY",
            "_CONTAINERS_ROOTLESS_UID",
        ] {
            assert!(is_of_programs(name), "{name}");
        }
        for name in [
            "TOKEN",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DOCKER_PASSWORD",
            "GOPROXY",
            "REGISTRY_USERNAME",
        ] {
            assert!(!is_of_programs(name), "{name}");
        }
    }
}
