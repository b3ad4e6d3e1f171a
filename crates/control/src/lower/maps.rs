//! Maps and grants of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weir_model::limits::maps as limits;
use weir_model::{
    MapBudget, MapEviction, MapGrants, MapQuota, MapRate, MapStore, Name, NearMap, PinnedFile,
    SharedMap, Store,
};

use crate::file::{
    GrantedText, MapBudgetText, MapQuotaText, MapRateText, MapStoreText, MapText, RightsText,
};
use crate::lower::refused_file;
use crate::problem::{Refusal, alternatives, nearest};
use crate::shape::named::{Maps, Pairs, Referred};
use crate::shape::text::{FilePath, NameText};
use crate::shape::{Place, Placed, Reader};

/// What names of maps with shared data and queues of plugins begin with.
const SHARED_DATA: &str = "proxy-wasm.";

/// What the maps of a configuration are checked against.
pub(super) struct Around<'a> {
    pub(super) stores: &'a BTreeMap<Name, Store>,
    /// Of the configuration file.
    pub(super) folder: &'a Path,
    /// Files of the pinned maps before this one.
    pub(super) pinned: BTreeMap<PathBuf, Name>,
}

pub(super) fn lowered_map(
    (name, map): (&Name, &MapText),
    around: &mut Around<'_>,
    reader: &mut Reader<'_>,
) -> SharedMap {
    let declaration = map.declaration.as_ref();
    let declaration = declaration.map(|file| declared(file, around.folder, reader));
    if let Some(pin) = &map.pin {
        let pinned = lowered_pinned((name, map, pin), around, reader);
        return SharedMap {
            declaration,
            ..pinned
        };
    }
    let store = match &map.store.value {
        MapStoreText::Memory => MapStore::Memory,
        MapStoreText::Named(name) => MapStore::Named(name.clone()),
    };
    if let Some(key_bytes) = &map.key_bytes {
        let expected = "pin: PATH, or the key left out";
        refuse(
            &key_bytes.place,
            "only pinned maps have room for keys of one length",
            expected,
            reader,
        );
    }
    if name.starts_with(SHARED_DATA) && !store.answers_at_once() {
        let what = format!("\"{name}\" is shared data of plugins, which cannot wait for a store");
        let refusal = Refusal::new(what, "", "store: memory, or another name for the map");
        reader.refuse_at(&map.store.place, refusal);
    }
    let kept = match &store {
        MapStore::Memory | MapStore::Pinned(_) => Some(None),
        // One that is not there was reported.
        MapStore::Named(name) => around.stores.get(name).map(Some),
    };
    if let Some(kept) = kept {
        check_against(map, kept, reader);
    }
    SharedMap {
        store,
        entries_max: entries(map),
        bytes_max: map
            .bytes
            .as_ref()
            .map_or(limits::BYTES, |bytes| bytes.value.0),
        value_bytes_max: map
            .value_bytes
            .as_ref()
            .map_or(limits::VALUE_BYTES, |bytes| bytes.value.length()),
        ttl: map.ttl.map(|ttl| ttl.0),
        eviction: map.eviction,
        slots: map.slots.as_ref().map_or(1, |slots| slots.value.to()),
        cache: map.cache.as_ref().map(|cache| NearMap {
            ttl: cache.value.ttl.0,
            entries_max: cache.value.entries.0,
            bytes_max: cache.value.bytes.0,
        }),
        declaration,
    }
}

fn entries(map: &MapText) -> u64 {
    map.entries
        .as_ref()
        .map_or(limits::ENTRIES, |entries| entries.0)
}

