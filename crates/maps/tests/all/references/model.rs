//! Instances that make maps, refer to them, hand them around and crash, at random, against a plain
//! model of who holds what.

use std::collections::{BTreeMap, BTreeSet};

use weir_maps::handles::Ends;
use weir_maps::store::Terms;
use weir_maps::tickets::TicketBytes;
use weir_maps::{Handles, MapError, MapId, MapOptions, Rights, Store};

use super::anonymous;
use crate::handles::House;
use crate::suite::Plain;
use crate::suite::random::Dice;

const INSTANCES: usize = 4;
const KEYS: u64 = 4;

/// A handle as the model knows it.
#[derive(Clone)]
struct Known {
    map: MapId,
    /// Loans that must not have ended; none: it owns.
    borrowed: Vec<u64>,
    lent: Vec<(u64, Option<u64>)>,
}

struct Model {
    house: House,
    instances: Vec<Handles>,
    handles: Vec<BTreeMap<u32, Known>>,
    tickets: Vec<(TicketBytes, usize, Known)>,
    /// Which entries refer to which maps.
    edges: BTreeMap<MapId, BTreeMap<u64, MapId>>,
    named: MapId,
    over: BTreeSet<u64>,
    loans: u64,
    dice: Dice,
}

impl Model {
    fn new(seed: u64) -> Self {
        let house = House::new();
        let named = house.engine.find("tenant", "cache").unwrap().map().id();
        let instances: Vec<Handles> = (0..INSTANCES)
            .map(|place| instance(&house, place))
            .collect();
        Self {
            house,
            instances,
            handles: vec![BTreeMap::new(); INSTANCES],
            tickets: Vec::new(),
            edges: BTreeMap::new(),
            named,
            over: BTreeSet::new(),
            loans: 0,
            dice: Dice::new(seed),
        }
    }

    fn pick(&mut self, most: usize) -> usize {
        usize::try_from(self.dice.below(most as u64)).unwrap()
    }

    /// An instance and one of its handles.
    fn some_handle(&mut self) -> Option<(usize, u32, Known)> {
        let place = self.pick(INSTANCES);
        let count = self.handles[place].len();
        if count == 0 {
            return None;
        }
        let nth = self.pick(count);
        let (handle, known) = self.handles[place].iter().nth(nth)?;
        Some((place, *handle, known.clone()))
    }

    fn is_stale(&self, known: &Known) -> bool {
        known.borrowed.iter().any(|loan| self.over.contains(loan))
    }

    fn end(&mut self, known: &Known) {
        self.over.extend(known.lent.iter().map(|(loan, _)| *loan));
    }

    fn step(&mut self) {
        match self.dice.below(24) {
            0..3 => self.create(),
            3 => self.open(),
            4..7 => self.close(),
            7..12 => self.put(),
            12..14 => self.get(),
            14..16 => self.overwrite(),
            16 => self.lend(),
            17 => self.transfer(),
            18..20 => self.accept(),
            20 => self.end_request(),
            21 if self.dice.below(4) == 0 => self.crash(),
            _ => {
                let steps = self.pick(40);
                let _ = self.house.engine.tend(steps);
            }
        }
    }

    fn know(&mut self, place: usize, handle: u32, map: MapId, borrowed: Vec<u64>) {
        let lent = Vec::new();
        self.handles[place].insert(
            handle,
            Known {
                map,
                borrowed,
                lent,
            },
        );
    }

    fn create(&mut self) {
        let place = self.pick(INSTANCES);
        let handle = self.instances[place]
            .create(MapOptions::anonymous())
            .unwrap();
        let map = self.instances[place].id(handle).unwrap();
        assert!(
            self.edges.insert(map, BTreeMap::new()).is_none(),
            "ids are never reused"
        );
        self.know(place, handle, map, vec![]);
    }

