//! `acrt task create`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        columns,
        flags::{definition::DefinitionArgs, one_task::NameArgs, registry::report_azure},
        outcome::Outcome,
        report::Report,
    },
    error::{Context as _, Error, Kind, Result},
    image::Reference,
    ops::{
        self, App,
        chain::ImageMakers,
        local::LOCAL,
        run::RunRequest,
        task::{absolute, registry_for},
    },
    task::{
        Context, DockerStep, ImportStep, Step, Task, TaskKey, TaskName,
        trigger::{DEFAULT_BASE_IMAGE_TRIGGER, DEFAULT_SOURCE_TRIGGER},
    },
};

use super::run::followed;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task create -t localhost:5000/web:latest --run\n  acrt task create --name web --registry localhost:5000 \\\n    --image web:latest --context ./web --file Dockerfile\n  acrt task create -n api -r localhost:5000 -t api:latest -t api:{{.Run.ID}} \\\n    -c ./api --arg NODE=20 --base-image-trigger-type All\n  acrt task create -n tool -t ghcr.io/acme/tool:1 -c . \\\n    --base-image-trigger-enabled false\n  acrt task create -n nightly -t ghcr.io/acme/web:nightly -c ./web \\\n    --schedule \"0 21 * * *\" --schedule \"noon:0 12 * * MON-FRI\"\n  acrt task create -n gate -r localhost:5000 -c ./web -f acb.yaml --set tag=1\n  acrt task create -n purge -r localhost:5000 -c /dev/null \\\n    --cmd \"alpine:3 date\"\n  acrt task create -n node -r localhost:5000 -t base/node:20 \\\n    --import docker.io/library/node:20"
)]
#[command(mut_arg("status", |arg| arg.default_value("Enabled")))]
#[command(mut_arg("timeout", |arg| arg.default_value("3600")))]
#[command(mut_arg("test", |arg| arg.requires("import")))]
#[command(mut_arg("base_image_trigger_enabled", |arg| arg.default_value("true")))]
#[command(mut_arg("base_image_trigger_type", |arg| arg.default_value("Runtime")))]
#[command(mut_arg("bare_name", |arg| arg.help("Name of the task: letters, digits, `-` and `_` [default: that of its folder]")))]
#[command(mut_arg("context", |arg| arg.help("Folder of the build, or /dev/null for none [default: the current one, if it has a Dockerfile]")))]
pub struct CreateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Registry that the images go to [default: the one in --image, or $ACRT_REGISTRY]
    #[arg(short, long, value_name = "LOGIN_SERVER", value_parser = crate::cli::flags::registry::login_server)]
    registry: Option<String>,
    /// Leave the images with the builder, under the names that docker has for them, and push nothing
    #[arg(long, help_heading = "Images", conflicts_with_all = ["registry", "no_push", "import"])]
    local: bool,
    #[command(flatten)]
    definition: DefinitionArgs,
    // clap does not require what conflicts with another option that is given, so that `requires` alone lets it pass for a build.
    /// Copy what refers to the image too: signatures, SBOMs
    #[arg(long, help_heading = "What is built", requires = "import", conflicts_with_all = ["context", "file", "cmd", "local"])]
    all_referrers: bool,
    /// Name of the base image trigger
    #[arg(long, help_heading = "Triggers", default_value = DEFAULT_BASE_IMAGE_TRIGGER, value_name = "NAME")]
    base_image_trigger_name: String,
    /// Name of the source trigger
    #[arg(long, help_heading = "Triggers", default_value = DEFAULT_SOURCE_TRIGGER, value_name = "NAME")]
    source_trigger_name: String,
    /// Run the task at once, and print its log
    #[arg(long)]
    run: bool,
}

