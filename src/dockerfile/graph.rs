//! Which stages and images the target of a build needs, for one platform.
//!
//! The rules are those of BuildKit's `dockerfile2llb/convert.go`. As there, an image that a `COPY` or a mount names
//! becomes a stage behind those of the file, and can be copied from by its number.

use std::{borrow::Cow, collections::HashMap};

use super::{
    context::Context,
    expand::{BuildVariables, ExpansionBudget},
    instruction::{self, From, Instruction},
    mount::MountSource,
    problem::Problem,
    scope::{self, GraphInput},
    stages::Stage,
    text::{SourceRange, SourceToken},
};
use crate::image::{InvalidReference, Platform, Reference};

/// The stages of a build and what each needs.
pub(super) struct StageGraph<'d> {
    pub given: GraphInput<'d>,
    pub budget: ExpansionBudget,
    pub stages: Vec<StageNode<'d>>,
    pub by_name: HashMap<&'d str, usize>,
    /// The parts that only another frontend can read, where one reads the file.
    pub unread: Vec<Problem>,
}

/// A stage of the file, or an image that a `COPY` or a mount names.
pub(super) struct StageNode<'d> {
    pub name: Name<'d>,
    /// The base's name after variables are replaced.
    pub base_name: Cow<'d, str>,
    pub is_stage: bool,
    /// The stage that this one continues.
    pub base: Option<usize>,
    pub source: Source,
    /// Whether the name may also be a stage that only another frontend knows.
    pub is_doubtful: bool,
    pub platform: Option<Platform>,
    /// Whether a named context replaces the stage, so that its instructions do not run.
    pub replaced: bool,
    pub needs: Vec<StageDependency<'d>>,
    pub triggered: bool,
}

/// A name of a base, and where it is written.
#[derive(Clone, Copy)]
pub(super) struct Name<'d> {
    pub token: &'d SourceToken,
    pub written: NameLocation,
}

/// Where a name is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NameLocation {
    /// In the file, at its token.
    Here,
    /// Nowhere: it is the token of a mount that names no source.
    Not,
    /// In a trigger of the image whose name is at this offset; the number distinguishes the names in its triggers.
    Trigger(usize, usize),
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Another stage, nothing, or files.
    None,
    Image(Reference),
    /// The image of a named context, in place of the one in the file.
    Instead(Reference),
    /// A named context whose image name is invalid.
    Invalid(String),
}

/// A stage that another one copies or mounts from.
pub(super) struct StageDependency<'d> {
    pub stage: usize,
    pub name: Name<'d>,
}

impl<'d> StageGraph<'d> {
    /// Finds the stages of a file and what each needs.
    ///
    /// # Errors
    ///
    /// A base, a platform or a stage that cannot be determined, whether the target needs it or not.
    pub fn new(given: GraphInput<'d>) -> Result<Self, Problem> {
        let stages = &given.file.stages;
        let mut graph = Self {
            given,
            budget: ExpansionBudget::new(),
            stages: Vec::with_capacity(stages.len()),
            by_name: HashMap::with_capacity(stages.len()),
            unread: Vec::new(),
        };
        let variables = graph.variables()?;
        for stage in stages {
            graph.add_stage(stage, &variables)?;
        }
        for (number, stage) in stages.iter().enumerate() {
            for step in &stage.steps {
                graph.add_needs(number, step, None)?;
            }
        }
        if given.foreign.is_none() {
            graph.refuse_cycles()?;
        }
        Ok(graph)
    }

    /// Returns the variables that `FROM` can refer to. Variables that a line before the first stage may set and that
    /// only another frontend can read are left out; outside of names, words keep them as written.
    fn variables(&mut self) -> Result<BuildVariables, Problem> {
        let mut unread = self.given.foreign.into_iter().flatten();
        let doubtful = unread.rfind(|line| !line.in_stage);
        if doubtful.is_some() {
            self.given.lexer = self.given.lexer.keep_unset();
        }
        let mut variables = scope::predefined(self.given);
        for argument in &self.given.file.arguments {
            let default = argument.value.as_ref();
            let default = default
                .filter(|token| doubtful.is_none_or(|line| line.offset < token.place.start()));
            let name = &argument.name;
            let added =
                scope::add_argument(&mut variables, self.given, name, default, &self.budget);
            self.readable(added)?;
        }
        Ok(variables)
    }

