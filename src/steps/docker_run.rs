//! The options of `docker run` in front of the image of a `cmd`, as properties of the step.
//!
//! ACR appends a `cmd` to its own `docker run`, so task files and `--cmd` contain such options. Each is read as the property of the
//! same meaning, and obeys the same rules; an option without such a property is refused by name.

use crate::{image::Reference, secret::MaskedText};

use super::{
    options::{self, InvalidOption, OptionGroup, OptionUse},
    resources::Mount,
    step::{Action, BuiltinCommand, CmdStep, ContainerSettings, Step},
};

/// The options in front of the image of a `cmd`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RunOptions {
    /// All but its working directory below `/workspace`.
    pub place: ContainerSettings,
    pub detach: bool,
    pub privileged: bool,
    pub pull: bool,
}

/// The options of `docker run`.
const OPTIONS: &[OptionGroup] = &[
    (
        OptionUse::Ours,
        "cpus= detach/d entrypoint= env/e= expose= net= network= privileged publish/p= pull= user/u= volume/v= \
          workdir/w=",
    ),
    (
        OptionUse::Dropped,
        "attach/a= disable-content-trust init interactive/i isolation= label/l= quiet/q rm sig-proxy tty/t",
    ),
    (
        OptionUse::Refused("it would hand a part of this machine to the container"),
        "cidfile= device= gpus= ipc= label-file= pid= userns= uts= volumes-from=",
    ),
    (
        OptionUse::Refused("steps have their variables in `env`"),
        "env-file=",
    ),
    (
        OptionUse::Refused("a step is named by its `id`"),
        "hostname/h= name= network-alias=",
    ),
    (
        OptionUse::Refused("write `-v VOLUME:/PATH`, or `volumeMounts`"),
        "mount=",
    ),
    (
        OptionUse::Refused("name the ports: `-p 8080:80`, or `ports`"),
        "publish-all/P",
    ),
    (
        OptionUse::Refused("write `retries` or `repeat`"),
        "restart=",
    ),
    (
        OptionUse::Refused("no property of a step means that"),
        "add-host= annotation= blkio-weight= cap-drop= cgroup-parent= cgroupns= cpu-period= cpu-quota= \
          cpu-shares/c= cpuset-cpus= cpuset-mems= dns= dns-option= dns-search= group-add= health-cmd= \
          health-interval= health-retries= health-timeout= ip= link= log-driver= log-opt= memory/m= \
          memory-reservation= memory-swap= no-healthcheck oom-kill-disable pids-limit= read-only runtime= \
          security-opt= shm-size= stop-signal= stop-timeout= storage-opt= sysctl= tmpfs= ulimit=",
    ),
    (
        OptionUse::Refused("write `privileged`, which is allowed by --allow-privileged"),
        "cap-add=",
    ),
    (
        OptionUse::Refused("the run has its --platform"),
        "platform=",
    ),
];

/// Parses the words of a `cmd` up to its image. Returns the options, and the image with the words behind it.
pub(super) fn parse(
    words: Vec<MaskedText>,
) -> Result<(RunOptions, impl Iterator<Item = MaskedText>), String> {
    let mut run = RunOptions::default();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.reveal().starts_with('-')) {
        let written = word.reveal();
        if written == "--" {
            break;
        }
        if written == "-" {
            return Err(option_error(InvalidOption::Unknown("-".into())));
        }
        let take =
            |name: &str, value: Option<MaskedText>, _| run.set(name, value.unwrap_or_default());
        options::read(OPTIONS, &word, || words.next(), take).map_err(option_error)?;
    }
    if words.peek().is_none() {
        return Err("`cmd` names no image".into());
    }
    Ok((run, words))
}

fn option_error(problem: InvalidOption) -> String {
    match problem {
        InvalidOption::Unknown(word) => format!(
            "`cmd` has no option `{word}`: what stands before its image are options of `docker run`"
        ),
        InvalidOption::NoValue(_, name) => format!("the option `--{name}` of `cmd` has no value"),
        InvalidOption::Refused(name, why) => format!("`cmd` cannot have `--{name}`: {why}"),
        InvalidOption::Wrong(why) => why,
    }
}

