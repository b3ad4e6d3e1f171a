//! A guest that passes every function of the ABI on, as the linker has them.

use std::sync::LazyLock;

use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasmtime::{Engine, ExternType, Instance, Linker, Memory, Store, Val};
use weir_maps::handles::Ends;
use weir_maps::{Called, Handles, MapCall};
use weir_maps_wasmtime::{CannotWait, DRAFT, MapAnswer, MapHost, link_map};

use super::input::MEMORY;

pub(crate) struct Data(Handles);

impl MapHost for Data {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        match self.0.call(call, Ends::WithRequest(1)) {
            Called::Now(reply) => Ok(reply.into()),
            Called::Later(_) => Err(CannotWait.into()),
        }
    }
}

/// A function that is passed on.
pub(crate) struct PassedOn {
    module: String,
    pub(crate) name: String,
    parameters: Vec<ValType>,
    pub(crate) arguments: Vec<char>,
}

/// What the arguments of each function are: see `Input::argument`.
const KINDS: [(&str, &str); 34] = [
    ("open", "nmro"),
    ("create", "oo"),
    ("close", "h"),
    ("dup", "hro"),
    ("lend", "hruvo"),
    ("transfer", "huvo"),
    ("accept", "oo"),
    ("rights", "ho"),
    ("stat", "ho"),
    ("id", "ho"),
    ("get", "hkloBoo"),
    ("get_alloc", "hklooo"),
    ("set", "hklkl"),
    ("set_with", "hklkloo"),
    ("delete", "hkl"),
    ("exists", "hklo"),
    ("compare_and_swap", "hklTklo"),
    ("increment", "hklio"),
    ("scan", "hklooBo"),
    ("batch", "hoqo"),
    ("clear", "h"),
    ("watch", "hklo"),
    ("next", "hioBo"),
    ("unwatch", "h"),
    ("put_map", "hklh"),
    ("get_map", "hklo"),
    ("region_create", "hkli"),
    ("region_map", "hkliilo"),
    ("region_unmap", "ol"),
    ("wasi_map_open", ""),
    ("wasi_map_set", "hklkl"),
    ("wasi_map_get", "hkloB"),
    ("wasi_map_delete", "hkl"),
    ("wasi_map_exists", "hkl"),
];

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);

fn linker() -> Linker<Data> {
    let mut linker = Linker::new(&ENGINE);
    link_map(&mut linker).expect("each name once");
    linker
}

/// Everything that the linker has.
pub(crate) static FUNCTIONS: LazyLock<Vec<PassedOn>> = LazyLock::new(|| {
    let linker = linker();
    let maps = weir_maps::Engine::new(std::sync::Arc::new(weir_maps::SystemClock::default()));
    let mut store = Store::new(&ENGINE, Data(super::play::nobody(&maps)));
    let functions: Vec<_> = linker
        .iter(&mut store)
        .map(|(module, name, function)| (module.to_owned(), name.to_owned(), function))
        .collect();
    functions
        .into_iter()
        .map(|(module, name, function)| {
            let ExternType::Func(ty) = function.ty(&store) else {
                panic!("{name} is no function");
            };
            let parameters: Vec<ValType> = ty
                .params()
                .map(|ty| {
                    if ty.is_i64() {
                        ValType::I64
                    } else {
                        ValType::I32
                    }
                })
                .collect();
            let known = KINDS.iter().find(|(known, _)| *known == name);
            let mut arguments: Vec<char> = known.map_or("", |known| known.1).chars().collect();
            arguments.resize(parameters.len(), '?');
            PassedOn {
                module,
                name,
                parameters,
                arguments,
            }
        })
        .collect()
});

static MODULE: LazyLock<wasmtime::Module> =
    LazyLock::new(|| wasmtime::Module::new(&ENGINE, passing_on()).expect("a module"));

fn passing_on() -> Vec<u8> {
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let count = u32::try_from(FUNCTIONS.len()).expect("some functions");
    for (number, function) in (0..).zip(FUNCTIONS.iter()) {
        types
            .ty()
            .function(function.parameters.iter().copied(), [ValType::I32]);
        imports.import(
            &function.module,
            &function.name,
            EntityType::Function(number),
        );
        functions.function(number);
        exports.export(&function.name, ExportKind::Func, count + number);
        let mut body = Function::new([]);
        for place in (0..).take(function.parameters.len()) {
            body.instruction(&Instruction::LocalGet(place));
        }
        body.instruction(&Instruction::Call(number));
        body.instruction(&Instruction::End);
        code.function(&body);
    }
    // An allocator that always has the same room.
    types.ty().function([ValType::I32], [ValType::I32]);
    functions.function(count);
    exports.export("malloc", ExportKind::Func, 2 * count);
    let mut malloc = Function::new([]);
    malloc.instruction(&Instruction::I32Const(0x8000));
    malloc.instruction(&Instruction::End);
    code.function(&malloc);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: (MEMORY >> 16) as u64,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let mut segments = wasm_encoder::DataSection::new();
    for (at, bytes) in [
        (0x40, &b"cache"[..]),
        (0x50, b"small"),
        (0x60, b"one"),
        (0x70, b"two"),
    ] {
        segments.active(0, &ConstExpr::i32_const(at), bytes.iter().copied());
    }
    let mut module = Module::new();
    module.section(&types);
    module.section(&imports);
    module.section(&functions);
    module.section(&memories);
    module.section(&exports);
    module.section(&code);
    module.section(&segments);
    module.finish()
}

/// The lower half of a number.
fn low(number: i64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// An instance.
pub(crate) struct Guest {
    store: Store<Data>,
    instance: Instance,
    memory: Memory,
}

impl Guest {
    pub(crate) fn new(handles: Handles) -> Self {
        let mut store = Store::new(&ENGINE, Data(handles));
        let instance = linker().instantiate(&mut store, &MODULE);
        let instance = instance.expect("an instance");
        let memory = instance.get_memory(&mut store, "memory");
        let memory = memory.expect("it is exported");
        Self {
            store,
            instance,
            memory,
        }
    }

    /// Calls a function; it must not trap.
    pub(crate) fn call(&mut self, function: &PassedOn, arguments: &[i64]) -> i32 {
        let name = &function.name;
        // In a store whose guests are never suspended, nothing waits.
        let exported = self.instance.get_func(&mut self.store, name);
        let values = function.parameters.iter().zip(arguments);
        let values: Vec<Val> = values
            .map(|(ty, number)| match ty {
                ValType::I64 => Val::I64(*number),
                _ => Val::I32(low(*number)),
            })
            .collect();
        let mut result = [Val::I32(0)];
        let called = exported
            .expect("it is exported")
            .call(&mut self.store, &values, &mut result);
        if let Err(error) = called {
            panic!("{name} {arguments:x?}: {error:?}");
        }
        result[0].unwrap_i32()
    }

    pub(crate) fn memory(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    pub(crate) fn read(&self, at: usize, bytes: usize) -> Vec<u8> {
        self.memory()[at..at + bytes].to_vec()
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory
            .write(&mut self.store, at, bytes)
            .expect("it is inside");
    }

    pub(crate) fn handles(&self) -> &Handles {
        &self.store.data().0
    }

    pub(crate) fn handles_mut(&mut self) -> &mut Handles {
        &mut self.store.data_mut().0
    }
}

impl PassedOn {
    /// Whether it answers something else than an error's number.
    pub(crate) fn is_draft(&self) -> bool {
        self.module == DRAFT
    }
}
