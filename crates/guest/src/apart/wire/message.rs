//! The messages themselves. The gateway speaks first and last: to everything that it asks, the
//! plugin's process answers with any number of calls, each of which waits for its reply, and one
//! result. Only `End` and `Forget` have no answer.

use std::time::Duration;

use weir_model::{Dialect, Exceeded, GuestLimits, Limit, limits};

use super::{Violation, choices, cut, record};
use crate::abi::AbiVersion;
use crate::apart::parcel::{Beginning, Manifest};
use crate::apart::walls::{Refuge, Report, Wall};
use crate::door::{Call, Cause, Event, Failure, Frame, Reply, Source, Stop, Trace};
use crate::engine::EngineKind;
use crate::prepare::Facts;
use crate::snapshot::Reset;

/// What the gateway sends.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is sent once; the others are made for each event"
)]
pub enum ToPlugin {
    /// What to run, and behind which walls. The program's files come beside it as descriptors.
    Hello(Hello),
    /// Make a VM and run its start functions.
    Start {
        /// Its number.
        vm: u32,
        /// What its world says of it.
        rules: Rules,
    },
    /// Deliver an event to a VM.
    Deliver {
        /// Its number.
        vm: u32,
        /// What happens.
        event: Event,
        /// Running time that it may take.
        limit: Duration,
    },
    /// The answer to a call.
    Reply(Reply),
    /// The answer to a call: the guest may not go on.
    Stop,
    /// A VM is not needed any more.
    End {
        /// Its number.
        vm: u32,
    },
    /// Keep the state of a VM that is idle.
    Snapshot {
        /// Its number.
        vm: u32,
        /// The number of its snapshot, a new one.
        snapshot: u32,
    },
    /// Make a VM in the state of a snapshot.
    StartFrom {
        /// Its number.
        vm: u32,
        /// The snapshot's.
        snapshot: u32,
        /// What its world says of it.
        rules: Rules,
    },
    /// Put a VM into the state of a snapshot.
    Reset {
        /// Its number.
        vm: u32,
        /// The snapshot's.
        snapshot: u32,
    },
    /// A snapshot is not needed any more.
    Forget {
        /// Its number.
        snapshot: u32,
    },
}

/// What a world says of its guest before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Functions and callbacks that it may not have.
    pub withheld: Vec<String>,
    /// Whether each call of a host function is to be told.
    pub watches: bool,
    /// Whether it has files.
    pub has_files: bool,
}

/// How a plugin's process begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// The program behind the files that come beside it.
    pub program: Manifest,
    /// What each VM may use.
    pub limits: GuestLimits,
    /// Where it is to be kept.
    pub refuge: Refuge,
}

/// What a plugin's process sends.
#[derive(Clone, Debug, PartialEq)]
pub enum FromPlugin<'b> {
    /// It is behind its walls, and the code is loaded.
    Ready {
        /// What each wall became.
        walls: Vec<Report>,
    },
    /// It cannot run the plugin.
    Unable {
        /// Why.
        reason: &'b str,
    },
    /// The guest asks something.
    Call(Call<'b>),
    /// The VM is there.
    Started {
        /// Which events it has callbacks for: a bit for each number of the table of events.
        hears: u32,
        /// Bytes of its linear memories.
        memory_bytes: u64,
    },
    /// The VM cannot be made.
    NotStarted {
        /// The start function that failed; empty: the module cannot be instantiated.
        export: &'b str,
        /// How.
        ending: Ending<'b>,
        /// Where.
        trace: Trace,
    },
    /// The guest returned from the event.
    Returned {
        /// The callback's result.
        result: i32,
        /// Bytes of its linear memories.
        memory_bytes: u64,
    },
    /// The guest failed in the event.
    Failed {
        /// How.
        ending: Ending<'b>,
        /// Where.
        trace: Trace,
    },
    /// The state is kept.
    Kept,
    /// The state cannot be kept.
    NotKept {
        /// Why.
        reason: &'b str,
    },
    /// What came of a reset.
    WasReset(Reset),
    /// The guest has hit a limit that does not end it. This has no answer.
    Exceeded(Exceeded),
    /// A VM's memories and tables are to be so many bytes together. The answer is a reply: done, or
    /// refused.
    Memory(u64),
}

