//! Commands of az that acrt does not have: refused as usage errors, on one line with acrt's alternative.

use crate::support::World;

#[test]
fn azure_only_command_is_refused_with_the_alternative() {
    let world = World::new();
    for (line, said) in [
        ("pack build -r r -t x:1 --builder b .", "acrt run --cmd"),
        ("taskrun list -r r", "acrt task run"),
        (
            "webhook create -n w -r r --actions push",
            "acrt task watch --listen",
        ),
        ("cache create -r r -n c", "acrt task create --import"),
        ("config retention show -r r", "acrt purge --untagged"),
        ("config content-trust show", "`verify`"),
        ("artifact-streaming create -n r", "nothing does this here"),
        ("replication list -r r", "acrt task create --import"),
        ("scope-map list -r r", "at the registry itself"),
        ("token create -n t -r r", "acrt login"),
        ("agentpool list -r r", "--builder"),
        ("helm list -n r", "helm push"),
        ("connected-registry list -r r", "acrt import"),
        ("export-pipeline create -n e -r r", "oci:FOLDER:NAME"),
        ("import-pipeline list -r r", "acrt import"),
        ("pipeline-run list -r r", "acrt import"),
        ("credential show -n r", "acrt login"),
        ("create -n r --sku Basic", "registry of your own"),
        ("show -n r", "acrt check-health"),
        (
            "repository update -n r --image x --write-enabled false",
            "locks",
        ),
        ("manifest list-referrers -r r -n x", "oras discover"),
        (
            "-o json manifest metadata list -r r -n x",
            "acrt manifest list-metadata",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let refused = world.acrt(&words).exits(2).says(&[said]);
        assert_eq!(refused.stderr.lines().count(), 1, "{refused}");
        assert!(
            refused.stderr.starts_with("error: acrt has no `"),
            "{refused}"
        );
    }
}

#[test]
fn command_unknown_to_az_is_a_usage_error() {
    let world = World::new();
    world.acrt(&["tsak"]).exits(2).says(&["task"]);
    world
        .acrt(&["task", "webhook"])
        .exits(2)
        .says(&["unrecognized subcommand"]);
}
