//! Compares proposed tasks with the existing ones, and writes them.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use crate::{
    compose::seen_from,
    error::Result,
    ops::{
        App, Event, EventSink,
        chain::ImageMakers,
        task::{TaskOptions, create, delete},
    },
    store::secrets::Secrets,
    task::{SourceKind, Task, TaskKey, TaskSource},
};

use super::{
    draft::tagged,
    find, names,
    proposal::{AdoptAnswer, AdoptOptions, Destination, Proposal, ProposedChange},
    read::{BuildEntries, BuildEntry},
};

/// Where a build comes from: the file, and the service, target or Dockerfile in it.
type SourcePlace = (PathBuf, SourceKind, String);

/// Returns where a task was adopted from, for comparisons: paths may have been stored with `..` or links in them.
fn place_of(source: &TaskSource) -> SourcePlace {
    (whole(&source.path), source.kind, source.key.clone())
}

fn whole(path: &Path) -> PathBuf {
    find::whole(path).unwrap_or_else(|_| seen_from(Path::new("/"), &path.to_string_lossy()))
}

pub struct Existing {
    tasks: Vec<Task>,
    /// Which of them was adopted from a place.
    by_place: HashMap<SourcePlace, usize>,
}

impl Existing {
    pub fn load(app: &App) -> Result<Self> {
        let stored = app.store.tasks()?;
        let tasks: Vec<Task> = stored.filter_map(|stored| stored.task.ok()).collect();
        let mut by_place = HashMap::new();
        for (n, task) in tasks.iter().enumerate() {
            if let Some(source) = &task.source {
                by_place.entry(place_of(source)).or_insert(n);
            }
        }
        Ok(Self { tasks, by_place })
    }

    /// Returns the names that are taken, in lower case.
    pub fn names(&self) -> BTreeSet<String> {
        self.tasks
            .iter()
            .map(|task| task.name.as_str().to_lowercase())
            .collect()
    }

    /// Returns the task that was adopted from an entry.
    pub fn of(&self, entry: &BuildEntry) -> Option<&Task> {
        let place = (whole(&entry.file), entry.kind, entry.recipe.key.clone());
        let own = self.by_place.get(&place).map(|n| &self.tasks[*n]);
        own.or_else(|| self.moved(entry))
    }

    /// Returns the image that the task of an entry makes, if that is one of the entry's candidate names.
    pub fn image_of(&self, entry: &BuildEntry) -> Option<String> {
        let image = self.of(entry)?.step.image_names().first()?;
        let name = image.strip_suffix(":latest")?;
        let mut names = entry.names.iter();
        let is_its = names.any(|it| it == name)
            || (entry.names.last()).is_some_and(|last| names::is_numbered(name, last));
        is_its.then(|| name.to_owned())
    }

    /// Returns the task of an entry whose file was moved: the old file is gone, and the entry makes the same image.
    fn moved(&self, entry: &BuildEntry) -> Option<&Task> {
        let image = tagged(entry.recipe.images.first()?);
        let is_it = |source: &TaskSource| {
            source.kind == entry.kind
                && source.key == entry.recipe.key
                && source.path.file_name() == entry.file.file_name()
                && !source.path.exists()
        };
        let mut found = self.tasks.iter().filter(|task| {
            let is_same_image = task.step.image_names().first() == Some(&image);
            is_same_image && task.source.as_deref().is_some_and(is_it)
        });
        let one = found.next()?;
        found.next().is_none().then_some(one)
    }

    /// If no destination is given, sends new images to the one registry to which all others went before. If nothing found has a task, these
    /// others are the tasks that were adopted from the searched paths.
    pub fn destination(
        &self,
        options: &AdoptOptions,
        entries: &[BuildEntry],
        searched: &[PathBuf],
    ) -> AdoptOptions {
        let mut options = options.clone();
        if options.destination == Destination::AsBefore {
            let place = |task: &'_ Task| (task.is_local(), task.registry.clone());
            let before = entries.iter().filter_map(|entry| self.of(entry));
            let mut places: BTreeSet<(bool, String)> = before.map(place).collect();
            if places.is_empty() {
                let was_searched = |task: &&Task| {
                    let source = task.source.as_ref().map(|source| whole(&source.path));
                    source.is_some_and(|path| searched.iter().any(|it| path.starts_with(it)))
                };
                places = self.tasks.iter().filter(was_searched).map(place).collect();
            }
            let mut places = places.into_iter();
            match (places.next(), places.next()) {
                (Some((true, _)), None) => options.destination = Destination::Local,
                (Some((false, registry)), None) => {
                    options.destination = Destination::Registry(registry);
                }
                _ => {}
            }
        }
        options
    }

