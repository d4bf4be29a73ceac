//! Which stages and images the target of a build needs, for one platform.
//!
//! The rules are those of BuildKit's `dockerfile2llb/convert.go`. As there, an image that a `COPY` or a mount names is
//! a stage of its own behind those of the file, and can be copied from by its number.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use super::{
    bases::Build,
    canonical::{Stage, Stages},
    context::{Context, Contexts},
    expand::{Budget, Lexer, Variables},
    instruction::{From, Instruction, Trigger},
    mount::Mount,
    problem::Problem,
    scope,
    text::{Place, Token},
};
use crate::image::{InvalidReference, Platform, Reference};

/// What a graph is made from.
#[derive(Clone, Copy)]
pub(super) struct Given<'d> {
    pub file: &'d Stages,
    /// How the file's words are read.
    pub lexer: Lexer,
    pub build: &'d Build,
    pub contexts: &'d Contexts,
    /// The triggers of images' configurations.
    pub triggers: &'d BTreeMap<&'d Reference, Vec<Trigger>>,
    /// The platform that is built for.
    pub platform: &'d Platform,
}

/// The stages of a build and what each needs.
pub(super) struct Graph<'d> {
    pub given: Given<'d>,
    pub budget: Budget,
    pub stages: Vec<Node<'d>>,
    pub by_name: HashMap<&'d str, usize>,
}

/// A stage of the file, or an image that a `COPY` or a mount names.
pub(super) struct Node<'d> {
    pub name: Name<'d>,
    /// The name once variables are replaced.
    pub base_name: Cow<'d, str>,
    /// Whether it is a stage of the file.
    pub is_stage: bool,
    /// The stage that it continues.
    pub base: Option<usize>,
    pub source: Source,
    pub platform: Option<Platform>,
    /// A named context stands in its place, so its instructions do not run.
    pub replaced: bool,
    pub needs: Vec<Need<'d>>,
    pub triggered: bool,
}

/// A name of a base, and where it is written.
#[derive(Clone, Copy)]
pub(super) struct Name<'d> {
    pub token: &'d Token,
    pub written: Written,
}

/// Where a name is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Where its token is.
    Here,
    /// Nowhere: the token is a mount's that names no source.
    Not,
    /// In a trigger of the image whose name is at this offset; the number tells the names of its triggers apart.
    Trigger(usize, usize),
}

/// What a stage begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Another stage, nothing, or files.
    None,
    Image(Reference),
    /// An image that a named context puts in the place of the one that is written.
    Instead(Reference),
    /// A named context that is no image.
    Invalid(String),
}

/// A stage that another one copies or mounts from.
pub(super) struct Need<'d> {
    pub stage: usize,
    pub name: Name<'d>,
}

impl<'d> Graph<'d> {
    /// Finds the stages of a file and what each needs.
    ///
    /// # Errors
    ///
    /// A base, a platform or a stage that cannot be told, whether the target needs it or not.
    pub fn new(given: Given<'d>) -> Result<Self, Problem> {
        let stages = &given.file.stages;
        let mut graph = Self {
            given,
            budget: Budget::new(),
            stages: Vec::with_capacity(stages.len()),
            by_name: HashMap::with_capacity(stages.len()),
        };
        let variables = scope::variables(given, &graph.budget)?;
        for stage in stages {
            graph.add_stage(stage, &variables)?;
        }
        for (number, stage) in stages.iter().enumerate() {
            for step in &stage.steps {
                graph.add_needs(number, step, None)?;
            }
        }
        graph.refuse_cycles()?;
        Ok(graph)
    }