/// A [`Cause`] as the plugin's process tells it. Why the world stopped a guest is not told: the
/// world is on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'b> {
    /// As [`Cause::Trap`].
    Trap(&'b str),
    /// As [`Cause::Stack`].
    Stack(u64),
    /// As [`Cause::Memory`].
    Memory {
        /// The trap.
        reason: &'b str,
        /// What refused it.
        limit: Exceeded,
    },
    /// As [`Cause::Deadline`].
    Deadline(Duration),
    /// As [`Cause::Stopped`].
    Stopped,
    /// As [`Cause::Allocator`].
    Allocator(&'b str),
    /// As [`Cause::Gone`].
    Gone,
    /// As [`StartError::TooLarge`](crate::StartError::TooLarge).
    TooLarge(Exceeded),
}

choices!(impl[] ToPlugin, "there is no such message" {
    0 Hello(hello);
    1 Start { vm, rules };
    2 Deliver { vm, event, limit };
    3 Reply(reply);
    4 Stop;
    5 End { vm };
    6 Snapshot { vm, snapshot };
    7 StartFrom { vm, snapshot, rules };
    8 Reset { vm, snapshot };
    9 Forget { snapshot };
});

choices!(impl['b] FromPlugin<'b>, "there is no such message" {
    0 Ready { walls };
    1 Unable { reason };
    2 Call(call);
    3 Started { hears, memory_bytes };
    4 NotStarted { export, ending, trace };
    5 Returned { result, memory_bytes };
    6 Failed { ending, trace };
    7 Kept;
    8 NotKept { reason };
    9 WasReset(how);
    10 Exceeded(what);
    11 Memory(bytes);
});

choices!(impl['b] Ending<'b>, "there is no such ending" {
    0 Trap(reason);
    1 Stack(bytes);
    2 Memory { reason, limit };
    3 Deadline(limit);
    4 Stopped;
    5 Allocator(reason);
    6 Gone;
    7 TooLarge(limit);
});

choices!(impl[] AbiVersion, "there is no such version" {
    0 V0_1_0; 1 V0_2_0; 2 V0_2_1; 3 V0_2_100;
});

choices!(impl[] Dialect, "there is no such dialect" { 0 Auto; 1 Envoy; 2 Higress; });

choices!(impl[] Wall, "there is no such wall" {
    0 Resources; 1 User; 2 Namespaces; 3 Files; 4 Prediction; 5 SystemCalls;
});

choices!(impl[] Reset, "there is no such outcome of a reset" {
    0 Done; 1 Failed; 2 OtherLength; 3 OtherModule; 4 Refused;
});

record!(Hello {
    program,
    limits,
    refuge
});
record!(Manifest {
    engine,
    version,
    dialect,
    facts,
    memories
});
record!(Facts {
    identity,
    prefix,
    has_start,
    globals,
    memories,
    obstacles,
    code_at,
    prepared_code_at,
    has_lines
});
record!(Beginning { bytes, filled });
record!(GuestLimits {
    memory_bytes,
    memories,
    tables,
    table_elements,
    total_memory_bytes,
    call,
    request,
    start,
    host_calls,
    callouts,
    request_callouts,
    log_rate_bytes,
    log_burst_bytes,
    metrics,
    metric_name_bytes,
    shared_data_bytes,
    queues,
    queue_bytes,
    instances,
});
record!(Rules {
    withheld,
    watches,
    has_files
});
record!(Exceeded { limit, value });

choices!(impl[] Limit, "there is no such limit" {
    0 Memory; 1 Memories; 2 Tables; 3 TableElements; 4 TotalMemory; 5 Time; 6 RequestTime;
    7 StartTime; 8 HostCalls; 9 Callouts; 10 RequestCallouts; 11 LogRate; 12 Metrics;
    13 MetricName; 14 SharedData; 15 Queues; 16 QueueBytes; 17 Instances;
});

choices!(impl[] EngineKind, "there is no such engine" { 0 Cranelift; 1 Winch; 2 Pulley; });
record!(Refuge { user, vms });
record!(Report { wall, missing });
record!(Trace { frames });
record!(Frame {
    function,
    index,
    offset,
    source
});
record!(Source { file, line });

impl<'b> Ending<'b> {
    /// What is told of a cause.
    pub(in crate::apart) fn of(cause: &'b Cause) -> Self {
        match cause {
            Cause::Trap(reason) => Self::Trap(reason),
            Cause::Stack(bytes) => Self::Stack(*bytes as u64),
            Cause::Memory { reason, limit } => Self::Memory {
                reason,
                limit: *limit,
            },
            Cause::Deadline(limit) => Self::Deadline(*limit),
            Cause::Stopped(_) => Self::Stopped,
            Cause::Allocator(reason) => Self::Allocator(reason),
            Cause::Process(_) | Cause::Lost(_) | Cause::Gone => Self::Gone,
        }
    }

    /// The failure that is told, with what the world said when it stopped the guest.
    ///
    /// # Errors
    ///
    /// [`Violation`]: nobody stopped it.
    pub(in crate::apart) fn into_failure(
        self,
        trace: Trace,
        stop: Option<Stop>,
    ) -> Result<Failure, Violation> {
        let cause = match (self, stop) {
            (_, Some(stop)) => Cause::Stopped(stop),
            (Self::Stopped, None) => {
                return Err(Violation("it says that it was stopped, and was not"));
            }
            (Self::Trap(reason), None) => Cause::Trap(cut(reason)),
            (Self::Stack(bytes), None) => Cause::Stack(usize::try_from(bytes).unwrap_or(0)),
            (Self::Memory { reason, limit }, None) => Cause::Memory {
                reason: cut(reason),
                limit,
            },
            (Self::Deadline(limit), None) => Cause::Deadline(limit),
            (Self::Allocator(reason), None) => Cause::Allocator(cut(reason)),
            (Self::Gone | Self::TooLarge(_), None) => Cause::Gone,
        };
        Ok(Failure {
            cause,
            trace: believed(trace),
        })
    }
}

/// A trace within the bounds that the gateway's own have.
fn believed(mut trace: Trace) -> Trace {
    let short = |text: &mut String| {
        if text.chars().count() > limits::TRACE_NAME_CHARS_MAX {
            *text = text.chars().take(limits::TRACE_NAME_CHARS_MAX).collect();
        }
        text.retain(|character| !character.is_control());
    };
    trace.frames.truncate(limits::TRACE_FRAMES_MAX);
    for frame in &mut trace.frames {
        if let Some(function) = &mut frame.function {
            short(function);
        }
        if let Some(source) = &mut frame.source {
            short(&mut source.file);
        }
    }
    trace
}
