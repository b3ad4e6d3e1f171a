//! What memories hold before anything runs, put together from data segments.

use std::collections::BTreeMap;

use wasmparser::{ConstExpr, Data, DataKind, MemoryType, Operator};
use weir_model::limits;

/// Unit in which contents are kept. No page of a host is smaller.
pub(super) const PAGE: usize = 4096;

type Page = Box<[u8; PAGE]>;

/// Sizes and contents of all memories of a module before anything runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartImage {
    /// By memory.
    pub memories: Vec<MemoryStart>,
}

/// Size and content of one memory; what is not there is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStart {
    /// Size in bytes.
    pub bytes: u64,
    pub(super) pages: BTreeMap<u64, Page>,
}

impl StartImage {
    /// Empty memories.
    pub(super) fn of(memories: &[MemoryType]) -> Self {
        let page = |ty: &MemoryType| 1 << ty.page_size_log2.unwrap_or(16);
        let bytes = |ty: &MemoryType| ty.initial.saturating_mul(page(ty));
        let memories = memories.iter().map(|ty| MemoryStart {
            bytes: bytes(ty),
            pages: BTreeMap::new(),
        });
        Self {
            memories: memories.collect(),
        }
    }

    /// Applies active segments in their order, as instantiation would. Returns how many were taken,
    /// passive ones counted, and why it stopped before the end: what follows a segment that cannot
    /// be taken must come after it.
    pub(super) fn apply(&mut self, segments: &[Data<'_>]) -> (usize, Option<&'static str>) {
        let mut pages_left = limits::START_IMAGE_BYTES_MAX / PAGE;
        for (number, segment) in segments.iter().enumerate() {
            let DataKind::Active {
                memory_index,
                offset_expr,
            } = &segment.kind
            else {
                continue;
            };
            let Some(offset) = constant(offset_expr) else {
                return (number, Some("has an offset that is no constant"));
            };
            let Some(memory) = self.memories.get_mut(*memory_index as usize) else {
                return (number, Some("has no memory"));
            };
            if let Err(reason) = memory.write(offset, segment.data, &mut pages_left) {
                return (number, Some(reason));
            }
        }
        (segments.len(), None)
    }
}

impl MemoryStart {
    /// The parts that are not zero, by place.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let pages = self.pages.iter();
        pages.map(|(number, page)| (number * PAGE as u64, page.as_slice()))
    }

    fn write(
        &mut self,
        offset: u64,
        mut bytes: &[u8],
        pages_left: &mut usize,
    ) -> Result<(), &'static str> {
        let end = offset.checked_add(bytes.len() as u64);
        if end.is_none_or(|end| end > self.bytes) {
            return Err("lies outside its memory");
        }
        let mut at = offset;
        while !bytes.is_empty() {
            let number = at / PAGE as u64;
            // Less than a page.
            let within = usize::try_from(at % PAGE as u64).unwrap_or(0);
            let length = bytes.len().min(PAGE - within);
            let (part, rest) = bytes.split_at(length);
            (bytes, at) = (rest, at + length as u64);
            let is_new = !self.pages.contains_key(&number);
            if is_new && part.iter().all(|byte| *byte == 0) {
                continue;
            }
            if is_new {
                *pages_left = pages_left
                    .checked_sub(1)
                    .ok_or("makes the start image larger than the host keeps")?;
            }
            let page = self.pages.entry(number);
            let page = page.or_insert_with(|| Box::new([0; PAGE]));
            page[within..within + length].copy_from_slice(part);
        }
        Ok(())
    }
}

/// The value of an expression of constants; `None`: it needs more than constants.
fn constant(expression: &ConstExpr<'_>) -> Option<u64> {
    let mut stack: Vec<i64> = Vec::new();
    for operator in expression.get_operators_reader() {
        let mut binary = |compute: fn(i64, i64) -> i64| {
            let (right, left) = (stack.pop()?, stack.pop()?);
            Some(compute(left, right))
        };
        // 32-bit numbers are kept without sign: what overflows them is cut.
        let cut = |number: i64| number & i64::from(u32::MAX);
        let value = match operator.ok()? {
            Operator::I32Const { value } => i64::from(value.cast_unsigned()),
            Operator::I64Const { value } => value,
            Operator::I32Add => cut(binary(i64::wrapping_add)?),
            Operator::I32Sub => cut(binary(i64::wrapping_sub)?),
            Operator::I32Mul => cut(binary(i64::wrapping_mul)?),
            Operator::I64Add => binary(i64::wrapping_add)?,
            Operator::I64Sub => binary(i64::wrapping_sub)?,
            Operator::I64Mul => binary(i64::wrapping_mul)?,
            Operator::End => break,
            _ => return None,
        };
        stack.push(value);
    }
    stack.pop().map(i64::cast_unsigned)
}
