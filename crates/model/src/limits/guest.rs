//! What one filter may use: the limits, their names, and what is told of one that was hit.
//!
//! Whoever enforces a limit says so with an [`Exceeded`], which names limit, value and the key that
//! changes it (decision 021).

use std::fmt;
use std::time::Duration;

/// What one filter may use. Set per filter by `limits:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// Bytes of linear memory of one VM, all its memories together.
    pub memory_bytes: u64,
    /// Linear memories of one VM.
    pub memories: u32,
    /// Tables of one VM.
    pub tables: u32,
    /// Elements of one VM, all its tables together.
    pub table_elements: u64,
    /// Bytes of memories and tables of all VMs of the filter, over all workers.
    pub total_memory_bytes: u64,
    /// Running time of one guest call.
    pub call: Duration,
    /// Wall time that all calls for one request may take together.
    pub request: Duration,
    /// Longest start: instantiation to the end of `proxy_on_configure`, as running time.
    pub start: Duration,
    /// Calls of host functions for one request; for events without a request, in one event.
    pub host_calls: u32,
    /// HTTP, gRPC and Redis callouts in flight of one root context.
    pub callouts: u32,
    /// Callouts that are begun for one request.
    pub request_callouts: u32,
    /// Bytes of log lines per second, over all workers.
    pub log_rate_bytes: u64,
    /// Bytes of log lines that may come at once.
    pub log_burst_bytes: u64,
    /// Metrics that the filter may define, over all its VMs.
    pub metrics: u32,
    /// Bytes of the name of one metric.
    pub metric_name_bytes: u32,
    /// Bytes that the shared data of its VM id may hold once it has written.
    pub shared_data_bytes: u64,
    /// Shared queues that its VM id may have once it has registered one.
    pub queues: u32,
    /// Bytes that all shared queues of its VM id together may hold.
    pub queue_bytes: u64,
    /// VMs of one worker that serve a request each (isolation `request`).
    pub instances: u32,
}

impl Default for GuestLimits {
    fn default() -> Self {
        Self {
            memory_bytes: GUEST_MEMORY_BYTES,
            memories: GUEST_MEMORIES,
            tables: GUEST_TABLES,
            table_elements: GUEST_TABLE_ELEMENTS,
            total_memory_bytes: GUEST_TOTAL_MEMORY_BYTES,
            call: GUEST_CALL_TIME,
            request: GUEST_REQUEST_TIME,
            start: GUEST_START_TIME,
            host_calls: GUEST_HOST_CALLS,
            callouts: GUEST_CALLOUTS,
            request_callouts: GUEST_REQUEST_CALLOUTS,
            log_rate_bytes: GUEST_LOG_RATE_BYTES,
            log_burst_bytes: GUEST_LOG_BURST_BYTES,
            metrics: GUEST_METRICS,
            metric_name_bytes: GUEST_METRIC_NAME_BYTES,
            shared_data_bytes: SHARED_DATA_BYTES,
            queues: SHARED_QUEUES,
            queue_bytes: SHARED_QUEUE_BYTES,
            instances: GUEST_INSTANCES,
        }
    }
}

