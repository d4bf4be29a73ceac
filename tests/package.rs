//! The content of packages, without building one: `tests/package.sh` installs one in clean systems.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_yaml::Value;

#[path = "../build.rs"]
#[allow(dead_code, clippy::print_stdout, reason = "its main talks to cargo")]
mod build;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Returns the relative paths of all files below a folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let path = path.strip_prefix(folder).unwrap();
                    found.insert(path.to_str().unwrap().to_owned());
                }
            }
        }
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "tests run programs")]
fn install(words: &[&str], tree: &Path, prefix: &str) {
    let status = Command::new(root().join("packaging/install.sh"))
        .args(words)
        .envs([("DESTDIR", tree.to_str().unwrap()), ("PREFIX", prefix)])
        .env("HOME", "/home/somebody")
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn install_adds_man_pages_completions_and_units_and_uninstall_removes_them() {
    let tree = tempfile::tempdir().unwrap();
    let program = root().join("Cargo.toml");
    let program = program.to_str().unwrap();
    for (prefix, zsh, units) in [
        ("/usr", "share/zsh/vendor-completions", "lib/systemd/user"),
        ("/usr/local", "share/zsh/site-functions", "lib/systemd/user"),
        (
            "/home/somebody/.local",
            "share/zsh/site-functions",
            "share/systemd/user",
        ),
        (
            "/opt/50% of it",
            "share/zsh/site-functions",
            "lib/systemd/user",
        ),
    ] {
        install(&[program], tree.path(), prefix);
        let placed = files(&tree.path().join(&prefix[1..]));
        let mut wanted: BTreeSet<String> = files(&root().join("docs/man"))
            .iter()
            .map(|page| format!("share/man/man1/{page}"))
            .collect();
        wanted.extend([
            "bin/acrt".to_owned(),
            "share/bash-completion/completions/acrt".to_owned(),
            "share/fish/vendor_completions.d/acrt.fish".to_owned(),
            format!("{zsh}/_acrt"),
            format!("{units}/acrt-watch.service"),
            format!("{units}/acrt-watch-once.service"),
            format!("{units}/acrt-watch-once.timer"),
            "share/doc/acrt/examples/acrt-watch.system.service".to_owned(),
        ]);
        assert_eq!(placed, wanted, "{prefix}");
        let unit = format!("{prefix}/{units}/acrt-watch.service");
        let unit = fs::read_to_string(tree.path().join(&unit[1..])).unwrap();
        // systemd splits at blanks, and `%` begins a specifier.
        let started = match prefix {
            "/opt/50% of it" => "\"/opt/50%% of it/bin/acrt\"".to_owned(),
            plain => format!("{plain}/bin/acrt"),
        };
        let start = format!("\nExecStart={started} task watch");
        assert!(unit.contains(&start), "{unit}");
        install(&["-u", program], tree.path(), prefix);
        assert_eq!(files(tree.path()), BTreeSet::new(), "{prefix}");
    }
}

/// A source archive, unpacked into a folder with a blank inside of another git repository, whose files nobody else may read. `cargo` there
/// puts a program where cargo's `build.target` does, and prints what it was given.
struct Archive {
    dir: tempfile::TempDir,
}

const CARGO: &str = r#"#!/bin/sh
case $1 in
build)
    printf '%s' "commit=$ACRT_COMMIT $CARGO_ENCODED_RUSTFLAGS" >"$HOME/given"
    while [ $# -gt 0 ]; do
        case $1 in --target-dir) target=$(realpath "$2") ;; --profile) profile=$2 ;; esac
        shift
    done
    acrt=$target/$TRIPLE/$profile/acrt
    mkdir -p "${acrt%/*}"
    cp /bin/true "$acrt"
    echo '{"reason":"compiler-artifact","target":{"kind":["custom-build"],"name":"build-script-build"},"executable":null}'
    echo '{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"acrt"},"filenames":["'$acrt'"],"executable":"'$acrt'","fresh":false}'
    ;;
tree) printf 'acrt v1.0.0 (/acrt)|MIT|\nown v1.0.0|MIT|https://own.test\n' ;;
metadata)
    printf '{"packages":[{"name":"own","version":"1.0.0","id":"own#1.0.0","targets":[{"name":"own"}],"manifest_path":"%s"}]}\n' "$PWD/vendor/own/Cargo.toml"
    ;;
esac
"#;

