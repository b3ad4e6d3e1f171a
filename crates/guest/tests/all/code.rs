//! Compiled code: kept, found, refused when anything about it is wrong, and run by every engine.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use weir_guest::code::{Cache, CacheReport, Code, Compiled, Origin, Source};
use weir_guest::{EngineKind, LoadError, Pace, Program, ProgramOptions};
use weir_model::{GuestLimits, limits};
use weir_testkit::run::{CALL, engine, load_for};
use weir_testkit::{Script, start};

use crate::common::{REQUEST_HEADERS, on_request};

/// A guest that answers a headers callback with this number.
fn source(answer: u32) -> Source {
    let text = on_request("", &format!("(i32.const {answer})"));
    Source::new(wat::parse_str(text).expect("a module"))
}

fn open(folder: &Path) -> Cache {
    Cache::open(folder, limits::CODE_CACHE_BYTES).expect("a cache")
}

/// Compiles and keeps.
fn keep(cache: &Cache, source: &Source, kind: EngineKind) -> Code {
    let compiled = Compiled::make(source, kind, Pace::Patient).expect("a module that compiles");
    compiled.load(engine(), Some(cache)).expect("it loads")
}

fn cached(cache: &Cache, source: &Source, kind: EngineKind) -> Option<Code> {
    Code::cached(engine(), cache, source.digest(), kind).expect("this machine has all engines")
}

