//! Maps and grants of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weir_model::{MapEviction, MapGrants, MapQuota, MapStore, Name, SharedMap, Store};

use crate::file::{MapQuotaText, MapStoreText, MapText, RightsText};
use crate::lower::refused_file;
use crate::problem::{Refusal, alternatives, nearest};
use crate::shape::named::{Maps, Pairs, Referred};
use crate::shape::text::{FilePath, NameText};
use crate::shape::{Placed, Reader};

/// What names of maps with shared data and queues of plugins begin with.
const SHARED_DATA: &str = "proxy-wasm.";

pub(super) fn lowered_map(
    (name, map): (&Name, &MapText),
    (stores, folder): (&BTreeMap<Name, Store>, &Path),
    reader: &mut Reader<'_>,
) -> SharedMap {
    let store = match &map.store.value {
        MapStoreText::Memory => MapStore::Memory,
        MapStoreText::Named(name) => MapStore::Named(name.clone()),
    };
    if name.starts_with(SHARED_DATA) && !store.answers_at_once() {
        let what = format!("\"{name}\" is shared data of plugins, which cannot wait for a store");
        let refusal = Refusal::new(what, "", "store: memory, or another name for the map");
        reader.refuse_at(&map.store.place, refusal);
    }
    let kept = match &store {
        MapStore::Memory => Some(None),
        // One that is not there was reported.
        MapStore::Named(name) => stores.get(name).map(Some),
    };
    if let Some(kept) = kept {
        check_against(map, kept, reader);
    }
    let declaration = map.declaration.as_ref();
    let declaration = declaration.map(|file| declared(file, folder, reader));
    SharedMap {
        store,
        entries_max: map.entries.0,
        bytes_max: map.bytes.0,
        value_bytes_max: map.value_bytes.length(),
        ttl: map.ttl.map(|ttl| ttl.0),
        eviction: map.eviction,
        slots: map.slots.as_ref().map_or(1, |slots| slots.value.to()),
        declaration,
    }
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
    let Some(slots) = &map.slots else { return };
    if !is_redis {
        let what = "only maps in Redis have slots";
        let expected = "the key left out, or a store that is redis";
        reader.refuse_at(&slots.place, Refusal::new(what, "", expected));
    } else if slots.value.0 > map.entries.0 {
        let what = format!("{} slots for {} entries", slots.value.0, map.entries.0);
        let expected = "at least one entry for each slot";
        reader.refuse_at(&slots.place, Refusal::new(what, "", expected));
    }
}

/// The parts of `grants` that are about maps.
pub(super) struct Granted {
    pub(super) maps: Pairs<Referred<Maps>, RightsText>,
    pub(super) default: Option<Placed<NameText>>,
    pub(super) quota: Option<MapQuotaText>,
}

impl Granted {
    pub(super) fn lowered(self, reader: &mut Reader<'_>) -> MapGrants {
        let pairs = self.maps.0.into_iter();
        let maps = pairs.map(|(map, RightsText(rights))| (map.name, rights));
        let mut granted = MapGrants {
            maps: maps.collect(),
            default: None,
            quota: self.quota.map_or_else(MapQuota::default, |quota| MapQuota {
                entries: quota.entries.0,
                bytes: quota.bytes.0,
            }),
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
