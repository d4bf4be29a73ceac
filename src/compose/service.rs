//! The build of one service of a compose project.

use std::path::Path;

use super::{
    ComposeBuild, NamedContext, Problem, ServiceImage,
    tree::{Node, Value},
};

/// The project of a service.
pub struct ProjectContext<'a> {
    pub project: &'a str,
    pub folder: &'a Path,
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    pub secrets: &'a [(String, Node)],
}

/// Keys of `build` that do not affect the image, or that acrt decides itself.
const NOT_NEEDED: [&str; 7] = [
    "cache_from",
    "cache_to",
    "pull",
    "provenance",
    "sbom",
    "attest",
    "isolation",
];

/// Returns the image of a service, built or not; `None` where it has neither image nor build.
pub fn image(
    name: &str,
    service: &Node,
    around: &ProjectContext<'_>,
) -> Result<Option<ServiceImage>, Problem> {
    let of = format!("services.{name}");
    service.entries(&of)?;
    match service.get("build") {
        Some(build) => drop(build.entries(&format!("{of}.build"))?),
        None if service.get("image").is_none() => return Ok(None),
        None => {}
    }
    main_image(name, service, around).map(Some)
}

/// Returns the image that a service names, or that compose derives from its name.
fn main_image(
    name: &str,
    service: &Node,
    around: &ProjectContext<'_>,
) -> Result<ServiceImage, Problem> {
    let of = format!("services.{name}");
    let key = format!("{of}.image");
    let node = service.get("image");
    let named = node.map(|it| it.text(&key)).transpose()?;
    let named = named.filter(|image| !image.is_empty());
    let (at, key) = node.map_or((service, of), |node| (node, key));
    Ok(ServiceImage {
        name: named.map_or_else(|| format!("{}-{name}", around.project), str::to_owned),
        is_named: named.is_some(),
        place: (at.file.as_ref().clone(), at.line, key),
    })
}

/// Returns the build of a service, if it has one.
pub fn recipe(
    name: &str,
    service: &Node,
    around: &ProjectContext<'_>,
) -> Result<Option<ComposeBuild>, Problem> {
    let key = |of: &str| format!("services.{name}.{of}");
    if !matches!(service.value, Value::Map(_) | Value::Null) {
        return Err(service.problem(&format!("services.{name}"), "it must be a mapping"));
    }
    let Some(build) = service.get("build") else {
        return Ok(None);
    };
    build.entries(&key("build"))?;
    let reader = ServiceReader {
        build,
        name,
        around,
    };
    reader.refuse_two_dockerfiles()?;
    let image = main_image(name, service, around)?;
    let mut images = vec![image.name];
    for tag in reader.texts("tags")? {
        if !images.contains(&tag) {
            images.push(tag);
        }
    }
    let mut platforms = reader.texts("platforms")?;
    if platforms.is_empty()
        && let Some(platform) = service.get("platform")
    {
        platforms.push(platform.text(&key("platform"))?.to_owned());
    }
    let profiles = service.get("profiles").map(|it| it.texts(&key("profiles")));
    let context = reader.text("context")?;
    let options = reader.options()?;
    Ok(Some(ComposeBuild {
        key: name.to_owned(),
        images,
        context: context.unwrap_or_else(|| around.folder.display().to_string()),
        dockerfile: reader.text("dockerfile")?,
        inline: reader.text("dockerfile_inline")?,
        args: reader.args()?,
        target: reader.text("target")?.filter(|it| !it.is_empty()),
        platforms,
        contexts: reader.contexts()?,
        needs: needs(&options),
        options,
        no_cache: match build.get("no_cache") {
            Some(it) => it.is_on(&key("build.no_cache"))?,
            None => false,
        },
        profiles: profiles.transpose()?.unwrap_or_default(),
        is_named: image.is_named,
        ignored: reader.ignored(),
    }))
}

/// Lists what a run with these options needs that a watcher may lack, such as an ssh agent.
pub fn needs(options: &[String]) -> Vec<String> {
    let one = |option: &String| {
        if let Some(secret) = option.strip_prefix("--secret=") {
            let variable = secret
                .split(',')
                .find_map(|part| part.strip_prefix("env="))?;
            return Some(format!("the variable {variable}"));
        }
        if let Some(key) = option.strip_prefix("--ssh=") {
            return (!key.contains('=')).then(|| "an ssh agent".to_owned());
        }
        let of = option.strip_prefix("--allow=")?;
        Some(format!("a builder of docker buildx that allows {of}"))
    };
    options.iter().filter_map(one).collect()
}

struct ServiceReader<'a> {
    build: &'a Node,
    name: &'a str,
    around: &'a ProjectContext<'a>,
}

