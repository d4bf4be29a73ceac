//! `acrt repository …`

mod delete;
mod list;
mod show;
mod show_manifests;
mod show_tags;
mod untag;

use crate::support::{Image, Output, Registry, World};

/// A registry with `web:1` of June 1st, `web:2` of June 2nd and `other:1`.
fn registry() -> Registry {
    let registry = Registry::start();
    for (name, day) in [("web:2", 1), ("web:1", 2), ("other:1", 3)] {
        let image = Image::of(&[("name", name)]).created(&format!("2026-06-0{day}T00:00:00Z"));
        registry.push_image(name, &image);
    }
    registry
}

fn repository(world: &World, registry: &Registry, words: &[&str]) -> Output {
    let host = registry.host();
    let (verb, options) = words.split_first().unwrap();
    world.acrt(&[&["repository", verb, "-n", &host], options].concat())
}
