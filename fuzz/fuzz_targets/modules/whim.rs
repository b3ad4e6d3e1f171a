//! A world that answers as its bytes say.

use bytes::Bytes;
use weir_guest::door::Peer;
use weir_guest::{Answer, Call, Event, Reply, Status, Stop, World};
use weir_maps::{MapReply, Value};
use weir_model::{GuestLimits, Limit};

/// Calls that it answers before it ends the guest.
const CALLS_MAX: u32 = 2_000;
/// Events of one run.
const EVENTS_MAX: usize = 24;

/// Answers from bytes, over and over.
pub(crate) struct Whim {
    bytes: Vec<u8>,
    at: usize,
    calls: u32,
}

impl Whim {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let bytes = if bytes.is_empty() { &[0][..] } else { bytes };
        Self {
            bytes: bytes.to_vec(),
            at: 0,
            calls: 0,
        }
    }

    fn next(&mut self) -> u8 {
        let byte = self.bytes[self.at % self.bytes.len()];
        self.at += 1;
        // The same bytes again shall not be the same answers again.
        byte.wrapping_add((self.at / self.bytes.len()) as u8)
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes([self.next(), self.next(), self.next(), self.next()])
    }

    fn text(&mut self) -> Bytes {
        let length = match self.next() {
            255 => 100_000,
            length => usize::from(length),
        };
        let fill = self.next();
        vec![fill; length].into()
    }

    fn status(&mut self) -> Status {
        match self.next() % 9 {
            0 => Status::NotFound,
            1 => Status::BadArgument,
            2 => Status::SerializationFailure,
            3 => Status::ParseFailure,
            4 => Status::Empty,
            5 => Status::CasMismatch,
            6 => Status::InternalFailure,
            7 => Status::BrokenConnection,
            _ => Status::Unimplemented,
        }
    }

    fn map_reply(&mut self) -> MapReply {
        match self.next() % 8 {
            0 => MapReply::Done,
            1 => MapReply::Refused(i32::from(self.next()), u64::from(self.number())),
            2 => MapReply::Number(u64::from(self.number())),
            3 => MapReply::Entry(Value::from(self.text()), u64::from(self.number())),
            4 => MapReply::Counted(i64::from(self.next()), u64::from(self.number())),
            5 => MapReply::Ticket([self.next(); 16]),
            6 => MapReply::Page(self.text(), [self.next(); 16]),
            _ => MapReply::Bytes(self.text()),
        }
    }

    fn reply(&mut self) -> Reply {
        match self.next() % 9 {
            0 => Reply::Done,
            1 => Reply::Refused(self.status()),
            2 | 3 => Reply::Bytes(self.text()),
            4 => Reply::Number(u64::from(self.number()) << (self.next() % 33)),
            5 => Reply::Entry(self.text(), self.number()),
            6 => Reply::Outcome(self.number(), self.text()),
            7 => Reply::Map(self.map_reply()),
            _ => Reply::Number(u64::from(self.next())),
        }
    }

    /// The first events of every plugin, and then some more.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let mut events = vec![
            Event::ContextCreate { context: 1, parent: 0 },
            Event::VmStart { root: 1, size: 4 },
            Event::Configure { root: 1, size: 4 },
            Event::ContextCreate { context: 2, parent: 1 },
            Event::RequestHeaders { context: 2, count: 3, end: false },
        ];
        let more = usize::from(self.next()) % (EVENTS_MAX - events.len());
        events.extend((0..more).map(|_| self.event()));
        events.push(Event::Log { context: 2 });
        events.push(Event::Delete { context: 2 });
        events
    }

    fn event(&mut self) -> Event {
        let (root, context, token) = (1, 2, u32::from(self.next()));
        let (count, size, status) = (token, self.number(), token);
        let end = token & 1 == 0;
        let by = if end { Peer::Local } else { Peer::Remote };
        match self.next() % 22 {
            0 => Event::Tick { root },
            1 => Event::RequestBody { context, size, end },
            2 => Event::RequestTrailers { context, count },
            3 => Event::ResponseHeaders { context, count, end },
            4 => Event::ResponseBody { context, size, end },
            5 => Event::ResponseTrailers { context, count },
            6 => Event::NewConnection { context },
            7 => Event::DownstreamData { context, size, end },
            8 => Event::UpstreamData { context, size, end },
            9 => Event::DownstreamConnectionClose { context, by },
            10 => Event::UpstreamConnectionClose { context, by },
            11 => Event::Done { context },
            12 => Event::HttpCallResponse {
                root,
                token,
                headers: count,
                body_size: size,
                trailers: 0,
            },
            13 => Event::GrpcInitialMetadata { root, token, count },
            14 => Event::GrpcMessage { root, token, size },
            15 => Event::GrpcTrailingMetadata { root, token, count },
            16 => Event::GrpcClose { root, token, status },
            17 => Event::QueueReady { root, token },
            18 => Event::RedisReply { root, token, status, size },
            19 => Event::RequestHeaders { context, count, end },
            20 => Event::ContextCreate { context: 3, parent: 1 },
            _ => Event::Delete { context: 3 },
        }
    }
}

impl World for Whim {
    fn call(&mut self, _: Call<'_>) -> Result<Answer, Stop> {
        self.calls += 1;
        if self.calls > CALLS_MAX {
            let limits = GuestLimits {
                host_calls: CALLS_MAX,
                ..GuestLimits::default()
            };
            return Err(Stop::Exhausted(limits.exceeded(Limit::HostCalls)));
        }
        Ok(self.reply().into())
    }
}
