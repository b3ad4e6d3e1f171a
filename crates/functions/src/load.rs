//! From a module and its configuration to a function that can be called.

mod placed;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;
use wasmtime::Module;
use wasmtime::component::Component;
use weir_model::{Function, FunctionKind, one_line};

use crate::cell::Setup;
use crate::cli;
use crate::code::Compiled;
use crate::command::{self, Command};
use crate::core::Core;
use crate::export::Export;
use crate::fault::Fault;
use crate::http::{self, Http};
use crate::message::{Request, Response};
use crate::runtime::Runtime;
use crate::surroundings::Surroundings;
use placed::Placed;

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
    rest: Arc<Rest>,
}

/// What only a burst needs.
struct Rest {
    runtime: Runtime,
    setup: Setup,
    compiled: Compiled,
    /// Made by the first call that finds no place where memory is kept. `None`: it cannot be made.
    burst: OnceCell<Option<Form>>,
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
        must_fit(&function.kind, layer)?;
        let rest = Rest {
            runtime: runtime.clone(),
            setup,
            compiled: Compiled::new(runtime, layer, module)?,
            burst: OnceCell::new(),
        };
        Ok(Self {
            form: Form::new(&rest.setup, &rest.compiled)?,
            rest: Arc::new(rest),
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
        if !self.rest.compiled.is_pooled() {
            return self.form.call(request, surroundings).await;
        }
        if let Some(place) = self.rest.runtime.place() {
            let surroundings = Box::new(Placed::new(surroundings, place));
            return self.form.call(request, surroundings).await;
        }
        let form = self.burst().await.unwrap_or(&self.form);
        form.call(request, surroundings).await
    }

    /// What is called when as many instances run as keep their memory.
    async fn burst(&self) -> Option<&Form> {
        let make = || async {
            let rest = Arc::clone(&self.rest);
            let made = tokio::task::spawn_blocking(move || rest.form_for_bursts()).await;
            made.ok().flatten()
        };
        self.rest.burst.get_or_init(make).await.as_ref()
    }
}

impl Rest {
    fn form_for_bursts(&self) -> Option<Form> {
        let again = self.compiled.again(self.runtime.burst()?);
        let form = again
            .map_err(|error| format!("{error:#}"))
            .and_then(|code| Form::new(&self.setup, &code).map_err(|error| error.to_string()));
        form.map_err(|error| {
            tracing::warn!(
                function = %self.setup.name(), error,
                "memory of bursts is kept, because the function cannot be loaded a second time"
            );
        })
        .ok()
    }
}

impl Form {
    fn new(setup: &Setup, compiled: &Compiled) -> Result<Self, LoadError> {
        let (kind, setup) = (&setup.function().kind, setup.clone());
        Ok(match (compiled, kind) {
            (Compiled::Component(made), FunctionKind::Export(export)) => {
                Self::Export(Export::new(setup, export, &made.code)?)
            }
            (Compiled::Component(made), kind) if is_program(kind, &made.code) => {
                Self::Command(Command::of_component(setup, &made.code)?)
            }
            (Compiled::Component(made), _) => Self::Http(Http::new(setup, &made.code)?),
            (Compiled::Module(made, memories), kind) if is_command(kind, &made.code) => {
                Self::Command(Command::new(setup, &made.code, memories.clone())?)
            }
            (Compiled::Module(made, memories), _) => {
                Self::Core(Core::new(setup, &made.code, memories.clone())?)
            }
        })
    }

    async fn call(
        &self,
        request: Request,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Response, Fault> {
        match self {
            Self::Http(http) => http.call(request, surroundings).await,
            Self::Export(export) => export.call(request, surroundings).await,
            Self::Core(core) => core.call(request, surroundings).await,
            Self::Command(command) => command.call(request, surroundings).await,
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

/// Whether a component is called as a command.
fn is_program(kind: &FunctionKind, component: &Component) -> bool {
    let is_one = || cli::is_one(component) && !http::is_handler(component);
    *kind == FunctionKind::Command || *kind == FunctionKind::Auto && is_one()
}

/// Whether a core module is called as a command.
fn is_command(kind: &FunctionKind, module: &Module) -> bool {
    *kind == FunctionKind::Command || *kind == FunctionKind::Auto && command::is_one(module)
}

/// Whether a function of this kind can be of this form.
fn must_fit(kind: &FunctionKind, layer: Layer) -> Result<(), LoadError> {
    match (kind, layer) {
        (FunctionKind::Core, Layer::Component) => Err(odd(Kind::Core, layer)),
        (FunctionKind::Http, Layer::Module) => Err(odd(Kind::Http, layer)),
        (FunctionKind::Export(_), Layer::Module) => Err(odd(Kind::Export, layer)),
        (FunctionKind::Auto | FunctionKind::Command, _)
        | (FunctionKind::Core, Layer::Module)
        | (FunctionKind::Http | FunctionKind::Export(_), Layer::Component) => Ok(()),
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
