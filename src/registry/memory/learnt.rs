//! What is learnt of registries and is independent of the login: documents by digest, limits, and whether HEAD is reliable. Tokens, and
//! what a login may do, are not kept here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{registry::transport::limits::RequestLimits, sys::config::RegistrySettings};

use super::{cache::Cache, head_trust::HeadTrust};

#[derive(Debug, Default)]
pub struct Memory {
    pub cache: Arc<Cache>,
    hosts: Mutex<HashMap<String, HostMemory>>,
}

#[derive(Clone, Debug)]
pub struct HostMemory {
    /// The limits of requests to it.
    pub limits: Arc<RequestLimits>,
    /// Whether its HEAD responses are reliable.
    pub heads: Arc<HeadTrust>,
    settings: RegistrySettings,
}

impl Memory {
    /// Returns what is known of a registry with these settings. If the settings have changed, the pauses that the registry asked for still
    /// hold, but those for failures do not: the settings may have been changed because of them.
    pub fn of(&self, registry: &str, settings: &RegistrySettings) -> HostMemory {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.get(registry);
        if let Some(known) = known.filter(|known| known.settings == *settings) {
            return known.clone();
        }
        let limits = RequestLimits::new(registry, settings);
        if let Some(known) = known {
            limits.go_on_from(&known.limits);
        }
        let memory = HostMemory {
            limits: Arc::new(limits),
            heads: known.map_or_else(Arc::default, |known| Arc::clone(&known.heads)),
            settings: settings.clone(),
        };
        hosts.insert(registry.to_owned(), memory.clone());
        memory
    }
}
