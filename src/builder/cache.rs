//! The cache of BuildKit, with a record for each layer that it has fetched and each step that it has made; single records can be removed.

use crate::{image::Digest, sys::command::CommandLine};

use super::Builder;

/// What `du` prints before the name of a base, for a record that is a layer of that base.
const PULLED: &str = "pulled from ";

/// How many records one command removes.
const AT_ONCE: usize = 200;

/// A record of BuildKit's cache, as `docker buildx du --verbose` and `buildctl du --verbose` print it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheRecord {
    pub id: String,
    /// The records that it is built on.
    pub parents: Vec<String>,
    /// What it is of, such as `[2/2] COPY x /x`.
    pub what: String,
    /// The type of the record, such as `regular`; empty for an old BuildKit.
    kind: String,
}

impl CacheRecord {
    /// Parses the whole output.
    pub fn parse_all(text: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut is_start = true;
        for line in text.lines() {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.trim();
            match (key, all.last_mut()) {
                // The text of a step may contain lines that look like those of a record.
                ("ID", _) if is_start => all.push(Self {
                    id: value.to_owned(),
                    ..Self::default()
                }),
                ("Parent" | "Parents", Some(one)) if one.what.is_empty() => {
                    let ids = value.split(|c: char| ",; ".contains(c));
                    one.parents = ids.filter(|id| !id.is_empty()).map(str::to_owned).collect();
                }
                ("Description", Some(one)) if one.what.is_empty() => {
                    value.clone_into(&mut one.what)
                }
                // The type is the last line of a record.
                ("Type", Some(one)) => value.clone_into(&mut one.kind),
                _ => {}
            }
            is_start = line.trim().is_empty();
        }
        all.retain(|one| !one.id.is_empty() && one.id.chars().all(|c| c.is_ascii_alphanumeric()));
        all
    }

    /// Returns the digest of the image that it is a layer of; `None` where it is no layer of an image.
    pub fn base(&self) -> Option<Digest> {
        let name = self.what.strip_prefix(PULLED)?;
        name.rsplit_once('@')?.1.parse().ok()
    }

    /// Tells whether it is a layer, the result of a step, or a copy of files that the client sent. The contents of `RUN --mount=type=cache`
    /// and frontends are none of these.
    pub fn is_of_a_build(&self) -> bool {
        ["", "regular", "source.local"].contains(&self.kind.as_str())
    }
}

impl Builder {
    /// Returns the command that prints the records of the cache, for [`CacheRecord::parse_all`]; `None` for a builder that is not BuildKit.
    pub fn list_cache(&self) -> Option<CommandLine> {
        Some(self.buildkit("du")?.arg("--verbose"))
    }

    /// Returns the commands that remove records from the cache, unless they are in use or other records are based on them.
    pub fn remove_cache(&self, ids: &[String]) -> Vec<CommandLine> {
        // BuildKit takes the ids as a regular expression. Without one, it would remove all records.
        let ids = ids.chunks(AT_ONCE).map(|ids| ids.join("|"));
        let lines = ids.filter_map(|ids| {
            let line = self.buildkit("prune")?;
            Some(match self {
                Self::Buildctl(_) => line.flag("--filter", format!("id~={ids}")),
                _ => line.arg("--force").flag("--filter", format!("id={ids}")),
            })
        });
        lines.collect()
    }

    /// Begins a call of the client of the BuildKit that it builds with.
    fn buildkit(&self, verb: &str) -> Option<CommandLine> {
        match self {
            Self::Docker { program, can } if can.buildx => {
                Some(program.call_buildx(&["buildx", verb]))
            }
            Self::Buildx { program, .. } => Some(program.call_buildx(&["buildx", verb])),
            Self::Buildctl(program) => Some(program.call(&[verb])),
            Self::Docker { .. } | Self::Podman(_) | Self::Buildah(_) | Self::Command(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Program;

    #[test]
    fn cache_records_of_buildx_and_buildctl_output_are_parsed() {
        let digest = Digest::of(b"base");
        let text = format!(
            "ID:\t\taa1\nCreated at:\t2026-01-01 10:00:00 +0000 UTC\nMutable:\tfalse\nDescription:\tpulled from r.io:5000/base@{digest}\nUsage count:\t1\nType:\t\tregular\n\n\
             ID:\t\tbb2\nParent:\t\taa1,cc3\nDescription:\tmount / from exec /bin/sh -c echo\nID: zz9\nDescription: x\nType:\t\tregular\n\n\
             ID:\tcc3\nParents:\taa1;bb2\nDescription:\t[2/2] COPY x /x\n\n\
             ID:\t\tdd4\nDescription:\tcached mount /c from exec\nType:\t\texec.cachemount\n\n\
             ID:\t\t.*\nDescription:\tx\n\nShared:\t\t1B\nTotal:\t\t2B\n"
        );
        let all = CacheRecord::parse_all(&text);
        let ids: Vec<&str> = all.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["aa1", "bb2", "cc3", "dd4"]);
        assert_eq!((all[0].base(), all[1].base()), (Some(digest), None));
        assert_eq!(all[1].parents, ["aa1", "cc3"]);
        assert_eq!(all[1].what, "mount / from exec /bin/sh -c echo");
        assert_eq!(all[2].parents, ["aa1", "bb2"]);
        let of_builds = all.iter().map(CacheRecord::is_of_a_build);
        assert_eq!(of_builds.collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn cache_removal_names_only_the_given_records() {
        let program = |name: &str, build_args: &[&str]| Program {
            path: name.into(),
            global_args: vec![],
            build_args: build_args.iter().map(|it| (*it).to_owned()).collect(),
        };
        let ids = ["aa1".to_owned(), "bb2".to_owned()];
        let buildctl = Builder::Buildctl(program("buildctl", &[]));
        let lines = buildctl.remove_cache(&ids);
        assert_eq!(
            lines[0].to_string(),
            "buildctl prune '--filter=id~=aa1|bb2'"
        );
        assert_eq!(buildctl.remove_cache(&[]), []);
        let buildx = Builder::Buildx {
            program: program("docker", &["--builder=farm"]),
            in_daemon: false,
        };
        let lines = buildx.remove_cache(&ids);
        let expected = "docker buildx prune --builder=farm --force '--filter=id=aa1|bb2'";
        assert_eq!(lines[0].to_string(), expected);
        let many: Vec<String> = (0..=AT_ONCE).map(|n| format!("a{n}")).collect();
        assert_eq!(buildx.remove_cache(&many).len(), 2);
        assert_eq!(Builder::Podman(program("podman", &[])).list_cache(), None);
    }
}
