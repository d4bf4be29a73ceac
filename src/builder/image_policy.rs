//! The policy for a build by podman or buildah, as in containers-policy.json(5): they pull what acrt has resolved and nothing else, however
//! they read the Dockerfile.

use std::{iter::successors, path::PathBuf};

use serde_json::{Map, Value, json};

use crate::{image::Reference, sys::settings::Settings};

use super::{BuildRequest, Builder, buildah::POLICY, program::option_values};

/// The options that name further images of a build.
const NAMING: [&str; 3] = ["--build-context", "--cache-from", "--from"];

/// The transport of images in the builder's own store.
const STORE: &str = "containers-storage";

impl Builder {
    /// Returns the files that may have the user's own policy for builds, in order of precedence; none for a builder without policies.
    pub fn policy_files(&self, settings: &Settings) -> Vec<PathBuf> {
        let Some(program) = self.podman_or_buildah() else {
            return Vec::new();
        };
        if let Some(named) = option_values(POLICY, &program.build_args).last() {
            return vec![named.into()];
        }
        let home = settings.home.iter();
        home.map(|home| home.join(".config"))
            .chain([PathBuf::from("/etc")])
            .map(|folder| folder.join("containers/policy.json"))
            .collect()
    }

    /// Returns the user's own policy, restricted to the images of a build: no other image, and no file of this machine as an image.
    pub fn restricted(&self, own: &Value, request: &BuildRequest) -> Value {
        let mut scopes = Map::new();
        let unpinned = request.unpinned.iter();
        let unpinned = unpinned.flat_map(|one| [one.image.clone(), one.pinned()]);
        for image in request.bases.keys().cloned().chain(unpinned) {
            let scope = match image.digest() {
                Some(digest) => format!("{}@{digest}", image.name()),
                None => image.to_string(),
            };
            let requirements = requirements(own, &scope, &image);
            scopes.insert(scope, requirements);
        }
        let own_args = self.podman_or_buildah().map(|program| &program.build_args);
        for args in own_args.into_iter().chain([&request.options]) {
            for value in NAMING.iter().flat_map(|it| option_values(it, args)) {
                let name = value.rsplit("docker-image://").next();
                if let Some(Ok(image)) = name.map(str::parse::<Reference>) {
                    let requirements = requirements(own, &image.name(), &image);
                    scopes.insert(image.name(), requirements);
                }
            }
        }
        // podman copies an image out of its own store where all of its layers are cached.
        let stored = &own["transports"][STORE][""];
        let stored = [stored, &own["default"]]
            .into_iter()
            .find(|it| !it.is_null());
        let stored = stored.cloned().unwrap_or_else(rejection);
        json!({
            "default": rejection(),
            "transports": {"docker": scopes, STORE: {"": stored}},
        })
    }
}

fn rejection() -> Value {
    json!([{"type": "reject"}])
}

/// Returns what a policy requires of an image: what it says of the image itself, else of its repository, of what that is in, of its host and
/// the domains above, of all registries, else by default.
fn requirements(policy: &Value, scope: &str, image: &Reference) -> Value {
    let docker = &policy["transports"]["docker"];
    let name = image.name();
    let repositories = successors(Some(name.as_str()), |it| Some(it.rsplit_once('/')?.0));
    let host = image.registry().split(':').next().unwrap_or_default();
    let domains = successors(host.split_once('.'), |(_, domain)| domain.split_once('.'));
    let scopes = std::iter::once(scope.to_owned())
        .chain(repositories.map(str::to_owned))
        .chain(domains.map(|(_, domain)| format!("*.{domain}")))
        .chain([String::new()]);
    let mut own = scopes.filter_map(|scope| docker.get(scope));
    let own = own.next().or_else(|| policy.get("default"));
    own.cloned().unwrap_or_else(rejection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Program, request::tests::full};

    fn buildah(args: &[&str]) -> Builder {
        Builder::Buildah(Program {
            path: "buildah".into(),
            global_args: vec![],
            build_args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        })
    }

    #[test]
    fn policy_accepts_only_the_images_of_the_build() {
        let accept = json!([{"type": "insecureAcceptAnything"}]);
        let mut request = full();
        request.options = vec!["--cache-from=r.io/cache".into()];
        let own = json!({"default": accept, "transports": {"oci": {"": accept}}});
        let base = format!("localhost:5000/base@sha256:{}", "a".repeat(64));
        let args = ["--from", "ghcr.io/a/b:1", "--jobs=2"];
        assert_eq!(
            buildah(&args).restricted(&own, &request),
            json!({
                "default": [{"type": "reject"}],
                "transports": {"docker": {
                    base: accept, "r.io/cache": accept, "ghcr.io/a/b": accept,
                }, "containers-storage": {"": accept}},
            })
        );
    }

    #[test]
    fn policy_keeps_the_most_specific_requirement_of_the_user() {
        let image: Reference = format!("a.b.io:5000/x/y@sha256:{}", "a".repeat(64))
            .parse()
            .unwrap();
        let scope = image.to_string();
        let mut places = vec![
            scope.as_str(),
            "a.b.io:5000/x/y",
            "a.b.io:5000/x",
            "a.b.io:5000",
            "*.b.io",
            "*.io",
            "",
        ];
        while !places.is_empty() {
            let docker: Map<String, Value> = places
                .iter()
                .map(|place| ((*place).to_owned(), json!([place])))
                .collect();
            let own = json!({"default": ["none"], "transports": {"docker": docker}});
            assert_eq!(requirements(&own, &scope, &image), json!([places[0]]));
            places.remove(0);
        }
        let default = json!({"default": ["none"]});
        assert_eq!(requirements(&default, &scope, &image), json!(["none"]));
        assert_eq!(requirements(&json!(1), &scope, &image), rejection());
    }

    #[test]
    fn policy_is_that_of_the_arguments_before_that_of_the_user() {
        let mut settings = Settings::default();
        settings.home = Some("/home/u".into());
        let files = |builder: Builder| builder.policy_files(&settings);
        assert_eq!(
            files(buildah(&[])),
            [
                PathBuf::from("/home/u/.config/containers/policy.json"),
                PathBuf::from("/etc/containers/policy.json")
            ]
        );
        let named = buildah(&["--signature-policy", "/p"]);
        assert_eq!(files(named), [PathBuf::from("/p")]);
        assert_eq!(files(Builder::none()), Vec::<PathBuf>::new());
    }
}
