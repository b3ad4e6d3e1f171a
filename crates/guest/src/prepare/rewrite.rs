//! Writes the module anew, with what the preparation changes.

use wasm_encoder::{
    DataSection, Encode, EntityType, ExportKind, ImportSection, MemorySection, MemoryType, Module,
    RawSection, RefType, SectionId, TableSection, TableType,
};
use wasmparser::{DataKind, TypeRef};

use super::layout::Layout;
use super::obstacles::is_plain;
use super::{Facts, Parts, StartImage};

/// The sections that can get something put before or behind what they hold, in their order. Where a
/// module has none, it is put where it belongs.
const EXTENDED: [u8; 3] = [
    SectionId::Table as u8,
    SectionId::Memory as u8,
    SectionId::Export as u8,
];

/// Writes a module with its start image taken out and its state exported.
pub(super) fn rewrite(layout: &Layout<'_>) -> (Vec<u8>, Parts) {
    let mut image = StartImage::of(&layout.memories);
    let (taken, reason) = image.apply(&layout.data);
    let mut facts = Facts {
        prefix: layout.prefix(),
        has_start: layout.start.is_some(),
        memories: u32::try_from(layout.memories.len()).unwrap_or(u32::MAX),
        ..Facts::default()
    };
    let (exports, obstacles) = exports(layout, &mut facts, (taken, reason));
    facts.obstacles = obstacles;
    let wasm = Writer {
        layout,
        taken,
        exports,
        module: Module::new(),
        is_written: [false; EXTENDED.len()],
    };
    (wasm.write(), Parts { image, facts })
}

/// Entries for a section, ready to be put beside others.
#[derive(Default)]
struct Entries {
    count: u32,
    bytes: Vec<u8>,
}

/// The private exports, and what keeps the state from being taken.
fn exports(
    layout: &Layout<'_>,
    facts: &mut Facts,
    (taken, reason): (usize, Option<&str>),
) -> (Entries, Vec<String>) {
    let mut exports = Entries::default();
    let mut export = |name: String, kind: ExportKind, index: u32| {
        exports.count += 1;
        name.encode(&mut exports.bytes);
        kind.encode(&mut exports.bytes);
        index.encode(&mut exports.bytes);
    };
    if let (Some(name), Some(index)) = (facts.start(), layout.start) {
        export(name, ExportKind::Func, index);
    }
    let mut sentences = layout.obstacles.sentences();
    // No global is imported: such a module is not rewritten.
    for (index, ty) in (0..).zip(&layout.globals).filter(|(_, ty)| ty.mutable) {
        if is_plain(ty.content_type) {
            export(facts.global(facts.globals), ExportKind::Global, index);
            facts.globals += 1;
        } else {
            let ty = ty.content_type;
            sentences.push(format!(
                "global {index} is mutable and holds a reference ({ty})"
            ));
        }
    }
    for index in 0..facts.memories {
        export(facts.memory(index), ExportKind::Memory, index);
    }
    sentences
        .extend(reason.map(|reason| {
            format!("data segment {taken} {reason}, so it is copied at every start")
        }));
    (exports, sentences)
}

struct Writer<'w, 'm> {
    layout: &'w Layout<'m>,
    /// Active data segments before this number are in the start image.
    taken: usize,
    exports: Entries,
    module: Module,
    is_written: [bool; EXTENDED.len()],
}

impl Writer<'_, '_> {
    fn write(mut self) -> Vec<u8> {
        for (id, range) in &self.layout.sections {
            let content = &self.layout.bytes[range.clone()];
            self.extend_before(*id);
            match *id {
                IMPORT => self.imports(content),
                START => {}
                DATA_COUNT => {
                    let count = u32::try_from(self.segments().count()).unwrap_or(u32::MAX);
                    let mut bytes = Vec::new();
                    count.encode(&mut bytes);
                    self.raw(DATA_COUNT, &bytes);
                }
                DATA => self.data(),
                id if EXTENDED.contains(&id) => self.extend(id, content),
                id => self.raw(id, content),
            }
        }
        self.extend_before(u8::MAX);
        self.module.finish()
    }

    fn raw(&mut self, id: u8, content: &[u8]) {
        self.module.section(&RawSection { id, data: content });
    }

    /// Writes extended sections that the module does not have and that stand before this one.
    fn extend_before(&mut self, id: u8) {
        let place = |id: u8| ORDER.iter().position(|known| *known == id);
        // Custom sections stand anywhere.
        let Some(next) = place(id).or((id == u8::MAX).then_some(ORDER.len())) else {
            return;
        };
        for (number, extended) in EXTENDED.into_iter().enumerate() {
            if !self.is_written[number] && place(extended).is_some_and(|place| place < next) {
                self.extend(extended, &[0]);
            }
        }
    }