impl RunOptions {
    fn set(&mut self, name: &str, value: MaskedText) -> Result<(), String> {
        if name == "env" {
            let Some((name, value)) = value.split_once('=') else {
                return Err(format!(
                    "`--env {value}` would take its value from this machine: write {value}=VALUE"
                ));
            };
            let name = variable(&name)?;
            self.place.env.retain(|(other, _)| *other != name);
            self.place.env.push((name, value));
            return Ok(());
        }
        if value.has_secret() {
            return Err(format!(
                "a secret is in `--{name}`, where other users of this machine could see it: hand it over with `-e`"
            ));
        }
        let text = value.reveal();
        let (is_on, place) = (text != "false", &mut self.place);
        match name {
            "cpus" => place.cpus = Some(text.to_owned()),
            "detach" => self.detach = is_on,
            "entrypoint" => place.entry_point = Some(text.to_owned()),
            "expose" => place.expose.push(text.to_owned()),
            "privileged" => self.privileged = is_on,
            "publish" => place.ports.push(text.to_owned()),
            "pull" => self.pull = text == "always",
            "user" => place.user = Some(text.to_owned()),
            "volume" => place.mounts.push(mount(text)?),
            "workdir" if text.starts_with('/') => place.directory = Some(text.to_owned()),
            "workdir" => return Err(format!("`--workdir {text}` is no absolute path")),
            _ => place.network = Some(text.to_owned()),
        }
        Ok(())
    }
}

/// Returns the name of a variable. podman takes a name that ends in `*` for all variables of this machine that begin so.
pub(super) fn variable(name: &MaskedText) -> Result<String, String> {
    if name.reveal().contains('*') {
        return Err(format!(
            "the name of the variable `{name}` has a `*`, for which podman would pass variables of this machine"
        ));
    }
    Ok(name.reveal().to_owned())
}

/// Parses `VOLUME:/PATH`, optionally with `:ro`: volumes of a file are always read-only.
fn mount(text: &str) -> Result<Mount, String> {
    let refused = || {
        format!(
            "`--volume {text}` is no volume of the file, as VOLUME:/PATH: steps share the folder /workspace, and no other one of this machine"
        )
    };
    let (name, path) = text.split_once(':').ok_or_else(refused)?;
    let path = path.strip_suffix(":ro").unwrap_or(path);
    let is_name = !name.is_empty() && !name.contains(['/', '.', '~', '$']);
    if !is_name || !path.starts_with('/') || path.contains([':', ',']) {
        return Err(refused());
    }
    Ok(Mount {
        name: name.to_owned(),
        path: path.to_owned(),
    })
}

/// The commands of docker's client that need a daemon, with the alternative in a task file.
const OF_DAEMON: [(&[&str], &str); 5] = [
    (
        &["build", "buildx", "builder", "bake", "compose"],
        "a `build:` step builds images",
    ),
    (
        &["push", "tag", "login", "logout", "manifest"],
        "`-t` of a `build:` step names images, and a `push:` step pushes them, with the logins of the task",
    ),
    (
        &["run", "exec", "create", "start", "container"],
        "a `cmd:` step runs containers: cmd: IMAGE ARGUMENTS",
    ),
    (
        &["kill", "rm", "stop"],
        "only the container of an earlier step with `detach: true` can be stopped, by the step's `id`",
    ),
    (
        &[
            "pull", "image", "images", "info", "inspect", "load", "logs", "network", "ps", "rmi",
            "save", "system", "version", "volume",
        ],
        "images are fetched by the steps that use them, and what steps leave on the builder goes when the run ends",
    ),
];

/// Returns the error of a step that calls docker's client: no daemon can be reached, because steps do not get Docker's socket.
pub(super) fn without_daemon(step: &Step, others: &[Step]) -> Option<String> {
    let Action::Cmd(cmd) = &step.action else {
        return None;
    };
    if let Some(BuiltinCommand::End { names, .. }) = cmd.own() {
        let goes_on = |name: &str| {
            others.iter().any(|other| {
                let goes_on = matches!(&other.action, Action::Cmd(cmd) if cmd.detach || cmd.keep);
                goes_on && other.id.as_str() == name
            })
        };
        if names.into_iter().all(goes_on) {
            return None;
        }
    }
    let (command, instead) = command_of_daemon(cmd)?;
    let is_made = others.iter().any(
        |other| matches!(&other.action, Action::Build(build) if build.images.contains(&cmd.image)),
    );
    (!is_made).then(|| {
        format!(
            "step `{}` runs `docker {command}`, and no step is handed a Docker daemon: {instead}",
            step.id
        )
    })
}

