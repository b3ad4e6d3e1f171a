//! What the gateway checks of a call that comes from another process.
//!
//! A guest inside the gateway cannot call what was not linked for it. Here the other side links, and
//! may have been taken over: what a VM may ask is settled before it starts, and held against every
//! call.

use weir_maps::call::MapCall;
use weir_model::limits;

use super::wire::Violation;
use crate::abi::functions;
use crate::door::{Call, Clock, World};
use crate::files::FileCall;

/// What one VM may ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// A bit for each number of [`number`].
    numbers: u128,
}

/// What a VM is doing, as far as the gateway knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its start functions run.
    Starting,
    /// A callback runs.
    Running,
    /// Nothing of it runs.
    Idle,
}

impl Allowed {
    /// Nothing.
    pub(super) const NOTHING: Self = Self { numbers: 0 };

    /// What this world allows.
    pub(super) fn by<W: World>(world: &W) -> Self {
        let mut numbers = 0_u128;
        for (number, names) in NAMES.iter().enumerate() {
            if names.is_empty() || names.iter().any(|name| world.allows(name)) {
                numbers |= 1 << number;
            }
        }
        Self { numbers }
    }

    /// Checks a call.
    ///
    /// # Errors
    ///
    /// [`Violation`]: no guest in an honest process asks this now.
    pub(super) fn check(self, call: &Call<'_>, stage: Stage) -> Result<(), Violation> {
        if self.numbers & (1 << number(call)) == 0 {
            return Err(Violation("it called a function that it was not given"));
        }
        let may_ask = match stage {
            Stage::Starting => may_start(call),
            Stage::Running => true,
            Stage::Idle => false,
        };
        if !may_ask {
            return Err(Violation("it called a function too early"));
        }
        if call.overlong().is_some() {
            return Err(Violation("it sent a longer name than any guest may"));
        }
        match call {
            Call::Random { length } if *length > limits::RANDOM_BYTES_MAX => {
                Err(Violation("it asked for too many random bytes"))
            }
            Call::Withheld { function } | Call::Touched { function } if !is_function(function) => {
                Err(Violation("it names a function that no host has"))
            }
            _ => Ok(()),
        }
    }
}

fn is_function(name: &str) -> bool {
    functions().any(|function| function.capability == name)
}

/// Whether a guest may ask this in its start functions (as `When` of the host's functions says).
fn may_start(call: &Call<'_>) -> bool {
    matches!(
        call,
        Call::Log { .. }
            | Call::Now(_)
            | Call::Random { .. }
            | Call::Environment
            | Call::Withheld { .. }
            | Call::Touched { .. }
            | Call::Resolution(_)
            | Call::File(_)
            | Call::Map(_)
    )
}

/// Declares the numbers of calls and the functions behind them.
macro_rules! functions {
    ($($number:literal $pattern:pat => $names:expr;)*) => {
        /// The host functions that lead to each call, by its number. A call that leads from none is
        /// free.
        const NAMES: &[&[&str]] = &[$($names),*];

        /// The number of a call.
        fn number(call: &Call<'_>) -> u32 {
            match call {
                $($pattern => $number,)*
            }
        }

        #[cfg(test)]
        const NUMBERS: &[u32] = &[$($number),*];
    };
}