    fn add_stage(&mut self, stage: &'d Stage, variables: &Variables) -> Result<(), Problem> {
        let From {
            image,
            platform,
            name,
        } = &stage.from;
        let base_name = self.expand(image, variables)?;
        if base_name.is_empty() {
            return Err(wrong(image, "the name of the base image is blank"));
        }
        let platform = match platform {
            Some(platform) => Some(self.stage_platform(platform, variables)?),
            None => None,
        };
        let context = match name {
            Some(name) => self.stage_context(name, image, platform.as_ref())?,
            None => None,
        };
        let base = match context {
            Some(_) => None,
            None => self.by_name.get(&*base_name).copied(),
        };
        let source = match (context, base) {
            (Some(context), _) => Source::of(context),
            (None, Some(_)) => Source::None,
            (None, None) => self
                .image(&base_name, platform.as_ref())
                .map_err(|message| wrong(image, message))?,
        };
        let number = self.stages.len();
        self.stages.push(Node {
            name: Name {
                token: image,
                written: Written::Here,
            },
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

    fn expand(&self, token: &'d Token, variables: &Variables) -> Result<Cow<'d, str>, Problem> {
        let lexer = self.given.lexer;
        if lexer.is_plain(&token.text) {
            return Ok(Cow::Borrowed(&token.text));
        }
        lexer
            .word(&token.text, variables, &self.budget)
            .map(Cow::Owned)
            .map_err(|error| wrong(token, error.to_string()))
    }

    fn stage_platform(&self, token: &'d Token, variables: &Variables) -> Result<Platform, Problem> {
        let text = self.expand(token, variables)?;
        Platform::parse(&text, &self.given.build.build_platform).map_err(|_| {
            let form = "is not of the form os[/architecture[/variant]]";
            wrong(token, format!("platform `{text}` {form}"))
        })
    }

    /// Returns the named context that stands in the place of a whole stage.
    fn stage_context(
        &self,
        name: &str,
        image: &Token,
        platform: Option<&Platform>,
    ) -> Result<Option<&'d Context>, Problem> {
        if matches!(name, "scratch" | "context") {
            return Ok(None);
        }
        // BuildKit reads the name of every stage as that of a context, and so as a reference.
        let name = name.parse().map_err(|error| {
            let message = format!("the stage's name cannot be that of a context: {error}");
            wrong(image, message)
        })?;
        let platform = platform.unwrap_or(self.given.platform);
        Ok(self.given.contexts.get(&name, platform))
    }

    /// Returns the image that a name means outside the file.
    fn image(&self, name: &str, platform: Option<&Platform>) -> Result<Source, String> {
        if name == "scratch" {
            return Ok(Source::None);
        }
        let reference: Reference = name
            .parse()
            .map_err(|error: InvalidReference| error.to_string())?;
        let platform = platform.unwrap_or(self.given.platform);
        Ok(match self.given.contexts.get(&reference, platform) {
            Some(context) if name != "context" => Source::of(context),
            _ => Source::Image(reference),
        })
    }

    /// Finds what an instruction of a stage copies or mounts from. A trigger of an image's configuration has no place
    /// in the file; it stands at `elsewhere`.
    pub fn add_needs(
        &mut self,
        stage: usize,
        step: &'d Instruction,
        elsewhere: Option<usize>,
    ) -> Result<(), Problem> {
        match step {
            Instruction::Copy(Some(from)) => {
                let name = self.name(stage, from, elsewhere);
                self.check_constant(name)?;
                let source = match from.text.parse::<i64>() {
                    Ok(number) => usize::try_from(number)
                        .ok()
                        .filter(|number| *number < self.stages.len())
                        .ok_or_else(|| {
                            name.problem(format!("there is no stage with the number {number}"))
                        })?,
                    Err(_) => self.stage_or_image(name)?,
                };
                self.add_need(stage, source, name);
            }
            Instruction::Run(mounts) => {
                for Mount { from, options } in mounts {
                    let mut name = self.name(stage, from.as_ref().unwrap_or(options), elsewhere);
                    if from.is_none() {
                        name.written = Written::Not;
                    }
                    let source = self.stage_or_image(name)?;
                    self.add_need(stage, source, name);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self, stage: usize, token: &'d Token, elsewhere: Option<usize>) -> Name<'d> {
        let written = match elsewhere {
            None => Written::Here,
            Some(offset) => {
                let needs = self.stages.get(stage).map_or(0, |node| node.needs.len());
                Written::Trigger(offset, needs + 1)
            }
        };
        Name { token, written }
    }

    /// Refuses variables, quotes and escapes behind `COPY --from=`.
    fn check_constant(&self, from: Name<'_>) -> Result<(), Problem> {
        let text = &from.token.text;
        let lexer = self.given.lexer;
        if lexer.is_plain(text) {
            return Ok(());
        }
        match lexer.word(text, &Variables::new(), &self.budget) {
            Ok(word) if word == *text => Ok(()),
            Ok(_) => Err(from.problem("`--from` must not hold a variable; name a stage instead")),
            Err(error) => Err(from.problem(error.to_string())),
        }
    }

    /// Returns the last stage of that name in any case, or a new one that is an image.
    fn stage_or_image(&mut self, name: Name<'d>) -> Result<usize, Problem> {
        let text = name.text();
        if let Some(stage) = self.by_name.get(&*lower_case(text)) {
            return Ok(*stage);
        }
        let source = self
            .image(text, None)
            .map_err(|message| name.problem(message))?;
        self.stages.push(Node {
            name,
            base_name: Cow::Borrowed(text),
            is_stage: false,
            base: None,
            source,
            platform: None,
            replaced: false,
            needs: Vec::new(),
            triggered: false,
        });
        Ok(self.stages.len() - 1)
    }

    fn add_need(&mut self, stage: usize, source: usize, name: Name<'d>) {
        if let Some(node) = self.stages.get_mut(stage) {
            node.needs.push(Need {
                stage: source,
                name,
            });
        }
    }
}

impl<'d> Name<'d> {
    /// Returns the name. A mount without a source is BuildKit's stage `scratch`, should the file have one.
    pub fn text(&self) -> &'d str {
        match self.written {
            Written::Not => "scratch",
            _ => &self.token.text,
        }
    }

    /// Returns the byte of the file that stands for the name, and a number that tells names at one byte apart.
    pub fn key(&self) -> (usize, usize) {
        match self.written {
            Written::Trigger(offset, number) => (offset, number),
            _ => (self.token.place.start(), 0),
        }
    }

    /// Returns where the name is in the file.
    pub fn place(&self) -> Option<&'d Place> {
        (self.written == Written::Here).then_some(&self.token.place)
    }

    /// Returns a problem of the name.
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
    match is_lower {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
    }
}

fn wrong(token: &Token, message: impl Into<String>) -> Problem {
    Problem::dependency(&*token.text, message).at(token.place.start())
}
