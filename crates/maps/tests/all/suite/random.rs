//! Random operations against a plain ordered map: same answers, same content, same room.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use weir_maps::store::{Condition, Done, Op, Terms};
use weir_maps::{MapError, Value};
use weir_model::limits::maps::ENTRY_BYTES;

use super::{Plain, wait};

/// A generator with a seed, so that a failure can be had again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    value: Vec<u8>,
    version: u64,
    ends: u64,
}

/// What the map must be.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Vec<u8>, Entry>,
    now: u64,
}

impl Model {
    fn live(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| self.now < entry.ends)
    }

    fn version(&self, key: &[u8]) -> u64 {
        self.live(key).map_or(0, |entry| entry.version)
    }

    fn holds(&self, key: &[u8], condition: Condition) -> Result<(), MapError> {
        let current = self.version(key);
        condition
            .holds(current)
            .then_some(())
            .ok_or(MapError::Again { current })
    }

    fn number(&self, key: &[u8]) -> Option<i64> {
        match self.live(key) {
            None => Some(0),
            Some(entry) => Some(i64::from_le_bytes(entry.value.as_slice().try_into().ok()?)),
        }
    }

    fn put(&mut self, key: &[u8], value: &[u8], (version, ends): (u64, u64)) {
        let entry = Entry {
            value: value.to_vec(),
            version,
            ends,
        };
        self.entries.insert(key.to_vec(), entry);
    }

    fn ends(&self, ttl: Option<Duration>) -> u64 {
        ttl.map_or(u64::MAX, |ttl| {
            self.now + u64::try_from(ttl.as_millis()).unwrap()
        })
    }
}

/// One course of operations against a map and what it must be.
pub(crate) struct Run<S> {
    pub(crate) map: S,
    model: Model,
    dice: Dice,
    last_version: u64,
    ends: bool,
}

impl<S: weir_maps::Store> Run<S> {
    /// Against an empty map.
    pub(crate) fn new(map: S, seed: u64) -> Self {
        Self {
            map,
            model: Model::default(),
            dice: Dice::new(seed),
            last_version: 0,
            ends: true,
        }
    }

    /// With entries that stay: for back ends whose clock is not the test's.
    #[allow(dead_code, reason = "not every back end needs it")]
    pub(crate) fn timeless(self) -> Self {
        Self {
            ends: false,
            ..self
        }
    }

    /// With the map as it is after a restart.
    #[allow(dead_code, reason = "not every back end needs it")]
    pub(crate) fn again(self, restart: impl FnOnce(S) -> S) -> Self {
        let map = restart(self.map);
        Self { map, ..self }
    }

    /// So many operations; `pass` lets time pass.
    pub(crate) fn steps(&mut self, steps: usize, pass: impl Fn(Duration)) {
        for step in 0..steps {
            match self.dice.below(20) {
                0..8 => self.set(),
                8..12 => self.add(),
                12..15 => self.delete(),
                15..18 => self.batch(),
                _ => {
                    let time = self.dice.below(10);
                    self.model.now += time;
                    pass(Duration::from_millis(time));
                }
            }
            self.last_version = wait(self.map.stat()).unwrap().version;
            if step % 50 == 0 {
                self.compare();
            }
        }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("key-{}", self.dice.below(60)).into_bytes()
    }

    fn condition(&mut self, key: &[u8]) -> Condition {
        match self.dice.below(6) {
            0 => Condition::Absent,
            1 => Condition::Version(self.dice.below(500)),
            2 => Condition::expected(self.model.version(key)),
            _ => Condition::Always,
        }
    }

    fn value(&mut self) -> Vec<u8> {
        match self.dice.below(3) {
            0 => self.dice.below(1 << 40).to_le_bytes().to_vec(),
            1 => vec![b'v'; usize::try_from(self.dice.below(20)).unwrap()],
            _ => vec![b'w'; usize::try_from(self.dice.below(200)).unwrap()],
        }
    }

    fn terms(&mut self, key: &[u8]) -> Terms {
        let ttl = (self.dice.below(3) == 0).then(|| Duration::from_millis(1 + self.dice.below(50)));
        Terms {
            condition: self.condition(key),
            ttl: ttl.filter(|_| self.ends),
            bytes_max: None,
        }
    }

