//! The task definition that is made of a service, a target or a Dockerfile.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    compose::{ComposeBuild, NamedContext},
    error::{Error, Kind, Result},
    image::{InvalidReference, Platform, Reference},
    ops::{
        App,
        local::LOCAL,
        source_trigger::{SourceTriggerPatch, of_new},
        task::{absolute, registry_for},
        timer::timers,
    },
    task::{
        Argument, BaseImageTrigger, BaseImageTriggerType, Context, DockerStep, InvalidContext,
        SourceKind, Step, Task, TaskKey, TaskName, TaskSource, Trigger,
    },
};

use super::{
    proposal::{AdoptOptions, Destination, LeftOut},
    read::{BuildEntry, digest, foreign_file},
};

/// A task definition that is not complete yet.
pub struct Draft {
    pub entry: BuildEntry,
    pub task: Task,
    /// The names that docker gives its images.
    pub known_as: Vec<Reference>,
    /// The drafts that it is built on, by their index.
    pub parents: BTreeSet<usize>,
    pub notes: Vec<String>,
}

impl Draft {
    /// Says why it becomes no task.
    pub fn left_out(self, why: String) -> LeftOut {
        LeftOut::problem(self.entry.file, self.entry.recipe.key, why)
    }
}

/// Makes a task definition, except for the images that it takes from other drafts: these are filled in later.
///
/// # Errors
///
/// [`Kind::Invalid`] where a part of the recipe cannot be used; [`Kind::NotFound`] where the registry of its images is not known: then it is
/// not known for the other recipes either.
pub fn draft(
    app: &App,
    options: &AdoptOptions,
    entry: BuildEntry,
    name: TaskName,
    before: Option<&Task>,
) -> Result<Draft> {
    let recipe = &entry.recipe;
    let (known_as, image_names) = images(recipe)?;
    let (is_local, registry) = destination(app, options, &image_names, before)?;
    let mut notes = Vec::new();
    let platforms = platforms(recipe, is_local, &mut notes)?;
    if !recipe.profiles.is_empty() {
        notes.push(format!("profile {}", recipe.profiles.join(", ")));
    }
    if !recipe.ignored.is_empty() {
        notes.push(format!("ignored: {}", recipe.ignored.join(", ")));
    }
    if !recipe.needs.is_empty() {
        notes.push(format!("each run needs {}", recipe.needs.join(", ")));
    }
    let step = step(recipe, image_names, is_local)?;
    let source = source(options, &entry, is_local, before);
    if source.compose_up
        && let Some(why) = foreign_file(&source)
    {
        return Err(Error::invalid(format!(
            "cannot restart it with --compose-up, which could start anything as you: {why}"
        )));
    }
    let timer_triggers = match (options.schedules.is_empty(), before) {
        (true, Some(task)) => task.trigger.timer_triggers.clone(),
        _ => timers(options.schedules.clone(), app.clock.now())?,
    };
    let on_success = match (options.on_success.is_empty(), before) {
        (true, Some(task)) => task.on_success.clone(),
        _ => options.on_success.clone(),
    };
    let step = Step::Docker(step);
    let source_triggers = of_new(&SourceTriggerPatch::default(), &step, false)?;
    let task = Task {
        platforms,
        builder: app.global_options.builder.clone(),
        on_success,
        source: Some(Box::new(source)),
        trigger: Trigger {
            base_image_trigger: Some(BaseImageTrigger {
                base_image_trigger_type: BaseImageTriggerType::All,
                ..BaseImageTrigger::default()
            }),
            timer_triggers,
            source_triggers,
        },
        ..Task::blank(TaskKey { registry, name }, step)
    };
    Ok(Draft {
        known_as,
        task,
        parents: BTreeSet::new(),
        notes,
        entry,
    })
}

/// Returns the names that docker gives the images, and their names in the definition.
fn images(recipe: &ComposeBuild) -> Result<(Vec<Reference>, Vec<String>)> {
    let (mut known_as, mut names) = (Vec::new(), Vec::new());
    for image in &recipe.images {
        let known: Reference = image.parse().map_err(|why: InvalidReference| {
            Error::invalid(format!("cannot use its image: {why}"))
        })?;
        if known.digest().is_some() {
            let shown = image.escape_debug();
            return Err(Error::invalid(format!("its image `{shown}` has a digest")));
        }
        names.push(tagged(image));
        known_as.push(known);
    }
    Ok((known_as, names))
}