fn command_of_daemon(cmd: &CmdStep) -> Option<(&str, &'static str)> {
    let client: Reference = "docker".parse().ok()?;
    let has_own = cmd.place.env.iter().any(|(name, _)| name == "DOCKER_HOST");
    if cmd.image.name() != client.name() || has_own {
        return None;
    }
    let words = cmd.args.iter().map(MaskedText::reveal);
    let entry_point = cmd.place.entry_point.as_deref();
    let mut words = entry_point.into_iter().chain(words).peekable();
    words.next_if(|word| word.rsplit('/').next() == Some("docker"));
    let command = words.next()?;
    let found = OF_DAEMON
        .iter()
        .find(|(commands, _)| commands.contains(&command));
    found.map(|(_, instead)| (command, *instead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(RunOptions, Vec<String>), String> {
        let words = shell_words::split(text).unwrap();
        let (options, rest) = parse(words.into_iter().map(MaskedText::from).collect())?;
        Ok((options, rest.map(|word| word.reveal().to_owned()).collect()))
    }

    #[test]
    fn docker_run_options_before_the_image_become_step_properties() {
        let all = "-it --rm --entrypoint echo -e A=b --env=B='c d' -eA=x -w /x -p 8080:80 --publish=1:2 -d -u 1000 --net host --cpus 2 --expose 9 --privileged --pull always -v keys:/keys:ro IMAGE -e rest";
        let (options, rest) = parsed(all).unwrap();
        assert_eq!(rest, ["IMAGE", "-e", "rest"]);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            options,
            RunOptions {
                place: ContainerSettings {
                    working_directory: None,
                    entry_point: text("echo"),
                    env: vec![("B".into(), "c d".into()), ("A".into(), "x".into())],
                    directory: text("/x"),
                    user: text("1000"),
                    network: text("host"),
                    cpus: text("2"),
                    expose: vec!["9".into()],
                    ports: vec!["8080:80".into(), "1:2".into()],
                    mounts: vec![Mount {
                        name: "keys".into(),
                        path: "/keys".into()
                    }],
                },
                detach: true,
                privileged: true,
                pull: true,
            }
        );
        let (options, rest) = parsed("-t -- -odd x").unwrap();
        assert_eq!((options, rest.len()), (RunOptions::default(), 2));
        assert!(!parsed("--detach=false x").unwrap().0.detach);
    }

    #[test]
    fn docker_run_option_without_a_step_property_is_refused_by_name() {
        for (text, told) in [
            ("--bogus x", "`cmd` has no option `--bogus`"),
            ("-x y", "`cmd` has no option `-x`"),
            ("-m 1g x", "`cmd` cannot have `--memory`"),
            ("--device=/dev/kvm x", "`cmd` cannot have `--device`"),
            ("--env-file x y", "`env`"),
            ("-e HOME x", "would take its value from this machine"),
            ("-e 'A*=1' x", "`A*` has a `*`"),
            ("-w rel x", "no absolute path"),
            ("-v /etc:/etc x", "no volume of the file"),
            ("-v ./x:/x y", "no volume of the file"),
            ("-v /var/run/docker.sock:/s x", "no volume of the file"),
            ("-v keys:/a:rw x", "no volume of the file"),
            ("-t", "names no image"),
            ("-e", "has no value"),
        ] {
            let problem = parsed(text).map(|(options, _)| options).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
        let secret = MaskedText::with_secrets("hunter2", std::iter::once(0..7));
        let words = vec!["--user".into(), secret.clone(), "x".into()];
        let problem = parse(words).map(|(options, _)| options).unwrap_err();
        assert!(
            problem.contains("-e") && !problem.contains("hunter2"),
            "{problem}"
        );
    }
}
