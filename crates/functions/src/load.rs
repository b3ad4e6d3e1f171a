//! From a module and its configuration to a function that can be called.

use std::path::PathBuf;

use wasmtime::Module;
use weir_model::{Function, FunctionKind, one_line};

use crate::cell::Setup;
use crate::cli;
use crate::code::Code;
use crate::command::{self, Command};
use crate::core::Core;
use crate::export::Export;
use crate::fault::Fault;
use crate::http::{self, Http};
use crate::message::{Request, Response};
use crate::runtime::Runtime;
use crate::surroundings::Surroundings;

/// How a function is called: what [`FunctionKind::Auto`] became, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A component that handles HTTP.
    Http,
    /// One exported function.
    Export,
    /// A core module with the plain ABI.
    Core,
    /// A WASI command.
    Command,
}

impl Kind {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Export => "export",
            Self::Core => "core",
            Self::Command => "command",
        }
    }
}

/// Why a module cannot be a function.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not WebAssembly, or broken.
    #[error("failed to parse corrupted Wasm: {}", one_line(.0))]
    Corrupted(String),
    /// The module is of the wrong form for its kind.
    #[error("kind {}: expected {expected}, but the module is {found}", kind.name())]
    Form {
        /// The kind.
        kind: Kind,
        /// What it needs.
        expected: &'static str,
        /// What it found.
        found: &'static str,
    },
    /// It does not export what its kind calls.
    #[error("kind {}: expected {expected}; the module exports {}", kind.name(), one_line(found))]
    Export {
        /// The kind.
        kind: Kind,
        /// What it needs.
        expected: String,
        /// What there is.
        found: String,
    },
    /// It imports what the host does not have.
    #[error("kind {}: the host does not offer what the module imports: {}", kind.name(), one_line(error))]
    Import {
        /// The kind.
        kind: Kind,
        /// What the engine says.
        error: String,
    },
    /// It has a type that no request can be turned into.
    #[error("kind {}: the function {name} {reason}", kind.name())]
    Type {
        /// The kind.
        kind: Kind,
        /// Name of the function.
        name: String,
        /// What is wrong with its type.
        reason: String,
    },
    /// It maps regions, and cannot run where that is possible.
    #[error("the module maps regions (it imports region_map), but {}", one_line(.0))]
    Mapping(String),
    /// A granted folder cannot be opened.
    #[error("the folder {} cannot be opened: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
}

/// A function, compiled and linked as far as can be. Cheap to clone, shared by all workers.
#[derive(Clone)]
pub struct Loaded {
    form: Form,
    /// Of a core module.
    _module: Option<Code<Module>>,
}

#[derive(Clone)]
enum Form {
    Http(Http),
    Export(Export),
    Core(Core),
    Command(Command),
}

impl Loaded {
    /// Compiles a module, checks that it can be called as its kind says, and links it. Takes
    /// milliseconds to seconds: never on a worker.
    ///
    /// # Errors
    ///
    /// [`LoadError`].
    pub fn new(runtime: &Runtime, function: &Function, module: &[u8]) -> Result<Self, LoadError> {
        let setup = Setup::new(function)?;
        let layer = Layer::of(module)
            .ok_or_else(|| LoadError::Corrupted("it does not begin as WebAssembly".to_owned()))?;
        match (&function.kind, layer) {
            (FunctionKind::Export(export), Layer::Component) => {
                Export::new(runtime, setup, export, module)
                    .map(|export| Self::of(Form::Export(export)))
            }
            (FunctionKind::Http, Layer::Component) => Self::of_handler(runtime, setup, module),
            (FunctionKind::Command, Layer::Component) => Self::of_program(runtime, setup, module),
            (FunctionKind::Auto, Layer::Component) => {
                // Found again by whoever is next.
                let (component, _code) = runtime.component(module)?;
                if cli::is_one(&component) && !http::is_handler(&component) {
                    return Self::of_program(runtime, setup, module);
                }
                Self::of_handler(runtime, setup, module)
            }
            (FunctionKind::Auto | FunctionKind::Core, Layer::Module) => {
                Self::of_module(runtime, setup, (Kind::Core, module))
            }
            (FunctionKind::Command, Layer::Module) => {
                Self::of_module(runtime, setup, (Kind::Command, module))
            }
            (FunctionKind::Core, Layer::Component) => Err(odd(Kind::Core, layer)),
            (FunctionKind::Http, Layer::Module) => Err(odd(Kind::Http, layer)),
            (FunctionKind::Export(_), Layer::Module) => Err(odd(Kind::Export, layer)),
        }
    }

    fn of_handler(runtime: &Runtime, setup: Setup, module: &[u8]) -> Result<Self, LoadError> {
        Http::new(runtime, setup, module).map(|http| Self::of(Form::Http(http)))
    }

    fn of_program(runtime: &Runtime, setup: Setup, module: &[u8]) -> Result<Self, LoadError> {
        Command::of_component(runtime, setup, module)
            .map(|command| Self::of(Form::Command(command)))
    }

    fn of(form: Form) -> Self {
        Self {
            form,
            _module: None,
        }
    }

    fn of_module(
        runtime: &Runtime,
        setup: Setup,
        (kind, module): (Kind, &[u8]),
    ) -> Result<Self, LoadError> {
        let (module, code, memories) = runtime.module(module)?;
        let is_auto = setup.function().kind == FunctionKind::Auto;
        let form = if kind == Kind::Command || is_auto && command::is_one(&module) {
            Form::Command(Command::new(setup, &module, memories)?)
        } else {
            Form::Core(Core::new(setup, &module, memories)?)
        };
        Ok(Self {
            form,
            _module: Some(code),
        })
    }

    /// How it is called.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match &self.form {
            Form::Http(_) => Kind::Http,
            Form::Export(_) => Kind::Export,
            Form::Core(_) => Kind::Core,
            Form::Command(_) => Kind::Command,
        }
    }

    /// Calls it, in an instance of its own, on a current-thread runtime of tokio.
    ///
    /// The response's head may come before the guest has ended. Dropping this future, or the
    /// response before its end, ends the guest. Once the response is whole, the guest may go on until
    /// its limits end it. The surroundings are dropped when the guest has ended.
    ///
    /// # Errors
    ///
    /// [`Fault`] while there is no head of a response; what fails later is the error of its body.
    pub async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        match &self.form {
            Form::Http(http) => http.call(request, surroundings).await,
            Form::Export(export) => export.call(request, surroundings).await,
            Form::Core(core) => core.call(request, surroundings).await,
            Form::Command(command) => command.call(request, surroundings).await,
        }
    }
}

/// What the bytes of a module are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Module,
    Component,
}

impl Layer {
    const fn name(self) -> &'static str {
        match self {
            Self::Module => "a core module",
            Self::Component => "a component",
        }
    }

    /// By the preamble; `None`: not WebAssembly.
    pub(crate) fn of(module: &[u8]) -> Option<Self> {
        match module.get(..8)? {
            [0, b'a', b's', b'm', 1, 0, 0, 0] => Some(Self::Module),
            [0, b'a', b's', b'm', _, _, 1, 0] => Some(Self::Component),
            _ => None,
        }
    }
}

/// A module of the other form than its kind needs.
fn odd(kind: Kind, found: Layer) -> LoadError {
    let expected = match found {
        Layer::Module => Layer::Component,
        Layer::Component => Layer::Module,
    };
    LoadError::Form {
        kind,
        expected: expected.name(),
        found: found.name(),
    }
}
