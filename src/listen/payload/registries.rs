//! Events of registries: which tag was pushed.

use serde_json::Value;

use crate::listen::hint::Hint;

use super::fields::{image, text};

/// Reads an event of Docker Distribution, or of a registry with the same format: Azure Container Registry and GitLab's registry.
///
/// <https://distribution.github.io/distribution/about/notifications/#events>,
/// <https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference>
pub fn distribution(event: &Value, registry: Option<&str>) -> Option<Hint> {
    // Every HEAD and GET of a manifest is an event too, even acrt's own: looking because of those would never end.
    if text(event, "/action") != Some("push") {
        return None;
    }
    // The name of the registry that the pusher used.
    let host = registry.or_else(|| text(event, "/request/host"))?;
    let repository = text(event, "/target/repository")?;
    // Layers, and the manifests of single platforms, have no tag.
    let tag = text(event, "/target/tag")?;
    image(host, repository, tag, text(event, "/target/digest"))
}

/// Reads a push to Docker Hub.
///
/// <https://docs.docker.com/docker-hub/repos/manage/webhooks/>
pub fn docker_hub(body: &Value, registry: Option<&str>) -> Option<Hint> {
    let repository = text(body, "/repository/repo_name")?;
    let tag = text(body, "/push_data/tag")?;
    image(registry.unwrap_or("docker.io"), repository, tag, None)
}

/// Reads a push to Harbor, in its default format.
///
/// <https://goharbor.io/docs/edge/working-with-projects/project-configuration/configure-webhooks/>
pub fn harbor(body: &Value, registry: Option<&str>) -> Vec<Hint> {
    // Versions before 2.0 called it `pushImage`.
    let is_push = matches!(text(body, "/type"), Some("PUSH_ARTIFACT" | "pushImage"));
    let data = body.get("event_data").filter(|_| is_push);
    data.map(|data| harbor_resources(data, registry))
        .unwrap_or_default()
}

/// Reads the resources of a Harbor event, which are the same in both of its formats.
pub fn harbor_resources(data: &Value, registry: Option<&str>) -> Vec<Hint> {
    let Some(repository) = text(data, "/repository/repo_full_name") else {
        return Vec::new();
    };
    let resources = data.get("resources").and_then(Value::as_array);
    let hint = |resource: &Value| {
        let host = text(resource, "/resource_url").and_then(|url| url.split('/').next());
        let (tag, digest) = (text(resource, "/tag")?, text(resource, "/digest"));
        image(registry.or(host)?, repository, tag, digest)
    };
    resources.into_iter().flatten().filter_map(hint).collect()
}

/// Reads a push to Quay.
///
/// <https://docs.projectquay.io/use_quay.html#repository-events>
pub fn quay(body: &Value, registry: Option<&str>) -> Vec<Hint> {
    let Some((host, repository)) = text(body, "/docker_url").and_then(|url| url.split_once('/'))
    else {
        return Vec::new();
    };
    let tags: Vec<&str> = match body.get("updated_tags") {
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
        // Its first versions also sent the image id of each tag.
        Some(Value::Object(tags)) => tags.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let host = registry.unwrap_or(host);
    tags.into_iter()
        .filter_map(|tag| image(host, repository, tag, None))
        .collect()
}

/// Reads a push to GitHub's container registry: `package` or `registry_package`.
///
/// <https://docs.github.com/webhooks/webhook-events-and-payloads#registry_package>
pub fn github_package(body: &Value, registry: Option<&str>) -> Option<Hint> {
    if !matches!(text(body, "/action"), Some("published" | "updated")) {
        return None;
    }
    let package = body
        .get("registry_package")
        .or_else(|| body.get("package"))?;
    let metadata = package.pointer("/package_version/container_metadata")?;
    let tag = text(metadata, "/tag/name")?;
    // `ghcr.io/owner/name:tag`; its parts are sent too, but not in the same form for all owners.
    let url = text(package, "/package_version/package_url")?;
    let (host, name) = url.split_once('/')?;
    let repository = name.split(':').next()?;
    let digest = text(metadata, "/tag/digest");
    image(registry.unwrap_or(host), repository, tag, digest)
}
