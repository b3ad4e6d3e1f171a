//! Listeners.

use weir_model::{AccessLog, ForwardedFor, limits};

use crate::file::{FilterUseText, RouteText, TcpText};
use crate::shape::Placed;
use crate::shape::basic::{List, choices};
use crate::shape::metadata::MetadataText;
use crate::shape::quantity::{Count, DAY_MS, Size, Time};
use crate::shape::section::section;
use crate::shape::text::{Address, HeaderValue, NameText};

section! {
    /// One address that accepts connections.
    struct ListenerText = "listener" {
        /// Where it listens; port 0 is any free port.
        address: Placed<Address>;
        /// Name for logs, metrics and properties. Left out: the address.
        name: Option<Placed<NameText>> = None;
        /// Rules for requests; the first one that matches serves.
        routes: List<Placed<RouteText>, 0, 65536> = List(Vec::new());
        /// Carries connections to a cluster as they are, in place of `routes`. No key that is about
        /// requests can stand beside it.
        tcp: Option<TcpText> = None;
        /// What is written of each exchange: nothing, or one JSON line on standard output.
        access_log: AccessLog = AccessLog::default();
        /// Plugins that see each exchange once it is over.
        log_filters: List<FilterUseText, 0, 64> = List(Vec::new());
        /// Body bytes held for filters, per direction of one exchange. Beside `tcp`: bytes that
        /// filters may hold back before their sender is no longer read.
        body_buffer: Size<1, { limits::BODY_BUFFER_BYTES_MAX as u64 }>
            = Size(limits::BODY_BUFFER_BYTES as u64);
        /// Bytes of a request head, line and headers; above it the answer is 431.
        request_head: Size<1024, { 1 << 20 }> = Size(limits::REQUEST_HEAD_BYTES as u64);
        /// From the first byte of a request head to its last one.
        request_head_timeout: Time<1, DAY_MS> = Time(limits::REQUEST_HEAD_TIMEOUT);
        /// How long a connection without a request is kept, or, beside `tcp`, one without a byte
        /// in either direction.
        idle_timeout: Time<1, DAY_MS> = Time(limits::CONNECTION_IDLE_TIMEOUT);
        /// Connections at a time, all workers together.
        max_connections: Count<1, 1_000_000> = Count(limits::CONNECTIONS_MAX as u64);
        /// What happens to `x-forwarded-for` and `x-forwarded-proto`: `append` is for a gateway at the edge.
        forwarded_for: ForwardedFor = ForwardedFor::Append;
        /// Whether `via: 1.1 weir` is added.
        via: bool = false;
        /// Whether a request without `x-request-id` gets one.
        request_id: bool = true;
        /// Text of the `server` header. Left out: what the upstream says stays.
        server_header: Option<HeaderValue> = None;
        /// Facts for plugins, by namespace: the properties `metadata` and `xds.listener_metadata`.
        metadata: MetadataText = MetadataText::default();
    }
    at_most_one ["routes", "tcp"]
    at_most_one ["request_head", "tcp"]
    at_most_one ["request_head_timeout", "tcp"]
    at_most_one ["forwarded_for", "tcp"]
    at_most_one ["via", "tcp"]
    at_most_one ["request_id", "tcp"]
    at_most_one ["server_header", "tcp"]
}

choices! {
    ForwardedFor: "forwarding" { "append" => Self::Append, "keep" => Self::Keep }
}

choices! {
    AccessLog: "access log" { "off" => Self::Off, "stdout" => Self::Stdout }
}
