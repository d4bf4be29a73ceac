//! The stages and images that the target of a build needs.

use std::borrow::Cow;

use super::{
    graph::{Name, NameLocation, Source, StageGraph, StageNode},
    instruction::{Instruction, Trigger},
    problem::Problem,
};
use crate::image::Platform;

/// The budget cost of running a trigger: one file can make many stages run many triggers.
const TRIGGER_COST: usize = 256;

/// A base that the target needs, on one platform.
pub(super) struct BaseUse<'d> {
    pub name: Name<'d>,
    /// The base's name after variables are replaced.
    pub base_name: Cow<'d, str>,
    pub source: Source,
    pub platform: Cow<'d, Platform>,
    /// Whether the target's chain of `FROM` ends here.
    pub runtime: bool,
    pub is_from: bool,
    /// Whether the name may also be a stage that only another frontend knows.
    pub is_doubtful: bool,
}

impl<'d> StageGraph<'d> {
    /// Returns the bases that the target needs, including places that name another stage or nothing; and the parts of
    /// the file that only another frontend can read, where one reads it.
    ///
    /// # Errors
    ///
    /// A target that does not exist; a trigger that cannot run; a stage that is used above its definition.
    pub fn uses(mut self) -> Result<(Vec<BaseUse<'d>>, Vec<Problem>), Problem> {
        let target = self.target();
        let target = self.readable(target)?;
        let mut reached = self.reached_from(target);
        // A trigger may need further stages, whose bases may have further triggers.
        while self.run_triggers(&reached)? {
            reached = self.reached_from(target);
        }
        if self.given.foreign.is_none() {
            self.refuse_later_stages(&reached)?;
        }
        let root = target.map(|target| self.root_of(target));
        let given = self.given;
        let nodes = self.stages.into_iter().zip(reached).enumerate();
        let uses = nodes
            .filter(|(_, (_, reached))| *reached)
            .map(|(stage, (node, _))| {
                if let Source::Invalid(image) = &node.source {
                    let message = format!("the named context `{image}` is no image");
                    return Err(node.name.problem(message));
                }
                Ok(BaseUse {
                    name: node.name,
                    base_name: node.base_name,
                    source: node.source,
                    platform: match node.platform {
                        Some(platform) => Cow::Owned(platform),
                        None => Cow::Borrowed(given.platform),
                    },
                    runtime: Some(stage) == root,
                    is_from: node.is_stage,
                    is_doubtful: node.is_doubtful,
                })
            });
        Ok((uses.collect::<Result<_, _>>()?, self.unread))
    }

    /// Returns the last stage of the target's name, or the last stage of the file.
    fn target(&self) -> Result<usize, Problem> {
        let target = self.given.build.target.as_deref();
        match target.filter(|name| !name.is_empty()) {
            None => Ok(self.given.file.stages.len().saturating_sub(1)),
            Some(name) => {
                let stage = self.by_name.get(name.to_lowercase().as_str()).copied();
                stage.ok_or_else(|| {
                    let mut names: Vec<&str> = self.by_name.keys().map(AsRef::as_ref).collect();
                    names.sort_unstable();
                    let there_are = if names.is_empty() {
                        "no stage of it has one".to_owned()
                    } else {
                        format!("there are `{}`", names.join("`, `"))
                    };
                    let problem = format!("the file has no stage of this name; {there_are}");
                    Problem::dependency(name, &problem)
                })
            }
        }
    }

    /// Returns, for each stage, whether the target needs it. Lines that only another frontend can read may need any
    /// stage, so with such lines every stage may count as needed.
    fn reached_from(&self, target: Option<usize>) -> Vec<bool> {
        let has_unread = self.given.foreign.is_some_and(|lines| !lines.is_empty());
        let mut ahead = match target {
            Some(target) if !has_unread => vec![target],
            _ => (0..self.given.file.stages.len()).collect(),
        };
        let mut reached = vec![false; self.stages.len()];
        while let Some(stage) = ahead.pop() {
            let (Some(seen), Some(node)) = (reached.get_mut(stage), self.stages.get(stage)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                ahead.extend(node.base);
                // The instructions of a stage do not run where a named context stands in its place.
                let needs = node.needs.iter().filter(|_| !node.replaced);
                ahead.extend(needs.map(|need| need.stage));
            }
        }
        reached
    }

    /// Follows the chain of `FROM` to the stage that continues no other stage.
    fn root_of(&self, stage: usize) -> usize {
        std::iter::successors(Some(stage), |stage| self.stages.get(*stage)?.base)
            .last()
            .unwrap_or(stage)
    }

