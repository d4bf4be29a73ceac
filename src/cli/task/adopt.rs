//! `acrt task adopt`

use std::path::{Path, PathBuf};

use crate::{
    cli::{
        columns,
        flags::{choice::three_state, confirm::YesArgs, program::words, trigger::schedule},
        outcome::Outcome,
        report::Report,
        task::run::followed,
    },
    error::{Error, Kind, Result},
    ops::{
        self, App,
        adopt::{self, AdoptAnswer, AdoptOptions, Destination, ProposedChange, Search},
        follow,
        run::RunRequest,
        timer::Schedule,
    },
    sys::command::quoted,
    view::View,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acrt task adopt --local --dry-run\n  acrt task adopt --local --compose-up --run --yes\n  acrt task adopt ./images -r localhost:5000 --exclude 'legacy/' --yes\n  acrt task adopt compose.yaml -r localhost:5000 --no-run --yes\n  acrt task adopt docker-bake.hcl -r registry.example.com -o yaml --dry-run"
)]
pub struct AdoptArgs {
    /// Files and folders to look in
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Registry that the images go to, unless they name one themselves [default: that of before, or $ACRT_REGISTRY]
    #[arg(
        short,
        long,
        help_heading = "Images",
        value_name = "LOGIN_SERVER",
        value_parser = crate::cli::flags::registry::login_server,
        conflicts_with = "local"
    )]
    registry: Option<String>,
    /// Leave the images with the builder, under the names that docker has for them, and push nothing
    #[arg(long, help_heading = "Images")]
    local: bool,
    /// What is not searched, as a line of .gitignore (can be repeated)
    #[arg(long, help_heading = "What is built", value_name = "PATTERN")]
    exclude: Vec<String>,
    /// How many folders deep to look, the given one being the first
    #[arg(long, help_heading = "What is built", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    depth: Option<u16>,
    /// Run each task at set times too: five fields in UTC (can be repeated)
    #[arg(long = "schedule", help_heading = "Triggers", value_name = "[NAME:]CRON", value_parser = schedule)]
    schedules: Vec<Schedule>,
    /// Program that a successful run of each task starts
    #[arg(long, help_heading = "Triggers", value_name = "COMMAND")]
    on_success: Option<String>,
    /// Recreate running services with docker compose when their image has changed
    #[arg(long, help_heading = "Triggers", num_args = 0..=1, default_missing_value = "true", value_parser = three_state, value_name = "true|false", conflicts_with = "registry")]
    compose_up: Option<bool>,
    /// Remove tasks whose service, target or Dockerfile is gone
    #[arg(long)]
    prune: bool,
    /// Run all tasks that are new, have changed or have never run successfully, in order
    #[arg(long, conflicts_with = "dry_run")]
    run: bool,
    /// Follow images that are there already without a first build, where they show what they were built on
    #[arg(long, conflicts_with = "run")]
    no_run: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: YesArgs,
}

