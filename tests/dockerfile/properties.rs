//! Properties of every file, tested on random ones.

use proptest::prelude::*;

use super::{build, check};

/// Generates a line that is often valid and sometimes invalid.
fn line() -> impl Strategy<Value = String> {
    let image = prop_oneof![
        Just("alpine"),
        Just("alpine:3.19"),
        Just("ghcr.io/a/b:1"),
        Just("localhost:5000/x"),
        Just("scratch"),
        Just("a"),
        Just("b"),
        Just("c"),
        Just("$A"),
        Just("${A:-alpine}"),
        Just("\"busybox\":'1'"),
        Just("img-$TARGETARCH"),
        Just("al\\\npine"),
        Just("0"),
        Just("Alpine"),
    ];
    let name = prop_oneof![Just(""), Just(" AS a"), Just(" as B"), Just(" AS c")];
    let flag = prop_oneof![
        Just(""),
        Just("--platform=linux/arm64 "),
        Just("--platform=$BUILDPLATFORM "),
        Just("\\\n  "),
        Just("\\\n# comment\n"),
    ];
    let from = (flag, image.clone(), name)
        .prop_map(|(flag, image, name)| format!("FROM {flag}{image}{name}"));
    let copy = (image.clone(), 0..4).prop_map(|(image, form)| match form {
        0 => format!("COPY --from={image} / /"),
        1 => format!("COPY --link --from=\"{image}\" / /"),
        2 => format!("ONBUILD COPY --from={image} / /"),
        _ => format!("COPY --from={image} [\"/\", \"/\"]"),
    });
    let run = (image, 0..4).prop_map(|(image, form)| match form {
        0 => format!("RUN --mount=from={image},target=/x y"),
        1 => format!(
            "RUN --mount=type=cache,target=/y --mount='target=/x,from={image}' <<E\nFROM z\nE"
        ),
        2 => format!("ONBUILD RUN --mount=from={image},target=/x y"),
        _ => format!("RUN --mount='\"from={image}\",target=/x' \\\n  y"),
    });
    let other = prop_oneof![
        Just("ARG A=alpine".to_owned()),
        Just("ARG A".to_owned()),
        Just("ENV A=b C='d e'".to_owned()),
        Just("# comment".to_owned()),
        Just(String::new()),
        Just("RUN x \\\n\n  y".to_owned()),
        Just("EXPOSE 80".to_owned()),
        Just("NONSENSE".to_owned()),
    ];
    prop_oneof![4 => from, 2 => copy, 2 => run, 3 => other]
}

fn file() -> impl Strategy<Value = String> {
    let ends = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    let start = prop_oneof![
        6 => Just(""),
        1 => Just("\u{feff}"),
        1 => Just("# syntax=docker/dockerfile:1\n"),
        1 => Just("# syntax=other/frontend:1\n"),
    ];
    (
        start,
        "FROM (alpine|busybox:1)( AS [abc])?",
        prop::collection::vec(line(), 0..12),
        ends,
    )
        .prop_map(|(start, from, lines, end)| {
            let text: Vec<String> = std::iter::once(from).chain(lines).collect();
            format!("{start}{}{end}", text.join("\n")).replace("\n", end)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pinned_copy_depends_on_the_same_images_at_their_digests(file in file()) {
        check(file.as_bytes(), &build(&["linux/amd64"]));
        check(file.as_bytes(), &build(&["linux/amd64", "linux/arm64"]));
    }

    #[test]
    fn arbitrary_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes, &build(&[]));
    }

    #[test]
    fn arbitrary_build_argument_is_expanded_without_a_panic(value in "[a-z${}:/*?#%'\"\\\\ -]{0,24}", pattern in "[a-z${}:/*?#%'\"\\\\-]{0,24}") {
        let mut build = build(&[]);
        build.args.insert("A".to_owned(), value.into());
        check(format!("ARG A\nFROM a${{A{pattern}\n").as_bytes(), &build);
        check(format!("ARG A\nFROM {pattern}\n").as_bytes(), &build);
    }
}

#[test]
fn generated_dockerfiles_are_mostly_valid() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let build = build(&["linux/amd64", "linux/arm64"]);
    let right = (0..1000)
        .filter(|_| {
            let file = file().new_tree(&mut runner).unwrap().current();
            check(file.as_bytes(), &build)
        })
        .count();
    assert!(right > 150, "{right} of 1000");
}
