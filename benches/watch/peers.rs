//! Other tools that ask a registry for digests, where they are installed.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Result;

use crate::{
    content::{INDEX, MANIFEST, TAG, repository},
    floor,
    home::{Home, Site},
    launch::Job,
    measure::Tool,
    options::Options,
    places::Servers,
};

/// The name of the lower bound in the tables.
pub const FLOOR: &str = "floor";

/// The connections of the lower bound, which is also acrt's limit over HTTP/1.1.
pub const CONNECTIONS: usize = 64;

/// A tool with one process per image is measured on at most this many images,
const MOST_PROCESSES: usize = 100;

/// or on this many if its processes run one after the other.
const MOST_IN_A_ROW: usize = 10;

/// Tells whether a program is installed.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Returns the lower bound: plain HTTP/1.1, and only HEADs.
///
/// # Errors
///
/// If the benchmark cannot find its own executable.
pub fn floor(site: &Site, tags: usize, runs: usize) -> Result<Tool> {
    let itself = std::env::current_exe()?.display().to_string();
    let (tags, connections) = (tags.to_string(), CONNECTIONS.to_string());
    let job = Job::new([
        itself.as_str(),
        floor::MODE,
        &site.host,
        &tags,
        &connections,
    ]);
    Ok(Tool::new(FLOOR, job, runs))
}

/// Returns curl, one process for all tags.
///
/// # Errors
///
/// If its list of URLs cannot be written.
pub fn curl(site: &Site, tags: usize, runs: usize, home: &Home, ca_file: &Path) -> Result<Tool> {
    let scheme = if site.tls { "https" } else { "http" };
    let mut urls = String::new();
    for tag in 0..tags {
        let repository = repository(tag);
        let host = &site.host;
        writeln!(
            urls,
            "url = \"{scheme}://{host}/v2/{repository}/manifests/{TAG}\""
        )?;
    }
    let list = home.file("urls");
    fs::write(&list, urls)?;
    let list = list.display().to_string();
    let ca = ca_file.display().to_string();
    let most = if site.tls { "128" } else { "64" };
    // Without this header, Docker Distribution has no manifest that it could return.
    let accept = format!("Accept: {INDEX}, {MANIFEST}");
    let job = Job::new([
        "curl",
        "--silent",
        "--no-progress-meter",
        "--header",
        &accept,
        "--fail",
        "--head",
        "--cacert",
        &ca,
        "--parallel",
        "--parallel-max",
        most,
        "--config",
        &list,
    ]);
    Ok(Tool::new("curl --parallel", job, runs))
}

/// Returns the tools with one process per image: skopeo, and those of `--peer`.
#[must_use]
pub fn processes(options: &Options, site: &Site, tags: usize, servers: &Servers) -> Vec<Tool> {
    if tags > MOST_PROCESSES {
        return Vec::new();
    }
    let mut tools = Vec::new();
    if !options.quick && is_installed("skopeo") {
        tools.extend(each("skopeo", &skopeo(site, servers), site, tags));
    }
    for peer in &options.peers {
        tools.extend(each(&peer.name, &peer.command, site, tags));
    }
    tools
}

fn skopeo(site: &Site, servers: &Servers) -> Vec<String> {
    let mut command: Vec<String> = ["skopeo", "inspect", "--raw"].map(str::to_owned).into();
    match servers.identity.ca_file.parent().filter(|_| site.tls) {
        Some(folder) => command.push(format!("--cert-dir={}", folder.display())),
        None => command.push("--tls-verify=false".to_owned()),
    }
    if site.login {
        command.push("--creds=bench:bench".to_owned());
    }
    command.push("docker://{ref}".to_owned());
    command
}

fn each(name: &str, command: &[String], site: &Site, tags: usize) -> Vec<Tool> {
    let commands: Vec<Vec<String>> = (0..tags)
        .map(|tag| {
            let image = format!("{}/{}:{TAG}", site.host, repository(tag));
            let word = |word: &String| word.replace("{ref}", &image);
            command.iter().map(word).collect()
        })
        .collect();
    let tool = |at_once: usize| {
        let job = Job {
            commands: commands.clone(),
            at_once,
            env: vec![("HOME".to_owned(), std::env::temp_dir())],
            stdout: None,
        };
        Tool::new(&format!("{name}, {at_once} at once"), job, 2)
    };
    let mut tools = Vec::new();
    if tags <= MOST_IN_A_ROW {
        tools.push(tool(1));
    }
    if tags > 1 {
        tools.push(tool(8));
    }
    tools
}
