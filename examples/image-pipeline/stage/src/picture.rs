//! Pictures on their way from stage to stage.
//!
//! A stage gets a picture in one of two ways. *By region*: two headers carry tickets for maps, of
//! which one holds the picture as a region, to be read where it is, and the other takes what the stage
//! makes of it. *By copy*: the picture is the body, and so is the answer. The second way is there to
//! be compared with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{borrow::Cow, vec};
use core::fmt::Write as _;
use core::ops::Deref;

use wasi_map::region::{self, Span, View};
use wasi_map::{Map, Ticket};

use crate::{Answer, Failure, Request, now};

/// The key of the region in its map.
pub const KEY: &[u8] = b"picture";

/// The most pixels of a picture.
const PIXELS_MAX: usize = 16 << 20;

/// All of a region that is so long.
pub const WHOLE: fn(usize) -> Span = |len| Span { offset: 0, len };

/// Where a picture that a stage reads comes from.
pub enum From {
    /// A map that was lent to this stage.
    Map(Map),
    /// The request's body.
    Body(&'static [u8]),
}

/// A picture that can be read.
pub enum Passed<'a> {
    /// In a region.
    Mapped(View<'a>),
    /// In this module's memory.
    Own(&'a [u8]),
}

impl Deref for Passed<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(view) => view,
            Self::Own(bytes) => bytes,
        }
    }
}

impl From {
    /// The bytes of a picture.
    ///
    /// # Errors
    /// There are not so many.
    pub fn read(&self, bytes: usize) -> Result<Passed<'_>, Failure> {
        match self {
            Self::Map(map) => Ok(Passed::Mapped(region::read(map, KEY, WHOLE(bytes))?)),
            Self::Body(body) if body.len() == bytes => Ok(Passed::Own(body)),
            Self::Body(body) => {
                let text = format!("expected {bytes} bytes of pixels, but got {}", body.len());
                Err(Failure(400, text))
            }
        }
    }
}

/// Width and height of the picture that a request is about.
///
/// # Errors
/// The query has none, or none that make a picture.
pub fn size_of_query(request: &Request) -> Result<(usize, usize), Failure> {
    let number = |name| request.argument(name)?.parse::<usize>().ok();
    let (Some(width), Some(height)) = (number("width"), number("height")) else {
        return Err(Failure::bad("expected ?width=…&height=…"));
    };
    match width.checked_mul(height) {
        Some(1..=PIXELS_MAX) => Ok((width, height)),
        Some(_) | None => Err(Failure(413, format!("expected 1 to {PIXELS_MAX} pixels"))),
    }
}

/// The picture that a header carries a ticket of; without one, the body.
///
/// # Errors
/// The ticket is none, or is not for this stage.
pub fn to_read(request: &Request, header: &str) -> Result<From, Failure> {
    Ok(match ticket(request, header)? {
        Some(map) => From::Map(map),
        None => From::Body(request.body),
    })
}

fn ticket(request: &Request, header: &str) -> Result<Option<Map>, Failure> {
    let Some(text) = request.header(header) else {
        return Ok(None);
    };
    let mut bytes = [0; 16];
    let digits = text.as_bytes().chunks_exact(2);
    if text.len() != 2 * bytes.len() || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(Failure::bad("expected a ticket of 32 hexadecimal digits"));
    }
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        let digits = core::str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    Ok(Some(Map::accept(&Ticket::from_bytes(bytes))?))
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A stage that makes one picture of another: reads `from` pixels of so many bytes each, and writes a
/// byte for each.
///
/// # Errors
/// The request is none for such a stage, or a map refuses.
pub fn filter(
    request: &Request,
    bytes_each: usize,
    make: impl FnOnce(&[u8], &mut [u8], (usize, usize)),
) -> Result<Answer, Failure> {
    let (width, height) = size_of_query(request)?;
    let from = to_read(request, "x-from")?;
    let begun = now();
    let picture = from.read(width * height * bytes_each)?;
    let mut body = Cow::Borrowed(&[][..]);
    if let Some(to) = ticket(request, "x-to")? {
        let bytes = width * height;
        region::create(&to, KEY, bytes as u64)?;
        let mut place = region::write(&to, KEY, WHOLE(bytes))?;
        make(&picture, &mut place, (width, height));
    } else {
        let mut pixels: Vec<u8> = vec![0; width * height];
        make(&picture, &mut pixels, (width, height));
        body = Cow::Owned(pixels);
    }
    let mut answer = Answer::of(200, "application/octet-stream", body);
    let micros = (now() - begun) / 1000;
    answer.headers.push(("x-micros", format!("{micros}")));
    Ok(answer)
}
