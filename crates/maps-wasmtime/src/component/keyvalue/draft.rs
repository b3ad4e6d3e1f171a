//! What is peculiar to 0.2.0-draft, which Wasmtime and wasmCloud serve: cursors are numbers, counters
//! have no sign.

use wasmtime::component::Resource;
use weir_maps::scan::{Cursor, START};
use weir_model::limits::maps as limits;

use super::super::MapCtx;
use super::super::begun::Bucket;
use super::super::made::draft::keyvalue::{atomics, batch, store};
use super::super::refused::Refused;
use super::{delete, set};

impl store::HostBucket for MapCtx<'_> {
    async fn get(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Option<Vec<u8>>, Refused> {
        self.bucket_get(&bucket, &key).await
    }

    async fn set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> Result<(), Refused> {
        self.bucket_set(&bucket, (&key, &value)).await
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<(), Refused> {
        self.bucket_delete(&bucket, &key).await
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool, Refused> {
        self.bucket_exists(&bucket, &key).await
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse, Refused> {
        let begin = match cursor {
            Some(number) => self.listing(&bucket, number)?,
            None => START,
        };
        let (keys, next) = self.bucket_keys(&bucket, begin).await?;
        let cursor = match next {
            Some(next) => Some(self.keep_listing(&bucket, next)?),
            None => None,
        };
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.bucket_drop(&bucket).await
    }
}

impl MapCtx<'_> {
    /// Where the listing of this number goes on; once.
    fn listing(&mut self, bucket: &Resource<Bucket>, number: u64) -> Result<Cursor, Refused> {
        let listings = &mut self.begun.buckets.get(bucket.rep())?.listings;
        let place = listings.iter().position(|(known, _)| *known == number);
        let listing = place.and_then(|place| listings.remove(place));
        let unknown = Refused::Said("the cursor is forgotten or was used already: begin again");
        listing.map(|(_, cursor)| cursor).ok_or(unknown)
    }

    fn keep_listing(&mut self, bucket: &Resource<Bucket>, next: Cursor) -> Result<u64, Refused> {
        let bucket = self.begun.buckets.get(bucket.rep())?;
        if bucket.listings.len() >= limits::COMPONENT_LISTINGS_MAX {
            bucket.listings.pop_front();
        }
        bucket.last += 1;
        bucket.listings.push_back((bucket.last, next));
        Ok(bucket.last)
    }
}

impl atomics::Host for MapCtx<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: u64,
    ) -> Result<u64, Refused> {
        let too_much = Refused::Said("a counter counts to 2^63 - 1");
        let delta = i64::try_from(delta).map_err(|_| too_much)?;
        // Below 0 only if something else has counted down: the bits are the same then.
        let sum = self.bucket_increment(&bucket, &key, delta).await?;
        Ok(sum.cast_unsigned())
    }
}

impl batch::Host for MapCtx<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, Refused> {
        let found = self.bucket_get_many(&bucket, keys).await?;
        let pair = |(key, value): (String, Option<Vec<u8>>)| value.map(|value| (key, value));
        Ok(found.into_iter().map(pair).collect())
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<(), Refused> {
        let ops: Vec<_> = key_values.iter().map(set).collect();
        self.bucket_do_many(&bucket, &ops).await
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<(), Refused> {
        let ops: Vec<_> = keys.iter().map(delete).collect();
        self.bucket_do_many(&bucket, &ops).await
    }
}