/// Returns whether the images stay with the builder, and the registry for the key of the task.
fn destination(
    app: &App,
    options: &AdoptOptions,
    images: &[String],
    before: Option<&Task>,
) -> Result<(bool, String)> {
    Ok(match (&options.destination, before) {
        (Destination::Local, _) => (true, LOCAL.to_owned()),
        (Destination::Registry(registry), _) => (false, registry_for(app, Some(registry), &[])?),
        (Destination::AsBefore, Some(task)) => (task.is_local(), task.registry.clone()),
        (Destination::AsBefore, None) => {
            let found = registry_for(app, None, images).map_err(|error| {
                Error::new(Kind::NotFound, error.to_string())
                    .hint("give --registry, or --local to leave the images with the builder")
            });
            (false, found?)
        }
    })
}

fn platforms(
    recipe: &ComposeBuild,
    is_local: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Platform>> {
    let platforms = recipe.platforms.iter().map(|text| text.parse::<Platform>());
    let platforms = platforms.collect::<Result<Vec<_>, _>>();
    let platforms = platforms.map_err(|why| Error::invalid(why.to_string()))?;
    // The builder's own store may be unable to hold an image for several platforms.
    if is_local && platforms.len() > 1 {
        notes.push("for the builder's own platform".to_owned());
        return Ok(Vec::new());
    }
    Ok(platforms)
}

fn step(recipe: &ComposeBuild, image_names: Vec<String>, is_local: bool) -> Result<DockerStep> {
    // docker takes this prefix for a repository, and not for a folder.
    let context = match recipe.context.strip_prefix("github.com/") {
        None => recipe.context.clone(),
        Some(rest) => {
            let (repository, of) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
            let repository = repository.trim_end_matches('/').trim_end_matches(".git");
            format!("https://github.com/{repository}.git{of}")
        }
    };
    let context: Context = context
        .parse()
        .map_err(|why: InvalidContext| Error::invalid(format!("cannot use its context: {why}")))?;
    let arguments = recipe.args.iter().map(|(name, value)| Argument {
        name: name.clone(),
        value: Some(value.clone()),
        is_secret: false,
    });
    let given = recipe
        .contexts
        .iter()
        .filter_map(|(name, place)| match place {
            NamedContext::Given(place) => Some((name.clone(), place.clone())),
            NamedContext::Other(_) => None,
        });
    let given: BTreeMap<String, String> = given.collect();
    Ok(DockerStep {
        context_path: absolute(context)?,
        docker_file_path: recipe.dockerfile.as_deref().unwrap_or("Dockerfile").into(),
        image_names,
        is_push_enabled: !is_local,
        is_local,
        no_cache: recipe.no_cache,
        target: recipe.target.clone(),
        arguments: arguments.collect(),
        docker_file_content: recipe.inline.clone(),
        contexts: given,
        options: recipe.options.clone(),
        trust_context: false,
    })
}

fn source(
    options: &AdoptOptions,
    entry: &BuildEntry,
    is_local: bool,
    before: Option<&Task>,
) -> TaskSource {
    let before = before.and_then(|it| it.source.as_ref());
    let before = before.is_some_and(|it| it.compose_up);
    let is_restarted = options.compose_up.unwrap_or(before);
    let is_restarted = is_restarted && is_local && entry.kind == SourceKind::Compose;
    TaskSource {
        path: entry.file.clone(),
        kind: entry.kind,
        key: entry.recipe.key.clone(),
        project: entry.project.clone(),
        files: entry.files.clone(),
        compose_up: is_restarted,
        services: if is_restarted {
            entry.sharers.clone()
        } else {
            Vec::new()
        },
        entry: Some(digest(&entry.recipe)),
        written: None,
    }
}

/// Returns an image's name with its tag: `latest` where it has none.
pub fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}
