//! A host with one engine, and guests that pass every call on to it.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;
use wasmtime::{Caller, Config, Instance, Linker, Memory, Module, Store, Val};
use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::region::Lease;
use weir_maps::store::{Item, Range, Stat};
use weir_maps::{
    Called, Engine, Grants, Handles, Identity, ManualClock, MapCall, MapError, MapOptions,
    MapReply, Rights,
};
use weir_maps_wasmtime::{MapAnswer, MapHost, link_draft_forms, link_map, link_map_async};

use crate::table::{GIVEN, MAPPED, ROWS};

/// The data of a store.
pub(crate) struct Data {
    pub(crate) handles: Handles,
    /// Where calls of the guest's allocator stand.
    pub(crate) allocating: u32,
    /// Regions that the guest has, and how many bytes of them: this host only says that they are
    /// mapped.
    pub(crate) mapped: Vec<(Arc<Lease>, u32)>,
}

impl Data {
    pub(crate) fn new(handles: Handles) -> Self {
        Self {
            handles,
            allocating: 0,
            mapped: Vec::new(),
        }
    }
}

impl MapHost for Data {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        Ok(answer(&mut self.handles, call))
    }

    fn map_region(
        guest: &mut Caller<'_, Self>,
        lease: Arc<Lease>,
        (offset, bytes): (u64, u32),
    ) -> wasmtime::Result<Result<u32, MapError>> {
        assert_eq!(lease.check(offset, bytes.into()), Ok(()));
        guest.data_mut().mapped.push((lease, bytes));
        Ok(Ok(MAPPED))
    }

    fn map_unmap(
        guest: &mut Caller<'_, Self>,
        mapping: (u32, u32),
    ) -> wasmtime::Result<Result<(), MapError>> {
        let mapped = &mut guest.data_mut().mapped;
        let place = mapped
            .iter()
            .position(|(_, bytes)| mapping == (MAPPED, *bytes));
        Ok(place
            .map(|place| drop(mapped.swap_remove(place)))
            .ok_or(MapError::Invalid("nothing is mapped there")))
    }

    fn map_allocating(&mut self) -> u32 {
        self.allocating += 1;
        7
    }

    fn map_allocated(
        guest: &mut Caller<'_, Self>,
        before: u32,
        address: wasmtime::Result<i32>,
    ) -> wasmtime::Result<i32> {
        assert_eq!(before, 7);
        guest.data_mut().allocating -= 1;
        address
    }
}

/// Asks the handles of an instance, and has a task wait for what comes later.
pub(crate) fn answer(handles: &mut Handles, call: MapCall<'_>) -> MapAnswer {
    let patience = call.patience();
    let later = match handles.call(call, Ends::WithRequest(1)) {
        Called::Now(reply) => return reply.into(),
        Called::Later(later) => later,
    };
    let (mut told, reply) = oneshot::channel();
    spawn_local(async move {
        let reply = async {
            match patience {
                Some(patience) => timeout(patience, later).await,
                None => Ok(later.await),
            }
        };
        let reply = tokio::select! {
            reply = reply => reply.unwrap_or(MapReply::TIMED_OUT),
            // The guest is gone.
            () = told.closed() => return,
        };
        told.send(reply).ok();
    });
    MapAnswer::Pending(Box::pin(async move {
        reply.await.unwrap_or(MapReply::Refused(29, 0))
    }))
}

/// Which linker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Now,
    Later,
}

pub(crate) const MODES: [Mode; 2] = [Mode::Now, Mode::Later];

/// One engine with the named maps `cache` (the default) and `small`, which has room for one entry.
pub(crate) struct House {
    pub(crate) clock: ManualClock,
    pub(crate) engine: Engine,
}

/// A guest.
pub(crate) struct Guest {
    pub(crate) mode: Mode,
    pub(crate) store: Store<Data>,
    pub(crate) instance: Instance,
    pub(crate) memory: Memory,
}

/// Everything about a map that a call could change.
pub(crate) type Contents = (Vec<Item>, Stat);

