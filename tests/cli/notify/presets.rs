use crate::support::World;

#[test]
fn notify_presets_are_printed_as_valid_config_file_entries() {
    let world = World::new();
    let all = world.acrt(&["notify", "presets"]).ok().json();
    let names: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["discord", "gotify", "ntfy", "slack", "teams", "telegram"]
    );
    let body = world
        .acrt(&[
            "notify", "presets", "slack", "--query", "[0].body", "-o", "tsv",
        ])
        .ok();
    assert!(
        body.stdout.contains("{{ toJson $text }}"),
        "{}",
        body.stdout
    );
    let none = world.acrt(&["notify", "presets", "pager"]).exits(3);
    none.says(&["there is no preset `pager`", "acrt notify presets"]);
}
