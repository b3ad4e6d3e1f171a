//! TCP connections.

use weir_model::limits;

use crate::file::FilterUseText;
use crate::shape::basic::List;
use crate::shape::named::{Clusters, Referred};
use crate::shape::quantity::Count;
use crate::shape::section::section;

section! {
    /// Carrying TCP connections to a cluster as they are. A bare name is the cluster.
    struct TcpText = "tcp" {
        /// Where to.
        cluster: Referred<Clusters>;
        /// Network filters, each a name or a use with a configuration of its own. The client's
        /// bytes pass them in this order, the upstream's backwards.
        filters: List<FilterUseText, 0, 64> = List(Vec::new());
        /// Endpoints that are tried before the client is let go.
        connect_attempts: Count<1, { limits::CONNECT_ATTEMPTS_MAX as u64 }> = Count(1);
    }
    later {
        "routes" => "TCP routes by server name or source",
        "idle_timeout" => "an idle timeout of its own (the listener's idle_timeout holds)",
    }
    short "cluster";
}
