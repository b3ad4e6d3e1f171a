//! Whatever guests ask of maps, with whatever pointers: documented numbers, no trap, no panic; what
//! is refused has changed nothing, and nothing is left when the instances are gone.
//!
//! Two instances share an engine. The input is a list of steps: calls with arguments that are often
//! nearly right, bytes that are written into memory, tickets that change hands, time, endings.

use std::sync::Arc;
use std::time::Duration;

use weir_maps::budget::{Account, Amount};
use weir_maps::{Engine, Grants, Handles, Identity, ManualClock, MapOptions, Rights};

use super::guest::{FUNCTIONS, Guest};
use super::input::Input;

/// Steps of one run at most.
const STEPS: usize = 200;
/// The numbers of the specification, and success.
const ERRORS: [i32; 16] = [0, 6, 8, 20, 21, 28, 29, 37, 44, 48, 51, 58, 61, 72, 73, 76];

struct House {
    /// No time passes, so nothing ends: then nothing at all changes where a call is refused.
    stands_still: bool,
    clock: ManualClock,
    engine: Engine,
    owner: Arc<Account>,
}

/// What became of the calls of an input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    pub(crate) calls: u64,
    /// Those that were not refused.
    pub(crate) done: u64,
}

/// Plays one input to its end.
pub(crate) fn play(bytes: &[u8]) -> Played {
    let mut input = Input(bytes);
    let house = House::new(input.byte() & 1 == 0);
    let mut played = Played::default();
    let mut guests = [house.guest("one"), house.guest("two")];
    for _ in 0..STEPS {
        if input.0.is_empty() {
            break;
        }
        step(&house, &mut guests, (&mut input, &mut played));
    }
    drop(guests);
    house.clock.advance(Duration::from_secs(61));
    for name in ["cache", "small"] {
        house.engine.undefine("tenant", name);
    }
    house.rest();
    let stat = house.engine.stat();
    assert_eq!((stat.anonymous, stat.freeing), (0, 0), "a map is left over");
    assert_eq!(house.engine.tickets_open(), 0, "a ticket is left over");
    let used = house.owner.used();
    assert_eq!((used.entries, used.bytes), (0, 0), "room is not given back");
    played
}

impl House {
    fn new(stands_still: bool) -> Self {
        let clock = ManualClock::default();
        let engine = Engine::new(Arc::new(clock.clone()));
        let owner = Arc::new(Account::new(Amount {
            entries: 200,
            bytes: 1 << 20,
        }));
        let cache = MapOptions {
            value_bytes_max: 4096,
            ..MapOptions::default()
        };
        let small = MapOptions {
            entries_max: 3,
            eviction: weir_maps::Eviction::Lru,
            ttl: Some(Duration::from_millis(50)),
            shards: 2,
            ..cache
        };
        for (name, options) in [("cache", cache), ("small", small)] {
            let made = engine.define("tenant", name, (options, &owner));
            made.expect("room for two maps");
        }
        Self {
            stands_still,
            clock,
            engine,
            owner,
        }
    }

    /// Enough housekeeping for all that is there to be freed, and for two cycles of the collector.
    fn rest(&self) {
        let mut rounds = 0;
        while rounds < 10 {
            rounds = if self.engine.tend(1000) {
                0
            } else {
                rounds + 1
            };
        }
    }

    fn guest(&self, in_use: &str) -> Guest {
        let few = Rights::READ.and(Rights::WRITE).and(Rights::LIST);
        let grants = Grants::of("tenant")
            .with("cache", Rights::ALL)
            .with("small", few)
            .with_default("cache");
        let identity = Identity {
            in_use: in_use.into(),
            grants: Arc::new(grants),
            owner: Arc::clone(&self.owner),
            meter: Arc::default(),
        };
        Guest::new(Handles::new(&self.engine, identity))
    }

