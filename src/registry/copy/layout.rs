//! A folder in the OCI image layout as an endpoint of a copy: for machines without a network.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::{
    fmt,
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{image::Digest, registry::transport::http_client::cap, sys::beneath};

use super::{
    problem::CopyError,
    tree::{self, Descriptor, RawDocument},
};

/// The file that marks a folder as an image layout.
const MARKER: &str = "oci-layout";

/// The most bytes of the file that marks a layout.
const MAX_MARKER: u64 = 64 * 1024;

/// The layout version that is read and written.
const VERSION: &str = "1.0.0";

/// The annotation with the name of an image.
const NAME: &str = "org.opencontainers.image.ref.name";

/// The largest index of a folder that is read, in bytes.
const MAX_INDEX: u64 = 16 * 1024 * 1024;

/// An image layout, and the selected image in it.
#[derive(Debug)]
pub struct ImageLayout {
    folder: PathBuf,
    name: Option<String>,
}

impl fmt::Display for ImageLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci:{}", self.folder.display())?;
        match &self.name {
            Some(name) => write!(f, ":{name}"),
            None => Ok(()),
        }
    }
}

/// A blob that is being written to a folder. It gets its name once all of it is verified.
#[derive(Debug)]
pub struct NewBlob {
    file: NamedTempFile,
    path: PathBuf,
}

impl NewBlob {
    /// Returns the file for its bytes.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Gives it its name in the folder.
    pub fn keep(self) -> Result<(), CopyError> {
        keep(self.file, &self.path).map_err(|error| CopyError::folder(self.path, error))
    }

    /// Returns why it could not be written.
    pub fn unwritten(&self, problem: String) -> CopyError {
        CopyError::folder(&self.path, problem)
    }
}

/// Tells whether a folder is marked as an image layout.
pub fn is_layout(folder: &Path) -> bool {
    folder.join(MARKER).is_file()
}

impl ImageLayout {
    /// Opens an existing folder.
    ///
    /// # Errors
    ///
    /// [`CopyError::Folder`] where it is no image layout.
    pub fn open(folder: &Path, name: Option<&str>) -> Result<Self, CopyError> {
        let layout = Self {
            folder: folder.to_owned(),
            name: name.map(str::to_owned),
        };
        let marker = layout.folder.join(MARKER);
        let text = match beneath::read(&marker, MAX_MARKER) {
            Ok(text) => text,
            Err(problem) if problem.is_absent() => {
                return Err(CopyError::folder(
                    folder,
                    "it is not an OCI image layout, which has a file `oci-layout`",
                ));
            }
            Err(problem) => return Err(CopyError::folder(marker, problem)),
        };
        let version = serde_json::from_slice::<Value>(&text);
        let version = version.map_err(|problem| CopyError::folder(&marker, problem))?;
        match version["imageLayoutVersion"].as_str() {
            Some(VERSION) => Ok(layout),
            _ => Err(CopyError::folder(
                marker,
                format!("its `imageLayoutVersion` is not `{VERSION}`"),
            )),
        }
    }

    /// Opens a folder, and makes it if it does not exist. A folder with other contents is not changed.
    ///
    /// # Errors
    ///
    /// [`CopyError::Folder`] where it cannot be made, or has other contents.
    pub fn make(folder: &Path) -> Result<Self, CopyError> {
        let cannot = |error: io::Error| CopyError::folder(folder, error);
        fs::create_dir_all(folder).map_err(cannot)?;
        let marker = folder.join(MARKER);
        if !marker.exists() {
            if fs::read_dir(folder).map_err(cannot)?.next().is_some() {
                return Err(CopyError::folder(
                    folder,
                    "it holds something else than an OCI image layout",
                ));
            }
            let version = json!({ "imageLayoutVersion": VERSION }).to_string();
            replace(&marker, version.as_bytes())?;
        }
        Self::open(folder, None)
    }

    /// Reads a document: the one of `which`, or the selected image.
    pub fn document(&self, which: Option<&Descriptor>) -> Result<RawDocument, CopyError> {
        let descriptor = match which {
            Some(descriptor) => descriptor.clone(),
            None => self.meant()?,
        };
        let path = self.blob_path(&descriptor.digest);
        let bytes = read(&path, cap::MANIFEST as u64)?;
        if !descriptor.digest.matches(&bytes) {
            return Err(CopyError::Corrupt {
                image: self.to_string(),
                digest: descriptor.digest,
                found: format!("has the content of `{}`", Digest::of(&bytes)),
            });
        }
        RawDocument::of(descriptor.digest, descriptor.media_type, bytes.into())
            .map_err(|defect| CopyError::defect(&path.display().to_string(), &defect))
    }