impl Archive {
    #[expect(clippy::disallowed_methods, reason = "tests run programs")]
    fn unpack() -> Self {
        let archive = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let folder = archive.folder();
        fs::create_dir(&folder).unwrap();
        build::git(archive.dir.path(), &["init", "--quiet"]).unwrap();
        let copied = Command::new("cp")
            .args(["-r", "--parents", "--target-directory"])
            .arg(&folder)
            .args([
                "Cargo.toml",
                "CHANGELOG.md",
                "README.md",
                "LICENSE",
                "Makefile",
            ])
            .args(["packaging", "docs/man", "docs/systemd", "completions"])
            .current_dir(root())
            .status();
        assert!(copied.unwrap().success());
        for (path, text) in [
            ("bin/cargo", CARGO),
            ("bin/rustc", "#!/bin/sh\necho \"host: $TRIPLE\"\n"),
            ("my acrt/vendor/own/LICENSE", "the licence of own\n"),
            ("my acrt/packaging/compose/config.yaml", "of a user\n"),
        ] {
            let path = archive.dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        archive.run("chmod", &["-R", "go-rwx", "."]).unwrap();
        archive
            .run("chmod", &["+x", "../bin/cargo", "../bin/rustc"])
            .unwrap();
        archive
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("my acrt")
    }

    /// Runs a program in the folder. Returns what it printed, as an error if it failed.
    #[expect(clippy::disallowed_methods, reason = "tests run programs")]
    fn run(&self, program: &str, words: &[&str]) -> Result<String, String> {
        let home = self.dir.path();
        let path = format!("{}:/usr/bin:/bin", home.join("bin").display());
        let output = Command::new(program)
            .args(words)
            .env_clear()
            .envs([("PATH", path.as_str()), ("LEVEL", "-1")])
            .env("RUSTFLAGS", "--cfg own")
            .env(
                "TRIPLE",
                format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
            )
            .env("HOME", home)
            .current_dir(self.folder())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }
}

#[test]
fn make_install_takes_the_program_that_cargo_names_and_not_an_older_one() {
    let archive = Archive::unpack();
    let old = archive.folder().join("target/release/acrt");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    fs::write(old, "old").unwrap();
    let prefix = archive.dir.path().join("to here");
    let prefix_is = format!("PREFIX={}", prefix.display());
    archive.run("make", &["install", &prefix_is]).unwrap();
    let installed = fs::read(prefix.join("bin/acrt")).unwrap();
    assert_eq!(installed, fs::read("/bin/true").unwrap());
}

#[test]
fn tarball_of_a_source_archive_names_no_commit_and_has_licences_examples_and_readable_files() {
    let archive = Archive::unpack();
    archive.run("packaging/tarball.sh", &[]).unwrap();
    let given = fs::read_to_string(archive.dir.path().join("given")).unwrap();
    let folder = archive.folder();
    let mut flags = given.split('\x1f');
    assert_eq!(flags.next(), Some("commit= --cfg"));
    assert_eq!(flags.next(), Some("own"));
    let remapped = format!("--remap-path-prefix={}=/acrt", folder.display());
    assert_eq!(flags.next(), Some(remapped.as_str()));

    let list = "tar -tvzf target/package/acrt-*.tar.gz";
    let list = archive.run("bash", &["-c", list]).unwrap();
    for line in list.lines() {
        let mode = line.split(' ').next().unwrap();
        assert!(
            ["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode),
            "{line}"
        );
    }
    for example in ["buildah", "buildkit", "docker-socket"] {
        assert!(
            list.contains(&format!("/compose/{example}.yaml\n")),
            "{list}"
        );
    }
    assert!(!list.contains("config.yaml"), "{list}");
    let crates = "tar -xOzf target/package/acrt-*.tar.gz --wildcards '*/crates.txt'";
    let crates = archive.run("bash", &["-c", crates]).unwrap();
    assert!(
        crates.contains("\nown 1.0.0:\n\nthe licence of own\n"),
        "{crates}"
    );
}

#[test]
fn package_of_a_checkout_that_git_cannot_read_is_an_error_with_what_to_set() {
    let archive = Archive::unpack();
    fs::write(archive.folder().join(".git"), "gitdir: /nowhere\n").unwrap();
    let error = archive.run("packaging/tarball.sh", &[]).unwrap_err();
    assert!(error.contains("/nowhere"), "{error}");
    assert!(
        error.contains("set SOURCE_DATE_EPOCH and ACRT_COMMIT"),
        "{error}"
    );
}

#[test]
fn version_output_has_the_known_commit_and_date() {
    let commit = Some("0123456789abcdef0123456789abcdef01234567");
    assert_eq!(
        build::said(commit, Some("2026-01-31")),
        " (0123456789ab 2026-01-31)"
    );
    assert_eq!(build::said(commit, None), " (0123456789ab)");
    assert_eq!(build::said(None, Some("2026-01-31")), " (2026-01-31)");
    assert_eq!(build::said(None, None), "");
}

#[test]
fn build_timestamp_is_converted_to_a_calendar_date() {
    for (seconds, day) in [
        (0, "1970-01-01"),
        (951_782_399, "2000-02-28"),
        (951_782_400, "2000-02-29"),
        (951_868_800, "2000-03-01"),
        (1_769_817_600, "2026-01-31"),
        (1_795_943_975, "2026-11-29"),
        (4_107_542_400, "2100-03-01"),
    ] {
        assert_eq!(build::day(seconds).as_deref(), Some(day));
    }
}

#[test]
fn commit_is_read_only_at_the_root_of_a_repository() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!build::is_checkout(folder.path()));
    build::git(folder.path(), &["init", "--quiet"]).unwrap();
    assert!(build::is_checkout(folder.path()));
    fs::create_dir(folder.path().join("vendor")).unwrap();
    assert!(!build::is_checkout(&folder.path().join("vendor")));
}

