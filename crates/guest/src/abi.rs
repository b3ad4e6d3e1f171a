//! The Proxy-Wasm ABI as data: versions, host functions and callbacks with their WebAssembly types.
//!
//! One table serves linking, stubs for what is withheld, and `weir inspect`. Invariant: nothing
//! here runs code or knows an engine. Sections in comments are those of the ABI reference.

mod callbacks;
mod functions;
mod maps;

use std::fmt;

use weir_model::Dialect;

pub use callbacks::CALLBACKS;
pub use functions::HOST_FUNCTIONS;
pub use maps::MAP_FUNCTIONS;

/// The module name of every Proxy-Wasm import.
pub const ENV: &str = "env";
/// The two module names under which the same WASI functions are offered.
pub const WASI_MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];
/// The module name of WASI-Map's functions.
pub const MAPS: &str = "wasi_map_v1";
/// The module name of its first draft's functions.
pub const DRAFT_MAPS: &str = "wasi_map";
/// What names of version markers begin with.
pub const MARKER_PREFIX: &str = "proxy_abi_version_";
/// Exports that hand out guest memory, in the order of the host's lookup (section 1.2).
pub const ALLOCATORS: [&str; 2] = ["malloc", "proxy_on_memory_allocate"];
/// Exports that start a module, in the order in which they are used (section 1.2).
pub const STARTERS: [&str; 2] = ["_initialize", "_start"];

/// A WebAssembly value type that occurs in the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::I32 => "i32",
            Self::I64 => "i64",
        })
    }
}

/// Which import module a host function belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// `env`: Proxy-Wasm itself and what tool chains put beside it.
    Env,
    /// WASI preview 1, under either of [`WASI_MODULES`].
    Wasi,
    /// WASI-Map: [`MAPS`].
    Maps,
    /// The first draft of WASI-Map: [`DRAFT_MAPS`].
    DraftMaps,
}

impl Namespace {
    /// The namespace of an import module's name; `None`: not one that the host offers.
    #[must_use]
    pub fn of(module: &str) -> Option<Self> {
        match module {
            ENV => Some(Self::Env),
            MAPS => Some(Self::Maps),
            DRAFT_MAPS => Some(Self::DraftMaps),
            name if WASI_MODULES.contains(&name) => Some(Self::Wasi),
            _ => None,
        }
    }
}

/// What a host function is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Header, trailer and metadata maps.
    Headers,
    /// Bodies and other buffers.
    Buffers,
    /// Resuming, closing and answering a stream; contexts.
    StreamControl,
    /// HTTP requests of the plugin's own, and name lookups.
    Callouts,
    /// gRPC calls of the plugin's own.
    Grpc,
    /// Redis commands (Higress).
    Redis,
    /// Key-value data shared by VMs.
    SharedData,
    /// Queues shared by VMs.
    Queues,
    /// Shared maps: WASI-Map.
    Maps,
    /// Counters, gauges and histograms.
    Metrics,
    /// Attributes of the stream and of the gateway; the plugin's configuration.
    Properties,
    /// Named functions outside the ABI.
    Foreign,
    /// Ticks and the clock.
    Timers,
    /// Log lines and log level.
    Logging,
    /// What the tool chain of a guest needs to run.
    Runtime,
    /// WASI: arguments and environment variables.
    WasiEnvironment,
    /// WASI: file descriptors.
    WasiDescriptors,
    /// WASI: paths.
    WasiPaths,
    /// WASI: sockets.
    WasiSockets,
    /// WASI: clocks, randomness, scheduling, exit.
    WasiSystem,
}

impl Topic {
    /// The topic in the words of a report.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Buffers => "buffers",
            Self::StreamControl => "stream control",
            Self::Callouts => "HTTP callouts",
            Self::Grpc => "gRPC",
            Self::Redis => "redis",
            Self::SharedData => "shared data",
            Self::Queues => "shared queues",
            Self::Maps => "shared maps",
            Self::Metrics => "metrics",
            Self::Properties => "properties",
            Self::Foreign => "foreign functions",
            Self::Timers => "timers and clock",
            Self::Logging => "logging",
            Self::Runtime => "language runtime",
            Self::WasiEnvironment => "environment",
            Self::WasiDescriptors => "file descriptors",
            Self::WasiPaths => "paths",
            Self::WasiSockets => "sockets",
            Self::WasiSystem => "clock, random, exit",
        }
    }
}

/// A version of the ABI, as a module's marker declares it (section 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AbiVersion {
    /// `proxy_abi_version_0_1_0`.
    V0_1_0,
    /// `proxy_abi_version_0_2_0`.
    V0_2_0,
    /// `proxy_abi_version_0_2_1`.
    V0_2_1,
    /// `proxy_abi_version_0_2_100`: Higress.
    V0_2_100,
}

impl AbiVersion {
    /// Every version, oldest first.
    pub const ALL: [Self; 4] = [Self::V0_1_0, Self::V0_2_0, Self::V0_2_1, Self::V0_2_100];

