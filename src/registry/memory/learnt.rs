//! What is learnt of registries and holds whatever login they are asked with: what they answered by digest, how hard they
//! may be asked, and whether their HEADs are of use. Tokens, and what a login may do, are not in here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{registry::transport::limits::RequestLimits, sys::settings::RegistrySettings};

use super::{cache::Cache, head_trust::HeadTrust};

#[derive(Debug, Default)]
pub struct Memory {
    pub cache: Arc<Cache>,
    hosts: Mutex<HashMap<String, HostMemory>>,
}

#[derive(Clone, Debug)]
pub struct HostMemory {
    /// How hard it is asked.
    pub limits: Arc<RequestLimits>,
    /// Whether its HEADs are of use.
    pub heads: Arc<HeadTrust>,
    settings: RegistrySettings,
}

impl Memory {
    /// Returns what is known of a registry with these settings. Where they have changed, what it asked for still holds, and
    /// what went wrong without it does not: that may be why they were changed.
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

    /// Returns the limits of all registries that are known.
    pub fn limits(&self) -> Vec<Arc<RequestLimits>> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .values()
            .map(|host| Arc::clone(&host.limits))
            .collect()
    }
}