/// A map in a file that others share; its declaration is the caller's matter.
fn lowered_pinned(
    (name, map, pin): (&Name, &MapText, &Placed<FilePath>),
    around: &mut Around<'_>,
    reader: &mut Reader<'_>,
) -> SharedMap {
    let FilePath(written) = &pin.value;
    let path = around.folder.join(written);
    if path.is_dir() {
        let what = format!("\"{}\" is a folder", written.display());
        refuse(
            &pin.place,
            &what,
            "a file, or a path at which one can be made",
            reader,
        );
    }
    if let Some(other) = around.pinned.insert(path.clone(), name.clone()) {
        let what = format!(
            "\"{}\" is the file of map \"{other}\" already",
            written.display()
        );
        refuse(&pin.place, &what, "a file for each map", reader);
    }
    check_pinned((name, map, pin), reader);
    let value_bytes = map.value_bytes.as_ref();
    let key_bytes = map.key_bytes.as_ref();
    let entries_max = map.entries.as_ref();
    SharedMap {
        store: MapStore::Pinned(PinnedFile {
            path,
            key_bytes: key_bytes.map_or(limits::PINNED_KEY_BYTES, |bytes| bytes.value.0),
        }),
        entries_max: entries_max.map_or(limits::PINNED_ENTRIES, |entries| entries.0),
        bytes_max: u64::MAX,
        value_bytes_max: usize::try_from(
            value_bytes.map_or(limits::PINNED_VALUE_BYTES, |bytes| bytes.value.0),
        )
        .unwrap_or(usize::MAX),
        ttl: map.ttl.map(|ttl| ttl.0),
        eviction: MapEviction::Refuse,
        slots: 1,
        cache: None,
        declaration: None,
    }
}

/// What a file cannot do, and what makes no sense of one.
fn check_pinned((name, map, pin): (&Name, &MapText, &Placed<FilePath>), reader: &mut Reader<'_>) {
    if let MapStoreText::Named(store) = &map.store.value {
        let what = format!("a pinned map is in its file, and not in store \"{store}\"");
        refuse(&map.store.place, &what, "one of store and pin", reader);
    }
    if let Some(bytes) = &map.bytes {
        let expected = "entries, key_bytes and value_bytes, which make the file";
        refuse(
            &bytes.place,
            "a pinned map has the room of its file",
            expected,
            reader,
        );
    }
    if map.eviction == MapEviction::Lru {
        refuse(
            &pin.place,
            "pinned maps cannot evict entries",
            "eviction: none",
            reader,
        );
    }
    if let Some(slots) = &map.slots {
        let expected = "the key left out, or a store that is redis";
        refuse(
            &slots.place,
            "only maps in Redis have slots",
            expected,
            reader,
        );
    }
    if let Some(cache) = &map.cache {
        refuse(
            &cache.place,
            NO_CACHE,
            "the key left out, or a store that is redis",
            reader,
        );
    }
    if name.starts_with(SHARED_DATA) {
        let what = format!("\"{name}\" is shared data of plugins, which need a map in memory");
        refuse(
            &pin.place,
            &what,
            "store: memory, or another name for the map",
            reader,
        );
    }
    let value_bytes = map.value_bytes.as_ref();
    if let Some(bytes) = value_bytes.filter(|it| it.value.0 > limits::PINNED_VALUE_BYTES_MAX) {
        let what = "values of a pinned map have at most 16 MiB";
        refuse(&bytes.place, what, "at most 16MiB", reader);
    }
}

fn refuse(place: &Place, what: &str, expected: &str, reader: &mut Reader<'_>) {
    reader.refuse_at(place, Refusal::new(what, "", expected));
}

/// The file of a declaration, which has to be there.
fn declared(text: &Placed<FilePath>, folder: &Path, reader: &mut Reader<'_>) -> PathBuf {
    let FilePath(written) = &text.value;
    let file = folder.join(written);
    let kind = file.extension().and_then(|kind| kind.to_str());
    if !matches!(kind, Some("map" | "json")) {
        let written = written.display().to_string();
        let what = format!("\"{written}\" is no declaration by its name");
        let expected = "a name that ends in .map, or in .json for a schema";
        reader.refuse_at(&text.place, Refusal::new(what, &written, expected));
    } else if let Some(refusal) = refused_file(&file, written, "a declaration of maps") {
        reader.refuse_at(&text.place, refusal);
    }
    file
}

