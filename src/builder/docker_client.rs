//! What all builders that use the docker client share.

use crate::{image::Reference, sys::command::CommandLine};

use super::{BuildRequest, DigestSource, Program, Purpose, Step};

/// Returns the command that pushes an image in the daemon.
pub fn push(program: &Program, request: &BuildRequest, image: &Reference) -> Step {
    let line = program.call(&["push", "--"]).arg(image.to_string());
    Step {
        purpose: Purpose::Push(image.clone()),
        line: with_auth(line, request),
        digest: DigestSource::Output,
    }
}

/// Passes the credentials of a task to a command.
pub fn with_auth(line: CommandLine, request: &BuildRequest) -> CommandLine {
    match &request.auth_dir {
        Some(dir) => line.env("DOCKER_CONFIG", dir.display().to_string()),
        None => line,
    }
}