    /// The version that a marker's name stands for; `None`: not a known marker.
    #[must_use]
    pub fn of_marker(export: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.marker() == export)
    }

    /// The version that decides, given the names of the *function* exports in the order of the
    /// export section: the first known marker wins.
    pub fn detect<'a>(function_exports: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        function_exports.into_iter().find_map(Self::of_marker)
    }

    /// The name of the marker export.
    #[must_use]
    pub const fn marker(self) -> &'static str {
        match self {
            Self::V0_1_0 => "proxy_abi_version_0_1_0",
            Self::V0_2_0 => "proxy_abi_version_0_2_0",
            Self::V0_2_1 => "proxy_abi_version_0_2_1",
            Self::V0_2_100 => "proxy_abi_version_0_2_100",
        }
    }

    /// The version with dots.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
            Self::V0_2_100 => "0.2.100",
        }
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A set of ABI versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions(u8);

impl Versions {
    /// Every version, Higress's too.
    pub const ALL: Self = Self(0b1111);
    /// 0.1.0 only.
    pub const V0_1: Self = Self(0b0001);
    /// 0.2.0 and later.
    pub const SINCE_0_2_0: Self = Self(0b1110);
    /// 0.2.1 and later.
    pub const SINCE_0_2_1: Self = Self(0b1100);

    /// Whether a version is in the set.
    #[must_use]
    pub const fn contains(self, version: AbiVersion) -> bool {
        self.0 & (1 << version as u8) != 0
    }
}

/// Who defines a host function or callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Envoy, with or without the specification's text behind it.
    Envoy,
    /// Higress alone.
    Higress,
    /// This host: neither Envoy nor Higress has it.
    Weir,
}

/// A function that the host offers to guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Import module.
    pub namespace: Namespace,
    /// Import name.
    pub name: &'static str,
    /// Its name in lists of capabilities: what stands in different modules under one name has
    /// different ones.
    pub capability: &'static str,
    /// Parameter types.
    pub params: &'static [ValueType],
    /// Parameter types that it may have as well.
    pub other_params: Option<&'static [ValueType]>,
    /// Result types: none or one.
    pub results: &'static [ValueType],
    /// What it is about.
    pub topic: Topic,
    /// The ABI versions that have it.
    pub versions: Versions,
    /// Who defines it.
    pub origin: Origin,
}

/// A function that a guest may export for the host to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Export name.
    pub name: &'static str,
    /// Parameter types.
    pub params: &'static [ValueType],
    /// Result types: none or one.
    pub results: &'static [ValueType],
    /// The ABI versions that call it with these types.
    pub versions: Versions,
    /// Who defines it.
    pub origin: Origin,
}

impl HostFunction {
    /// All parameter types that it may have, each with the same results.
    pub fn params(&self) -> impl Iterator<Item = &'static [ValueType]> {
        [Some(self.params), self.other_params].into_iter().flatten()
    }
}

/// All functions that the host offers, under whatever module name.
pub fn functions() -> impl Iterator<Item = &'static HostFunction> {
    HOST_FUNCTIONS.iter().chain(MAP_FUNCTIONS)
}

/// The host function behind an import; `None`: the host does not know it.
#[must_use]
pub fn find(module: &str, name: &str) -> Option<&'static HostFunction> {
    let namespace = Namespace::of(module)?;
    functions().find(|function| function.namespace == namespace && function.name == name)
}

/// Whether a filter's list of capabilities may hold this name: a function that the host offers
/// under any module name, or a callback.
#[must_use]
pub fn is_capability(name: &str) -> bool {
    let is_offered =
        |function: &HostFunction| function.capability == name && function.topic != Topic::Runtime;
    functions().any(is_offered) || CALLBACKS.iter().any(|callback| callback.name == name)
}

/// The dialect that a module runs under when the operator left it at `auto`, and why.
///
/// Higress's if the deciding marker is its own or an import exists in Higress only (section 10.1),
/// else Envoy's. `imports` are pairs of module and name.
pub fn dialect<'a>(
    marker: Option<AbiVersion>,
    imports: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (Dialect, String) {
    if marker == Some(AbiVersion::V0_2_100) {
        return (
            Dialect::Higress,
            format!("it exports {}", AbiVersion::V0_2_100.marker()),
        );
    }
    let of_higress = imports
        .into_iter()
        .filter_map(|(module, name)| find(module, name))
        .find(|function| function.origin == Origin::Higress);
    match of_higress {
        Some(function) => (
            Dialect::Higress,
            format!("it imports {}, which only Higress has", function.name),
        ),
        None => (
            Dialect::Envoy,
            "neither its marker nor its imports are Higress's".to_owned(),
        ),
    }
}

/// `count` times `i32`: the types of nearly every function of the ABI.
const fn ints(count: usize) -> &'static [ValueType] {
    const MANY: [ValueType; 12] = [ValueType::I32; 12];
    MANY.split_at(count).0
}

#[cfg(test)]
mod tests;
