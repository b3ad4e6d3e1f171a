//! From a module and its configuration to a function that can be called.

mod placed;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;
use weir_model::{Function, FunctionKind, one_line};

use crate::cell::Setup;
use crate::code::Compiled;
use crate::command::{self, Command};
use crate::core::Core;
use crate::export::Export;
use crate::fault::Fault;
use crate::http::Http;
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
        let kind = kind_of(&function.kind, module);
        let wanted = match kind {
            Kind::Http | Kind::Export => Layer::Component,
            Kind::Core | Kind::Command => Layer::Module,
        };
        must_be(kind, module, wanted)?;
        let compiled = Compiled::new(runtime, wanted, module)?;
        let rest = Rest {
            runtime: runtime.clone(),
            setup,
            compiled,
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
        if let Some(place) = self.rest.runtime.place() {
            let surroundings = Placed::new(surroundings, place);
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
            (Compiled::Component(made), _) => Self::Http(Http::new(setup, &made.code)?),
            (Compiled::Module(made), FunctionKind::Command) => {
                Self::Command(Command::new(setup, &made.code)?)
            }
            (Compiled::Module(made), FunctionKind::Auto) if command::is_one(&made.code) => {
                Self::Command(Command::new(setup, &made.code)?)
            }
            (Compiled::Module(made), _) => Self::Core(Core::new(setup, &made.code)?),
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

/// What `Auto` means for a module.
fn kind_of(kind: &FunctionKind, module: &[u8]) -> Kind {
    match kind {
        FunctionKind::Http => Kind::Http,
        FunctionKind::Export(_) => Kind::Export,
        FunctionKind::Core => Kind::Core,
        FunctionKind::Command => Kind::Command,
        FunctionKind::Auto => match Layer::of(module) {
            Some(Layer::Component) | None => Kind::Http,
            // Or a command: its exports say.
            Some(Layer::Module) => Kind::Core,
        },
    }
}

fn must_be(kind: Kind, module: &[u8], wanted: Layer) -> Result<(), LoadError> {
    match Layer::of(module) {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(LoadError::Form {
            kind,
            expected: wanted.name(),
            found: found.name(),
        }),
        None => Err(LoadError::Corrupted(
            "it does not begin as WebAssembly".to_owned(),
        )),
    }
}
