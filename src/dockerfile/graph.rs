//! Which stages and images the target of a build needs, for one platform.
//!
//! The rules are those of BuildKit's `dockerfile2llb/convert.go`. As there, an image that a `COPY` or a mount names is
//! a stage of its own behind those of the file, and can be copied from by its number.

use std::collections::HashMap;

use super::{
    canonical::{Stage, Stages},
    context::{Context, Contexts},
    expand::{Budget, InvalidWord, Lexer, Variables},
    instruction::{From, Instruction},
    mount::Mount,
    platform,
    problem::Problem,
    scope,
    text::{Place, Token},
};
use crate::{
    dockerfile::bases::Build,
    image::{Platform, Reference},
};

/// The stages of a build and what each needs.
pub(super) struct Graph<'d> {
    pub file: &'d Stages,
    pub build: &'d Build,
    pub contexts: &'d Contexts,
    /// The platform that is built for.
    pub platform: &'d Platform,
    pub lexer: Lexer,
    pub budget: &'d Budget,
    pub stages: Vec<Node>,
    pub by_name: HashMap<String, usize>,
}

/// A stage of the file, or an image that a `COPY` or a mount names.
pub(super) struct Node {
    pub name: Name,
    /// The name once variables are replaced.
    pub base_name: String,
    /// The number in the file; `None` for an image that is no stage of it.
    pub stage: Option<usize>,
    /// The stage that it continues.
    pub base: Option<usize>,
    pub source: Source,
    pub platform: Option<Platform>,
    /// A named context stands in its place, so its instructions do not run.
    pub replaced: bool,
    pub needs: Vec<Need>,
    pub triggered: bool,
}

/// Where the name of a base is written.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// As written, without the quotes of a flag.
    pub text: String,
    /// The byte of the file that stands for it.
    pub offset: usize,
    /// `None` if the name is not in the file: it comes from a trigger in an image's configuration.
    pub place: Option<Place>,
    /// Tells apart names that have one offset.
    pub number: usize,
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
pub(super) struct Need {
    pub stage: usize,
    pub name: String,
    pub offset: usize,
    /// Whether the stage must stand above in the file.
    pub ordered: bool,
}

/// A base that the target needs, on one platform.
pub(super) struct Use {
    pub name: Name,
    pub base_name: String,
    pub source: Source,
    pub platform: Platform,
    /// Whether the target's chain of `FROM` ends here.
    pub runtime: bool,
    pub is_from: bool,
}

impl<'d> Graph<'d> {
    /// Finds the stages of a file and what each needs.
    ///
    /// # Errors
    ///
    /// A base, a platform or a stage that cannot be told, whether the target needs it or not.
    pub fn new(
        file: &'d Stages,
        build: &'d Build,
        contexts: &'d Contexts,
        platform: &'d Platform,
        words: (Lexer, &'d Budget),
    ) -> Result<Self, Problem> {
        let (lexer, budget) = words;
        let mut graph = Self {
            file,
            build,
            contexts,
            platform,
            lexer,
            budget,
            stages: Vec::with_capacity(file.stages.len()),
            by_name: HashMap::new(),
        };
        let variables = scope::variables(file, build, platform, lexer, budget)?;
        for (number, stage) in file.stages.iter().enumerate() {
            graph.add_stage(number, stage, &variables)?;
        }
        for (number, stage) in file.stages.iter().enumerate() {
            for step in &stage.steps {
                graph.add_needs(number, step, None)?;
            }
        }
        graph.refuse_cycles()?;
        Ok(graph)
    }

    fn add_stage(
        &mut self,
        number: usize,
        stage: &Stage,
        variables: &Variables,
    ) -> Result<(), Problem> {
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
            None => self.by_name.get(&base_name).copied(),
        };
        let source = match (&context, base) {
            (Some(context), _) => Source::of(context),
            (None, Some(_)) => Source::None,
            (None, None) => self
                .image(&base_name, platform.as_ref())
                .map_err(|message| wrong(image, message))?,
        };
        self.stages.push(Node {
            name: Name {
                text: image.text.clone(),
                offset: image.place.start(),
                place: Some(image.place.clone()),
                number: 0,
            },
            base_name,
            stage: Some(number),
            base,
            source,
            platform,
            replaced: context.is_some(),
            needs: Vec::new(),
            triggered: false,
        });
        if let Some(name) = name {
            self.by_name.insert(name.clone(), number);
        }
        Ok(())
    }

    fn expand(&self, token: &Token, variables: &Variables) -> Result<String, Problem> {
        self.lexer
            .word(&token.text, variables, self.budget)
            .map_err(|error| wrong(token, error.to_string()))
    }

