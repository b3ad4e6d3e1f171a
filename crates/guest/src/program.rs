//! Checks a module against the Proxy-Wasm ABI.
//!
//! Invariant: a [`Program`] that exists can be linked; everything that could be refused about a
//! module was refused here, with its name.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use wasmtime::{ExternType, FuncType, ModuleExport, ValType};
use weir_model::{Dialect, Strictness, one_line};

use crate::abi::{self, AbiVersion, ValueType};
use crate::code::{Code, Compiled, Source};
use crate::engine::{Engine, EngineError, EngineKind, Pace};
use crate::prepare::{Facts, Parts};
use crate::snapshot::{Snapshot, SnapshotRefusal};
use crate::vm::CallbackExports;

/// A compiled plugin. Shared by all workers.
pub struct Program {
    pub(crate) module: wasmtime::Module,
    pub(crate) exports: Exports,
    /// Why no snapshot can be made of a guest; `None`: it can.
    pub(crate) refusal: Option<SnapshotRefusal>,
    /// What memories hold before anything runs.
    pub(crate) start_image: Snapshot,
    /// Names about which worlds are asked: imported functions that are capabilities, and callbacks.
    pub(crate) gated: Vec<String>,
    /// Dies with the program: what a host keeps for it can go then.
    pub(crate) life: Arc<()>,
    /// What runs it.
    pub engine: EngineKind,
    /// What the module's marker declares.
    pub version: AbiVersion,
    /// Whose rules it runs under.
    pub dialect: Dialect,
    /// Why that dialect was chosen.
    pub dialect_reason: String,
    /// Imports that the host does not answer: each became a stub that says `Unimplemented`.
    pub stubs: Vec<String>,
    /// What the preparation found in the module.
    pub(crate) facts: Facts,
    /// The compiled code as a file without a name, once a process needed it.
    code: OnceLock<File>,
}

/// How a module is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramOptions {
    /// Whether unknown imports are refused.
    pub strictness: Strictness,
    /// Whose rules apply; `Auto`: by marker and imports.
    pub dialect: Dialect,
}

/// Where the exports are that the host calls.
pub(crate) struct Exports {
    pub(crate) callbacks: CallbackExports,
    /// The module's start function, which runs before everything else.
    pub(crate) first: Option<ModuleExport>,
    /// Mutable globals that a snapshot holds.
    pub(crate) globals: Vec<ModuleExport>,
    pub(crate) memory: ModuleExport,
    pub(crate) allocator: ModuleExport,
    pub(crate) initialize: Option<ModuleExport>,
    pub(crate) main: Option<ModuleExport>,
    pub(crate) main_void: Option<ModuleExport>,
    pub(crate) start: Option<ModuleExport>,
}

/// Why a module cannot be a plugin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not a WebAssembly module, or a broken one.
    #[error("failed to parse corrupted Wasm module: {}", one_line(.0))]
    Corrupted(String),
    /// Another engine may run it, this one cannot.
    #[error("the engine {engine} cannot run the module: {}", one_line(error))]
    Engine {
        /// Name of the engine.
        engine: &'static str,
        /// What it says.
        error: String,
    },
    /// No such engine on this machine.
    #[error(transparent)]
    NoEngine(EngineError),
    /// What the compiler made cannot be loaded.
    #[error("the compiled code cannot be loaded: {0}")]
    Code(String),
    /// No marker export.
    #[error(
        "missing or unknown Proxy-Wasm ABI version: the module exports none of {}",
        markers()
    )]
    NoAbiVersion,
    /// No memory under the name `memory`.
    #[error("the module exports no memory named \"memory\"")]
    NoMemory,
    /// No allocator.
    #[error(
        "Wasm module is missing malloc function: it exports neither malloc nor \
         proxy_on_memory_allocate of type (i32) -> i32"
    )]
    NoAllocator,
    /// An import that the host does not have.
    #[error(
        "failed to load Wasm module due to a missing import: {}.{}",
        one_line(module),
        one_line(name)
    )]
    UnknownImport {
        /// Import module.
        module: String,
        /// Import name.
        name: String,
    },
    /// An import that the host has with another type.
    #[error(
        "import {}.{} has type {found}, but the host offers {expected}",
        one_line(module),
        one_line(name)
    )]
    WrongImportType {
        /// Import module.
        module: String,
        /// Import name.
        name: String,
        /// Type in the module.
        found: String,
        /// Type in the host.
        expected: String,
    },
    /// The system gave no memory for what data segments hold.
    #[error("no memory for the module's start image: {0}")]
    Image(std::io::Error),
    /// Imported globals have no meaning in this ABI.
    #[error(
        "the module imports the global {}.{}; imported globals are not supported",
        one_line(module),
        one_line(name)
    )]
    ImportedGlobal {
        /// Import module.
        module: String,
        /// Import name.
        name: String,
    },
    /// A callback with a type that the ABI does not give it.
    #[error(
        "bad function signature for {}: {found}, expected {expected}",
        one_line(name)
    )]
    WrongExportType {
        /// Export name.
        name: String,
        /// Type in the module.
        found: String,
        /// Type of the ABI.
        expected: String,
    },
}

