//! A step that builds: reads its context and Dockerfile, resolves its bases, and runs the builder.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    builder::{BuildRequest, Purpose},
    error::{Context as _, Kind, Result},
    image::Platform,
    ops::{
        assemble,
        cache_traces::{self, CacheTraces},
        clean::{self, BuilderTraces},
        fetch::{self, Destination, Fetched},
        inputs::{self, Inputs},
        outputs, platforms,
        resolve::{self, Resolved},
        run_builders,
        trust::Trust,
        working_containers,
    },
    source::{left_out::LeftOut, local::LocalContext},
    steps::{BuildStep, Mount, guest},
    store::secrets::Secrets,
    sys::secret::MaskedText,
    task::Context,
};

use super::{
    read::{arguments_of, build_of},
    step_context::StepBuild,
    step_run::{StepFailure, StepRun, inside},
    workspace::copy_beneath,
};

pub(super) async fn build(work: &StepRun<'_>, build: &BuildStep) -> Result<(), StepFailure> {
    let (shared, step) = (work.shared, work.step);
    let (execution, builder) = (shared.execution, &shared.on.builder);
    // The fetched context is removed when the step ends.
    let fetched = fetch(work, build).await?;
    let mut inputs = inputs(work, build, fetched.as_ref()).await?;
    let resolving = work.resolve(async |events| {
        resolve::resolve(execution.app, &mut inputs, builder, shared.baseline, events).await
    });
    let mut resolved = resolving.await?;
    for line in resolve::unpinned(&inputs.bases()?) {
        work.lines.say(&line);
    }
    let mut request = request(work, build, &inputs, &resolved)?;
    leave_out_unsupported_cache(work, &mut request).await;
    // Version control files are already left out of the workspace, except those that steps have made.
    let mut left_out = LeftOut::nothing(&request.context);
    assemble::leave_out(&inputs, builder, &mut left_out, &mut request)?;
    assemble::restrict_images(execution.app, builder, &mut request)?;
    assemble::place_dockerfile(&request, &resolved)?;
    if build.bares_secret {
        work.warn_of_bare_secret();
    }
    let traces = CacheTraces::of(execution, shared.on, shared.run, &shared.stop);
    let running = run_lines(work, build, &request, &inputs, &resolved);
    let pulled = || resolved.pulled.keys();
    let running = working_containers::removed(shared.on, pulled(), &work.lines, running);
    let made = cache_traces::noted(traces, step.id.as_str(), pulled(), running).await?;
    resolved.made_for(execution.app, &inputs, &made).await?;
    let mut found = shared.found.borrow_mut();
    found.take(&step.id, &resolved.dependencies, &resolved.untracked);
    let built = StepBuild {
        images: build.images.clone(),
        inputs,
        resolved,
        platforms: made,
    };
    found.builds.insert(step.id.clone(), built);
    Ok(())
}

/// Runs the command lines of a build. Returns the platforms that the image is for.
async fn run_lines(
    work: &StepRun<'_>,
    build: &BuildStep,
    request: &BuildRequest,
    inputs: &Inputs,
    resolved: &Resolved,
) -> Result<BTreeSet<Platform>, StepFailure> {
    let shared = work.shared;
    let execution = shared.execution;
    let pulled = resolved.pulled.keys();
    let traces = BuilderTraces::before(execution, shared.on, shared.run, pulled).await?;
    let made = run_each(work, build, request, inputs, traces.as_ref()).await;
    let traces = traces.as_ref();
    clean::after_build(shared.on, request, traces, made.is_err(), shared.log).await;
    made
}

