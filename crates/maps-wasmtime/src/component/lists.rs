//! Scans and batches: lists that cross in one piece.

use bytes::Bytes;
use wasmtime::component::Resource;
use weir_maps::call::packed::{self, PackedItem};
use weir_maps::scan::{Cursor, START};
use weir_maps::{MapCall, MapOp, MapReply, Rights};
use weir_model::limits::maps as limits;

use super::MapCtx;
use super::begun::Scanner;
use super::made::map::wasi_map::map::maps::HostScanner;
use super::made::map::wasi_map::map::types::{Content, Item, Operation, Outcome};
use super::maps::{condition_of, terms_of};
use super::refused::{OVERFLOW, Refused};

impl HostScanner for MapCtx<'_> {
    async fn next(&mut self, scanner: Resource<Scanner>, bytes: u32) -> Result<Vec<Item>, Refused> {
        let scan = self.begun.scanners.get(scanner.rep())?;
        let (handle, prefix) = (scan.handle, scan.prefix.clone());
        let Some(cursor) = scan.cursor else {
            return Ok(Vec::new());
        };
        let (page, next) = self.page((handle, &prefix), cursor, bytes).await?;
        self.begun.scanners.get(scanner.rep())?.cursor = next;
        Ok(packed::items(&page).map(item).collect())
    }

    async fn drop(&mut self, scanner: Resource<Scanner>) -> wasmtime::Result<()> {
        let scan = self.begun.scanners.remove(scanner.rep())?;
        self.give_back(scan.handle).await
    }
}

impl MapCtx<'_> {
    pub(super) async fn begin_scan(
        &mut self,
        handle: u32,
        prefix: Vec<u8>,
    ) -> Result<Resource<Scanner>, Refused> {
        if prefix.len() > limits::KEY_BYTES_MAX {
            return Err(Refused::INVALID);
        }
        self.begun.scanners.check_room()?;
        let handle = self.own_handle(handle, Rights::LIST).await?;
        let cursor = Some(START);
        let scanner = Scanner {
            handle,
            prefix,
            cursor,
        };
        self.begun.scanners.add(scanner).map(Resource::new_own)
    }

    /// A page of at most so many bytes that has entries, unless there are none any more, and where the
    /// next one begins.
    pub(super) async fn page(
        &mut self,
        (handle, prefix): (u32, &[u8]),
        mut cursor: Cursor,
        bytes: u32,
    ) -> Result<(Bytes, Option<Cursor>), Refused> {
        let mut room = bytes.min(limits::COMPONENT_PAGE_BYTES_MAX);
        loop {
            let call = MapCall::Scan {
                handle,
                prefix,
                cursor,
                bytes: room,
            };
            match self.ask(call).await {
                Ok(MapReply::Page(page, START)) => return Ok((page, None)),
                Ok(MapReply::Page(page, next)) if page.is_empty() => cursor = next,
                Ok(MapReply::Page(page, next)) => return Ok((page, Some(next))),
                Ok(_) => return Err(Refused::MISANSWERED),
                // One entry that is longer than our pages.
                Err(Refused::Number(OVERFLOW, needed))
                    if room < bytes && needed <= u64::from(bytes) =>
                {
                    room = bytes.min(u32::try_from(needed).unwrap_or(bytes));
                }
                Err(refused) => return Err(refused),
            }
        }
    }

    pub(super) async fn do_batch(
        &mut self,
        handle: u32,
        operations: &[Operation],
    ) -> Result<Vec<Outcome>, Refused> {
        if operations.len() > limits::BATCH_OPS_MAX {
            return Err(Refused::INVALID);
        }
        let ops: Result<Vec<_>, _> = operations.iter().map(op).collect();
        let ops = ops?;
        let call = MapCall::Batch { handle, ops: &ops };
        let MapReply::Bytes(results) = self.ask(call).await? else {
            return Err(Refused::MISANSWERED);
        };
        let outcomes: Vec<_> = operations
            .iter()
            .zip(packed::outcomes(&results))
            .map(outcome)
            .collect();
        if outcomes.len() == operations.len() {
            Ok(outcomes)
        } else {
            Err(Refused::MISANSWERED)
        }
    }
}

fn item(item: PackedItem) -> Item {
    let content = match item.value {
        Some(value) => Content::Bytes(value.bytes().unwrap_or_default().to_vec()),
        None if item.is_region => Content::Region,
        None => Content::Map,
    };
    Item {
        key: item.key.to_vec(),
        content,
        version: item.version,
    }
}

fn op(operation: &Operation) -> Result<MapOp<'_>, Refused> {
    Ok(match operation {
        Operation::Check((key, condition)) => MapOp::Check {
            key,
            condition: condition_of(*condition)?,
        },
        Operation::Set((key, value, terms)) => MapOp::Set {
            key,
            value,
            terms: terms_of(*terms)?,
        },
        Operation::Delete(key) => MapOp::Delete { key },
        Operation::Increment((key, delta)) => MapOp::Add { key, delta: *delta },
    })
}

fn outcome((operation, (version, value)): (&Operation, (u64, i64))) -> Outcome {
    match operation {
        Operation::Check(_) => Outcome::Checked(version),
        Operation::Set(_) => Outcome::Stored(version),
        Operation::Delete(_) => Outcome::Deleted(value != 0),
        Operation::Increment(_) => Outcome::Counted((value, version)),
    }
}
