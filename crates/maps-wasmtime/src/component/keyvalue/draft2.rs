//! What is peculiar to 0.2.0-draft2, which Spin serves: cursors are text, counters have a sign, and
//! entries are compared and swapped.

use wasmtime::component::Resource;
use weir_maps::Rights;
use weir_maps::scan::{Cursor, START};
use weir_maps::store::{Condition, Terms};

use super::super::MapCtx;
use super::super::begun::{Bucket, Cas};
use super::super::made::draft2::keyvalue::{atomics, batch, store};
use super::super::refused::{AGAIN, Refused};
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
        cursor: Option<String>,
    ) -> Result<store::KeyResponse, Refused> {
        let unknown = Refused::Said("this is no cursor of list-keys");
        let begin = match cursor {
            Some(text) => read_cursor(&text).ok_or(unknown)?,
            None => START,
        };
        let (keys, next) = self.bucket_keys(&bucket, begin).await?;
        let cursor = next.map(|next| format!("{:032x}", u128::from_be_bytes(next)));
        Ok(store::KeyResponse { keys, cursor })
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.bucket_drop(&bucket).await
    }
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let cursor = u128::from_str_radix(text, 16).ok()?.to_be_bytes();
    // Zeros begin a scan, and are no cursor that was given out.
    Some(cursor).filter(|cursor| text.len() == 32 && *cursor != START)
}

impl atomics::Host for MapCtx<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<i64, Refused> {
        self.bucket_increment(&bucket, &key, delta).await
    }

    async fn swap(
        &mut self,
        cas: Resource<Cas>,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), atomics::CasError>> {
        let tried = self.begun.cas.get(cas.rep())?;
        let (handle, key) = (tried.handle, tried.key.clone());
        let terms = Terms::on(Condition::expected(tried.version));
        let stored = self.store(handle, (key.as_bytes(), &value), terms).await;
        if let Err(Refused::Number(AGAIN, version)) = stored {
            self.begun.cas.get(cas.rep())?.version = version;
            let anew = Resource::new_own(cas.rep());
            return Ok(Err(atomics::CasError::CasFailed(anew)));
        }
        let spent = self.begun.cas.remove(cas.rep())?;
        self.give_back(spent.handle).await?;
        match stored {
            Ok(_) => Ok(Ok(())),
            Err(refused) => {
                let error = store::Host::convert_error(self, refused)?;
                Ok(Err(atomics::CasError::StoreError(error)))
            }
        }
    }
}

impl atomics::HostCas for MapCtx<'_> {
    async fn new(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
    ) -> Result<Resource<Cas>, Refused> {
        self.begun.cas.check_room()?;
        let bucket = self.begun.buckets.get(bucket.rep())?.handle;
        let found = self.ask_entry(bucket, key.as_bytes()).await?;
        let version = found.map_or(0, |(_, version)| version);
        let rights = Rights::READ.and(Rights::WRITE);
        let handle = self.own_handle(bucket, rights).await?;
        let cas = Cas {
            handle,
            key,
            version,
        };
        self.begun.cas.add(cas).map(Resource::new_own)
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Result<Option<Vec<u8>>, Refused> {
        let known = self.begun.cas.get(cas.rep())?;
        let (handle, key) = (known.handle, known.key.clone());
        let found = self.ask_entry(handle, key.as_bytes()).await?;
        let version = found.as_ref().map_or(0, |(_, version)| *version);
        self.begun.cas.get(cas.rep())?.version = version;
        Ok(found.map(|(value, _)| value.bytes().unwrap_or_default().to_vec()))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        let cas = self.begun.cas.remove(cas.rep())?;
        self.give_back(cas.handle).await
    }
}

impl batch::Host for MapCtx<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Option<Vec<u8>>)>, Refused> {
        self.bucket_get_many(&bucket, keys).await
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