async fn run_each(
    work: &StepRun<'_>,
    build: &BuildStep,
    request: &BuildRequest,
    inputs: &Inputs,
    traces: Option<&BuilderTraces<'_>>,
) -> Result<BTreeSet<Platform>, StepFailure> {
    let builder = &work.shared.on.builder;
    let directory = work.directory(build.working_directory.as_deref(), ".")?;
    let (env, _) = given_to_builder(work, build);
    let mut made = BTreeSet::new();
    for planned in builder.plan(request)? {
        let given = env.iter();
        let mut line = given.fold(planned.line, |line, (name, value)| {
            if value.has_secret() {
                line.secret_env(name, value.to_secret())
            } else {
                line.env(name, value.reveal())
            }
        });
        line.dir = Some(directory.clone());
        work.run_builder(line, &planned.purpose, request).await?;
        if planned.purpose == Purpose::Build {
            (made, _) = outputs::built(builder, request, inputs, traces).await?;
        }
    }
    Ok(made)
}

/// Returns the variables and the options of a build that its builder gets: all of them, or those known to be harmless if the file is a
/// guest's.
fn given_to_builder(
    work: &StepRun<'_>,
    build: &BuildStep,
) -> (Vec<(String, MaskedText)>, Vec<String>) {
    match work.shared.read.trust {
        Trust::Owner => (build.env.clone(), build.options.clone()),
        Trust::Guest => guest::given_to_builder(build),
    }
}

async fn fetch(work: &StepRun<'_>, build: &BuildStep) -> Result<Option<Fetched>, StepFailure> {
    let Some(remote) = &build.remote else {
        return Ok(None);
    };
    let context: Context = remote.parse().context(Kind::Invalid, || {
        format!("cannot use the context of step `{}`", work.step.id)
    })?;
    let app = work.shared.execution.app;
    let to = Destination {
        root: work.shared.workspace.step(&work.step.id)?.join("context"),
        beside: work.shared.marker(),
        keeps_vcs: work.shared.execution.task.keep_vcs,
        // Who writes the file that names it need not write its content.
        trust: if work.shared.execution.task.step.trusts_context() {
            Trust::Owner
        } else {
            Trust::Guest
        },
    };
    let secrets = secrets_of_fetch(work, &context);
    let fetching = fetch::fetch_into(app, to, &context, &secrets, &work.shared.stop);
    let fetched = work.unless_stopped(fetching).await?;
    for note in &fetched.notes {
        work.lines.say(note);
    }
    work.lines.say(&fetched.in_words(&context));
    Ok(Some(fetched))
}

/// Returns the secrets for a fetch: the token of the task only for the host of its own context, and never for a guest's file, which could
/// send it elsewhere.
fn secrets_of_fetch(work: &StepRun<'_>, context: &Context) -> Secrets {
    let execution = work.shared.execution;
    let own = execution.definition().step.context().and_then(Context::git);
    let is_own = own.zip(context.git());
    let is_own = is_own.is_some_and(|(own, other)| own.is_beside(other));
    let token = &execution.secrets.git_access_token;
    let is_trusted = work.shared.read.trust == Trust::Owner;
    Secrets {
        git_access_token: token.clone().filter(|_| is_own && is_trusted),
        ..Secrets::default()
    }
}

/// Reads the Dockerfile of a build: from the workspace, where earlier steps may have written it, or from the fetched context.
async fn inputs(
    work: &StepRun<'_>,
    build: &BuildStep,
    fetched: Option<&Fetched>,
) -> Result<Inputs> {
    let directory = build.working_directory.as_deref();
    let root = work.shared.workspace.workspace();
    let (context, path) = match fetched {
        // The fetched context may have another owner than the task file.
        Some(fetched) => {
            let context = LocalContext::open(&fetched.folder)?.confined_to(&fetched.folder);
            (context, inside(None, &build.file_path())?)
        }
        None => {
            let folder = work.directory(directory, &build.context)?;
            let folder = still(work, "context", folder)?;
            let context = match work.shared.read.trust {
                Trust::Owner => LocalContext::open(&folder)?,
                Trust::Guest => LocalContext::open(&folder)?.confined_to(&root),
            };
            (context, root.join(inside(directory, &build.file_path())?))
        }
    };
    let platforms = &work.shared.execution.task.platforms;
    let mut wanted = build_of(build, platforms);
    wanted.contexts = contexts(work, build)?;
    let mut inputs = inputs::of(context, &path, wanted, Vec::new())?;
    let named = if build.platforms.is_empty() {
        platforms
    } else {
        &build.platforms
    };
    let (app, on) = (work.shared.execution.app, work.shared.on);
    run_builders::apply(app, named, &mut inputs, std::slice::from_ref(on)).await?;
    inputs.made = work.shared.made_before(work.step);
    Ok(inputs)
}

