//! What a module says without being run: its functions, globals and names.

use std::ops::Range;
use std::sync::Arc;

use wasmparser::types::TypesRef;
use wasmparser::{
    ExternalKind, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    KnownCustom, Parser, Payload, TypeRef, ValidPayload, Validator, ValidatorResources,
    WasmFeatures,
};
use weir_model::limits;

use super::listing::Listing;
use super::names::Names;
use super::value::Type;
use crate::inspect::{self, InspectError};
use crate::trace::readable;

/// A module that is looked at.
pub struct Code {
    bytes: Arc<[u8]>,
    functions: Vec<Function>,
    bodies: Vec<Body>,
    globals: Vec<Type>,
    memories: u32,
    names: Names,
}

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its number.
    pub index: u32,
    /// As its author calls it, or else as it is imported or exported.
    pub name: Option<String>,
    /// Module and name under which it is imported; `None`: the module has its body.
    pub import: Option<String>,
    /// Names under which it is exported.
    pub exports: Vec<String>,
    /// What it takes.
    pub params: Vec<Type>,
    /// What it returns.
    pub results: Vec<Type>,
    /// Where its instructions stand in the module; empty for imports.
    pub instructions: Range<u32>,
}

/// The body of a function, and what validating it takes.
pub(super) struct Body {
    pub(super) range: Range<usize>,
    instructions: usize,
    index: u32,
    resources: ValidatorResources,
    ty: u32,
    features: WasmFeatures,
}

/// Why there is nothing to look at.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CodeError {
    /// It is no module.
    #[error(transparent)]
    NoModule(#[from] InspectError),
    /// Components are not stepped through.
    #[error("this is a component; expected a core module (the modules in it can be extracted)")]
    Component,
    /// There is no such function.
    #[error("the module has no function {0}")]
    NoFunction(u32),
    /// The function has no body.
    #[error("function {0} is imported: the module has no instructions of it")]
    Imported(u32),
    /// The same, because of operands.
    #[error("function {0} has so many operands at so many instructions that it is not listed")]
    TooDeep(u32),
    /// A listing would not fit.
    #[error("function {function} has {bytes} bytes of code, at most {most} are listed")]
    TooLarge {
        /// Its number.
        function: u32,
        /// Its length.
        bytes: usize,
        /// The most that is listed.
        most: usize,
    },
}

impl From<wasmparser::BinaryReaderError> for CodeError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::NoModule(error.into())
    }
}

impl Code {
    /// Reads and validates a module.
    ///
    /// # Errors
    ///
    /// [`CodeError`] for what is no valid core module.
    pub fn read(bytes: impl Into<Arc<[u8]>>) -> Result<Self, CodeError> {
        let bytes = bytes.into();
        inspect::recognize::wasm(&bytes)?;
        if Parser::is_component(&bytes) {
            return Err(CodeError::Component);
        }
        let mut code = Self {
            bytes: Arc::clone(&bytes),
            functions: Vec::new(),
            bodies: Vec::new(),
            globals: Vec::new(),
            memories: 0,
            names: Names::default(),
        };
        let mut validator = Validator::new_with_features(WasmFeatures::default());
        let mut links = Links::default();
        for payload in Parser::new(0).parse_all(&bytes) {
            let payload = payload?;
            match validator.payload(&payload)? {
                ValidPayload::Func(function, body) => code.bodies.push(Body::of(&function, &body)?),
                ValidPayload::End(types) => code.take_types(types.as_ref(), &links),
                ValidPayload::Ok | ValidPayload::Parser(_) => {}
            }
            links.note(&payload)?;
            if let Payload::CustomSection(section) = &payload
                && let KnownCustom::Name(names) = section.as_known()
            {
                code.names.read(names);
            }
        }
        code.name_functions();
        Ok(code)
    }

    fn take_types(&mut self, types: TypesRef<'_>, links: &Links) {
        let count = links.imports.len() + self.bodies.len();
        for index in (0..count).filter_map(|index| u32::try_from(index).ok()) {
            let import = links.imports.get(index as usize).cloned();
            let body = (index as usize).checked_sub(links.imports.len());
            let body = body.and_then(|body| self.bodies.get(body));
            let ty = types[types.core_function_at(index)].unwrap_func();
            let exports = links.exports.iter().filter(|(_, to)| *to == index);
            self.functions.push(Function {
                index,
                name: None,
                import,
                exports: exports.map(|(name, _)| name.clone()).collect(),
                params: ty.params().iter().copied().map(Type).collect(),
                results: ty.results().iter().copied().map(Type).collect(),
                instructions: body.map_or(0..0, Body::instructions),
            });
        }
        let globals = 0..types.global_count();
        let globals = globals.map(|index| Type(types.global_at(index).content_type));
        self.globals = globals.collect();
        self.memories = types.memory_count();
    }