#[test]
fn changelog_and_examples_name_the_version_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = read("CHANGELOG.md");
    let newest = changelog
        .lines()
        .find(|line| line.starts_with("## ") && *line != "## Unreleased");
    let newest = newest.unwrap().strip_prefix("## ").unwrap();
    let (number, day) = newest.split_once(" - ").unwrap();
    assert_eq!(number, version);
    assert!(day.len() == 10 && day.starts_with("20"), "{day}");
    for file in files(&root().join("packaging/compose")) {
        let text = read(&format!("packaging/compose/{file}"));
        assert!(
            text.contains(&format!("image: localhost/acrt:{version}\n")),
            "{file}"
        );
    }
    let action = read("docs/github-actions.md");
    let used: Vec<&str> = action
        .lines()
        .filter(|l| l.contains("OWNER/acrt@"))
        .collect();
    assert!(!used.is_empty());
    for line in used {
        assert!(line.ends_with(&format!("OWNER/acrt@v{version}")), "{line}");
    }
}

/// Returns the GitHub files and the examples for containers, parsed.
fn yaml_files() -> Vec<(PathBuf, Value)> {
    let mut paths = vec![root().join("action.yml")];
    for folder in [".github/workflows", "packaging/compose"] {
        let folder = root().join(folder);
        paths.extend(files(&folder).iter().map(|file| folder.join(file)));
    }
    let parsed = paths.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let value = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        (path, value)
    });
    parsed.collect()
}

/// Calls `look` with each text under a key of this name.
fn each(value: &Value, key: &str, look: &mut dyn FnMut(&str)) {
    match value {
        Value::Mapping(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == key => look(text),
                    _ => each(value, key, look),
                }
            }
        }
        Value::Sequence(items) => items.iter().for_each(|item| each(item, key, look)),
        _ => {}
    }
}

#[test]
fn workflows_call_existing_scripts_and_targets_and_versioned_actions() {
    let makefile = read("Makefile");
    let mut calls = 0;
    for (path, value) in yaml_files() {
        each(&value, "uses", &mut |action| {
            let (_, version) = action.split_once('@').unwrap_or(("", "./"));
            assert!(version.starts_with(['v', '.']), "{path:?}: {action}");
        });
        each(&value, "run", &mut |script| {
            let words: Vec<&str> = script.split_whitespace().collect();
            for (at, word) in words.iter().enumerate() {
                let word = word
                    .trim_matches('"')
                    .trim_start_matches("$GITHUB_ACTION_PATH/");
                if ["packaging/", "tests/", ".ci/"]
                    .iter()
                    .any(|start| word.starts_with(start))
                {
                    assert!(root().join(word).exists(), "{path:?}: {word}");
                    calls += 1;
                }
                if word == "make" {
                    let target = words.get(at + 1).unwrap();
                    assert!(
                        makefile.contains(&format!("\n{target}: ##")),
                        "{path:?}: {target}"
                    );
                    calls += 1;
                }
            }
        });
    }
    assert!(calls >= 8, "{calls}");
}
