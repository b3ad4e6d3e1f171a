//! The image pipeline (`examples/image-pipeline`) in the gateway: its results to the last bit, what its
//! stages can reach, and what clients get when one of them fails.

use std::io::Cursor;

use serde_json::Value;

use crate::harness::{Gateway, Seen, Upstream};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/image-pipeline");

/// The example's configuration, on free ports and with a service to be told.
fn site(service: &str, change: (&str, &str)) -> String {
    let file = format!("{FOLDER}/weir.yaml");
    let site = std::fs::read_to_string(file).expect("the example is there");
    assert!(site.contains(change.0), "{site}");
    let site = site.replace(change.0, change.1);
    let files = format!("{{ file: {FOLDER}/");
    site.replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9000", service)
        .replace("{ file: ", &files)
        .replace(&format!("{FOLDER}//"), "/")
}

fn started(change: (&str, &str)) -> (Gateway, Upstream, Seen) {
    let (service, seen) = Upstream::echoing();
    let gateway = Gateway::start(&site(&service.address.to_string(), change));
    (gateway, service, seen)
}

const AS_IT_IS: (&str, &str) = ("", "");

/// A picture without any pattern.
fn picture((width, height): (usize, usize)) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..width * height * 4).map(|_| next()).collect()
}

fn packed(pixels: &[u8], (width, height): (usize, usize), color: png::ColorType) -> Vec<u8> {
    let side = |length| u32::try_from(length).expect("it is small");
    let mut packed = Vec::new();
    let mut encoder = png::Encoder::new(&mut packed, side(width), side(height));
    encoder.set_color(color);
    let mut writer = encoder.write_header().expect("a head");
    writer.write_image_data(pixels).expect("pixels");
    drop(writer);
    packed
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let decoder = png::Decoder::new(Cursor::new(packed));
    let mut reader = decoder.read_info().expect("a PNG");
    let grey = (png::ColorType::Grayscale, png::BitDepth::Eight);
    assert_eq!(reader.output_color_type(), grey);
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits")];
    reader.next_frame(&mut pixels).expect("pixels");
    pixels
}

/// What the stages shall make of a picture, by definition.
fn expected(pixels: &[u8], (width, height): (usize, usize)) -> [Vec<u8>; 2] {
    let grey: Vec<u8> = pixels
        .chunks_exact(4)
        .map(|p| {
            let sum = 9798 * u32::from(p[0]) + 19235 * u32::from(p[1]) + 3735 * u32::from(p[2]);
            let exact = 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]);
            let grey = u8::try_from((sum + 16384) >> 15).expect("a byte");
            assert!((f64::from(grey) - exact).abs() < 0.51);
            grey
        })
        .collect();
    let at = |x: usize, y: usize, (dx, dy): (usize, usize)| {
        let x = (x + dx).saturating_sub(1).min(width - 1);
        let y = (y + dy).saturating_sub(1).min(height - 1);
        i32::from(grey[y * width + x])
    };
    let kernel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]];
    let mut edges = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (mut across, mut down) = (0, 0);
            for (dy, row) in kernel.iter().enumerate() {
                for (dx, weight) in row.iter().enumerate() {
                    across += weight * at(x, y, (dx, dy));
                    // The same kernel, turned.
                    down += weight * at(x, y, (dy, dx));
                }
            }
            edges.push(u8::try_from(across.abs() + down.abs()).unwrap_or(u8::MAX));
        }
    }
    [grey, edges]
}

/// Uploads something.
fn upload(gateway: &Gateway, query: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "POST /upload?{query} HTTP/1.1\r\nhost: test\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let response = gateway.ask([head.as_bytes(), body].concat());
    (response.status(), response.text())
}

const PNG: &str = "image/png";
const RAW: &str = "application/octet-stream";

