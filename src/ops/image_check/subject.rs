//! An image to check, and where it is.

use crate::{
    error::{Context as _, Error, Kind, Result},
    ops::{App, import::source},
    registry::copy::ImagePlace,
};

use super::held;

/// Archives by skopeo's prefixes; only skopeo can read them.
const ARCHIVES: [&str; 2] = ["docker-archive:", "oci-archive:"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name as the user wrote it.
    pub name: String,
    pub place: SubjectPlace,
    /// The services of compose files that use it.
    pub services: Vec<String>,
    /// The containers that it runs in.
    pub containers: Vec<String>,
}

impl Subject {
    pub fn new(name: String, place: SubjectPlace) -> Self {
        Self {
            name,
            place,
            services: Vec::new(),
            containers: Vec::new(),
        }
    }

    /// Adds an image to a list, or its services and containers to the same image in the list.
    pub fn add_to(self, all: &mut Vec<Self>) {
        let is_same = |other: &&mut Self| (&other.name, &other.place) == (&self.name, &self.place);
        match all.iter_mut().find(is_same) {
            None => all.push(self),
            Some(other) => {
                other.services.extend(self.services);
                other.containers.extend(self.containers);
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectPlace {
    /// In a registry or a folder.
    Stored(ImagePlace),
    /// In the store of a builder, by this name or id.
    Held(held::Store, String),
    /// In the store of a builder by this name, else in a registry, if one may have it.
    Either(held::Store, String, Option<ImagePlace>),
    /// Nowhere, and why.
    Nowhere(String),
}

/// Returns the image that a name means.
///
/// # Errors
///
/// [`Kind::Invalid`] where the name is not valid, or only another program can read what it names.
pub fn subject(app: &App, name: &str) -> Result<Subject> {
    if ARCHIVES.iter().any(|archive| name.starts_with(archive)) {
        let cannot = format!("cannot read the archive `{}`", name.escape_debug());
        let hint = format!("unpack it: skopeo copy {name} oci:FOLDER");
        return Err(Error::invalid(cannot).hint(hint));
    }
    let place = match held::Store::of(name) {
        Some((_, "")) => {
            let cannot = format!("`{name}` names no image");
            return Err(Error::invalid(cannot).hint("as in: docker-daemon:web:1"));
        }
        Some((store, image)) => SubjectPlace::Held(store, image.to_owned()),
        None => SubjectPlace::Stored(source(app, name, None).context(Kind::Invalid, || {
            format!("cannot check `{}`", name.escape_debug())
        })?),
    };
    Ok(Subject::new(name.to_owned(), place))
}
