//! What a VM per request costs over a shared one: `cargo bench -p weir-guest --bench request`.
//!
//! Both get the same five events a request, in turns, in one thread. Processor time of the thread,
//! per request: median and the middle half of the rounds.
//!
//! Arguments: `--plugin FILE`, `--configuration FILE` (else the `headers` filter of the bench),
//! `--requests N` (of each kind), `--vms N` (take turns, as with so many requests in flight),
//! `--only shared|request` (for instruction counts), `--live N` (memory of so many instances with a
//! request in flight), `--renewals N` (time of a snapshot), `--ticks N` (a timer that fires each
//! second, so often: what renewing costs of a core, and how long copies lack what it did).

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_guest::door::{Answer, BufferKind, Call, Event, MapKind, Reply, Status, Stop, World};
use weir_guest::{Host, Program, Reset, Snapshot, Vm, thread_time};
use weir_model::GuestLimits;
use weir_testkit::program;
use weir_testkit::run::engine;
use weir_testkit::script::encoded;

const HEADERS: &[u8] = include_bytes!("../../../bench/filters/headers.wasm");
const LIMIT: Duration = Duration::from_mins(1);
const ROUNDS: u32 = 41;

const REQUEST: [(&str, &str); 12] = [
    (":authority", "shop.example.com"),
    (":path", "/cart/items?page=2"),
    (":method", "GET"),
    (":scheme", "http"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("cookie", "session=0123456789abcdef"),
    ("referer", "https://shop.example.com/"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-request-id", "4fd1d1b2-8a9b-4b3c-9a55-3d2f0a4f6e51"),
];

/// Answers as a gateway would, without one.
struct Steady {
    configuration: Bytes,
    headers: Bytes,
    now: u64,
}

impl World for Steady {
    fn call(&mut self, call: Call<'_>) -> Result<Answer, Stop> {
        Ok(match call {
            Call::Header {
                map: MapKind::RequestHeaders,
                name,
            } => match REQUEST.iter().find(|(known, _)| known.as_bytes() == name) {
                Some((_, value)) => Reply::Bytes(Bytes::from_static(value.as_bytes())),
                None => Reply::Refused(Status::NotFound),
            },
            Call::Headers {
                map: MapKind::RequestHeaders,
            } => Reply::Bytes(self.headers.clone()),
            Call::Buffer {
                kind: BufferKind::PluginConfiguration,
                ..
            } => Reply::Bytes(self.configuration.clone()),
            Call::Now(_) => {
                self.now += 1000;
                Reply::Number(self.now)
            }
            Call::Random { length } => Reply::Bytes(vec![7; length as usize].into()),
            Call::LogLevel => Reply::Number(4),
            Call::DefineMetric { .. } | Call::Metric { .. } => Reply::Number(1),
            Call::Environment => Reply::Bytes(encoded(&[])),
            Call::Property { .. } | Call::Buffer { .. } | Call::Header { .. } => {
                Reply::Refused(Status::NotFound)
            }
            _ => Reply::Done,
        }
        .into())
    }
}

/// What the arguments ask for.
struct Wanted {
    plugin: Vec<u8>,
    configuration: Bytes,
    requests: u32,
    vms: usize,
    only: Option<String>,
    live: u32,
    renewals: u32,
    ticks: u32,
}

impl Wanted {
    fn from_arguments() -> std::io::Result<Self> {
        let mut wanted = Self {
            plugin: HEADERS.to_vec(),
            configuration: Bytes::new(),
            requests: 1_000_000,
            vms: 1,
            only: None,
            live: 0,
            renewals: 0,
            ticks: 0,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments.next().unwrap_or_default();
            let number = || value.parse::<u32>().map_err(std::io::Error::other);
            match name.as_str() {
                "--plugin" => wanted.plugin = std::fs::read(&value)?,
                "--configuration" => wanted.configuration = std::fs::read(&value)?.into(),
                "--requests" => wanted.requests = number()?,
                "--vms" => wanted.vms = number()?.max(1) as usize,
                "--only" => wanted.only = Some(value),
                "--live" => wanted.live = number()?,
                "--renewals" => wanted.renewals = number()?,
                "--ticks" => wanted.ticks = number()?,
                _ => return Err(std::io::Error::other(format!("unknown argument {name}"))),
            }
        }
        Ok(wanted)
    }
}

struct Bench {
    host: Host<Steady>,
    program: Program,
    configuration: Bytes,
    limits: GuestLimits,
}

impl Bench {
    fn world(&self) -> Steady {
        Steady {
            configuration: self.configuration.clone(),
            headers: encoded(&REQUEST),
            now: 1_700_000_000_000_000_000,
        }
    }

    /// A guest with its root configured.
    fn root(&self) -> Vm<Steady> {
        let started = self.host.start(&self.program, self.world(), &self.limits);
        let mut vm = started.expect("a guest");
        let size = u32::try_from(self.configuration.len()).expect("a short configuration");
        for event in [
            Event::ContextCreate {
                context: 1,
                parent: 0,
            },
            Event::VmStart { root: 1, size: 0 },
            Event::Configure { root: 1, size },
        ] {
            vm.deliver(&event, LIMIT).expect("it starts");
        }
        vm
    }

    fn ephemeral(&self, snapshot: &Snapshot) -> Vm<Steady> {
        let made = self
            .host
            .start_from(&self.program, snapshot, self.world(), &self.limits);
        made.expect("a guest")
    }
}

/// One request, from its context's beginning to its end.
fn request(vm: &mut Vm<Steady>, context: u32) {
    begin(vm, context);
    for event in [
        Event::Done { context },
        Event::Log { context },
        Event::Delete { context },
    ] {
        vm.deliver(&event, LIMIT).expect("it runs");
    }
}

/// A request as far as it goes until the upstream has answered.
fn begin(vm: &mut Vm<Steady>, context: u32) {
    let count = u32::try_from(REQUEST.len()).unwrap_or(0);
    for event in [
        Event::ContextCreate { context, parent: 1 },
        Event::RequestHeaders {
            context,
            count,
            end: true,
        },
    ] {
        vm.deliver(&event, LIMIT).expect("it runs");
    }
}

/// Processor time of this thread that something takes.
fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let began = thread_time();
    let result = what();
    (result, thread_time().saturating_sub(began))
}

/// Median and middle half, in microseconds per request.
fn quartiles(times: &mut [Duration], requests: u32) -> [f64; 3] {
    times.sort();
    [2, 1, 3].map(|quarter| {
        let time = times[(times.len() * quarter / 4).min(times.len() - 1)];
        time.as_secs_f64() * 1e6 / f64::from(requests)
    })
}

/// Memory of this process in KiB, what is shared counted once, and its page tables.
fn memory_kib() -> (u64, u64) {
    let sum = |file: &str, names: &[&str]| -> u64 {
        let text = std::fs::read_to_string(file).expect("Linux");
        let lines = text
            .lines()
            .filter(|line| names.iter().any(|name| line.starts_with(name)));
        lines
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
            .sum()
    };
    (
        sum("/proc/self/smaps_rollup", &["Pss:"]),
        sum("/proc/self/status", &["VmPTE:"]),
    )
}

fn compare(bench: &Bench, wanted: &Wanted, out: &mut impl Write) -> std::io::Result<()> {
    let mut shared = bench.root();
    let snapshot = shared.snapshot().expect("a module that can be snapshot");
    let own = (0..wanted.vms).map(|_| bench.ephemeral(&snapshot));
    let mut own: Vec<_> = own.collect();
    let mut turn = 0;
    let per_round = (wanted.requests / ROUNDS).max(1);
    let mut context = 1;
    let (mut shared_times, mut own_times) = (Vec::new(), Vec::new());
    let is_wanted = |kind: &str| wanted.only.as_deref().is_none_or(|only| only == kind);
    for _ in 0..ROUNDS {
        if is_wanted("shared") {
            let round = || {
                for _ in 0..per_round {
                    context += 1;
                    request(&mut shared, context);
                }
            };
            shared_times.push(timed(round).1);
        }
        if is_wanted("request") {
            let round = || {
                for _ in 0..per_round {
                    context += 1;
                    turn = (turn + 1) % own.len();
                    request(&mut own[turn], context);
                    assert_eq!(own[turn].reset(&snapshot), Reset::Done);
                }
            };
            own_times.push(timed(round).1);
        }
    }
    for (name, times) in [
        ("shared VM", &mut shared_times),
        ("VM per request", &mut own_times),
    ] {
        if !times.is_empty() {
            let [median, low, high] = quartiles(times, per_round);
            writeln!(out, "{median:9.2} µs  ({low:.2} to {high:.2})  {name}")?;
        }
    }
    if !shared_times.is_empty() && !own_times.is_empty() {
        let over =
            quartiles(&mut own_times, per_round)[0] - quartiles(&mut shared_times, per_round)[0];
        writeln!(out, "{over:9.2} µs  a VM per request over a shared one")?;
    }
    Ok(())
}

fn live(bench: &Bench, count: u32, out: &mut impl Write) -> std::io::Result<()> {
    let snapshot = bench
        .root()
        .snapshot()
        .expect("a module that can be snapshot");
    drop(bench.ephemeral(&snapshot));
    let (before, tables_before) = memory_kib();
    let (vms, time) = timed(|| {
        let begun = (0..count).map(|_| {
            let mut vm = bench.ephemeral(&snapshot);
            begin(&mut vm, 2);
            vm
        });
        begun.collect::<Vec<_>>()
    });
    let each = time.as_secs_f64() * 1e6 / f64::from(count);
    let (after, tables_after) = memory_kib();
    let mib = |after: u64, before: u64| {
        let kib = u32::try_from(after.saturating_sub(before)).unwrap_or(u32::MAX);
        f64::from(kib) / 1024.0
    };
    writeln!(
        out,
        "{:9.1} MiB for {} live instances, page tables {:.1} MiB; {each:.1} µs for each to be made \
         and to get its request",
        mib(after, before),
        vms.len(),
        mib(tables_after, tables_before),
    )
}

fn renewals(bench: &Bench, count: u32, out: &mut impl Write) -> std::io::Result<()> {
    let mut root = bench.root();
    let mut vm = bench.ephemeral(&root.snapshot().expect("a snapshot"));
    let (mut taken, mut reset) = (Vec::new(), Vec::new());
    let mut stored = 0;
    for context in 0..count {
        request(&mut root, 2 + context);
        let (snapshot, time) = timed(|| root.snapshot().expect("a snapshot"));
        taken.push(time);
        request(&mut vm, 2);
        let (done, time) = timed(|| vm.reset(&snapshot));
        reset.push(time);
        if done != Reset::Done {
            vm = bench.ephemeral(&snapshot);
        }
        stored = snapshot.stored_bytes();
    }
    let [taken, ..] = quartiles(&mut taken, 1);
    let [reset, ..] = quartiles(&mut reset, 1);
    writeln!(
        out,
        "{taken:9.1} µs for a renewed snapshot of {} KiB, {reset:.1} µs for an instance to go over to it",
        stored >> 10
    )
}

/// A timer that fires each second: after each tick a snapshot, to which an instance goes over.
fn ticks(bench: &Bench, count: u32, out: &mut impl Write) -> std::io::Result<()> {
    let mut root = bench.root();
    let mut vm = bench.ephemeral(&root.snapshot().expect("a snapshot"));
    let (mut ticks, mut renewals) = (Vec::new(), Vec::new());
    let mut lack = Duration::ZERO;
    let began = Instant::now();
    for _ in 0..count {
        std::thread::sleep(Duration::from_secs(1));
        let event = Event::Tick { root: 1 };
        ticks.push(timed(|| root.deliver(&event, LIMIT).expect("it runs")).1);
        let done = Instant::now();
        let renewed = timed(|| {
            let snapshot = root.snapshot().expect("a snapshot");
            if vm.reset(&snapshot) != Reset::Done {
                vm = bench.ephemeral(&snapshot);
            }
        });
        renewals.push(renewed.1);
        lack = lack.max(done.elapsed());
    }
    let spent: Duration = renewals.iter().sum();
    let share = 100.0 * spent.as_secs_f64() / began.elapsed().as_secs_f64();
    let [tick, ..] = quartiles(&mut ticks, 1);
    let [renewal, low, high] = quartiles(&mut renewals, 1);
    writeln!(
        out,
        "{renewal:9.1} µs  ({low:.1} to {high:.1})  a renewal after a tick of {tick:.1} µs\n{share:9.3} % \
         of a core for {count} of them, one each second\n{:9.1} µs  the longest that copies lacked a tick",
        lack.as_secs_f64() * 1e6
    )
}

fn main() -> std::io::Result<()> {
    let wanted = Wanted::from_arguments()?;
    let bench = Bench {
        host: Host::new(engine()).expect("a host"),
        program: program(&wanted.plugin),
        configuration: wanted.configuration.clone(),
        limits: GuestLimits::default(),
    };
    let mut out = std::io::stdout().lock();
    if wanted.live > 0 {
        return live(&bench, wanted.live, &mut out);
    }
    if wanted.renewals > 0 {
        return renewals(&bench, wanted.renewals, &mut out);
    }
    if wanted.ticks > 0 {
        return ticks(&bench, wanted.ticks, &mut out);
    }
    compare(&bench, &wanted, &mut out)
}