#[track_caller]
fn check_stored(gateway: &Gateway, told: &str, expected: &[Vec<u8>; 2]) -> Value {
    let told: Value = serde_json::from_str(told).expect(told);
    for (name, expected) in ["grey", "edges"].into_iter().zip(expected) {
        let path = told[name].as_str().expect("a path");
        let response = gateway.get(path, "");
        assert_eq!(response.header("content-type"), Some("image/png"));
        assert!(unpacked(&response.body) == *expected, "{name} of {told}");
    }
    told
}

#[test]
fn pictures_go_through_all_stages() {
    let (gateway, service, seen) = started(AS_IT_IS);
    for size in [(37, 21), (1, 1), (2, 3), (18, 2), (300, 200)] {
        let pixels = picture(size);
        let expected = expected(&pixels, size);
        let query = format!("width={}&height={}", size.0, size.1);
        let png = packed(&pixels, size, png::ColorType::Rgba);
        for pass in ["region", "copy"] {
            for (query, kind, body) in [
                (format!("pass={pass}"), PNG, &png),
                (format!("pass={pass}&{query}"), RAW, &pixels),
            ] {
                let (status, told) = upload(&gateway, &query, kind, body);
                assert_eq!(status, 201, "{told}");
                let told = check_stored(&gateway, &told, &expected);
                assert_eq!(told["pass"], pass);
                assert_eq!(told["not_notified"], Value::Null, "{told}");
                let stages = told["stages"].as_array().expect("stages");
                assert_eq!(stages.len(), 5, "{told}");
                let notification = seen.last();
                let heard: Value = serde_json::from_slice(&notification.body).expect("JSON");
                assert_eq!(notification.path(), "/pictures");
                assert_eq!(
                    (&heard["id"], &heard["edges"]),
                    (&told["id"], &told["edges"])
                );
            }
        }
    }
    drop(service);
    gateway.end();
}

#[test]
fn grey_and_opaque_pictures_are_unpacked() {
    let (gateway, _service, _) = started(AS_IT_IS);
    let size = (21, 9);
    let pixels = picture(size);
    let rgb: Vec<u8> = pixels.chunks(4).flat_map(|p| p[..3].to_vec()).collect();
    let grey: Vec<u8> = pixels.chunks(4).map(|p| p[0]).collect();
    let as_rgba: Vec<u8> = grey.iter().flat_map(|g| [*g, *g, *g, 255]).collect();
    for (color, bytes, as_rgba) in [
        (png::ColorType::Rgb, &rgb, &pixels),
        (png::ColorType::Grayscale, &grey, &as_rgba),
    ] {
        let (status, told) = upload(&gateway, "", PNG, &packed(bytes, size, color));
        assert_eq!(status, 201, "{told}");
        check_stored(&gateway, &told, &expected(as_rgba, size));
    }
    gateway.end();
}

#[test]
fn no_region_is_left() {
    let (gateway, _service, _) = started(AS_IT_IS);
    let size = (64, 64);
    // More than there can be at once.
    for _ in 0..100 {
        let query = "width=64&height=64";
        assert_eq!(upload(&gateway, query, RAW, &picture(size)).0, 201);
    }
    assert_eq!(gateway.stats()["maps"]["tickets"], 0);
    gateway.end();
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let (gateway, _service, _) = started(AS_IT_IS);
    let page = gateway.get("/", "");
    assert_eq!(page.status(), 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
    for (path, status) in [("/pictures/none/grey.png", 404), ("/other", 404)] {
        assert_eq!(gateway.get(path, "").status(), status, "{path}");
    }
    assert_eq!(gateway.get("/upload", "").status(), 405);
    gateway.end();
}

#[test]
fn uploads_that_are_no_pictures_are_refused() {
    let (gateway, _service, seen) = started(AS_IT_IS);
    let short = &picture((2, 2))[..15];
    let broken = &packed(&picture((9, 9)), (9, 9), png::ColorType::Rgba)[..60];
    // A head that promises more than anybody has.
    let mut huge = packed(&[0; 4], (1, 1), png::ColorType::Rgba);
    huge[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
    let sum = crc(&huge[12..29]).to_be_bytes();
    huge[29..33].copy_from_slice(&sum);
    for (query, kind, body, status, part) in [
        ("", PNG, &b"GIF89a"[..], 400, "no PNG"),
        ("", PNG, broken, 400, "no PNG"),
        ("", PNG, &huge, 413, "pixels"),
        ("width=2&height=2", RAW, short, 400, "expected 16 bytes"),
        ("width=2", RAW, short, 400, "expected ?width"),
        ("width=99999&height=99999", RAW, short, 413, "pixels"),
        ("pass=magic", PNG, short, 400, "pass=region"),
    ] {
        let (told, text) = upload(&gateway, query, kind, body);
        assert_eq!(told, status, "{query}: {text}");
        assert!(text.contains(part), "{query}: {text}");
    }
    assert!(seen.take().is_empty(), "nobody is told");
    gateway.end();
}

/// As PNG has it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut sum: u32, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
        sum
    })
}

