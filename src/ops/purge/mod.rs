//! Removes old tags, and manifests that nothing needs any more: `acr purge` for any registry.

mod needed;
mod remove;
mod repositories;
mod survey;

use std::rc::Rc;

use crate::{
    error::{Context as _, Kind, Result},
    retention::{KeepReason, KeptItem, Policy, manifests, tags},
    task::RunId,
};

use super::{
    App, Event, EventSink,
    inventory::{Inventory, PushTimes, named},
    joined::joined_first,
    task::named_registry,
};

use needed::RequiredContent;
use remove::{PurgeContext, Remover};

pub use crate::retention::{
    ACR_HELP, AcrCommand, Filters, PurgeOptions, RepositoryOptions, parse_age, parse_command,
};
pub use needed::of as needed;
pub use remove::{Purged, removes_nothing};
pub use repositories::known as known_repositories;

/// The maximum number of concurrent requests, as in acr-cli.
const WIDEST: usize = 32;

/// How many names are listed of what is kept.
const NAMED: usize = 5;

/// Removes the selected tags and manifests, and logs the same lines as acr-cli. What is selected and kept all the same is reported as a note.
/// What the run `own` uses, if a run does it, may be removed.
///
/// # Errors
///
/// [`Kind::Invalid`] where no registry is named; [`Kind::Unknown`] where it does not answer; [`Kind::Failed`] where it fails to remove
/// something. What was removed by then stays removed.
pub async fn purge(
    app: &App,
    options: &PurgeOptions,
    own: Option<RunId>,
    events: &EventSink<'_>,
) -> Result<Purged> {
    let registry = named_registry(app, options.registry.as_deref(), None)?;
    let say = |line: &str| events.send(Event::Log(format!("{line}\n").as_bytes()));
    if options.dry_run {
        say(
            "DRY RUN: The following output shows what WOULD be deleted if the purge command was executed. Nothing is deleted.",
        );
    }
    let width = width(options.concurrency, &say);
    let times = Rc::new(PushTimes::of(app, &registry)?);
    let needed = needed::of(app, &registry, own)?;
    let work = PurgeWork {
        app,
        options,
        times,
        needed: &needed,
        context: PurgeContext {
            registry: &registry,
            dry_run: options.dry_run,
            width,
            events,
        },
    };
    let mut purged = Purged::default();
    let worked = work.all(&mut purged).await;
    if let Err(error) = &worked {
        say(&format!("Failed to complete purge: {} ", error.one_line()));
    }
    let [tags, manifests] = if options.dry_run {
        [
            "Number of tags to be deleted",
            "Number of manifests to be deleted",
        ]
    } else {
        ["Number of deleted tags", "Number of deleted manifests"]
    };
    say(&format!(
        "\n{tags}: {}\n{manifests}: {}",
        purged.tags, purged.manifests
    ));
    worked.map(|()| purged)
}

/// Returns the number of concurrent requests.
fn width(wanted: Option<i64>, say: &dyn Fn(&str)) -> usize {
    let own = std::thread::available_parallelism().map_or(1, usize::from);
    let own = own.min(WIDEST);
    match wanted.map(usize::try_from) {
        None => own,
        Some(Ok(wanted @ 1..=WIDEST)) => wanted,
        Some(Ok(0) | Err(_)) => {
            say(&format!(
                "Specified concurrency value invalid. Set to default value: {own} "
            ));
            own
        }
        Some(Ok(_)) => {
            say(&format!(
                "Specified concurrency value too large. Set to maximum value: {WIDEST} "
            ));
            WIDEST
        }
    }
}

/// A purge in progress.
struct PurgeWork<'a> {
    app: &'a App,
    options: &'a PurgeOptions,
    times: Rc<PushTimes>,
    needed: &'a RequiredContent<'a>,
    context: PurgeContext<'a>,
}