pub(crate) fn unlimited() -> Arc<Account> {
    Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }))
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let engine = Engine::new(Arc::new(clock.clone()));
        let cache = MapOptions {
            value_bytes_max: 1000,
            ..MapOptions::default()
        };
        let small = MapOptions {
            entries_max: 1,
            ..cache
        };
        for (name, options) in [("cache", cache), ("small", small)] {
            engine
                .define("tenant", name, (options, &unlimited()))
                .unwrap();
        }
        Self { clock, engine }
    }

    /// The handles of an instance of this use.
    pub(crate) fn handles(&self, in_use: &str) -> Handles {
        self.handles_with(in_use, Rights::ALL)
    }

    /// The same with these rights on `cache`.
    pub(crate) fn handles_with(&self, in_use: &str, rights: Rights) -> Handles {
        let grants = Grants::of("tenant")
            .with("cache", rights)
            .with("small", Rights::ALL)
            .with_default("cache");
        let identity = Identity {
            in_use: in_use.into(),
            grants: Arc::new(grants),
            owner: unlimited(),
            meter: Arc::default(),
        };
        Handles::new(&self.engine, identity)
    }

    pub(crate) fn contents(&self, name: &str) -> Contents {
        let root = self.engine.find("tenant", name).unwrap();
        let store = root.map().store();
        let range = Range {
            prefix: b"",
            after: None,
            entries: usize::MAX,
            bytes: usize::MAX,
        };
        let page = weir_maps::Store::scan(store, range).now().unwrap();
        assert!(!page.more);
        (page.items, weir_maps::Store::stat(store).now().unwrap())
    }

    /// A guest that exports each function of the ABI under its name, and a memory of 4 pages.
    pub(crate) fn guest(&self, mode: Mode) -> Guest {
        // Compiled once: it is made for each of a thousand cases.
        static PASSING_ON: LazyLock<Module> = LazyLock::new(|| compile(&passing_on()));
        self.guest_from(mode, &PASSING_ON)
    }

    pub(crate) fn guest_of(&self, mode: Mode, text: &str) -> Guest {
        self.guest_from(mode, &compile(text))
    }

    fn guest_from(&self, mode: Mode, module: &Module) -> Guest {
        let engine = module.engine();
        let mut linker = Linker::new(engine);
        match mode {
            Mode::Now => link_map(&mut linker).unwrap(),
            Mode::Later => link_map_async(&mut linker).unwrap(),
        }
        link_draft_forms(&mut linker, module).unwrap();
        let mut store = Store::new(engine, Data::new(self.handles("filter")));
        let instance = match mode {
            Mode::Now => linker.instantiate(&mut store, module),
            Mode::Later => block_on(linker.instantiate_async(&mut store, module)),
        };
        let instance = instance.unwrap();
        let memory = instance.get_memory(&mut store, "memory");
        let memory = memory.or_else(|| instance.get_memory(&mut store, "another name"));
        let memory = memory.unwrap();
        Guest {
            mode,
            store,
            instance,
            memory,
        }
    }
}

fn compile(text: &str) -> Module {
    let engine = wasmtime::Engine::new(&Config::new()).unwrap();
    Module::new(&engine, wat::parse_str(text).unwrap()).unwrap()
}

/// Text of a guest that passes every function on.
fn passing_on() -> String {
    let (mut imports, mut functions) = (String::new(), String::new());
    for row in ROWS {
        let name = row.name;
        let params: String = row.args.iter().map(|arg| arg.ty()).collect();
        let gets = (0..row.args.len()).map(|n| format!("local.get {n}"));
        let gets = gets.collect::<Vec<_>>().join(" ");
        writeln!(
            imports,
            r#"(import "wasi_map_v1" "{name}" (func ${name} (param {params}) (result i32)))"#
        )
        .unwrap();
        writeln!(
            functions,
            r#"(func (export "{name}") (param {params}) (result i32) {gets} call ${name})"#
        )
        .unwrap();
    }
    let malloc = format!("(func (export \"malloc\") (param i32) (result i32) i32.const {GIVEN})");
    format!("(module {imports} (memory (export \"memory\") 4) {functions} {malloc})")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, future)
}

impl Guest {
    /// Calls an export; a trap is an error.
    pub(crate) fn try_call(&mut self, name: &str, args: &[i64]) -> wasmtime::Result<i32> {
        let function = self.instance.get_func(&mut self.store, name).unwrap();
        let ty = function.ty(&self.store);
        let values: Vec<Val> = ty
            .params()
            .zip(args)
            .map(|(ty, arg)| match ty {
                wasmtime::ValType::I64 => Val::I64(*arg),
                _ => Val::I32(u32::try_from(arg & 0xffff_ffff).unwrap().cast_signed()),
            })
            .collect();
        let mut results = [Val::I32(-1)];
        match self.mode {
            Mode::Now => function.call(&mut self.store, &values, &mut results)?,
            Mode::Later => {
                block_on(function.call_async(&mut self.store, &values, &mut results))?;
            }
        }
        Ok(results[0].unwrap_i32())
    }

    pub(crate) fn call(&mut self, name: &str, args: &[i64]) -> i32 {
        self.try_call(name, args)
            .unwrap_or_else(|error| panic!("{name} {args:?}: {error:?}"))
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.memory.write(&mut self.store, at, bytes).unwrap();
    }

    pub(crate) fn read(&self, at: usize, bytes: usize) -> &[u8] {
        &self.memory.data(&self.store)[at..at + bytes]
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.read(at, 4).try_into().unwrap())
    }

    pub(crate) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.read(at, 8).try_into().unwrap())
    }

    pub(crate) fn handles(&mut self) -> &mut Handles {
        &mut self.store.data_mut().handles
    }
}