pub fn run(app: &App, report: &Report, args: CreateArgs) -> Result<Outcome> {
    let CreateArgs {
        name, definition, ..
    } = args;
    let named = name.get()?;
    let step = match &definition.import {
        Some(source) => Step::Import(ImportStep {
            source: source.clone(),
            image_names: definition.images.clone(),
            repositories: Vec::new(),
            all_referrers: args.all_referrers,
            force: true,
            test: Vec::new(),
        }),
        None => Step::Docker(DockerStep {
            context_path: context(&definition)?,
            docker_file_path: "Dockerfile".into(),
            image_names: definition.images.clone(),
            is_push_enabled: !args.local,
            is_local: args.local,
            no_cache: false,
            target: None,
            arguments: Vec::new(),
            docker_file_content: None,
            contexts: BTreeMap::new(),
            options: Vec::new(),
            trust_context: false,
        }),
    };
    report_azure(app, report, args.registry.as_deref());
    let registry = if args.local {
        LOCAL.to_owned()
    } else {
        registry_for(app, args.registry.as_deref(), &definition.images)?
    };
    let name = match &named {
        Some(name) => name.clone(),
        None => name_of(&step)?,
    };
    let mut task = Task::blank(TaskKey { registry, name }, step);
    let trigger = &definition.triggers;
    task.trigger.base_image_trigger = trigger.for_new_task(args.base_image_trigger_name);
    definition.arguments.warn_of_unset(report);
    let mut task_options = definition.task_options(app, &task)?;
    task_options.patch.base_image_trigger = None;
    task_options.patch.base_image_trigger_type = None;
    task_options.source.name =
        Some(args.source_trigger_name).filter(|name| name != DEFAULT_SOURCE_TRIGGER);
    let (key, is_first) = ops::task::create(
        &mut ImageMakers::of(app),
        task,
        task_options,
        named.is_none(),
        &report.events(),
    )?;
    if args.run {
        let request = RunRequest {
            follows_log: true,
            ..RunRequest::of(&key)
        };
        return followed(app, report, &request);
    }
    if is_first {
        report.note(&format!(
            "task `{key}` follows nothing until it has run once: acrt task run {}",
            ops::task::option_of(app, &key)
        ));
    }
    let task = ops::show::task(app, &key)?;
    Ok(Outcome::answer(columns::task_view(app, task)))
}

/// Returns the given context, or the current folder if it holds a file to build.
fn context(definition: &DefinitionArgs) -> Result<Context> {
    if let Some(context) = &definition.context {
        return absolute(context.clone());
    }
    let file = definition.file.as_deref();
    let file = file.unwrap_or(Path::new("Dockerfile"));
    if definition.cmd.is_some() || file == Path::new("-") {
        return Ok(Context::None);
    }
    let Context::Local(here) = absolute(Context::Local(PathBuf::from(".")))? else {
        return Ok(Context::None);
    };
    if here.join(file).exists() {
        Ok(Context::Local(here))
    } else {
        Err(Error::invalid(format!(
            "cannot tell what to build: there is no `{}` in `{}`",
            file.display(),
            here.display()
        ))
        .hint("name its folder with --context FOLDER, or an image to copy with --import IMAGE"))
    }
}

/// Returns the default name of a task: from its folder, its repository or the imported image.
fn name_of(step: &Step) -> Result<TaskName> {
    let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let after = match step {
        Step::Import(step) => step
            .source
            .parse()
            .ok()
            .and_then(|source: Reference| last(source.repository())),
        step => match step.context() {
            Some(Context::Local(folder)) => {
                // `..` has a name of its own only when it is followed.
                let whole = folder.canonicalize().ok();
                let name = folder.file_name().or_else(|| whole.as_ref()?.file_name());
                name.map(|name| name.to_string_lossy().into_owned())
            }
            Some(Context::Git(git)) => {
                let path = git.folder.as_deref().unwrap_or(&git.url);
                last(path.trim_end_matches('/').trim_end_matches(".git"))
            }
            Some(Context::Artifact(artifact)) => last(artifact.repository()),
            _ => None,
        },
    };
    after
        .and_then(|text| TaskName::like(&text))
        .ok_or_else(|| anyhow::anyhow!("there is no folder to name it after"))
        .context(Kind::Invalid, || "the task has no name".to_owned())
        .map_err(|error| error.hint("give it one: acrt task create NAME …"))
}
