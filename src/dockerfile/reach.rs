//! From the target of a build to everything that it needs.

use super::{
    canonical::Stages,
    file,
    graph::{Graph, Source, Use},
    instruction::Instruction,
    late::Late,
    problem::Problem,
};

/// What a trigger that runs costs of the budget: one file can let many stages run many of them.
const TRIGGER_COST: usize = 256;

impl Graph<'_> {
    /// Returns the bases that the target needs, and the places that name another stage or nothing.
    ///
    /// # Errors
    ///
    /// A target that does not exist; a trigger that cannot run; a stage that is needed above the place where it stands.
    pub fn uses(mut self) -> Result<Vec<Use>, Problem> {
        let target = self.target()?;
        let mut reached = self.reached_from(target);
        // A trigger may need further stages, whose bases may have further triggers.
        while self.run_triggers(&reached)? {
            reached = self.reached_from(target);
        }
        self.refuse_later_stages(&reached)?;
        self.refuse_late_problems(&reached)?;
        let root = self.root_of(target);
        reached
            .into_iter()
            .filter_map(|stage| self.stages.get(stage).map(|node| (stage, node)))
            .map(|(stage, node)| {
                if let Source::Invalid(image) = &node.source {
                    let message = "the named context is no image";
                    return Err(Problem::dependency(image.as_str(), message).at(node.name.offset));
                }
                Ok(Use {
                    name: node.name.clone(),
                    base_name: node.base_name.clone(),
                    source: node.source.clone(),
                    platform: node.platform.as_ref().unwrap_or(self.platform).clone(),
                    runtime: stage == root,
                    is_from: node.stage.is_some(),
                })
            })
            .collect()
    }

    /// The last stage of the wanted name, or the last stage of the file.
    fn target(&self) -> Result<usize, Problem> {
        match self.build.target.as_deref().filter(|name| !name.is_empty()) {
            None => Ok(self.file.stages.len().saturating_sub(1)),
            Some(name) => self
                .by_name
                .get(&name.to_lowercase())
                .copied()
                .ok_or_else(|| Problem::dependency(name, "the file has no stage of this name")),
        }
    }

    /// Returns the stages that one stage needs, itself among them, in the order of the file.
    fn reached_from(&self, target: usize) -> Vec<usize> {
        let mut reached = vec![false; self.stages.len()];
        let mut ahead = vec![target];
        while let Some(stage) = ahead.pop() {
            let (Some(seen), Some(node)) = (reached.get_mut(stage), self.stages.get(stage)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                ahead.extend(node.base);
                ahead.extend(node.needs.iter().map(|need| need.stage));
            }
        }
        let stages = reached.into_iter().enumerate();
        stages
            .filter_map(|(stage, reached)| reached.then_some(stage))
            .collect()
    }

    /// Follows the chain of `FROM` to the stage that continues no other.
    fn root_of(&self, stage: usize) -> usize {
        let base = |stage: &usize| self.stages.get(*stage)?.base;
        std::iter::successors(Some(stage), base)
            .last()
            .unwrap_or(stage)
    }

    /// Adds what the triggers of these stages' bases need, once for each stage; tells whether there was anything.
    fn run_triggers(&mut self, stages: &[usize]) -> Result<bool, Problem> {
        let mut found = false;
        for stage in stages {
            let Some(node) = self.stages.get_mut(*stage) else {
                continue;
            };
            if std::mem::replace(&mut node.triggered, true) {
                continue;
            }
            let needs = node.needs.len();
            match node.base {
                Some(base) => self.run_triggers_of_stage(*stage, base)?,
                None => self.run_triggers_of_image(*stage)?,
            }
            found |= self
                .stages
                .get(*stage)
                .is_some_and(|node| node.needs.len() > needs);
        }
        Ok(found)
    }

    fn run_triggers_of_stage(&mut self, stage: usize, base: usize) -> Result<(), Problem> {
        let file: &Stages = self.file;
        let number = self.stages.get(base).and_then(|node| node.stage);
        let Some(base) = number.and_then(|number| file.stages.get(number)) else {
            return Ok(());
        };
        for step in &base.steps {
            if let Instruction::OnBuild(trigger) = step {
                let trigger = trigger.as_ref().as_ref().map_err(Problem::clone)?;
                self.charge(stage)?;
                self.add_needs(stage, trigger, None)?;
            }
        }
        Ok(())
    }

    /// BuildKit looks at the triggers of an image that is only copied from, too: it runs none of them, yet asks for the
    /// images that they name.
    fn run_triggers_of_image(&mut self, stage: usize) -> Result<(), Problem> {
        let Some(node) = self.stages.get(stage) else {
            return Ok(());
        };
        let (Source::Image(image) | Source::Instead(image)) = &node.source else {
            return Ok(());
        };
        let offset = node.name.offset;
        let triggers = self.build.on_build.get(image).into_iter().flatten();
        for text in triggers {
            let trigger = file::trigger(text).map_err(|problem| {
                let message = format!("its trigger `{text}` cannot run: {}", problem.message);
                Problem::dependency(problem.text, message).at(offset)
            })?;
            self.charge(stage)?;
            self.add_needs(stage, &trigger, Some(offset))?;
        }
        Ok(())
    }

    fn charge(&self, stage: usize) -> Result<(), Problem> {
        self.budget.charge(TRIGGER_COST).map_err(|_| {
            let offset = self.stages.get(stage).map(|node| node.name.offset);
            Problem::dependency("", "the stages of this file run too many triggers")
                .at(offset.unwrap_or_default())
        })
    }

    /// Refuses stages that copy from each other in a circle, whether the target needs them or not.
    pub fn refuse_cycles(&self) -> Result<(), Problem> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut marks = vec![Mark::New; self.stages.len()];
        for start in 0..self.file.stages.len() {
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
                        let message = "stages must not copy from each other in a circle";
                        return Err(Problem::dependency(&*need.name, message).at(need.offset));
                    }
                    Some(Mark::New) => path.push((need.stage, 0)),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn refuse_later_stages(&self, reached: &[usize]) -> Result<(), Problem> {
        for stage in reached {
            let Some(node) = self.stages.get(*stage).filter(|node| !node.replaced) else {
                continue;
            };
            for need in node.needs.iter().filter(|need| need.ordered) {
                let source = self.stages.get(need.stage);
                let is_later = need.stage > *stage
                    && source.is_some_and(|source| source.stage.is_some() && !source.replaced);
                if is_later {
                    let message = "a stage must stand above the place that copies from it";
                    return Err(Problem::dependency(&*need.name, message).at(need.offset));
                }
            }
        }
        Ok(())
    }

    fn refuse_late_problems(&self, reached: &[usize]) -> Result<(), Problem> {
        let nodes = reached.iter().filter_map(|stage| self.stages.get(*stage));
        let built = nodes.filter(|node| !node.replaced);
        let stages = built.filter_map(|node| self.file.stages.get(node.stage?));
        for step in stages.flat_map(|stage| &stage.steps) {
            if let Instruction::Late(Late { problem, unless }) = step {
                let given = |name: &String| self.build.args.contains_key(name);
                if !unless.as_ref().is_some_and(given) {
                    return Err(problem.clone());
                }
            }
        }
        Ok(())
    }
}