    fn open(&mut self) {
        let place = self.pick(INSTANCES);
        let handle = self.instances[place].open(b"cache", Rights::ALL).unwrap();
        self.know(place, handle, self.named, vec![]);
    }

    fn close(&mut self) {
        let Some((place, handle, known)) = self.some_handle() else {
            return;
        };
        self.instances[place].close(handle).unwrap();
        self.handles[place].remove(&handle);
        self.end(&known);
    }

    fn put(&mut self) {
        let Some((place, parent, known)) = self.some_handle() else {
            return;
        };
        let count = self.handles[place].len();
        let nth = self.pick(count);
        let (child, its) = self.handles[place].iter().nth(nth).unwrap();
        let (child, its) = (*child, its.clone());
        let key = self.dice.below(KEYS);
        let put = self.instances[place].put_map(parent, &key.to_le_bytes(), child);
        if self.is_stale(&known) || self.is_stale(&its) {
            assert_eq!(put, Err(MapError::Stale));
        } else if !its.borrowed.is_empty() {
            assert_eq!(put, Err(MapError::NotCapable));
        } else {
            put.unwrap();
            self.edges
                .entry(known.map)
                .or_default()
                .insert(key, its.map);
        }
    }

    fn get(&mut self) {
        let Some((place, parent, known)) = self.some_handle() else {
            return;
        };
        let key = self.dice.below(KEYS);
        let found = self.instances[place].get_map(parent, &key.to_le_bytes());
        if self.is_stale(&known) {
            assert_eq!(found, Err(MapError::Stale));
            return;
        }
        match self
            .edges
            .get(&known.map)
            .and_then(|edges| edges.get(&key))
            .copied()
        {
            None => assert_eq!(found, Err(MapError::NoEntry)),
            Some(child) => {
                let handle = found.unwrap();
                assert_eq!(self.instances[place].id(handle), Ok(child));
                self.know(place, handle, child, vec![]);
            }
        }
    }

    fn overwrite(&mut self) {
        let Some((place, handle, known)) = self.some_handle() else {
            return;
        };
        let key = self.dice.below(KEYS);
        let clear = self.dice.below(8) == 0;
        let Ok(map) = self.instances[place].map(handle, Rights::ALL) else {
            assert!(self.is_stale(&known));
            return;
        };
        if clear {
            map.store().clear().now().unwrap();
            self.edges.remove(&known.map);
        } else {
            map.store().delete(&key.to_le_bytes()).ok();
            map.store()
                .set_on(b"some bytes", b"x", Terms::default())
                .unwrap();
            self.edges.entry(known.map).or_default().remove(&key);
        }
        drop(map);
        self.instances[place].settle();
    }

    fn lend(&mut self) {
        let Some((place, handle, known)) = self.some_handle() else {
            return;
        };
        let to = self.pick(INSTANCES);
        let request = (self.dice.below(2) == 0).then(|| self.dice.below(3));
        let ends = request.map_or(Ends::WithInstance, Ends::WithRequest);
        let lent = self.instances[place].lend(handle, Rights::ALL, (&to.to_string(), ends));
        if self.is_stale(&known) {
            assert_eq!(lent, Err(MapError::Stale));
            return;
        }
        if known.borrowed.len() >= 16 {
            assert!(lent.is_err());
            return;
        }
        self.loans += 1;
        let loan = self.loans;
        self.handles[place]
            .get_mut(&handle)
            .unwrap()
            .lent
            .push((loan, request));
        let mut borrowed = known.borrowed;
        borrowed.push(loan);
        let map = known.map;
        let lent_out = Known {
            map,
            borrowed,
            lent: vec![],
        };
        self.tickets.push((lent.unwrap(), to, lent_out));
    }

