//! `weir explain` and `weir debug`: what a module does, instruction by instruction.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use weir_debug::listing::{self, Symbols};
use weir_debug::run::Until;
use weir_debug::session::Now;
use weir_debug::{Ended, Plain, Play, Session, trace};
use weir_guest::Engine;
use weir_guest::debug::{Code, Function, Lines, Value};

use crate::cli::{Debug, Explain};
use crate::failure::{Failure, Outcome};
use crate::terminal::{Terminal, Tone};

/// Prints a function as validation sees it, or a call of an export, stop by stop.
pub(super) fn run(arguments: &Explain, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let subject = Explained::read(&arguments.module)?;
    let lines = subject.lines(terminal);
    let mut symbols = Symbols::new(Arc::clone(&subject.code), lines.as_ref());
    let Some(export) = &arguments.invoke else {
        return tell_functions(arguments, &mut symbols, terminal);
    };
    let play = subject.play(export, &arguments.arguments)?;
    let mut session = Session::new(play, Arc::clone(&subject.code));
    let wanted = match &arguments.function {
        Some(name) => Some(subject.function(name)?.index),
        None => None,
    };
    loop {
        match session.wait() {
            Now::Stopped(stop) => {
                let place = stop.frames.first().map(|frame| frame.place);
                let is_wanted =
                    wanted.is_none_or(|wanted| place.is_none_or(|place| place.function == wanted));
                if is_wanted {
                    let told = if arguments.batch {
                        format!("{}\n", trace::json_of(&mut symbols, stop))
                    } else {
                        trace::text_of(&mut symbols, stop)
                    };
                    if !terminal.tell(&told)? {
                        return Ok(Outcome::Fine);
                    }
                }
                if stop.number + 1 >= arguments.steps {
                    let remark = format!(
                        "stopped after {} instructions: --steps allows more\n",
                        arguments.steps
                    );
                    terminal.remark(&remark);
                    return Ok(Outcome::Problem);
                }
                session.go(Until::Instruction);
            }
            Now::Ended(ended, instructions) => {
                let told = if arguments.batch {
                    format!("{}\n", trace::json_of_end(ended, *instructions))
                } else {
                    trace::text_of_end(ended, *instructions)
                };
                terminal.print(&told)?;
                return Ok(match ended {
                    Ended::Returned(_) => Outcome::Fine,
                    Ended::Trapped(_) | Ended::Refused(_) | Ended::Quit => Outcome::Problem,
                });
            }
            Now::Running => {}
        }
    }
}

/// Steps through a call in a terminal.
pub(super) fn debug(arguments: &Debug, terminal: &mut Terminal<'_>) -> Result<Outcome, Failure> {
    let subject = Explained::read(&arguments.module)?;
    let lines = subject.lines(terminal);
    let symbols = Symbols::new(Arc::clone(&subject.code), lines.as_ref());
    let play = subject.play(&arguments.invoke, &arguments.arguments)?;
    let session = Session::new(play, Arc::clone(&subject.code));
    let title = format!("{} {}", arguments.module.display(), arguments.invoke);
    weir_debug::screen::run(session, symbols, &title).map_err(Failure::Screen)?;
    Ok(Outcome::Fine)
}

fn tell_functions(
    arguments: &Explain,
    symbols: &mut Symbols<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<Outcome, Failure> {
    let code = Arc::clone(&symbols.code);
    let functions: Vec<&Function> = match &arguments.function {
        Some(name) => vec![found(&code, name, &arguments.module)?],
        None => code
            .functions()
            .iter()
            .filter(|function| function.import.is_none())
            .collect(),
    };
    for function in functions {
        let refused = |error| Failure::Explain {
            path: arguments.module.clone(),
            error,
        };
        let told = if arguments.batch {
            let lines = listing::json(symbols, function).map_err(refused)?;
            lines
                .iter()
                .flat_map(|line| [line.to_string(), "\n".to_owned()])
                .collect()
        } else {
            listing::text(symbols, function).map_err(refused)?
        };
        if !terminal.tell(&told)? {
            break;
        }
    }
    Ok(Outcome::Fine)
}

fn found<'c>(code: &'c Code, name: &str, path: &Path) -> Result<&'c Function, Failure> {
    code.find(name).ok_or_else(|| Failure::NoFunction {
        path: path.to_owned(),
        function: name.to_owned(),
    })
}

/// A module that is looked at.
struct Explained<'p> {
    path: &'p Path,
    code: Arc<Code>,
}

impl<'p> Explained<'p> {
    fn read(path: &'p Path) -> Result<Self, Failure> {
        // A file that is not there is told as such; all else is the module's.
        File::open(path).map_err(|error| Failure::read(path, error))?;
        let bytes =
            weir_proxy::gateway::read_module(path).map_err(|error| Failure::read(path, error))?;
        let code = Code::read(bytes).map_err(|error| Failure::Explain {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            path,
            code: Arc::new(code),
        })
    }

    /// Source lines, if there are any.
    fn lines(&self, terminal: &mut Terminal<'_>) -> Option<Lines<'_>> {
        Lines::read(self.code.bytes()).unwrap_or_else(|error| {
            terminal.note(Tone::Doubtful, "no source lines:", &error.to_string());
            None
        })
    }

    fn function(&self, name: &str) -> Result<&Function, Failure> {
        found(&self.code, name, self.path)
    }

    /// The call of an export with arguments that were written as text.
    fn play(&self, export: &str, arguments: &[String]) -> Result<Arc<dyn Play>, Failure> {
        let failed = |reason: String| Failure::Stepped {
            path: self.path.to_owned(),
            reason,
        };
        let mut functions = self.code.functions().iter();
        let function =
            functions.find(|function| function.exports.iter().any(|name| name == export));
        let function = function.ok_or_else(|| Failure::NoFunction {
            path: self.path.to_owned(),
            function: export.to_owned(),
        })?;
        if arguments.len() != function.params.len() {
            let params = function.params.iter().map(ToString::to_string);
            let params = params.collect::<Vec<_>>().join(", ");
            return Err(failed(format!(
                "{export} takes {} arguments ({params}), not {}",
                function.params.len(),
                arguments.len()
            )));
        }
        let values = function.params.iter().zip(arguments);
        let values = values.map(|(ty, text)| Value::parse(*ty, text));
        let values = values
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let engine = Engine::debugging().map_err(|error| failed(error.to_string()))?;
        let play = Plain::new(&engine, self.code.bytes(), (export, values));
        Ok(Arc::new(play.map_err(|error| failed(error.to_string()))?))
    }
}
