//! A small host: an engine with maps, and instances that may use them.

mod regions;
mod wasi;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use regions::Regions;
use wasmtime::{Caller, Instance, Linker, Module, Store, WasmParams, WasmResults};
use weir_maps::budget::{Account, Amount};
use weir_maps::region::Lease;
use weir_maps::{
    Called, Ends, Engine, Grants, Handles, Identity, ManualClock, MapCall, MapOptions,
};
use weir_maps::{MapError, MapReply, Rights, Terms};
use weir_maps_wasmtime::{MapAnswer, MapHost, link_map};

/// Maps of one host, and who may use them.
pub(crate) struct House {
    engine: Engine,
    grants: Arc<Grants>,
    /// Time stands still but for this.
    pub(crate) clock: ManualClock,
}

/// An instance.
pub(crate) struct Guest {
    store: Store<Host>,
    instance: Instance,
}

/// The data of its store.
pub(crate) struct Host {
    handles: Handles,
    called: RefCell<BTreeSet<&'static str>>,
    started: Instant,
    regions: Regions,
}

impl MapHost for Host {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        match self.handles.call(call, Ends::WithInstance) {
            Called::Now(reply) => Ok(reply.into()),
            // Nothing here waits: as a host does that answers at once.
            Called::Later(_) => Ok(MapReply::TIMED_OUT.into()),
        }
    }

    fn map_gate(
        guest: &Caller<'_, Self>,
        _module: &'static str,
        function: &'static str,
    ) -> wasmtime::Result<()> {
        guest.data().called.borrow_mut().insert(function);
        Ok(())
    }

    fn map_region(
        guest: &mut Caller<'_, Self>,
        lease: Arc<Lease>,
        range: (u64, u32),
    ) -> wasmtime::Result<Result<u32, MapError>> {
        regions::map(guest, lease, range).map(Ok)
    }

    fn map_unmap(
        guest: &mut Caller<'_, Self>,
        mapping: (u32, u32),
    ) -> wasmtime::Result<Result<(), MapError>> {
        regions::unmap(guest, mapping)
    }
}

impl House {
    /// Maps with these rights for everybody.
    pub(crate) fn new(maps: &[(&str, Rights)]) -> Self {
        let clock = ManualClock::default();
        let engine = Engine::new(Arc::new(clock.clone()));
        let owner = Arc::new(account());
        let mut grants = Grants::of("tenant").with_default(maps[0].0);
        for (name, rights) in maps {
            let options = MapOptions::default();
            engine.define("tenant", name, (options, &owner)).unwrap();
            grants = grants.with(name, *rights);
        }
        Self {
            engine,
            grants: Arc::new(grants),
            clock,
        }
    }

    /// What `sdk/checks` asks for.
    pub(crate) fn for_checks() -> Self {
        let house = Self::new(&[("shared", Rights::ALL), ("readable", Rights::READ)]);
        house.set("readable", b"host", b"hello");
        house
    }

    /// Stores an entry, as the operator would.
    pub(crate) fn set(&self, map: &str, key: &[u8], value: &[u8]) {
        let terms = Terms::default();
        let set = |handle| MapCall::Set {
            handle,
            key,
            value,
            terms,
        };
        let stored = self.ask(map, set);
        assert!(matches!(stored, MapReply::Number(_)), "{stored:?}");
    }

    /// One call on a map, as the operator would.
    pub(crate) fn ask<'c>(&self, map: &str, call: impl FnOnce(u32) -> MapCall<'c>) -> MapReply {
        let grants = Grants::of("tenant").with(map, Rights::ALL);
        let mut handles = self.handles("operator", Arc::new(grants));
        let handle = handles.open(map.as_bytes(), Rights::ALL).unwrap();
        match handles.call(call(handle), Ends::WithInstance) {
            Called::Now(reply) => reply,
            Called::Later(_) => panic!("maps in memory answer at once"),
        }
    }

    /// Starts a module for a use of the configuration.
    pub(crate) fn start(&self, module: &Module, in_use: &str) -> Guest {
        let host = Host {
            handles: self.handles(in_use, Arc::clone(&self.grants)),
            called: RefCell::default(),
            started: Instant::now(),
            regions: Regions::default(),
        };
        let mut store = Store::new(module.engine(), host);
        let mut linker = Linker::new(module.engine());
        link_map(&mut linker).unwrap();
        wasi::link(&mut linker);
        linker.define_unknown_imports_as_traps(module).unwrap();
        let instance = linker.instantiate(&mut store, module).unwrap();
        if let Ok(start) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
            start.call(&mut store, ()).unwrap();
        }
        Guest { store, instance }
    }

    fn handles(&self, in_use: &str, grants: Arc<Grants>) -> Handles {
        let identity = Identity {
            in_use: in_use.into(),
            grants,
            owner: Arc::new(account()),
            meter: Arc::default(),
        };
        Handles::new(&self.engine, identity)
    }
}

impl Guest {
    /// Calls an export.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, arguments: P) -> R {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name);
        function.unwrap().call(&mut self.store, arguments).unwrap()
    }

    /// Calls an export that takes nothing and answers a number.
    pub(crate) fn number(&mut self, name: &str) -> i32 {
        self.call(name, ())
    }

    /// Its memory.
    pub(crate) fn memory(&mut self) -> &mut [u8] {
        let memory = self.instance.get_memory(&mut self.store, "memory");
        memory.unwrap().data_mut(&mut self.store)
    }

    /// The functions of the ABI that it has called.
    pub(crate) fn called(&self) -> BTreeSet<&'static str> {
        self.store.data().called.borrow().clone()
    }
}

fn account() -> Account {
    Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    })
}

/// Compiles a module.
pub(crate) fn module(binary: &Path) -> Module {
    Module::from_file(&wasmtime::Engine::default(), binary).unwrap()
}

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}
