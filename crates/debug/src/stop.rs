//! What is seen where a run stops.

use weir_guest::debug::{Frame, Paused, Value, Why};
use weir_model::limits::debug::{CHANGE_BYTES_MAX, CHANGES_MAX, SHOWN_FRAMES_MAX};

use crate::world::HostCall;

/// Bytes that are compared at once.
const BLOCK_BYTES: usize = 4096;
/// Equal bytes between two changes that make them two.
const GAP_BYTES: usize = 8;

/// A machine that stands still.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Instructions that ran before.
    pub number: u64,
    /// Why it stands still.
    pub why: Why,
    /// Calls that are open, the innermost first; at most [`SHOWN_FRAMES_MAX`].
    pub frames: Vec<Frame>,
    /// How many calls are open.
    pub depth: usize,
    /// All globals.
    pub globals: Vec<Value>,
    /// Bytes of each memory.
    pub memories: Vec<u64>,
    /// What the memories have that they did not have at the last stop.
    pub changes: Changes,
    /// Calls of the host since the last stop.
    pub host_calls: Vec<HostCall>,
    /// How many there were before them.
    pub host_calls_before: usize,
}

/// What changed in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In the order of their addresses.
    pub list: Vec<Change>,
    /// How many more there were.
    pub more: usize,
}

/// Bytes that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which memory.
    pub memory: u32,
    /// Where.
    pub address: u64,
    /// How many.
    pub length: usize,
    /// What was there, cut.
    pub before: Vec<u8>,
    /// What is there, cut.
    pub after: Vec<u8>,
}

/// Copies of the memories as they were at the last stop.
#[derive(Default)]
pub(crate) struct Shadow(Vec<Vec<u8>>);

impl Shadow {
    /// What changed since the last time, which is then.
    pub(crate) fn compare(&mut self, machine: &mut dyn Paused) -> Changes {
        let mut changes = Changes::default();
        for index in 0.. {
            let Some(now) = machine.memory(index) else {
                break;
            };
            let place = index as usize;
            match self.0.get_mut(place) {
                None => self.0.push(now.to_vec()),
                Some(then) => {
                    // What was added is zero until somebody writes there.
                    then.resize(now.len(), 0);
                    for (block, (then, now)) in then
                        .chunks_mut(BLOCK_BYTES)
                        .zip(now.chunks(BLOCK_BYTES))
                        .enumerate()
                    {
                        if then != now {
                            changes.add((index, block * BLOCK_BYTES), then, now);
                            then.copy_from_slice(now);
                        }
                    }
                }
            }
        }
        changes
    }

    /// Takes the memories as they are.
    pub(crate) fn take(&mut self, machine: &mut dyn Paused) {
        self.0.clear();
        self.compare(machine);
    }
}

impl Changes {
    fn add(&mut self, (memory, base): (u32, usize), then: &[u8], now: &[u8]) {
        let mut at = 0;
        while let Some(start) = (at..now.len()).find(|byte| then[*byte] != now[*byte]) {
            let mut end = start + 1;
            let mut next = end;
            while next < now.len() && next < end + GAP_BYTES {
                if then[next] != now[next] {
                    end = next + 1;
                }
                next += 1;
            }
            at = end;
            if self.list.len() == CHANGES_MAX {
                self.more += 1;
                continue;
            }
            let told = start..end.min(start + CHANGE_BYTES_MAX);
            self.list.push(Change {
                memory,
                address: (base + start) as u64,
                length: end - start,
                before: then[told.clone()].to_vec(),
                after: now[told].to_vec(),
            });
        }
    }
}

impl Stop {
    pub(crate) fn of(machine: &mut dyn Paused, number: u64, changes: Changes) -> Self {
        let mut memories = Vec::new();
        while let Ok(index) = u32::try_from(memories.len())
            && let Some(memory) = machine.memory(index)
        {
            memories.push(memory.len() as u64);
        }
        Self {
            number,
            why: machine.why().clone(),
            frames: machine.frames(SHOWN_FRAMES_MAX),
            depth: machine.depth(),
            globals: machine.globals(),
            memories,
            changes,
            host_calls: Vec::new(),
            host_calls_before: 0,
        }
    }
}
