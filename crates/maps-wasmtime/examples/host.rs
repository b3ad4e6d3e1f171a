//! A host with maps that is not Weir: runs one export of a core module over the engine.
//!
//! ```text
//! host MODULE EXPORT [--map NAME[=RIGHT,RIGHT…]]… [--default NAME]
//! ```
//!
//! `MODULE` is a module as bytes or as text. Each `--map` makes an empty map in memory and grants
//! it, with all rights unless they are named: `read`, `write`, `delete`, `list`, `watch`, `create`,
//! `share`, `map_read`, `map_write`, `clear`. `--default` says which one `wasi_map_open` of the first
//! draft opens. The export takes nothing; its results are printed, and what the maps hold then.

#![expect(clippy::print_stdout, reason = "its output")]

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use wasmtime::{Linker, Module, Store, Val};
use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::store::Range;
use weir_maps::{
    Called, Engine, Grants, Handles, Identity, MapCall, MapOptions, Rights, Store as _, SystemClock,
};
use weir_maps_wasmtime::{CannotWait, MapAnswer, MapHost, link_draft_forms, link_map};

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The data of the guest's store: all that a host needs for maps.
struct Guest {
    handles: Handles,
}

impl MapHost for Guest {
    fn map_call(&mut self, call: MapCall<'_>) -> wasmtime::Result<MapAnswer> {
        // The run is the instance's only one, so loans end with it.
        match self.handles.call(call, Ends::WithInstance) {
            Called::Now(reply) => Ok(reply.into()),
            // Maps in memory answer at once.
            Called::Later(_) => Err(CannotWait.into()),
        }
    }
}

/// What the arguments say.
pub(crate) struct Arguments {
    pub(crate) module: PathBuf,
    pub(crate) export: String,
    grants: Grants,
    names: Vec<String>,
}

/// Does what the arguments say; the text to be printed.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> Result<String, String> {
    let arguments = parse(arguments)?;
    let (maps, handles) = prepare(&arguments)?;
    let results = call(&arguments.module, &arguments.export, Guest { handles })
        .map_err(|error| format!("{error:?}"))?;
    let mut text = format!("{}() = {results:?}\n", arguments.export);
    list_all(&maps, &arguments, &mut text)?;
    Ok(text)
}

/// The maps that the arguments name, and an instance's handles for them.
pub(crate) fn prepare(arguments: &Arguments) -> Result<(Engine, Handles), String> {
    let maps = Engine::new(Arc::new(SystemClock::default()));
    // Nobody shares this machine's memory with us: the maps' own limits are enough.
    let owner = Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }));
    for name in &arguments.names {
        maps.define("", name, (MapOptions::default(), &owner))
            .map_err(|error| format!("--map {name}: {error}"))?;
    }
    let identity = Identity {
        in_use: "guest".into(),
        grants: Arc::new(arguments.grants.clone()),
        owner,
        meter: Arc::default(),
    };
    let handles = Handles::new(&maps, identity);
    Ok((maps, handles))
}

/// What all maps hold.
pub(crate) fn list_all(
    maps: &Engine,
    arguments: &Arguments,
    text: &mut String,
) -> Result<(), String> {
    let mut names = arguments.names.iter();
    names.try_for_each(|name| list(maps, name, text))
}

/// Links the module, calls its export, and answers the results.
fn call(path: &PathBuf, export: &str, guest: Guest) -> wasmtime::Result<Vec<Val>> {
    let bytes = wat::parse_file(path).map_err(wasmtime::Error::new)?;
    let engine = wasmtime::Engine::default();
    let module = Module::new(&engine, bytes)?;
    let mut linker = Linker::new(&engine);
    link_map(&mut linker)?;
    link_draft_forms(&mut linker, &module)?;
    let mut store = Store::new(&engine, guest);
    let instance = linker.instantiate(&mut store, &module)?;
    let function = instance.get_func(&mut store, export);
    let function =
        function.ok_or_else(|| wasmtime::format_err!("the module exports no function {export}"))?;
    let mut results = vec![Val::I32(0); function.ty(&store).results().len()];
    function.call(&mut store, &[], &mut results)?;
    Ok(results)
}

/// What a map holds.
fn list(maps: &Engine, name: &str, text: &mut String) -> Result<(), String> {
    let map = maps.find("", name).ok_or("a map is gone")?;
    let range = Range {
        prefix: b"",
        after: None,
        entries: usize::MAX,
        bytes: usize::MAX,
    };
    let page = map.map().store().scan(range).now();
    for item in page.map_err(|error| error.to_string())?.items {
        let key = item.key.escape_ascii();
        let version = item.version;
        writeln!(
            text,
            "{name}: \"{key}\" = {:?}, version {version}",
            item.value
        )
        .map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let usage = || "usage: host MODULE EXPORT [--map NAME[=RIGHT,…]]… [--default NAME]".to_owned();
    let module = arguments.next().ok_or_else(usage)?.into();
    let export = arguments.next().ok_or_else(usage)?;
    let (mut grants, mut names) = (Grants::of(""), Vec::new());
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match &*option {
            "--map" => {
                let (name, rights) = value.split_once('=').unwrap_or((&value, ""));
                grants = grants.with(name, rights_of(rights)?);
                names.push(name.to_owned());
            }
            "--default" => grants = grants.with_default(&value),
            _ => return Err(usage()),
        }
    }
    Ok(Arguments {
        module,
        export,
        grants,
        names,
    })
}

/// Rights by their names; none: all of them.
fn rights_of(names: &str) -> Result<Rights, String> {
    if names.is_empty() {
        return Ok(Rights::ALL);
    }
    let mut rights = Rights::default();
    for name in names.split(',') {
        rights = rights.and(match name {
            "read" => Rights::READ,
            "write" => Rights::WRITE,
            "delete" => Rights::DELETE,
            "list" => Rights::LIST,
            "watch" => Rights::WATCH,
            "create" => Rights::CREATE,
            "share" => Rights::SHARE,
            "map_read" => Rights::MAP_READ,
            "map_write" => Rights::MAP_WRITE,
            "clear" => Rights::CLEAR,
            _ => return Err(format!("there is no right {name}")),
        });
    }
    Ok(rights)
}
