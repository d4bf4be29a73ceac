//! podman, which takes the options of buildah.

use crate::error::Result;

use super::{BuildRequest, Program, Step, buildah};

pub(super) fn plan(program: &Program, request: &BuildRequest) -> Result<Vec<Step>> {
    buildah::containers(program, request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::request::tests::{full, printed};

    #[test]
    fn podman_takes_the_arguments_of_buildah() {
        let program = Program {
            path: "/usr/bin/podman".into(),
            global_args: vec![],
            build_args: vec![],
        };
        let lines = printed(&plan(&program, &full()).unwrap());
        assert!(
            lines[0]
                .starts_with("TOKEN=*** /usr/bin/podman build --file=/state/runs/ca1/Dockerfile "),
            "{}",
            lines[0]
        );
        assert_eq!(lines.len(), 3);
    }
}