fn markers() -> String {
    AbiVersion::ALL.map(AbiVersion::marker).join(", ")
}

impl Program {
    /// Compiles a module for speed and checks it, with no cache. Takes milliseconds to seconds:
    /// never on a worker.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub fn compile(
        engine: &Engine,
        bytes: &[u8],
        options: ProgramOptions,
    ) -> Result<Self, LoadError> {
        let source = Source::new(bytes.to_vec());
        let compiled = Compiled::make(&source, EngineKind::Cranelift, Pace::Hurried)?;
        Self::new(&compiled.load(engine, None)?, options)
    }

    /// Checks a module whose code is there. Programs of the same code share it.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub fn new(code: &Code, options: ProgramOptions) -> Result<Self, LoadError> {
        let module = code.module.clone();
        let Parts { image, facts } = &*code.parts;
        let functions = module
            .exports()
            .filter(|export| export.ty().func().is_some())
            .map(|export| export.name().to_owned())
            .collect::<Vec<_>>();
        let version = AbiVersion::detect(functions.iter().map(String::as_str))
            .ok_or(LoadError::NoAbiVersion)?;
        let (dialect, dialect_reason) = choose_dialect(&module, version, options.dialect);
        let stubs = check_imports(&module, (version, dialect), options.strictness)?;
        check_callbacks(&module)?;
        let exports = Exports::find(&module, facts)?;
        let gated = gated(&module, &exports);
        let obstacles = facts.obstacles.clone();
        Ok(Self {
            module,
            exports,
            refusal: (!obstacles.is_empty()).then_some(SnapshotRefusal { obstacles }),
            start_image: Snapshot::of_start(facts, image).map_err(LoadError::Image)?,
            gated,
            life: Arc::new(()),
            engine: code.engine,
            version,
            dialect,
            dialect_reason,
            stubs,
            facts: facts.clone(),
            code: OnceLock::new(),
        })
    }

    /// The compiled code, sealed, to be handed to another process.
    pub(crate) fn code(&self) -> std::io::Result<&File> {
        if let Some(code) = self.code.get() {
            return Ok(code);
        }
        let code = crate::apart::code_file(&self.module)?;
        Ok(self.code.get_or_init(|| code))
    }

    /// A program that the gateway checked and compiled, as another process receives it.
    pub(crate) fn received(
        (engine, kind): (&Engine, EngineKind),
        code: File,
        (version, dialect): (AbiVersion, Dialect),
        (facts, start_image): (&Facts, Snapshot),
    ) -> Result<Self, LoadError> {
        let inner = engine.of(kind).map_err(LoadError::NoEngine)?;
        #[expect(
            unsafe_code,
            reason = "compiled code is trusted by whoever runs it, so loading it is unsafe"
        )]
        // SAFETY: the file was written by the gateway's own process with `Module::serialize` and
        // sealed before anybody else had it, and the gateway runs this same executable.
        let module = unsafe { wasmtime::Module::deserialize_open_file(inner, code) };
        let module = module.map_err(|error| LoadError::Code(format!("{error:#}")))?;
        let exports = Exports::find(&module, facts)?;
        let obstacles = facts.obstacles.clone();
        Ok(Self {
            gated: gated(&module, &exports),
            exports,
            module,
            refusal: (!obstacles.is_empty()).then_some(SnapshotRefusal { obstacles }),
            start_image,
            life: Arc::new(()),
            engine: kind,
            version,
            dialect,
            dialect_reason: String::new(),
            stubs: Vec::new(),
            facts: facts.clone(),
            code: OnceLock::new(),
        })
    }

    /// Whether the state of a guest can be kept, which a VM per request needs.
    ///
    /// # Errors
    ///
    /// Everything in the module that a snapshot would not hold.
    pub fn can_snapshot(&self) -> Result<(), SnapshotRefusal> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    /// Whether the module says which source lines its code came from, for
    /// [`Trace::with_lines`](crate::door::Trace::with_lines).
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.facts.has_lines
    }

    /// Whether the module exports a callback of this name, of a type that can be called.
    #[must_use]
    pub fn has_callback(&self, name: &str) -> bool {
        self.exports.callbacks.names().any(|known| known == name)
    }

    /// Whether a headers callback's value 1 means "stop, but go on with the body" by default.
    #[must_use]
    pub fn keeps_headers_stop_iteration(&self) -> bool {
        self.version == AbiVersion::V0_2_100
    }
}

/// The names about which worlds are asked.
fn gated(module: &wasmtime::Module, exports: &Exports) -> Vec<String> {
    let imports = module.imports().filter_map(|import| {
        let known = abi::find(import.module(), import.name())?;
        (known.topic != abi::Topic::Runtime).then(|| known.capability.to_owned())
    });
    imports
        .chain(exports.callbacks.names().map(str::to_owned))
        .collect()
}