    /// Returns the tasks that came from a searched path in which they are found no more.
    pub fn gone(
        &self,
        options: &AdoptOptions,
        gathered: &BuildEntries,
        proposals: &[Proposal],
    ) -> Vec<Proposal> {
        if !options.prune {
            return Vec::new();
        }
        let read: BTreeSet<PathBuf> = gathered.read.iter().map(|it| whole(it)).collect();
        let is_gone = |task: &&Task| {
            let Some(source) = &task.source else {
                return false;
            };
            let path = whole(&source.path);
            let is_searched = gathered.searched.iter().any(|it| path.starts_with(it));
            // A file that cannot be read at the moment, or was not searched this time, may still mention it.
            let is_known = read.contains(&path) || source.path.try_exists().is_ok_and(|is| !is);
            // An entry that cannot be used at the moment is not gone.
            let is_left_out = gathered
                .left_out
                .iter()
                .any(|out| out.is_problem && out.key == source.key && whole(&out.file) == path);
            let is_there = proposals
                .iter()
                .any(|one| one.definition.key() == task.key());
            is_searched && is_known && !is_left_out && !is_there
        };
        let gone = self.tasks.iter().filter(is_gone).filter_map(|task| {
            let why = "its file no longer mentions it".to_owned();
            Proposal::of(task.clone(), ProposedChange::Gone, why)
        });
        gone.collect()
    }
}

/// Returns what is to be done with a task, and how its definition differs from the existing one.
pub fn compared(before: Option<&Task>, now: &Task) -> (ProposedChange, Vec<String>) {
    let Some(before) = before else {
        return (ProposedChange::New, Vec::new());
    };
    let has_said_so = |task: &Task| {
        let source = task.source.as_ref();
        source.map(|source| {
            (
                source.entry.clone(),
                source.compose_up,
                source.services.clone(),
                source.files.clone(),
            )
        })
    };
    let is_said_before = has_said_so(before) == has_said_so(now);
    if before.is_edited() {
        // Compare the file too: the user may want to take over what it says now.
        let diff = if is_said_before {
            Vec::new()
        } else {
            diff(before, now)
        };
        return (ProposedChange::Kept, diff);
    }
    let is_moved = before.key() != now.key();
    let is_same = before.bare() == now.bare() && is_said_before;
    if is_same && !is_moved {
        (ProposedChange::Same, Vec::new())
    } else {
        (ProposedChange::Changed, diff(before, now))
    }
}

/// Returns the lines that are in only one of two definitions.
fn diff(before: &Task, now: &Task) -> Vec<String> {
    let lines = |task: &Task| -> Vec<String> {
        let text = serde_yaml::to_string(&task.bare()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    line_diff(&lines(before), &lines(now))
}

/// How many pairs of lines are compared. Where there are more, all lines between the first and the last change are shown.
const MAX_PAIRS: usize = 4_000_000;

fn line_diff(old: &[String], new: &[String]) -> Vec<String> {
    let pairs = old.iter().zip(new);
    let same = pairs.take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[same..], &new[same..]);
    let pairs = old.iter().rev().zip(new.iter().rev());
    let same = pairs.take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - same], &new[..new.len() - same]);
    if old.len().saturating_mul(new.len()) > MAX_PAIRS {
        let gone = old.iter().map(|line| format!("- {line}"));
        return gone
            .chain(new.iter().map(|line| format!("+ {line}")))
            .collect();
    }
    // The longest common subsequence of lines, computed from the end so that it can be read from the beginning.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for o in (0..old.len()).rev() {
        for n in (0..new.len()).rev() {
            common[o][n] = if old[o] == new[n] {
                common[o + 1][n + 1] + 1
            } else {
                common[o + 1][n].max(common[o][n + 1])
            };
        }
    }
    let (mut o, mut n) = (0, 0);
    let mut told = Vec::new();
    while o < old.len() || n < new.len() {
        if o < old.len() && n < new.len() && old[o] == new[n] {
            (o, n) = (o + 1, n + 1);
        } else if n == new.len() || (o < old.len() && common[o + 1][n] >= common[o][n + 1]) {
            told.push(format!("- {}", old[o]));
            o += 1;
        } else {
            told.push(format!("+ {}", new[n]));
            n += 1;
        }
    }
    told
}

