//! Routes: which requests, which filters, what is done.

use weir_model::{HostPattern, limits};

use crate::file::FilterUseText;
use crate::shape::Placed;
use crate::shape::basic::{List, Mark, Switch};
use crate::shape::metadata::MetadataText;
use crate::shape::named::{Clusters, Functions, HeaderKey, OneOrMany, Pairs, Referred};
use crate::shape::quantity::{Count, DAY_MS, Time};
use crate::shape::section::section;
use crate::shape::text::{HeaderName, HeaderValue, Method, NameText, Text, UrlPath};

section! {
    /// One rule of a listener. Exactly one of `forward`, `function`, `respond` and `echo` says what is
    /// done.
    struct RouteText = "route" {
        /// Name for logs and properties. Left out: listener and index, like `main/0`.
        name: Option<Placed<NameText>> = None;
        /// Which requests it serves. Left out: all.
        r#match: Option<MatchText> = None;
        /// Filters in request order, each a name or a use with a configuration of its own.
        filters: List<FilterUseText, 0, 64> = List(Vec::new());
        /// Sends the request to a cluster.
        forward: Option<ForwardText> = None;
        /// The function that answers.
        function: Option<Referred<Functions>> = None;
        /// Answers at once.
        respond: Option<Placed<RespondText>> = None;
        /// Answers with a text that shows the request as the gateway saw it.
        echo: Option<Mark> = None;
        /// Facts for plugins, by namespace: the property `xds.route_metadata`.
        metadata: MetadataText = MetadataText::default();
    }
    exactly_one ["forward", "function", "respond", "echo"]
}

section! {
    /// A test of requests: all parts that are there must hold.
    struct MatchText = "match" {
        /// The whole path, without query.
        path: Option<UrlPath> = None;
        /// The beginning of the path, byte by byte: `/api` holds for `/apix` too.
        path_prefix: Option<UrlPath> = None;
        /// The host, without port.
        host: Option<HostPattern> = None;
        /// Hosts of which one must hold.
        hosts: List<HostPattern, 1, 1024> = List(Vec::new());
        /// The method.
        method: Option<Method> = None;
        /// Methods of which one must hold.
        methods: List<Method, 1, 64> = List(Vec::new());
        /// Tests of headers, which must all hold.
        headers: List<Placed<HeaderMatchText>, 0, 64> = List(Vec::new());
    }
    at_most_one ["path", "path_prefix"]
    at_most_one ["host", "hosts"]
    at_most_one ["method", "methods"]
}

section! {
    /// A test of the first value of a header.
    struct HeaderMatchText = "header match" {
        /// Name of the header; case does not matter.
        name: HeaderName;
        /// The value is this one.
        exact: Option<HeaderValue> = None;
        /// The value begins so.
        prefix: Option<HeaderValue> = None;
        /// The header is there.
        present: Option<Mark> = None;
        /// The header is not there.
        absent: Option<Mark> = None;
    }
    exactly_one ["exact", "prefix", "present", "absent"]
}

section! {
    /// Sending a request on. A bare name is the cluster.
    struct ForwardText = "forward" {
        /// Where to.
        cluster: Referred<Clusters>;
        /// From the end of the request to the end of the response.
        timeout: Switch<Time<1, DAY_MS>> = Switch::On(Time(limits::ROUTE_TIMEOUT));
        /// Without a byte in either direction.
        idle_timeout: Switch<Time<1, DAY_MS>> = Switch::On(Time(limits::STREAM_IDLE_TIMEOUT));
        /// When a request is tried again. Left out: never.
        retries: Option<RetriesText> = None;
    }
    short "cluster";
}

section! {
    /// Trying again; only requests whose body could be kept whole are. A bare number is the
    /// attempts.
    struct RetriesText = "retries" {
        /// Tries after the first one.
        attempts: Count<0, { limits::RETRIES_MAX as u64 }> = Count(1);
        /// Longest time of one try until the headers of the response. Left out: only the route's.
        per_try_timeout: Option<Time<1, DAY_MS>> = None;
        /// Statuses that are tried again. Failures to connect always are.
        statuses: List<Count<300, 599>, 0, 300> = List(Vec::new());
    }
    short "attempts";
}

section! {
    /// An answer from the configuration.
    struct RespondText = "respond" {
        /// Status of the answer.
        status: Count<200, 599> = Count(200);
        /// Headers by name, each with a value or a list of values.
        headers: Pairs<HeaderKey, OneOrMany<HeaderValue>> = Pairs(Vec::new());
        /// Body of the answer.
        body: Text = Text::default();
    }
}