    fn stage_platform(&self, token: &Token, variables: &Variables) -> Result<Platform, Problem> {
        let text = self.expand(token, variables)?;
        platform::parse(&text, &self.build.build_platform).ok_or_else(|| {
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
    ) -> Result<Option<Context>, Problem> {
        if matches!(name, "scratch" | "context") {
            return Ok(None);
        }
        // BuildKit reads the name of every stage as that of a context, and so as a reference.
        let name = name.parse().map_err(|error| {
            wrong(
                image,
                format!("the stage's name cannot be that of a context: {error}"),
            )
        })?;
        let platform = platform.unwrap_or(self.platform);
        Ok(self.contexts.get(&name, platform).cloned())
    }

    /// Returns the image that a name means outside the file.
    fn image(&self, name: &str, platform: Option<&Platform>) -> Result<Source, String> {
        if name == "scratch" {
            return Ok(Source::None);
        }
        let reference: Reference = name
            .parse()
            .map_err(|error: crate::image::InvalidReference| error.to_string())?;
        let platform = platform.unwrap_or(self.platform);
        Ok(match self.contexts.get(&reference, platform) {
            Some(context) if name != "context" => Source::of(context),
            _ => Source::Image(reference),
        })
    }

    /// Finds what an instruction of a stage copies or mounts from. A trigger of an image's configuration has no place
    /// in the file; it stands at `elsewhere`.
    pub fn add_needs(
        &mut self,
        stage: usize,
        step: &Instruction,
        elsewhere: Option<usize>,
    ) -> Result<(), Problem> {
        match step {
            Instruction::Copy(Some(from)) => {
                let name = self.name(stage, from, elsewhere);
                self.check_constant(from, &name)?;
                let source = match from.text.parse::<i64>() {
                    Ok(number) => usize::try_from(number)
                        .ok()
                        .filter(|number| *number < self.stages.len())
                        .ok_or_else(|| {
                            let message = format!("there is no stage with the number {number}");
                            Problem::dependency(&*from.text, message).at(name.offset)
                        })?,
                    Err(_) => self.stage_or_image(&name)?,
                };
                self.add_need(stage, source, name, true);
            }
            Instruction::Run(mounts) => {
                for Mount { from, options } in mounts {
                    let name = self.name(stage, from.as_ref().unwrap_or(options), elsewhere);
                    let name = match from {
                        Some(_) => name,
                        // A mount without a source is BuildKit's stage `scratch`, should the file have one.
                        None => Name {
                            text: "scratch".to_owned(),
                            place: None,
                            ..name
                        },
                    };
                    let source = self.stage_or_image(&name)?;
                    self.add_need(stage, source, name, from.is_some());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn name(&self, stage: usize, token: &Token, elsewhere: Option<usize>) -> Name {
        let needs = self.stages.get(stage).map_or(0, |node| node.needs.len());
        Name {
            text: token.text.clone(),
            offset: elsewhere.unwrap_or(token.place.start()),
            place: elsewhere.is_none().then(|| token.place.clone()),
            number: elsewhere.map_or(0, |_| needs + 1),
        }
    }

    /// Refuses variables, quotes and escapes behind `COPY --from=`.
    fn check_constant(&self, from: &Token, name: &Name) -> Result<(), Problem> {
        let wrong = |message: String| Problem::dependency(&*from.text, message).at(name.offset);
        match self.lexer.word(&from.text, &Variables::new(), self.budget) {
            Ok(word) if word == from.text => Ok(()),
            Ok(_) => Err(wrong(
                "`--from` must not hold a variable; name a stage instead".to_owned(),
            )),
            Err(InvalidWord::Large) => Err(wrong(InvalidWord::Large.to_string())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Returns the last stage of that name in any case, or a new one that is an image.
    fn stage_or_image(&mut self, name: &Name) -> Result<usize, Problem> {
        if let Some(stage) = self.by_name.get(&name.text.to_lowercase()) {
            return Ok(*stage);
        }
        let source = self
            .image(&name.text, None)
            .map_err(|message| Problem::dependency(&*name.text, message).at(name.offset))?;
        self.stages.push(Node {
            name: name.clone(),
            base_name: name.text.clone(),
            stage: None,
            base: None,
            source,
            platform: None,
            replaced: false,
            needs: Vec::new(),
            triggered: false,
        });
        Ok(self.stages.len() - 1)
    }

    fn add_need(&mut self, stage: usize, source: usize, name: Name, ordered: bool) {
        if let Some(node) = self.stages.get_mut(stage) {
            node.needs.push(Need {
                stage: source,
                name: name.text,
                offset: name.offset,
                ordered,
            });
        }
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

fn wrong(token: &Token, message: impl Into<String>) -> Problem {
    Problem::dependency(&*token.text, message).at(token.place.start())
}
