//! Where a guest was when it stopped: function names, and source lines where the module has DWARF.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use wasmtime::{FrameInfo, FrameSymbol, Trap, WasmBacktrace};
use weir_model::limits;

use crate::cell::Cap;
use crate::door::{Cause, Failure, Stop};

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
    /// Where in the source, if the module has DWARF.
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
    /// A part of a sentence, or nothing.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, frame) in self.frames.iter().enumerate() {
            let before = if number == 0 { "; in " } else { ", called by " };
            write!(f, "{before}{frame}")?;
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
    /// The stack that an error of the engine carries.
    fn of(error: &wasmtime::Error) -> Self {
        let Some(stack) = error.downcast_ref::<WasmBacktrace>() else {
            return Self::default();
        };
        let frames = stack.frames().iter().flat_map(frames_of);
        Self {
            frames: frames.take(limits::TRACE_FRAMES_MAX).collect(),
        }
    }
}

/// One frame of the engine, with the calls that were inlined into it.
fn frames_of(call: &FrameInfo) -> Vec<Frame> {
    let frame = |name: Option<&str>, symbol: Option<&FrameSymbol>| Frame {
        function: name.map(readable),
        index: call.func_index(),
        offset: call.module_offset().and_then(|at| u32::try_from(at).ok()),
        source: symbol.and_then(|symbol| {
            Some(Source {
                file: shortened(symbol.file()?).to_owned(),
                line: symbol.line()?,
            })
        }),
    };
    if call.symbols().is_empty() {
        return vec![frame(call.func_name(), None)];
    }
    let symbols = call.symbols().iter();
    symbols
        .map(|symbol| frame(symbol.name().or(call.func_name()), Some(symbol)))
        .collect()
}

/// A name without what only linkers need. Names come from the module: they are cut and kept on one
/// line.
fn readable(name: &str) -> String {
    let plain = if let Ok(rust) = rustc_demangle::try_demangle(name) {
        format!("{rust:#}")
    } else if let Some(cpp) = cpp_name(name) {
        cpp
    } else {
        without_hash(name).to_owned()
    };
    let plain = plain.chars().filter(|character| !character.is_control());
    plain.take(limits::TRACE_NAME_CHARS_MAX).collect()
}

fn cpp_name(name: &str) -> Option<String> {
    let limit = cpp_demangle::ParseOptions::default().recursion_limit(64);
    let symbol = name
        .starts_with("_Z")
        .then(|| cpp_demangle::BorrowedSymbol::new_with_options(name.as_bytes(), &limit).ok())??;
    let options = cpp_demangle::DemangleOptions::default().no_return_type();
    symbol.demangle_with_options(&options).ok()
}

/// Linkers demangle Rust's names and leave the hash: `a::b::h0123456789abcdef`.
fn without_hash(name: &str) -> &str {
    let Some((path, hash)) = name.rsplit_once("::h") else {
        return name;
    };
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { path } else { name }
}

/// The end of a long path tells more than its beginning.
fn shortened(file: &str) -> &str {
    let excess = file.len().saturating_sub(limits::TRACE_NAME_CHARS_MAX);
    let start = (excess..file.len()).find(|at| file.is_char_boundary(*at));
    &file[start.unwrap_or(0)..]
}

/// What an error of the engine means, for a call with this limit.
pub(crate) fn failure_of(error: &wasmtime::Error, limit: Duration, cap: &Cap) -> Failure {
    Failure {
        cause: cause_of(error, limit, cap),
        trace: Trace::of(error),
    }
}

fn cause_of(error: &wasmtime::Error, limit: Duration, cap: &Cap) -> Cause {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Cause::Stopped(stop.clone());
    }
    if let Some(AllocatorFailed(reason)) = error.downcast_ref() {
        return Cause::Allocator(reason.clone());
    }
    match (error.downcast_ref::<Trap>(), cap.refused()) {
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

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(readable(name), expected);
    }

    #[test]
    fn names_are_readable() {
        check("malloc", "malloc");
        check(
            "core::panicking::panic::h0123456789abcdef",
            "core::panicking::panic",
        );
        check("a::h0123456789abcdeg", "a::h0123456789abcdeg");
        check(
            "_ZN4core9panicking5panic17h0123456789abcdefE",
            "core::panicking::panic",
        );
        check("_RNvC6_123foo3bar", "123foo::bar");
        check("_ZN7Context6onDoneEv", "Context::onDone()");
        check("_Zbroken", "_Zbroken");
        check("two\nlines", "twolines");
        check(&"x".repeat(4000), &"x".repeat(limits::TRACE_NAME_CHARS_MAX));
    }

    #[test]
    fn paths_are_cut_at_their_beginning() {
        assert_eq!(shortened("src/lib.rs"), "src/lib.rs");
        let long = format!("{}/lib.rs", "é".repeat(limits::TRACE_NAME_CHARS_MAX));
        let short = shortened(&long);
        assert!(short.ends_with("é/lib.rs") && short.len() <= limits::TRACE_NAME_CHARS_MAX);
    }

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
                frame(Some("g"), None, None),
            ],
        };
        let text = "; in f (src/lib.rs:12), called by function 7 (at 0x20), called by g";
        assert_eq!(trace.to_string(), text);
        assert_eq!(Trace::default().to_string(), "");
    }
}
