//! Maps, and what a use of a module may do with them.

use serde_json::{Value, json};
use weir_model::limits::{maps as limits, redis as limits_of_redis};
use weir_model::{MapEviction, MapRight, MapRights};

use crate::file::stores::MapStoreText;
use crate::problem::{Refusal, shortened};
use crate::shape::basic::choices;
use crate::shape::quantity::{Count, Size, Time};
use crate::shape::section::section;
use crate::shape::text::FilePath;
use crate::shape::{Catalog, Placed, Reader, Shape, Sort};
use crate::yaml::{self, Node};

section! {
    /// A map that modules share. Nothing reaches it without a grant (`grants.maps` of a filter).
    struct MapText = "map" {
        /// What keeps its entries: the gateway's memory, for as long as it runs, or one of `stores`.
        store: Placed<MapStoreText> = Placed::default();
        /// A memory-mapped file for the entries, in place of a store, which native processes share:
        /// [pinned-maps.md](pinned-maps.md). Made if it is not there. A relative path starts at the
        /// folder of the configuration file.
        pin: Option<Placed<FilePath>> = None;
        /// Length of one key of a pinned map at most; each entry has room for it. Left out: 64.
        key_bytes: Option<Placed<Size<1, { limits::KEY_BYTES_MAX as u64 }>>> = None;
        /// Entries at most. Left out: 1048576; 16384 if it is pinned.
        entries: Option<Count<1, { limits::CONFIGURED_ENTRIES_MAX }>> = None;
        /// Bytes at most: keys, values, and 160 bytes for each entry. Left out: 64MiB. A pinned map has
        /// the room of its file.
        bytes: Option<Placed<Size<{ limits::CONFIGURED_BYTES_MIN }, { limits::CONFIGURED_BYTES_MAX }>>>
            = None;
        /// Length of one value at most. Left out: 1MiB; 256 bytes if it is pinned, where each entry has
        /// room for it.
        value_bytes: Option<Placed<Size<1, { limits::CONFIGURED_VALUE_BYTES_MAX }>>> = None;
        /// How long entries live that are written without a time of their own. Left out: they stay.
        ttl: Option<Time<1, { limits::CONFIGURED_TTL_MS_MAX }>> = None;
        /// What a full map does with the next entry: refuses it (`none`), or gives it the place of
        /// one that was not used for long (`lru`).
        eviction: MapEviction = MapEviction::default();
        /// Over how many slots of a cluster it is spread, in Redis: with more than one, some promises
        /// are weaker ([maps-redis.md](maps-redis.md#how-many-slots)). Left out: 1.
        slots: Option<Placed<Count<1, { limits_of_redis::SLOTS_MAX as u64 }>>> = None;
        /// What is kept near of a map in Redis, so that reading it again needs no round trip
        /// ([maps-redis.md](maps-redis.md#near-caches)). Left out: nothing.
        cache: Option<Placed<NearText>> = None;
        /// What its keys and values are: a `.map` file with its types beside it, or a schema that
        /// `weir bindgen --schema` wrote ([typed-maps.md](typed-maps.md#in-the-gateway)). A relative
        /// path starts at the folder of the configuration file. Left out: bytes.
        declaration: Option<Placed<FilePath>> = None;
    }
}

section! {
    /// A near cache: what was read of a map in Redis is read from memory for a while.
    struct NearText = "near cache" {
        /// How long: what others change may be missed for this time.
        ttl: Time<1, { limits::NEAR_TTL_MS_MAX }>;
        /// Entries at most.
        entries: Count<1, { limits::CONFIGURED_ENTRIES_MAX }> = Count(limits::NEAR_ENTRIES);
        /// Bytes at most: keys, values, and 160 bytes for each entry.
        bytes: Size<{ limits::CONFIGURED_BYTES_MIN }, { limits::CONFIGURED_BYTES_MAX }>
            = Size(limits::NEAR_BYTES);
    }
}

section! {
    /// What a filter may do with maps in a second, over all workers: each call costs units. What cannot
    /// be paid is refused as a used-up quota.
    struct MapRateText = "map rate" {
        /// Units that it earns in a second.
        units: Count<1, { limits::UNITS_MAX }>;
        /// Units that it can have at most, after a pause. Left out: those of a second.
        burst: Option<Placed<Count<1, { limits::UNITS_MAX }>>> = None;
        /// Price of a look at an entry or at a map's numbers, of a page of a scan, and of a condition of
        /// a batch.
        read: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of a change of an entry, also within a batch, and of a watch.
        write: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of each entry of a page of a scan.
        entry: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of each kilobyte of values that are read or written, also of one that is only begun.
        kilobyte: Count<0, { limits::PRICE_MAX }> = Count(0);
    }
}

