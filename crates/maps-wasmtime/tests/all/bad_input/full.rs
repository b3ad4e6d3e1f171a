//! Quotas that are used up: the documented number, and nothing has changed.

use weir_maps::handles::Ends;
use weir_maps::store::Terms;
use weir_maps::{MapOptions, Rights, Store, Value};
use weir_model::limits::maps as limits;

use super::{good, refused};
use crate::house::{Guest, House, MODES};
use crate::table::{LONG, OPS, ROWS, Words, prepare};

fn row_args(name: &str) -> Vec<i64> {
    good(ROWS.iter().find(|row| row.name == name).unwrap())
}

#[test]
fn a_full_map_takes_no_more() {
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        let small = guest.handles().open(b"small", Rights::ALL).unwrap();
        {
            let map = guest.handles().map(small, Rights::WRITE).unwrap();
            let value = Value::copy_of(b"");
            map.store()
                .write(b"full", value, Terms::default())
                .now()
                .unwrap();
        }
        let absent = Words(&[1, 0]).with(&[0, 0]);
        guest.write(0x800, &absent);
        let set = Words(&[2, 0, 0x200, 3, 0x300, 6]).with(&[0, 0]);
        guest.write(OPS, &set);
        for name in [
            "set",
            "set_with",
            "compare_and_swap",
            "increment",
            "put_map",
        ] {
            let mut args = row_args(name);
            args[0] = i64::from(small);
            if name == "compare_and_swap" {
                args[3] = 0;
            }
            refused((&house, &mut guest), (name, &args), 51);
        }
        let args = [i64::from(small), 0x900, 1, 0];
        refused((&house, &mut guest), ("batch", &args), 51);
    }
}

#[test]
fn a_full_table_of_handles_takes_no_more() {
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        while guest.handles().len() < limits::HANDLES_MAX {
            guest.handles().dup(1, Rights::READ).unwrap();
        }
        for name in ["open", "create", "dup", "accept", "get_map"] {
            refused((&house, &mut guest), (name, &row_args(name)), 48);
        }
        // The ticket is as good as before.
        guest.handles().close(4096).unwrap();
        assert_eq!(guest.call("accept", &row_args("accept")), 0);
    }
}

#[test]
fn loans_and_watches_are_bounded() {
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        for _ in 1..limits::INSTANCE_WATCHES_MAX {
            guest.handles().watch(2, b"").now().unwrap();
        }
        refused((&house, &mut guest), ("watch", &row_args("watch")), 48);
        for _ in 0..limits::LOANS_MAX {
            let to = ("other", Ends::WithInstance);
            guest.handles().lend(2, Rights::READ, to).unwrap();
        }
        refused((&house, &mut guest), ("lend", &row_args("lend")), 48);
    }
}

fn ops(guest: &mut Guest, short: [u32; 6], long: [u64; 2]) {
    guest.write(OPS, &Words(&short).with(&long));
}

#[test]
fn each_operation_of_a_batch_is_checked() {
    let (key, value, out) = (0x200, 0x300, 0x4_0000);
    let huge = u32::MAX;
    let long = u32::try_from(LONG).unwrap();
    let cases = [
        ([0, 0, key, 3, 0, 0], [0, 0], 28),
        ([5, 0, key, 3, 0, 0], [0, 0], 28),
        ([1, 4, key, 3, 0, 0], [0, 7], 28),
        ([1, 2, key, 3, 0, 0], [0, 0], 28),
        ([1, 3, key, 3, 0, 0], [1, 0], 28),
        ([1, 2, key, 3, 0, 0], [9, 0], 6),
        ([2, 8, key, 3, value, 6], [0, 0], 28),
        ([2, 4, key, 3, value, 6], [0, 0], 28),
        ([2, 1, key, 3, value, 6], [0, 0], 6),
        ([2, 0, key, 3, value, huge], [0, 0], 21),
        ([2, 0, key, 3, out, 6], [0, 0], 21),
        ([2, 0, key, huge, value, 6], [0, 0], 21),
        ([2, 0, out - 1, 3, value, 6], [0, 0], 21),
        ([2, 0, long, 0x10001, value, 6], [0, 0], 28),
        ([2, 0, key, 3, long, 1001], [0, 0], 51),
        ([3, 1, key, 3, 0, 0], [0, 0], 28),
        ([4, 2, key, 3, 0, 0], [1, 0], 28),
        ([4, 0, key, 3, 0, 0], [1, 0], 28),
        ([4, 0, 0xd00, 5, 0, 0], [u64::MAX >> 1, 0], 61),
    ];
    for mode in MODES {
        for (short, long, expected) in cases {
            let house = House::new();
            let mut guest = prepare(&house, mode);
            ops(&mut guest, short, long);
            // The others are in order, before and behind it.
            let bytes = guest.read(OPS, 40).to_vec();
            let fine = Words(&[2, 0, 0x300, 6, 0x300, 6]).with(&[0, 0]);
            guest.write(OPS, &[fine.clone(), bytes, fine].concat());
            let args = [1, 0x900, 3, 0x500];
            refused((&house, &mut guest), ("batch", &args), expected);
        }
    }
}

#[test]
fn structs_are_checked() {
    let huge = u64::MAX;
    let terms = [
        (vec![8, 0], [0, 0], 28),
        (vec![3, 0], [1, 0], 28),
        (vec![2, 0], [0, 0], 28),
        (vec![0, 1], [0, 0], 28),
        (vec![4, 0], [0, 0], 28),
        (vec![1, 0], [0, 0], 6),
        (vec![2, 0], [huge, 0], 6),
    ];
    let options: [([u64; 4], [u32; 2]); 4] = [
        ([0, 0, 0, 0], [2, 0]),
        ([0, 0, 0, 0], [0, 3]),
        ([0, 0, 0, 0], [0, 2048]),
        ([0, 0, 0, 0], [0, u32::MAX]),
    ];
    for mode in MODES {
        let house = House::new();
        let mut guest = prepare(&house, mode);
        for (short, long, expected) in &terms {
            guest.write(0x800, &Words(short).with(long));
            let args = row_args("set_with");
            refused((&house, &mut guest), ("set_with", &args), *expected);
        }
        for (long, short) in options {
            let long: Vec<u8> = Words(&[]).with(&long);
            guest.write(0xe00, &[long, Words(&short).with(&[])].concat());
            refused((&house, &mut guest), ("create", &row_args("create")), 28);
        }
        let room = MapOptions::anonymous();
        assert!(room.shards == 1);
    }
}
