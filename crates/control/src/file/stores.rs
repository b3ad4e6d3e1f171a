//! What keeps maps that are not in memory.

use serde_json::{Value, json};
use weir_model::{
    Endpoint, Name,
    limits::{disk, redis},
};

use crate::file::VariableText;
use crate::shape::basic::{List, choices};
use crate::shape::named::{Referred, Stores};
use crate::shape::quantity::{Count, Size, Time};
use crate::shape::section::section;
use crate::shape::text::{FilePath, Grammar, NameText, Text};
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

section! {
    /// A store: what keeps the maps whose `store` names it.
    struct StoreText = "store" {
        /// Files. What was acknowledged is there after a crash.
        durable: Option<DurableText> = None;
        /// Memory over files: caches that are larger than memory.
        ssd_backed: Option<SsdText> = None;
        /// Redis or Valkey, shared by all gateways with the same servers and prefix.
        redis: Option<RedisText> = None;
    }
    later { "nats" => "maps in NATS" }
    exactly_one ["durable", "ssd_backed", "redis"]
}

section! {
    /// Maps in files: [maps-durable.md](maps-durable.md). One gateway at a time can use a folder.
    struct DurableText = "durable store" {
        /// The folder; made if it is not there. A relative path starts at the folder of the
        /// configuration file.
        path: Placed<FilePath>;
        /// When a change is acknowledged: when the disk has it (`synced`), or at once (`relaxed`).
        durability: DurabilityWord = DurabilityWord::Synced;
        /// How long a change of relaxed maps may be missing on the disk. Left out: 100ms.
        sync_interval: Option<Placed<Lag>> = None;
        /// Memory of each map for values that are longer than 38 bytes.
        memory: Memory = Size(disk::MEMORY_BYTES);
    }
}

section! {
    /// Maps of memory over files: [maps-durable.md](maps-durable.md). One gateway at a time can use
    /// a folder.
    struct SsdText = "ssd-backed store" {
        /// The folder; made if it is not there. A relative path starts at the folder of the
        /// configuration file.
        path: Placed<FilePath>;
        /// How long a change may be missing on the disk.
        sync_interval: Lag = Time(disk::CACHE_SYNC_INTERVAL);
        /// Memory of each map for values that are longer than 38 bytes. What a map may hold on the
        /// disk is its `bytes`.
        memory: Memory = Size(disk::MEMORY_BYTES);
    }
}

section! {
    /// Maps in Redis or Valkey: [maps-redis.md](maps-redis.md).
    struct RedisText = "redis store" {
        /// How the servers work together: there is one (`single`), sentinels know the primary
        /// (`sentinel`), or they are a cluster (`cluster`).
        kind: RedisWord = RedisWord::Single;
        /// The server; or the sentinels; or some nodes of the cluster.
        addresses: Placed<List<Endpoint, 1, { redis::ADDRESSES_MAX }>>;
        /// The sentinels' name for the primary.
        primary: Option<Placed<NameText>> = None;
        /// Who the gateway is to the servers. Left out: their default user.
        username: Option<Placed<Text>> = None;
        /// A text, or `{ from: NAME }` for a variable of the gateway's own.
        password: Option<VariableText> = None;
        /// The same for sentinels, which have users of their own.
        sentinel_username: Option<Placed<Text>> = None;
        /// The same for sentinels.
        sentinel_password: Option<Placed<VariableText>> = None;
        /// Number of the database; a cluster has only 0.
        database: Placed<Count<0, { redis::DATABASE_MAX }>> = unplaced(Count(0));
        /// What all keys begin with: letters, digits, `-`, `_`, `.` and `:`.
        prefix: Prefix = Prefix("weir".to_owned());
        /// How long an operation may take.
        deadline: Time<1, { redis::CONFIGURED_DEADLINE_MS_MAX }> = Time(redis::DEADLINE);
        /// Encrypted connections, to sentinels too (elsewhere written `rediss://`). Left out: they are
        /// not encrypted.
        tls: Option<RedisTlsText> = None;
    }
}

section! {
    /// Encrypted connections to Redis. Files are in the PEM format; relative paths start at the folder
    /// of the configuration file.
    struct RedisTlsText = "redis tls" {
        /// Certificates of those who sign the servers' certificates; nobody else is trusted.
        ca: Placed<FilePath>;
        /// The gateway's own certificate, if the servers ask for one; those between it and its signer
        /// follow it in the file.
        certificate: Option<Placed<FilePath>> = None;
        /// The key of that certificate.
        key: Option<Placed<FilePath>> = None;
        /// The name that the servers' certificates must have. Left out: the host of the address.
        name: Option<Text> = None;
    }
}

type Lag = Time<1, { disk::CONFIGURED_LAG_MS_MAX }>;
type Memory = Size<0, { disk::CONFIGURED_MEMORY_BYTES_MAX }>;

fn unplaced<T>(value: T) -> Placed<T> {
    let place = crate::shape::Place::default();
    Placed { value, place }
}

/// When a change is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DurabilityWord {
    Synced,
    Relaxed,
}

choices! {
    DurabilityWord: "durability" { "synced" => Self::Synced, "relaxed" => Self::Relaxed }
}

/// How servers of Redis work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisWord {
    Single,
    Sentinel,
    Cluster,
}

choices! {
    RedisWord: "kind" {
        "single" => Self::Single,
        "sentinel" => Self::Sentinel,
        "cluster" => Self::Cluster,
    }
}

/// What keys begin with.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(pub(crate) String);

impl Grammar for Prefix {
    const TITLE: &'static str = "prefix";
    const PATTERN: &'static str = "^[0-9A-Za-z_.:-]{1,255}$";
    const EXPECTED: &'static str = "1 to 255 letters, digits, -, _, . and :";

    fn parse(text: &str) -> Result<Self, Option<String>> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let is_fit = (1..=255).contains(&text.len()) && text.bytes().all(plain);
        is_fit.then(|| Self(text.to_owned())).ok_or(None)
    }

    fn written(&self) -> String {
        self.0.clone()
    }
}

impl Shape for Prefix {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        crate::shape::text::read_text(node, reader)
    }

    fn sort(_: &mut Catalog) -> Sort {
        Sort::pattern(Self::TITLE, Self::PATTERN)
    }

    fn show(&self) -> Value {
        json!(self.written())
    }
}

/// The word for the gateway's memory, in the place of a store's name.
pub(crate) const MEMORY: &str = "memory";

/// What keeps a map.
#[derive(Clone, Debug, Default)]
pub(crate) enum MapStoreText {
    #[default]
    Memory,
    Named(Name),
}

impl Shape for MapStoreText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Scalar(scalar) if scalar.text == MEMORY => Some(Self::Memory),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                let store = Referred::<Stores>::read(node, reader)?;
                Some(Self::Named(store.name))
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let name = Referred::<Stores>::sort(catalog);
        Sort::new(format!("`{MEMORY}`, {}", name.text), name.schema)
    }

    fn show(&self) -> Value {
        match self {
            Self::Memory => json!(MEMORY),
            Self::Named(name) => json!(&**name),
        }
    }
}