pub fn run(app: &App, report: &Report, args: AdoptArgs) -> Result<Outcome> {
    let options = AdoptOptions {
        paths: args.paths,
        search: Search {
            exclude: args.exclude,
            depth: args.depth.map(usize::from),
        },
        destination: match (args.registry, args.local) {
            (Some(registry), _) => Destination::Registry(registry),
            (None, true) => Destination::Local,
            (None, false) => Destination::AsBefore,
        },
        schedules: args.schedules,
        on_success: words(args.on_success.as_deref().unwrap_or_default())?,
        compose_up: args.compose_up,
        prune: args.prune,
    };
    let events = report.events();
    let mut answer = app.wait(adopt::propose(app, &options, &events))?;
    report_changes(report, &answer);
    if answer.tasks.is_empty() {
        let error = Error::invalid("nothing was found that builds an image");
        return Err(error.hint("name a folder with a compose file, a bake file or Dockerfiles"));
    }
    if args.dry_run {
        if args.no_run {
            app.wait(follow::adopted(app, &mut answer, &events))?;
        }
        return Ok(Outcome::answer(view(answer)));
    }
    if answer.has_changes() && !args.yes.is_yes() {
        if !report.can_ask() {
            return Err(Error::invalid(
                "nothing was written: there is no terminal to ask for confirmation on",
            )
            .hint("use --yes, or --dry-run to see what would be written"));
        }
        for task in &answer.tasks {
            report.note(&line(task));
        }
        args.yes.confirm(report, "Write these tasks?")?;
    }
    let wrote = adopt::write(app, &mut answer, &events);
    let mut exit = wrote.err().map(|error| error.kind());
    if args.run {
        for key in adopt::to_run(app, &answer)? {
            let request = RunRequest {
                follows_log: false,
                ..RunRequest::of(&key)
            };
            let outcome = followed(app, report, &request)?;
            if let Some(kind @ (Kind::Interrupted | Kind::Terminated)) = outcome.exit {
                return Ok(Outcome::exit(Some(kind)));
            }
            exit = exit.or(outcome.exit);
        }
    } else if args.no_run {
        app.wait(follow::adopted(app, &mut answer, &events))?;
        report_tracking(app, report, &answer);
    } else if answer.has_changes() {
        report.note(&format!(
            "tasks follow nothing until they have run once: acrt task adopt{} --run, or acrt task run --name NAME",
            search_of(app, &options)
        ));
    }
    Ok(Outcome::answer(view(answer)).with_exit(exit))
}

/// Returns the options that another call needs to find the same tasks unchanged, quoted for a shell, each with a blank before it. What is left
/// out stays as it was in the tasks.
fn search_of(app: &App, options: &AdoptOptions) -> String {
    let is_here = options.paths == [Path::new(".")];
    let paths = options.paths.iter().filter(|_| !is_here);
    let mut words: Vec<String> = paths.map(|it| quoted(&it.to_string_lossy())).collect();
    let exclude = options.search.exclude.iter();
    words.extend(exclude.map(|pattern| format!("--exclude={}", quoted(pattern))));
    let depth = options.search.depth;
    words.extend(depth.map(|depth| format!("--depth {depth}")));
    let builder = app.global_options.builder.as_deref();
    words.extend(builder.map(|name| format!("--builder {}", quoted(name))));
    words.iter().map(|word| format!(" {word}")).collect()
}

fn view(answer: AdoptAnswer) -> View {
    View::of(answer, columns::ADOPT)
        .rows_at("/tasks")
        .for_people()
}

/// Reports what is left out, and what has changed since the last time.
fn report_changes(report: &Report, answer: &AdoptAnswer) {
    for out in &answer.left_out {
        let what = if out.key.is_empty() {
            String::new()
        } else {
            format!("`{}` of ", out.key.escape_debug())
        };
        let text = format!("left out: {what}`{}`: {}", out.file.display(), out.why);
        if out.is_problem {
            report.warning(&text)
        } else {
            report.note(&text)
        }
    }
    for task in answer.tasks.iter().filter(|task| !task.diff.is_empty()) {
        let what = match task.change {
            ProposedChange::Kept => "was changed by hand and is kept; its file now says",
            _ => "changes",
        };
        report.note(&format!("task `{}` {what}:", task.name));
        for line in &task.diff {
            report.note(line);
        }
    }
}

/// Reports which tasks are not followed yet, why, and what to do.
fn report_tracking(app: &App, report: &Report, answer: &AdoptAnswer) {
    for task in &answer.tasks {
        let tracking = task.tracking.as_ref();
        if let Some(why) = tracking.and_then(|tracking| tracking.reason.as_ref()) {
            report.warning(&format!(
                "task `{}` follows nothing until it has run: {why}; to run it: acrt task run {}",
                task.name,
                ops::task::option_of(app, &task.task_key())
            ));
        }
    }
}

/// Summarizes the change of a task on one line, for the question.
fn line(task: &adopt::Proposal) -> String {
    let after: Vec<&str> = task.depends_on.iter().map(|name| name.as_str()).collect();
    let after = if after.is_empty() {
        String::new()
    } else {
        format!(", after {}", after.join(", "))
    };
    let change = format!("{:?}", task.change).to_lowercase();
    format!(
        "{change}: {} -> {}{after}",
        task.name,
        task.images.join(", ")
    )
}