    /// Returns the value that was read, or `None` where only another frontend can read it.
    pub fn readable<T>(&mut self, read: Result<T, Problem>) -> Result<Option<T>, Problem> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(problem) if self.given.foreign.is_some() => {
                self.unread.push(problem);
                Ok(None)
            }
            Err(problem) => Err(problem),
        }
    }

    /// Tells whether a line above `offset`, which only another frontend can read, may hold further stages.
    fn is_below_unread(&self, offset: usize) -> bool {
        let unread = self.given.foreign.and_then(|lines| lines.first());
        unread.is_some_and(|line| line.offset < offset)
    }

    fn add_stage(&mut self, stage: &'d Stage, variables: &BuildVariables) -> Result<(), Problem> {
        let From {
            image,
            platform,
            name,
        } = &stage.from;
        let base_name = self.base_name(image, variables);
        let base_name = self.readable(base_name)?;
        let platform = platform.as_ref();
        let platform = platform.map(|platform| self.stage_platform(platform, variables));
        let platform = self.readable(platform.transpose())?.flatten();
        let context = name.as_ref();
        let context = context.map(|name| self.stage_context(name, image, platform.as_ref()));
        let context = self.readable(context.transpose())?.flatten().flatten();
        let base = match (context, &base_name) {
            (None, Some(base_name)) => self.by_name.get(&**base_name).copied(),
            _ => None,
        };
        let source = match (context, base, &base_name) {
            (Some(context), ..) => Source::of(context),
            (None, None, Some(base_name)) => {
                let source = self.image(base_name, platform.as_ref());
                let source = source.map_err(|message| wrong(image, message));
                self.readable(source)?.unwrap_or(Source::None)
            }
            _ => Source::None,
        };
        let number = self.stages.len();
        let base_name = base_name.unwrap_or_default();
        self.stages.push(StageNode {
            name: Name {
                token: image,
                written: NameLocation::Here,
            },
            is_doubtful: instruction::is_stage_name(&base_name)
                && self.is_below_unread(image.place.start()),
            base_name,
            is_stage: true,
            base,
            source,
            platform,
            replaced: context.is_some(),
            needs: Vec::new(),
            triggered: false,
        });
        if let Some(name) = name {
            self.by_name.insert(name, number);
        }
        Ok(())
    }

    fn base_name(
        &self,
        image: &'d SourceToken,
        variables: &BuildVariables,
    ) -> Result<Cow<'d, str>, Problem> {
        match self.expand(image, variables)? {
            name if name.is_empty() => Err(wrong(image, "the name of the base image is blank")),
            name => Ok(name),
        }
    }

    fn expand(
        &self,
        token: &'d SourceToken,
        variables: &BuildVariables,
    ) -> Result<Cow<'d, str>, Problem> {
        let lexer = self.given.lexer;
        if lexer.is_plain(&token.text) {
            return Ok(Cow::Borrowed(&token.text));
        }
        lexer
            .word(&token.text, variables, &self.budget)
            .map(Cow::Owned)
            .map_err(|error| wrong(token, error.to_string()))
    }

    fn stage_platform(
        &self,
        token: &'d SourceToken,
        variables: &BuildVariables,
    ) -> Result<Platform, Problem> {
        let text = self.expand(token, variables)?;
        Platform::parse(&text, &self.given.build.build_platform).map_err(|_| {
            let form = "is not of the form os[/architecture[/variant]]";
            wrong(token, format!("platform `{text}` {form}"))
        })
    }

    /// Returns the named context that replaces a whole stage.
    fn stage_context(
        &self,
        name: &str,
        image: &SourceToken,
        platform: Option<&Platform>,
    ) -> Result<Option<&'d Context>, Problem> {
        if matches!(name, "scratch" | "context") {
            return Ok(None);
        }
        // BuildKit looks up every stage's name among the contexts, and therefore parses it as a reference.
        let name = name.parse().map_err(|error| {
            let message = format!("the stage's name cannot be that of a context: {error}");
            wrong(image, message)
        })?;
        let platform = platform.unwrap_or(self.given.platform);
        Ok(self.given.contexts.get(&name, platform))
    }

    /// Returns the image that a name means where it is no stage of the file.
    fn image(&self, name: &str, platform: Option<&Platform>) -> Result<Source, String> {
        if name == "scratch" {
            return Ok(Source::None);
        }
        let reference: Reference = name
            .parse()
            .map_err(|error: InvalidReference| error.to_string())?;
        let platform = platform.unwrap_or(self.given.platform);
        Ok(match self.given.contexts.get(&reference, platform) {
            Some(context) => Source::of(context),
            None => Source::Image(reference),
        })
    }

    /// Finds the stages and images that an instruction copies or mounts from. An instruction of a trigger has no place
    /// in the file; `elsewhere` says which image's trigger it is.
    pub fn add_needs(
        &mut self,
        stage: usize,
        step: &'d Instruction,
        elsewhere: Option<usize>,
    ) -> Result<(), Problem> {
        match step {
            Instruction::Copy(Some(from)) => {
                let name = self.name(stage, from, elsewhere);
                let source = self.copied(name);
                self.add_need(stage, source, name)?;
            }
            Instruction::Run(mounts) => {
                for MountSource { from, options } in mounts {
                    let mut name = self.name(stage, from.as_ref().unwrap_or(options), elsewhere);
                    if from.is_none() {
                        name.written = NameLocation::Not;
                    }
                    let source = self.stage_or_image(name);
                    self.add_need(stage, source, name)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the stage that `COPY --from=` names, by number or name.
    fn copied(&mut self, name: Name<'d>) -> Result<usize, Problem> {
        self.check_constant(name)?;
        let Ok(number) = name.token.text.parse::<i64>() else {
            return self.stage_or_image(name);
        };
        let stage = usize::try_from(number).ok();
        let stage = stage.filter(|stage| *stage < self.stages.len());
        match stage {
            Some(_) if self.is_below_unread(name.key().0) => {
                Err(name.problem("it may be the number of a stage that another frontend reads"))
            }
            Some(stage) => Ok(stage),
            None => Err(name.problem(format!("there is no stage with the number {number}"))),
        }
    }

    fn name(&self, stage: usize, token: &'d SourceToken, elsewhere: Option<usize>) -> Name<'d> {
        let written = match elsewhere {
            None => NameLocation::Here,
            Some(offset) => {
                let needs = self.stages.get(stage).map_or(0, |node| node.needs.len());
                NameLocation::Trigger(offset, needs + 1)
            }
        };
        Name { token, written }
    }

    /// Refuses variables, quotes and escapes in the value of `COPY --from=`.
    fn check_constant(&self, from: Name<'_>) -> Result<(), Problem> {
        let text = &from.token.text;
        let lexer = self.given.lexer;
        if lexer.is_plain(text) {
            return Ok(());
        }
        match lexer.word(text, &BuildVariables::new(), &self.budget) {
            Ok(word) if word == *text => Ok(()),
            Ok(_) if !text.contains('$') => {
                Err(from.problem("`--from` must not hold quotes or escapes; name a stage instead"))
            }
            Ok(_) => Err(from.problem("`--from` must not hold a variable; name a stage instead")),
            Err(error) => Err(from.problem(error.to_string())),
        }
    }

    /// Returns the last stage of that name, in any case, or adds a stage for the image of that name.
    fn stage_or_image(&mut self, name: Name<'d>) -> Result<usize, Problem> {
        let text = name.text();
        if let Some(stage) = self.by_name.get(&*lower_case(text)) {
            return Ok(*stage);
        }
        if instruction::is_stage_name(&lower_case(text)) && self.is_below_unread(name.key().0) {
            return Err(name.problem("it may be a stage that another frontend reads"));
        }
        let source = self
            .image(text, None)
            .map_err(|message| name.problem(message))?;
        self.stages.push(StageNode {
            name,
            base_name: Cow::Borrowed(text),
            is_stage: false,
            base: None,
            source,
            is_doubtful: false,
            platform: None,
            replaced: false,
            needs: Vec::new(),
            triggered: false,
        });
        Ok(self.stages.len() - 1)
    }

    fn add_need(
        &mut self,
        stage: usize,
        source: Result<usize, Problem>,
        name: Name<'d>,
    ) -> Result<(), Problem> {
        let source = self.readable(source)?;
        if let (Some(node), Some(stage)) = (self.stages.get_mut(stage), source) {
            node.needs.push(StageDependency { stage, name });
        }
        Ok(())
    }
}

impl<'d> Name<'d> {
    /// Returns the name. A mount without a source refers to the stage `scratch`, if the file has one, as in BuildKit.
    pub fn text(&self) -> &'d str {
        match self.written {
            NameLocation::Not => "scratch",
            _ => &self.token.text,
        }
    }

    /// Returns the byte offset of the name, and a number that distinguishes names at one offset.
    pub fn key(&self) -> (usize, usize) {
        match self.written {
            NameLocation::Trigger(offset, number) => (offset, number),
            _ => (self.token.place.start(), 0),
        }
    }

    /// Returns where the name is in the file.
    pub fn place(&self) -> Option<&'d SourceRange> {
        (self.written == NameLocation::Here).then_some(&self.token.place)
    }

    /// Returns a problem about the name.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::dependency(self.text(), message).at(self.key().0)
    }
}

impl Source {
    fn of(context: &Context) -> Self {
        match context {
            Context::Image(reference) => Self::Instead(reference.clone()),
            Context::Files => Self::None,
            Context::Invalid(image) => Self::Invalid(image.clone()),
        }
    }
}

fn lower_case(text: &str) -> Cow<'_, str> {
    let is_lower = text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    if is_lower {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn wrong(token: &SourceToken, message: impl Into<String>) -> Problem {
    Problem::dependency(&*token.text, message).at(token.place.start())
}
