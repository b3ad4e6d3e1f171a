//! Pairs that are none: what guests hand over as headers, in every function that takes them.

use super::{filter, script};
use crate::harness::{Gateway, Upstream};

/// Plays the body of the request as pairs, in the way that a header says.
const GUEST: &str = r#"
    (request_headers (!get 0 "x-how") (set a (i32.load8_u (out))) 0)
    (request_body
      (!read 0 0 -1) (set b (out)) (set c (size))
      (if (i32.eq (global.get $a) (i32.const 97)) (then (!env proxy_set_header_map_pairs 0 @b @c)))
      (if (i32.eq (global.get $a) (i32.const 98)) (then (!env proxy_send_local_response 200 0 0 0 0 @b @c -1) (return (i32.const 1))))
      (if (i32.eq (global.get $a) (i32.const 99)) (then (!env proxy_http_call (ptr "up") 2 @b @c 0 0 0 0 1000 64)))
      (if (i32.eq (global.get $a) (i32.const 100)) (then (!env proxy_http_call (ptr "up") 2 (ptr "x") 1 0 0 @b @c 1000 64)))
      (if (i32.eq (global.get $a) (i32.const 101)) (then (!env proxy_grpc_call (ptr "up") 2 (ptr "s") 1 (ptr "m") 1 @b @c 0 0 1000 64)))
      (if (i32.eq (global.get $a) (i32.const 102)) (then (!env proxy_grpc_stream (ptr "up") 2 (ptr "s") 1 (ptr "m") 1 @b @c 64)))
      (if (i32.eq (global.get $a) (i32.const 103)) (then (!env proxy_set_property (ptr "x") 1 @b @c)))
      0)
    (response_headers (if (i32.eq (global.get $a) (i32.const 104)) (then (!env proxy_set_header_map_pairs 2 @b @c))) 0)"#;
const WAYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Pairs of these, with numbers that need not fit.
fn pairs(count: u32, sizes: &[(u32, u32)], rest: &[u8]) -> Vec<u8> {
    let mut bytes = count.to_le_bytes().to_vec();
    for (name, value) in sizes {
        bytes.extend(name.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(rest);
    bytes
}

/// Every way of being broken that the form has.
fn corpus() -> Vec<Vec<u8>> {
    let fine = pairs(1, &[(3, 1)], b"x-a\0b\0");
    let mut corpus: Vec<Vec<u8>> = (1..fine.len()).map(|cut| fine[..cut].to_vec()).collect();
    corpus.extend([
        pairs(u32::MAX, &[], b""),
        pairs(u32::MAX, &[(3, 1)], b"x-a\0b\0"),
        pairs(2, &[(3, 1)], b"x-a\0b\0"),
        pairs(1, &[(u32::MAX, 1)], b"x-a\0b\0"),
        pairs(1, &[(3, u32::MAX)], b"x-a\0b\0"),
        pairs(1, &[(u32::MAX, u32::MAX)], b"x-a\0b\0"),
        pairs(1, &[(0x8000_0000, 0x8000_0000)], b"x-a\0b\0"),
        pairs(1, &[(0, 0)], b"\0\0"),
        pairs(1, &[(3, 1)], b"x-axbx"),
        pairs(1, &[(4, 2)], b"x\r\na\0b\r\0"),
        pairs(1, &[(4, 2)], b":x-a\0\xff\xfe\0"),
        pairs(1, &[(7, 3)], b":status\0abc\0"),
        pairs(1, &[(14, 3)], b"content-length\x00-12\0"),
        pairs(1, &[(17, 7)], b"transfer-encoding\0chunked\0"),
        pairs(1, &[(3, 1)], b"x-a\0b\0 and something behind"),
        pairs(1025, &vec![(1, 1); 1025], &b"a\0b\0".repeat(1025)),
        [&u32::to_le_bytes(1)[..], &vec![0xff; 70_000]].concat(),
        vec![0xff; 4096],
    ]);
    corpus
}

fn play(gateway: &Gateway, way: &str, bytes: &[u8]) -> std::io::Result<u16> {
    let mut wire = gateway.connect();
    let head = format!(
        "POST /{way} HTTP/1.1\r\nhost: h\r\nx-how: {way}\r\ncontent-length: {}\r\n\r\n",
        bytes.len()
    );
    wire.send(head);
    wire.send(bytes);
    wire.try_response().map(|answer| answer.status())
}

#[test]
fn broken_pairs_harm_nobody() {
    let (upstream, _) = Upstream::echoing();
    let gateway = script(GUEST).before(&upstream).start();
    let fine = pairs(1, &[(3, 1)], b"x-a\0b\0");
    for way in WAYS {
        for bytes in corpus() {
            let played = play(&gateway, way, &bytes);
            // An answer, or a cut connection where a head could not be sent.
            if let Ok(status) = played {
                assert!((200..600).contains(&status), "{way} {bytes:?}");
            }
        }
        assert_eq!(gateway.get("/well", "").status(), 200, "{way}");
        assert!(play(&gateway, way, &fine).is_ok(), "{way}");
    }
    // None of it is a fault of the guest that would end it.
    assert_eq!(filter(&gateway)["failures"], 0);
    gateway.end();
}
