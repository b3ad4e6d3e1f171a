//! A world made of tables and closures.
//!
//! Rules are asked first, in the order in which they were given; what no rule answers is answered
//! from a small Proxy-Wasm host in memory. Nothing reaches outside: the clock stands still unless
//! the test moves it, and random bytes are the same in every run.

mod memory;

use bytes::Bytes;
use weir_guest::door::{Answer, BufferKind, Call, Event, LogLevel, MapKind, Stop, World};
use weir_guest::pairs;

use crate::asked;
use memory::Memory;

type Rule = Box<dyn FnMut(&Call<'_>) -> Option<Result<Answer, Stop>>>;

/// A scripted world.
#[derive(Default)]
pub struct Script {
    rules: Vec<Rule>,
    memory: Memory,
    /// The text of every call so far ([`asked::text`]).
    pub heard: Vec<String>,
    /// Every event so far.
    pub events: Vec<Event>,
    withheld: Vec<String>,
}

impl Script {
    /// A world with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule: it answers a call, or leaves it to the next one.
    #[must_use]
    pub fn on(
        mut self,
        rule: impl FnMut(&Call<'_>) -> Option<Result<Answer, Stop>> + 'static,
    ) -> Self {
        self.rules.push(Box::new(rule));
        self
    }

    /// Fills a header map. A map that was never filled is not there.
    #[must_use]
    pub fn headers(mut self, map: MapKind, entries: &[(&str, &str)]) -> Self {
        let owned = |text: &str| Bytes::copy_from_slice(text.as_bytes());
        let entries = entries
            .iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect();
        self.memory.maps.insert(map as u8, entries);
        self
    }

    /// Fills a buffer. A buffer that was never filled is not there.
    #[must_use]
    pub fn buffer(mut self, kind: BufferKind, bytes: impl AsRef<[u8]>) -> Self {
        self.memory
            .buffers
            .insert(kind as u8, bytes.as_ref().to_vec());
        self
    }

    /// Sets a property; the parts of the path are separated by dots.
    #[must_use]
    pub fn property(mut self, path: &str, value: impl AsRef<[u8]>) -> Self {
        let path = path.replace('.', "\0").into_bytes();
        self.memory.properties.insert(path, value.as_ref().to_vec());
        self
    }

    /// Grants an environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.memory
            .environment
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Withholds a host function or callback.
    #[must_use]
    pub fn withhold(mut self, name: &str) -> Self {
        self.withheld.push(name.to_owned());
        self
    }

    /// Sets the lowest level that is written; 6: none.
    #[must_use]
    pub fn log_level(mut self, level: u64) -> Self {
        self.memory.log_level = level;
        self
    }

    /// Sets both clocks.
    pub fn set_clock(&mut self, nanos: u64) {
        self.memory.nanos = nanos;
    }

    /// Lets both clocks go on by this much at every reading.
    #[must_use]
    pub fn ticking(mut self, nanos: u64) -> Self {
        self.memory.nanos_per_reading = nanos;
        self
    }

    /// Every log line so far; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn logs(&self) -> Vec<(LogLevel, String)> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        self.memory
            .logs
            .iter()
            .map(|(level, line)| (*level, text(line)))
            .collect()
    }

    /// The entries of a header map.
    #[must_use]
    pub fn entries(&self, map: MapKind) -> Vec<(String, String)> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        let entries = self.memory.maps.get(&(map as u8));
        entries
            .into_iter()
            .flatten()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    /// The bytes of a buffer.
    #[must_use]
    pub fn bytes(&self, kind: BufferKind) -> &[u8] {
        self.memory
            .buffers
            .get(&(kind as u8))
            .map_or(&[], Vec::as_slice)
    }
}

impl World for Script {
    fn enter(&mut self, event: &Event) {
        self.events.push(*event);
    }

    fn allows(&self, name: &str) -> bool {
        !self.withheld.iter().any(|withheld| withheld == name)
    }

    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        self.heard.push(asked::text(&call));
        match self.rules.iter_mut().find_map(|rule| rule(&call)) {
            Some(answer) => answer,
            None => Ok(self.memory.answer(&call).into()),
        }
    }
}

/// Pairs in the byte form of the ABI.
#[must_use]
pub fn encoded(entries: &[(&str, &str)]) -> Bytes {
    pairs::encode(
        entries
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
    )
}