#[test]
fn a_stage_that_traps_is_named() {
    let folder = tempfile::TempDir::new().expect("a folder can be made");
    let trap = r#"(module (memory (export "memory") 1)
        (func (export "handle") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            (unreachable)))"#;
    let file = folder.path().join("trap.wasm");
    std::fs::write(&file, wat::parse_str(trap).expect("it is valid")).expect("it is written");
    let file = file.display().to_string();
    let (gateway, _service, seen) = started(("edges.wasm", &file));
    for pass in ["region", "copy"] {
        let query = format!("pass={pass}&width=4&height=4");
        let (status, text) = upload(&gateway, &query, RAW, &picture((4, 4)));
        assert_eq!(status, 502, "{text}");
        assert!(text.contains("the stage edges failed"), "{text}");
    }
    assert!(seen.take().is_empty(), "nobody is told");
    assert_eq!(gateway.stats()["maps"]["tickets"], 0);
    gateway.end();
}

#[test]
fn a_picture_is_stored_even_if_nobody_hears_of_it() {
    let size = (5, 5);
    for (change, part) in [
        (("\"127.0.0.1:9000\"", "\"127.0.0.1:1\""), "no grant"),
        (
            (
                "functions: [grey, edges, store, notify]",
                "functions: [grey, edges, store]",
            ),
            "no grant",
        ),
        (("9000/pictures", "9000/fail"), "answered 500"),
    ] {
        let service = Upstream::start(|mut wire, _| {
            let request = wire.request();
            let status = if request.path() == "/fail" {
                "500 No"
            } else {
                "200 Yes"
            };
            wire.send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
        });
        let gateway = Gateway::start(&site(&service.address.to_string(), change));
        let pixels = picture(size);
        let (status, told) = upload(&gateway, "width=5&height=5", RAW, &pixels);
        assert_eq!(status, 201, "{told}");
        let told = check_stored(&gateway, &told, &expected(&pixels, size));
        let reason = told["not_notified"].as_str().expect("a reason");
        assert!(reason.contains(part), "{reason}");
        gateway.end();
    }
}

#[test]
fn a_stage_has_only_what_it_is_given() {
    let route = "- { function: page }";
    let more = "- { match: { path: /grey }, function: grey }\n      - { function: page }";
    let (gateway, _service, _) = started((route, more));
    let ask = |headers: &str| {
        let head = "POST /grey?width=1&height=1 HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n";
        gateway.ask(format!("{head}{headers}\r\nabcd"))
    };
    assert_eq!(ask("").status(), 200);
    let forged = ask("x-from: 000102030405060708090a0b0c0d0e0f\r\n");
    assert_eq!(forged.status(), 500);
    assert!(forged.text().contains("a map refused"), "{}", forged.text());
    for ticket in [
        "00",
        "zz0102030405060708090a0b0c0d0e0f",
        "+1+2+3+4+5+6+7+8+9+a+b+c+d+e+f+0",
    ] {
        assert_eq!(
            ask(&format!("x-from: {ticket}\r\n")).status(),
            400,
            "{ticket}"
        );
    }
    gateway.end();
}