    fn name_functions(&mut self) {
        for function in &mut self.functions {
            let own = self.names.function(function.index).map(str::to_owned);
            let linked = || {
                function
                    .import
                    .clone()
                    .or(function.exports.first().cloned())
            };
            function.name = own.or_else(linked);
        }
    }

    /// The bytes of the module.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// All functions, imports first.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Types of all globals, imports first.
    #[must_use]
    pub fn globals(&self) -> &[Type] {
        &self.globals
    }

    /// The name of a global, if it has one.
    #[must_use]
    pub fn global_name(&self, index: u32) -> Option<&str> {
        self.names.global(index)
    }

    /// How many memories there are.
    #[must_use]
    pub fn memories(&self) -> u32 {
        self.memories
    }

    /// The function that is exported, named or numbered so.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Function> {
        let exported = |function: &&Function| function.exports.iter().any(|known| known == name);
        let named = |function: &&Function| function.name.as_deref() == Some(name);
        let mut functions = self.functions.iter();
        functions.find(exported).or_else(|| {
            self.functions
                .iter()
                .find(named)
                .or_else(|| self.functions.get(name.parse::<usize>().ok()?))
        })
    }

    /// The function that has the instruction at this offset.
    #[must_use]
    pub fn function_at(&self, offset: u32) -> Option<&Function> {
        let first = self.functions.partition_point(|function| {
            function.import.is_some() || function.instructions.end <= offset
        });
        let function = self.functions.get(first)?;
        function.instructions.contains(&offset).then_some(function)
    }

    /// A function, instruction by instruction.
    ///
    /// # Errors
    ///
    /// [`CodeError`] if there is no such function, it has no body or too much of it.
    pub fn listing(&self, function: u32) -> Result<Listing, CodeError> {
        let imports = self.functions.len() - self.bodies.len();
        if self.functions.len() <= function as usize {
            return Err(CodeError::NoFunction(function));
        }
        let body = (function as usize).checked_sub(imports);
        let body = body.and_then(|body| self.bodies.get(body));
        let body = body.ok_or(CodeError::Imported(function))?;
        if body.range.len() > limits::debug::LISTED_CODE_BYTES_MAX {
            return Err(CodeError::TooLarge {
                function,
                bytes: body.range.len(),
                most: limits::debug::LISTED_CODE_BYTES_MAX,
            });
        }
        Listing::read(self, function, body)
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }
}

impl Body {
    /// Validates a function's body and notes what is needed to do it again.
    fn of(
        function: &FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<Self, CodeError> {
        let own = Self {
            range: body.range(),
            instructions: body.get_operators_reader()?.original_position(),
            index: function.index,
            resources: function.resources.clone(),
            ty: function.ty,
            features: function.features,
        };
        own.validator().validate(body)?;
        Ok(own)
    }

    /// Validates the function from its beginning.
    pub(super) fn validator(&self) -> FuncValidator<ValidatorResources> {
        let function = FuncToValidate {
            resources: self.resources.clone(),
            index: self.index,
            ty: self.ty,
            features: self.features,
        };
        function.into_validator(FuncValidatorAllocations::default())
    }

    /// Where its instructions stand.
    fn instructions(&self) -> Range<u32> {
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        place(self.instructions)..place(self.range.end)
    }
}

/// What a module imports and exports.
#[derive(Default)]
struct Links {
    /// Imported functions, in their order.
    imports: Vec<String>,
    /// Exported functions.
    exports: Vec<(String, u32)>,
}

impl Links {
    fn note(&mut self, payload: &Payload<'_>) -> Result<(), CodeError> {
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports() {
                    let import = import?;
                    if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import.ty {
                        let name = format!("{}.{}", import.module, import.name);
                        self.imports.push(readable(&name));
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if let ExternalKind::Func | ExternalKind::FuncExact = export.kind {
                        self.exports.push((export.name.to_owned(), export.index));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}
