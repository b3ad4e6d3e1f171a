//! The Rust half of an exchange of structs between languages; `../../c/packet.c` is the other.
//!
//! `send_packet` puts a `DataPacket` into the map `packets`, where the C module's `process_packet`
//! doubles its value; `packet_value` reads it. The struct has the layout of C in both, so its bytes
//! need no encoding. The functions with `_region` do the same in a region, which both map instead of
//! copying. There is no standard library in it: it imports nothing but maps.
#![cfg_attr(target_arch = "wasm32", no_std)]

use core::mem::offset_of;

use wasi_map::region::{self, Span};
use wasi_map::{Error, Map, Rights};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// What the modules exchange.
#[repr(C)]
struct DataPacket {
    id: u32,
    value: f64,
}

const BYTES: usize = size_of::<DataPacket>();
const ID: usize = offset_of!(DataPacket, id);
const VALUE: usize = offset_of!(DataPacket, value);
const _: () = assert!(BYTES == 16 && VALUE == 8, "as C lays it out");

impl DataPacket {
    /// Its bytes, with zeros between the fields.
    fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[ID..ID + 4].copy_from_slice(&self.id.to_le_bytes());
        bytes[VALUE..].copy_from_slice(&self.value.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8; BYTES]) -> Self {
        let (mut id, mut value) = ([0; 4], [0; 8]);
        id.copy_from_slice(&bytes[ID..ID + 4]);
        value.copy_from_slice(&bytes[VALUE..]);
        Self {
            id: u32::from_le_bytes(id),
            value: f64::from_le_bytes(value),
        }
    }
}

/// Stores a packet under its number. Answers 0, or the number of the error.
#[unsafe(no_mangle)]
pub extern "C" fn send_packet(id: u32, value: f64) -> i32 {
    number(packets(Rights::WRITE).and_then(|map| {
        let packet = DataPacket { id, value };
        map.set(&id.to_le_bytes(), &packet.bytes())
    }))
}

/// The value of a packet; not a number if there is no such packet.
#[unsafe(no_mangle)]
pub extern "C" fn packet_value(id: u32) -> f64 {
    let mut bytes = [0; BYTES];
    let found = packets(Rights::READ).and_then(|map| map.get_into(&id.to_le_bytes(), &mut bytes));
    value(id, matches!(found, Ok(Some((BYTES, _)))).then_some(&bytes))
}

/// Makes a region with one packet in it, under its number. Answers 0, or the number of the error.
#[unsafe(no_mangle)]
pub extern "C" fn send_packet_region(id: u32, value: f64) -> i32 {
    let rights = Rights::WRITE | Rights::MAP_READ | Rights::MAP_WRITE;
    number(packets(rights).and_then(|map| {
        let key = id.to_le_bytes();
        region::create(&map, &key, BYTES as u64)?;
        let mut mapped = region::write(&map, &key, WHOLE)?;
        mapped.copy_from_slice(&DataPacket { id, value }.bytes());
        Ok(())
    }))
}

/// The value of the packet in a region; not a number if there is no such region.
#[unsafe(no_mangle)]
pub extern "C" fn packet_value_region(id: u32) -> f64 {
    let read = |map: Map| {
        let mapped = region::read(&map, &id.to_le_bytes(), WHOLE)?;
        Ok(mapped.first_chunk().copied())
    };
    let rights = Rights::READ | Rights::MAP_READ;
    let bytes: Result<_, Error> = packets(rights).and_then(read);
    value(id, bytes.ok().flatten().as_ref())
}

const WHOLE: Span = Span {
    offset: 0,
    len: BYTES,
};

fn packets(rights: Rights) -> Result<Map, Error> {
    Map::open("packets", rights)
}

fn value(id: u32, bytes: Option<&[u8; BYTES]>) -> f64 {
    let packet = bytes.map(DataPacket::of).filter(|packet| packet.id == id);
    packet.map_or(f64::NAN, |packet| packet.value)
}

fn number(done: Result<(), Error>) -> i32 {
    done.err().map_or(0, Error::errno)
}