    fn newer(&mut self, version: u64) -> u64 {
        assert!(version > self.last_version);
        self.last_version = version;
        version
    }

    fn set(&mut self) {
        let (key, value) = (self.key(), self.value());
        let terms = self.terms(&key);
        let stored = self.map.set_on(&key, &value, terms);
        match self.model.holds(&key, terms.condition) {
            Ok(()) => {
                let version = self.newer(stored.unwrap());
                let ends = self.model.ends(terms.ttl);
                self.model.put(&key, &value, (version, ends));
            }
            Err(error) => assert_eq!(stored, Err(error)),
        }
    }

    fn add(&mut self) {
        let key = self.key();
        let delta = i64::try_from(self.dice.below(1000)).unwrap() - 500;
        let counted = self.map.plus(&key, delta);
        let Some(number) = self.model.number(&key) else {
            assert!(matches!(counted, Err(MapError::Invalid(_))));
            return;
        };
        let counted = counted.unwrap();
        assert_eq!(counted.value, number + delta);
        let version = self.newer(counted.version);
        let ends = self.model.live(&key).map_or(u64::MAX, |entry| entry.ends);
        self.model
            .put(&key, &counted.value.to_le_bytes(), (version, ends));
    }

    fn delete(&mut self) {
        let key = self.key();
        let there = self.model.live(&key).is_some();
        let deleted = self.map.delete(&key);
        assert_eq!(
            deleted,
            if there {
                Ok(())
            } else {
                Err(MapError::NoEntry)
            }
        );
        self.model.entries.remove(&key);
    }

    /// A batch of sets and deletions with one condition: the model does the same on a copy.
    fn batch(&mut self) {
        let mut ops = Vec::new();
        let checked = self.key();
        let condition = self.condition(&checked);
        ops.push(Op::Check(checked.clone().into(), condition));
        for _ in 0..self.dice.below(6) {
            let key = Bytes::from(self.key());
            ops.push(if self.dice.below(3) == 0 {
                Op::Delete(key)
            } else {
                Op::Set(key, Value::copy_of(&self.value()), Terms::default())
            });
        }
        let done = self.map.all(&ops);
        if let Err(error) = self.model.holds(&checked, condition) {
            assert_eq!(done, Err(error));
            return;
        }
        for (op, done) in ops.iter().zip(done.unwrap()) {
            match (op, done) {
                (Op::Set(key, value, _), Done::Stored(version)) => {
                    let version = self.newer(version);
                    self.model
                        .put(key, value.bytes().unwrap(), (version, u64::MAX));
                }
                (Op::Delete(key), Done::Deleted(there)) => {
                    assert_eq!(there, self.model.live(key).is_some());
                    self.model.entries.remove(&key[..]);
                }
                (_, done) => assert!(matches!(done, Done::Checked(_))),
            }
        }
        self.last_version = wait(self.map.stat()).unwrap().version;
    }

    /// Everything that lives is there, and nothing else.
    pub(crate) fn compare(&mut self) {
        let live = |(_, entry): &(&Vec<u8>, &Entry)| self.model.now < entry.ends;
        let expected: Vec<_> = self.model.entries.iter().filter(live).collect();
        let keys: Vec<Vec<u8>> = expected.iter().map(|(key, _)| (*key).clone()).collect();
        assert_eq!(self.map.keys(b"", 7), keys);
        for (key, entry) in expected {
            let found = self.map.entry(key).unwrap();
            assert_eq!(found.value.bytes(), Some(&entry.value[..]));
            assert_eq!(found.version, entry.version);
        }
    }

    /// What is counted is what is there, if all that ended was swept.
    pub(crate) fn compare_room(&mut self) {
        let now = self.model.now;
        self.model.entries.retain(|_, entry| now < entry.ends);
        let bytes = |(key, entry): (&Vec<u8>, &Entry)| key.len() + entry.value.len() + ENTRY_BYTES;
        let bytes: usize = self.model.entries.iter().map(bytes).sum();
        let entries = self.model.entries.len() as u64;
        assert_eq!(self.map.used(), (entries, bytes as u64));
    }
}
