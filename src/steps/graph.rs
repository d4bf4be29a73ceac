//! The dependency graph of steps, from their `when`. Every graph is acyclic: steps wait only for earlier ones.

use std::collections::{HashMap, HashSet};

use crate::secret::MaskedText;

use super::{
    build::BuildStep,
    resources::{Network, Volume},
    step::{Action, CmdStep, Step, StepId},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepStart {
    /// No `when`: after the previous step in the file.
    Previous,
    /// `-`: immediately.
    AtOnce,
    After(Vec<StepId>),
}

/// The steps of a task file in a valid order of execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// The version of the task file, as written.
    pub version: String,
    steps: Vec<Step>,
    /// For each step, a bit set of the steps that have ended when it starts.
    before: Vec<Vec<u64>>,
    /// The networks that the run creates or uses.
    pub networks: Vec<Network>,
    /// The volumes that the run creates.
    pub volumes: Vec<Volume>,
}

/// Why steps cannot be ordered: the number of the step, counted from 0, the wrong key, and the reason.
pub(super) type GraphError = (usize, &'static str, String);

impl Graph {
    /// Orders steps by what each waits for.
    ///
    /// # Errors
    ///
    /// [`GraphError`] where two steps have the same name, or `when` names a missing step, a later step or the step itself.
    pub(super) fn new(
        version: String,
        drafts: Vec<(Step, StepStart)>,
        networks: Vec<Network>,
        volumes: Vec<Volume>,
    ) -> Result<Self, GraphError> {
        let mut numbers: HashMap<StepId, usize> = HashMap::new();
        for (n, (step, _)) in drafts.iter().enumerate() {
            if numbers.insert(step.id.clone(), n).is_some() {
                return Err((n, "id", format!("there are two steps `{}`", step.id)));
            }
        }
        let words = drafts.len().div_ceil(64);
        let mut steps: Vec<Step> = Vec::new();
        let mut before: Vec<Vec<u64>> = Vec::new();
        for (n, (mut step, when)) in drafts.into_iter().enumerate() {
            step.after = match when {
                StepStart::AtOnce => Vec::new(),
                StepStart::Previous => steps
                    .last()
                    .map(|last| last.id.clone())
                    .into_iter()
                    .collect(),
                StepStart::After(names) => {
                    check(&step.id, &names, &numbers, n).map_err(|text| (n, "when", text))?;
                    names
                }
            };
            let mut bits = vec![0; words];
            for other in step.after.iter().filter_map(|id| numbers.get(id)) {
                for (all, more) in bits.iter_mut().zip(&before[*other]) {
                    *all |= more;
                }
                bits[other / 64] |= 1 << (other % 64);
            }
            before.push(bits);
            steps.push(step);
        }
        Ok(Self {
            version,
            steps,
            before,
            networks,
            volumes,
        })
    }

    /// Returns the steps in the order of the file; each comes after those that it waits for.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the builds of the steps, in the order of the file.
    pub fn builds(&self) -> impl Iterator<Item = &BuildStep> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Build(build) => Some(&**build),
            Action::Push(_) | Action::Cmd(_) => None,
        })
    }

    /// Returns the commands of the steps, in the order of the file.
    pub fn cmds(&self) -> impl Iterator<Item = &CmdStep> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Cmd(cmd) => Some(&**cmd),
            Action::Build(_) | Action::Push(_) => None,
        })
    }

    /// Tells whether the `other`th step has ended when the `n`th starts, both counted from 0.
    pub fn is_before(&self, other: usize, n: usize) -> bool {
        let bits = self.before.get(n).and_then(|bits| bits.get(other / 64));
        bits.is_some_and(|bits| bits & (1 << (other % 64)) != 0)
    }

    /// Returns the steps that have ended when `step` starts.
    pub fn ancestors(&self, step: &Step) -> impl Iterator<Item = &Step> {
        let n = self.steps.iter().position(|other| other.id == step.id);
        let steps = self.steps.iter().enumerate();
        steps
            .filter(move |(other, _)| n.is_some_and(|n| self.is_before(*other, n)))
            .map(|(_, step)| step)
    }

    /// Tells whether no two of the steps that `is_meant` selects can run at the same time.
    pub fn is_chain(&self, is_meant: impl Fn(&Step) -> bool) -> bool {
        let steps = self.steps.iter().enumerate();
        let meant: Vec<usize> = steps
            .filter(|(_, step)| is_meant(step))
            .map(|(n, _)| n)
            .collect();
        let follows =
            |pair: &[usize]| matches!(pair, [first, second] if self.is_before(*first, *second));
        meant.windows(2).all(follows)
    }

    /// Returns the texts of the steps that contain secrets.
    pub fn texts_with_secrets(&self) -> impl Iterator<Item = &MaskedText> {
        let texts = self.steps.iter().flat_map(|step| {
            let (args, env): (Vec<&MaskedText>, &[(String, MaskedText)]) = match &step.action {
                Action::Build(build) => {
                    let args = build.args.iter().filter_map(|(_, value)| value.as_ref());
                    (args.collect(), &build.env)
                }
                Action::Cmd(cmd) => (cmd.args.iter().collect(), &cmd.place.env),
                Action::Push(_) => (Vec::new(), &[]),
            };
            args.into_iter().chain(env.iter().map(|(_, value)| value))
        });
        texts.filter(|text| text.has_secret())
    }
}

fn check(
    step: &StepId,
    names: &[StepId],
    numbers: &HashMap<StepId, usize>,
    n: usize,
) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if name == step {
            return Err(format!("step `{step}` waits for itself"));
        }
        if !seen.insert(name) {
            return Err(format!("step `{step}` names `{name}` twice in its `when`"));
        }
        match numbers.get(name) {
            Some(number) if *number < n => {}
            Some(_) => {
                return Err(format!(
                    "step `{step}` waits for `{name}`, which stands further down: a step can only wait for steps before it"
                ));
            }
            None => {
                return Err(format!(
                    "step `{step}` waits for `{name}`, and there is no such step"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::steps::{Graph, Variables, read};

    fn graph(text: &str) -> Graph {
        read(text, &Variables::default(), &mut |_| Err(String::new()))
            .unwrap()
            .graph
    }

    #[test]
    fn step_ancestors_include_those_of_its_predecessors() {
        let graph = graph(
            "steps:\n- {id: a, cmd: x}\n- {id: b, cmd: x, when: ['-']}\n- {id: c, cmd: x, when: [a]}\n- {id: d, cmd: x}\n",
        );
        let names = |n: usize| -> Vec<String> {
            let found = graph.ancestors(&graph.steps()[n]);
            found.map(|step| step.id.to_string()).collect()
        };
        assert_eq!(names(3), ["a", "c"]);
        assert_eq!(names(1), Vec::<String>::new());
        assert!(!graph.is_chain(|_| true));
        assert!(graph.is_chain(|step| step.id.as_str() != "b"));
    }

    #[test]
    fn steps_that_wait_for_all_earlier_ones_are_a_chain() {
        for text in [
            "steps:\n- {cmd: x}\n- {cmd: x}\n- {cmd: x}\n",
            "steps:\n- {id: a, cmd: x}\n- {cmd: x, when: [a]}\n",
            "steps:\n- {id: a, cmd: x}\n- {id: b, cmd: x}\n- {cmd: x, when: [a, b]}\n",
        ] {
            assert!(graph(text).is_chain(|_| true), "{text}");
        }
    }
}
