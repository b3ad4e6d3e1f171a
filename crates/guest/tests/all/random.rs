//! Random programs: an instance that was reset does what one that never ran anything else does.

use weir_guest::door::{BufferKind, Event};
use weir_guest::{Host, Program, Reset, Vm};
use weir_model::GuestLimits;
use weir_testkit::run::{CALL, engine};
use weir_testkit::{Script, program};

use crate::common::{MEMORY, callback, env, module};

/// Runs the operations that it finds in the request's body, twelve bytes each: what, where, with
/// what. Ends with the sum of everything that it can read.
fn interpreter() -> String {
    let body = r#"
        (local $at i32) (local $end i32) (local $a i32) (local $b i32) (local $sum i32)
        (drop (call $proxy_get_buffer_bytes
            (i32.const 0) (i32.const 0) (local.get 1) (i32.const 8) (i32.const 12)))
        (local.set $at (i32.load (i32.const 8)))
        (local.set $end (i32.add (local.get $at) (i32.load (i32.const 12))))
        (block $done (loop $next
            (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
            (local.set $a (i32.load offset=4 (local.get $at)))
            (local.set $b (i32.load offset=8 (local.get $at)))
            (call $run (i32.load (local.get $at)) (local.get $a) (local.get $b))
            (local.set $at (i32.add (local.get $at) (i32.const 12)))
            (br $next)))
        (call $sum)"#;
    // Within the upper half of the first memory, so that operations do not change each other.
    let high = "(i32.add (i32.const 131072) (i32.rem_u (local.get 1) (i32.const 131000)))";
    let second = "(i32.rem_u (local.get 1) (i32.sub (i32.shl (memory.size $two) (i32.const 16)) (i32.const 6000)))";
    let functions = format!(
        r#"(global $x (mut i32) (i32.const 1)) (global $y (mut i64) (i64.const 2))
        (func $run (param i32 i32 i32)
            (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
            (br_table $0 $1 $2 $3 $4 $5 $6 $7 (i32.rem_u (local.get 0) (i32.const 8))))
              (return (i32.store8 $one {high} (local.get 2))))
              (return (i64.store $two {second} (i64.extend_i32_u (local.get 2)))))
              (return (memory.fill $two {second} (local.get 2) (i32.rem_u (local.get 2) (i32.const 5000)))))
              (return (memory.copy $two $one {second} (i32.const 140000) (i32.rem_u (local.get 2) (i32.const 5000)))))
              (return (global.set $x (local.get 2))))
              (return (global.set $y (i64.mul (global.get $y) (i64.extend_i32_u (local.get 2))))))
              ;; Growth is rare.
              (if (i32.eqz (i32.rem_u (local.get 2) (i32.const 64)))
                  (then (drop (memory.grow $two (i32.const 1)))))
              (return))
              (i32.store $one {high} (i32.wrap_i64 (global.get $y))))
        (func $sum (result i32) (local $at i32) (local $sum i64)
            (local.set $at (i32.const 131072))
            (loop $one_more
                (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load $one (local.get $at))))
                (br_if $one_more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 262144))))
            (local.set $at (i32.const 0))
            (loop $two_more
                (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load $two (local.get $at))))
                (br_if $two_more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8)))
                    (i32.shl (memory.size $two) (i32.const 16)))))
            (i32.xor (i32.wrap_i64 (i64.xor (local.get $sum) (i64.shr_u (local.get $sum) (i64.const 32))))
                (i32.xor (global.get $x) (i32.wrap_i64 (global.get $y)))))"#
    );
    let text = module(
        &env(&["proxy_get_buffer_bytes"]),
        &format!("{functions} {}", callback("proxy_on_request_body", 3, body)),
    );
    let memories = r#"(memory $one (export "memory") 4) (memory $two 2 6)
        (data (memory $two) (i32.const 90000) "something to begin with") (data (i32.const 150000) "and here")"#;
    text.replace(MEMORY, memories)
}

/// Numbers that are the same at every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        u32::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32).expect("half of it")
    }

    fn operations(&mut self) -> Vec<u8> {
        let count = 1 + self.next() % 40;
        (0..3 * count)
            .flat_map(|_| self.next().to_le_bytes())
            .collect()
    }
}

fn run(vm: &mut Vm<Script>, operations: &[u8]) -> i32 {
    vm.replace_world(Script::new().buffer(BufferKind::RequestBody, operations));
    let size = u32::try_from(operations.len()).expect("few");
    let event = Event::RequestBody {
        context: 2,
        size,
        end: true,
    };
    vm.deliver(&event, CALL)
        .expect("an interpreter does not fail")
}

struct Setting {
    program: Program,
    host: Host<Script>,
    limits: GuestLimits,
}

impl Setting {
    fn fresh(&self) -> Vm<Script> {
        self.host
            .start(&self.program, Script::new(), &self.limits)
            .expect("a guest")
    }
}

#[test]
fn a_reset_instance_is_a_fresh_one() {
    let setting = Setting {
        program: program(interpreter()),
        host: Host::new(engine()).expect("a host"),
        limits: GuestLimits::default(),
    };
    let mut numbers = Numbers(0x5eed);
    let mut root = setting.fresh();
    let mut before: Vec<Vec<u8>> = Vec::new();
    let mut used: Option<Vm<Script>> = None;
    let mut resets = 0;
    for _ in 0..12 {
        before.push(numbers.operations());
        run(&mut root, before.last().expect("just put there"));
        let snapshot = root.snapshot().expect("a snapshot");
        for _ in 0..6 {
            let (last, next) = (numbers.operations(), numbers.operations());
            let mut fresh = setting.fresh();
            for operations in &before {
                run(&mut fresh, operations);
            }
            let expected = run(&mut fresh, &next);
            let make = || {
                let world = Script::new();
                let made =
                    setting
                        .host
                        .start_from(&setting.program, &snapshot, world, &setting.limits);
                made.expect("a guest")
            };
            assert_eq!(run(&mut make(), &next), expected);
            // One that was used by another request, or made from an older snapshot.
            let mut vm = used.take().unwrap_or_else(make);
            run(&mut vm, &last);
            if vm.reset(&snapshot) == Reset::Done {
                resets += 1;
                assert_eq!(run(&mut vm, &next), expected);
                used = Some(vm);
            }
        }
    }
    assert!(resets > 20, "only {resets} resets were tried");
}
