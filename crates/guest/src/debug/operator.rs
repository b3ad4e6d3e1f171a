//! Instructions as WebAssembly's text format writes them.

use std::fmt::Write as _;

use wasmparser::{
    BlockType, BrTable, Catch, Handle, HeapType, Ieee32, Ieee64, MemArg, Operator, Ordering,
    RefType, ResumeTable, TryTable, V128, ValType,
};

use super::names::Names;

/// The first words of names that a full stop follows.
const PREFIXES: [&str; 21] = [
    "any", "array", "atomic", "cont", "data", "elem", "extern", "f32", "f32x4", "f64", "f64x2",
    "global", "i16x8", "i31", "i32", "i32x4", "i64", "i64x2", "i8x16", "local", "memory",
];
const MORE_PREFIXES: [&str; 4] = ["ref", "struct", "table", "v128"];

/// One instruction of a function, with its immediates. What has a name is told by it.
pub(super) fn text(operator: &Operator<'_>, function: u32, names: &Names) -> String {
    let mut line = Line {
        text: String::new(),
        function,
        names,
    };
    line.operator(operator);
    line.text
}

/// What wasmparser calls an instruction.
pub(super) fn name(operator: &Operator<'_>) -> &'static str {
    macro_rules! name {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
            match operator {
                $( Operator::$op { .. } => stringify!($visit), )*
                _ => "",
            }
        };
    }
    wasmparser::for_each_operator!(name)
}

struct Line<'n> {
    text: String,
    function: u32,
    names: &'n Names,
}

/// An immediate of an instruction; `role` is what wasmparser calls it.
trait Immediate {
    fn write(&self, line: &mut Line<'_>, role: &str);
}

macro_rules! operator {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        fn operator(&mut self, operator: &Operator<'_>) {
            self.name(name(operator));
            match operator {
                $(
                    Operator::$op $({ $($arg),* })? => {
                        $( $( $arg.write(self, stringify!($arg)); )* )?
                    }
                )*
                // wasmparser may learn more of them: then they have no text here.
                _ => self.text.push('?'),
            }
        }
    };
}

impl Line<'_> {
    wasmparser::for_each_operator!(operator);

    fn name(&mut self, visit: &str) {
        let name = visit.strip_prefix("visit_").unwrap_or(visit);
        if name.starts_with("typed_select") {
            self.text.push_str("select");
            return;
        }
        let Some((first, rest)) = name.split_once('_') else {
            self.text.push_str(name);
            return;
        };
        if !PREFIXES.contains(&first) && !MORE_PREFIXES.contains(&first) {
            self.text.push_str(name);
            return;
        }
        self.text.push_str(first);
        self.text.push('.');
        let Some(atomic) = rest.strip_prefix("atomic_") else {
            self.text.push_str(rest);
            return;
        };
        self.text.push_str("atomic.");
        match atomic.split_once('_') {
            Some((width, what)) if width.starts_with("rmw") => {
                self.text.push_str(width);
                self.text.push('.');
                self.text.push_str(what);
            }
            Some(_) | None => self.text.push_str(atomic),
        }
    }

    fn word(&mut self, word: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = write!(self.text, " {word}");
    }
}

impl Immediate for u32 {
    fn write(&self, line: &mut Line<'_>, role: &str) {
        let name = match role {
            "function_index" => line.names.function(*self),
            "global_index" => line.names.global(*self),
            "local_index" => line.names.local(line.function, *self),
            "mem" | "table" | "dst_mem" | "src_mem" if *self == 0 => return,
            _ => None,
        };
        match name {
            Some(name) => line.word(format_args!("${name}")),
            None => line.word(format_args!("{self}")),
        }
    }
}

macro_rules! plain {
    ($($ty:ty),*) => {
        $(impl Immediate for $ty {
            fn write(&self, line: &mut Line<'_>, _: &str) {
                line.word(format_args!("{self}"));
            }
        })*
    };
}

plain!(u8, i32, i64, ValType, RefType);

impl Immediate for Ieee32 {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        line.word(format_args!("{}", super::Value::F32(self.bits())));
    }
}

impl Immediate for Ieee64 {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        line.word(format_args!("{}", super::Value::F64(self.bits())));
    }
}

impl Immediate for V128 {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        let bits = u128::from_le_bytes(*self.bytes());
        line.word(format_args!("{}", super::Value::V128(bits)));
    }
}

impl Immediate for HeapType {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        let nullable = RefType::new(true, *self).map(|ty| ty.to_string());
        let text = nullable.unwrap_or_default();
        // `funcref`, or `(ref null 5)`.
        let inner = text.strip_prefix("(ref null ");
        let short = text.strip_suffix("ref");
        let name = inner.and_then(|inner| inner.strip_suffix(')')).or(short);
        line.word(format_args!("{}", name.unwrap_or(&text)));
    }
}

impl Immediate for BlockType {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        match self {
            Self::Empty => {}
            Self::Type(ty) => line.word(format_args!("(result {ty})")),
            Self::FuncType(index) => line.word(format_args!("(type {index})")),
        }
    }
}

impl Immediate for MemArg {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        if self.memory != 0 {
            line.word(format_args!("{}", self.memory));
        }
        if self.offset != 0 {
            line.word(format_args!("offset={}", self.offset));
        }
        if self.align != self.max_align {
            line.word(format_args!("align={}", 1_u32 << self.align.min(31)));
        }
    }
}

impl Immediate for BrTable<'_> {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        for target in self.targets().map_while(Result::ok) {
            line.word(format_args!("{target}"));
        }
        line.word(format_args!("{}", self.default()));
    }
}

impl Immediate for [u8; 16] {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        for lane in self {
            line.word(format_args!("{lane}"));
        }
    }
}

impl Immediate for Ordering {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        match self {
            Self::AcqRel => line.word(format_args!("acq_rel")),
            Self::SeqCst => line.word(format_args!("seq_cst")),
        }
    }
}

impl<T: Immediate> Immediate for Vec<T> {
    fn write(&self, line: &mut Line<'_>, role: &str) {
        for part in self {
            part.write(line, role);
        }
    }
}

impl Immediate for TryTable {
    fn write(&self, line: &mut Line<'_>, role: &str) {
        self.ty.write(line, role);
        for catch in &self.catches {
            match catch {
                Catch::One { tag, label } => line.word(format_args!("(catch {tag} {label})")),
                Catch::OneRef { tag, label } => {
                    line.word(format_args!("(catch_ref {tag} {label})"));
                }
                Catch::All { label } => line.word(format_args!("(catch_all {label})")),
                Catch::AllRef { label } => line.word(format_args!("(catch_all_ref {label})")),
            }
        }
    }
}

impl Immediate for ResumeTable {
    fn write(&self, line: &mut Line<'_>, _: &str) {
        for handle in &self.handlers {
            match handle {
                Handle::OnLabel { tag, label } => line.word(format_args!("(on {tag} {label})")),
                Handle::OnSwitch { tag } => line.word(format_args!("(on {tag} switch)")),
            }
        }
    }
}
