//! Components with maps: `sdk/checks/component`, which plays lines, on a host of these tests.

mod bad_input;
mod keyvalue;
#[cfg(feature = "real-components")]
mod real;
mod table;
mod works;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;

use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use wasmtime::Store;
use wasmtime::component::{Component, Linker, ResourceTable, TypedFunc};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use weir_maps::{Handles, MapCall, Rights};
use weir_maps_wasmtime::{Begun, MapAnswer, MapCtx, MapDoor, MapView, link_component};

use crate::house::{self, House};

/// The data of a component's store.
pub(crate) struct Data {
    pub(crate) door: Door,
    begun: Begun,
    table: ResourceTable,
    wasi: WasiCtx,
}

/// Answers calls.
pub(crate) struct Door {
    pub(crate) handles: Handles,
    /// How often the guest was suspended.
    pub(crate) waits: u32,
}

impl MapDoor for Door {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        Ok(house::answer(&mut self.handles, call))
    }

    fn map_waits(&mut self) {
        self.waits += 1;
    }
}

impl MapView for Data {
    fn maps(&mut self) -> MapCtx<'_> {
        MapCtx {
            door: &mut self.door,
            begun: &mut self.begun,
            table: &mut self.table,
        }
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A component, with all that it waits for.
pub(crate) struct Guest {
    pub(crate) store: Store<Data>,
    play: TypedFunc<(String,), (String,)>,
    runtime: Runtime,
    local: LocalSet,
}

static PLAYER: LazyLock<Component> = LazyLock::new(|| {
    let path = "../../sdk/checks/component/checks.wasm";
    compile(&std::fs::read(path).unwrap())
});

pub(crate) fn compile(bytes: &[u8]) -> Component {
    let engine = wasmtime::Engine::default();
    Component::new(&engine, bytes).unwrap()
}

/// The player, as the use `filter`.
pub(crate) fn player(house: &House) -> Guest {
    player_with(house, Rights::ALL)
}

/// The same, with these rights on `cache`.
pub(crate) fn player_with(house: &House, rights: Rights) -> Guest {
    guest(&PLAYER, house.handles_with("filter", rights))
}

/// An instance of a component that exports `play`.
pub(crate) fn guest(component: &Component, handles: Handles) -> Guest {
    let mut linker = Linker::new(component.engine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    link_component(&mut linker).unwrap();
    let of_store = Data {
        door: Door { handles, waits: 0 },
        begun: Begun::default(),
        table: ResourceTable::new(),
        wasi: WasiCtx::builder().inherit_stderr().build(),
    };
    let mut store = Store::new(component.engine(), of_store);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let local = LocalSet::new();
    let instance = linker.instantiate_async(&mut store, component);
    let instance = local.block_on(&runtime, instance).unwrap();
    let play = instance.get_typed_func(&mut store, "play").unwrap();
    Guest {
        store,
        play,
        runtime,
        local,
    }
}

impl Guest {
    /// Plays a line; a trap is an error.
    pub(crate) fn try_play(&mut self, line: &str) -> wasmtime::Result<String> {
        let call = self.play.call_async(&mut self.store, (line.to_owned(),));
        let (told,) = self.local.block_on(&self.runtime, call)?;
        Ok(told)
    }

    #[track_caller]
    pub(crate) fn play(&mut self, line: &str) -> String {
        let told = self.try_play(line);
        told.unwrap_or_else(|error| panic!("{line}: {error:?}"))
    }

    /// Plays lines, each with what it must tell: `*` stands for anything but a refusal.
    #[track_caller]
    pub(crate) fn expect(&mut self, lines: &[(&str, &str)]) {
        for (line, expected) in lines {
            let told = self.play(line);
            let is_refused = told.starts_with("error ") || told.starts_with('!');
            assert!(
                told == *expected || *expected == "*" && !is_refused,
                "{line}: {told}, not {expected}"
            );
        }
    }

    /// Counts how often another task of the thread gets its turn.
    pub(crate) fn count_turns(&self) -> Rc<Cell<u32>> {
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        self.local.spawn_local(async move {
            loop {
                counter.set(counter.get() + 1);
                tokio::task::yield_now().await;
            }
        });
        turns
    }

    pub(crate) fn handles(&mut self) -> &mut Handles {
        &mut self.store.data_mut().door.handles
    }
}
