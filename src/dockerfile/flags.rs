//! The flags of an instruction against those that it knows, as BuildKit's `instructions/bflag.go` checks them.

use super::{problem::Problem, text::Text, words::Flag};

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, or `true` or `false`.
    Switch,
    /// A value, once.
    Value,
    /// A value, as often as wanted.
    Values,
}

/// Checks that every flag is known, comes as often as it may and has the value that it needs.
///
/// # Errors
///
/// The first flag for which that is not so.
pub(super) fn check(
    line: &Text<'_>,
    flags: &[Flag],
    known: &[(&str, Takes)],
) -> Result<(), Problem> {
    let mut used = Vec::new();
    for flag in flags {
        let wrong = |message: String| Problem::syntax(&*flag.text, message).at(flag.offset(line));
        let (name, value) = flag.parts();
        let Some((name, takes)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(wrong(format!("unknown flag `--{name}`")));
        };
        if *takes != Takes::Values && used.contains(name) {
            return Err(wrong(format!("flag `--{name}` is given twice")));
        }
        used.push(*name);
        match (takes, value) {
            (Takes::Switch, None) => {}
            (Takes::Switch, Some(value)) if is_truth_value(value) => {}
            (Takes::Switch, Some(_)) => {
                return Err(wrong(format!("flag `--{name}` takes `true` or `false`")));
            }
            (_, Some(_)) => {}
            (_, None) => return Err(wrong(format!("flag `--{name}` needs a value"))),
        }
    }
    Ok(())
}

fn is_truth_value(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
}

/// Returns the flags of that name, in order.
pub(super) fn named<'f>(flags: &'f [Flag], name: &'f str) -> impl Iterator<Item = &'f Flag> {
    flags.iter().filter(move |flag| flag.parts().0 == name)
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;

    fn checked(line: &str) -> Result<(), String> {
        let known = [
            ("switch", Takes::Switch),
            ("value", Takes::Value),
            ("values", Takes::Values),
        ];
        check(&Text::new(line, 0), &words::split(line).flags, &known)
            .map_err(|problem| format!("{}: {}", problem.at.unwrap(), problem.message))
    }

    #[test]
    fn known_flags_pass() {
        assert_eq!(
            checked("X --switch --value=a --values=a --values=b c"),
            Ok(())
        );
        assert_eq!(checked("X --switch=TRUE --value= c"), Ok(()));
        assert_eq!(checked("X c --other"), Ok(()));
    }

    #[test]
    fn wrong_flags_are_named_with_their_place() {
        for (line, problem) in [
            ("X --other a", "2: unknown flag `--other`"),
            ("X --Value=a b", "2: unknown flag `--Value`"),
            (
                "X --value=a --value=b c",
                "12: flag `--value` is given twice",
            ),
            ("X --value a", "2: flag `--value` needs a value"),
            ("X --values", "2: flag `--values` needs a value"),
            ("X --switch=", "2: flag `--switch` takes `true` or `false`"),
            (
                "X --switch=1 a",
                "2: flag `--switch` takes `true` or `false`",
            ),
        ] {
            assert_eq!(checked(line), Err(problem.into()), "{line}");
        }
    }
}
