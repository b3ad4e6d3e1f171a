//! A guest that is recorded, and what it meets.

use std::io::Cursor;

use weir_capsule::{
    Capsule, Head, Mask, ModuleId, Player, Reader, Recorder, ReplayError, Replayed, RunLimits,
    Start, Taken, Tape, Trigger, replay, write,
};
use weir_guest::door::{BufferKind, Event, MapKind};
use weir_guest::{Host, Program, Vm};
use weir_model::GuestLimits;
use weir_testkit::Script;
use weir_testkit::run::{CALL, engine};

pub(crate) const HELLO: &[u8] = include_bytes!("../../../../guests/prebuilt/hello.wasm");
pub(crate) const PROBE: &[u8] = include_bytes!("../../../../guests/prebuilt/probe.wasm");

/// A script for the probe that uses what a system gives, remembers, and panics at a header.
pub(crate) const SYSTEM: &str = r#"{
    "configure": [
        { "log": "clock {clock}, random {random}, HOME {env:HOME}, PATH {env:PATH}" },
        { "print": "printed" }
    ],
    "request_headers": [
        { "set": ["request", "x-time", "{time}"] },
        { "count": "visits" }, { "set": ["request", "x-count", "{counted}"] },
        { "set": ["request", "x-token", "{request:authorization}"] },
        { "if": { "value": "{coin}", "is": "heads", "then": ["pause"] } },
        { "if": { "value": "{request:x-deadly}", "is": "1", "then": [{ "panic": "as asked" }] } }
    ]
}"#;

pub(crate) const TOKEN: &str =
    "s3cret-Token-77/that-is-long-enough-to-lie-about-in-Memory-for-8-Days";

/// The events of the start of a VM.
pub(crate) fn start_events(configuration: &str) -> Vec<Event> {
    let size = u32::try_from(configuration.len()).expect("short");
    vec![
        Event::ContextCreate {
            context: 1,
            parent: 0,
        },
        Event::VmStart { root: 1, size: 0 },
        Event::Configure { root: 1, size },
    ]
}

/// The events of one exchange.
pub(crate) fn exchange(context: u32) -> Vec<Event> {
    vec![
        Event::ContextCreate { context, parent: 1 },
        Event::RequestHeaders {
            context,
            count: 1,
            end: true,
        },
        Event::ResponseHeaders {
            context,
            count: 1,
            end: true,
        },
        Event::Done { context },
        Event::Log { context },
        Event::Delete { context },
    ]
}

pub(crate) fn world(configuration: &str) -> Script {
    Script::new()
        .headers(
            MapKind::RequestHeaders,
            &[
                (":path", "/"),
                ("authorization", &format!("Bearer {TOKEN}")),
            ],
        )
        .headers(MapKind::ResponseHeaders, &[(":status", "200")])
        .buffer(BufferKind::PluginConfiguration, configuration)
        .environment("HOME", "/nowhere")
        .ticking(1_000_000_007)
}

/// A guest that is recorded.
pub(crate) struct Recorded {
    pub(crate) program: Program,
    pub(crate) vm: Vm<Recorder<Script>>,
}

impl Recorded {
    /// A guest that has been configured.
    pub(crate) fn new(module: &[u8], configuration: &str, log_bytes: usize) -> Self {
        Self::in_world(module, world(configuration), (configuration, log_bytes))
    }

    pub(crate) fn in_world(
        module: &[u8],
        world: Script,
        (configuration, log): (&str, usize),
    ) -> Self {
        let program = weir_testkit::program(module);
        let recorder = Recorder::new(world, Tape::new(log));
        let host = Host::new(engine()).expect("a host");
        let vm = host.start(&program, recorder, &GuestLimits::default());
        let vm = vm.expect("a guest");
        let mut recorded = Self { program, vm };
        recorded.deliver(&start_events(configuration));
        recorded.vm.world().tape.started();
        recorded
    }

    /// Delivers events up to the first that fails. Images are made when the tape wants one.
    pub(crate) fn deliver(&mut self, events: &[Event]) {
        for event in events {
            if self.vm.deliver(event, CALL).is_err() {
                return;
            }
            if self.vm.world().tape.wants_image() {
                let image = self.vm.snapshot().expect("an image");
                self.vm.world().tape.set_image(image);
            }
        }
    }

    pub(crate) fn head(&self) -> Head {
        Head {
            weir: "test".to_owned(),
            written_at: 1,
            module: ModuleId {
                name: "module".to_owned(),
                sha256: *self.program.identity(),
            },
            filter: "filter".to_owned(),
            roots: vec![weir_capsule::RootHead {
                filter: "filter".to_owned(),
                root_id: String::new(),
                configuration: b"{}".to_vec(),
            }],
            vm_id: "vm".to_owned(),
            vm_configuration: Vec::new(),
            isolation: "plugin".to_owned(),
            engine: self.program.engine,
            dialect: self.program.dialect,
            strictness: weir_model::Strictness::Tolerant,
            withheld: Vec::new(),
            watches: false,
            has_files: false,
            limits: RunLimits::from(&GuestLimits::default()),
            trigger: Trigger::Always,
            subject: 2,
            start: Start::Beginning,
            masked: Vec::new(),
        }
    }

    /// The file of all that was recorded.
    pub(crate) fn file(&mut self, mask: &Mask) -> Vec<u8> {
        let taken = self.vm.world().tape.take();
        self.file_of(&taken, mask)
    }

    pub(crate) fn file_of(&self, taken: &Taken, mask: &Mask) -> Vec<u8> {
        let mut file = Vec::new();
        let written = write(self.head(), taken, (&self.program, mask), &mut file);
        let written = written.expect("written");
        assert_eq!(written.bytes, file.len() as u64);
        file
    }
}

/// Replays a file with a program.
pub(crate) fn replayed(program: &Program, file: &[u8]) -> Result<Replayed, ReplayError> {
    let host: Host<Player> = Host::new(engine()).expect("a host");
    replay(&host, program, Reader::open(Cursor::new(file.to_vec()))?)
}

pub(crate) fn read(file: &[u8]) -> Capsule {
    Capsule::read(file).expect("a capsule")
}

/// The file of a capsule.
pub(crate) fn rewritten(capsule: &Capsule) -> Vec<u8> {
    let mut file = Vec::new();
    capsule.write(&mut file).expect("written");
    file
}