/// What a map's store cannot do. `None`: memory.
fn check_against(map: &MapText, store: Option<&Store>, reader: &mut Reader<'_>) {
    let is_redis = matches!(store, Some(Store::Redis(_)));
    if is_redis && map.eviction == MapEviction::Lru {
        let what = "maps in Redis cannot evict entries";
        let expected = "eviction: none, or a store that is durable, ssd_backed or memory";
        reader.refuse_at(&map.store.place, Refusal::new(what, "", expected));
    }
    if let Some(cache) = map.cache.as_ref().filter(|_| !is_redis) {
        refuse(
            &cache.place,
            NO_CACHE,
            "the key left out, or a store that is redis",
            reader,
        );
    }
    let Some(slots) = &map.slots else { return };
    if !is_redis {
        let what = "only maps in Redis have slots";
        let expected = "the key left out, or a store that is redis";
        reader.refuse_at(&slots.place, Refusal::new(what, "", expected));
    } else if slots.value.0 > entries(map) {
        let what = format!("{} slots for {} entries", slots.value.0, entries(map));
        let expected = "at least one entry for each slot";
        reader.refuse_at(&slots.place, Refusal::new(what, "", expected));
    }
}

/// Of maps that are on this machine.
const NO_CACHE: &str = "only maps in Redis have near caches";

/// The parts of `grants` that are about maps.
pub(super) struct Granted {
    pub(super) maps: Pairs<Referred<Maps>, GrantedText>,
    pub(super) default: Option<Placed<NameText>>,
    pub(super) quota: Option<MapQuotaText>,
    pub(super) rate: Option<MapRateText>,
    pub(super) budget: Option<MapBudgetText>,
}

impl Granted {
    pub(super) fn lowered(self, reader: &mut Reader<'_>) -> MapGrants {
        let (mut maps, mut rooms) = (BTreeMap::new(), BTreeMap::new());
        for (map, granted) in self.maps.0 {
            let RightsText(rights) = match granted {
                GrantedText::Rights(rights) => rights,
                GrantedText::Part(part) => {
                    if part.entries.is_some() || part.bytes.is_some() {
                        let room = MapQuota {
                            entries: part.entries.map_or(u64::MAX, |entries| entries.0),
                            bytes: part.bytes.map_or(u64::MAX, |bytes| bytes.0),
                        };
                        rooms.insert(map.name.clone(), room);
                    }
                    part.rights
                }
            };
            maps.insert(map.name, rights);
        }
        let mut granted = MapGrants {
            maps,
            rooms,
            budget: self.budget.as_ref().map(lowered_budget),
            default: None,
            quota: self.quota.map_or_else(MapQuota::default, |quota| MapQuota {
                entries: quota.entries.0,
                bytes: quota.bytes.0,
            }),
            rate: self.rate.map(|rate| lowered_rate(&rate, reader)),
        };
        if let Some(Placed { value, place }) = self.default {
            let NameText(name) = value;
            if !granted.maps.contains_key(&name) {
                let known: Vec<&str> = granted.maps.keys().map(|name| &**name).collect();
                let what = format!("the default map \"{name}\" is not granted");
                let expected = match known.as_slice() {
                    [] => "a map that is granted under maps, which has none".to_owned(),
                    known => format!("a granted map: {}", alternatives(known.iter().copied())),
                };
                let suggestion = nearest(&name, known.iter().copied());
                let refusal = Refusal::new(what, &name, expected).suggest(suggestion);
                reader.refuse_at(&place, refusal);
            }
            granted.default = Some(name);
        }
        granted
    }
}

fn lowered_budget(budget: &MapBudgetText) -> MapBudget {
    MapBudget {
        units: budget.units.0,
        read: budget.read.0,
        write: budget.write.0,
        entry: budget.entry.0,
        kilobyte: budget.kilobyte.0,
    }
}

fn lowered_rate(rate: &MapRateText, reader: &mut Reader<'_>) -> MapRate {
    let burst = rate
        .burst
        .as_ref()
        .map_or(rate.units.0, |burst| burst.value.0);
    let dearest = rate.read.0.max(rate.write.0);
    if let Some(placed) = rate.burst.as_ref().filter(|_| burst < dearest) {
        let what = format!("a burst of {burst} units never pays a call of {dearest}");
        let expected = format!("at least {dearest}");
        refuse(&placed.place, &what, &expected, reader);
    }
    MapRate {
        units: rate.units.0,
        burst: burst.max(dearest),
        read: rate.read.0,
        write: rate.write.0,
        entry: rate.entry.0,
        kilobyte: rate.kilobyte.0,
    }
}
