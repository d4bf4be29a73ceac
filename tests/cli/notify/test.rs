use crate::support::{Receiver, World};

#[test]
fn notify_test_sends_a_sample_to_every_receiver_and_shows_request_and_response() {
    let (world, receiver) = (World::new(), Receiver::start());
    world.set("CHAT_URL", &receiver.url("/services/T0/PATH-CANARY"));
    world.set("GOTIFY_TOKEN", "TOKEN-CANARY");
    world.config(&format!(
        "notify:\n- {{name: chat, url: 'env:CHAT_URL', preset: slack}}\n- {{name: phone, url: '{}', preset: gotify, values: {{token: 'env:GOTIFY_TOKEN'}}}}\n- {{name: mail, command: [/bin/cat], body: \"Subject: {{{{.Title}}}}\\n\\n{{{{.Message}}}}\\n\"}}\n- {{name: push, command: [/bin/cat], values: {{token: 'env:GOTIFY_TOKEN'}}, body: '{{{{ dict \"token\" .Values.token | toJson }}}}'}}\n",
        receiver.url("/message")
    ));
    let run = world.acrt(&["notify", "test"]).ok();
    let answers = run.json();
    assert_eq!(answers[0]["answer"], "it answers 200 OK");
    let sent: serde_json::Value =
        serde_json::from_str(answers[0]["sent"].as_str().unwrap()).unwrap();
    let text = sent["text"].as_str().unwrap();
    assert!(
        text.starts_with("*sample: failure*") && text.contains("left-pad"),
        "{text}"
    );
    assert_eq!(answers[2]["receiver"], "mail");
    assert!(
        answers[2]["answer"]
            .as_str()
            .unwrap()
            .starts_with("Subject: sample: failure\n\nrun `ca1`")
    );
    assert_eq!(answers[3]["sent"], r#"{"token":"***"}"#);
    assert_eq!(answers[3]["answer"], answers[3]["sent"]);
    let messages = receiver.messages();
    assert_eq!(messages[1].header("x-gotify-key"), Some("TOKEN-CANARY"));
    for canary in ["PATH-CANARY", "TOKEN-CANARY"] {
        assert!(
            !run.stdout.contains(canary) && !run.stderr.contains(canary),
            "{canary}"
        );
    }
    let one = world
        .acrt(&["notify", "test", "--name", "phone", "--event", "recovery"])
        .ok()
        .json();
    assert_eq!(one.as_array().unwrap().len(), 1);
    assert_eq!(receiver.messages()[2].json()["priority"], 4);
}

#[test]
fn notify_test_fails_with_the_reason_when_a_receiver_refuses() {
    let (world, receiver) = (World::new(), Receiver::start());
    world
        .acrt(&["notify", "test"])
        .exits(3)
        .says(&["names no receiver", "docs/notify.md"]);
    world.config(&format!(
        "notify: [{{name: chat, url: '{}', body: '{{{{ .Task | nosuch }}}}'}}]\n",
        receiver.url("/")
    ));
    let broken = world.acrt(&["notify", "test"]).exits(1).json();
    assert!(
        broken[0]["error"].as_str().unwrap().contains("nosuch"),
        "{broken}"
    );
    assert_eq!(receiver.messages()[0].json()["event"], "failure");
    receiver.answers(&[400]);
    world.config(&format!(
        "notify: [{{name: chat, url: '{}', preset: slack, headers: {{Authorization: Bearer HEADER-CANARY}}}}]\n",
        receiver.url("/PATH-CANARY")
    ));
    let refused = world.acrt(&["notify", "test"]).exits(1).json();
    assert_eq!(
        refused[0]["error"],
        "it answers 400 Bad Request: Cannot POST /*** Bearer ***"
    );
    world.config(&format!(
        "notify: [{{name: chat, url: '{}', preset: pager}}]\n",
        receiver.url("/")
    ));
    world
        .acrt(&["notify", "test"])
        .exits(2)
        .says(&["there is no preset `pager`", "slack"]);
    world
        .acrt(&["notify", "test", "--event", "nosuch"])
        .exits(2);
}