fn choose_dialect(
    module: &wasmtime::Module,
    version: AbiVersion,
    wanted: Dialect,
) -> (Dialect, String) {
    match wanted {
        Dialect::Envoy | Dialect::Higress => (wanted, "the configuration says so".to_owned()),
        Dialect::Auto => {
            let imports: Vec<_> = module.imports().map(|i| (i.module(), i.name())).collect();
            abi::dialect(Some(version), imports)
        }
    }
}

/// Checks every import; returns the names of those that become stubs.
fn check_imports(
    module: &wasmtime::Module,
    (version, dialect): (AbiVersion, Dialect),
    strictness: Strictness,
) -> Result<Vec<String>, LoadError> {
    let is_offered = |function: &abi::HostFunction| {
        function.origin != abi::Origin::Higress || dialect == Dialect::Higress
    };
    let mut stubs = Vec::new();
    for import in module.imports() {
        let (from, name) = (import.module().to_owned(), import.name().to_owned());
        let ty = match import.ty() {
            ExternType::Func(ty) => ty,
            ExternType::Global(_) => {
                return Err(LoadError::ImportedGlobal { module: from, name });
            }
            ExternType::Memory(_) | ExternType::Table(_) => continue,
            ExternType::Tag(_) => {
                return Err(LoadError::UnknownImport { module: from, name });
            }
        };
        let known = abi::find(&from, &name);
        let fits = known.is_some_and(|function| {
            strictness == Strictness::Tolerant
                || (function.versions.contains(version) && is_offered(function))
        });
        match known {
            Some(function) if fits => {
                let mut types = function.params();
                if !types.any(|params| has_type(&ty, params, function.results)) {
                    return Err(LoadError::WrongImportType {
                        module: from,
                        name,
                        found: ty.to_string(),
                        expected: type_text(function.params, function.results),
                    });
                }
                if !is_offered(function) || name == "envoy_resolve_dns" {
                    stubs.push(format!("{from}.{name}"));
                }
            }
            Some(_) | None if strictness == Strictness::Strict => {
                return Err(LoadError::UnknownImport { module: from, name });
            }
            Some(_) | None => stubs.push(format!("{from}.{name}")),
        }
    }
    Ok(stubs)
}

/// A callback of the ABI must have a type that some version of the ABI gives it.
fn check_callbacks(module: &wasmtime::Module) -> Result<(), LoadError> {
    for export in module.exports() {
        let ExternType::Func(ty) = export.ty() else {
            continue;
        };
        let mut known = abi::CALLBACKS
            .iter()
            .filter(|c| c.name == export.name())
            .peekable();
        let Some(first) = known.peek().copied() else {
            continue;
        };
        if !known.any(|callback| has_type(&ty, callback.params, callback.results)) {
            return Err(LoadError::WrongExportType {
                name: export.name().to_owned(),
                found: ty.to_string(),
                expected: type_text(first.params, first.results),
            });
        }
    }
    Ok(())
}

impl Exports {
    fn find(module: &wasmtime::Module, facts: &Facts) -> Result<Self, LoadError> {
        let of_type = |name: &str, params: &[ValueType], results: &[ValueType]| {
            let ty = module.get_export(name)?;
            has_type(ty.func()?, params, results).then(|| module.get_export_index(name))?
        };
        if module
            .get_export("memory")
            .is_none_or(|ty| ty.memory().is_none())
        {
            return Err(LoadError::NoMemory);
        }
        let int = ValueType::I32;
        let private = |name: &str| {
            let missing = || LoadError::Corrupted(format!("the export {name} is missing"));
            module.get_export_index(name).ok_or_else(missing)
        };
        let globals = (0..facts.globals).map(|number| private(&facts.global(number)));
        Ok(Self {
            callbacks: CallbackExports::find(module),
            first: facts.start().map(|name| private(&name)).transpose()?,
            globals: globals.collect::<Result<_, _>>()?,
            memory: module
                .get_export_index("memory")
                .ok_or(LoadError::NoMemory)?,
            allocator: abi::ALLOCATORS
                .iter()
                .find_map(|name| of_type(name, &[int], &[int]))
                .ok_or(LoadError::NoAllocator)?,
            initialize: of_type("_initialize", &[], &[]),
            main: of_type("main", &[int, int], &[int]),
            main_void: of_type("__main_void", &[], &[int]),
            start: of_type("_start", &[], &[]),
        })
    }
}

fn has_type(ty: &FuncType, params: &[ValueType], results: &[ValueType]) -> bool {
    let same = |found: ValType, expected: &ValueType| {
        matches!(
            (found, expected),
            (ValType::I32, ValueType::I32) | (ValType::I64, ValueType::I64)
        )
    };
    ty.params().len() == params.len()
        && ty.results().len() == results.len()
        && ty
            .params()
            .zip(params)
            .all(|(found, expected)| same(found, expected))
        && ty
            .results()
            .zip(results)
            .all(|(found, expected)| same(found, expected))
}

fn type_text(params: &[ValueType], results: &[ValueType]) -> String {
    let list = |types: &[ValueType]| {
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match results {
        [] => format!("({})", list(params)),
        _ => format!("({}) -> {}", list(params), list(results)),
    }
}
