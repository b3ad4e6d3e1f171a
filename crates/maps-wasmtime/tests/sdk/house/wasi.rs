//! As much of WASI as Go's runtime needs to start: no arguments, no files, a clock that moves.

use wasmtime::{Caller, Extern, Linker};

use super::Host;

const WASI: &str = "wasi_snapshot_preview1";
const SUCCESS: i32 = 0;
const BADF: i32 = 8;

pub(super) fn link(linker: &mut Linker<Host>) {
    for sizes in ["args_sizes_get", "environ_sizes_get"] {
        let none = |mut guest: Caller<'_, Host>, count: i32, bytes: i32| {
            put(&mut guest, count, &[0; 4]);
            put(&mut guest, bytes, &[0; 4]);
            SUCCESS
        };
        linker.func_wrap(WASI, sizes, none).unwrap();
    }
    for list in ["args_get", "environ_get"] {
        linker
            .func_wrap(WASI, list, |_: i32, _: i32| SUCCESS)
            .unwrap();
    }
    let clock = |mut guest: Caller<'_, Host>, _: i32, _: i64, out: i32| {
        let elapsed = guest.data().started.elapsed().as_nanos();
        put(
            &mut guest,
            out,
            &u64::try_from(elapsed).unwrap().to_le_bytes(),
        );
        SUCCESS
    };
    linker.func_wrap(WASI, "clock_time_get", clock).unwrap();
    let random = |mut guest: Caller<'_, Host>, at: i32, bytes: i32| {
        put(&mut guest, at, &vec![7; usize::try_from(bytes).unwrap()]);
        SUCCESS
    };
    linker.func_wrap(WASI, "random_get", random).unwrap();
    let no_file = |_: i32, _: i32| BADF;
    for about in ["fd_prestat_get", "fd_fdstat_get", "fd_fdstat_set_flags"] {
        linker.func_wrap(WASI, about, no_file).unwrap();
    }
    linker.func_wrap(WASI, "fd_write", write).unwrap();
    let idle = |_: i32, _: i32, _: i32, _: i32| SUCCESS;
    linker.func_wrap(WASI, "poll_oneoff", idle).unwrap();
    linker.func_wrap(WASI, "sched_yield", || SUCCESS).unwrap();
}

/// What the guest says is shown with a test that fails.
#[expect(clippy::print_stdout, reason = "the test's own output")]
fn write(mut guest: Caller<'_, Host>, _: i32, vectors: i32, count: i32, out: i32) -> i32 {
    let mut written = 0;
    for number in 0..count {
        let (at, bytes) = (
            word(&mut guest, vectors + 8 * number),
            vectors + 8 * number + 4,
        );
        let bytes = word(&mut guest, bytes);
        let memory = memory(&mut guest);
        let text = &memory[usize::try_from(at).unwrap()..][..usize::try_from(bytes).unwrap()];
        print!("{}", String::from_utf8_lossy(text));
        written += bytes;
    }
    put(&mut guest, out, &written.to_le_bytes());
    SUCCESS
}

fn word(guest: &mut Caller<'_, Host>, at: i32) -> i32 {
    let memory = memory(guest);
    let bytes = memory[usize::try_from(at).unwrap()..]
        .first_chunk()
        .unwrap();
    i32::from_le_bytes(*bytes)
}

fn put(guest: &mut Caller<'_, Host>, at: i32, bytes: &[u8]) {
    let at = usize::try_from(at).unwrap();
    memory(guest)[at..at + bytes.len()].copy_from_slice(bytes);
}

fn memory<'g>(guest: &'g mut Caller<'_, Host>) -> &'g mut [u8] {
    let memory = guest.get_export("memory").and_then(Extern::into_memory);
    memory.unwrap().data_mut(guest)
}
