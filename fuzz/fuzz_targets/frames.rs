//! Whatever a gRPC server or a Redis sends, in whatever pieces, and whatever command a guest has for a
//! Redis: no panic, and the pieces do not matter.
#![no_main]
#![allow(dead_code, unused_imports, unreachable_pub, reason = "the gateway uses the rest")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proxy/src/grpc"]
mod grpc {
    pub mod frames;
}

#[path = "../../crates/proxy/src/redis"]
mod redis {
    mod command;
    mod frame;

    /// The lengths of all replies, read from pieces of this size.
    pub fn lengths(bytes: &[u8], step: usize) -> Vec<usize> {
        let (mut scanner, mut lengths) = (frame::Scanner::default(), Vec::new());
        let (mut from, mut to) = (0, 0);
        while to < bytes.len() {
            to = (to + step).min(bytes.len());
            loop {
                match scanner.scan(&bytes[from..to]) {
                    Ok(Some(length)) => {
                        lengths.push(length);
                        from += length;
                    }
                    Ok(None) => break,
                    Err(error) => {
                        assert!(!error.to_string().is_empty());
                        return lengths;
                    }
                }
            }
        }
        lengths
    }

    pub fn vet(query: &[u8]) {
        if let Err(refusal) = command::vet(query) {
            assert!(!refusal.to_string().is_empty());
        }
    }
}

fn messages(bytes: &[u8], step: usize) -> (Vec<bytes::Bytes>, bool) {
    let (mut frames, mut messages) = (grpc::frames::Frames::default(), Vec::new());
    for piece in bytes.chunks(step) {
        frames.push(piece);
        loop {
            match frames.next() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, true),
            }
        }
    }
    (messages, false)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = input;
    let step = usize::from(step).max(1);
    assert_eq!(messages(bytes, step), messages(bytes, bytes.len().max(1)));
    assert_eq!(redis::lengths(bytes, step), redis::lengths(bytes, bytes.len().max(1)));
    redis::vet(bytes);
});