/// What the guest of some code answers.
fn answer(code: &Code) -> i32 {
    let program = Program::new(code, ProgramOptions::default()).expect("a plugin");
    let mut vm = start(&program, Script::new()).expect("it starts");
    vm.deliver(&REQUEST_HEADERS, CALL).expect("it answers")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

/// The only file in a folder.
fn the_file(folder: &Path) -> PathBuf {
    let files = files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn code_is_found_by_another_cache_of_the_same_folder_and_runs() {
    let folder = TempDir::new().expect("a folder");
    for (number, kind) in (1..).zip(EngineKind::ALL) {
        let made = keep(&open(folder.path()), &source(number), kind);
        assert_eq!((made.origin, made.engine), (Origin::Compiled, kind));
        let cache = open(folder.path());
        let found = cached(&cache, &source(number), kind).expect("it was kept");
        assert_eq!((found.origin, found.engine), (Origin::Cached, kind));
        assert_eq!(
            (answer(&made), answer(&found)),
            (number.cast_signed(), number.cast_signed())
        );
        assert_eq!(
            cache.report(),
            CacheReport {
                hits: 1,
                ..CacheReport::default()
            }
        );
    }
}

#[test]
fn code_of_another_module_or_engine_is_not_found() {
    let folder = TempDir::new().expect("a folder");
    let cache = open(folder.path());
    keep(&cache, &source(1), EngineKind::Winch);
    assert!(cached(&cache, &source(2), EngineKind::Winch).is_none());
    assert!(cached(&cache, &source(1), EngineKind::Cranelift).is_none());
    assert!(cached(&cache, &source(1), EngineKind::Pulley).is_none());
    assert_eq!(cache.report().misses, 3);
    assert_eq!(cache.report().refused, 0);
}

/// Keeps code, lets `harm` do something to its file, and says that the code is not loaded, is counted
/// as refused, is gone, and can be kept again.
fn check_refused(what: &str, harm: impl FnOnce(&Path)) {
    let folder = TempDir::new().expect("a folder");
    let cache = open(folder.path());
    keep(&cache, &source(5), EngineKind::Cranelift);
    let file = the_file(folder.path());
    harm(&file);
    assert!(
        cached(&cache, &source(5), EngineKind::Cranelift).is_none(),
        "{what}"
    );
    assert_eq!(cache.report().refused, 1, "{what}");
    assert!(
        fs::symlink_metadata(&file).is_err(),
        "{what}: it was thrown away"
    );
    let again = keep(&cache, &source(5), EngineKind::Cranelift);
    assert_eq!(answer(&again), 5, "{what}");
    assert!(
        cached(&cache, &source(5), EngineKind::Cranelift).is_some(),
        "{what}"
    );
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    let folder = TempDir::new().expect("a folder");
    let cache = open(folder.path());
    keep(&cache, &source(7), EngineKind::Cranelift);
    let file = the_file(folder.path());
    let whole = fs::read(&file).expect("it can be read");
    // Every region of the image, and each byte of the footer.
    let image = (0..whole.len()).step_by(whole.len() / 97);
    let footer = whole.len().saturating_sub(120)..whole.len();
    let mut refused = 0;
    for at in image.chain(footer) {
        let mut harmed = whole.clone();
        harmed[at] ^= 1 << (at % 8);
        fs::write(&file, &harmed).expect("it can be written");
        assert!(
            cached(&cache, &source(7), EngineKind::Cranelift).is_none(),
            "byte {at}"
        );
        refused += 1;
        assert_eq!(cache.report().refused, refused, "byte {at}");
        assert!(!file.exists(), "byte {at}");
    }
    assert!(refused > 200);
    fs::write(&file, &whole).expect("it can be written");
    assert!(cached(&cache, &source(7), EngineKind::Cranelift).is_some());
}

#[test]
fn a_torn_or_longer_file_is_noticed() {
    for share in [0, 1, 50, 99] {
        check_refused(&format!("cut to {share} %"), |file| {
            let whole = fs::read(file).expect("it can be read");
            fs::write(file, &whole[..whole.len() * share / 100]).expect("it can be written");
        });
    }
    check_refused("one byte more", |file| {
        let mut whole = fs::read(file).expect("it can be read");
        whole.push(0);
        fs::write(file, whole).expect("it can be written");
    });
    check_refused("zeros of the same length, as after a lost write", |file| {
        let length = fs::metadata(file).expect("it is there").len();
        fs::write(file, vec![0; usize::try_from(length).expect("it is small")])
            .expect("it can be written");
    });
}

#[test]
fn code_under_another_name_is_not_run() {
    check_refused("the file of another module", |file| {
        let folder = TempDir::new().expect("a folder");
        keep(&open(folder.path()), &source(6), EngineKind::Cranelift);
        fs::copy(the_file(folder.path()), file).expect("it can be copied");
    });
}

#[test]
fn a_file_that_others_can_write_is_not_run() {
    check_refused("writable by all", |file| set_mode(file, 0o646));
    check_refused("writable by the group", |file| set_mode(file, 0o664));
    check_refused("a link", |file| {
        let elsewhere = file.with_extension("elsewhere");
        fs::rename(file, &elsewhere).expect("it can be moved");
        symlink(elsewhere, file).expect("a link");
    });
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_folder_that_others_can_write_is_no_cache() {
    for mode in [0o777, 0o775, 0o1777] {
        let folder = TempDir::new().expect("a folder");
        set_mode(folder.path(), mode);
        let error = Cache::open(folder.path(), limits::CODE_CACHE_BYTES).err();
        let text = error.expect("it is refused").to_string();
        assert!(
            text.contains(&format!("others may write to it (mode {mode:o})")),
            "{text}"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_costs_time_only() {
    let folder = TempDir::new().expect("a folder");
    let cache = open(folder.path());
    keep(&cache, &source(1), EngineKind::Cranelift);
    // Root may write to anything, but nobody can make a file in a folder that was removed.
    fs::remove_dir_all(folder.path()).expect("it is ours");
    for number in 2..4 {
        assert_eq!(
            answer(&keep(&cache, &source(number), EngineKind::Cranelift)),
            number.cast_signed()
        );
    }
    assert_eq!(cache.report().failed, 2);
    assert_eq!(cache.report().stored, 1);
}

#[test]
fn writers_at_the_same_time_leave_one_whole_file() {
    let folder = TempDir::new().expect("a folder");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let cache = open(folder.path());
                for _ in 0..5 {
                    assert_eq!(answer(&keep(&cache, &source(3), EngineKind::Winch)), 3);
                    assert!(cached(&cache, &source(3), EngineKind::Winch).is_some());
                }
                assert_eq!(cache.report().refused, 0);
            });
        }
    });
    the_file(folder.path());
}

#[test]
fn what_was_used_least_lately_makes_room() {
    let folder = TempDir::new().expect("a folder");
    keep(&open(folder.path()), &source(1), EngineKind::Cranelift);
    let one = fs::metadata(the_file(folder.path()))
        .expect("it is there")
        .len();
    // Room for three, a little more for files that differ.
    let cache = Cache::open(folder.path(), 3 * one + one / 2).expect("a cache");
    for number in 2..=3 {
        keep(&cache, &source(number), EngineKind::Cranelift);
    }
    // All are a day old; the first was used since.
    let day = SystemTime::now() - Duration::from_hours(24);
    for (age, file) in (0u32..).zip(files(folder.path())) {
        let file = fs::File::open(file).expect("it is ours");
        file.set_modified(day + Duration::from_secs(age.into()))
            .expect("it is ours");
    }
    assert!(cached(&cache, &source(1), EngineKind::Cranelift).is_some());
    keep(&cache, &source(4), EngineKind::Cranelift);
    assert_eq!(cache.report().evicted, 1);
    assert!(
        cached(&cache, &source(1), EngineKind::Cranelift).is_some(),
        "used lately"
    );
    assert!(
        cached(&cache, &source(4), EngineKind::Cranelift).is_some(),
        "just written"
    );
    let left =
        (2..=3).filter(|number| cached(&cache, &source(*number), EngineKind::Cranelift).is_some());
    assert_eq!(left.count(), 1);
}

#[test]
fn code_that_is_larger_than_the_cache_is_not_kept_and_runs() {
    let folder = TempDir::new().expect("a folder");
    let cache = Cache::open(folder.path(), 100).expect("a cache");
    assert_eq!(answer(&keep(&cache, &source(9), EngineKind::Cranelift)), 9);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn unfinished_files_of_the_dead_are_removed_and_those_of_the_living_stay() {
    let folder = TempDir::new().expect("a folder");
    let (old, young) = (
        folder.path().join(".unfinished-1-0"),
        folder.path().join(".unfinished-1-1"),
    );
    for file in [&old, &young] {
        fs::write(file, "half").expect("it can be written");
    }
    let yesterday = SystemTime::now() - Duration::from_hours(24);
    fs::File::open(&old)
        .and_then(|file| file.set_modified(yesterday))
        .expect("it is ours");
    keep(&open(folder.path()), &source(1), EngineKind::Cranelift);
    assert!(!old.exists());
    assert!(young.exists());
}

#[test]
fn the_cache_tells_what_is_in_it() {
    let folder = TempDir::new().expect("a folder");
    let cache = open(folder.path());
    keep(&cache, &source(1), EngineKind::Winch);
    fs::write(folder.path().join("other.weircode"), "what is this").expect("it can be written");
    let listed = cache.list().expect("it can be looked through");
    let codes: Vec<_> = listed.iter().filter_map(|file| file.code.clone()).collect();
    assert_eq!(codes, [(source(1).digest().clone(), EngineKind::Winch)]);
    assert_eq!(listed.len(), 2);
}

#[test]
fn every_engine_gives_the_same_answers_and_ends_endless_loops() {
    let text = on_request(
        "",
        "(if (i32.eq (local.get 1) (i32.const 1)) (then (loop (br 0))))
         (i32.wrap_i64 (i64.rem_u (i64.mul (i64.extend_i32_u (local.get 1)) (i64.const 0x9E3779B97F4A7C15)) (i64.const 1000)))",
    );
    let binary = wat::parse_str(text).expect("a module");
    let mut answers = Vec::new();
    for kind in EngineKind::ALL {
        let program = load_for(kind, &binary, ProgramOptions::default()).expect("a plugin");
        assert_eq!(program.engine, kind);
        let mut vm = start(&program, Script::new()).expect("it starts");
        let ask = |count| weir_guest::Event::RequestHeaders {
            context: 2,
            count,
            end: true,
        };
        answers.push([2, 77, 4096].map(|count| vm.deliver(&ask(count), CALL).expect("an answer")));
        let limit = Duration::from_millis(100);
        let ended = vm.deliver(&ask(1), limit).expect_err("the loop is ended");
        assert!(
            ended.to_string().contains("100"),
            "{}: {ended}",
            kind.name()
        );
    }
    assert_eq!((answers[0], answers[0]), (answers[1], answers[2]));
}

#[test]
fn deep_recursion_is_the_guests_failure_on_every_engine() {
    let text = format!(
        "(module {} {} {} (func $deep (param i32) (result i32)
            (i32.add (i32.const 1) (call $deep (local.get 0))))
         (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
            (call $deep (local.get 0))))",
        crate::common::MARKER,
        crate::common::MEMORY,
        crate::common::MALLOC
    );
    let binary = wat::parse_str(text).expect("a module");
    for kind in EngineKind::ALL {
        let program = load_for(kind, &binary, ProgramOptions::default()).expect("a plugin");
        let mut vm = start(&program, Script::new()).expect("it starts");
        let ended = vm.deliver(&REQUEST_HEADERS, CALL);
        assert!(ended.is_err(), "{}", kind.name());
        assert!(vm.has_failed());
    }
}

