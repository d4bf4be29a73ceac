//! The base that is assumed for images that name none: an image, or what the last stage of a Dockerfile begins with.

use std::path::PathBuf;

use crate::{
    dockerfile::{BaseKind, Build, Dockerfile},
    error::{Context as _, Kind, Result},
    image::{Platform, Reference},
    lineage::Base,
    source::local::MAX_FILE,
    sys::beneath,
};

/// The base that is assumed for images that name none.
#[derive(Clone, Debug, Default)]
pub enum AssumedBase {
    #[default]
    Unknown,
    Image(Reference),
    /// The image that the last stage of this Dockerfile begins with.
    Dockerfile(PathBuf),
}

/// As [`AssumedBase`], with the Dockerfile read.
pub enum Assumed {
    Unknown,
    Image(Reference),
    Dockerfile(Box<Dockerfile>),
}

impl Assumed {
    /// Reads the Dockerfile, if there is one.
    ///
    /// # Errors
    ///
    /// [`Kind::Invalid`] where it cannot be read.
    pub fn read(assumed: &AssumedBase) -> Result<Self> {
        Ok(match assumed {
            AssumedBase::Unknown => Self::Unknown,
            AssumedBase::Image(image) => Self::Image(image.clone()),
            AssumedBase::Dockerfile(path) => {
                let cannot = || format!("cannot tell what `{}` depends on", path.display());
                let bytes = beneath::read(path, MAX_FILE).context(Kind::Invalid, cannot)?;
                let file = Dockerfile::parse(&bytes).context(Kind::Invalid, cannot)?;
                file.bases(&Build::on_host(&[]))
                    .context(Kind::Invalid, cannot)?;
                Self::Dockerfile(Box::new(file))
            }
        })
    }

    /// Returns the base for a platform: `None` where it is not known, `Some(None)` for an image from `scratch`.
    pub fn base(&self, platform: Option<&Platform>) -> Option<Option<Reference>> {
        match self {
            Self::Unknown => None,
            Self::Image(image) => Some(Some(image.clone())),
            Self::Dockerfile(file) => {
                let platform = platform.cloned().unwrap_or_else(Platform::host);
                let bases = file.bases(&Build::on_host(&[platform])).ok()?;
                let base = bases
                    .into_iter()
                    .find(|base| base.kind == BaseKind::Runtime);
                Some(base.map(|base| base.reference))
            }
        }
    }

    /// Returns the tag to compare with for a base that is named without one.
    pub fn tag_of(&self, base: &Base, platform: Option<&Platform>) -> Option<Reference> {
        let tag = self.base(platform)??.without_digest()?;
        let is_same = |image: &Reference| image.name() == tag.name();
        base.image.as_ref().is_none_or(is_same).then_some(tag)
    }
}