/// Writes new and changed tasks, and removes those that are gone. A failure is reported, and does not prevent the rest.
///
/// # Errors
///
/// The last failure, after everything else has been written.
pub fn write(app: &App, answer: &mut AdoptAnswer, events: &EventSink<'_>) -> Result<()> {
    let mut problem = Ok(());
    let existing = Existing::load(app)?;
    let mut makers = ImageMakers::of(app);
    for task in &answer.tasks {
        let done = match task.change {
            ProposedChange::Same | ProposedChange::Kept => Ok(()),
            ProposedChange::Gone => removed(&mut makers, &task.task_key()),
            ProposedChange::New | ProposedChange::Changed => {
                replace(&mut makers, &task.definition, &existing, events)
            }
        };
        if let Err(error) = done {
            let told = error.one_line();
            events.send(Event::Warning(format!("task `{}`: {told}", task.name)));
            problem = Err(error);
        }
    }
    answer.written = true;
    problem
}

fn removed(makers: &mut ImageMakers<'_>, key: &TaskKey) -> Result<()> {
    delete(makers.app, key)?;
    makers.deleted(key);
    Ok(())
}

/// Writes one task. If it has moved to another registry, it takes its secrets along, and the old one is deleted.
fn replace(
    makers: &mut ImageMakers<'_>,
    task: &Task,
    existing: &Existing,
    events: &EventSink<'_>,
) -> Result<()> {
    let app = makers.app;
    let key = task.key();
    let place = task.source.as_deref().map(place_of);
    let old = place.and_then(|place| existing.by_place.get(&place));
    let old = old.map(|n| existing.tasks[*n].key());
    let is_free = !app.store.layout().task(&key).exists();
    let old = old.filter(|old| *old != key);
    if let Some(old) = old.as_ref().filter(|_| is_free) {
        let secrets = app.store.secrets(old)?;
        let _lock = app.store.lock_tasks()?;
        app.store.save_secrets(&key, &secrets)?;
    }
    let created = create(makers, task.clone(), TaskOptions::default(), false, events);
    match (created, old) {
        (Ok(_), Some(old)) => removed(makers, &old),
        (Ok(_), None) => Ok(()),
        (Err(error), old) => {
            if old.is_some() && is_free {
                app.store.save_secrets(&key, &Secrets::default())?;
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn changed_lines_are_shown_and_common_ones_are_not() {
        for (old, new, wanted) in [
            ("a b c", "a b c", &[][..]),
            ("a b c", "a x c", &["- b", "+ x"]),
            ("a b c d e", "a c x e", &["- b", "- d", "+ x"]),
            ("a", "a a", &["+ a"]),
            ("a a", "a", &["- a"]),
            ("", "a", &["+ a"]),
        ] {
            assert_eq!(
                line_diff(&lines(old), &lines(new)),
                wanted,
                "{old} -> {new}"
            );
        }
    }

    #[test]
    fn change_of_many_lines_is_shown_without_comparing_all_of_them() {
        let many = |ends: &str| {
            let mut all = vec![ends.to_owned()];
            all.extend((0..100_000).map(|n| n.to_string()));
            all.push(ends.to_owned());
            all
        };
        let told = line_diff(&many("a"), &many("b"));
        assert_eq!(told.len(), 200_004);
        assert_eq!((&*told[0], &*told[100_002]), ("- a", "+ b"));
        let mut one = many("a");
        one[50_000] = "x".to_owned();
        assert_eq!(line_diff(&many("a"), &one), ["- 49999", "+ x"]);
    }
}
