//! Whether an image was built on the present version of a base, by comparing their layers.

use jiff::Timestamp;

use super::{
    base::Evidence,
    record::{HistoryEntry, ImageRecord},
};

/// The result of comparing an image with a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerMatch {
    /// It was built on the present version of the base.
    BuiltOn(Evidence),
    /// It was not.
    NotBuiltOn(Evidence),
    /// Nothing can be concluded, for this reason.
    Unclear(&'static str),
}

/// Compares an image with the present version of its base: an image begins with the layers of its base. Where the image was squashed, so
/// that its history still has the steps of the base but no layers for them, the history decides.
pub fn compare(image: &ImageRecord, base: &ImageRecord) -> LayerMatch {
    if base.layers.is_empty() {
        return LayerMatch::Unclear("the base has no layers");
    }
    if image.layers.is_empty() {
        return LayerMatch::Unclear("it has no layers");
    }
    let pairs = || image.history.iter().zip(&base.history);
    if image.layers.starts_with(&base.layers) {
        return if contradicts(image, base) {
            LayerMatch::Unclear("its layers are those of the base, and its history is not")
        } else {
            LayerMatch::BuiltOn(Evidence::Layers)
        };
    }
    let is_squashed = pairs().any(|(own, of_base)| own.empty_layer && !of_base.empty_layer);
    let is_whole = image.history.len() >= base.history.len() && !base.history.is_empty();
    if is_squashed && is_whole {
        if pairs().all(|(own, of_base)| is_same_step(own, of_base) && is_same_time(own, of_base)) {
            return LayerMatch::BuiltOn(Evidence::History);
        }
        if pairs().all(|(own, of_base)| is_same_step(own, of_base)) {
            return LayerMatch::NotBuiltOn(Evidence::History);
        }
        return LayerMatch::Unclear("it was squashed, and its history is not that of the base");
    }
    if image.layers.len() == 1 && image.history.len() < 2 {
        return LayerMatch::Unclear("it was squashed, and its history does not say on what");
    }
    LayerMatch::NotBuiltOn(Evidence::Layers)
}

/// Tells whether the history of an image shows that it was built on another version of the base with the same layers, of which only the
/// config differs. A history that does not even begin like that of the base was written by a tool that does not keep it.
fn contradicts(image: &ImageRecord, base: &ImageRecord) -> bool {
    let (Some(own), Some(of_base)) = (image.history.first(), base.history.first()) else {
        return false;
    };
    let mut pairs = image.history.iter().zip(&base.history);
    let is_whole = image.history.len() >= base.history.len();
    let is_same = |(own, of_base): (&HistoryEntry, &HistoryEntry)| {
        is_same_step(own, of_base) && is_same_time(own, of_base)
    };
    is_same_step(own, of_base) && !(is_whole && pairs.all(is_same))
}

fn is_same_time(own: &HistoryEntry, of_base: &HistoryEntry) -> bool {
    // Go writes the year 1 where there is no time.
    let time = |entry: &HistoryEntry| {
        let time = entry.created.as_ref()?.parse::<Timestamp>().ok()?;
        (time > Timestamp::UNIX_EPOCH).then_some(time)
    };
    match (time(own), time(of_base)) {
        (Some(own), Some(of_base)) => own == of_base,
        _ => true,
    }
}

fn is_same_step(own: &HistoryEntry, of_base: &HistoryEntry) -> bool {
    own.created_by == of_base.created_by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    /// An image with these layers; `+` before a step of its history marks a step with a layer.
    fn image(layers: &[&str], history: &[(&str, &str)]) -> ImageRecord {
        ImageRecord {
            layers: layers.iter().map(|it| Digest::of(it.as_bytes())).collect(),
            history: history
                .iter()
                .map(|(step, created)| HistoryEntry {
                    created: Some(match created.len() {
                        1 => format!("2026-02-0{created}T00:00:00Z"),
                        _ => (*created).to_owned(),
                    }),
                    created_by: Some(step.trim_start_matches('+').to_owned()),
                    empty_layer: !step.starts_with('+'),
                })
                .collect(),
            ..ImageRecord::default()
        }
    }

    #[test]
    fn image_that_begins_with_the_layers_of_a_base_is_based_on_it() {
        let base = image(&["a", "b"], &[]);
        let compared =
            |layers: &[&str]| compare(&image(layers, &[("+x", "1"), ("+y", "1")]), &base);
        let (on, off) = (Evidence::Layers, Evidence::Layers);
        assert_eq!(compared(&["a", "b", "c"]), LayerMatch::BuiltOn(on));
        assert_eq!(compared(&["a", "b"]), LayerMatch::BuiltOn(on));
        assert_eq!(compared(&["a", "c"]), LayerMatch::NotBuiltOn(off));
        assert_eq!(compared(&["a"]), LayerMatch::NotBuiltOn(off));
        assert!(matches!(
            compare(&base, &image(&[], &[])),
            LayerMatch::Unclear(_)
        ));
    }

    #[test]
    fn base_with_the_same_layers_and_another_config_is_identified_by_history() {
        let day = |day: u8| format!("2026-01-0{day}T00:00:00Z");
        let (one, two, three) = (day(1), day(2), day(3));
        let base = image(&["a"], &[("+ADD root", &one), ("CMD sh", &two)]);
        let compared = |history: &[(&str, &str)]| compare(&image(&["a", "b"], history), &base);
        let on = LayerMatch::BuiltOn(Evidence::Layers);
        let cmd = ("CMD sh", two.as_str());
        assert_eq!(compared(&[("+ADD root", &one), cmd, ("+COPY", &three)]), on);
        // The same time, written differently.
        let other = ("+ADD root", "2026-01-01T00:00:00.000Z");
        assert_eq!(compared(&[other, cmd, ("+COPY", &three)]), on);
        // Nothing of the base's history is in it.
        assert_eq!(compared(&[("+bazel", &three)]), on);
        assert_eq!(compared(&[]), on);
        let root = ("+ADD root", one.as_str());
        for history in [
            &[root, ("CMD sh", &one), ("+COPY", &three)][..],
            &[root, ("CMD bash", &two), ("+COPY", &three)],
            &[root],
            &[("+ADD root", &three), cmd, ("+COPY", &three)],
        ] {
            let found = compared(history);
            assert!(
                matches!(found, LayerMatch::Unclear(_)),
                "{history:?}: {found:?}"
            );
        }
    }

    #[test]
    fn squashed_image_is_matched_by_history() {
        let base = image(&["a"], &[("+ADD root", "2"), ("CMD sh", "2")]);
        let own = |created: &str, first: &str| {
            let steps = [
                (first, created),
                ("CMD sh", created),
                ("COPY", "3"),
                ("+merge", "3"),
            ];
            compare(&image(&["squashed"], &steps), &base)
        };
        assert_eq!(own("2", "ADD root"), LayerMatch::BuiltOn(Evidence::History));
        assert_eq!(
            own("1", "ADD root"),
            LayerMatch::NotBuiltOn(Evidence::History)
        );
        assert!(matches!(own("2", "ADD other"), LayerMatch::Unclear(_)));
        // Nothing was squashed here: it is on an older base, and records only the steps since then.
        assert_eq!(
            own("1", "+ADD root"),
            LayerMatch::NotBuiltOn(Evidence::Layers)
        );
        let imported = image(&["flat"], &[("+import", "3")]);
        assert!(matches!(compare(&imported, &base), LayerMatch::Unclear(_)));
    }
}
