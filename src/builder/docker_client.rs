//! What all builders that use the docker client share.

use crate::{image::Reference, sys::command::CommandLine};

use super::{BuildCommand, BuildRequest, DigestSource, Program, Purpose};

/// Returns a build in the daemon, and the pushes after it: the daemon compresses an image anew for each registry, so that its digest is known only
/// after each push.
pub fn build_and_push(
    program: &Program,
    request: &BuildRequest,
    build: CommandLine,
) -> Vec<BuildCommand> {
    let images = request.images.iter().filter(|_| request.push);
    let pushes = images.map(|image| push(program, request, image));
    std::iter::once(BuildCommand::new(Purpose::Build, build))
        .chain(pushes)
        .collect()
}

pub fn push(program: &Program, request: &BuildRequest, image: &Reference) -> BuildCommand {
    let line = program.call(&["push", "--"]).arg(image.to_string());
    BuildCommand {
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
