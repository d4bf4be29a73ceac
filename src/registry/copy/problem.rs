//! Errors of copying an image.

use std::path::PathBuf;

use crate::{
    error::{Error, Kind},
    image::{Digest, Platform},
    registry::{LookupError, documents::head::Defect},
};

/// Why an image was not copied. No tag was changed, except those of [`CopyError::TagsLeft`].
#[derive(Clone, Debug)]
pub enum CopyError {
    /// It could not be read.
    Read(LookupError),
    /// It could not be written.
    Write { place: String, why: LookupError },
    /// Bytes that do not match their digest.
    Corrupt {
        image: String,
        /// The document or blob.
        digest: Digest,
        /// What is wrong with it.
        found: String,
    },
    /// Its documents have a form that cannot be copied.
    Malformed { image: String, problem: String },
    /// A tag stands for another image, and was not to be moved.
    Exists {
        /// The image with that tag.
        image: String,
        /// Its present digest.
        there: Digest,
        /// The digest that it would have got.
        new: Digest,
    },
    /// A tag could not be written, and other tags that had been written by then could not be put back.
    TagsLeft {
        /// The images with these tags.
        images: Vec<String>,
        why: Box<CopyError>,
    },
    /// It lacks a platform that was asked for.
    Platform { image: String, platform: Platform },
    /// A folder could not be read or written.
    Folder { path: PathBuf, problem: String },
    /// A folder has no image of this name.
    Unnamed {
        folder: PathBuf,
        names: Vec<String>,
        /// The name that was asked for; `None`, if one was needed.
        name: Option<String>,
    },
}

impl CopyError {
    /// Returns that a document of the image has a form that cannot be copied.
    pub(super) fn malformed(image: &str, digest: &Digest, problem: &str) -> Self {
        Self::Malformed {
            image: image.to_owned(),
            problem: format!("`{digest}`: {problem}"),
        }
    }

    pub(super) fn defect(image: &str, defect: &Defect) -> Self {
        Self::Malformed {
            image: image.to_owned(),
            problem: defect.to_string(),
        }
    }

    /// Returns the same error with the tags that were written and could not be put back.
    pub(super) fn with_tags_left(self, images: Vec<String>) -> Self {
        match images.as_slice() {
            [] => self,
            _ => Self::TagsLeft {
                images,
                why: Box::new(self),
            },
        }
    }

    /// Returns why a file or folder could not be used.
    pub(super) fn folder(path: impl Into<PathBuf>, problem: impl ToString) -> Self {
        Self::Folder {
            path: path.into(),
            problem: problem.to_string(),
        }
    }

    /// Tells whether the source says that the image does not exist.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Read(error) => error.is_absent(),
            Self::Unnamed { .. } | Self::Platform { .. } => true,
            _ => false,
        }
    }

    /// Tells whether another try soon may help: something broke off, and was not refused.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Read(error) | Self::Write { why: error, .. } => error.is_unreachable(),
            _ => false,
        }
    }
}

/// Returns the error of a copy that left these tags changed, if any.
pub fn tags_left(images: &[String], why: Error) -> Error {
    if images.is_empty() {
        return why;
    }
    let images = images.join("`, `");
    let text = format!("not all tags were written, and these could not be put back: `{images}`");
    Error::new(why.kind(), text)
        .hint("copy again when the cause is removed: what is there already is not sent again")
        .because(why)
}

impl From<CopyError> for Error {
    fn from(error: CopyError) -> Self {
        let (message, hint) = match error {
            CopyError::Read(error) if error.is_absent() => {
                let failed = Self::from(error);
                return Self::new(Kind::Failed, "the source is not there").because(failed);
            }
            CopyError::Read(error) => return error.into(),
            CopyError::Write { place, why } => return why.of_writing(&place),
            CopyError::Corrupt {
                image,
                digest,
                found,
            } => (
                format!("the data received of `{image}` is damaged: `{digest}` {found}"),
                "nothing was tagged; try again, and if it stays so, push the source anew".into(),
            ),
            CopyError::Malformed { image, problem } => (
                format!("cannot copy `{image}`, which is malformed: {problem}"),
                "push the image again with any current builder".into(),
            ),
            CopyError::Exists { image, there, new } => (
                format!("`{image}` exists and is another image: `{there}`, not `{new}`"),
                "to move the tag: --force".into(),
            ),
            CopyError::TagsLeft { images, why } => return tags_left(&images, Self::from(*why)),
            CopyError::Platform { image, platform } => (
                format!("`{image}` does not exist for the platform `{platform}`"),
                "leave out --platform to copy all platforms that it has".into(),
            ),
            CopyError::Folder { path, problem } => (
                format!("cannot use `{}`: {problem}", path.display()),
                "a folder of the OCI image layout is made by acrt import, skopeo or buildah".into(),
            ),
            CopyError::Unnamed {
                folder,
                names,
                name,
            } => {
                let folder = folder.display();
                let message = match name {
                    Some(name) => format!("`{folder}` has no image with the name `{name}`"),
                    None => format!("`{folder}` has several images, and no name was given"),
                };
                let hint = match names.as_slice() {
                    [] => "its images have no names".to_owned(),
                    names => format!("it has: {}", names.join(", ")),
                };
                (message, hint)
            }
        };
        Self::new(Kind::Failed, message).hint(hint)
    }
}
