//! Whether an image was built on what a base is now, by the layers of both.

use super::{
    base::Evidence,
    record::{HistoryEntry, ImageRecord},
};

/// What the layers of an image say of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// It was built on what the base is now.
    On(Evidence),
    /// It was not.
    Off(Evidence),
    /// Nothing can be told, and why.
    Unclear(&'static str),
}

/// Compares an image with what its base is now: an image begins with the layers of what it was built on. Where it was squashed, so
/// that the layers are gone and its history still has them as empty ones, the history decides.
#[must_use]
pub fn compare(image: &ImageRecord, base: &ImageRecord) -> Likeness {
    if base.layers.is_empty() {
        return Likeness::Unclear("the base has no layers");
    }
    if image.layers.is_empty() {
        return Likeness::Unclear("it has no layers");
    }
    if image.layers.starts_with(&base.layers) {
        return Likeness::On(Evidence::Layers);
    }
    let pairs = || image.history.iter().zip(&base.history);
    let is_squashed = pairs().any(|(own, of_base)| own.empty_layer && !of_base.empty_layer);
    let is_whole = image.history.len() >= base.history.len() && !base.history.is_empty();
    if is_squashed && is_whole {
        if pairs()
            .all(|(own, of_base)| is_same_step(own, of_base) && own.created == of_base.created)
        {
            return Likeness::On(Evidence::History);
        }
        if pairs().all(|(own, of_base)| is_same_step(own, of_base)) {
            return Likeness::Off(Evidence::History);
        }
        return Likeness::Unclear("it was squashed, and its history is not that of the base");
    }
    if image.layers.len() == 1 && image.history.len() < 2 {
        return Likeness::Unclear("it was squashed, and its history does not say on what");
    }
    Likeness::Off(Evidence::Layers)
}

fn is_same_step(own: &HistoryEntry, of_base: &HistoryEntry) -> bool {
    own.created_by == of_base.created_by
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;

    /// An image of these layers; `+` before a step of its history says that it made a layer.
    fn image(layers: &[&str], history: &[(&str, &str)]) -> ImageRecord {
        ImageRecord {
            layers: layers.iter().map(|it| Digest::of(it.as_bytes())).collect(),
            history: history
                .iter()
                .map(|(step, created)| HistoryEntry {
                    created: Some((*created).to_owned()),
                    created_by: Some(step.trim_start_matches('+').to_owned()),
                    empty_layer: !step.starts_with('+'),
                })
                .collect(),
            ..ImageRecord::default()
        }
    }

    #[test]
    fn image_that_begins_with_the_layers_of_its_base_is_on_it() {
        let base = image(&["a", "b"], &[]);
        let compared =
            |layers: &[&str]| compare(&image(layers, &[("+x", "1"), ("+y", "1")]), &base);
        let (on, off) = (Evidence::Layers, Evidence::Layers);
        assert_eq!(compared(&["a", "b", "c"]), Likeness::On(on));
        assert_eq!(compared(&["a", "b"]), Likeness::On(on));
        assert_eq!(compared(&["a", "c"]), Likeness::Off(off));
        assert_eq!(compared(&["a"]), Likeness::Off(off));
        assert!(matches!(
            compare(&base, &image(&[], &[])),
            Likeness::Unclear(_)
        ));
    }

    #[test]
    fn history_decides_where_layers_were_squashed() {
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
        assert_eq!(own("2", "ADD root"), Likeness::On(Evidence::History));
        assert_eq!(own("1", "ADD root"), Likeness::Off(Evidence::History));
        assert!(matches!(own("2", "ADD other"), Likeness::Unclear(_)));
        // Nothing was squashed here: it is on an older one, and only says what was done since.
        assert_eq!(own("1", "+ADD root"), Likeness::Off(Evidence::Layers));
        let imported = image(&["flat"], &[("+import", "3")]);
        assert!(matches!(compare(&imported, &base), Likeness::Unclear(_)));
    }
}
