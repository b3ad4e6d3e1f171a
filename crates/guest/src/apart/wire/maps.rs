//! Calls about shared maps, and their replies, as bytes.

use std::sync::Arc;
use std::time::Duration;

use weir_maps::call::{MapCall, MapOp, MapReply};
use weir_maps::region::Lease;
use weir_maps::store::Condition;
use weir_maps::{Eviction, MapOptions, Rights, Terms, Value};
use weir_model::limits::maps as limits;

use super::{Field, Reader, Violation, choices, record};

choices!(impl['b] MapCall<'b>, "there is no such call about maps" {
    0 Open { name, rights };
    1 OpenGranted { name };
    2 Create { options };
    3 Close { handle };
    4 Dup { handle, rights };
    5 Lend { handle, rights, to };
    6 Transfer { handle, to };
    7 Accept { ticket };
    8 Rights { handle };
    9 Stat { handle };
    10 Get { handle, key };
    11 Set { handle, key, value, terms };
    12 Delete { handle, key };
    13 Exists { handle, key };
    14 Add { handle, key, delta };
    15 Scan { handle, prefix, cursor, bytes };
    16 Batch { handle, ops };
    17 Clear { handle };
    18 Watch { handle, prefix };
    19 Next { watch, timeout_ms, bytes };
    20 Unwatch { watch };
    21 PutMap { handle, key, child };
    22 GetMap { handle, key };
    23 RegionCreate { handle, key, bytes };
    24 RegionMap { handle, key, offset, bytes, prot };
    25 RegionUnmap { address, bytes };
    26 RegionHand { handle, key, to, to_key };
});

choices!(impl['b] MapOp<'b>, "there is no such operation" {
    0 Check { key, condition };
    1 Set { key, value, terms };
    2 Delete { key };
    3 Add { key, delta };
});

choices!(impl[] MapReply, "there is no such reply about maps" {
    0 Done;
    1 Refused(errno, number);
    2 Number(number);
    3 Entry(value, version);
    4 Counted(value, version);
    5 Ticket(ticket);
    6 Page(bytes, cursor);
    7 Bytes(bytes);
    8 Region(lease);
});

/// A region cannot leave its process: nobody is to be answered one, and none is believed.
impl Field<'_> for Arc<Lease> {
    fn put(&self, _: &mut Vec<u8>) {}

    fn take(_: &mut Reader<'_>) -> Result<Self, Violation> {
        Err(Violation("a region from another process"))
    }
}

choices!(impl[] Condition, "there is no such condition" {
    0 Always; 1 Absent; 2 Version(version);
});

choices!(impl[] Eviction, "there is no such eviction" { 0 Refuse; 1 Lru; });

record!(Terms {
    condition,
    ttl,
    bytes_max
});

impl Field<'_> for Rights {
    fn put(&self, out: &mut Vec<u8>) {
        self.bits().put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let rights = Self::from_bits(u64::take(reader)?);
        rights.map_err(|_| Violation("there is no such right"))
    }
}

impl Field<'_> for MapOptions {
    fn put(&self, out: &mut Vec<u8>) {
        self.entries_max.put(out);
        self.bytes_max.put(out);
        (self.value_bytes_max as u64).put(out);
        self.ttl.put(out);
        self.eviction.put(out);
        (self.shards as u64).put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        let length = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self {
            entries_max: u64::take(reader)?,
            bytes_max: u64::take(reader)?,
            value_bytes_max: length(u64::take(reader)?),
            ttl: <Option<Duration> as Field<'_>>::take(reader)?,
            eviction: Eviction::take(reader)?,
            // What makes no sense is refused where maps are made.
            shards: length(u64::take(reader)?),
        })
    }
}

/// A value of bytes: guests are never shown references.
impl Field<'_> for Value {
    fn put(&self, out: &mut Vec<u8>) {
        self.bytes().unwrap_or_default().put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Self, Violation> {
        <&[u8]>::take(reader).map(Self::copy_of)
    }
}

impl<'b> Field<'b> for &'b [MapOp<'b>] {
    fn put(&self, out: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).put(out);
        for op in *self {
            op.put(out);
        }
    }

    fn take(reader: &mut Reader<'b>) -> Result<Self, Violation> {
        let ops = Vec::<MapOp<'b>>::take(reader)?;
        if ops.len() > limits::BATCH_OPS_MAX {
            return Err(Violation("a batch is longer than any may be"));
        }
        let place = reader.batch.take();
        let place = place.ok_or(Violation("a batch where there is none"))?;
        Ok(place.get_or_init(|| ops.into()))
    }
}
