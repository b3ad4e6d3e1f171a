//! Source lines of a trace, from the module's DWARF.

use addr2line::gimli::{self, EndianSlice, LittleEndian};
use wasm_encoder::SectionId;
use weir_model::limits;

use super::name::readable;
use super::{Frame, Source, Trace};
use crate::prepare::{code_and_lines, custom_name, sections};

/// Why a trace has no source lines though its module has DWARF.
#[derive(Debug, thiserror::Error)]
pub enum NoLines {
    /// Reading it would cost too much.
    #[error("the section {section} has {bytes} bytes, at most {most} are read")]
    TooLarge {
        /// Name of the section.
        section: &'static str,
        /// Its length.
        bytes: usize,
        /// The most that is read.
        most: usize,
    },
    /// It is not as DWARF should be.
    #[error("the debug information is damaged: {0}")]
    Damaged(gimli::Error),
}

impl Trace {
    /// This trace with source file and line of each frame for which the module has them; calls that
    /// were inlined become frames. `module` holds the bytes that the guest's program was made of.
    ///
    /// Takes milliseconds to seconds, and up to thirty times the bytes of the debug information: never
    /// on a worker.
    ///
    /// # Errors
    ///
    /// [`NoLines`]. To have no debug information is no error: the trace comes back as it is.
    pub fn with_lines(&self, module: &[u8]) -> Result<Self, NoLines> {
        let (code_at, has_lines) = code_and_lines(module);
        if !has_lines {
            return Ok(self.clone());
        }
        let dwarf = gimli::Dwarf::load(|id| section(module, id.name()))?;
        let context = addr2line::Context::from_dwarf(dwarf).map_err(NoLines::Damaged)?;
        let mut frames = Vec::new();
        for frame in &self.frames {
            let address = frame.offset.and_then(|at| at.checked_sub(code_at));
            let calls = address.map_or_else(Vec::new, |address| {
                calls_at(&context, address.into(), frame)
            });
            if calls.is_empty() {
                frames.push(frame.clone());
            }
            frames.extend(calls);
        }
        frames.truncate(limits::TRACE_FRAMES_MAX);
        Ok(Self { frames })
    }
}

pub(crate) type Bytes<'m> = EndianSlice<'m, LittleEndian>;

/// A section of the DWARF; empty if the module does not have it.
pub(crate) fn section<'m>(module: &'m [u8], name: &'static str) -> Result<Bytes<'m>, NoLines> {
    let mut contents = sections(module)
        .filter(|(id, _)| *id == SectionId::Custom as u8)
        .filter_map(|(_, range)| custom_name(&module[range]));
    let found = contents.find(|(known, _)| *known == name);
    let content = found.map_or(&[][..], |(_, content)| content);
    let most = match name {
        ".debug_line" => limits::DEBUG_LINE_BYTES_MAX,
        _ => limits::DEBUG_SECTION_BYTES_MAX,
    };
    if content.len() > most {
        return Err(NoLines::TooLarge {
            section: name,
            bytes: content.len(),
            most,
        });
    }
    Ok(EndianSlice::new(content, LittleEndian))
}

/// The calls at an address, the innermost first; none: the DWARF says nothing of it.
pub(crate) fn calls_at(
    context: &addr2line::Context<Bytes<'_>>,
    address: u64,
    frame: &Frame,
) -> Vec<Frame> {
    let mut calls = Vec::new();
    let Ok(mut found) = context.find_frames(address).skip_all_loads() else {
        return calls;
    };
    while calls.len() < limits::TRACE_FRAMES_MAX
        && let Ok(Some(call)) = found.next()
    {
        let name = call.function.as_ref();
        let name = name.and_then(|name| Some(readable(&name.raw_name().ok()?)));
        let source = call.location.and_then(|place| {
            Some(Source {
                file: shortened(place.file?),
                line: place.line?,
            })
        });
        calls.push(Frame {
            function: name.or_else(|| frame.function.clone()),
            source,
            ..frame.clone()
        });
    }
    calls
}

/// The end of a long path tells more than its beginning.
fn shortened(file: &str) -> String {
    let excess = file.len().saturating_sub(limits::TRACE_NAME_CHARS_MAX);
    let start = (excess..file.len()).find(|at| file.is_char_boundary(*at));
    let end = file[start.unwrap_or(0)..].chars();
    end.filter(|character| !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cut_at_their_beginning() {
        assert_eq!(shortened("src/lib.rs"), "src/lib.rs");
        let long = format!("{}/lib.rs", "é".repeat(limits::TRACE_NAME_CHARS_MAX));
        let short = shortened(&long);
        assert!(short.ends_with("é/lib.rs") && short.len() <= limits::TRACE_NAME_CHARS_MAX);
    }
}
