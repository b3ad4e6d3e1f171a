//! What is run: the same each time it is run.

use weir_guest::Engine;
use weir_guest::debug::{CallError, Debuggable, Listener, SubjectError, Value};
use weir_model::GuestLimits;

use crate::world::{Alone, HostLog};

/// Something that can be run as often as one likes, and does the same each time.
pub trait Play: Send + Sync + 'static {
    /// Runs it on this thread, from its beginning to its end.
    fn play(&self, listener: Box<dyn Listener>, log: &HostLog) -> Ended;
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned.
    Returned(Vec<Value>),
    /// It trapped, or a host function failed.
    Trapped(String),
    /// It did not even begin.
    Refused(String),
    /// Nobody wanted to see more.
    Quit,
}

/// One call of an export of a module, in an instance of its own that has no host but itself.
pub struct Plain {
    module: Debuggable,
    export: String,
    arguments: Vec<Value>,
    limits: GuestLimits,
}

impl Plain {
    /// Compiles the module.
    ///
    /// # Errors
    ///
    /// [`SubjectError`] when it cannot be compiled.
    pub fn new(
        engine: &Engine,
        module: &[u8],
        (export, arguments): (&str, Vec<Value>),
    ) -> Result<Self, SubjectError> {
        Ok(Self {
            module: Debuggable::compile(engine, module)?,
            export: export.to_owned(),
            arguments,
            limits: GuestLimits::default(),
        })
    }
}

impl Play for Plain {
    fn play(&self, listener: Box<dyn Listener>, log: &HostLog) -> Ended {
        let world = Alone::new(log.clone());
        let mut subject = match self.module.start(world, &self.limits, listener) {
            Ok(subject) => subject,
            Err(SubjectError::Start(CallError::Quit)) => return Ended::Quit,
            Err(SubjectError::Start(CallError::Trap(reason))) => return Ended::Trapped(reason),
            Err(error) => return Ended::Refused(error.to_string()),
        };
        match subject.call(&self.export, &self.arguments) {
            Ok(results) => Ended::Returned(results),
            Err(CallError::Trap(reason)) => Ended::Trapped(reason),
            Err(CallError::Quit) => Ended::Quit,
            Err(error @ (CallError::NoExport(_) | CallError::Arguments { .. })) => {
                Ended::Refused(error.to_string())
            }
        }
    }
}
