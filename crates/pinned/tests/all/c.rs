//! The C library and this crate on the same files. Needs `cc`.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use tempfile::TempDir;
use weir_pinned::{Access, Condition, PinError, Pinned, Shape, layout};

use crate::behaviour::{place, value};

const SHAPE: Shape = Shape {
    buckets: 4,
    slots: 16,
    key_bytes: 16,
    value_bytes: 2048,
};
const ALWAYS: (Option<Duration>, Condition) = (None, Condition::Always);

/// The program of `tests/process/pinned.c`, compiled once.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let library = here.join("../../sdk/c/pinned");
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pinned");
        let compiled = Command::new("cc")
            .args([
                "-std=c11",
                "-O2",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
            ])
            .arg(format!("-I{}", library.display()))
            .arg("-o")
            .arg(&program)
            .arg(library.join("weir_pinned.c"))
            .arg(here.join("tests/process/pinned.c"))
            .status();
        assert!(compiled.expect("cc").success());
        (folder, program)
    });
    &PROGRAM.1
}

fn command(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg(path).args(arguments).stdout(Stdio::piped());
    command
}

/// What the program prints.
fn c(path: &Path, arguments: &[&str]) -> String {
    let output = command(path, arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn filler(path: &Path, seed: u64) -> Child {
    let mut child = command(path, &["fill", "20", &seed.to_string()])
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "writing\n");
    child
}

#[test]
fn c_reads_what_rust_writes_and_the_other_way_round() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    assert_eq!(c(&path, &["get", "k"]), "error 44");
    // Lengths around the edges of words, of keys and values.
    for length in [1, 7, 8, 9, 15, 16] {
        let key = "k".repeat(length);
        let long = "v".repeat(length * 100 + 1);
        let version = map.set(key.as_bytes(), long.as_bytes(), ALWAYS).unwrap();
        assert_eq!(c(&path, &["get", &key]), format!("{long} {version} stays"));
        let set = c(&path, &["set", &key, "another", "60000", "0", "0"]);
        assert_eq!(set, format!("0 {}", version + 1));
        let mut bytes = Vec::new();
        let found = map.get(key.as_bytes(), &mut bytes).unwrap().unwrap();
        assert_eq!((&*bytes, found.version), (&b"another"[..], version + 1));
        assert!(found.ends.is_some());
        assert!(c(&path, &["get", &key]).ends_with("ends"));
    }
    assert_eq!(c(&path, &["delete", "k"]), "0");
    assert_eq!(c(&path, &["delete", "k"]), "44");
    assert_eq!(value(&map, b"k"), None);
}

#[test]
fn c_keeps_conditions_ends_and_limits() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    assert_eq!(c(&path, &["set", "k", "1", "0", "1", "0"]), "0 1");
    assert_eq!(c(&path, &["set", "k", "2", "0", "1", "0"]), "6 1");
    assert_eq!(c(&path, &["set", "k", "2", "0", "2", "7"]), "6 1");
    assert_eq!(c(&path, &["set", "k", "2", "0", "2", "1"]), "0 2");
    assert_eq!(c(&path, &["set", "e", "x", "20", "0", "0"]), "0 3");
    std::thread::sleep(Duration::from_millis(40));
    assert_eq!(c(&path, &["get", "e"]), "error 44");
    assert_eq!(map.tend().unwrap().ended, 1);
    let long = "k".repeat(17);
    assert!(c(&path, &["set", &long, "x", "0", "0", "0"]).starts_with("28 "));
    let long = "v".repeat(2049);
    assert!(c(&path, &["set", "k", &long, "0", "0", "0"]).starts_with("28 "));
    map.set(b"k", &[b'x'; 2048], ALWAYS).unwrap();
    let one = Shape {
        buckets: 1,
        slots: 1,
        ..SHAPE
    };
    Pinned::make(&path, &one).unwrap();
    assert!(matches!(map.set(b"k", b"", ALWAYS), Err(PinError::Retired)));
    assert!(c(&path, &["set", "k", "x", "0", "0", "0"]).starts_with("0 "));
    assert!(c(&path, &["set", "l", "x", "0", "0", "0"]).starts_with("51 "));
}