    /// Finds the selected image: by its name, by its digest, or because it is the only one.
    fn meant(&self) -> Result<Descriptor, CopyError> {
        let all = self.images()?;
        let named = |image: &&Descriptor| match &self.name {
            Some(name) => {
                image.annotations.get(NAME) == Some(name) || image.digest.as_str() == name
            }
            None => true,
        };
        let found: Vec<&Descriptor> = all.iter().filter(named).collect();
        match (found.as_slice(), &self.name) {
            ([only], _) | ([only, ..], Some(_)) => Ok((*only).clone()),
            _ => Err(CopyError::Unnamed {
                folder: self.folder.clone(),
                names: all
                    .iter()
                    .filter_map(|image| image.annotations.get(NAME).cloned())
                    .collect(),
                name: self.name.clone(),
            }),
        }
    }

    fn images(&self) -> Result<Vec<Descriptor>, CopyError> {
        let path = self.folder.join("index.json");
        let index = read(&path, MAX_INDEX)?;
        let mut index: Value =
            serde_json::from_slice(&index).map_err(|problem| CopyError::folder(&path, problem))?;
        let images = index["manifests"].take();
        serde_json::from_value(images).map_err(|problem| CopyError::folder(&path, problem))
    }

    /// Returns the digest of the image with a name, if there is one.
    pub fn digest_of(&self, name: &str) -> Result<Option<Digest>, CopyError> {
        if !self.folder.join("index.json").exists() {
            return Ok(None);
        }
        let images = self.images()?;
        let named = images
            .into_iter()
            .find(|image| image.annotations.get(NAME).is_some_and(|it| it == name));
        Ok(named.map(|image| image.digest))
    }

    /// Opens a blob from the byte `from` on.
    pub fn blob(&self, digest: &Digest, from: u64) -> Result<File, CopyError> {
        let path = self.blob_path(digest);
        let mut file = beneath::open(&path).map_err(|problem| CopyError::folder(&path, problem))?;
        file.seek(SeekFrom::Start(from))
            .map_err(|error| CopyError::folder(&path, error))?;
        Ok(file)
    }

    /// Returns the referrers of a document: the images in the index whose subject it is.
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, CopyError> {
        let mut found = Vec::new();
        for image in self.images()? {
            if self.document(Some(&image))?.subject.as_ref() == Some(digest) {
                found.push(image);
            }
        }
        Ok(found)
    }

    /// Tells whether a blob is there. A file gets its name only after its content is verified, so that a check of its size suffices.
    pub fn has_blob(&self, blob: &Descriptor) -> bool {
        fs::metadata(self.blob_path(&blob.digest))
            .is_ok_and(|file| file.is_file() && file.len() == blob.size)
    }

    pub fn begin(&self, digest: &Digest) -> Result<NewBlob, CopyError> {
        let path = self.blob_path(digest);
        let folder = path.parent().unwrap_or(&self.folder);
        let cannot = |error: io::Error| CopyError::folder(&path, error);
        fs::create_dir_all(folder).map_err(cannot)?;
        let file = tempfile::Builder::new()
            .prefix(".")
            .tempfile_in(folder)
            .map_err(cannot)?;
        Ok(NewBlob { file, path })
    }

    /// Writes a document, and names it if `name` is given.
    pub fn write(&self, document: &RawDocument, name: Option<&str>) -> Result<(), CopyError> {
        let path = self.blob_path(&document.digest);
        if !fs::metadata(&path).is_ok_and(|file| file.len() == document.bytes.len() as u64) {
            replace(&path, &document.bytes)?;
        }
        match name {
            Some(name) => self.list(document, Some(name)),
            None => Ok(()),
        }
    }

    /// Adds a document to the folder's index. Another image with the same name loses that name.
    pub fn list(&self, document: &RawDocument, name: Option<&str>) -> Result<(), CopyError> {
        let digest = document.digest.as_str();
        self.change_index(|images| {
            if name.is_none() && images.iter().any(|image| image["digest"] == digest) {
                return false;
            }
            // An entry without a name only makes the image findable; one with a name does that too.
            images.retain(|image| match image["annotations"][NAME].as_str() {
                None => image["digest"] != digest,
                Some(old) => Some(old) != name,
            });
            let mut entry = document.entry();
            if let Some(name) = name {
                entry["annotations"] = json!({ NAME: name });
            }
            images.push(entry);
            true
        })
    }

    /// Removes a name from the folder's index. The image stays in the folder.
    pub fn unlist(&self, name: &str) -> Result<(), CopyError> {
        self.change_index(|images| {
            let before = images.len();
            images.retain(|image| image["annotations"][NAME] != name);
            images.len() != before
        })
    }

    /// Changes the images in the folder's index; `change` returns whether it has changed any.
    fn change_index(&self, change: impl FnOnce(&mut Vec<Value>) -> bool) -> Result<(), CopyError> {
        let cannot = |error: io::Error| CopyError::folder(&self.folder, error);
        // Two copies into one folder must not lose each other's entries.
        let lock = File::open(self.folder.join(MARKER)).map_err(cannot)?;
        lock.lock().map_err(cannot)?;
        let path = self.folder.join("index.json");
        let mut index = if fs::exists(&path).map_err(cannot)? {
            serde_json::from_slice(&read(&path, MAX_INDEX)?)
                .map_err(|problem| CopyError::folder(&path, problem))?
        } else {
            tree::empty_index()
        };
        let Some(images) = index["manifests"].as_array_mut() else {
            return Err(CopyError::folder(path, "it has no `manifests`"));
        };
        match change(images) {
            true => replace(&path, index.to_string().as_bytes()),
            false => Ok(()),
        }
    }

