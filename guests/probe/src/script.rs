//! The script: what the configuration may say. Unknown callbacks and steps are errors.

use std::fmt::{self, Formatter};
use std::marker::PhantomData;

use proxy_wasm::types::{MapType, MetricType};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text whose values in braces are filled in when its step is played.
pub type Text = String;

/// A callback.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    VmStart,
    Configure,
    Tick,
    Queue,
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    CallResponse,
    GrpcResponse,
    Log,
    Done,
}

/// Steps by callback.
pub type Script = Entries<Phase, Vec<Step>>;

impl Script {
    /// The steps of a callback.
    pub fn steps(&self, phase: Phase) -> &[Step] {
        self.0
            .iter()
            .find(|(known, _)| *known == phase)
            .map_or(&[], |(_, steps)| steps)
    }
}

/// A JSON object, in its own order. Smaller than a map.
pub struct Entries<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Entries<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect(PhantomData))
    }
}

struct Collect<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Collect<K, V> {
    type Value = Entries<K, V>;

    fn expecting(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<K, V>, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// One step. In JSON a word, or an object of one key: `"pause"`, `{"log": "text"}`,
/// `{"set": ["request", "name", "value"]}`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    // What the callback answers, and when it is over.
    Pause,
    AwaitEnd,
    Refuse,
    Stop,
    If(Box<If>),
    // What happens to the exchange.
    Resume,
    ResumeResponse,
    Reply(Box<Reply>),
    GrpcReply(Pair),
    Postpone,
    Release,
    ReleaseAll,
    // Headers, bodies, properties.
    Set(Entry),
    Add(Entry),
    Remove(Named),
    SetAll(Box<Whole>),
    Body(Text),
    Append(Text),
    Prepend(Text),
    Property(Pair),
    // What outlives the exchange.
    Var(Pair),
    Remember(Text),
    Share(Pair),
    ShareStale(Pair),
    Unshare(Text),
    Count(Text),
    Queue(Text),
    Enqueue(Triple),
    Increment(Amount),
    Record(Amount),
    // Other parties. A gRPC callout: cluster, service, method, message.
    Call(Box<Call>),
    GrpcCall(Box<[Text; 4]>),
    Foreign(Pair),
    Tick(u64),
    DeferDone,
    Done,
    // Words.
    Log(Text),
    LogAt(Pair),
    LogMap(Map),
    Print(Text),
    PrintError(Text),
    // Misbehaviour.
    Panic(Text),
    Loop,
    Recurse,
    Spin(u64),
    Hog(usize),
    Grow(usize),
    Exit(u32),
}

// Steps with the same kind of arguments share a type, which keeps the module small.

/// Two texts, in JSON an array.
#[derive(Deserialize)]
pub struct Pair(pub Text, pub Text);

/// Three texts.
#[derive(Deserialize)]
pub struct Triple(pub Text, pub Text, pub Text);

/// A header: map, name, value.
#[derive(Deserialize)]
pub struct Entry(pub Map, pub Text, pub Text);

/// A header: map, name.
#[derive(Deserialize)]
pub struct Named(pub Map, pub Text);

/// A map and all its headers.
#[derive(Deserialize)]
pub struct Whole(pub Map, pub Vec<Pair>);

/// A metric's kind, name and amount.
#[derive(Deserialize)]
pub struct Amount(pub Metric, pub Text, pub i64);

/// Steps that depend on a value. Every test that is given must hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct If {
    pub value: Text,
    pub is: Option<Text>,
    pub not: Option<Text>,
    pub prefix: Option<Text>,
    pub contains: Option<Text>,
    /// The value is a JSON object that has these keys.
    pub json_keys: Option<Vec<String>>,
    #[serde(default)]
    pub then: Vec<Step>,
    #[serde(default, rename = "else")]
    pub otherwise: Vec<Step>,
}

/// A local response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    pub status: u32,
    #[serde(default)]
    pub headers: Vec<Pair>,
    pub body: Option<Text>,
}

/// An HTTP callout.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub cluster: Text,
    /// Pseudo-headers too. Absent: `GET /` of the authority `probe`.
    #[serde(default)]
    pub headers: Vec<Pair>,
    pub body: Option<Text>,
    #[serde(default)]
    pub trailers: Vec<Pair>,
    #[serde(default = "default_timeout")]
    pub timeout_ms: u64,
}

fn default_timeout() -> u64 {
    5000
}

/// A header map.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    Request,
    RequestTrailer,
    Response,
    ResponseTrailer,
    Call,
    CallTrailer,
}

impl Map {
    /// Its number in the ABI.
    pub fn kind(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::RequestTrailer => MapType::HttpRequestTrailers,
            Self::Response => MapType::HttpResponseHeaders,
            Self::ResponseTrailer => MapType::HttpResponseTrailers,
            Self::Call => MapType::HttpCallResponseHeaders,
            Self::CallTrailer => MapType::HttpCallResponseTrailers,
        }
    }
}

/// A kind of metric.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Counter,
    Gauge,
    Histogram,
}

impl Metric {
    /// Its number in the ABI.
    pub fn kind(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}