    /// Adds the needs of the triggers in these stages' bases, once for each stage; returns whether any were added.
    fn run_triggers(&mut self, reached: &[bool]) -> Result<bool, Problem> {
        let mut found = false;
        for stage in (0..reached.len()).filter(|stage| reached.get(*stage) == Some(&true)) {
            let Some(node) = self.stages.get_mut(stage) else {
                continue;
            };
            if std::mem::replace(&mut node.triggered, true) {
                continue;
            }
            let (needs, replaced) = (node.needs.len(), node.replaced);
            match node.base {
                Some(base) => self.run_triggers_of_stage(stage, base)?,
                None if !replaced => self.run_triggers_of_image(stage)?,
                None => {}
            }
            found |= self
                .stages
                .get(stage)
                .is_some_and(|node| node.needs.len() > needs);
        }
        Ok(found)
    }

    fn run_triggers_of_stage(&mut self, stage: usize, base: usize) -> Result<(), Problem> {
        let Some(base) = self.given.file.stages.get(base) else {
            return Ok(());
        };
        for step in &base.steps {
            if let Instruction::OnBuild(trigger) = step {
                let run = self.run_trigger(stage, trigger, None);
                self.readable(run)?;
            }
        }
        Ok(())
    }

    /// Adds the images that the triggers of an image named by a `COPY` refer to: BuildKit does not run these triggers,
    /// but it resolves their images.
    fn run_triggers_of_image(&mut self, stage: usize) -> Result<(), Problem> {
        let given = self.given;
        let Some(node) = self.stages.get(stage) else {
            return Ok(());
        };
        let (Source::Image(image) | Source::Instead(image)) = &node.source else {
            return Ok(());
        };
        let name = node.name;
        for trigger in given.triggers.get(image).into_iter().flatten() {
            let run = self.run_trigger(stage, trigger, Some(name.key().0));
            let run = run.map_err(|problem| {
                let (text, problem) = (problem.text, problem.message);
                name.problem(format!("its trigger `{text}` cannot run: {problem}"))
            });
            self.readable(run)?;
        }
        Ok(())
    }

    fn run_trigger(
        &mut self,
        stage: usize,
        trigger: &'d Trigger,
        elsewhere: Option<usize>,
    ) -> Result<(), Problem> {
        let trigger = trigger.as_ref().map_err(Problem::clone)?;
        let too_many = |_| Problem::dependency("", "the stages of the file run too many triggers");
        self.budget.charge(TRIGGER_COST).map_err(too_many)?;
        self.add_needs(stage, trigger, elsewhere)
    }

    /// Refuses stages that copy from each other in a cycle, whether the target needs them or not.
    pub fn refuse_cycles(&self) -> Result<(), Problem> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.stages.len()];
        for start in 0..self.given.file.stages.len() {
            let mut path = vec![(start, 0)];
            while let Some((stage, next)) = path.last_mut() {
                let (Some(mark), Some(node)) = (marks.get_mut(*stage), self.stages.get(*stage))
                else {
                    break;
                };
                if *mark == Mark::Done {
                    path.pop();
                    continue;
                }
                let Some(need) = node.needs.get(*next) else {
                    *mark = Mark::Done;
                    path.pop();
                    continue;
                };
                *mark = Mark::OnPath;
                *next += 1;
                match marks.get(need.stage) {
                    Some(Mark::OnPath) => {
                        let message = "stages must not copy from each other in a cycle";
                        return Err(need.name.problem(message));
                    }
                    Some(Mark::New) => path.push((need.stage, 0)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn refuse_later_stages(&self, reached: &[bool]) -> Result<(), Problem> {
        for (stage, node) in self.built(reached) {
            let written = node
                .needs
                .iter()
                .filter(|n| n.name.written != NameLocation::Not);
            for need in written {
                let source = self.stages.get(need.stage);
                let must_stand_above = source.is_some_and(|s| s.is_stage && !s.replaced);
                if need.stage > stage && must_stand_above {
                    let message = "a stage must stand above the place that copies from it";
                    return Err(need.name.problem(message));
                }
            }
        }
        Ok(())
    }

    /// The stages whose instructions run.
    fn built(&self, reached: &[bool]) -> impl Iterator<Item = (usize, &StageNode<'d>)> {
        let nodes = self.stages.iter().zip(reached).enumerate();
        nodes.filter_map(|(stage, (node, reached))| {
            (*reached && !node.replaced).then_some((stage, node))
        })
    }
}
