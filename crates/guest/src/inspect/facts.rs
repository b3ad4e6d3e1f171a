//! What the sections of a module say, before any judgement.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, CustomSectionReader, Data, ExternalKind, FuncType,
    KnownCustom, MemoryType, Parser, Payload, TableType, TypeRef,
};

use super::report::{CustomSection, Kind, Producer};
use crate::abi::ValueType;

type Parsed<T = ()> = Result<T, BinaryReaderError>;

/// Parameters shown of a function type; no ABI function has more than twelve.
const SHOWN_TYPES_MAX: usize = 16;

/// The outermost module's or component's sections.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) kind: Kind,
    pub(super) imports: Vec<ImportFact<'a>>,
    pub(super) exports: Vec<ExportFact<'a>>,
    pub(super) memories: Vec<MemoryType>,
    pub(super) tables: Vec<TableType>,
    pub(super) functions: usize,
    pub(super) code_bytes: u64,
    pub(super) data_segments: usize,
    pub(super) data_bytes: u64,
    pub(super) has_start: bool,
    pub(super) custom: Vec<CustomSection>,
    pub(super) producers: Vec<Producer>,
    /// Type section; `None`: not a function type.
    types: Vec<Option<FuncType>>,
    /// Type index of each function, imported ones first.
    function_types: Vec<u32>,
}

/// One import.
#[derive(Debug)]
pub(super) struct ImportFact<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) item: Item,
}

/// One export.
#[derive(Debug)]
pub(super) struct ExportFact<'a> {
    pub(super) name: &'a str,
    pub(super) item: Item,
}

/// What is imported or exported.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A function, with its type unless that is no plain function type.
    Function(Option<FuncType>),
    /// A table.
    Table,
    /// A memory.
    Memory,
    /// A global.
    Global,
    /// An exception tag.
    Tag,
    /// An import or export of a component.
    Interface,
}

impl Item {
    /// The item for a report: a function's type or the kind of thing.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Function(Some(ty)) => signature(
                ty.params().iter().map(ToString::to_string),
                ty.results().iter().map(ToString::to_string),
            ),
            Self::Function(None) => "function of an unusual type".to_owned(),
            Self::Table => "table".to_owned(),
            Self::Memory => "memory".to_owned(),
            Self::Global => "global".to_owned(),
            Self::Tag => "tag".to_owned(),
            Self::Interface => "interface".to_owned(),
        }
    }

    /// Whether it is a function of these types.
    pub(super) fn is_function(&self, params: &[ValueType], results: &[ValueType]) -> bool {
        let Self::Function(Some(ty)) = self else {
            return false;
        };
        let same = |actual: &[wasmparser::ValType], expected: &[ValueType]| {
            actual.len() == expected.len()
                && actual
                    .iter()
                    .zip(expected)
                    .all(|(actual, expected)| match expected {
                        ValueType::I32 => *actual == wasmparser::ValType::I32,
                        ValueType::I64 => *actual == wasmparser::ValType::I64,
                    })
        };
        same(ty.params(), params) && same(ty.results(), results)
    }
}

/// `(i32, i64) -> i32`; long lists are cut, so that a report cannot outgrow its module.
pub(super) fn signature(
    params: impl ExactSizeIterator<Item = String>,
    results: impl ExactSizeIterator<Item = String>,
) -> String {
    let arrow = if results.len() == 0 { "" } else { " -> " };
    let is_single = results.len() == 1;
    let results = list(results);
    let results = if is_single || arrow.is_empty() {
        results
    } else {
        format!("({results})")
    };
    format!("({}){arrow}{results}", list(params))
}

fn list(types: impl ExactSizeIterator<Item = String>) -> String {
    let cut = if types.len() > SHOWN_TYPES_MAX {
        ", …"
    } else {
        ""
    };
    format!(
        "{}{cut}",
        types.take(SHOWN_TYPES_MAX).collect::<Vec<_>>().join(", ")
    )
}

impl<'a> Facts<'a> {
    /// Reads the sections of the outermost module or component.
    pub(super) fn read(bytes: &'a [u8]) -> Parsed<Self> {
        let mut facts = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 0 => facts.section(payload)?,
                _ => {}
            }
        }
        Ok(facts)
    }

    /// Notes one section. Sections that no report speaks of are passed over.
    fn section(&mut self, payload: Payload<'a>) -> Parsed {
        match payload {
            Payload::Version {
                encoding: wasmparser::Encoding::Component,
                ..
            } => {
                self.kind = Kind::Component;
            }
            Payload::TypeSection(reader) => {
                for group in reader {
                    self.types.extend(group?.into_types().map(
                        |ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        },
                    ));
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    self.import(import?);
                }
            }
            Payload::FunctionSection(reader) => {
                for index in reader {
                    self.function_types.push(index?);
                    self.functions += 1;
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.memories.push(memory?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    self.tables.push(table?.ty);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    let item = self.exported(export.kind, export.index);
                    self.exports.push(ExportFact {
                        name: export.name,
                        item,
                    });
                }
            }
            Payload::StartSection { .. } => self.has_start = true,
            Payload::CodeSectionStart { size, .. } => self.code_bytes = u64::from(size),
            Payload::DataSection(reader) => {
                for segment in reader {
                    self.segment(&segment?);
                }
            }
            Payload::CustomSection(reader) => self.custom(&reader),
            Payload::ComponentImportSection(reader) => {
                for import in reader {
                    let name = import?.name.name;
                    self.imports.push(ImportFact {
                        module: "",
                        name,
                        item: Item::Interface,
                    });
                }
            }
            Payload::ComponentExportSection(reader) => {
                for export in reader {
                    let name = export?.name.name;
                    self.exports.push(ExportFact {
                        name,
                        item: Item::Interface,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'a>) {
        let item = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.function_types.push(index);
                Item::Function(self.function_type(index))
            }
            TypeRef::Table(ty) => {
                self.tables.push(ty);
                Item::Table
            }
            TypeRef::Memory(ty) => {
                self.memories.push(ty);
                Item::Memory
            }
            TypeRef::Global(_) => Item::Global,
            TypeRef::Tag(_) => Item::Tag,
        };
        self.imports.push(ImportFact {
            module: import.module,
            name: import.name,
            item,
        });
    }

    fn exported(&self, kind: ExternalKind, index: u32) -> Item {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let ty = self.function_types.get(index as usize);
                Item::Function(ty.and_then(|ty| self.function_type(*ty)))
            }
            ExternalKind::Table => Item::Table,
            ExternalKind::Memory => Item::Memory,
            ExternalKind::Global => Item::Global,
            ExternalKind::Tag => Item::Tag,
        }
    }

    fn function_type(&self, index: u32) -> Option<FuncType> {
        self.types.get(index as usize).cloned().flatten()
    }

    fn segment(&mut self, segment: &Data<'_>) {
        self.data_segments += 1;
        self.data_bytes += segment.data.len() as u64;
    }

    /// A custom section never makes a module invalid: one that cannot be read is only listed.
    fn custom(&mut self, section: &CustomSectionReader<'a>) {
        self.custom.push(CustomSection {
            name: section.name().to_owned(),
            bytes: section.data().len() as u64,
        });
        if let KnownCustom::Producers(fields) = section.as_known() {
            for field in fields.into_iter().flatten() {
                let values = field.values.into_iter().flatten();
                self.producers.extend(values.map(|value| Producer {
                    field: field.name.to_owned(),
                    name: value.name.to_owned(),
                    version: value.version.to_owned(),
                }));
            }
        }
    }
}
