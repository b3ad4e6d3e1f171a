//! What one filter may use (decision 021).

use weir_model::{GuestLimits, limits, limits::guest};

use crate::shape::quantity::{Count, Size, Time};
use crate::shape::section::section;

/// [`limits::GUEST_TIME_MAX`] in milliseconds.
const TIME_MAX_MS: u64 = limits::GUEST_TIME_MAX.as_secs() * 1000;
/// The most of things that are counted with 32 bits.
const COUNT_MAX: u64 = u32::MAX as u64;

section! {
    /// What one filter may use. What goes beyond fails, and nothing else does.
    struct LimitsText = "limits" {
        /// Linear memory of one VM, all its memories together.
        memory: Size<65536, { guest::GUEST_MEMORY_BYTES_MAX }> = Size(guest::GUEST_MEMORY_BYTES);
        /// Linear memories of one VM.
        memories: Count<1, { guest::GUEST_MEMORIES_MAX }> = Count(u64::from(guest::GUEST_MEMORIES));
        /// Tables of one VM.
        tables: Count<0, { guest::GUEST_TABLES_MAX }> = Count(u64::from(guest::GUEST_TABLES));
        /// Elements of one VM, all its tables together.
        table_elements: Count<0, { guest::GUEST_TABLE_ELEMENTS_MAX }>
            = Count(guest::GUEST_TABLE_ELEMENTS);
        /// Memories and tables of all VMs of the filter, over all workers.
        total_memory: Size<65536, { guest::GUEST_TOTAL_MEMORY_BYTES_MAX }>
            = Size(guest::GUEST_TOTAL_MEMORY_BYTES);
        /// Running time of one call.
        time: Time<1, TIME_MAX_MS> = Time(guest::GUEST_CALL_TIME);
        /// Wall time of all calls for one request.
        request_time: Time<1, TIME_MAX_MS> = Time(guest::GUEST_REQUEST_TIME);
        /// Running time of a start, up to the end of `proxy_on_configure`.
        start_time: Time<1, TIME_MAX_MS> = Time(guest::GUEST_START_TIME);
        /// Calls of host functions for one request; in timers and other events without a request,
        /// and on TCP connections, in one event.
        host_calls: Count<1, COUNT_MAX> = Count(u64::from(guest::GUEST_HOST_CALLS));
        /// HTTP, gRPC and Redis callouts in flight of one root context (that is, of one worker).
        /// A further one fails at once.
        callouts: Count<0, { guest::GUEST_CALLOUTS_MAX }> = Count(u64::from(guest::GUEST_CALLOUTS));
        /// Callouts for one request.
        request_callouts: Count<0, COUNT_MAX> = Count(u64::from(guest::GUEST_REQUEST_CALLOUTS));
        /// Bytes of log lines per second. Further lines are dropped; a line says how many.
        log_rate: Size<1, { guest::GUEST_LOG_BYTES_CONFIGURED_MAX }>
            = Size(guest::GUEST_LOG_RATE_BYTES);
        /// Bytes of log lines that may come at once.
        log_burst: Size<1, { guest::GUEST_LOG_BYTES_CONFIGURED_MAX }>
            = Size(guest::GUEST_LOG_BURST_BYTES);
        /// Metrics that the filter may define. All filters together may define 10000.
        metrics: Count<0, COUNT_MAX> = Count(u64::from(guest::GUEST_METRICS));
        /// Length of the name of a metric.
        metric_name: Size<1, 65536> = Size(u64::from(guest::GUEST_METRIC_NAME_BYTES));
        /// What the shared data of its `vm_id` may hold after it has written: keys, values, and 160
        /// bytes for each entry.
        shared_data: Size<0, { guest::SHARED_BYTES_MAX }> = Size(guest::SHARED_DATA_BYTES);
        /// Shared queues that its `vm_id` may have.
        queues: Count<0, { guest::SHARED_QUEUES_MAX }> = Count(u64::from(guest::SHARED_QUEUES));
        /// What all shared queues of its `vm_id` together may hold, counted likewise.
        queue_bytes: Size<0, { guest::SHARED_BYTES_MAX }> = Size(guest::SHARED_QUEUE_BYTES);
        /// Virtual machines for single requests that live at once on one worker.
        instances: Count<1, { guest::GUEST_INSTANCES_MAX }> = Count(u64::from(guest::GUEST_INSTANCES));
    }
}

impl LimitsText {
    /// The limits that it says.
    pub(crate) fn lowered(&self) -> GuestLimits {
        GuestLimits {
            memory_bytes: self.memory.0,
            memories: self.memories.to(),
            tables: self.tables.to(),
            table_elements: self.table_elements.0,
            total_memory_bytes: self.total_memory.0,
            call: self.time.0,
            request: self.request_time.0,
            start: self.start_time.0,
            host_calls: self.host_calls.to(),
            callouts: self.callouts.to(),
            request_callouts: self.request_callouts.to(),
            log_rate_bytes: self.log_rate.0,
            log_burst_bytes: self.log_burst.0,
            metrics: self.metrics.to(),
            metric_name_bytes: u32::try_from(self.metric_name.0).unwrap_or(u32::MAX),
            shared_data_bytes: self.shared_data.0,
            queues: self.queues.to(),
            queue_bytes: self.queue_bytes.0,
            instances: self.instances.to(),
        }
    }
}
