//! `wasi:keyvalue` over maps: what both drafts have, and each draft's own.
//!
//! A bucket is a map with the rights that are granted; a key is text; a counter is a counter of the
//! map. `docs/wasi-map.md` has what the drafts leave open.

mod draft;
mod draft2;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem::replace;
use std::task::Poll;

use wasmtime::component::{Linker, Resource};
use weir_maps::call::packed;
use weir_maps::scan::Cursor;
use weir_maps::store::Terms;
use weir_maps::{MapCall, MapOp};
use weir_model::limits::maps as limits;

use super::asking::absent;
use super::begun::Bucket;
use super::made::draft::keyvalue as one;
use super::made::draft2::keyvalue as two;
use super::refused::{NOTSUP, Refused};
use super::{HasMaps, MapCtx, MapView};

pub(super) fn link<T: MapView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    one::store::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    one::atomics::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    one::batch::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    two::store::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    two::atomics::add_to_linker::<T, HasMaps>(linker, T::maps)?;
    two::batch::add_to_linker::<T, HasMaps>(linker, T::maps)
}

/// Values by key, as `get-many` was asked.
type Found = Vec<(String, Option<Vec<u8>>)>;

impl MapCtx<'_> {
    pub(super) async fn open_bucket(&mut self, name: &str) -> Result<Resource<Bucket>, Refused> {
        let name = Some(name.as_bytes()).filter(|name| !name.is_empty());
        self.begun.buckets.check_room()?;
        let handle = self.ask_handle(MapCall::OpenGranted { name }).await?;
        let bucket = Bucket {
            handle,
            listings: VecDeque::new(),
            last: 0,
        };
        self.begun.buckets.add(bucket).map(Resource::new_own)
    }

    fn handle(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<u32> {
        self.begun
            .buckets
            .get(bucket.rep())
            .map(|bucket| bucket.handle)
    }

    async fn bucket_get(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
    ) -> Result<Option<Vec<u8>>, Refused> {
        let handle = self.handle(bucket)?;
        let found = self.ask_entry(handle, key.as_bytes()).await?;
        Ok(found.map(|(value, _)| value.bytes().unwrap_or_default().to_vec()))
    }

    async fn bucket_set(
        &mut self,
        bucket: &Resource<Bucket>,
        (key, value): (&str, &[u8]),
    ) -> Result<(), Refused> {
        let handle = self.handle(bucket)?;
        let stored = self.store(handle, (key.as_bytes(), value), Terms::default());
        stored.await.map(|_| ())
    }

    async fn bucket_delete(&mut self, bucket: &Resource<Bucket>, key: &str) -> Result<(), Refused> {
        let (handle, key) = (self.handle(bucket)?, key.as_bytes());
        match self.ask(MapCall::Delete { handle, key }).await {
            Ok(_) => Ok(()),
            Err(refused) => absent(refused),
        }
    }

    async fn bucket_exists(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
    ) -> Result<bool, Refused> {
        let (handle, key) = (self.handle(bucket)?, key.as_bytes());
        let number = self.ask_number(MapCall::Exists { handle, key }).await?;
        Ok(number != 0)
    }

    async fn bucket_increment(
        &mut self,
        bucket: &Resource<Bucket>,
        key: &str,
        delta: i64,
    ) -> Result<i64, Refused> {
        let handle = self.handle(bucket)?;
        self.count(handle, key.as_bytes(), delta).await
    }

    async fn bucket_drop(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<()> {
        let bucket = self.begun.buckets.remove(bucket.rep())?;
        self.give_back(bucket.handle).await
    }

    /// A page of keys from a cursor on, and the next one's.
    async fn bucket_keys(
        &mut self,
        bucket: &Resource<Bucket>,
        cursor: Cursor,
    ) -> Result<(Vec<String>, Option<Cursor>), Refused> {
        let handle = self.handle(bucket)?;
        let (page, next) = self.page((handle, b""), cursor, u32::MAX).await?;
        let text = |item: packed::PackedItem| String::from_utf8(item.key.to_vec()).ok();
        Ok((packed::items(&page).filter_map(text).collect(), next))
    }

    async fn bucket_get_many(
        &mut self,
        bucket: &Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Found, Refused> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        for key in keys {
            if found.len() % limits::BATCH_OPS_MAX == limits::BATCH_OPS_MAX - 1 {
                let_others_run().await;
            }
            let value = self.bucket_get(bucket, &key).await?;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            if bytes > limits::COMPONENT_MANY_BYTES_MAX {
                return Err(Refused::Said(
                    "the values of these keys are longer than 16 MiB",
                ));
            }
            found.push((key, value));
        }
        Ok(found)
    }

    /// Up to a batch's worth at a time as one step, one after the other where there are no batches.
    async fn bucket_do_many(
        &mut self,
        bucket: &Resource<Bucket>,
        ops: &[MapOp<'_>],
    ) -> Result<(), Refused> {
        let handle = self.handle(bucket)?;
        for ops in ops.chunks(limits::BATCH_OPS_MAX) {
            match self.ask(MapCall::Batch { handle, ops }).await {
                Err(refused) if refused.number() == Some(NOTSUP) => {
                    self.one_by_one(handle, ops).await?;
                }
                done => {
                    done?;
                }
            }
            let_others_run().await;
        }
        Ok(())
    }

    async fn one_by_one(&mut self, handle: u32, ops: &[MapOp<'_>]) -> Result<(), Refused> {
        for op in ops {
            match *op {
                MapOp::Set { key, value, terms } => {
                    self.store(handle, (key, value), terms).await?;
                }
                MapOp::Delete { key } => {
                    let deleted = self.ask(MapCall::Delete { handle, key }).await;
                    deleted.map(|_| ()).or_else(absent)?;
                }
                // Nobody asks for them here.
                MapOp::Check { .. } | MapOp::Add { .. } => return Err(Refused::INVALID),
            }
        }
        Ok(())
    }
}

/// Gives the thread back once: a list may be long, and maps in memory answer at once.
async fn let_others_run() {
    let mut has_run = false;
    poll_fn(|context| {
        if replace(&mut has_run, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn set((key, value): &(String, Vec<u8>)) -> MapOp<'_> {
    MapOp::Set {
        key: key.as_bytes(),
        value,
        terms: Terms::default(),
    }
}

fn delete(key: &String) -> MapOp<'_> {
    let key = key.as_bytes();
    MapOp::Delete { key }
}
