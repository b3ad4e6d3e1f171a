//! Framing of replies, which commands go out, and what becomes of them.

mod client;

use weir_model::limits;

use super::command::{Refusal, vet};
use super::frame::{FrameError, Scanner};
use super::service::Service;

/// Replies one behind the other, cut at every place: each is found whole, and only then.
#[track_caller]
fn found(replies: &[&[u8]]) {
    let whole = replies.concat();
    for cut in 0..=whole.len() {
        let (mut scanner, mut inbox, mut seen) = (Scanner::default(), Vec::new(), Vec::new());
        for piece in [&whole[..cut], &whole[cut..]] {
            inbox.extend_from_slice(piece);
            while !inbox.is_empty()
                && let Some(end) = scanner.scan(&inbox).expect("it is RESP")
            {
                seen.push(inbox.drain(..end).collect::<Vec<u8>>());
            }
        }
        assert_eq!(seen, replies, "cut at {cut}");
        assert!(inbox.is_empty());
    }
}

#[test]
fn replies_are_found_in_any_pieces() {
    found(&[
        b"+OK\r\n",
        b"-ERR no\r\n",
        b":-12\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
    ]);
    found(&[b"$0\r\n\r\n", b"$5\r\na\r\nbc\r\n", b"*0\r\n"]);
    found(&[b"*3\r\n:1\r\n*2\r\n$1\r\na\r\n*-1\r\n-no\r\n", b"+x\r\n"]);
}

#[test]
fn depth_costs_nothing() {
    let mut reply = b"*1\r\n".repeat(1_000_000);
    reply.extend_from_slice(b":1\r\n");
    assert_eq!(Scanner::default().scan(&reply), Ok(Some(reply.len())));
}

#[track_caller]
fn refused(reply: &[u8], error: FrameError) {
    assert_eq!(Scanner::default().scan(reply), Err(error), "{reply:?}");
}

#[test]
fn what_is_no_reply_ends_the_connection() {
    let at = |at| FrameError::Malformed { at };
    refused(b"?\r\n", at(0));
    refused(b"+OK\n", at(0));
    refused(b":+1\r\n", at(0));
    refused(b":01\r\n", at(0));
    refused(b"$-2\r\n", at(0));
    refused(b"*x\r\n", at(0));
    refused(b"$1\r\nabc\r\n", at(5));
    refused(b"*1\r\n%1\r\n", at(4));
    refused(&vec![b'+'; limits::REDIS_LINE_BYTES_MAX + 1], at(0));
    refused(b"$99999999999\r\n", FrameError::TooLarge);
    refused(b"*99999999999\r\n", FrameError::TooLarge);
    let large = format!("${}\r\n", limits::REDIS_REPLY_BYTES_MAX);
    refused(large.as_bytes(), FrameError::TooLarge);
    let mut many = b"*2\r\n".to_vec();
    for _ in 0..2 {
        many.extend_from_slice(format!("${}\r\n", limits::REDIS_REPLY_BYTES_MAX / 2).as_bytes());
        many.resize(many.len() + limits::REDIS_REPLY_BYTES_MAX / 2, b'a');
        many.extend_from_slice(b"\r\n");
    }
    refused(&many, FrameError::TooLarge);
}

#[test]
fn one_command_goes_out() {
    for command in [
        &b"*1\r\n$4\r\nPING\r\n"[..],
        b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\n\r\n\0\r\n",
    ] {
        assert_eq!(vet(command), Ok(()));
    }
}

#[test]
fn what_would_shift_replies_does_not() {
    for (query, at) in [
        (&b""[..], 0),
        (b"PING\r\n", 0),
        (b"*0\r\n", 0),
        (b"*-1\r\n", 0),
        (b"*1\r\n", 4),
        (b"*1\r\n:1\r\n", 4),
        (b"*1\r\n$-1\r\n", 4),
        (b"*1\r\n$04\r\nPING\r\n", 4),
        (b"*1\r\n$4\r\nPING", 12),
        (b"*1\r\n$3\r\nPING\r\n", 11),
        (b"*2\r\n$4\r\nPING\r\n", 14),
        (b"*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n", 14),
        (b"*99999999\r\n", 0),
        (b"*1\r\n$18446744073709551615\r\n", 4),
    ] {
        assert_eq!(vet(query), Err(Refusal::Malformed { at }), "{query:?}");
    }
}

#[test]
fn what_changes_the_connection_does_not() {
    for name in ["SELECT", "select", "Subscribe", "MULTI", "CLIENT", "hello"] {
        let query = format!("*2\r\n${}\r\n{name}\r\n$1\r\n1\r\n", name.len());
        let refusal = vet(query.as_bytes());
        assert!(
            matches!(refusal, Err(Refusal::KeptBack(kept)) if kept.eq_ignore_ascii_case(name)),
            "{name}: {refusal:?}"
        );
    }
}

#[test]
fn a_name_may_say_which_database() {
    let check = |name: &[u8], cluster, database| {
        assert_eq!(Service::of(name), Some(Service { cluster, database }));
    };
    check(b"redis", "redis", None);
    check(
        b"outbound|6379||r.static?db=2",
        "outbound|6379||r.static",
        Some(2),
    );
    check(b"r?buffer_flush_timeout=3&db=15", "r", Some(15));
    check(b"r?db=-1", "r", None);
    check(b"r?db=x&db=4", "r", Some(4));
    assert_eq!(Service::of(b"\xff"), None);
}

/// Bytes of RESP's own alphabet in any order: nothing panics, and what is found is there.
#[test]
fn noise_is_judged_quietly() {
    const ALPHABET: &[u8] = b"*$:+-\r\n\r\n0123459ab";
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = [0; 24];
    let mut found = 0;
    for _ in 0..200_000 {
        for byte in &mut noise {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = ALPHABET[usize::try_from(random >> 40).unwrap() % ALPHABET.len()];
        }
        if let Ok(Some(end)) = Scanner::default().scan(&noise) {
            assert!(end <= noise.len());
            assert_eq!(&noise[end - 2..end], b"\r\n");
            found += 1;
        }
        let _ = vet(&noise);
    }
    assert!(found > 100, "{found}");
}
