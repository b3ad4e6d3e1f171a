//! Where a guest was when it stopped: function names, and source lines where the module has DWARF.

pub(crate) mod lines;
mod name;

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use wasmtime::{FrameInfo, Trap, WasmBacktrace};
use weir_maps_wasmtime::CannotWait;
use weir_model::limits;

use crate::cell::Cell;
use crate::door::{Cause, Failure, Stop};
pub use lines::NoLines;
pub(crate) use name::readable;

/// The guest's stack, the innermost frame first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// At most [`limits::TRACE_FRAMES_MAX`], inlined calls included.
    pub frames: Vec<Frame>,
}

/// One call on the guest's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name as its author wrote it, if the module has names.
    pub function: Option<String>,
    /// Its number in the module.
    pub index: u32,
    /// Where in the module's bytes the instruction stands.
    pub offset: Option<u32>,
    /// Where in the source, if somebody looked it up: [`Trace::with_lines`].
    pub source: Option<Source>,
}

/// A line of a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the compiler was given it.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
}

impl Display for Trace {
    /// A part of a sentence, or nothing. A frame that calls itself is told once.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut before = "; in ";
        for row in self.frames.chunk_by(|frame, caller| frame == caller) {
            write!(f, "{before}{}", row[0])?;
            if row.len() > 1 {
                write!(f, " {} times", row.len())?;
            }
            before = ", called by ";
        }
        Ok(())
    }
}

impl Display for Frame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(name) => write!(f, "{name}")?,
            None => write!(f, "function {}", self.index)?,
        }
        match (&self.source, self.offset) {
            (Some(source), _) => write!(f, " ({source})"),
            (None, Some(offset)) => write!(f, " (at {offset:#x})"),
            (None, None) => Ok(()),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Trace {
    /// The stack that an error of the engine carries. `code_moved`: see
    /// [`Facts::code_moved`](crate::prepare::Facts).
    fn of(error: &wasmtime::Error, code_moved: i64) -> Self {
        let Some(stack) = error.downcast_ref::<WasmBacktrace>() else {
            return Self::default();
        };
        let frames = stack.frames().iter().take(limits::TRACE_FRAMES_MAX);
        Self {
            frames: frames.map(|call| frame_of(call, code_moved)).collect(),
        }
    }
}

fn frame_of(call: &FrameInfo, code_moved: i64) -> Frame {
    let offset = call.module_offset().and_then(|at| i64::try_from(at).ok());
    Frame {
        function: call.func_name().map(readable),
        index: call.func_index(),
        offset: offset.and_then(|at| u32::try_from(at + code_moved).ok()),
        source: None,
    }
}

/// What an error of the engine says, on one line: its causes, then the guest's stack if it has one.
#[must_use]
pub fn told(error: &wasmtime::Error) -> String {
    format!("{}{}", text_of(error), Trace::of(error, 0))
}

/// What an error of the engine means, for a call with this limit.
pub(crate) fn failure_of<W>(error: &wasmtime::Error, limit: Duration, cell: &Cell<W>) -> Failure {
    Failure {
        cause: cause_of(error, limit, cell),
        trace: Trace::of(error, cell.code_moved),
    }
}

fn cause_of<W>(error: &wasmtime::Error, limit: Duration, cell: &Cell<W>) -> Cause {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Cause::Stopped(stop.clone());
    }
    if error.is::<CannotWait>() {
        return Cause::Stopped(Stop::CannotWait);
    }
    if let Some(AllocatorFailed(reason)) = error.downcast_ref() {
        return Cause::Allocator(reason.clone());
    }
    match (error.downcast_ref::<Trap>(), cell.cap.refused()) {
        (Some(Trap::Interrupt), _) => Cause::Deadline(limit),
        (Some(Trap::StackOverflow), _) => Cause::Stack(limits::GUEST_STACK_BYTES),
        (Some(_), Some(limit)) => Cause::Memory {
            reason: text_of(error),
            limit,
        },
        (_, _) => Cause::Trap(text_of(error)),
    }
}

/// The guest's allocator trapped while the host asked it for memory.
#[derive(Debug, thiserror::Error)]
#[error("the module's allocator failed: {0}")]
pub(crate) struct AllocatorFailed(pub(crate) String);

impl AllocatorFailed {
    /// The same error, marked as what it is; its stack stays with it.
    pub(crate) fn mark(error: wasmtime::Error) -> wasmtime::Error {
        let reason = text_of(&error);
        error.context(Self(reason))
    }
}

/// The error and its causes on one line, without the stack.
pub(crate) fn text_of(error: &wasmtime::Error) -> String {
    let stack = error
        .downcast_ref::<WasmBacktrace>()
        .map(ToString::to_string);
    let causes = error.chain().map(ToString::to_string);
    let mut causes: Vec<String> = causes
        .filter(|cause| Some(cause) != stack.as_ref())
        .collect();
    causes.reverse();
    causes.dedup();
    causes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_a_part_of_a_sentence() {
        let frame = |function: Option<&str>, offset, source: Option<Source>| Frame {
            function: function.map(str::to_owned),
            index: 7,
            offset,
            source,
        };
        let source = Source {
            file: "src/lib.rs".to_owned(),
            line: 12,
        };
        let trace = Trace {
            frames: vec![
                frame(Some("f"), Some(16), Some(source)),
                frame(None, Some(32), None),
                frame(None, Some(32), None),
                frame(None, Some(32), None),
                frame(Some("g"), None, None),
            ],
        };
        let text = "; in f (src/lib.rs:12), called by function 7 (at 0x20) 3 times, called by g";
        assert_eq!(trace.to_string(), text);
        assert_eq!(Trace::default().to_string(), "");
    }
}
