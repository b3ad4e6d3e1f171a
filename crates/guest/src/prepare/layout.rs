//! What of a module's structure the rewriting has to know.

use std::ops::Range;

use wasmparser::{
    Data, Encoding, GlobalType, Import, MemoryType, Operator, Parser, Payload, RefType, TableType,
    TypeRef, Validator, WasmFeatures,
};

use super::obstacles::Obstacles;

/// Why a module is left as it is.
pub(super) struct NotUnderstood;

impl From<wasmparser::BinaryReaderError> for NotUnderstood {
    fn from(_: wasmparser::BinaryReaderError) -> Self {
        Self
    }
}

/// The sections of a module whose structure is valid; its function bodies are parsed, not checked.
#[derive(Default)]
pub(super) struct Layout<'m> {
    pub(super) bytes: &'m [u8],
    /// All sections in their order: number and place of the content.
    pub(super) sections: Vec<(u8, Range<usize>)>,
    /// Imports that stay.
    pub(super) imports: Vec<Import<'m>>,
    pub(super) imported_tables: Vec<TableType>,
    pub(super) imported_memories: Vec<MemoryType>,
    /// All memories, imported ones first.
    pub(super) memories: Vec<MemoryType>,
    pub(super) globals: Vec<GlobalType>,
    pub(super) exports: Vec<&'m str>,
    pub(super) start: Option<u32>,
    pub(super) data: Vec<Data<'m>>,
    /// Whether functions speak of data segments by their numbers.
    pub(super) names_data: bool,
    pub(super) obstacles: Obstacles<'m>,
}

impl<'m> Layout<'m> {
    pub(super) fn read(bytes: &'m [u8]) -> Result<Self, NotUnderstood> {
        let mut layout = Self {
            bytes,
            ..Self::default()
        };
        // Structure is checked with every feature; which of them the engine has, the engine says.
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            validator.payload(&payload)?;
            if let Some(section) = payload.as_section() {
                layout.sections.push(section);
            }
            layout.note(payload)?;
        }
        Ok(layout)
    }

    fn note(&mut self, payload: Payload<'m>) -> Result<(), NotUnderstood> {
        match payload {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => return Err(NotUnderstood),
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    self.import(import?)?;
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.memories.push(memory?);
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    self.globals.push(global?.ty);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    self.exports.push(export?.name);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::CodeSectionEntry(body) => {
                self.obstacles.enter_function();
                for operator in body.get_operators_reader()? {
                    let operator = operator?;
                    self.names_data |= matches!(
                        operator,
                        Operator::MemoryInit { .. }
                            | Operator::DataDrop { .. }
                            | Operator::ArrayNewData { .. }
                            | Operator::ArrayInitData { .. }
                    );
                    self.obstacles.instruction(&operator);
                }
            }
            Payload::DataSection(reader) => {
                for segment in reader {
                    self.data.push(segment?);
                }
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                self.obstacles.names = Some(section);
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: Import<'m>) -> Result<(), NotUnderstood> {
        match import.ty {
            TypeRef::Func(_) => {
                self.obstacles.imported_functions += 1;
                self.imports.push(import);
            }
            TypeRef::Memory(ty) => {
                self.imported_memories.push(ty);
                self.memories.push(ty);
            }
            TypeRef::Table(ty)
                if matches!(ty.element_type, RefType::FUNCREF | RefType::EXTERNREF)
                    && !ty.shared =>
            {
                self.imported_tables.push(ty);
            }
            // Refused when the module is checked, with their names.
            TypeRef::Table(_) | TypeRef::Global(_) | TypeRef::Tag(_) | TypeRef::FuncExact(_) => {
                return Err(NotUnderstood);
            }
        }
        Ok(())
    }

    /// What private exports begin with: nothing that the module exports begins so.
    pub(super) fn prefix(&self) -> String {
        let mut prefix = "weir:".to_owned();
        while self.exports.iter().any(|name| name.starts_with(&prefix)) {
            prefix.insert(0, '-');
        }
        prefix
    }
}
