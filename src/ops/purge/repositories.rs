//! The repositories of a registry that a purge is for.

use std::collections::BTreeSet;

use crate::{
    error::{Context as _, Kind, Result},
    image::Reference,
    ops::{App, Event, EventSink, inventory::PushTimes},
    retention::Filters,
};

/// Returns the repositories that match the filters, sorted: from the registry's catalog, or if it has none, from the repositories that tasks
/// and runs push to and that the filters name literally, which is reported if a filter may mean others.
///
/// # Errors
///
/// [`Kind::Unknown`] where the registry does not answer, or refuses the login.
pub async fn of(
    app: &App,
    registry: &str,
    filters: &Filters,
    times: &PushTimes,
    events: &EventSink<'_>,
) -> Result<Vec<String>> {
    let names: BTreeSet<String> = match app.registries().repositories(registry).await? {
        Some(names) => names.into_iter().collect(),
        None => {
            if filters.has_expressions() {
                events.send(Event::Warning(format!(
                    "`{registry}` does not list its repositories: only those that tasks and runs push to and that a filter names are purged"
                )));
            }
            let plain = filters.plain_repositories().map(str::to_owned);
            known(app, registry, times)?
                .into_iter()
                .chain(plain)
                .collect()
        }
    };
    let mut taken = Vec::new();
    for name in names {
        let takes = filters.takes_repository(&name);
        if takes.context(Kind::Invalid, || {
            "cannot tell which repositories are meant".to_owned()
        })? {
            taken.push(name);
        }
    }
    Ok(taken)
}

/// Returns the repositories of a registry that tasks and runs push to.
///
/// # Errors
///
/// [`Kind::Failed`] where the state directory cannot be read.
pub fn known(app: &App, registry: &str, times: &PushTimes) -> Result<BTreeSet<String>> {
    let mut names: BTreeSet<String> = times.repositories().map(str::to_owned).collect();
    for stored in app.store.tasks()? {
        let Ok(task) = stored.task else {
            continue;
        };
        if app.is_same_registry(&task.registry, registry) {
            names.extend(of_names(registry, task.step.image_names()));
        }
        let images = task.stable_images();
        let here = images
            .iter()
            .filter(|it| app.is_same_registry(it.registry(), registry));
        names.extend(here.map(|image| image.repository().to_owned()));
    }
    Ok(names)
}

/// Returns the repositories in image names of tasks, which may have templates in their tags.
pub fn of_names(registry: &str, names: &[String]) -> BTreeSet<String> {
    let repository = |name: &String| {
        let written = name.split("{{").next()?;
        let end = match written.rsplit_once(':') {
            // This colon separates a port: a path follows.
            Some((before, tag)) if !tag.contains('/') => before,
            _ if written.len() == name.len() => written,
            // The template is in the repository itself.
            _ => return None,
        };
        let image = Reference::within(registry, end).ok()?;
        Some(image.repository().to_owned())
    };
    names.iter().filter_map(repository).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_of_an_image_template_is_the_part_before_the_tag() {
        let names = [
            "web:{{.Run.ID}}",
            "team/api:v1-{{.Run.ID}}",
            "r.example:5000/db",
            "x/{{.Run.ID}}:1",
            "plain:latest",
        ];
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let found: Vec<String> = of_names("r.example:5000", &names).into_iter().collect();
        assert_eq!(found, ["db", "plain", "team/api", "web"]);
    }
}