    /// Writes an extended section with this content of the module.
    fn extend(&mut self, id: u8, content: &[u8]) {
        if let Some(number) = EXTENDED.iter().position(|extended| *extended == id) {
            self.is_written[number] = true;
        }
        let none = Entries::default();
        let (before, behind) = match id {
            TABLE => (self.tables(), &none),
            MEMORY => (self.memories(), &none),
            _ => (Entries::default(), &self.exports),
        };
        let (count, old) = split_count(content);
        let count = count + before.count + behind.count;
        if count == 0 {
            return;
        }
        let mut bytes = Vec::with_capacity(content.len() + behind.bytes.len());
        count.encode(&mut bytes);
        bytes.extend(before.bytes);
        bytes.extend(old);
        bytes.extend(&behind.bytes);
        self.raw(id, &bytes);
    }

    fn imports(&mut self, content: &[u8]) {
        let layout = self.layout;
        if layout.imported_memories.is_empty() && layout.imported_tables.is_empty() {
            return self.raw(IMPORT, content);
        }
        let mut section = ImportSection::new();
        for import in &layout.imports {
            if let TypeRef::Func(ty) = import.ty {
                section.import(import.module, import.name, EntityType::Function(ty));
            }
        }
        self.module.section(&section);
    }

    fn tables(&self) -> Entries {
        let mut section = TableSection::new();
        for ty in &self.layout.imported_tables {
            section.table(TableType {
                // One of these two: see `Layout::import`.
                element_type: if ty.element_type == wasmparser::RefType::FUNCREF {
                    RefType::FUNCREF
                } else {
                    RefType::EXTERNREF
                },
                table64: ty.table64,
                minimum: ty.initial,
                maximum: ty.maximum,
                shared: ty.shared,
            });
        }
        entries(&section)
    }

    fn memories(&self) -> Entries {
        let mut section = MemorySection::new();
        for ty in &self.layout.imported_memories {
            section.memory(MemoryType {
                minimum: ty.initial,
                maximum: ty.maximum,
                memory64: ty.memory64,
                shared: ty.shared,
                page_size_log2: ty.page_size_log2,
            });
        }
        entries(&section)
    }

    /// The data segments that stay: whether as they are, or emptied so that numbers keep their
    /// meaning.
    fn segments(&self) -> impl Iterator<Item = (bool, &wasmparser::Data<'_>)> {
        let layout = self.layout;
        layout
            .data
            .iter()
            .enumerate()
            .filter_map(|(number, segment)| {
                let is_active = matches!(segment.kind, DataKind::Active { .. });
                let is_taken = is_active && number < self.taken;
                (!is_taken || layout.names_data).then_some((is_taken, segment))
            })
    }

    fn data(&mut self) {
        let mut section = DataSection::new();
        for (is_taken, segment) in self.segments() {
            if is_taken {
                section.passive([]);
            } else {
                section.raw(&self.layout.bytes[segment.range.clone()]);
            }
        }
        if !section.is_empty() || self.has(DATA_COUNT) {
            self.module.section(&section);
        }
    }

    fn has(&self, id: u8) -> bool {
        self.layout.sections.iter().any(|(known, _)| *known == id)
    }
}

const IMPORT: u8 = SectionId::Import as u8;
const TABLE: u8 = SectionId::Table as u8;
const MEMORY: u8 = SectionId::Memory as u8;
const START: u8 = SectionId::Start as u8;
const DATA: u8 = SectionId::Data as u8;
const DATA_COUNT: u8 = SectionId::DataCount as u8;

/// The order of sections in a module (WebAssembly 3.0, 5.5.2).
const ORDER: [u8; 13] = [
    SectionId::Type as u8,
    IMPORT,
    SectionId::Function as u8,
    TABLE,
    MEMORY,
    SectionId::Tag as u8,
    SectionId::Global as u8,
    SectionId::Export as u8,
    START,
    SectionId::Element as u8,
    DATA_COUNT,
    SectionId::Code as u8,
    DATA,
];

/// What a section holds, without length and count.
fn entries(section: &impl Encode) -> Entries {
    let mut bytes = Vec::new();
    section.encode(&mut bytes);
    let (_, content) = split_count(&bytes);
    let (count, content) = split_count(content);
    Entries {
        count,
        bytes: content.to_vec(),
    }
}

/// Takes the number off that a section's content begins with.
fn split_count(content: &[u8]) -> (u32, &[u8]) {
    let mut reader = wasmparser::BinaryReader::new(content, 0);
    match reader.read_var_u32() {
        Ok(count) => (count, &content[reader.original_position()..]),
        Err(_) => (0, content),
    }
}
