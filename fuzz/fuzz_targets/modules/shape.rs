//! Modules that look like plugins: wasm-smith's, with the imports and exports of the ABI.

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{self, Unstructured};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Instruction, MemorySection, MemoryType, Module, TypeSection, ValType,
};
use wasm_smith::Config;
use weir_guest::abi::{
    AbiVersion, CALLBACKS, DRAFT_MAPS, ENV, MAPS, Namespace, ValueType, functions,
};

/// Everything that a plugin can import.
static IMPORTS: LazyLock<Vec<u8>> = LazyLock::new(imports);

/// A module of wasm-smith, made from some of the input.
pub(crate) fn plugin(input: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let exports = exports(input.arbitrary()?, input.arbitrary()?);
    let config = Config {
        available_imports: Some(IMPORTS.clone()),
        exports: Some(exports),
        allow_start_export: true,
        max_imports: 30,
        max_funcs: 20,
        max_instructions: 60,
        max_memories: 3,
        max_tables: 3,
        max_table_elements: 20_000,
        max_memory32_bytes: 32 << 20,
        max_data_segments: 20,
        max_element_segments: 5,
        table_max_size_required: false,
        // With them come references to values of the host, which this engine refuses.
        reference_types_enabled: input.ratio(1_u8, 16_u8)?,
        bulk_memory_enabled: true,
        multi_value_enabled: true,
        simd_enabled: input.arbitrary()?,
        tail_call_enabled: input.arbitrary()?,
        memory64_enabled: false,
        threads_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        custom_page_sizes_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    };
    // What follows in the input is the world's.
    let share = input.len() * 3 / 4;
    let mut own = Unstructured::new(input.bytes(share)?);
    Ok(wasm_smith::Module::new(config, &mut own)?.to_bytes())
}

fn types(list: &[ValueType]) -> Vec<ValType> {
    let one = |ty: &ValueType| match ty {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
    };
    list.iter().map(one).collect()
}

fn imports() -> Vec<u8> {
    let (mut signatures, mut list) = (TypeSection::new(), ImportSection::new());
    for (index, function) in functions().enumerate() {
        let module = match function.namespace {
            Namespace::Env => ENV,
            Namespace::Wasi => "wasi_snapshot_preview1",
            Namespace::Maps => MAPS,
            Namespace::DraftMaps => DRAFT_MAPS,
        };
        signatures
            .ty()
            .function(types(function.params), types(function.results));
        let ty = u32::try_from(index).expect("there are few");
        list.import(module, function.name, EntityType::Function(ty));
    }
    let mut module = Module::new();
    module.section(&signatures).section(&list);
    module.finish()
}

/// A module with the exports of a plugin: some callbacks, memory, allocator, marker.
fn exports(callbacks: u64, extras: u8) -> Vec<u8> {
    let marker = AbiVersion::ALL[usize::from(extras >> 6)].marker();
    let mut wanted: Vec<(&str, Vec<ValType>, Vec<ValType>)> = vec![
        (marker, vec![], vec![]),
        ("malloc", vec![ValType::I32], vec![ValType::I32]),
    ];
    if extras & 1 != 0 {
        wanted.push(("_initialize", vec![], vec![]));
    }
    if extras & 2 != 0 {
        wanted.push(("_start", vec![], vec![]));
    }
    for (index, callback) in CALLBACKS.iter().enumerate() {
        let is_chosen = callbacks >> (index % 64) & 1 != 0;
        if is_chosen && !wanted.iter().any(|(name, _, _)| *name == callback.name) {
            wanted.push((callback.name, types(callback.params), types(callback.results)));
        }
    }
    let (mut signatures, mut functions) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    for (index, (name, params, results)) in wanted.into_iter().enumerate() {
        let index = u32::try_from(index).expect("there are few");
        signatures.ty().function(params, results);
        functions.function(index);
        exports.export(name, ExportKind::Func, index);
        let mut body = Function::new([]);
        body.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
        code.function(&body);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: u64::from(extras >> 2 & 3),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    exports.export("memory", ExportKind::Memory, 0);
    let mut module = Module::new();
    module
        .section(&signatures)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish()
}