/// Linear memory of one VM. Real plugins of 5 to 7 MB grow to 128 MiB while they configure
/// themselves, so the default leaves room for that and no more than twice that.
pub const GUEST_MEMORY_BYTES: u64 = 256 << 20;
/// The most that may be configured: what a 32-bit guest can address.
pub const GUEST_MEMORY_BYTES_MAX: u64 = 4 << 30;
/// Memories of one VM. Tool chains make one, instrumented modules a second; each reserves four
/// gigabytes of addresses.
pub const GUEST_MEMORIES: u32 = 4;
/// The most memories that may be configured.
pub const GUEST_MEMORIES_MAX: u64 = 64;
/// Tables of one VM: one of functions, one of references to the host's values, and some more.
pub const GUEST_TABLES: u32 = 8;
/// The most tables that may be configured.
pub const GUEST_TABLES_MAX: u64 = 64;
/// Elements of all tables of one VM: large Go plugins have 60 thousand functions.
pub const GUEST_TABLE_ELEMENTS: u64 = 1_000_000;
/// The most elements that may be configured: 80 MB.
pub const GUEST_TABLE_ELEMENTS_MAX: u64 = 10_000_000;
/// Bytes counted for one element of a table: a pointer.
pub const GUEST_TABLE_ELEMENT_BYTES: u64 = 8;
/// Memories and tables of all VMs of one filter. A large plugin (32 MiB) on 128 workers, or some
/// hundred VMs of their own for requests, stay below it; no machine of today is lost by it.
pub const GUEST_TOTAL_MEMORY_BYTES: u64 = 4 << 30;
/// The most that may be configured.
pub const GUEST_TOTAL_MEMORY_BYTES_MAX: u64 = 1 << 40;
/// Running time of one call: three orders above a typical call, far below what a person notices.
pub const GUEST_CALL_TIME: Duration = Duration::from_millis(100);
/// Wall time of all guest calls of one request.
pub const GUEST_REQUEST_TIME: Duration = Duration::from_secs(1);
/// Running time of a start: Go plugins with large tables take seconds.
pub const GUEST_START_TIME: Duration = Duration::from_secs(30);
/// The longest time limit that may be configured for a guest.
pub const GUEST_TIME_MAX: Duration = Duration::from_mins(5);
/// Host calls for one request. Plugins make 5 to 50; one that looks at each piece of a long stream
/// of tokens makes some hundred thousand. Cheap calls meet the time limit first.
pub const GUEST_HOST_CALLS: u32 = 1_000_000;
/// Callouts in flight of one root context; a further one fails at once.
pub const GUEST_CALLOUTS: u32 = 1024;
/// The most callouts in flight that may be configured.
pub const GUEST_CALLOUTS_MAX: u64 = 65_536;
/// Callouts for one request. Plugins make one to three; one per piece of a body is a mistake that a
/// service behind it would pay for.
pub const GUEST_REQUEST_CALLOUTS: u32 = 256;
/// Log bytes per second. A line of 100 bytes for each of 10 000 requests a second is as much.
pub const GUEST_LOG_RATE_BYTES: u64 = 1 << 20;
/// Log bytes at once: a start that tells its configuration, or a stack trace for each of many
/// requests.
pub const GUEST_LOG_BURST_BYTES: u64 = 4 << 20;
/// The most log bytes that may be configured.
pub const GUEST_LOG_BYTES_CONFIGURED_MAX: u64 = 1 << 30;
/// Metrics of one filter: half of what there is for all, so that no filter takes it from the others.
pub const GUEST_METRICS: u32 = 5_000;
/// Bytes of a metric's name: Istio and Higress write their tags into it.
pub const GUEST_METRIC_NAME_BYTES: u32 = 4 << 10;
/// Bytes that the shared data of one VM id may hold, keys and values.
pub const SHARED_DATA_BYTES: u64 = 64 << 20;
/// The most bytes of shared data or queues that may be configured.
pub const SHARED_BYTES_MAX: u64 = 64 << 30;
/// Shared queues that one VM id may register: plugins use a handful.
pub const SHARED_QUEUES: u32 = 1024;
/// The most queues that may be configured.
pub const SHARED_QUEUES_MAX: u64 = 65_536;
/// Bytes of all shared queues of one VM id, so that many queues are not many times as much.
pub const SHARED_QUEUE_BYTES: u64 = 64 << 20;
/// VMs of one worker that serve a request each. Those of Rust plugins take 30 KB each beyond what
/// they share.
pub const GUEST_INSTANCES: u32 = 1024;
/// The most instances that may be configured.
pub const GUEST_INSTANCES_MAX: u64 = 1 << 20;

/// One of the limits of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is the field of `GuestLimits` of its name"
)]
pub enum Limit {
    Memory,
    Memories,
    Tables,
    TableElements,
    TotalMemory,
    Time,
    RequestTime,
    StartTime,
    HostCalls,
    Callouts,
    RequestCallouts,
    LogRate,
    Metrics,
    MetricName,
    SharedData,
    Queues,
    QueueBytes,
    Instances,
}

/// What the value of a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bytes,
    BytesPerSecond,
    Nanoseconds,
    Pieces,
}

impl Limit {
    /// All limits, in the order of the enum.
    pub const ALL: [Self; 18] = [
        Self::Memory,
        Self::Memories,
        Self::Tables,
        Self::TableElements,
        Self::TotalMemory,
        Self::Time,
        Self::RequestTime,
        Self::StartTime,
        Self::HostCalls,
        Self::Callouts,
        Self::RequestCallouts,
        Self::LogRate,
        Self::Metrics,
        Self::MetricName,
        Self::SharedData,
        Self::Queues,
        Self::QueueBytes,
        Self::Instances,
    ];

