//! Threads that make, link, hand around and drop maps, while another one does the housekeeping:
//! whatever they did to each other, nothing is left and nothing is owed in the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use weir_maps::budget::{Account, Amount};
use weir_maps::handles::Ends;
use weir_maps::tickets::TicketBytes;
use weir_maps::{Eviction, Grants, Handles, Identity, MapOptions, Rights, Store};
use weir_model::limits::maps as limits;

use super::anonymous;
use crate::handles::House;
use crate::suite::Plain;
use crate::suite::random::Dice;

const THREADS: usize = 4;
const STEPS: usize = if cfg!(miri) { 200 } else { 20_000 };

struct Worker<'a> {
    handles: Handles,
    known: Vec<u32>,
    dice: Dice,
    tickets: &'a Mutex<Vec<TicketBytes>>,
}

impl Worker<'_> {
    fn some(&mut self) -> Option<u32> {
        let most = self.known.len() as u64;
        let nth = if most == 0 {
            return None;
        } else {
            self.dice.below(most)
        };
        self.known.get(usize::try_from(nth).unwrap()).copied()
    }

    /// Whatever is refused is refused: what counts is what is left.
    fn step(&mut self) -> Option<()> {
        let key = self.dice.below(3).to_le_bytes();
        match self.dice.below(12) {
            0 | 1 => self
                .known
                .push(self.handles.create(MapOptions::anonymous()).ok()?),
            2 => self
                .known
                .push(self.handles.open(b"cache", Rights::ALL).ok()?),
            3..6 => {
                let (parent, child) = (self.some()?, self.some()?);
                self.handles.put_map(parent, &key, child).ok()?;
            }
            6 => {
                let parent = self.some()?;
                self.known.push(self.handles.get_map(parent, &key).ok()?);
            }
            7 | 8 => {
                let closed = self.some()?;
                self.known.retain(|handle| *handle != closed);
                self.handles.close(closed).ok()?;
            }
            9 => {
                let given = self.some()?;
                let ticket = if self.dice.below(2) == 0 {
                    self.handles
                        .lend(given, Rights::ALL, ("filter", Ends::WithInstance))
                } else {
                    self.known.retain(|handle| *handle != given);
                    self.handles.transfer(given, "filter")
                };
                self.tickets.lock().unwrap().push(ticket.ok()?);
            }
            10 => {
                let ticket = self.tickets.lock().unwrap().pop()?;
                self.known.push(self.handles.accept(&ticket).ok()?);
            }
            _ => {
                let map = self.some()?;
                let map = self.handles.map(map, Rights::ALL).ok()?;
                match self.dice.below(3) {
                    0 => drop(map.store().clear().now()),
                    1 => drop(map.store().delete(&key)),
                    _ => drop(map.store().plus(&key, 1)),
                }
            }
        }
        Some(())
    }
}

#[test]
fn threads_that_share_maps_leave_nothing() {
    let house = House::new();
    let owner = Arc::new(Account::new(Amount {
        entries: u64::MAX,
        bytes: u64::MAX,
    }));
    house.engine.undefine("tenant", "cache");
    // Full all the time, so that entries with references give way to others.
    let small = MapOptions {
        entries_max: 2,
        eviction: Eviction::Lru,
        ..MapOptions::default()
    };
    house
        .engine
        .define("tenant", "cache", (small, &owner))
        .unwrap();
    let tickets = Mutex::new(Vec::new());
    let running = AtomicUsize::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let identity = Identity {
                in_use: "filter".into(),
                grants: Arc::new(Grants::of("tenant").with("cache", Rights::ALL)),
                owner: Arc::clone(&owner),
                meter: Arc::default(),
            };
            let (engine, tickets, running) = (&house.engine, &tickets, &running);
            scope.spawn(move || {
                for life in 0..10 {
                    let mut worker = Worker {
                        handles: Handles::new(engine, identity.clone()),
                        known: Vec::new(),
                        dice: Dice::new((thread * 100 + life) as u64),
                        tickets,
                    };
                    for _ in 0..STEPS / 10 {
                        worker.step();
                    }
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            while running.load(Ordering::SeqCst) > 0 {
                let _ = house.engine.tend(200);
            }
        });
    });
    house.clock.advance(limits::TICKET_TIME);
    house.engine.undefine("tenant", "cache");
    house.rest();
    let stat = house.engine.stat();
    assert_eq!((anonymous(&house), stat.freeing), (0, 0));
    assert_eq!(owner.used(), Amount::default());
}
