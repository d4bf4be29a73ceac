//! Images made of a few files, for upload to a registry.

use sha2::{Digest as _, Sha256};

/// The description of an image. The same description always gives the same digests.
#[derive(Clone, Default)]
pub struct Image {
    files: Vec<(String, Vec<u8>, u32)>,
    links: Vec<(String, String)>,
    labels: serde_json::Map<String, serde_json::Value>,
    on_build: Vec<String>,
    command: Vec<String>,
    platform: Option<(String, String)>,
    created: Option<String>,
    annotations: serde_json::Map<String, serde_json::Value>,
}

/// A document or a layer, ready to be uploaded.
pub struct Blob {
    pub media_type: &'static str,
    pub digest: String,
    pub bytes: Vec<u8>,
}

/// The parts of an image, in upload order.
pub struct Parts {
    pub layer: Blob,
    pub config: Blob,
    pub manifest: Blob,
    pub os: String,
    pub architecture: String,
    annotations: serde_json::Map<String, serde_json::Value>,
}

impl Image {
    /// An image of these files, for the machine's own platform.
    pub fn of(files: &[(&str, &str)]) -> Self {
        files.iter().fold(Self::default(), |image, (path, text)| {
            image.file(path, text)
        })
    }

    /// Adds a file. Two images that differ in one byte of it have different digests.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.into(), 0o644));
        self
    }

    /// Adds a shell and the usual small programs, so that `RUN` works in what is built on it.
    pub fn shell(mut self) -> Self {
        let busybox = std::fs::read(super::program("busybox")).unwrap();
        self.files.push(("bin/busybox".to_owned(), busybox, 0o755));
        self.links.push(("bin/sh".to_owned(), "busybox".to_owned()));
        self
    }

    /// Sets the default command.
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Sets the creation time.
    pub fn created(mut self, time: &str) -> Self {
        self.created = Some(time.to_owned());
        self
    }

    /// Sets a label.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.into());
        self
    }

    /// Adds an `ONBUILD` instruction.
    pub fn on_build(mut self, instruction: &str) -> Self {
        self.on_build.push(instruction.to_owned());
        self
    }

    /// Sets another platform, such as `linux/arm64`.
    pub fn platform(mut self, platform: &str) -> Self {
        let (os, architecture) = platform.split_once('/').unwrap();
        self.platform = Some((os.to_owned(), architecture.to_owned()));
        self
    }

    /// Makes it an attestation of BuildKit about the image `subject`. `text` varies its content.
    pub fn attestation(subject: &str, text: &str) -> Self {
        let mut image = Self::of(&[("provenance.json", text)]).platform("unknown/unknown");
        let reference = [
            ("vnd.docker.reference.type", "attestation-manifest"),
            ("vnd.docker.reference.digest", subject),
        ];
        for (name, value) in reference {
            image.annotations.insert(name.to_owned(), value.into());
        }
        image
    }

    /// Returns the image's layer, config and manifest.
    pub fn parts(&self) -> Parts {
        let (os, architecture) = self.platform.clone().unwrap_or_else(own_platform);
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar", self.archive());
        let mut config = serde_json::json!({
            "os": os,
            "architecture": architecture,
            "config": { "Env": ["PATH=/bin"], "Labels": self.labels, "OnBuild": self.on_build },
            // podman refuses an image whose history has fewer entries than layers.
            "history": [{ "created_by": "acrt tests" }],
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        });
        if !self.command.is_empty() {
            config["config"]["Cmd"] = self.command.clone().into();
        }
        if let Some(created) = &self.created {
            config["created"] = created.as_str().into();
        }
        let config = Blob::json("application/vnd.oci.image.config.v1+json", &config);
        let manifest = Blob::json(
            "application/vnd.oci.image.manifest.v1+json",
            &serde_json::json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
            }),
        );
        Parts {
            layer,
            config,
            manifest,
            os,
            architecture,
            annotations: self.annotations.clone(),
        }
    }

    /// Returns the config and the manifest of an image of these layers, which may hold any bytes: such an image can be copied, but not
    /// unpacked.
    pub fn of_layers(layers: &[Blob]) -> (Blob, Blob) {
        let config = Blob::json(
            "application/vnd.oci.image.config.v1+json",
            &serde_json::json!({"os": "linux", "architecture": "amd64", "layers": layers.len()}),
        );
        let descriptors: Vec<_> = layers.iter().map(Blob::descriptor).collect();
        let manifest = Blob::json(
            "application/vnd.oci.image.manifest.v1+json",
            &serde_json::json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": config.descriptor(),
                "layers": descriptors,
            }),
        );
        (config, manifest)
    }

    fn archive(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, bytes, mode) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(*mode);
            archive
                .append_data(&mut header, path, bytes.as_slice())
                .unwrap();
        }
        for (path, target) in &self.links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, path, target).unwrap();
        }
        archive.into_inner().unwrap()
    }
}

impl Parts {
    /// Returns an index over the images `parts`.
    pub fn index(parts: &[Self]) -> Blob {
        let manifests: Vec<_> = parts
            .iter()
            .map(|part| {
                let mut descriptor = part.manifest.descriptor();
                descriptor["platform"] =
                    serde_json::json!({ "os": part.os, "architecture": part.architecture });
                if !part.annotations.is_empty() {
                    descriptor["annotations"] = part.annotations.clone().into();
                }
                descriptor
            })
            .collect();
        Blob::json(
            "application/vnd.oci.image.index.v1+json",
            &serde_json::json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": manifests,
            }),
        )
    }
}

impl Blob {
    pub fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            media_type,
            digest: format!("sha256:{hex}"),
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &serde_json::Value) -> Self {
        Self::new(media_type, serde_json::to_vec(value).unwrap())
    }

    fn descriptor(&self) -> serde_json::Value {
        serde_json::json!({
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.bytes.len(),
        })
    }
}

/// Returns the machine's platform, as in image configs.
pub fn own_platform() -> (String, String) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ("linux".to_owned(), architecture.to_owned())
}
