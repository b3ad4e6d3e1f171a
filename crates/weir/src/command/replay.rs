//! `weir replay`: runs a module against capsules and says whether it does the same.

mod junit;

use std::path::{Path, PathBuf};

use weir_capsule::{Player, ReplayError, Replayed, Verdict, replay};
use weir_guest::code::{Compiled, Source};
use weir_guest::{Engine, Host, Pace, Program};

use super::capsule::{FileReader, capsules_of, module_of, open};
use crate::cli::Replay;
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone, printable};

/// What came of one capsule.
struct Case {
    capsule: PathBuf,
    /// Whether its module was another one than the recorded.
    is_other: bool,
    outcome: Result<Replayed, String>,
}

/// What capsules are run with. Modules are compiled once.
struct Bench {
    engine: Engine,
    host: Host<Player>,
    programs: Vec<(PathBuf, Options, Program)>,
}

type Options = (
    weir_guest::EngineKind,
    weir_model::Dialect,
    weir_model::Strictness,
);

/// Replays capsules.
pub(super) fn run(arguments: &Replay, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let capsules = capsules_of(&arguments.capsules)?;
    if capsules.is_empty() {
        return Err(Failure::Replay("there is no capsule".to_owned()));
    }
    let failed = |error: &dyn std::fmt::Display| Failure::Replay(error.to_string());
    let engine = Engine::new().map_err(|error| failed(&error))?;
    let host = Host::new(&engine).map_err(|error| failed(&error))?;
    let mut bench = Bench {
        engine,
        host,
        programs: Vec::new(),
    };
    let mut cases = Vec::with_capacity(capsules.len());
    for capsule in capsules {
        let case = bench.case(capsule, arguments.module.as_deref());
        terminal.print(&line(&case, terminal))?;
        cases.push(case);
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::report(&cases)).map_err(|source| Failure::Write {
            path: path.clone(),
            source,
        })?;
    }
    let is_fine = cases.iter().all(Case::is_fine);
    Ok(if is_fine {
        Outcome::Fine
    } else {
        Outcome::Problem
    })
}

impl Bench {
    fn case(&mut self, capsule: PathBuf, module: Option<&Path>) -> Case {
        let mut is_other = false;
        let outcome = open(&capsule)
            .map_err(|error| error.to_string())
            .and_then(|reader| self.replay(&capsule, reader, module, &mut is_other));
        Case {
            capsule,
            is_other,
            outcome,
        }
    }

    fn replay(
        &mut self,
        capsule: &Path,
        reader: FileReader,
        module: Option<&Path>,
        is_other: &mut bool,
    ) -> Result<Replayed, String> {
        let head = reader.head();
        let options = (head.engine, head.dialect, head.strictness);
        let (path, bytes) = module_of(capsule, head, module)?;
        let sha256 = head.module.sha256;
        let known = |(known, of, _): &(PathBuf, Options, Program)| *known == path && *of == options;
        let place = if let Some(place) = self.programs.iter().position(known) {
            place
        } else {
            let source = Source::new(bytes);
            let compiled = Compiled::make(&source, head.engine, Pace::Hurried)
                .and_then(|compiled| compiled.load(&self.engine, None))
                .and_then(|code| Program::new(&code, head.options()));
            let program = compiled.map_err(|error| format!("{}: {error}", path.display()))?;
            self.programs.push((path, options, program));
            self.programs.len() - 1
        };
        let (_, _, program) = &self.programs[place];
        *is_other = *program.identity() != sha256;
        replay(&self.host, program, reader).map_err(|error: ReplayError| error.to_string())
    }
}

impl Case {
    /// Whether this is what one wants of it: the same, or with another module that it goes on where
    /// the recorded one failed.
    fn is_fine(&self) -> bool {
        match &self.outcome {
            Ok(replayed) => match &replayed.verdict {
                Verdict::Same | Verdict::SameUntilEnd(_) => true,
                Verdict::WentOn(_) => self.is_other,
                Verdict::Differs(_) => false,
            },
            Err(_) => false,
        }
    }

    /// A word for it, and what there is to be said.
    fn words(&self) -> (&'static str, String) {
        match &self.outcome {
            Ok(Replayed { verdict, position }) => {
                let counts = format!("{} events, {} calls", position.events, position.calls);
                match verdict {
                    Verdict::Same => ("same", counts),
                    Verdict::SameUntilEnd(difference) => (
                        "same",
                        format!("{counts}, up to the last call; {difference}"),
                    ),
                    Verdict::WentOn(difference) => ("goes on", difference.to_string()),
                    Verdict::Differs(difference) => ("differs", difference.to_string()),
                }
            }
            Err(error) => ("problem", error.clone()),
        }
    }
}

fn line(case: &Case, terminal: &Terminal<'_>) -> String {
    let (word, text) = case.words();
    let tone = if case.is_fine() {
        Tone::Good
    } else {
        Tone::Bad
    };
    let word = terminal.paint(tone, word).into_owned();
    let capsule = case.capsule.display().to_string();
    format!("{word}: {}: {}\n", printable(&capsule), printable(&text))
}
