//! What keeps the state of a module from being put into a snapshot.

use std::collections::BTreeMap;

use wasmparser::{CustomSectionReader, KnownCustom, Name, Operator, ValType};

/// Instructions and declarations that change state which a snapshot does not hold.
#[derive(Default)]
pub(super) struct Obstacles<'m> {
    /// The section of names, for messages.
    pub(super) names: Option<CustomSectionReader<'m>>,
    pub(super) imported_functions: u32,
    functions: u32,
    /// By what they do: the first function in which they stand, and how often they occur.
    instructions: BTreeMap<(&'static str, Option<u32>), (u32, u32)>,
}

impl Obstacles<'_> {
    /// The instructions that follow stand in the next function.
    pub(super) fn enter_function(&mut self) {
        self.functions += 1;
    }

    /// Notes an instruction if it changes a table or drops a segment.
    pub(super) fn instruction(&mut self, operator: &Operator<'_>) {
        let found = match *operator {
            Operator::TableSet { table } => ("table.set", Some(table)),
            Operator::TableGrow { table } => ("table.grow", Some(table)),
            Operator::TableFill { table } => ("table.fill", Some(table)),
            Operator::TableCopy { dst_table, .. } => ("table.copy", Some(dst_table)),
            Operator::TableInit { table, .. } => ("table.init", Some(table)),
            Operator::ElemDrop { .. } => ("elem.drop", None),
            Operator::DataDrop { .. } => ("data.drop", None),
            _ => return,
        };
        let index = self.imported_functions + self.functions.saturating_sub(1);
        self.instructions.entry(found).or_insert((index, 0)).1 += 1;
    }

    /// One sentence each, in a fixed order.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.instructions
            .iter()
            .map(|((instruction, table), (function, count))| {
                let of = table.map_or(String::new(), |table| format!(" on table {table}"));
                let times = match count {
                    1 => "once".to_owned(),
                    count => format!("{count} times"),
                };
                let function = self.function(*function);
                format!("it uses {instruction}{of} {times}, first in {function}")
            })
            .collect()
    }

    fn function(&self, index: u32) -> String {
        match self.name_of(index) {
            Some(name) => format!("function {index} ({name})"),
            None => format!("function {index}"),
        }
    }

    fn name_of(&self, wanted: u32) -> Option<String> {
        let KnownCustom::Name(sections) = self.names.as_ref()?.as_known() else {
            return None;
        };
        for section in sections {
            let Ok(Name::Function(names)) = section else {
                continue;
            };
            let found = names
                .into_iter()
                .flatten()
                .find(|name| name.index == wanted);
            if let Some(found) = found {
                return Some(found.name.chars().take(120).collect());
            }
        }
        None
    }
}

/// Whether a snapshot can hold the values of this type.
pub(super) fn is_plain(ty: ValType) -> bool {
    match ty {
        ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => true,
        ValType::Ref(_) => false,
    }
}
