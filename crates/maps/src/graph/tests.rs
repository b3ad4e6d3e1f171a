//! What can only be seen from inside: the moment between two slices of the collector.

use std::sync::Arc;

use super::*;
use crate::budget::{Account, Amount};
use crate::{Engine, Grants, Handles, Identity, ManualClock, MapOptions};

/// A thread that still works on a map whose lender has ended may look up a reference while the
/// collector sweeps: it must not bring a map back that the sweep is about to condemn.
#[test]
fn the_sweep_is_not_overtaken() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let identity = Identity {
        in_use: "test".into(),
        grants: Arc::new(Grants::default()),
        owner: Arc::new(Account::new(Amount {
            entries: 100,
            bytes: 1 << 20,
        })),
        meter: Arc::default(),
    };
    let mut handles = Handles::new(&engine, identity);
    let [one, two, other] = [0; 3].map(|_| handles.create(MapOptions::anonymous()).unwrap());
    let ids = [one, two].map(|map| handles.id(map).unwrap());
    let other_id = handles.id(other).unwrap();
    handles.put_map(one, b"k", two).unwrap();
    handles.put_map(two, b"k", one).unwrap();
    handles.close(one).unwrap();
    handles.close(two).unwrap();
    let graph = engine.graph();
    while !graph.lock().collector.is_sweeping() {
        assert!(!graph.lock().collect(1), "there is something to do");
    }
    for id in ids {
        assert!(graph.root(id).is_none());
        assert_eq!(graph.link(other_id, id), Err(MapError::Stale));
        assert_eq!(graph.link(id, other_id), Err(MapError::Stale));
    }
    assert!(graph.root(other_id).is_some());
    while graph.tend(1) {}
    assert_eq!(graph.stat().anonymous, 1);
}

#[test]
fn ids_are_never_given_twice() {
    let engine = Engine::new(Arc::new(ManualClock::default()));
    let owner = Arc::new(Account::new(Amount {
        entries: 0,
        bytes: 1 << 30,
    }));
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for round in 0..3000 {
        let root = engine.create(MapOptions::anonymous(), &owner).unwrap();
        assert!(seen.insert(root.map().id()));
        if round % 3 == 0 {
            kept.push(root);
        }
        if round % 10 == 0 {
            kept.pop();
        }
    }
    let known = seen.iter().filter(|id| engine.graph().references(**id) > 0);
    assert_eq!(known.count(), kept.len());
}
