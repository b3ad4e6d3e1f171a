//! Caps the memories and tables of one instance.

use wasmtime::ResourceLimiter;
use weir_model::limits::functions as of;

/// What an instance may still take, and whether it was refused something.
pub(crate) struct Cap {
    bytes_max: u64,
    bytes: u64,
    refused: Option<Refused>,
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Memory.
    #[error("it may have {0} bytes of memory")]
    Memory(u64),
    /// Elements of a table.
    #[error("a table may have {0} elements")]
    Table(usize),
}

impl Cap {
    /// Nothing is taken yet.
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            refused: None,
        }
    }

    /// What was refused last.
    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for Cap {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let more = desired.saturating_sub(current) as u64;
        match self.bytes.checked_add(more) {
            Some(bytes) if bytes <= self.bytes_max => self.bytes = bytes,
            Some(_) | None => {
                self.refused = Some(Refused::Memory(self.bytes_max));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if desired > of::TABLE_ELEMENTS {
            self.refused = Some(Refused::Table(of::TABLE_ELEMENTS));
            return Ok(false);
        }
        Ok(true)
    }
}
