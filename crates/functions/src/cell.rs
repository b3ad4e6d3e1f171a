//! What a running component is kept in, and how it is made for each call.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{Store, Trap};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use weir_maps_wasmtime::{Begun, MapCtx, MapView};
use weir_model::limits::functions as of;
use weir_model::{FileAccess, Function, Name, Variable};

use crate::cap::{Cap, Refused};
use crate::door::{Chance, Door, Output};
use crate::fault::{Fault, FaultKind};
use crate::http::Outgoing;
use crate::load::LoadError;
use crate::meter::Meter;
use crate::runtime::is_full;
use crate::surroundings::{Stream, Surroundings};

/// The data of a component's store.
pub(crate) struct Cell {
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    pub(crate) outgoing: Outgoing,
    pub(crate) cap: Cap,
    pub(crate) meter: Arc<Meter>,
    pub(crate) settings: Arc<WasiConfigVariables>,
    pub(crate) door: Door,
    /// Scans, watches and so on of maps.
    pub(crate) begun: Begun,
}

impl Cell {
    /// Of a guest that is run by hand, without limits.
    pub(crate) fn unlimited(wasi: WasiCtx, door: Door) -> Self {
        Self {
            wasi,
            http: WasiHttpCtx::new(),
            table: ResourceTable::new(),
            outgoing: Outgoing::new(door.clone()),
            cap: Cap::new(u64::MAX),
            meter: Meter::new(Duration::MAX),
            settings: Arc::default(),
            door,
            begun: Begun::default(),
        }
    }
}

impl MapView for Cell {
    fn maps(&mut self) -> MapCtx<'_> {
        MapCtx {
            door: &mut self.door,
            begun: &mut self.begun,
            table: &mut self.table,
        }
    }
}

impl WasiView for Cell {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Cell {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.outgoing,
            table: &mut self.table,
            ctx: &mut self.http,
        }
    }
}

/// What each call of a function begins with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Setup(Arc<Inner>);

struct Inner {
    function: Function,
    environment: Vec<(String, String)>,
    settings: Arc<WasiConfigVariables>,
}

impl Setup {
    /// Looks up variables and tries whether folders can be opened.
    pub(crate) fn new(function: &Function) -> Result<Self, LoadError> {
        let settings = texts(&function.settings).collect::<WasiConfigVariables>();
        let setup = Self(Arc::new(Inner {
            function: function.clone(),
            environment: texts(&function.environment).collect(),
            settings: Arc::new(settings),
        }));
        setup.open_folders(&mut WasiCtxBuilder::new())?;
        Ok(setup)
    }

    /// The function's configuration.
    pub(crate) fn function(&self) -> &Function {
        &self.0.function
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &Name {
        &self.0.function.name
    }

    /// Puts the granted folders before a guest.
    pub(crate) fn open_folders(&self, wasi: &mut WasiCtxBuilder) -> Result<(), LoadError> {
        for grant in &self.function().grants.files {
            let rights = match grant.access {
                FileAccess::Read => FsPerms::ReadOnly,
                FileAccess::Write => FsPerms::ReadWrite,
            };
            wasi.preopened_dir(&grant.host, &grant.guest, rights)
                .map_err(|error| LoadError::Folder {
                    path: grant.host.clone(),
                    error: format!("{error:#}"),
                })?;
        }
        Ok(())
    }

    /// What a guest sees of the world through WASI, but for its standard input and output.
    pub(crate) fn wasi(&self, door: &Door) -> Result<WasiCtxBuilder, Fault> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.wall_clock(door.clone())
            .monotonic_clock(door.clone())
            .secure_random(Chance::new(door))
            .insecure_random(Chance::new(door))
            .max_random_size(of::WASI_RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .arg(&**self.name())
            .args(&self.function().arguments)
            .envs(&self.0.environment);
        self.open_folders(&mut wasi)
            .map_err(|error| self.fault(FaultKind::Start, error.to_string()))?;
        Ok(wasi)
    }

    /// A store for one call of a component.
    pub(crate) fn store(
        &self,
        engine: &wasmtime::Engine,
        surroundings: Box<dyn Surroundings>,
    ) -> Result<Store<Cell>, Fault> {
        let door = Door::new(surroundings);
        let mut wasi = self.wasi(&door)?;
        wasi.stdout(Output::new(&door, Stream::Out))
            .stderr(Output::new(&door, Stream::Error));
        Ok(self.store_of(engine, door, wasi.build()))
    }

    /// The same, of a guest that sees this of the world.
    pub(crate) fn store_of(
        &self,
        engine: &wasmtime::Engine,
        door: Door,
        wasi: WasiCtx,
    ) -> Store<Cell> {
        let limits = &self.function().limits;
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(of::HEAD_BYTES);
        let mut table = ResourceTable::new();
        table.set_max_capacity(of::RESOURCES);
        let meter = Meter::new(limits.time);
        let cell = Cell {
            wasi,
            http,
            table,
            outgoing: Outgoing::new(door.clone()),
            cap: Cap::new(limits.memory_bytes),
            meter: Arc::clone(&meter),
            settings: Arc::clone(&self.0.settings),
            door,
            begun: Begun::default(),
        };
        let mut store = Store::new(engine, cell);
        store.limiter(|cell| &mut cell.cap);
        store.set_hostcall_fuel(of::HANDED_BYTES);
        meter.watch(&mut store);
        store
    }

    /// What an error of the engine means.
    pub(crate) fn failed(&self, error: &wasmtime::Error, refused: Option<Refused>) -> Fault {
        let text = || weir_guest::told(error);
        if let Some(I32Exit(code)) = error.downcast_ref() {
            let kind = match code {
                0 => FaultKind::NoResponse,
                _ => FaultKind::Trap,
            };
            return self.fault(kind, format!("it ended itself with code {code}"));
        }
        if is_full(error) {
            return self.fault(FaultKind::NoCapacity, text());
        }
        match (error.downcast_ref(), refused) {
            (Some(Trap::Interrupt), _) => {
                let limit = self.function().limits.time;
                let text = format!("it ran longer than {limit:?}: {}", text());
                self.fault(FaultKind::Deadline, text)
            }
            (_, Some(refused)) => self.fault(FaultKind::Limit, format!("{refused}: {}", text())),
            (Some(_) | None, None) => self.fault(FaultKind::Trap, text()),
        }
    }

    /// A failure of this function.
    pub(crate) fn fault(&self, kind: FaultKind, text: impl Into<String>) -> Fault {
        Fault {
            function: self.name().to_string(),
            kind,
            text: text.into(),
        }
    }
}

/// Variables that have a value.
pub(crate) fn texts(variables: &[(String, Variable)]) -> impl Iterator<Item = (String, String)> {
    variables.iter().filter_map(|(name, variable)| {
        let text = match variable {
            Variable::Text(text) => text.clone(),
            Variable::OfGateway(source) => std::env::var(source).ok()?,
        };
        Some((name.clone(), text))
    })
}