section! {
    /// What one request of a filter, or one call of a function, may do with maps: each call of theirs
    /// costs units. What cannot be paid is refused as a used-up quota.
    struct MapBudgetText = "map budget" {
        /// Units of a request.
        units: Count<1, { limits::UNITS_MAX }>;
        /// Price of a look at an entry or at a map's numbers, of a page of a scan, and of a condition of
        /// a batch.
        read: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of a change of an entry, also within a batch, and of a watch.
        write: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of each entry of a page of a scan.
        entry: Count<0, { limits::PRICE_MAX }> = Count(1);
        /// Price of each kilobyte of values that are read or written, also of one that is only begun.
        kilobyte: Count<0, { limits::PRICE_MAX }> = Count(0);
    }
}

section! {
    /// A map that is granted, in part.
    struct MapGrantText = "map grant" {
        /// What may be done there.
        rights: RightsText;
        /// Entries that it may have there at most: those that it set last, or counters that it began.
        /// Left out: as many as the map has room for. The map is in memory.
        entries: Option<Count<0, { limits::CONFIGURED_ENTRIES_MAX }>> = None;
        /// Bytes of them at most, with 160 for each entry.
        bytes: Option<Size<0, { limits::CONFIGURED_BYTES_MAX }>> = None;
    }
}

/// What may be done with a map: rights, or rights and how much of it.
#[derive(Clone, Debug)]
pub(crate) enum GrantedText {
    Rights(RightsText),
    Part(MapGrantText),
}

impl Shape for GrantedText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            yaml::Value::Mapping(_) => MapGrantText::read(node, reader).map(Self::Part),
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) => {
                RightsText::read(node, reader).map(Self::Rights)
            }
        }
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let (rights, part) = (RightsText::sort(catalog), MapGrantText::sort(catalog));
        let text = format!("{} or {}", rights.text, part.text);
        let schema = json!({ "anyOf": [rights.schema, part.schema] });
        part.wrapped(text, schema)
    }

    fn show(&self) -> Value {
        match self {
            Self::Rights(rights) => rights.show(),
            Self::Part(part) => part.show(),
        }
    }
}

section! {
    /// What the maps that a filter makes itself may hold together, over all workers.
    struct MapQuotaText = "map quota" {
        /// Entries at most.
        entries: Count<0, { limits::CONFIGURED_ENTRIES_MAX }> = Count(limits::QUOTA_ENTRIES);
        /// Bytes at most, with a kilobyte for each map and 160 bytes for each entry.
        bytes: Size<0, { limits::CONFIGURED_BYTES_MAX }> = Size(limits::QUOTA_BYTES);
    }
}

choices! {
    MapEviction: "eviction" { "none" => Self::Refuse, "lru" => Self::Lru }
}

choices! {
    MapRight: "right" {
        "read" => Self::Read,
        "write" => Self::Write,
        "delete" => Self::Delete,
        "list" => Self::List,
        "watch" => Self::Watch,
        "create" => Self::Create,
        "share" => Self::Share,
        "map_read" => Self::MapRead,
        "map_write" => Self::MapWrite,
        "clear" => Self::Clear,
    }
}

/// The word for all rights.
const ALL: &str = "all";

/// Rights as they are written: a list, or `all`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RightsText(pub(crate) MapRights);

impl Shape for RightsText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let items = match &node.value {
            yaml::Value::Scalar(scalar) if scalar.text == ALL => {
                return Some(Self(MapRight::ALL.into_iter().collect()));
            }
            yaml::Value::Sequence(items) if !items.is_empty() => items,
            yaml::Value::Scalar(_) | yaml::Value::Sequence(_) | yaml::Value::Mapping(_) => {
                reader.refuse_kind(node, "all, or a list of rights such as [read, write]");
                return None;
            }
        };
        let mut rights: Vec<MapRight> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            reader.under_index(index, |reader| {
                let Some(right) = MapRight::read(item, reader) else {
                    return;
                };
                if rights.contains(&right) {
                    let what = format!("the right \"{}\" is repeated", shortened(right.name()));
                    reader.refuse(item.at, Refusal::new(what, right.name(), "each right once"));
                }
                rights.push(right);
            });
        }
        Some(Self(rights.into_iter().collect()))
    }

    fn sort(catalog: &mut Catalog) -> Sort {
        let right = MapRight::sort(catalog);
        let list = json!({ "type": "array", "items": right.schema, "minItems": 1 });
        let schema = json!({ "anyOf": [{ "const": ALL }, list] });
        Sort::new(format!("`{ALL}` or list of {}", right.text), schema)
    }

    fn show(&self) -> Value {
        json!(self.0.iter().map(MapRight::name).collect::<Vec<_>>())
    }
}