#[test]
fn counters_of_both_are_exact() {
    const TIMES: i64 = 20_000;
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let times = TIMES.to_string();
    let other = command(&path, &["add", "n", &times]).spawn().unwrap();
    let mut done = 0;
    while done < TIMES {
        match map.add(b"n", (1, None)) {
            Ok(_) => done += 1,
            Err(PinError::Busy) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(other.wait_with_output().unwrap().status.success());
    assert_eq!(map.add(b"n", (0, None)).unwrap().0, 2 * TIMES);
}

#[test]
fn writers_in_c_that_are_killed_tear_nothing() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    // Reading in C while writers of both kinds come and go.
    let reader = command(&path, &["look", "20", "2"]).spawn().unwrap();
    let mut lost = 0;
    for round in 0..60_u64 {
        let mut writer = filler(&path, round);
        std::thread::sleep(Duration::from_micros(300 + round * 91 % 3000));
        writer.kill().unwrap();
        writer.wait().unwrap();
        lost += map.tend().unwrap().lost;
        let mut bytes = Vec::new();
        for number in 0..20 {
            let key = format!("key-{number}");
            if map.get(key.as_bytes(), &mut bytes).unwrap().is_some() {
                crate::killed::check(&key, &bytes);
            }
            let word = 1_u64.to_le_bytes();
            map.set(key.as_bytes(), &word, ALWAYS).unwrap();
        }
    }
    let read = reader.wait_with_output().unwrap();
    assert!(read.status.success());
    let found: u64 = String::from_utf8(read.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(found > 1000, "{found}");
    assert!(lost > 0, "nobody died while writing");
}

/// Who takes a dead writer's number in C repairs what it left.
#[test]
fn c_repairs_what_its_predecessor_left() {
    let (_folder, path) = place();
    let map = Pinned::make(&path, &SHAPE).unwrap();
    let mut rounds = 0..400;
    let lost = rounds.any(|round| {
        let mut writer = filler(&path, round);
        std::thread::sleep(Duration::from_micros(300));
        writer.kill().unwrap();
        writer.wait().unwrap();
        c(&path, &["delete", "none"]);
        assert_eq!(map.tend().unwrap().repaired, 0, "it was repaired already");
        map.stat().lost > 0
    });
    assert!(lost, "nobody died while writing");
}

#[test]
fn c_refuses_what_is_no_map_and_survives_noise() {
    let (_folder, path) = place();
    std::fs::write(&path, "a letter to a friend".repeat(1000)).unwrap();
    assert_eq!(c(&path, &["get", "k"]), "open 28");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(c(&path, &["get", "k"]), "open 29");
    drop(Pinned::make(&path, &SHAPE).unwrap());
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let good = std::fs::read(&path).unwrap();
    for at in [1, 2, 3, 4, 5, 6, 7, 8, 13] {
        for word in [0, 7, 1 << 40, u64::MAX] {
            file.write_all_at(&word.to_le_bytes(), at * 8).unwrap();
            assert!(
                c(&path, &["get", "k"]).starts_with("open "),
                "{word} at {at}"
            );
        }
        let at = usize::try_from(at).unwrap();
        file.write_all_at(&good[at * 8..at * 8 + 8], at as u64 * 8)
            .unwrap();
    }
    let mut seed = 5_u64;
    for _ in 0..30 {
        let noise: Vec<u8> = (layout::HEADER_BYTES..good.len())
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                seed.to_be_bytes()[0] % 3
            })
            .collect();
        file.write_all_at(&noise, layout::HEADER_BYTES as u64)
            .unwrap();
        c(&path, &["get", "k"]);
        c(&path, &["set", "k", "v", "0", "0", "0"]);
    }
    Pinned::open(&path, Access::Write).unwrap();
}
