//! `acrt manifest …`

mod delete;
mod list_metadata;
mod show;
mod show_metadata;

use crate::support::{Image, Registry};

/// A registry with `web:1`, an index for two platforms, and `web:2`, one image.
fn registry() -> Registry {
    let registry = Registry::start();
    let image = |text: &str, platform: &str| {
        Image::of(&[("a", text)])
            .created("2026-06-01T00:00:00Z")
            .platform(platform)
    };
    let both = [image("1", "linux/amd64"), image("2", "linux/arm64")];
    registry.push_index("web:1", &both);
    registry.push_image(
        "web:2",
        &image("3", "linux/amd64").created("2026-06-02T00:00:00Z"),
    );
    registry
}
