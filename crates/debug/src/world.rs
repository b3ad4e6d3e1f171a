//! The world of a module that is run alone, and the log of what modules ask of their host.
//!
//! Invariant: the same module with the same arguments sees the same world each time, so that a run
//! can be repeated.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_guest::{Answer, Call, Reply, Status, Stop, World};
use weir_model::limits;

/// Wall time of a module that is run alone: the first second of the year 2026.
const EPOCH_NS: u64 = 1_767_225_600_000_000_000;
/// What passes between two looks at a clock.
const TICK_NS: u64 = 1_000;

/// A call of a host function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCall {
    /// Module, name and arguments, as the module called it.
    pub function: String,
    /// What it asked the world, if it came so far.
    pub asked: Vec<String>,
}

/// All calls of host functions, in their order. Clones share it.
#[derive(Clone, Default)]
pub struct HostLog(Arc<Mutex<Vec<HostCall>>>);

impl HostLog {
    fn calls(&self) -> MutexGuard<'_, Vec<HostCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls().len()
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls().is_empty()
    }

    /// Those from one on.
    #[must_use]
    pub fn since(&self, first: usize) -> Vec<HostCall> {
        self.calls().get(first..).unwrap_or_default().to_vec()
    }

    /// Notes that a host function is called.
    pub fn begin(&self, function: &str) {
        self.calls().push(HostCall {
            function: cut(function),
            asked: Vec::new(),
        });
    }

    /// Notes what the host function asks, and what is answered.
    pub fn asked(&self, call: &str, reply: &str) {
        let mut calls = self.calls();
        if let Some(last) = calls.last_mut() {
            last.asked.push(cut(&format!("{call} → {reply}")));
        }
    }
}

/// Answers a module that is run alone: its clock ticks, its random bytes are always the same, its log
/// is kept, and there is nothing else.
pub struct Alone {
    log: HostLog,
    looks: u64,
    random: u64,
}

impl Alone {
    /// A world that notes in this log what it is asked.
    #[must_use]
    pub fn new(log: HostLog) -> Self {
        Self {
            log,
            looks: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn answer(&mut self, call: &Call<'_>) -> Reply {
        match call {
            Call::Log { .. } => Reply::Done,
            Call::LogLevel => Reply::Number(0),
            Call::Resolution(_) => Reply::Number(TICK_NS),
            Call::Now(_) => {
                self.looks += 1;
                Reply::Number(EPOCH_NS + self.looks * TICK_NS)
            }
            Call::Random { length } => {
                let bytes = (0..*length).map(|_| self.random_byte());
                Reply::Bytes(bytes.collect())
            }
            Call::Environment => Reply::Bytes(weir_guest::pairs::encode(std::iter::empty())),
            _ => Reply::Refused(Status::Unimplemented),
        }
    }

    /// Marsaglia's xorshift.
    fn random_byte(&mut self) -> u8 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.to_le_bytes()[3]
    }
}

impl World for Alone {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        if let Call::Touched { function } = call {
            self.log.begin(function);
            return Ok(Reply::Done.into());
        }
        let reply = self.answer(&call);
        self.log.asked(&readable(&call), &readable(&reply));
        Ok(reply.into())
    }
}

/// What a call or a reply says, with its bytes as text.
#[must_use]
pub fn readable(what: &impl std::fmt::Debug) -> String {
    let plain = format!("{what:?}");
    let mut told = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some((before, behind)) = rest.split_once('[') {
        told.push_str(before);
        let list = behind.split_once(']');
        let bytes = list.and_then(|(list, _)| {
            let numbers = list.split(", ").filter(|number| !number.is_empty());
            numbers
                .map(|number| number.parse().ok())
                .collect::<Option<Vec<u8>>>()
        });
        if let (Some(bytes), Some((_, behind))) = (bytes, list) {
            told.extend(["\"", &bytes.escape_ascii().to_string(), "\""]);
            rest = behind;
        } else {
            told.push('[');
            rest = behind;
        }
    }
    told.push_str(rest);
    told
}

fn cut(text: &str) -> String {
    if text.chars().count() <= limits::debug::HOST_CALL_CHARS_MAX {
        return text.to_owned();
    }
    let begin = text.chars().take(limits::debug::HOST_CALL_CHARS_MAX);
    begin.chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_as_text() {
        let call = Call::SetProperty {
            path: b"a\0b",
            value: &[],
        };
        assert_eq!(
            readable(&call),
            r#"SetProperty { path: "a\x00b", value: "" }"#
        );
    }
}