#[test]
fn programs_of_different_engines_run_in_one_host() {
    let host = weir_guest::Host::new(engine()).expect("a host");
    let binary = source(4);
    let mut vms: Vec<_> = EngineKind::ALL
        .into_iter()
        .map(|kind| {
            let program =
                load_for(kind, binary.bytes(), ProgramOptions::default()).expect("a plugin");
            host.start(&program, Script::new(), &GuestLimits::default())
                .expect("it starts")
        })
        .collect();
    for vm in &mut vms {
        assert_eq!(vm.deliver(&REQUEST_HEADERS, CALL), Ok(4));
    }
}

#[test]
fn whose_fault_it_is_that_a_module_does_not_compile_is_told() {
    let broken = Source::new(b"\0asm\x01\0\0\0\x0a".to_vec());
    for kind in EngineKind::ALL {
        let error = Compiled::make(&broken, kind, Pace::Patient)
            .err()
            .expect("it is broken");
        assert!(
            matches!(error, LoadError::Corrupted(_)),
            "{}: {error}",
            kind.name()
        );
    }
    let tail_call = "(module (func $f (result i32) (return_call $f)))";
    let fine = Source::new(wat::parse_str(tail_call).expect("a module"));
    assert!(Compiled::make(&fine, EngineKind::Cranelift, Pace::Patient).is_ok());
    let error = Compiled::make(&fine, EngineKind::Winch, Pace::Patient)
        .err()
        .expect("it cannot");
    assert!(
        matches!(
            error,
            LoadError::Engine {
                engine: "winch",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn only_much_code_makes_a_module_slow_to_compile() {
    let small = source(1);
    assert!(small.compiles_quickly());
    let big_data = format!(
        "(module (memory 100) (data (i32.const 0) \"{}\"))",
        "x".repeat(1 << 20)
    );
    assert!(Source::new(wat::parse_str(big_data).expect("a module")).compiles_quickly());
    let functions =
        "(func (result i32) (i32.add (i32.const 1111111) (i32.const 2222222)))".repeat(20_000);
    let big = wat::parse_str(format!("(module {functions})")).expect("a module");
    assert!(!Source::new(big).compiles_quickly());
    assert!(Source::new(b"no module".to_vec()).compiles_quickly());
}