    /// All that a refused call must leave as it was.
    fn state(&self, guests: &[Guest; 2]) -> impl PartialEq + std::fmt::Debug + use<> {
        let maps = ["cache", "small"].map(|name| {
            let root = self.engine.find("tenant", name).expect("it is there");
            let references = self.engine.graph().references(root.map().id());
            let stat = weir_maps::Store::stat(root.map().store()).now();
            (stat.expect("numbers"), references)
        });
        let handles = guests.each_ref().map(|guest| guest.handles().len());
        let used = self.owner.used();
        let anonymous = self.engine.stat().anonymous;
        (maps, handles, used, anonymous)
    }
}

/// Handles of somebody who may do nothing.
pub(super) fn nobody(engine: &Engine) -> Handles {
    let nothing = Amount {
        entries: 0,
        bytes: 0,
    };
    let identity = Identity {
        in_use: "nobody".into(),
        grants: Arc::default(),
        owner: Arc::new(Account::new(nothing)),
        meter: Arc::default(),
    };
    Handles::new(engine, identity)
}

fn step(house: &House, guests: &mut [Guest; 2], (input, played): (&mut Input<'_>, &mut Played)) {
    let who = usize::from(input.byte() & 1);
    match input.byte() {
        0..=15 => {
            let (at, length) = (input.place(), usize::from(input.byte() & 63));
            let bytes = input.take(length).to_vec();
            guests[who].write(at, &bytes);
        }
        16..=31 => {
            // A ticket changes hands.
            let at = input.place();
            let ticket = guests[who].read(at, 16);
            guests[1 - who].write(at, &ticket);
        }
        32..=35 => guests[who].handles_mut().end_request(1),
        36..=43 if house.stands_still => {}
        36..=43 => house
            .clock
            .advance(Duration::from_millis(u64::from(input.byte()))),
        44..=51 => {
            let _ = house.engine.tend(usize::from(input.byte()));
        }
        // The memory of one instance goes on in the other.
        52..=55 => {
            let [one, two] = &mut *guests;
            two.handles_mut().restore_from(one.handles());
        }
        56 => guests[who] = house.guest("one"),
        _ => {
            played.calls += 1;
            played.done += u64::from(call(house, guests, (who, input)));
        }
    }
}

/// Whether it was done.
fn call(house: &House, guests: &mut [Guest; 2], (who, input): (usize, &mut Input<'_>)) -> bool {
    let number = usize::from(input.byte()) % FUNCTIONS.len();
    let function = &FUNCTIONS[number];
    let arguments: Vec<i64> = function
        .arguments
        .iter()
        .map(|kind| input.argument(*kind))
        .collect();
    let (state, tickets) = (house.state(guests), house.engine.tickets_open());
    // What is over is dropped in slices by whatever comes next.
    let is_quiet = house.stands_still && house.engine.stat().freeing == 0;
    let before = guests[who].memory().to_vec();
    let answer = guests[who].call(function, &arguments);
    let name = &function.name;
    let is_draft = function.is_draft();
    let errno = if is_draft && answer < 0 {
        -answer
    } else {
        answer
    };
    if is_draft && answer >= 0 {
        return true;
    }
    assert!(ERRORS.contains(&errno), "{name} {arguments:x?}: {answer}");
    if errno == 0 {
        return true;
    }
    let after = guests[who].memory();
    let changed = if before == after {
        0
    } else {
        before
            .iter()
            .zip(after)
            .filter(|(old, new)| old != new)
            .count()
    };
    let allowed = match (&**name, errno) {
        ("get" | "scan" | "next", 61) => 4,
        ("compare_and_swap", 6) => 8,
        // What the guest's own allocator has done.
        ("get_alloc", _) => usize::MAX,
        _ => 0,
    };
    assert!(
        changed <= allowed,
        "{name} {arguments:x?}: {answer} wrote {changed} bytes"
    );
    if is_quiet {
        assert!(
            house.state(guests) == state,
            "{name} {arguments:x?}: {answer} changed something"
        );
        // A ticket whose loan is over is thrown away when somebody finds that out.
        let fewer = tickets - house.engine.tickets_open();
        assert!(
            fewer == 0 || name == "accept" && fewer == 1,
            "{name} {arguments:x?}: {answer}"
        );
    }
    false
}