functions! {
    0 Call::Log { .. } => &["proxy_log", "fd_write", "fd_pwrite", "proc_exit"];
    1 Call::LogLevel => &["proxy_get_log_level"];
    2 Call::Now(Clock::Wall) => &["proxy_get_current_time_nanoseconds", "clock_time_get"];
    3 Call::Now(Clock::Monotonic) => &["clock_time_get"];
    4 Call::Random { .. } => &["random_get"];
    5 Call::Environment => &["environ_sizes_get", "environ_get"];
    6 Call::SetTick { .. } => &["proxy_set_tick_period_milliseconds"];
    7 Call::SetEffectiveContext { .. } => &["proxy_set_effective_context"];
    8 Call::Done => &["proxy_done"];
    9 Call::CalloutStatus => &["proxy_get_status"];
    10 Call::Property { .. } => &["proxy_get_property"];
    11 Call::SetProperty { .. } => &["proxy_set_property"];
    12 Call::ContinueStream(_) => &[
        "proxy_continue_stream",
        "proxy_continue_request",
        "proxy_continue_response",
    ];
    13 Call::CloseStream(_) => &["proxy_close_stream"];
    14 Call::ClearRouteCache => &["proxy_clear_route_cache"];
    15 Call::LocalResponse(_) => &["proxy_send_local_response"];
    16 Call::Buffer { .. } => &["proxy_get_buffer_bytes", "proxy_get_configuration"];
    17 Call::BufferLength { .. } => &["proxy_get_buffer_status"];
    18 Call::SetBuffer { .. } => &["proxy_set_buffer_bytes"];
    19 Call::Header { .. } => &["proxy_get_header_map_value"];
    20 Call::AddHeader { .. } => &["proxy_add_header_map_value"];
    21 Call::ReplaceHeader { .. } => &["proxy_replace_header_map_value"];
    22 Call::RemoveHeader { .. } => &["proxy_remove_header_map_value"];
    23 Call::Headers { .. } => &["proxy_get_header_map_pairs"];
    24 Call::SetHeaders { .. } => &["proxy_set_header_map_pairs"];
    25 Call::HeadersSize { .. } => &["proxy_get_header_map_size"];
    26 Call::HttpCall(_) => &["proxy_http_call"];
    27 Call::GrpcCall(_) => &["proxy_grpc_call"];
    28 Call::GrpcStream(_) => &["proxy_grpc_stream"];
    29 Call::GrpcSend { .. } => &["proxy_grpc_send"];
    30 Call::GrpcClose { .. } => &["proxy_grpc_close"];
    31 Call::GrpcCancel { .. } => &["proxy_grpc_cancel"];
    32 Call::SharedEntry { .. } => &["proxy_get_shared_data"];
    33 Call::SetSharedEntry { .. } => &["proxy_set_shared_data"];
    34 Call::RegisterQueue { .. } => &["proxy_register_shared_queue"];
    35 Call::ResolveQueue { .. } => &["proxy_resolve_shared_queue"];
    36 Call::Enqueue { .. } => &["proxy_enqueue_shared_queue"];
    37 Call::Dequeue { .. } => &["proxy_dequeue_shared_queue"];
    38 Call::DefineMetric { .. } => &["proxy_define_metric"];
    39 Call::IncrementMetric { .. } => &["proxy_increment_metric"];
    40 Call::RecordMetric { .. } => &["proxy_record_metric"];
    41 Call::Metric { .. } => &["proxy_get_metric"];
    42 Call::Withheld { .. } => &[];
    43 Call::RedisInit(_) => &["proxy_redis_init"];
    44 Call::RedisCall { .. } => &["proxy_redis_call"];
    45 Call::Inject { .. } => &["proxy_inject_encoded_data_to_filter_chain"];
    46 Call::UpstreamHosts => &["proxy_get_upstream_hosts"];
    47 Call::OverrideHost { .. } => &["proxy_set_upstream_override_host"];
    48 Call::Foreign { .. } => &["proxy_call_foreign_function"];
    49 Call::Touched { .. } => &[];
    50 Call::Resolution(_) => &["clock_res_get", "clock_time_get"];
    51 Call::File(FileCall::Folder { .. }) => &["fd_prestat_get", "fd_prestat_dir_name"];
    52 Call::File(FileCall::Facts { .. }) => &["fd_fdstat_get"];
    53 Call::File(FileCall::Status { .. }) => &["fd_filestat_get"];
    54 Call::File(FileCall::StatusOf { .. }) => &["path_filestat_get"];
    55 Call::File(FileCall::Open { .. }) => &["path_open"];
    56 Call::File(FileCall::Read { .. }) => &["fd_read", "fd_pread", "memory_map"];
    57 Call::File(FileCall::Write { .. }) => &["fd_write", "fd_pwrite"];
    58 Call::File(FileCall::Seek { .. }) => &["fd_seek", "fd_tell"];
    59 Call::File(FileCall::List { .. }) => &["fd_readdir"];
    60 Call::File(FileCall::Close { .. }) => &["fd_close"];
    61 Call::Map(MapCall::Open { .. }) => &["wasi_map_open"];
    62 Call::Map(MapCall::OpenGranted { .. }) => &["wasi_map_open"];
    63 Call::Map(MapCall::Create { .. }) => &["wasi_map_create"];
    64 Call::Map(MapCall::Close { .. }) => &["wasi_map_close"];
    65 Call::Map(MapCall::Dup { .. }) => &["wasi_map_dup"];
    66 Call::Map(MapCall::Lend { .. }) => &["wasi_map_lend"];
    67 Call::Map(MapCall::Transfer { .. }) => &["wasi_map_transfer"];
    68 Call::Map(MapCall::Accept { .. }) => &["wasi_map_accept"];
    69 Call::Map(MapCall::Rights { .. }) => &["wasi_map_rights"];
    70 Call::Map(MapCall::Stat { .. }) => &["wasi_map_stat", "wasi_map_id"];
    71 Call::Map(MapCall::Get { .. }) => &["wasi_map_get", "wasi_map_get_alloc"];
    72 Call::Map(MapCall::Set { .. }) => &[
        "wasi_map_set",
        "wasi_map_set_with",
        "wasi_map_compare_and_swap",
    ];
    73 Call::Map(MapCall::Delete { .. }) => &["wasi_map_delete"];
    74 Call::Map(MapCall::Exists { .. }) => &["wasi_map_exists"];
    75 Call::Map(MapCall::Add { .. }) => &["wasi_map_increment"];
    76 Call::Map(MapCall::Scan { .. }) => &["wasi_map_scan"];
    77 Call::Map(MapCall::Batch { .. }) => &["wasi_map_batch"];
    78 Call::Map(MapCall::Clear { .. }) => &["wasi_map_clear"];
    79 Call::Map(MapCall::Watch { .. }) => &["wasi_map_watch"];
    80 Call::Map(MapCall::Next { .. }) => &["wasi_map_next"];
    81 Call::Map(MapCall::Unwatch { .. }) => &["wasi_map_unwatch"];
    82 Call::Map(MapCall::PutMap { .. }) => &["wasi_map_put_map"];
    83 Call::Map(MapCall::GetMap { .. }) => &["wasi_map_get_map"];
    84 Call::Map(MapCall::RegionCreate { .. }) => &["wasi_map_region_create"];
    85 Call::Map(MapCall::RegionMap { .. }) => &["wasi_map_region_map"];
    86 Call::Map(MapCall::RegionUnmap { .. }) => &["wasi_map_region_unmap"];
    // Only components have a function for it, and they are in no process.
    87 Call::Map(MapCall::RegionHand { .. }) => &["wasi_map_region_create"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_in_the_table() {
        let places = 0..u32::try_from(NAMES.len()).expect("a small table");
        assert!(NUMBERS.iter().copied().eq(places.clone()) && places.end <= 128);
    }

    #[test]
    fn no_honest_process_sends_longer_names_than_guests_may() {
        let all = Allowed { numbers: u128::MAX };
        let long = vec![0; limits::PROPERTY_PATH_BYTES_MAX + 1];
        let check = |path| all.check(&Call::Property { path }, Stage::Running);
        assert_eq!(check(&long[1..]), Ok(()));
        assert!(check(&long).is_err());
    }

    #[test]
    fn every_name_is_a_host_function() {
        for name in NAMES.iter().copied().flatten() {
            assert!(is_function(name), "{name}");
        }
    }

    #[test]
    fn every_function_that_can_be_withheld_is_in_the_table() {
        use crate::abi::{Namespace, Topic};
        let listed = |name: &str| NAMES.iter().any(|names| names.contains(&name));
        for function in functions() {
            let asks = function.namespace != Namespace::Wasi
                && function.topic != Topic::Runtime
                && function.name != "envoy_resolve_dns";
            assert!(!asks || listed(function.capability), "{}", function.name);
        }
    }
}
