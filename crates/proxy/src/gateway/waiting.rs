//! Which filters may have to wait for their maps, and what maps elsewhere cannot do for them.

use std::collections::BTreeMap;

use weir_model::{Isolation, MapStore, Name, Site};

use super::PrepareError;

/// The filters that may have to wait: those with maps in stores that answer later.
pub(super) fn waiting(site: &Site) -> BTreeMap<Name, Name> {
    let answers_later = |map: &&Name| {
        let map = site.maps.get(&***map);
        map.is_some_and(|map| !map.store.answers_at_once())
    };
    let waiting = site.filters.iter().filter_map(|(name, filter)| {
        let map = filter.grants.maps.maps.keys().find(answers_later)?;
        Some((name.clone(), map.clone()))
    });
    waiting.collect()
}

/// Refuses grants of a part of a map whose entries nobody tells apart.
pub(super) fn parts_are_in_memory(site: &Site) -> Result<(), PrepareError> {
    let filters = site.filters.iter();
    let filters = filters.map(|(name, filter)| ("filters", name, &filter.grants.maps));
    let functions = site.functions.iter();
    let functions = functions.map(|(name, function)| ("functions", name, &function.grants.maps));
    for (section, name, granted) in filters.chain(functions) {
        let elsewhere = |map: &&Name| {
            let map = site.maps.get(&***map);
            map.is_some_and(|map| map.store != MapStore::Memory)
        };
        if let Some(map) = granted.rooms.keys().find(elsewhere) {
            return Err(PrepareError::Part {
                section,
                name: name.clone(),
                map: map.clone(),
            });
        }
    }
    Ok(())
}

/// Refuses filters that may have to wait where that is impossible.
pub(super) fn can_wait(site: &Site, waiting: &BTreeMap<Name, Name>) -> Result<(), PrepareError> {
    for (name, map) in waiting {
        let isolation = site.filters.get(name).map(|filter| filter.isolation);
        let mut network = site
            .listeners
            .iter()
            .filter_map(|listener| listener.tcp.as_ref());
        let (place, advice) = if let Some(Isolation::Process(_)) = isolation {
            (
                "a process of its own",
                "use isolation: request, or a map in memory",
            )
        } else if network.any(|tcp| tcp.filters.iter().any(|used| used.filter == *name)) {
            ("a network filter", "use a map in memory")
        } else {
            continue;
        };
        return Err(PrepareError::CannotWait {
            filter: name.clone(),
            map: map.clone(),
            place,
            advice,
        });
    }
    Ok(())
}