    /// Returns the file of a blob. A digest is validated when it is parsed, so that it cannot lead out of the folder.
    fn blob_path(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = digest.as_str().split_once(':').unwrap_or(("sha256", ""));
        self.folder.join("blobs").join(algorithm).join(hex)
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, CopyError> {
    beneath::read(path, most).map_err(|problem| CopyError::folder(path, problem))
}

fn replace(path: &Path, content: &[u8]) -> Result<(), CopyError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
        file.write_all(content)?;
        keep(file, path)
    };
    write().map_err(|error: io::Error| CopyError::folder(path, error))
}

/// Renames a file once all of it is on the disk. Other users may read it: it is an image, made to be passed on.
fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn layout_with_a_pipe_or_a_device_in_place_of_a_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let pipe = |name: &str| {
            rustix::fs::mkfifoat(rustix::fs::CWD, path(name), rustix::fs::Mode::RWXU).unwrap();
        };
        let layout = ImageLayout::make(folder.path()).unwrap();
        pipe("index.json");
        let digest = Digest::of(b"x");
        fs::create_dir_all(path("blobs/sha256")).unwrap();
        pipe(&format!("blobs/sha256/{}", digest.hex()));
        let blob = layout.blob(&digest, 0).map(drop);
        for refused in [layout.document(None).map(drop), blob] {
            let problem = format!("{:?}", refused.unwrap_err());
            assert!(problem.contains("it is not a regular file"), "{problem}");
        }
        fs::remove_file(path(MARKER)).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path(MARKER)).unwrap();
        let problem = format!("{:?}", ImageLayout::open(folder.path(), None).unwrap_err());
        assert!(problem.contains("it is not a regular file"), "{problem}");
    }

    fn document(text: &str) -> RawDocument {
        let body = format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{{"a":"{text}"}}}}"#
        );
        RawDocument::parse(&HeaderMap::new(), body.into()).unwrap()
    }

    fn layout() -> (tempfile::TempDir, ImageLayout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = ImageLayout::make(&folder.path().join("new")).unwrap();
        (folder, layout)
    }

    fn named(layout: &ImageLayout, name: Option<&str>) -> Result<RawDocument, CopyError> {
        ImageLayout::open(&layout.folder, name)
            .unwrap()
            .document(None)
    }

    #[test]
    fn layout_image_is_found_by_name_by_digest_or_as_the_only_one() {
        let (_folder, layout) = layout();
        let (one, two) = (document("one"), document("two"));
        layout.write(&one, Some("1")).unwrap();
        assert_eq!(named(&layout, None).unwrap(), one);
        layout.write(&two, Some("2")).unwrap();
        assert_eq!(named(&layout, Some("2")).unwrap(), two);
        assert_eq!(named(&layout, Some(one.digest.as_str())).unwrap(), one);
        let error = crate::Error::from(named(&layout, None).unwrap_err());
        assert_eq!(error.advice(), Some("it has: 1, 2"));
    }

    #[test]
    fn layout_name_that_moves_leaves_no_entry_of_the_old_image() {
        let (_folder, layout) = layout();
        layout.write(&document("one"), Some("1")).unwrap();
        layout.write(&document("two"), Some("1")).unwrap();
        assert_eq!(layout.images().unwrap().len(), 1);
        assert_eq!(layout.digest_of("1").unwrap(), Some(document("two").digest));
        assert_eq!(layout.digest_of("2").unwrap(), None);
    }

    #[test]
    fn unnamed_layout_image_is_listed_once_and_replaced_by_a_named_entry() {
        let (_folder, layout) = layout();
        let one = document("one");
        layout.write(&one, None).unwrap();
        layout.list(&one, None).unwrap();
        layout.list(&one, None).unwrap();
        assert_eq!(layout.images().unwrap().len(), 1);
        layout.write(&one, Some("1")).unwrap();
        assert_eq!(layout.images().unwrap().len(), 1);
    }

    #[test]
    fn folder_with_other_files_is_refused_as_a_layout() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "x").unwrap();
        let error = crate::Error::from(ImageLayout::make(folder.path()).unwrap_err());
        assert!(
            error
                .one_line()
                .ends_with("it holds something else than an OCI image layout")
        );
        let error = crate::Error::from(ImageLayout::open(folder.path(), None).unwrap_err());
        assert!(error.one_line().contains("it is not an OCI image layout"));
    }

    #[test]
    fn damaged_layout_manifest_is_refused() {
        let (_folder, layout) = layout();
        let one = document("one");
        layout.write(&one, Some("1")).unwrap();
        fs::write(layout.blob_path(&one.digest), "{}").unwrap();
        assert!(matches!(
            named(&layout, Some("1")),
            Err(CopyError::Corrupt { .. })
        ));
    }
}
