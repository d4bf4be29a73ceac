//! The networks, volumes and secrets that a task file declares.

use std::collections::{BTreeMap, HashSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::secret::MaskedText;

use super::{
    keys::{entries, items, switch, text},
    problem::{FileWarnings, InvalidTaskFile},
    yaml::YamlNode,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub name: String,
    pub path: String,
}

/// The network of the steps in a file that declares no networks.
pub const DEFAULT_NETWORK: &str = "acb_default_network";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    pub name: String,
    /// The network's driver; `None` for the builder's default.
    pub driver: Option<String>,
    pub ipv6: bool,
    /// Whether the network exists already, under this name.
    pub is_external: bool,
}

/// A volume of a file: small files for containers.
#[derive(Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    /// The content of its files, by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for Volume {
    /// Shows the file names only; the content is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Volume")
            .field("name", &self.name)
            .field("files", &self.files.keys())
            .finish()
    }
}

/// A secret that a task file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSource {
    /// The secret's name in templates.
    pub id: String,
    /// The source in the file: `env:NAME`, `file:PATH`, or the URL of a key vault.
    pub place: Option<String>,
    /// The line, counted from 1.
    pub line: Option<usize>,
}

/// Reads the secrets that a file asks for.
pub(super) fn secrets(
    root: &YamlNode<'_>,
    notices: &mut FileWarnings,
) -> Result<Vec<SecretSource>, InvalidTaskFile> {
    let mut secrets: Vec<SecretSource> = Vec::new();
    let mut seen = HashSet::new();
    for node in items(root, "secrets")? {
        node.unknown_keys("id keyvault clientID", notices)?;
        let id = text(&node, "id")?.ok_or_else(|| node.problem("a secret has no `id`"))?;
        if id.contains(char::is_whitespace) {
            return Err(node.problem(format!(
                "the id `{id}` of a secret must not contain white space"
            )));
        }
        if !seen.insert(id.clone()) {
            return Err(node.problem(format!("there are two secrets `{id}`")));
        }
        secrets.push(SecretSource {
            place: text(&node, "keyvault")?,
            line: node.line(),
            id,
        });
    }
    Ok(secrets)
}

/// Reads the networks of a file, and the default network of steps that name none.
pub(super) fn networks(
    root: &YamlNode<'_>,
    notices: &mut FileWarnings,
) -> Result<(Vec<Network>, Option<String>), InvalidTaskFile> {
    let nodes = items(root, "networks")?;
    if nodes.is_empty() {
        let network = Network {
            name: DEFAULT_NETWORK.into(),
            driver: None,
            ipv6: false,
            is_external: false,
        };
        return Ok((vec![network], Some(DEFAULT_NETWORK.into())));
    }
    let mut networks: Vec<Network> = Vec::new();
    let mut seen = HashSet::new();
    let mut default = None;
    for node in nodes {
        node.unknown_keys("name driver ipv6 skipCreation isDefault", notices)?;
        let name = text(&node, "name")?.ok_or_else(|| node.problem("a network has no `name`"))?;
        if !seen.insert(name.clone()) {
            return Err(node.problem(format!("there are two networks `{name}`")));
        }
        if switch(&node, "isDefault")? {
            default = Some(name.clone());
        }
        networks.push(Network {
            driver: text(&node, "driver")?,
            ipv6: switch(&node, "ipv6")?,
            is_external: switch(&node, "skipCreation")?,
            name,
        });
    }
    Ok((networks, default))
}

/// Reads the volumes of a file with the content of their files.
pub(super) fn volumes(
    root: &YamlNode<'_>,
    notices: &mut FileWarnings,
) -> Result<Vec<Volume>, InvalidTaskFile> {
    let is_name = |name: &str, more: &str| {
        !name.is_empty()
            && name != "."
            && name != ".."
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let mut volumes: Vec<Volume> = Vec::new();
    let mut seen = HashSet::new();
    for node in items(root, "volumes")? {
        node.unknown_keys("name secret", notices)?;
        let name = text(&node, "name")?.unwrap_or_default();
        if !is_name(&name, "-_") {
            return Err(node.problem(format!(
                "the name `{name}` of a volume must be made of letters, digits, `-` and `_`"
            )));
        }
        if !seen.insert(name.clone()) {
            return Err(node.problem(format!("there are two volumes `{name}`")));
        }
        let entries = entries(&node, "secret")?;
        if entries.is_empty() {
            return Err(node.problem(format!("volume `{name}` has no files under `secret`")));
        }
        let mut files = BTreeMap::new();
        for (file, node) in entries {
            if !is_name(file, "-_.") {
                return Err(node.problem(format!(
                    "the file name `{file}` of a volume must be made of letters, digits, `-`, `_` and `.`"
                )));
            }
            let encoded = node.text()?.map_or("", MaskedText::reveal);
            let encoded: String = encoded.split_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| {
                node.problem(format!(
                    "the file `{file}` of volume `{name}` must be base64"
                ))
            })?;
            files.insert(file.to_owned(), bytes);
        }
        volumes.push(Volume { name, files });
    }
    Ok(volumes)
}
