//! The images of the services of a compose file, and where to look for each.

use std::path::Path;

use crate::{
    compose::{Problem, ServiceImage},
    error::{Error, Result},
    image::Reference,
    ops::{App, EventSink, adopt},
    registry::copy::ImagePlace,
};

use super::{
    held::Store,
    subject::{Subject, SubjectPlace},
};

/// Returns the images of all services, in the order of the file. A problem with one service becomes its answer. With several projects, their
/// names are put before those of the services.
///
/// # Errors
///
/// [`crate::error::Kind::Invalid`] where the file as a whole cannot be read, or no service of it has an image.
pub fn subjects(
    app: &App,
    path: &Path,
    is_one_of_many: bool,
    events: &EventSink<'_>,
) -> Result<Vec<Subject>> {
    let project = adopt::compose_project(path, events).map_err(|problem| {
        let cannot = format!("cannot read the compose file {problem}");
        Error::invalid(cannot)
    })?;
    if project.services.is_empty() {
        let none = format!("no service of `{}` has an image", path.display());
        return Err(Error::invalid(none));
    }
    let store = Store::at_hand(app);
    let services = project.services.into_iter();
    Ok(services
        .map(|(service, image)| {
            let subject = match image {
                Ok(image) => subject(image, store),
                Err(problem) => nowhere(&problem),
            };
            Subject {
                services: vec![if is_one_of_many {
                    format!("{}/{service}", project.project)
                } else {
                    service
                }],
                ..subject
            }
        })
        .collect())
}

/// compose starts the image that the builder's own store has under the name, and pulls it where the store has none, unless compose itself
/// made up the name.
fn subject(image: ServiceImage, store: Option<Store>) -> Subject {
    let parsed = match image.name.parse::<Reference>() {
        Ok(parsed) => parsed,
        Err(why) => return nowhere(&image.problem(why.to_string())),
    };
    let place = image.is_named.then_some(ImagePlace::Registry(parsed));
    let place = match (store, place) {
        (Some(store), place) => SubjectPlace::Either(store, image.name.clone(), place),
        (None, Some(place)) => SubjectPlace::Stored(place),
        (None, None) => {
            let text = "compose builds it without a name of its own, so that no registry has it, and neither docker nor podman is on PATH";
            SubjectPlace::Nowhere(image.problem(text).to_string())
        }
    };
    Subject::new(image.name, place)
}

fn nowhere(problem: &Problem) -> Subject {
    let name = if problem.key.is_empty() {
        problem.file.display().to_string()
    } else {
        problem.key.clone()
    };
    Subject::new(name, SubjectPlace::Nowhere(problem.to_string()))
}