    /// Its key in the section `limits` of a filter, which is its label in metrics, too.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Memories => "memories",
            Self::Tables => "tables",
            Self::TableElements => "table_elements",
            Self::TotalMemory => "total_memory",
            Self::Time => "time",
            Self::RequestTime => "request_time",
            Self::StartTime => "start_time",
            Self::HostCalls => "host_calls",
            Self::Callouts => "callouts",
            Self::RequestCallouts => "request_callouts",
            Self::LogRate => "log_rate",
            Self::Metrics => "metrics",
            Self::MetricName => "metric_name",
            Self::SharedData => "shared_data",
            Self::Queues => "queues",
            Self::QueueBytes => "queue_bytes",
            Self::Instances => "instances",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Memory
            | Self::TotalMemory
            | Self::MetricName
            | Self::SharedData
            | Self::QueueBytes => Unit::Bytes,
            Self::LogRate => Unit::BytesPerSecond,
            Self::Time | Self::RequestTime | Self::StartTime => Unit::Nanoseconds,
            Self::Memories
            | Self::Tables
            | Self::TableElements
            | Self::HostCalls
            | Self::Callouts
            | Self::RequestCallouts
            | Self::Metrics
            | Self::Queues
            | Self::Instances => Unit::Pieces,
        }
    }
}

impl GuestLimits {
    /// The value of a limit as it is told: bytes, nanoseconds or pieces.
    #[must_use]
    pub fn exceeded(&self, limit: Limit) -> Exceeded {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let value = match limit {
            Limit::Memory => self.memory_bytes,
            Limit::Memories => self.memories.into(),
            Limit::Tables => self.tables.into(),
            Limit::TableElements => self.table_elements,
            Limit::TotalMemory => self.total_memory_bytes,
            Limit::Time => nanos(self.call),
            Limit::RequestTime => nanos(self.request),
            Limit::StartTime => nanos(self.start),
            Limit::HostCalls => self.host_calls.into(),
            Limit::Callouts => self.callouts.into(),
            Limit::RequestCallouts => self.request_callouts.into(),
            Limit::LogRate => self.log_rate_bytes,
            Limit::Metrics => self.metrics.into(),
            Limit::MetricName => self.metric_name_bytes.into(),
            Limit::SharedData => self.shared_data_bytes,
            Limit::Queues => self.queues.into(),
            Limit::QueueBytes => self.queue_bytes,
            Limit::Instances => self.instances.into(),
        };
        Exceeded { limit, value }
    }
}

/// A limit that was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exceeded {
    /// Which.
    pub limit: Limit,
    /// Where it stands: bytes, nanoseconds or pieces.
    pub value: u64,
}

impl fmt::Display for Exceeded {
    /// As it would stand in the configuration: `limits.memory: 16MiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limits.{}: ", self.limit.key())?;
        match self.limit.unit() {
            Unit::Bytes => write_size(f, self.value),
            Unit::BytesPerSecond => {
                write_size(f, self.value)?;
                f.write_str(" per second")
            }
            Unit::Nanoseconds => write!(f, "{:?}", Duration::from_nanos(self.value)),
            Unit::Pieces => write!(f, "{}", self.value),
        }
    }
}

fn write_size(f: &mut fmt::Formatter<'_>, bytes: u64) -> fmt::Result {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return write!(f, "{}{unit}", bytes / size);
        }
    }
    write!(f, "{bytes}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(limit: Limit, limits: &GuestLimits, text: &str) {
        assert_eq!(limits.exceeded(limit).to_string(), text);
    }

    #[test]
    fn a_limit_is_told_as_it_would_be_written() {
        let limits = GuestLimits {
            call: Duration::from_millis(5),
            memory_bytes: 70_000,
            ..GuestLimits::default()
        };
        check(Limit::Time, &limits, "limits.time: 5ms");
        check(Limit::Memory, &limits, "limits.memory: 70000");
        check(Limit::TotalMemory, &limits, "limits.total_memory: 4GiB");
        check(Limit::HostCalls, &limits, "limits.host_calls: 1000000");
        check(Limit::LogRate, &limits, "limits.log_rate: 1MiB per second");
    }

    #[test]
    fn all_limits_are_listed_in_their_order() {
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index);
        }
    }
}