impl PurgeWork<'_> {
    async fn all(&self, purged: &mut Purged) -> Result<()> {
        let repositories = repositories::of(
            self.app,
            self.context.registry,
            &self.options.filters,
            &self.times,
            self.context.events,
        );
        for repository in repositories.await? {
            let doing = format!("purging {}/{repository}", self.context.registry);
            self.context.events.send(Event::Doing(doing));
            self.repository(&repository, purged).await?;
        }
        Ok(())
    }

    async fn repository(&self, repository: &str, purged: &mut Purged) -> Result<()> {
        let options = self.options;
        let (times, width) = (Rc::clone(&self.times), self.context.width);
        let inventory = Inventory::new(
            self.app,
            named(self.context.registry, repository)?,
            times,
            width,
        );
        let [of_tags, of_manifests] = if options.dry_run {
            ["Would delete tags", "Would delete manifests"]
        } else {
            ["Deleting tags", "Deleting manifests"]
        };
        if !options.untagged_only {
            self.context
                .say(&format!("{of_tags} for repository: {repository}"));
        }
        let meant = self.meant(repository);
        let mut snapshot =
            survey::survey(&inventory, &meant, self.needed, options.untagged).await?;
        let takes = |tag: &str| meant(tag).unwrap_or(false);
        let policy = Policy {
            takes: &takes,
            before: self.before(),
            takes_unknown_age: options.ago.is_zero(),
            keep: options.keep,
        };
        let plan = tags(&snapshot, &policy);
        self.report_kept(repository, &plan.kept);
        let mut remover = Remover::new(self.context, &inventory);
        // A tag that goes with its manifest need not be removed by itself.
        let mut without = snapshot.clone();
        without.tags.retain(|tag, _| !plan.go.contains(tag));
        let goes = if options.untagged {
            manifests(&without, &policy).go
        } else {
            Vec::new()
        };
        remover.tags(&snapshot, &plan.go, &goes, purged).await?;
        if !options.untagged {
            return Ok(());
        }
        self.context
            .say(&format!("{of_manifests} for repository: {repository}"));
        if let Some(busy) = &self.needed.of(repository).pushing {
            self.context.events.send(Event::Note(format!(
                "kept the manifests of {}/{repository}: {busy} pushes to it now",
                self.context.registry
            )));
            return Ok(());
        }
        snapshot = match options.dry_run {
            true => without,
            // Read again: something may have been pushed meanwhile.
            false => survey::again(&inventory, &snapshot, &remover.deferred).await?,
        };
        let earlier = plan.kept;
        let mut plan = survey::dangling(&inventory, &mut snapshot, &policy).await?;
        plan.kept.retain(|kept| !earlier.contains(kept));
        self.report_kept(repository, &plan.kept);
        remover.manifests(&snapshot, &plan.go, purged).await
    }

    fn before(&self) -> jiff::Timestamp {
        let now = self.app.clock.now();
        now.checked_sub(self.options.ago)
            .unwrap_or(jiff::Timestamp::MIN)
    }

    /// Returns a predicate: whether a tag of a repository is selected.
    fn meant<'m>(&'m self, repository: &'m str) -> impl Fn(&str) -> Result<bool> + 'm {
        move |tag| {
            if self.options.untagged_only {
                return Ok(false);
            }
            self.options
                .filters
                .takes(repository, tag)
                .context(Kind::Invalid, || {
                    "cannot tell which tags are meant".to_owned()
                })
        }
    }

    /// Reports what is selected and kept all the same: once for each reason.
    fn report_kept(&self, repository: &str, kept: &[KeptItem]) {
        let mut reasons: std::collections::BTreeMap<String, Vec<&str>> = Default::default();
        for one in kept {
            let why = match &one.why {
                KeepReason::Needed(what) => what.clone(),
                KeepReason::UnknownAge => "nothing tells how old it is".to_owned(),
                KeepReason::Unread => {
                    "what it names cannot be read; manifests without a tag stay".to_owned()
                }
            };
            reasons.entry(why).or_default().push(&one.name);
        }
        for (why, names) in reasons {
            let names = names.iter().map(|name| {
                let separator = if name.contains(':') { '@' } else { ':' };
                format!("{}/{repository}{separator}{name}", self.context.registry)
            });
            let names = joined_first(names, NAMED);
            let note = format!("kept {names}: {why}");
            self.context.events.send(Event::Note(note));
        }
    }
}