    fn transfer(&mut self) {
        let Some((place, handle, known)) = self.some_handle() else {
            return;
        };
        let to = self.pick(INSTANCES);
        let moved = self.instances[place].transfer(handle, &to.to_string());
        if self.is_stale(&known) {
            assert_eq!(moved, Err(MapError::Stale));
            return;
        }
        self.handles[place].remove(&handle);
        self.end(&known);
        let moving = Known {
            lent: vec![],
            ..known
        };
        self.tickets.push((moved.unwrap(), to, moving));
    }

    fn accept(&mut self) {
        if self.tickets.is_empty() {
            return;
        }
        let nth = self.pick(self.tickets.len());
        let by = self.pick(INSTANCES);
        let (ticket, to, known) = self.tickets[nth].clone();
        let accepted = self.instances[by].accept(&ticket);
        if by != to {
            assert_eq!(accepted, Err(MapError::NoEntry));
            return;
        }
        self.tickets.swap_remove(nth);
        if self.is_stale(&known) {
            assert_eq!(accepted, Err(MapError::NoEntry));
        } else {
            self.know(by, accepted.unwrap(), known.map, known.borrowed);
        }
    }

    fn end_request(&mut self) {
        let place = self.pick(INSTANCES);
        let request = self.dice.below(3);
        self.instances[place].end_request(request);
        for known in self.handles[place].values_mut() {
            let ended = known.lent.extract_if(.., |(_, of)| *of == Some(request));
            self.over.extend(ended.map(|(loan, _)| loan));
        }
    }

    /// A trap, a deadline, an eviction: all the same to the engine.
    fn crash(&mut self) {
        let place = self.pick(INSTANCES);
        self.instances[place] = instance(&self.house, place);
        for known in std::mem::take(&mut self.handles[place]).into_values() {
            self.end(&known);
        }
    }

    /// The maps that roots reach.
    fn reachable(&self) -> BTreeSet<MapId> {
        let handles = self.handles.iter().flat_map(BTreeMap::values);
        let tickets = self.tickets.iter().map(|(_, _, known)| known);
        let owned = handles
            .chain(tickets)
            .filter(|known| known.borrowed.is_empty());
        let mut open: Vec<MapId> = owned.map(|known| known.map).collect();
        open.push(self.named);
        let mut reached = BTreeSet::new();
        while let Some(map) = open.pop() {
            if reached.insert(map) {
                open.extend(self.edges.get(&map).into_iter().flat_map(BTreeMap::values));
            }
        }
        reached
    }

    fn compare(&self) {
        let reachable = self.reachable();
        let live = anonymous(&self.house);
        assert!(live >= reachable.len() - 1, "something reachable was freed");
        for map in &reachable {
            assert!(self.house.engine.graph().references(*map) > 0);
        }
        self.house.rest();
        let stat = self.house.engine.stat();
        assert_eq!((stat.anonymous, stat.freeing), (reachable.len() - 1, 0));
    }
}

fn instance(house: &House, place: usize) -> Handles {
    house.instance(&place.to_string(), Rights::ALL)
}

#[test]
fn live_maps_are_those_that_roots_reach() {
    let (seeds, steps) = if cfg!(miri) { (1, 300) } else { (60, 3000) };
    let mut collected = 0;
    for seed in 0..seeds {
        let mut model = Model::new(seed + 1000);
        for step in 0..steps {
            model.step();
            if step % 97 == 0 {
                model.compare();
            }
        }
        model.compare();
        collected += model.house.engine.stat().collected;
        for place in 0..INSTANCES {
            model.instances[place] = instance(&model.house, place);
            model.handles[place].clear();
        }
        model.tickets.clear();
        model
            .house
            .clock
            .advance(weir_model::limits::maps::TICKET_TIME);
        let cache = model.house.engine.find("tenant", "cache").unwrap();
        cache.map().store().clear().now().unwrap();
        drop(cache);
        model.house.rest();
        assert_eq!(anonymous(&model.house), 0, "seed {seed}");
    }
    assert!(
        cfg!(miri) || collected > 100,
        "the collector had work: {collected}"
    );
}