impl ServiceReader<'_> {
    fn key(&self, of: &str) -> String {
        format!("services.{}.build.{of}", self.name)
    }

    fn text(&self, of: &str) -> Result<Option<String>, Problem> {
        let node = self.build.get(of);
        node.map(|it| it.text(&self.key(of)).map(str::to_owned))
            .transpose()
    }

    fn texts(&self, of: &str) -> Result<Vec<String>, Problem> {
        let node = self.build.get(of);
        node.map_or(Ok(Vec::new()), |it| it.texts(&self.key(of)))
    }

    fn entries(&self, of: &str) -> Result<&[(String, Node)], Problem> {
        let node = self.build.get(of);
        node.map_or(Ok(&[]), |it| it.entries(&self.key(of)))
    }

    fn refuse_two_dockerfiles(&self) -> Result<(), Problem> {
        if let (Some(inline), Some(_)) = (
            self.build.get("dockerfile_inline"),
            self.build.get("dockerfile"),
        ) {
            let text = "it cannot be used together with `dockerfile`";
            return Err(inline.problem(&self.key("dockerfile_inline"), text));
        }
        Ok(())
    }

    /// Returns the arguments that have a value: their own, or that of the variable of their name.
    fn args(&self) -> Result<Vec<(String, String)>, Problem> {
        let mut args = Vec::new();
        for (name, node) in self.entries("args")? {
            let value = match node.value {
                Value::Null => (self.around.lookup)(name),
                _ => Some(node.text(&self.key(&format!("args.{name}")))?.to_owned()),
            };
            args.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(args)
    }

    fn contexts(&self) -> Result<Vec<(String, NamedContext)>, Problem> {
        let contexts = self.entries("additional_contexts")?.iter();
        let mut found = Vec::new();
        for (name, node) in contexts {
            let text = node.text(&self.key(&format!("additional_contexts.{name}")))?;
            let place = match text.strip_prefix("service:") {
                Some(service) => NamedContext::Other(service.to_owned()),
                None => NamedContext::Given(text.to_owned()),
            };
            found.push((name.clone(), place));
        }
        Ok(found)
    }

    /// Returns the further options of `docker build`.
    fn options(&self) -> Result<Vec<String>, Problem> {
        let mut options = Vec::new();
        for (name, node) in self.entries("labels")? {
            let value = match node.value {
                Value::Null => "",
                _ => node.text(&self.key("labels"))?,
            };
            options.push(format!("--label={name}={value}"));
        }
        if let Some(network) = self.text("network")? {
            options.push(format!("--network={network}"));
        }
        if let Some(size) = self.text("shm_size")? {
            options.push(format!("--shm-size={size}"));
        }
        for host in self.texts("extra_hosts")? {
            options.push(format!("--add-host={}", host.replacen('=', ":", 1)));
        }
        for (id, node) in self.entries("ssh")? {
            options.push(match node.value {
                Value::Null => format!("--ssh={id}"),
                _ => format!("--ssh={id}={}", node.text(&self.key("ssh"))?),
            });
        }
        for (name, node) in self.entries("ulimits")? {
            options.push(format!("--ulimit={name}={}", self.limit(node)?));
        }
        for of in self.texts("entitlements")? {
            options.push(format!("--allow={of}"));
        }
        if let Some(node) = self.build.get("privileged")
            && node.is_on(&self.key("privileged"))?
        {
            options.push("--allow=security.insecure".to_owned());
        }
        let secrets = self.build.get("secrets");
        let key = self.key("secrets");
        for secret in secrets.map_or(Ok(&[][..]), |it| it.items(&key))? {
            options.push(self.secret(secret, &key)?);
        }
        Ok(options)
    }

    fn secret(&self, secret: &Node, key: &str) -> Result<String, Problem> {
        let (source, target) = match &secret.value {
            Value::Map(_) => {
                let part = |of: &str| secret.get(of).map(|it| it.text(key)).transpose();
                (part("source")?.unwrap_or_default(), part("target")?)
            }
            _ => (secret.text(key)?, None),
        };
        let declared = self.around.secrets.iter().find(|(name, _)| name == source);
        let Some((_, declared)) = declared else {
            let shown = source.escape_debug();
            return Err(secret.problem(key, format!("there is no secret `{shown}`")));
        };
        let part = |of: &str| {
            let node = declared.get(of);
            node.map(|it| it.text(&format!("secrets.{source}.{of}")))
                .transpose()
        };
        let (kind, from) = match (part("file")?, part("environment")?) {
            (Some(file), _) => ("src", file),
            (None, Some(variable)) => ("env", variable),
            (None, None) => {
                let text = "it has neither `file` nor `environment`, so that no build can use it";
                return Err(declared.problem(&format!("secrets.{source}"), text));
            }
        };
        let id = target.unwrap_or(source);
        if [id, from]
            .iter()
            .any(|text| text.contains([',', '"', '\n']))
        {
            return Err(secret.problem(
                key,
                "its name or its file has a comma, a quote or a line end in it",
            ));
        }
        Ok(format!("--secret=id={id},{kind}={from}"))
    }

    /// Returns a ulimit in the form of docker build: `soft` or `soft:hard`.
    fn limit(&self, node: &Node) -> Result<String, Problem> {
        let key = self.key("ulimits");
        if !matches!(node.value, Value::Map(_)) {
            return node.text(&key).map(str::to_owned);
        }
        let part = |of: &str| node.get(of).map(|it| it.text(&key)).transpose();
        match (part("soft")?, part("hard")?) {
            (Some(soft), Some(hard)) => Ok(format!("{soft}:{hard}")),
            _ => Err(node.problem(&key, "it has to have `soft` and `hard`")),
        }
    }

    fn ignored(&self) -> Vec<String> {
        let named = NOT_NEEDED
            .iter()
            .filter(|key| self.build.get(key).is_some());
        named.map(|key| (*key).to_owned()).collect()
    }
}
