//! Source lines of a module that is looked at for long: its DWARF is read once.

use addr2line::gimli::Dwarf;

use crate::door::{Frame, NoLines};
use crate::prepare::code_and_lines;
use crate::trace::lines::{Bytes, calls_at, section};

/// The debug information of a module.
pub struct Lines<'m> {
    code_at: u32,
    context: addr2line::Context<Bytes<'m>>,
}

impl<'m> Lines<'m> {
    /// Reads it; `None`: the module has none.
    ///
    /// # Errors
    ///
    /// [`NoLines`] if it is damaged or too large.
    pub fn read(module: &'m [u8]) -> Result<Option<Self>, NoLines> {
        let (code_at, has_lines) = code_and_lines(module);
        if !has_lines {
            return Ok(None);
        }
        let dwarf = Dwarf::load(|id| section(module, id.name()))?;
        let context = addr2line::Context::from_dwarf(dwarf).map_err(NoLines::Damaged)?;
        Ok(Some(Self { code_at, context }))
    }

    /// The calls at an offset in the module, the innermost first; more than one where calls were
    /// inlined. Nothing: the debug information does not say.
    #[must_use]
    pub fn at(&self, function: u32, offset: u32) -> Vec<Frame> {
        let frame = Frame {
            function: None,
            index: function,
            offset: Some(offset),
            source: None,
        };
        let address = offset.checked_sub(self.code_at);
        address.map_or_else(Vec::new, |address| {
            calls_at(&self.context, address.into(), &frame)
        })
    }
}
