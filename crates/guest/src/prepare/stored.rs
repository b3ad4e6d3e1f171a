//! [`Parts`] as bytes, for whoever keeps compiled code in a file.
//!
//! Numbers are little-endian; whatever varies in length has its length before it.

use std::collections::BTreeMap;

use super::start_image::PAGE;
use super::{Facts, MemoryStart, Parts, StartImage};

impl Parts {
    /// The parts as bytes, which [`Parts::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let facts = &self.facts;
        let mut out = Vec::new();
        out.extend(facts.identity);
        put_text(&mut out, &facts.prefix);
        out.push(u8::from(facts.has_start));
        out.extend(facts.globals.to_le_bytes());
        out.extend(facts.memories.to_le_bytes());
        out.extend(facts.code_at.to_le_bytes());
        out.extend(facts.prepared_code_at.to_le_bytes());
        out.push(u8::from(facts.has_lines));
        put_length(&mut out, facts.obstacles.len());
        for obstacle in &facts.obstacles {
            put_text(&mut out, obstacle);
        }
        put_length(&mut out, self.image.memories.len());
        for memory in &self.image.memories {
            out.extend(memory.bytes.to_le_bytes());
            put_length(&mut out, memory.pages.len());
            for (number, page) in &memory.pages {
                out.extend(number.to_le_bytes());
                out.extend(page.as_slice());
            }
        }
        out
    }

    /// Reads what [`Parts::encode`] wrote; `None`: this is something else, or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Source(bytes);
        let mut facts = Facts {
            identity: from.take()?,
            prefix: from.text()?,
            has_start: from.flag()?,
            globals: u32::from_le_bytes(from.take()?),
            memories: u32::from_le_bytes(from.take()?),
            code_at: u32::from_le_bytes(from.take()?),
            prepared_code_at: u32::from_le_bytes(from.take()?),
            has_lines: from.flag()?,
            obstacles: Vec::new(),
        };
        for _ in 0..from.length()? {
            facts.obstacles.push(from.text()?);
        }
        let mut image = StartImage::default();
        for _ in 0..from.length()? {
            image.memories.push(from.memory()?);
        }
        from.0.is_empty().then_some(Self { image, facts })
    }
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend((length as u64).to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend(text.as_bytes());
}

/// What is left to be read.
struct Source<'s>(&'s [u8]);

impl Source<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    /// Nothing takes less than a byte, so a length beyond the rest is damage.
    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(u64::from_le_bytes(self.take()?)).ok()?;
        (length <= self.0.len()).then_some(length)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    fn memory(&mut self) -> Option<MemoryStart> {
        let bytes = u64::from_le_bytes(self.take()?);
        let mut pages = BTreeMap::new();
        for _ in 0..self.length()? {
            let number = u64::from_le_bytes(self.take()?);
            let end = number.checked_add(1)?.checked_mul(PAGE as u64)?;
            let page: [u8; PAGE] = self.take()?;
            if end > bytes.checked_next_multiple_of(PAGE as u64)? {
                return None;
            }
            pages.insert(number, Box::new(page));
        }
        Some(MemoryStart { bytes, pages })
    }
}