/// Returns the named contexts of a build, with folders as paths on this machine.
fn contexts(work: &StepRun<'_>, build: &BuildStep) -> Result<BTreeMap<String, String>> {
    let contexts = build.contexts.iter().enumerate();
    let contexts = contexts.map(|(n, (name, place))| {
        if place.contains("://") {
            return Ok((name.clone(), place.clone()));
        }
        let folder = work.directory(build.working_directory.as_deref(), place)?;
        let folder = still(work, &format!("context-{n}"), folder)?;
        Ok((name.clone(), folder.display().to_string()))
    });
    contexts.collect()
}

/// Returns a folder that a builder can read while other steps run. A guest's folder is copied, because another step could replace it by a
/// link.
fn still(work: &StepRun<'_>, name: &str, folder: PathBuf) -> Result<PathBuf> {
    let graph = &work.shared.read.graph;
    let is_alone = graph.is_chain(|_| true) && !graph.cmds().any(|cmd| cmd.detach);
    if work.shared.read.trust == Trust::Owner || is_alone {
        return Ok(folder);
    }
    let copy = work.shared.workspace.step(&work.step.id)?.join(name);
    copy_beneath(&work.shared.workspace.workspace(), &folder, &copy)?;
    Ok(copy)
}

fn request(
    work: &StepRun<'_>,
    build: &BuildStep,
    inputs: &Inputs,
    resolved: &Resolved,
) -> Result<BuildRequest> {
    let shared = work.shared;
    let (secret_args, args) = assemble::parted(arguments_of(build));
    let (_, options) = given_to_builder(work, build);
    let asked = BuildRequest {
        images: build.images.clone(),
        args,
        secret_args,
        no_cache: build.no_cache,
        options: options
            .iter()
            .map(|option| on_this_machine(work, option, &build.mounts))
            .collect(),
        cache: build.cache.clone(),
        labels: build.labels.clone(),
        scratch: shared.workspace.step(&work.step.id)?,
        auth_dir: shared.auth_dir.clone(),
        ..BuildRequest::default()
    };
    assemble::request(shared.execution, shared.run, inputs, resolved, asked)
}

/// Leaves out the cache on a registry where the builder would fail because it cannot store one. A builder that does not say is tried.
async fn leave_out_unsupported_cache(work: &StepRun<'_>, request: &mut BuildRequest) {
    let builder = &work.shared.on.builder;
    let asked = builder
        .can_export_cache()
        .filter(|_| request.cache.is_some());
    let Some(question) = asked else { return };
    if platforms::ask(&question).await == Some(false) {
        request.cache = None;
        work.warn(&format!(
            "step `{}` stores no cache on its registry: the Docker daemon can do so only with containerd's image store; else choose another BuildKit with `docker buildx create --use`",
            work.step.id
        ));
    }
}

/// Replaces a path in an option by the folder of the volume that the file mounts at this path.
fn on_this_machine(work: &StepRun<'_>, option: &str, mounts: &[Mount]) -> String {
    let mut option = option.to_owned();
    for mount in mounts {
        let folder = work.shared.workspace.volume(&mount.name);
        let folder = folder.display();
        for key in ["src=", "source="] {
            let from = format!("{key}{}/", mount.path.trim_end_matches('/'));
            option = option.replace(&from, &format!("{key}{folder}/"));
        }
    }
    option
}
